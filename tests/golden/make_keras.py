#!/usr/bin/env python3
# Writes the golden values that tests/golden*_test.cpp compare with: what Keras 3 computes, in .safetensors
# files beside this script. SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras.py

Keras computes in float64 from inputs that are exact in float32, so that the values hold for Glia's float32
and, to many more digits, for its float64. Every case is computed in float32 too and must agree with itself,
or it would test rounding. The names of the cases and their models are those of the tables in the C++ tests.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import zlib
from pathlib import Path

import keras
import numpy as np
from keras import losses, optimizers
from keras import constraints, layers as kl, metrics, regularizers
from keras.layers import Activation, Dense, Flatten
from keras.optimizers import schedules
from keras.optimizers.schedules import ExponentialDecay
from keras.src.backend.common import dtypes
from safetensors.numpy import save

# Unless told otherwise, Keras's torch backend multiplies matrices of float64 in float32.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax"]
MORE_ACTIVATIONS = (
    "log_softmax relu6 leaky_relu elu selu celu hard_sigmoid softplus softsign silu hard_silu gelu mish exponential"
).split()
BATCHES = [1, 7, 31, 67]


def random(*name):
    """Draws that depend on the case's name only, so that a new case leaves the others as they are."""
    return np.random.Generator(np.random.PCG64(zlib.crc32("/".join(map(str, name)).encode())))


def normal(generator, shape, scale=1.0):
    return (scale * generator.standard_normal(shape)).astype(np.float32)


def make_weights(generator, shapes, scale=0.5):
    return [normal(generator, shape, scale) for shape in shapes]


def make_targets(generator, kind, rows, shape):
    """shape: of one row of the model's output."""
    classes = shape[-1]
    labels = generator.integers(0, classes, (rows, *shape[:-1])).astype(np.int32)
    if kind == "normal":
        return normal(generator, (rows, *shape))
    if kind == "vector":
        return normal(generator, (rows,))
    if kind == "far":  # gradients keep their sign for long
        return normal(generator, (rows, *shape), 0.5) + np.float32(4)
    if kind == "binary":
        return generator.integers(0, 2, (rows, *shape)).astype(np.float32)
    if kind == "soft":
        return generator.random((rows, *shape), np.float32)
    if kind == "one_hot":
        return np.eye(classes, dtype=np.float32)[labels]
    if kind == "distribution":
        soft = generator.random((rows, *shape), np.float32)
        return soft / soft.sum(-1, keepdims=True)
    if kind == "labels":
        return labels
    if kind == "label_column":
        return labels[:, None]
    raise ValueError(kind)


def build(input_shape, layers, weights=None):
    """A model of fresh layers: `layers` is called for each, as floatx has changed since."""
    model = keras.Sequential([keras.Input(input_shape), *layers()])
    if weights is not None:
        model.set_weights(weights)
    return model


def hard_sigmoid(x):
    """PyTorch's own takes 1/6 of its gradient in float32, whatever the dtype."""
    return keras.ops.relu6(x + 3) / 6


class Muon(optimizers.Muon):
    """With the root of the matrix's side in float64; Keras's has it in float32."""

    def lr_adjust(self, x):
        return x * (max(x.shape[0], x.shape[1]) ** 0.5 * self.rms_rate)


def layer_weights(generator, model, scale=0.5):
    """Random weights; variances stay positive."""
    weights = make_weights(generator, [w.shape for w in model.weights], scale)
    for variable, weight in zip(model.weights, weights):
        if "variance" in variable.name:
            weight[...] = np.abs(weight) + np.float32(0.5)
    return weights


def inputs_of(x):
    return x.astype(keras.config.floatx())


def targets_of(y):
    return y if y.dtype == np.int32 else y.astype(keras.config.floatx())


def numbers(weights):
    return {str(i): w for i, w in enumerate(weights)}


def prefixed(prefix, values):
    return {f"{prefix}/{name}": value for name, value in values.items()}


def well_conditioned(single, double):
    """The comparison of tests/close.h, at three times its float32 tolerance: Keras's float32 Adam takes
    1 - 0.999 for 2e-5 more than it is, which Glia does not."""
    scale = np.abs(double).max(initial=0)
    return np.all(np.abs(single - double) <= 3 * (1e-5 * np.abs(double) + 1e-6 * scale))


def golden(case, compute):
    """compute() in float64, after a check that float32 gives the same."""
    results = {}
    for floatx in ["float32", "float64"]:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(floatx)
        results[floatx] = {name: np.asarray(value) for name, value in compute().items()}
    for name, value in results["float64"].items():
        if value.dtype != np.float64:
            raise SystemExit(f"{case}: {name} was computed in {value.dtype}")
        if not well_conditioned(results["float32"][name], value):
            raise SystemExit(f"{case}: {name} is ill-conditioned: Keras's float32 differs from its float64")
    return results["float64"]


# --- forward: what predict returns ---


def forward_cases():
    """(name, rows, input shape, layers, scale of x)"""
    for act in ACTIVATIONS:
        yield f"dense_{act}", 31, (13,), lambda act=act: [Dense(7, act)], 1
        yield f"dense_rank_3_{act}", 5, (3, 13), lambda act=act: [Dense(7, act)], 1
        yield f"activation_{act}", 7, (11,), lambda act=act: [Activation(act)], 8
        yield f"activation_rank_3_{act}", 3, (5, 9), lambda act=act: [Activation(act)], 1
    yield "dense_one_row", 1, (13,), lambda: [Dense(7, "tanh")], 1
    yield "dense_one_unit", 9, (13,), lambda: [Dense(1, "sigmoid")], 1
    yield "dense_no_bias", 31, (13,), lambda: [Dense(7, "relu", use_bias=False)], 1
    yield "flatten", 7, (3, 5), lambda: [Flatten()], 1
    yield "flatten_dense", 7, (3, 5), lambda: [Flatten(), Dense(4, "sigmoid")], 1
    yield "dense_flatten_dense", 7, (3, 5), lambda: [Dense(4, "tanh"), Flatten(), Dense(2)], 1
    yield "wide", 33, (257,), lambda: [Dense(67, "relu"), Dense(10, "softmax")], 1
    for act in MORE_ACTIVATIONS:
        yield f"dense_{act}", 31, (13,), lambda act=act: [Dense(7, act)], 1
        yield f"activation_{act}", 7, (11,), lambda act=act: [Activation(act)], 8
    yield "activation_gelu_tanh", 7, (11,), lambda: [Activation(lambda x: keras.activations.gelu(x, True))], 3
    yield "relu_layer", 7, (11,), lambda: [kl.ReLU(max_value=2, negative_slope=0.1, threshold=0.5)], 3
    yield "leaky_relu_layer", 7, (11,), lambda: [kl.LeakyReLU()], 3
    yield "elu_layer", 7, (11,), lambda: [kl.ELU(alpha=0.7)], 3
    yield "prelu", 7, (3, 5), lambda: [kl.PReLU()], 3
    yield "batch_normalization", 9, (13,), lambda: [Dense(7), kl.BatchNormalization()], 1
    yield "batch_normalization_rank_3", 5, (3, 7), lambda: [kl.BatchNormalization(center=False, epsilon=0.1)], 1
    yield "layer_normalization", 9, (13,), lambda: [kl.LayerNormalization()], 1
    yield "layer_normalization_rank_3", 5, (3, 7), lambda: [kl.LayerNormalization(scale=False)], 1
    yield "rms_normalization", 9, (13,), lambda: [kl.RMSNormalization()], 1
    yield "rescaling", 7, (11,), lambda: [kl.Rescaling(0.25, offset=-1)], 3
    yield "reshape", 7, (3, 4), lambda: [kl.Reshape((2, -1)), Dense(5)], 1
    yield "dropout_predicts", 7, (11,), lambda: [kl.Dropout(0.5), kl.GaussianNoise(1), kl.AlphaDropout(0.3)], 1


def forward():
    out = {}
    for name, rows, input_shape, layers, scale in forward_cases():
        generator = random("forward", name)
        weights = layer_weights(generator, build(input_shape, layers), 0.3)
        x = normal(generator, (rows, *input_shape), scale)

        def compute():
            return {"out": build(input_shape, layers, weights).predict(inputs_of(x), verbose=0)}

        values = {"x": x} | prefixed("weights", numbers(weights)) | golden(name, compute)
        out |= prefixed(name, values)
    return out


# --- gradients: loss of a batch and its gradient for every weight ---


def hidden(*last):
    return lambda: [Dense(7, "tanh"), *[layer() for layer in last]]


def dense(units, activation=None, **options):
    return lambda: Dense(units, activation, **options)


def function(name):
    return lambda: Activation(name)


def gradient_cases():
    """name: (input shape, layers, loss, kind of targets)"""
    mse, bce = losses.MeanSquaredError, losses.BinaryCrossentropy
    cce, scce = losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy
    vector, matrix = (5,), (3, 5)
    return {
        "mse_linear": (vector, hidden(dense(3)), mse(), "normal"),
        "mse_relu": (vector, lambda: [Dense(7, "relu"), Dense(3, "relu")], mse(), "normal"),
        "mse_sigmoid": (vector, lambda: [Dense(7, "sigmoid"), Dense(3, "sigmoid")], mse(), "normal"),
        "mse_tanh": (vector, hidden(dense(3, "tanh")), mse(), "normal"),
        "mse_softmax": (vector, hidden(dense(3, "softmax")), mse(), "normal"),
        "mse_vector_targets": (vector, hidden(dense(1)), mse(), "vector"),
        "mse_no_bias": (
            vector,
            lambda: [Dense(7, "tanh", use_bias=False), Dense(3, use_bias=False)],
            mse(),
            "normal",
        ),
        "mse_flatten": (matrix, lambda: [Flatten(), Dense(7, "relu"), Dense(3)], mse(), "normal"),
        "mse_activation_layers": (
            vector,
            lambda: [
                *(Dense(7), Activation("tanh"), Dense(5), Activation("relu")),
                *(Dense(3), Activation("sigmoid")),
            ],
            mse(),
            "normal",
        ),
        "mse_hidden_softmax": (vector, lambda: [Dense(7, "softmax"), Dense(3)], mse(), "normal"),
        "mse_rank_3": (matrix, hidden(dense(2)), mse(), "normal"),
        "mse_rank_3_flatten": (matrix, lambda: [Dense(4, "tanh"), Flatten(), Dense(2)], mse(), "normal"),
        "bce_sigmoid": (vector, hidden(dense(3, "sigmoid")), bce(), "binary"),
        "bce_sigmoid_soft": (vector, hidden(dense(3, "sigmoid")), bce(), "soft"),
        "bce_sigmoid_one_unit": (vector, hidden(dense(1, "sigmoid")), bce(), "binary"),
        "bce_sigmoid_layer": (vector, hidden(dense(3), function("sigmoid")), bce(), "binary"),
        "bce_linear": (vector, hidden(dense(3)), bce(), "binary"),
        "bce_clipped": (vector, hidden(dense(3)), bce(), "binary"),
        "bce_softmax": (vector, hidden(dense(3, "softmax")), bce(), "binary"),
        "bce_logits": (vector, hidden(dense(3)), bce(from_logits=True), "binary"),
        "bce_rank_3": (matrix, hidden(dense(2, "sigmoid")), bce(), "binary"),
        "cce_softmax": (vector, hidden(dense(4, "softmax")), cce(), "one_hot"),
        "cce_softmax_layer": (vector, hidden(dense(4), function("softmax")), cce(), "one_hot"),
        "cce_softmax_soft": (vector, hidden(dense(4, "softmax")), cce(), "distribution"),
        "cce_softmax_unnormalised": (vector, hidden(dense(4, "softmax")), cce(), "soft"),
        "cce_logits": (vector, hidden(dense(4)), cce(from_logits=True), "one_hot"),
        "cce_sigmoid": (vector, hidden(dense(4, "sigmoid")), cce(), "one_hot"),
        "cce_clipped": (vector, hidden(dense(4, "relu")), cce(), "one_hot"),
        "cce_rank_3": (matrix, hidden(dense(4, "softmax")), cce(), "one_hot"),
        "scce_softmax": (vector, hidden(dense(4, "softmax")), scce(), "labels"),
        "scce_softmax_layer": (vector, hidden(dense(4), function("softmax")), scce(), "labels"),
        "scce_label_column": (vector, hidden(dense(4, "softmax")), scce(), "label_column"),
        "scce_logits": (vector, hidden(dense(4)), scce(from_logits=True), "labels"),
        "scce_sigmoid": (vector, hidden(dense(4, "sigmoid")), scce(), "labels"),
        "scce_clipped": (vector, hidden(dense(4, "relu")), scce(), "labels"),
        "scce_rank_3": (matrix, hidden(dense(4, "softmax")), scce(), "labels"),
        **{
            f"{act}_hidden": (
                vector,
                lambda act=hard_sigmoid if act == "hard_sigmoid" else act: [Dense(7, act), Dense(3)],
                mse(),
                "normal",
            )
            for act in MORE_ACTIVATIONS
        },
        "mae": (vector, hidden(dense(3)), losses.MeanAbsoluteError(), "far"),
        "mape": (vector, hidden(dense(3)), losses.MeanAbsolutePercentageError(), "far"),
        "msle": (vector, hidden(dense(3, "softplus")), losses.MeanSquaredLogarithmicError(), "soft"),
        "huber": (vector, hidden(dense(3)), losses.Huber(), "normal"),
        "huber_delta": (vector, hidden(dense(3)), losses.Huber(delta=0.3), "normal"),
        "log_cosh": (vector, hidden(dense(3)), losses.LogCosh(), "normal"),
        "bce_smoothed": (vector, hidden(dense(3, "sigmoid")), bce(label_smoothing=0.2), "binary"),
        "bce_linear_smoothed": (vector, hidden(dense(3, "softmax")), bce(label_smoothing=0.2), "binary"),
        "bfce": (vector, hidden(dense(3, "sigmoid")), losses.BinaryFocalCrossentropy(), "binary"),
        "bfce_balanced": (
            vector,
            hidden(dense(3)),
            losses.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=True, label_smoothing=0.1),
            "binary",
        ),
        "cce_smoothed": (vector, hidden(dense(4, "softmax")), cce(label_smoothing=0.2), "one_hot"),
        "cce_sigmoid_smoothed": (vector, hidden(dense(4, "sigmoid")), cce(label_smoothing=0.2), "one_hot"),
        "cfce": (vector, hidden(dense(4, "softmax")), losses.CategoricalFocalCrossentropy(), "one_hot"),
        "cfce_sigmoid": (
            vector,
            hidden(dense(4, "sigmoid")),
            losses.CategoricalFocalCrossentropy(0.5, 1.5, label_smoothing=0.1),
            "one_hot",
        ),
        "cfce_logits": (
            vector,
            hidden(dense(4)),
            losses.CategoricalFocalCrossentropy(from_logits=True),
            "one_hot",
        ),
        "scce_ignore": (vector, hidden(dense(4, "softmax")), scce(ignore_class=1), "labels"),
        "scce_ignore_sigmoid": (vector, hidden(dense(4, "sigmoid")), scce(ignore_class=2), "labels"),
        "kld": (vector, hidden(dense(4, "softmax")), losses.KLDivergence(), "distribution"),
        "poisson": (vector, hidden(dense(3, "softplus")), losses.Poisson(), "soft"),
        "hinge": (vector, hidden(dense(3)), losses.Hinge(), "binary"),
        "squared_hinge": (vector, hidden(dense(3)), losses.SquaredHinge(), "binary"),
        "categorical_hinge": (vector, hidden(dense(4)), losses.CategoricalHinge(), "one_hot"),
        "cosine_similarity": (vector, hidden(dense(4)), losses.CosineSimilarity(), "normal"),
        "relu_layer": (
            vector,
            lambda: [Dense(7), kl.ReLU(max_value=2, negative_slope=0.1, threshold=0.25), Dense(3)],
            mse(),
            "normal",
        ),
        "prelu": (vector, lambda: [Dense(7), kl.PReLU(), Dense(3)], mse(), "normal"),
        "batch_normalization": (
            vector,
            lambda: [Dense(7, "tanh"), kl.BatchNormalization(), Dense(3)],
            mse(),
            "normal",
        ),
        "batch_normalization_rank_3": (
            matrix,
            lambda: [Dense(4, "tanh"), kl.BatchNormalization(center=False, epsilon=0.1), Dense(2)],
            mse(),
            "normal",
        ),
        "layer_normalization": (
            vector,
            lambda: [Dense(7), kl.LayerNormalization(), Dense(3)],
            mse(),
            "normal",
        ),
        "rms_normalization": (vector, lambda: [Dense(7), kl.RMSNormalization(), Dense(3)], mse(), "normal"),
        "rescaling": (vector, lambda: [Dense(7), kl.Rescaling(0.5, 1), Dense(3)], mse(), "normal"),
        "reshape": (matrix, lambda: [Dense(4), kl.Reshape((2, -1)), Dense(3)], mse(), "normal"),
        "regularized": (
            vector,
            lambda: [
                Dense(7, "tanh", kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.05)),
                Dense(3, kernel_regularizer=regularizers.L1L2(0.02, 0.03)),
            ],
            mse(),
            "normal",
        ),
        "scce_wide": ((257,), lambda: [Dense(67, "relu"), Dense(10, "softmax")], scce(), "labels"),
    }


def place_outputs(case, weights):
    """Moves the last layer's outputs to where the case wants them."""
    kernel, bias = weights[-2], weights[-1]
    if case == "bce_linear":  # inside (0, 1), with no sigmoid
        kernel *= np.float32(0.1)
        bias[:] = [0.3, 0.5, 0.7]
    if case == "bce_clipped":  # the first always below 0, where Keras clips and the gradient ends
        kernel *= np.float32(0.1)
        bias[:] = [-0.5, 0.5, 0.7]
    if case in ["cce_clipped", "scce_clipped"]:  # the last class always at 0
        kernel *= np.float32(0.1)
        bias[:] = [1.0, 0.5, 0.7, -2.0]
    if case == "scce_wide":  # probabilities above 1e-7: below, Keras clips, where Glia's fused loss is exact
        weights[0] *= np.float32(0.2)
        weights[2] *= np.float32(0.2)


OLD = ("mse", "bce_", "cce_", "scce_")


def batches_of(case):
    if case == "scce_wide":
        return [67]
    new = not case.startswith(OLD) or "smoothed" in case or "ignore" in case
    return [7, 31] if new else BATCHES


def batch_gradients(model, x, y, sample_weight=None):
    """Of a compiled model: the loss of one batch, and its gradients in the order of the trainable weights."""
    model.zero_grad()
    y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
    value = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), sample_weight=sample_weight)
    value.backward()
    return value.detach().numpy().reshape(1), [w.value.grad.numpy() for w in model.trainable_weights]


def loss_and_gradients(model, loss, x, y):
    model.compile(optimizer="sgd", loss=loss)
    value, gradients = batch_gradients(model, inputs_of(x), targets_of(y))
    return {"loss": value} | prefixed("gradients", numbers(gradients))


def gradients():
    out = {}
    for case, (input_shape, layers, loss, kind) in gradient_cases().items():
        generator = random("gradients", case)
        model = build(input_shape, layers)
        weights = layer_weights(generator, model)
        place_outputs(case, weights)
        out |= prefixed(case, prefixed("weights", numbers(weights)))
        for batch in batches_of(case):
            x = normal(generator, (batch, *input_shape))
            y = make_targets(generator, kind, batch, model.output_shape[1:])

            def compute():
                return loss_and_gradients(build(input_shape, layers, weights), fresh(loss), x, y)

            values = {"x": x, "y": y} | golden(f"{case}/{batch}", compute)
            out |= prefixed(f"{case}/{batch}", values)
    return out


def fresh(configured):
    """A loss or optimizer of the same settings in the present floatx."""
    config = configured.get_config() | getattr(configured, "_fn_kwargs", {})  # Huber's has no delta
    config.pop("dtype", None)
    return type(configured).from_config(config)


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


def write(*makers):
    """Each function's tensors into a file of its name."""
    for make in makers:
        tensors = {name: np.ascontiguousarray(value) for name, value in make().items()}
        path = Path(__file__).resolve().parent / f"{make.__name__}.safetensors"
        path.write_bytes(save(tensors, metadata={"keras": keras.__version__}))
        print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    write(forward, gradients, optimizer_steps, evaluate, fit)
