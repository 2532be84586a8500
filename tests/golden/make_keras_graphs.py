#!/usr/bin/env python3
# Writes the golden values of models with branches that tests/golden_graphs_test.cpp compares with.
# SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras_graphs.py

keras_models.py says what the file has.
"""

from keras_models import ACCURACY, BINARY, CLASSES, SPARSE, Graph, adam, model_values  # first: sets the backend
from keras_values import write

import keras
from keras import Input, Model, Sequential, layers as kl, optimizers
from keras.layers import BatchNormalization, Conv2D, Dense


def decayed():
    return optimizers.Adam(0.01, weight_decay=0.1)


# --- merging layers ---


def merge(layer, widths):
    """Dense layers of inputs of these widths, merged."""

    def model():
        inputs = [Input((width,)) for width in widths]
        hidden = [Dense(6, "tanh", name=f"hidden_{i}")(x) for i, x in enumerate(inputs)]
        return Model(inputs, Dense(2, name="head")(layer()(hidden)))

    return Graph(model)


def concatenate():
    inputs = [Input((width,)) for width in [3, 4]]
    parts = [Dense(units, "tanh", name=f"hidden_{units}")(x) for units, x in zip([2, 5], inputs)]
    return Model(inputs, Dense(2, name="head")(kl.Concatenate()([*parts, inputs[0]])))


def concatenate_axis_1():
    a, b = Input((2, 4)), Input((3, 4))
    both = kl.Concatenate(axis=1)([Dense(5, "tanh", name="left")(a), Dense(5, "sigmoid", name="right")(b)])
    return Model([a, b], Dense(2, name="head")(both))


def concatenate_images():
    x = Input((5, 6, 2))
    parts = [Conv2D(n, n, padding="same", activation="tanh", name=f"window_{n}")(x) for n in [1, 2, 3]]
    y = Conv2D(3, 2, activation="tanh", name="mixed")(kl.Concatenate()(parts))
    return Model(x, Dense(2, name="head")(kl.GlobalAveragePooling2D()(y)))


def dot():
    a, b = Input((3,)), Input((4,))
    product = kl.Dot(axes=1)([Dense(5, "tanh", name="left")(a), Dense(5, "sigmoid", name="right")(b)])
    return Model([a, b], Dense(2, name="head")(product))


def dot_axes():
    a, b = Input((4, 3)), Input((3, 2))
    left, right = Dense(3, "tanh", name="left")(a), Dense(5, "tanh", name="right")(b)
    return Model([a, b], Dense(2, name="head")(kl.Dot(axes=(2, 1))([left, right])))


def dot_normalized():
    a, b = Input((3,)), Input((4,))
    left, right = Dense(5, "tanh", name="left")(a), Dense(5, name="right")(b)
    return Model([a, b], Dense(2, name="head")(kl.Dot(axes=1, normalize=True)([left, right])))


def dot_normalized_rows():
    a, b = Input((4, 3)), Input((2, 5))
    left, right = Dense(6, "tanh", name="left")(a), Dense(6, name="right")(b)
    return Model([a, b], Dense(3, name="head")(kl.Dot(axes=2, normalize=True)([left, right])))


# --- branches ---


def residual():
    x = Input((5, 5, 2))
    y = Conv2D(3, 3, padding="same", use_bias=False, name="first")(x)
    y = kl.Activation("tanh")(BatchNormalization(momentum=0.8, name="first_norm")(y))
    y = Conv2D(3, 3, padding="same", use_bias=False, name="second")(y)
    y = BatchNormalization(momentum=0.8, name="second_norm")(y)
    y = kl.Activation("tanh")(kl.Add()([y, Conv2D(3, 1, use_bias=False, name="shortcut")(x)]))
    return Model(x, Dense(3, "softmax", name="head")(kl.GlobalAveragePooling2D()(y)))


def diamond():
    """The layers' names are Keras's own."""
    x = Input((4,))
    top = Dense(5, "tanh")(x)
    left = Dense(6, "tanh")(top)
    right = Dense(6, "sigmoid")(top)
    return Model(x, Dense(2)(kl.Multiply()([left, right])))


def read_by_three():
    x = Input((4,))
    y = Dense(5, "tanh", name="read")(x)
    left, right = Dense(5, "tanh", name="left")(y), Dense(3, "tanh", name="right")(y)
    return Model(x, Dense(2, name="head")(kl.Concatenate()([kl.Add()([y, left]), right, y])))


def input_beside_hidden():
    x = Input((4,))
    y = kl.Concatenate()([x, Dense(5, "tanh", name="hidden")(x)])
    y = kl.Concatenate()([y, x, Dense(3, "tanh", name="deeper")(y)])
    return Model(x, Dense(2, name="head")(y))


# --- shared layers ---


def normalized_block(name):
    x = Input((5,))
    y = BatchNormalization(momentum=0.8, name="norm")(Dense(6, "tanh", use_bias=False, name="one")(x))
    return Model(x, Dense(4, "tanh", name="two")(y), name=name)


def dense_twice():
    x, shared = Input((5,)), Dense(5, "tanh", name="shared")
    return Model(x, Dense(2, name="head")(shared(shared(x))))


def siamese_twins():
    a, b = Input((4,)), Input((4,))
    twin = Sequential([Input((4,)), Dense(5, "tanh", name="one"), Dense(3, "tanh", name="two")], name="twin")
    return Model([a, b], Dense(1, "sigmoid", name="same")(kl.Subtract()([twin(a), twin(b)])))


def convolution_of_two_sizes():
    large, small, shared = Input((6, 6, 1)), Input((4, 5, 1)), Conv2D(3, 2, activation="tanh", name="shared")
    parts = [kl.GlobalAveragePooling2D()(shared(x)) for x in [large, small]]
    return Model([large, small], Dense(2, name="head")(kl.Concatenate()(parts)))


def shared_regularized():
    a, b = Input((4,)), Input((4,))
    shared = Dense(5, "tanh", kernel_regularizer="l2", bias_regularizer="l1", name="shared")
    y = kl.Concatenate()([shared(a), shared(b)])
    return Model([a, b], Dense(2, kernel_regularizer="l2", name="head")(y))


def shared_normalization():
    """Two updates of the moving averages in a step."""
    a, b, block = Input((5,)), Input((5,)), normalized_block("block")
    return Model([a, b], Dense(2, name="head")(kl.Concatenate()([block(a), block(b)])))


# --- frozen layers ---


def frozen_dense():
    x = Input((4,))
    y = Dense(6, "tanh", trainable=False, name="frozen")(Dense(5, "tanh", name="first")(x))
    return Model(x, Dense(2, name="head")(y))


def frozen_batch_normalization():
    """Which infers while the model trains."""
    x = Input((4,))
    y = Dense(6, use_bias=False, name="first")(x)
    y = BatchNormalization(momentum=0.8, trainable=False, name="frozen")(y)
    y = Dense(5, "tanh", use_bias=False, name="second")(kl.Activation("tanh")(y))
    return Model(x, Dense(2, name="head")(BatchNormalization(momentum=0.8, name="trained")(y)))


def frozen_nested():
    x, block = Input((4,)), normalized_block("block")
    block.trainable = False
    return Model(x, Dense(2, name="head")(block(Dense(5, "tanh", name="first")(x))))


def all_but_last_frozen():
    x = Input((4,))
    y = BatchNormalization(momentum=0.8, name="norm")(Dense(6, "tanh", name="first")(x))
    y = kl.Add()([y, Dense(6, "tanh", name="second")(y)])
    model = Model(x, Dense(3, "softmax", name="head")(y))
    for layer in model.layers[:-1]:
        layer.trainable = False
    return model


# --- models as layers ---


def sequential_in_model():
    x = Input((4,))
    layers = [
        *(Dense(6, "tanh", use_bias=False, name="one"), BatchNormalization(momentum=0.8, name="norm")),
        Dense(4, name="two"),
    ]
    block = Sequential([Input((4,)), *layers], name="block")
    return Model(x, Dense(2, name="head")(kl.Add()([block(x), x])))


def model_in_model():
    x = Input((4,))
    y = normalized_block("block")(Dense(5, "tanh", name="first")(x))
    return Model(x, Dense(2, name="head")(y))


def two_levels():
    core = Sequential([Input((5,)), Dense(6, "tanh", name="one"), Dense(5, "tanh", name="two")], name="core")
    inside = Input((5,))
    block = Model(inside, Dense(4, "tanh", name="inner")(kl.Add()([core(inside), inside])), name="block")
    x = Input((4,))
    return Model(x, Dense(2, name="two")(block(Dense(5, "tanh", name="one")(x))))


def nested_twice():
    inside = Input((4,))
    y = kl.Multiply()([Dense(4, "tanh", name="value")(inside), Dense(4, "sigmoid", name="gate")(inside)])
    step = Model(inside, y, name="step")
    x = Input((4,))
    return Model(x, Dense(2, name="head")(kl.Add()([step(step(x)), x])))


# --- several inputs and outputs ---


def image_and_table():
    image, table = Input((6, 5, 2)), Input((4,))
    parts = [
        kl.Flatten()(kl.AveragePooling2D(2)(Conv2D(3, 3, activation="tanh", name="window")(image))),
        Dense(5, "tanh", name="columns")(table),
    ]
    return Model([image, table], Dense(3, "softmax", name="head")(kl.Concatenate()(parts)))


def two_heads():
    x = Input((5,))
    y = Dense(6, "tanh", name="hidden")(x)
    return Model(x, [Dense(4, "softmax", name="digit")(y), Dense(1, "sigmoid", name="even")(y)])


def outputs_of_two_ranks():
    x = Input((3, 5))
    y = Dense(4, "tanh", name="hidden")(x)
    return Model(x, [Dense(2, name="steps")(y), Dense(1, "sigmoid", name="whole")(kl.Flatten()(y))])


def intermediate_output():
    x = Input((4,))
    middle = Dense(3, "sigmoid", name="middle")(x)
    end = Dense(2, name="end")(Dense(5, "tanh", name="between")(middle))
    return Model(x, [middle, end])


def input_is_output():
    x = Input((4,), name="given")
    return Model(x, [Dense(2, name="head")(Dense(5, "tanh", name="hidden")(x)), x])


def clipped_outputs():
    a, b = Input((4,)), Input((3,))
    shared = kl.Concatenate()([a, Dense(5, "tanh", name="hidden")(b)])
    return Model([a, b], [Dense(2, name="near")(shared), Dense(3, name="far")(b)])


DIGIT_AND_EVEN = {"digit": SPARSE, "even": BINARY}
DIGIT_AND_EVEN_OPTIONS = {
    "metrics": {"digit": ["accuracy"], "even": ["accuracy", "mae"]},
    "loss_weights": {"digit": 1.0, "even": 0.3},
}

class AddedLoss(kl.Layer):
    """Its input, the mean of a second one added to the loss."""

    def call(self, inputs):
        self.add_loss(keras.ops.mean(inputs[1]))
        return inputs[0]


def added_loss():
    x = Input((4,))
    mean, spread = Dense(3, name="mean")(x), Dense(3, name="spread")(x)
    divergence = (keras.ops.exp(spread) + mean * mean - spread - 1) * 0.5
    y = kl.Concatenate()([AddedLoss(name="added")([mean, divergence]), spread])
    return Model(x, Dense(2, name="head")(y))


GRAPHS = {
    "add_of_three": merge(kl.Add, [5, 4, 3]),
    "subtract": merge(kl.Subtract, [5, 4]),
    "multiply_of_three": merge(kl.Multiply, [5, 4, 3]),
    "average_of_three": merge(kl.Average, [5, 4, 3]),
    "maximum_of_two": merge(kl.Maximum, [5, 4]),
    "maximum_of_three": merge(kl.Maximum, [5, 4, 3]),
    "minimum_of_two": merge(kl.Minimum, [5, 4]),
    "concatenate": Graph(concatenate),
    "concatenate_axis_1": Graph(concatenate_axis_1),
    "concatenate_images": Graph(concatenate_images),
    "dot": Graph(dot),
    "dot_axes": Graph(dot_axes),
    "dot_normalized": Graph(dot_normalized),
    "dot_normalized_rows": Graph(dot_normalized_rows),
    "residual": Graph(residual, CLASSES, options=ACCURACY),
    "diamond": Graph(diamond, {"dense_3": ("mse", "normal")}, adam),
    "read_by_three": Graph(read_by_three, optimizer=adam),
    "input_beside_hidden": Graph(input_beside_hidden),
    "dense_twice": Graph(dense_twice, optimizer=adam),
    "siamese_twins": Graph(siamese_twins, {"same": BINARY}, options=ACCURACY),
    "convolution_of_two_sizes": Graph(convolution_of_two_sizes),
    "shared_regularized": Graph(shared_regularized),
    "shared_normalization": Graph(shared_normalization),
    "frozen_dense": Graph(frozen_dense, optimizer=decayed),
    "frozen_batch_normalization": Graph(frozen_batch_normalization),
    "frozen_nested": Graph(frozen_nested, optimizer=decayed),
    "all_but_last_frozen": Graph(all_but_last_frozen, CLASSES, decayed, ACCURACY),
    "sequential_in_model": Graph(sequential_in_model),
    "model_in_model": Graph(model_in_model, validation_split=0.2),
    "two_levels": Graph(two_levels, {"two": ("mse", "normal")}, adam),
    "nested_twice": Graph(nested_twice),
    "added_loss": Graph(added_loss, optimizer=adam, weighted=True, validation_split=0.2),
    "image_and_table": Graph(image_and_table, CLASSES, adam, ACCURACY, validation_split=0.2),
    "two_outputs": Graph(two_heads, DIGIT_AND_EVEN, adam, DIGIT_AND_EVEN_OPTIONS, validation_split=0.2),
    "outputs_of_two_ranks": Graph(
        outputs_of_two_ranks, {"steps": ("mse", "normal"), "whole": BINARY}, options={"metrics": {"steps": ["mae"]}}
    ),
    "intermediate_output": Graph(
        intermediate_output,
        {"middle": BINARY, "end": ("mse", "normal")},
        options={"loss_weights": {"middle": 0.5, "end": 2.0}},
    ),
    "input_is_output": Graph(input_is_output, {"head": ("mse", "normal"), "given": ("mse", "normal")}),
    "global_clipnorm": Graph(
        clipped_outputs,
        {"near": ("mse", "normal"), "far": ("log_cosh", "far")},
        lambda: optimizers.SGD(0.2, global_clipnorm=0.7),
    ),
    "sample_weights": Graph(
        two_heads,
        DIGIT_AND_EVEN,
        options={"loss_weights": {"digit": 1.0, "even": 0.3}, "weighted_metrics": {"even": ["accuracy"]}},
        weighted=True,
    ),
}


def graphs():
    return model_values("graphs", GRAPHS)


if __name__ == "__main__":
    write(graphs)
