#!/usr/bin/env python3
# Writes the golden values of layers, activations and losses that tests/golden_test.cpp and golden_gradients_test.cpp
# compare with: what Keras 3 computes, in .safetensors files beside this script. SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras.py

What predict returns, and the loss of a batch with its gradient for every weight; how the values are made says
keras_values.py.
"""

from keras_values import (  # first: it sets Keras's backend
    build,
    dense,
    fresh,
    golden,
    hidden,
    inputs_of,
    layer_weights,
    loss_and_gradients,
    make_targets,
    normal,
    numbers,
    prefixed,
    random,
    write,
)

import keras
import numpy as np
from keras import layers as kl, losses, regularizers
from keras.layers import Activation, Dense, Flatten

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax"]
MORE_ACTIVATIONS = (
    "log_softmax relu6 leaky_relu elu selu celu hard_sigmoid softplus softsign silu hard_silu gelu mish exponential"
).split()
BATCHES = [1, 7, 31, 67]


def hard_sigmoid(x):
    """PyTorch's own takes 1/6 of its gradient in float32, whatever the dtype."""
    return keras.ops.relu6(x + 3) / 6


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


if __name__ == "__main__":
    write(forward, gradients)
