#!/usr/bin/env python3
# Writes the golden values of layers for images that tests/golden_image*_test.cpp compare with.
# SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras_images.py

As keras_values.py says: in float64, and only what float32 confirms. Where a window lies is TensorFlow's definition,
which Keras's other backends imitate: the outputs of single layers with windows are computed a second time below, by
that definition in NumPy, and must be the same.
"""

from keras_values import (  # first: it sets Keras's backend
    build,
    fresh,
    golden,
    inputs_of,
    layer_weights,
    loss_and_gradients,
    make_targets,
    normal,
    numbers,
    prefixed,
    random,
    targets_of,
    write,
)

import itertools

import keras
import numpy as np
from keras import layers as kl, losses, optimizers
from keras.layers import Dense, Flatten


def word(size):
    """A size in a case's name: 2, or 2x3."""
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


def same_padding(size, span, stride):
    """Before and after an axis, by TensorFlow's definition: the odd one after."""
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


class AveragePooling2D(kl.AveragePooling2D):
    """Of the part within the image, as TensorFlow's; PyTorch's repeats the border where padding is uneven."""

    def call(self, x):
        if self.padding == "valid":
            return super().call(x)
        borders = [same_padding(*axis) for axis in zip(x.shape[1:3], self.pool_size, self.strides)]
        padded = [
            keras.ops.average_pool(
                keras.ops.pad(part, [(0, 0), *borders, (0, 0)]), self.pool_size, self.strides, "valid"
            )
            for part in [x, keras.ops.ones_like(x)]
        ]
        return padded[0] / padded[1]


class Residual(kl.Layer):
    """layers(x) + shortcut(x); the weights of the first come first."""

    def __init__(self, layers, shortcut=()):
        super().__init__()
        self.main, self.shortcut = keras.Sequential(layers), keras.Sequential(shortcut)

    def build(self, input_shape):
        self.main.build(input_shape)
        if self.shortcut.layers:
            self.shortcut.build(input_shape)

    def compute_output_shape(self, input_shape):
        return self.main.compute_output_shape(input_shape)

    def call(self, x, training=None):
        around = self.shortcut(x, training=training) if self.shortcut.layers else x
        return self.main(x, training=training) + around


# --- windows by TensorFlow's definition ---


def patches(x, kernel, strides, dilation, padding, fill=0.0):
    """(rows, h', w', kernel height, kernel width, channels) of images (rows, h, w, channels)."""
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    if padding == "same":
        borders = [same_padding(*axis) for axis in zip(x.shape[1:3], spans, strides)]
        x = np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=fill)
    h, w = [(size - span) // stride + 1 for size, span, stride in zip(x.shape[1:3], spans, strides)]
    out = np.empty((len(x), h, w, *kernel, x.shape[3]))
    for i, j in np.ndindex(*kernel):
        top, left = i * dilation[0], j * dilation[1]
        out[:, :, :, i, j] = x[:, top :: strides[0], left :: strides[1]][:, :h, :w]
    return out


def convolution(x, kernel, strides, dilation, padding, groups=1):
    windows = patches(x, kernel.shape[:2], strides, dilation, padding)
    windows = windows.reshape(*windows.shape[:5], groups, -1)
    kernel = kernel.reshape(*kernel.shape[:3], groups, -1)
    out = np.einsum("rhwijgc,ijcgf->rhwgf", windows, kernel)
    return out.reshape(*out.shape[:3], -1)


def transpose(x, kernel, strides, dilation, padding):
    """What a convolution of the output's size is the transpose of: its gradient."""
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:2], dilation)]
    sizes = [
        size * stride + (max(span - stride, 0) if padding == "valid" else 0)
        for size, span, stride in zip(x.shape[1:3], spans, strides)
    ]
    out = np.zeros((len(x), *sizes, kernel.shape[2]))
    for at in np.ndindex(*out.shape[1:]):  # column by column of the convolution's matrix
        one = np.zeros((1, *out.shape[1:]))
        one[(0, *at)] = 1
        out[(slice(None), *at)] = (x * convolution(one, kernel, strides, dilation, padding)).sum((1, 2, 3))
    return out


def defined(layer, x):
    """What one layer gives for x by that definition; None for layers without windows."""
    weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
    if isinstance(layer, kl.Conv1D):
        kernel, strides, dilation = weights[0][None], (1, *layer.strides), (1, *layer.dilation_rate)
        out = convolution(x[:, None], kernel, strides, dilation, layer.padding, layer.groups)[:, 0]
    elif isinstance(layer, kl.Conv2DTranspose):
        out = transpose(x, weights[0], layer.strides, layer.dilation_rate, layer.padding)
    elif isinstance(layer, kl.Conv2D):
        out = convolution(x, weights[0], layer.strides, layer.dilation_rate, layer.padding, layer.groups)
    elif isinstance(layer, (kl.DepthwiseConv2D, kl.SeparableConv2D)):
        kernel = weights[0].reshape(*weights[0].shape[:2], 1, -1)
        out = convolution(x, kernel, layer.strides, layer.dilation_rate, layer.padding, x.shape[3])
        if isinstance(layer, kl.SeparableConv2D):
            out = convolution(out, weights[1], (1, 1), (1, 1), "valid")
    elif isinstance(layer, kl.MaxPooling2D):
        return patches(x, layer.pool_size, layer.strides, (1, 1), layer.padding, -np.inf).max((3, 4))
    elif isinstance(layer, kl.AveragePooling2D):
        return np.nanmean(patches(x, layer.pool_size, layer.strides, (1, 1), layer.padding, np.nan), (3, 4))
    else:
        return None
    out = out + (weights[-1] if layer.use_bias else 0)
    return keras.ops.convert_to_numpy(layer.activation(keras.ops.convert_to_tensor(out)))


# --- forward: what predict returns ---


def conv2d_cases():
    image = (6, 5, 3)
    for padding, kernel, strides in itertools.product(["valid", "same"], [1, 2, 3, (3, 2)], [1, 2, (1, 2), 3]):
        name = f"conv2d_{padding}_{word(kernel)}_by_{word(strides)}"
        yield name, image, lambda p=padding, k=kernel, s=strides: [kl.Conv2D(4, k, s, p)]
    for padding in ["valid", "same"]:
        for kernel, dilation in [(2, 2), (3, 2), (2, (1, 3)), ((2, 3), (3, 1))]:
            name = f"conv2d_{padding}_{word(kernel)}_dilated_{word(dilation)}"
            yield name, image, lambda p=padding, k=kernel, d=dilation: [kl.Conv2D(4, k, 1, p, dilation_rate=d)]
        for groups in [2, 4]:
            name = f"conv2d_{padding}_of_{groups}_groups"
            yield name, (5, 6, 4), lambda p=padding, g=groups: [kl.Conv2D(8, 3, (2, 1), p, groups=g)]
    for activation in ["relu", "tanh", "softmax", "gelu"]:
        yield f"conv2d_{activation}", image, lambda a=activation: [kl.Conv2D(4, 3, activation=a)]
    yield "conv2d_no_bias", image, lambda: [kl.Conv2D(4, 3, use_bias=False)]
    yield "conv2d_of_one_channel", (7, 4, 1), lambda: [kl.Conv2D(1, 2, padding="same")]
    yield "conv2d_of_one_pixel", (1, 1, 3), lambda: [kl.Conv2D(2, 3, 2, "same")]
    yield "conv2d_kernel_above_image", (3, 4, 2), lambda: [kl.Conv2D(2, 7, padding="same")]
    yield "conv2d_many_filters", (4, 5, 17), lambda: [kl.Conv2D(33, 3, padding="same")]


def other_convolution_cases():
    for padding, kernel, strides in itertools.product(["valid", "same"], [2, 3], [1, 2]):
        name = f"conv1d_{padding}_{kernel}_by_{strides}"
        yield name, (8, 3), lambda p=padding, k=kernel, s=strides: [kl.Conv1D(4, k, s, p)]
    yield "conv1d_dilated", (9, 3), lambda: [kl.Conv1D(4, 3, padding="same", dilation_rate=2, use_bias=False)]
    yield "conv1d_of_2_groups", (7, 4), lambda: [kl.Conv1D(6, 3, groups=2, activation="relu")]
    for padding, kernel, strides in itertools.product(
        ["valid", "same"], [1, 2, 3, 4, (2, 3)], [1, 2, 3, (1, 2)]
    ):
        name = f"conv2d_transpose_{padding}_{word(kernel)}_by_{word(strides)}"
        yield name, (3, 2, 3), lambda p=padding, k=kernel, s=strides: [kl.Conv2DTranspose(2, k, s, p)]
    for padding, kernel, dilation in [("valid", 3, 2), ("same", 3, 2), ("same", 2, 3), ("same", (2, 3), (1, 2))]:
        yield (
            f"conv2d_transpose_{padding}_{word(kernel)}_dilated_{word(dilation)}",
            (3, 4, 3),
            lambda p=padding, k=kernel, d=dilation: [kl.Conv2DTranspose(2, k, 1, p, dilation_rate=d)],
        )
    yield "conv2d_transpose_relu", (3, 2, 3), lambda: [kl.Conv2DTranspose(2, 3, 2, "same", activation="relu")]
    yield "conv2d_transpose_no_bias", (3, 2, 3), lambda: [kl.Conv2DTranspose(2, 3, use_bias=False)]
    for padding, kernel, strides, depth in itertools.product(["valid", "same"], [2, 3], [1, 2], [1, 2]):
        yield (
            f"depthwise_conv2d_{padding}_{kernel}_by_{strides}_of_{depth}",
            (6, 5, 3),
            lambda p=padding, k=kernel, s=strides, m=depth: [kl.DepthwiseConv2D(k, s, p, depth_multiplier=m)],
        )
    yield "depthwise_conv2d_dilated", (6, 5, 3), lambda: [kl.DepthwiseConv2D((3, 2), dilation_rate=2)]
    yield "depthwise_conv2d_relu", (6, 5, 3), lambda: [kl.DepthwiseConv2D(3, activation="relu", use_bias=False)]
    for padding, strides, depth in itertools.product(["valid", "same"], [1, 2], [1, 2]):
        yield (
            f"separable_conv2d_{padding}_by_{strides}_of_{depth}",
            (6, 5, 3),
            lambda p=padding, s=strides, m=depth: [kl.SeparableConv2D(4, 3, s, p, depth_multiplier=m)],
        )
    yield "separable_conv2d_dilated", (6, 5, 3), lambda: [
        kl.SeparableConv2D(4, 2, padding="same", dilation_rate=2, activation="tanh")
    ]


def pooling_cases():
    for padding, pool, strides in itertools.product(["valid", "same"], [2, 3, (3, 2)], [None, 1, 2, (2, 1)]):
        name = f"pooling_{padding}_{word(pool)}" + ("" if strides is None else f"_by_{word(strides)}")
        options = dict(pool_size=pool, strides=strides, padding=padding)
        yield f"max_{name}", (6, 5, 3), lambda o=options: [kl.MaxPooling2D(**o)]
        yield f"average_{name}", (6, 5, 3), lambda o=options: [AveragePooling2D(**o)]
    yield "max_pooling_strides_above_pool", (7, 8, 2), lambda: [kl.MaxPooling2D(2, 3, "same")]
    yield "average_pooling_strides_above_pool", (7, 8, 2), lambda: [AveragePooling2D(2, 3, "same")]
    for keepdims in [False, True]:
        end = "_keepdims" if keepdims else ""
        yield f"global_max_pooling{end}", (5, 4, 3), lambda k=keepdims: [kl.GlobalMaxPooling2D(keepdims=k)]
        yield f"global_average_pooling{end}", (5, 4, 3), lambda k=keepdims: [kl.GlobalAveragePooling2D(keepdims=k)]


def other_cases():
    image = (4, 5, 2)
    for name, layer in [("zero_padding", kl.ZeroPadding2D), ("cropping", kl.Cropping2D)]:
        yield f"{name}_1", image, lambda l=layer: [l(1)]
        yield f"{name}_1x2", image, lambda l=layer: [l((1, 2))]
        yield f"{name}_1_0_2_1", image, lambda l=layer: [l(((1, 0), (2, 1)))]
    for interpolation, size in itertools.product(["nearest", "bilinear"], [1, 2, (3, 2), (1, 4)]):
        name = f"up_sampling_{interpolation}_{word(size)}"
        yield name, image, lambda s=size, i=interpolation: [kl.UpSampling2D(s, interpolation=i)]
    yield "spatial_dropout_predicts", image, lambda: [kl.SpatialDropout2D(0.5)]
    yield "batch_normalization", image, lambda: [kl.Conv2D(3, 2), kl.BatchNormalization()]
    yield "dense_of_channels", image, lambda: [kl.Conv2D(3, 2, activation="relu"), Dense(4, "softmax")]
    yield "residual", image, lambda: [Residual([kl.Conv2D(2, 3, padding="same")])]
    yield "residual_with_shortcut", image, lambda: [
        Residual([kl.Conv2D(3, 3, 2, "same", activation="relu"), kl.Conv2D(4, 1)], [kl.Conv2D(4, 1, 2)]),
        kl.ReLU(),
    ]
    yield "residual_with_normalizations", image, lambda: [
        kl.Conv2D(3, 1),
        Residual(
            [
                *(kl.Conv2D(4, 3, padding="same", use_bias=False), kl.BatchNormalization(), kl.ReLU()),
                *(kl.Conv2D(4, 3, padding="same", use_bias=False), kl.BatchNormalization()),
            ],
            [kl.Conv2D(4, 1, use_bias=False), kl.BatchNormalization()],
        ),
        kl.ReLU(),
        Residual([kl.ZeroPadding2D(), kl.Conv2D(4, 3)]),
    ]
    yield "residual_in_residual", image, lambda: [
        Residual([Residual([kl.Conv2D(2, 1)]), kl.Conv2D(2, 2, padding="same")], [kl.MaxPooling2D(1)])
    ]
    yield "lenet", (12, 12, 1), lambda: [
        *(kl.Conv2D(3, 3, activation="tanh", padding="same"), AveragePooling2D(2)),
        *(kl.Conv2D(5, 3, activation="tanh"), kl.MaxPooling2D(2), Flatten(), Dense(6, "softmax")),
    ]


def forward_cases():
    """(name, input shape, layers)"""
    return [*conv2d_cases(), *other_convolution_cases(), *pooling_cases(), *other_cases()]


def image_forward():
    out = {}
    for name, input_shape, layers in forward_cases():
        generator = random("image_forward", name)
        model = build(input_shape, layers)
        weights = layer_weights(generator, model, 0.5)
        x = normal(generator, (2, *input_shape))

        def compute():
            return {"out": build(input_shape, layers, weights).predict(inputs_of(x), verbose=0)}

        values = golden(name, compute)
        model.set_weights(weights)
        expected = defined(model.layers[0], x.astype(np.float64)) if len(model.layers) == 1 else None
        if expected is not None and not np.allclose(values["out"], expected, 1e-12, 1e-13):
            raise SystemExit(f"{name}: Keras does not compute what TensorFlow defines")
        out |= prefixed(name, {"x": x} | prefixed("weights", numbers(weights)) | values)
    return out


# --- gradients: loss of a batch and its gradient for every weight ---


def gradient_layers():
    """name: the layers between a convolution, whose gradient is theirs for their input, and Dense"""
    cases = {}
    for padding, kernel, strides in itertools.product(["valid", "same"], [2, 3], [1, 2, (1, 2)]):
        name = f"conv2d_{padding}_{kernel}_by_{word(strides)}"
        cases[name] = lambda p=padding, k=kernel, s=strides: [kl.Conv2D(3, k, s, p)]
    for padding, kernel, strides in itertools.product(["valid", "same"], [2, 3], [1, 2, 3]):
        name = f"conv2d_transpose_{padding}_{kernel}_by_{strides}"
        cases[name] = lambda p=padding, k=kernel, s=strides: [kl.Conv2DTranspose(1 if s == 3 else 2, k, s, p)]
    for padding, strides in itertools.product(["valid", "same"], [1, 2]):
        options = dict(strides=strides, padding=padding)
        cases[f"conv1d_{padding}_by_{strides}"] = lambda o=options: [
            *(kl.Reshape((8, 10)), kl.Conv1D(3, 3, **o))
        ]
        cases[f"depthwise_conv2d_{padding}_by_{strides}"] = lambda o=options: [
            kl.DepthwiseConv2D(3, depth_multiplier=2, **o)
        ]
        cases[f"separable_conv2d_{padding}_by_{strides}"] = lambda o=options: [
            kl.SeparableConv2D(3, 2, depth_multiplier=2, **o)
        ]
    for padding, pool, strides in itertools.product(["valid", "same"], [2, 3], [1, 2]):
        name = f"pooling_{padding}_{pool}_by_{strides}"
        options = dict(pool_size=pool, strides=strides, padding=padding)
        cases[f"max_{name}"] = lambda o=options: [kl.MaxPooling2D(**o)]
        cases[f"average_{name}"] = lambda o=options: [AveragePooling2D(**o)]
    return cases | {
        "conv2d_dilated": lambda: [kl.Conv2D(3, 2, padding="same", dilation_rate=(2, 3))],
        "conv2d_of_2_groups": lambda: [kl.Conv2D(6, 3, groups=2, activation="relu")],
        "conv2d_of_4_groups": lambda: [kl.Conv2D(4, 3, 2, "same", groups=4, use_bias=False)],
        "conv2d_softmax": lambda: [kl.Conv2D(3, 1, activation="softmax")],
        "conv2d_transpose_dilated": lambda: [
            kl.Conv2DTranspose(2, 2, padding="same", dilation_rate=3, activation="tanh")
        ],
        "conv2d_regularized": lambda: [
            kl.Conv2D(3, 3, kernel_regularizer="l2", bias_regularizer="l1"),
        ],
        "separable_conv2d_dilated": lambda: [kl.SeparableConv2D(3, 2, dilation_rate=2, activation="tanh")],
        "global_max_pooling": lambda: [kl.GlobalMaxPooling2D()],
        "global_average_pooling": lambda: [kl.GlobalAveragePooling2D(keepdims=True)],
        "zero_padding": lambda: [kl.ZeroPadding2D(((1, 0), (2, 1)))],
        "cropping": lambda: [kl.Cropping2D(((1, 0), (0, 2)))],
        "up_sampling_nearest": lambda: [kl.UpSampling2D((3, 2))],
        "up_sampling_bilinear": lambda: [kl.UpSampling2D((3, 2), interpolation="bilinear")],
        # Gradients that leave a batch normalisation sum to 0, as that of a bias before it would: hence the border.
        "batch_normalization": lambda: [kl.ZeroPadding2D(), kl.BatchNormalization(epsilon=0.1)],
        "residual": lambda: [Residual([kl.Conv2D(4, 3, padding="same", activation="tanh")])],
        "residual_with_shortcut": lambda: [
            Residual(
                [kl.Conv2D(3, 3, 2, "same", use_bias=False), kl.BatchNormalization(), kl.Activation("tanh")],
                [kl.Conv2D(3, 1, 2, use_bias=False), kl.BatchNormalization(epsilon=0.1)],
            ),
        ],
        "residual_without_weights": lambda: [Residual([kl.AveragePooling2D(1), kl.Activation("tanh")])],
    }


def image_gradients():
    out = {}
    for case, layers in gradient_layers().items():
        generator = random("image_gradients", case)
        input_shape = (5, 4, 2)

        def all_layers():
            return [kl.Conv2D(4, (2, 1), activation="tanh", padding="same"), *layers(), Flatten(), Dense(2)]

        model = build(input_shape, all_layers)
        weights = layer_weights(generator, model, 0.3)
        out |= prefixed(case, prefixed("weights", numbers(weights)))
        for batch in [1, 3]:
            x = normal(generator, (batch, *input_shape))
            y = make_targets(generator, "normal", batch, (2,))

            def compute():
                return loss_and_gradients(
                    build(input_shape, all_layers, weights), fresh(losses.MeanSquaredError()), x, y
                )

            out |= prefixed(f"{case}/{batch}", {"x": x, "y": y} | golden(f"{case}/{batch}", compute))
    return out


# --- fit: history, final weights and statistics of small models ---


def fit_cases():
    """name: (layers, batch size)"""
    return {
        "cnn": (
            lambda: [
                *(kl.Conv2D(4, 3, activation="relu", padding="same"), kl.MaxPooling2D(2)),
                *(kl.Conv2D(5, 2, activation="tanh"), kl.GlobalAveragePooling2D(), Dense(3, "softmax")),
            ],
            8,
        ),
        "residual_network": (
            lambda: [
                *(kl.Conv2D(4, 3, 2, "same", use_bias=False), kl.BatchNormalization(momentum=0.8), kl.ReLU()),
                Residual(
                    [
                        *(kl.SeparableConv2D(5, 3, padding="same"), kl.BatchNormalization(momentum=0.7)),
                        kl.Activation("tanh"),
                    ],
                    [kl.Conv2D(5, 1), kl.BatchNormalization(momentum=0.9)],
                ),
                *(Flatten(), Dense(3, "softmax")),
            ],
            7,
        ),
    }


def image_fit():
    out = {}
    for case, (layers, batch_size) in fit_cases().items():
        generator = random("image_fit", case)
        weights = layer_weights(generator, build((6, 6, 2), layers))
        x, y = normal(generator, (26, 6, 6, 2)), make_targets(generator, "labels", 26, (3,))

        def compute():
            model = build((6, 6, 2), layers, weights)
            model.compile(
                optimizer=optimizers.SGD(0.05, momentum=0.9),
                loss="sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
            fitted = model.fit(
                *(inputs_of(x), targets_of(y), batch_size),
                epochs=4,
                shuffle=False,
                verbose=0,
                validation_split=0.2,
            )
            history = {key: np.array(row, keras.config.floatx()) for key, row in fitted.history.items()}
            return prefixed("history", history) | prefixed("after", numbers(model.get_weights()))

        values = {"x": x, "y": y} | prefixed("weights", numbers(weights)) | golden(case, compute)
        out |= prefixed(case, values)
    return out


if __name__ == "__main__":
    write(image_forward, image_gradients, image_fit)
