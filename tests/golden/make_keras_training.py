#!/usr/bin/env python3
# Writes the golden values of training that tests/golden_training_test.cpp compares with: weights after steps of every
# optimizer, what evaluate measures, and the history of fit. SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras_training.py

How the values are made says keras_values.py.
"""

from keras_values import (  # first: it sets Keras's backend
    build,
    dense,
    fresh,
    golden,
    hidden,
    inputs_of,
    layer_weights,
    make_targets,
    make_weights,
    normal,
    numbers,
    prefixed,
    random,
    targets_of,
    write,
)

import keras
import numpy as np
from keras import constraints, layers as kl, losses, metrics, optimizers
from keras.layers import Dense
from keras.optimizers import schedules
from keras.optimizers.schedules import ExponentialDecay


class Muon(optimizers.Muon):
    """With the root of the matrix's side in float64; Keras's has it in float32."""

    def lr_adjust(self, x):
        return x * (max(x.shape[0], x.shape[1]) ** 0.5 * self.rms_rate)


# --- optimizers: the weights after 1, 10 and 100 steps on one batch ---


def optimizer_cases():
    decay = dict(initial_learning_rate=0.05, decay_steps=10, decay_rate=0.8)
    return {
        "sgd": lambda: optimizers.SGD(),
        "sgd_momentum": lambda: optimizers.SGD(0.005, momentum=0.9),
        "sgd_nesterov": lambda: optimizers.SGD(0.005, momentum=0.8, nesterov=True),
        "sgd_decay": lambda: optimizers.SGD(ExponentialDecay(**decay)),
        "sgd_decay_staircase": lambda: optimizers.SGD(ExponentialDecay(**decay, staircase=True)),
        "rmsprop": lambda: optimizers.RMSprop(),
        "rmsprop_odd": lambda: optimizers.RMSprop(0.002, rho=0.7, epsilon=1e-2),
        "rmsprop_momentum": lambda: optimizers.RMSprop(momentum=0.8),
        "rmsprop_centered": lambda: optimizers.RMSprop(centered=True, epsilon=0.1),
        "rmsprop_centered_momentum": lambda: optimizers.RMSprop(momentum=0.7, centered=True, epsilon=0.1),
        "adam": lambda: optimizers.Adam(),
        "adam_odd": lambda: optimizers.Adam(0.003, beta_1=0.7, beta_2=0.93, epsilon=1e-2),
        "adam_decay": lambda: optimizers.Adam(ExponentialDecay(0.005, 20, 0.7)),
        "adam_amsgrad": lambda: optimizers.Adam(0.003, beta_2=0.9, amsgrad=True),
        "adamw": lambda: optimizers.AdamW(0.003, weight_decay=0.1),
        "adamax": lambda: optimizers.Adamax(0.003),
        "nadam": lambda: optimizers.Nadam(0.003),
        "adagrad": lambda: optimizers.Adagrad(0.01),
        "adadelta": lambda: optimizers.Adadelta(0.1, epsilon=1e-2),
        "lion": lambda: optimizers.Lion(0.001),
        "ftrl": lambda: optimizers.Ftrl(
            0.01,
            l1_regularization_strength=0.01,
            l2_regularization_strength=0.02,
            l2_shrinkage_regularization_strength=0.03,
            beta=0.1,
        ),
        "muon": lambda: Muon(0.003),
        "sgd_weight_decay": lambda: optimizers.SGD(0.005, weight_decay=0.05),
        "sgd_clipnorm": lambda: optimizers.SGD(0.02, clipnorm=0.5),
        "sgd_global_clipnorm": lambda: optimizers.SGD(0.02, global_clipnorm=0.7),
        "sgd_clipvalue": lambda: optimizers.SGD(0.02, clipvalue=0.1),
        "sgd_ema": lambda: optimizers.SGD(0.005, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
        "adam_accumulated": lambda: optimizers.Adam(0.003, gradient_accumulation_steps=5),
        "sgd_inverse_time": lambda: optimizers.SGD(schedules.InverseTimeDecay(0.01, 10, 0.5)),
        "sgd_polynomial": lambda: optimizers.SGD(schedules.PolynomialDecay(0.01, 30, 0.001, 2.0)),
        "sgd_polynomial_cycle": lambda: optimizers.SGD(
            schedules.PolynomialDecay(0.01, 30, 0.001, 1.0, cycle=True)
        ),
        "sgd_piecewise": lambda: optimizers.SGD(
            schedules.PiecewiseConstantDecay([10, 50], [0.01, 0.005, 0.001])
        ),
        "sgd_cosine": lambda: optimizers.SGD(schedules.CosineDecay(0.01, 60, 0.1)),
        "sgd_cosine_warmup": lambda: optimizers.SGD(
            schedules.CosineDecay(0.001, 60, warmup_target=0.01, warmup_steps=20)
        ),
        "sgd_cosine_restarts": lambda: optimizers.SGD(
            schedules.CosineDecayRestarts(0.01, 15, t_mul=2.0, m_mul=0.8)
        ),
    }


def train(make_optimizer, x, y, weights):
    layers = lambda: [Dense(7, "tanh"), Dense(3)]
    model = build((5,), layers, weights)
    model.compile(optimizer=make_optimizer(), loss="mse")
    x, y = inputs_of(x), targets_of(y)
    out, batch_losses = {}, []
    for step in range(1, 101):
        model.reset_metrics()  # else Keras returns the mean over all batches so far
        batch_losses.append(model.train_on_batch(x, y))
        if step in [1, 10, 100]:
            out |= prefixed(str(step), numbers(model.get_weights()))
    return out | {"losses": np.array(batch_losses, keras.config.floatx())}


def optimizer_steps():
    generator = random("optimizers", 1)  # of those tried, one where no gradient passes through 0
    x, y = normal(generator, (11, 5)), make_targets(generator, "far", 11, (3,))
    weights = make_weights(generator, [(5, 7), (7,), (7, 3), (3,)])
    out = {"problem/x": x, "problem/y": y} | prefixed("problem/weights", numbers(weights))
    for case, make_optimizer in optimizer_cases().items():
        out |= prefixed(case, golden(case, lambda: train(make_optimizer, x, y, weights)))
    return out


# --- evaluate: loss and metrics, with a partial last batch ---


def evaluate_cases():
    """name: (rows, input shape, layers, loss, metrics, kind of targets)"""
    softmax, sigmoid = hidden(dense(4, "softmax")), hidden(dense(3, "sigmoid"))
    three = ["accuracy", "binary_accuracy", "categorical_accuracy"]
    return {
        "sparse": (45, (5,), softmax, "sparse_categorical_crossentropy", ["accuracy"], "labels"),
        "sparse_column": (45, (5,), softmax, "sparse_categorical_crossentropy", ["acc"], "label_column"),
        "sparse_named": (
            45,
            (5,),
            softmax,
            "sparse_categorical_crossentropy",
            ["sparse_categorical_accuracy", "accuracy"],
            "labels",
        ),
        "sparse_logits": (
            45,
            (5,),
            hidden(dense(4)),
            losses.SparseCategoricalCrossentropy(from_logits=True),
            ["accuracy"],
            "labels",
        ),
        "sparse_rank_3": (21, (3, 5), softmax, "sparse_categorical_crossentropy", ["accuracy"], "labels"),
        "one_hot": (45, (5,), softmax, "categorical_crossentropy", three, "one_hot"),
        "multi_label": (45, (5,), sigmoid, "binary_crossentropy", three, "binary"),
        "one_unit_sigmoid": (
            45,
            (5,),
            hidden(dense(1, "sigmoid")),
            "binary_crossentropy",
            ["accuracy", "binary_accuracy"],
            "binary",
        ),
        "one_unit_linear": (45, (5,), hidden(dense(1)), "mse", ["accuracy"], "binary"),
        "one_unit_logits": (
            45,
            (5,),
            hidden(dense(1)),
            losses.BinaryCrossentropy(from_logits=True),
            ["accuracy"],
            "binary",
        ),
        "no_metrics": (3, (5,), hidden(dense(1)), "mse", [], "vector"),
        "counts": (
            45,
            (5,),
            sigmoid,
            "binary_crossentropy",
            ["precision", "recall", "auc", "true_positives", "false_positives", "true_negatives", "false_negatives"],
            "binary",
        ),
        "pr_curve": (45, (5,), sigmoid, "binary_crossentropy", [metrics.AUC(50, "PR", name="auc")], "binary"),
        "class_precision": (
            45,
            (5,),
            softmax,
            "categorical_crossentropy",
            [metrics.Precision(0.3, class_id=2, name="precision"), metrics.Recall(0.3, class_id=1, name="recall")],
            "one_hot",
        ),
        "f_scores": (
            45,
            (5,),
            softmax,
            "categorical_crossentropy",
            [
                metrics.F1Score("macro", name="macro"),
                metrics.F1Score("micro", name="micro"),
                metrics.F1Score("weighted", threshold=0.3, name="weighted"),
                metrics.FBetaScore("macro", beta=2.0, name="fbeta_score"),
            ],
            "one_hot",
        ),
        "top_k": (
            45,
            (5,),
            softmax,
            "categorical_crossentropy",
            [metrics.TopKCategoricalAccuracy(k=2, name="top_k_categorical_accuracy"), "accuracy"],
            "one_hot",
        ),
        "sparse_top_k": (
            45,
            (5,),
            softmax,
            "sparse_categorical_crossentropy",
            [metrics.SparseTopKCategoricalAccuracy(k=2, name="sparse_top_k_categorical_accuracy")],
            "labels",
        ),
        "regression": (
            45,
            (5,),
            hidden(dense(3)),
            "mse",
            [
                "mae",
                "mse",
                "mape",
                metrics.RootMeanSquaredError(),
                metrics.R2Score(),
                "cosine_similarity",
                metrics.LogCoshError(name="log_cosh"),
            ],
            "normal",
        ),
        "weighted": (
            45,
            (5,),
            sigmoid,
            "binary_crossentropy",
            ["binary_accuracy", "precision", "auc", metrics.F1Score("macro", name="f1_score"), "mae"]
            + [metrics.RootMeanSquaredError(), metrics.R2Score()],
            "binary",
        ),
        "losses": (
            45,
            (5,),
            sigmoid,
            "mse",
            ["binary_crossentropy", "hinge", "kl_divergence", "poisson", "squared_hinge"],
            "binary",
        ),
    }


def evaluate():
    out = {}
    for case, (rows, input_shape, layers, loss, case_metrics, kind) in evaluate_cases().items():
        generator = random("evaluate", case)
        model = build(input_shape, layers)
        weights = make_weights(generator, [w.shape for w in model.weights], 0.8)
        x = normal(generator, (rows, *input_shape))
        y = make_targets(generator, kind, rows, model.output_shape[1:])

        sample_weight = generator.random(rows, np.float32) * 2 if case == "weighted" else None

        def compute():
            model = build(input_shape, layers, weights)
            fresh_metrics = [m if isinstance(m, str) else fresh(m) for m in case_metrics]
            which = "metrics" if sample_weight is None else "weighted_metrics"
            model.compile(loss=loss if isinstance(loss, str) else fresh(loss), **{which: fresh_metrics})
            logs = model.evaluate(
                inputs_of(x),
                targets_of(y),
                batch_size=16,
                verbose=0,
                sample_weight=sample_weight,
                return_dict=True,
            )
            return {name: np.array([value], keras.config.floatx()) for name, value in logs.items()}

        values = {"x": x, "y": y} | prefixed("weights", numbers(weights))
        values |= {} if sample_weight is None else {"sample_weight": sample_weight}
        out |= prefixed(case, values | prefixed("logs", golden(case, compute)))
    return out


# --- fit: five epochs in the order of the rows ---


def fit_cases():
    """name: (rows, layers, loss, optimizer, kind of targets, options of fit)"""
    softmax = lambda: [Dense(7, "relu"), Dense(4, "softmax")]
    sigmoid = lambda: [Dense(7, "tanh"), Dense(1, "sigmoid")]
    sparse, binary = "sparse_categorical_crossentropy", "binary_crossentropy"
    adam = lambda: optimizers.Adam(0.01)
    return {
        "split": (40, softmax, sparse, adam, "labels", dict(batch_size=8, validation_split=0.2)),
        "partial": (43, softmax, sparse, adam, "labels", dict(batch_size=16, validation_split=0.2)),
        "no_validation": (40, sigmoid, binary, lambda: optimizers.SGD(0.1), "binary", dict(batch_size=8)),
        "one_batch": (13, sigmoid, binary, lambda: optimizers.RMSprop(0.01), "binary", dict(batch_size=64)),
        "batch_1": (9, softmax, sparse, lambda: optimizers.SGD(0.05, 0.5), "labels", dict(batch_size=1)),
        "class_weight": (
            40,
            softmax,
            sparse,
            adam,
            "labels",
            dict(batch_size=8, validation_split=0.2, class_weight={0: 2.0, 2: 0.5}),
        ),
        "class_weight_binary": (40, sigmoid, binary, adam, "binary", dict(batch_size=8, class_weight={1: 3.0})),
        "sample_weight": (40, softmax, sparse, adam, "labels", dict(batch_size=8, validation_split=0.2)),
        "batch_normalization": (
            40,
            lambda: [Dense(7, "relu"), kl.BatchNormalization(momentum=0.8), Dense(4, "softmax")],
            sparse,
            lambda: optimizers.SGD(0.1),
            "labels",
            dict(batch_size=8, validation_split=0.2),
        ),
        "constrained": (
            40,
            lambda: [
                Dense(7, "tanh", kernel_constraint=constraints.MaxNorm(0.8), bias_constraint="non_neg"),
                Dense(6, "tanh", kernel_constraint="unit_norm"),
                Dense(4, "softmax", kernel_constraint=constraints.MinMaxNorm(0.5, 0.9, rate=0.7)),
            ],
            sparse,
            lambda: optimizers.SGD(0.1),
            "labels",
            dict(batch_size=8),
        ),
        "ema": (40, softmax, sparse, lambda: optimizers.SGD(0.1, use_ema=True), "labels", dict(batch_size=8)),
        "regularized": (
            40,
            lambda: [Dense(7, "tanh", kernel_regularizer="l2"), Dense(4, "softmax", kernel_regularizer="l1")],
            sparse,
            lambda: optimizers.SGD(0.1),
            "labels",
            dict(batch_size=8, validation_split=0.2),
        ),
    }


def fit():
    out = {}
    for case, (rows, layers, loss, make_optimizer, kind, options) in fit_cases().items():
        generator = random("fit", case)
        model = build((5,), layers)
        weights = layer_weights(generator, model)
        x, y = normal(generator, (rows, 5)), make_targets(generator, kind, rows, model.output_shape[1:])
        w = generator.random(rows, np.float32) * 2 if case == "sample_weight" else None

        def compute():
            model = build((5,), layers, weights)
            weighted = [keras.metrics.SparseCategoricalAccuracy(name="weighted")] if w is not None else None
            model.compile(optimizer=make_optimizer(), loss=loss, metrics=["accuracy"], weighted_metrics=weighted)
            fitted = model.fit(
                inputs_of(x), targets_of(y), epochs=5, shuffle=False, verbose=0, sample_weight=w, **options
            )
            history = {key: np.array(row, keras.config.floatx()) for key, row in fitted.history.items()}
            return prefixed("history", history) | prefixed("after", numbers(model.get_weights()))

        values = {"x": x, "y": y} | prefixed("weights", numbers(weights)) | golden(case, compute)
        out |= prefixed(case, values | ({} if w is None else {"sample_weight": w}))
    return out


if __name__ == "__main__":
    write(optimizer_steps, evaluate, fit)
