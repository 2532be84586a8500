# Keras's files in Glia's hands, and Glia's in Keras's: models over all layers, options and operations that both have predict the same,
# whoever saved them, train on to the same weights, and what Glia has not is refused by its name.
# SPDX-License-Identifier: Apache-2.0
import json
import zipfile

import numpy as np

from keras_and_glia import assert_close, assert_trains_on, assert_travels, folder, glia, keras, of_one_layer, predicted, random, refused, rows_for, run, scramble
from keras import activations, constraints, initializers, layers, losses, metrics, ops, optimizers, regularizers
from keras.optimizers import schedules

IMAGE, ROW = (8, 7, 3), (6,)
LAYERS = {
    "dense": (lambda: layers.Dense(4, activation="relu"), ROW),
    "dense_sequence": (lambda: layers.Dense(4, use_bias=False), (5, 6)),
    "dense_options": (lambda: layers.Dense(4, activation=layers.LeakyReLU(0.15), kernel_initializer=initializers.VarianceScaling(2.0),
                                           bias_initializer=initializers.Constant(0.5), kernel_regularizer=regularizers.L1L2(0.1, 0.2),
                                           bias_regularizer="l2", kernel_constraint=constraints.MaxNorm(3), bias_constraint="non_neg"), ROW),
    "dense_elu": (lambda: layers.Dense(4, activation=layers.ELU(0.7), kernel_initializer=initializers.RandomNormal(0, 0.2, seed=4)), ROW),
    "conv2d": (lambda: layers.Conv2D(4, 3, activation="gelu"), IMAGE),
    "conv2d_same": (lambda: layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same", use_bias=False), IMAGE),
    "conv2d_dilated": (lambda: layers.Conv2D(6, 2, dilation_rate=2, groups=3), IMAGE),
    "conv1d": (lambda: layers.Conv1D(4, 3, strides=2, padding="same"), (9, 2)),
    "conv1d_dilated": (lambda: layers.Conv1D(4, 3, dilation_rate=2), (9, 2)),
    "transpose": (lambda: layers.Conv2DTranspose(4, 3, strides=2, padding="same"), IMAGE),
    "transpose_valid": (lambda: layers.Conv2DTranspose(4, (2, 3), strides=(1, 2), activation="tanh"), IMAGE),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), IMAGE),
    "separable": (lambda: layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu"), IMAGE),
    "batch_normalization": (lambda: layers.BatchNormalization(momentum=0.9, epsilon=0.01), IMAGE),
    "batch_normalization_axis": (lambda: layers.BatchNormalization(axis=3, scale=False), IMAGE),
    "batch_normalization_bare": (lambda: layers.BatchNormalization(center=False), ROW),
    "layer_normalization": (lambda: layers.LayerNormalization(epsilon=0.01), (5, 6)),
    "layer_normalization_bare": (lambda: layers.LayerNormalization(center=False, scale=False), ROW),
    "rms_normalization": (lambda: layers.RMSNormalization(), ROW),
    "normalization": (lambda: layers.Normalization(), IMAGE),
    "normalization_given": (lambda: layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6]), IMAGE),
    "flatten": (lambda: layers.Flatten(), IMAGE),
    "reshape": (lambda: layers.Reshape((2, -1)), ROW),
    "permute": (lambda: layers.Permute((3, 1, 2)), IMAGE),
    "rescaling": (lambda: layers.Rescaling(0.5, offset=-1), IMAGE),
    "relu": (lambda: layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), ROW),
    "relu_plain": (lambda: layers.ReLU(), ROW),
    "leaky_relu": (lambda: layers.LeakyReLU(negative_slope=0.2), ROW),
    "elu": (lambda: layers.ELU(alpha=0.5), ROW),
    "prelu": (lambda: layers.PReLU(alpha_initializer="ones"), IMAGE),
    "softmax": (lambda: layers.Softmax(), ROW),
    "dropout": (lambda: layers.Dropout(0.3), ROW),
    "spatial_dropout": (lambda: layers.SpatialDropout2D(0.3), IMAGE),
    "alpha_dropout": (lambda: layers.AlphaDropout(0.3), ROW),
    "gaussian_noise": (lambda: layers.GaussianNoise(0.3), ROW),
    "gaussian_dropout": (lambda: layers.GaussianDropout(0.3), ROW),
    "max_pooling": (lambda: layers.MaxPooling2D(2), IMAGE),
    "max_pooling_same": (lambda: layers.MaxPooling2D((3, 2), strides=(1, 2), padding="same"), IMAGE),
    "average_pooling": (lambda: layers.AveragePooling2D(2, strides=1), IMAGE),
    "global_max": (lambda: layers.GlobalMaxPooling2D(), IMAGE),
    "global_average": (lambda: layers.GlobalAveragePooling2D(keepdims=True), IMAGE),
    "zero_padding": (lambda: layers.ZeroPadding2D(((1, 0), (2, 3))), IMAGE),
    "cropping": (lambda: layers.Cropping2D(((1, 2), (0, 1))), IMAGE),
    "up_sampling": (lambda: layers.UpSampling2D((2, 3)), IMAGE),
    "up_sampling_bilinear": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "random_flip": (lambda: layers.RandomFlip("horizontal"), IMAGE),
    "random_translation": (lambda: layers.RandomTranslation(0.1, (-0.2, 0.1), fill_mode="constant", fill_value=0.5), IMAGE),
    "random_erasing": (lambda: layers.RandomErasing(factor=0.5, fill_value=0.25), IMAGE),
}
ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "relu6", "leaky_relu", "elu", "selu", "celu", "hard_sigmoid",
               "softplus", "softsign", "silu", "hard_silu", "gelu", "mish", "exponential"]
INITIALIZERS = ["zeros", "ones", "random_normal", "truncated_normal", "random_uniform", "glorot_uniform", "glorot_normal", "he_uniform",
                "he_normal", "lecun_uniform", "lecun_normal", "variance_scaling", "orthogonal", "identity"]


def test_every_layer():
    for name, (make, shape) in LAYERS.items():
        assert_travels(of_one_layer(make(), shape), name)
    assert_travels(of_one_layer(layers.Embedding(5, 3), (4,), "numbers"), "embedding")


def test_every_activation_and_initializer():
    x = keras.Input(ROW)
    y = x
    for activation in ACTIVATIONS:
        y = layers.Activation(activation)(layers.Dense(6, activation=activation)(y))
    assert_travels(keras.Model(x, y), "activations")
    y = x
    for initializer in INITIALIZERS:
        y = layers.Dense(6, kernel_initializer=initializer, bias_initializer=initializers.get("ones"))(y)
    assert_travels(keras.Model(x, layers.Dense(1)(y)), "initializers", [".keras"])


def test_merging_layers():
    a, b = keras.Input((3, 4)), keras.Input((3, 4))
    merged = [make()([a, b]) for make in (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)]
    merged += [layers.Concatenate(axis=1)([a, b]), layers.Concatenate()([a, b]), layers.Dot(axes=(2, 2))([a, b]),
               layers.Dot(axes=1, normalize=True)([a, b]), layers.Add()([a, b, a])]
    assert_travels(keras.Model([a, b], merged), "merging")


def test_operations():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    square, image = ops.reshape(a, (-1, 2, 2)), keras.Input((4, 5, 2), name="image")
    outputs = [a / b, a * 2 + 1, 1 - a, 2 / a, a - 3, a / 4, -a, a**2, a - b, a * b, a + b, ops.exp(a), ops.log(b), ops.sqrt(a),
               ops.abs(a - b), ops.square(a), ops.maximum(a, b), ops.minimum(a, b), ops.relu(a - 1), ops.sigmoid(a), ops.softmax(a),
               ops.gelu(a, approximate=False), ops.stop_gradient(a), ops.concatenate([a, b], axis=1), a[:, 1:3], image[:, :, 1:-1],
               ops.matmul(square, ops.transpose(square, (0, 2, 1))), ops.sum(a, axis=1, keepdims=True), ops.mean(image, axis=(1, 2)),
               ops.sum(image, axis=-1), ops.mean(image, axis=(1, 2, 3), keepdims=True)]
    assert_travels(keras.Model([a, b, image], outputs), "operations")


def branching():
    """Branches of unlike depths, a layer on two inputs, models within the model, and one of those applied twice."""
    a, b = keras.Input(ROW, name="left"), keras.Input(ROW, name="right")
    shared = layers.Dense(6, activation="tanh", name="twin")
    within = keras.Input(ROW)
    inner = keras.Model(within, [layers.BatchNormalization()(layers.Dense(5)(within)), layers.Dense(3)(within)], name="block")
    chain = keras.Sequential([layers.Input(ROW), layers.Dense(5), layers.LayerNormalization(), layers.Dense(4)], name="tail")
    deep = layers.Dense(6)(shared(layers.Dense(6)(a)))
    wide = shared(b)
    first, second = inner(deep)
    third, fourth = inner(wide)
    joined = layers.Concatenate()([first, second, third, fourth, chain(wide), layers.Dense(2)(b)])
    return keras.Model([a, b], [layers.Dense(2, activation="softmax", name="class")(joined), layers.Dense(1, name="value")(layers.Add()([deep, wide]))])


def test_graphs():
    assert_travels(branching(), "branching")
    inner = keras.Sequential([layers.Dense(5), layers.Dropout(0.5)])
    outer = keras.Sequential([layers.Input(ROW), inner, layers.Dense(2), inner.__class__([layers.Dense(3), layers.BatchNormalization()])])
    assert_travels(outer, "chains")
    late = keras.Sequential([layers.Dense(5), layers.Dense(2)])
    late.build((None, 6))
    assert_travels(late, "late")


def test_double_and_mixed_precision():
    for policy in ("float64", "mixed_bfloat16"):
        model = keras.Sequential([layers.Input(ROW, dtype="float32"), layers.Dense(3, dtype=policy), layers.Dense(2, dtype=policy)])
        model.compile("sgd", "mse")
        model.save(folder / "policy.keras")
        glia("copy", folder / "policy.keras", folder / "copy.keras")
        copied = keras.models.load_model(folder / "copy.keras")
        assert copied.layers[0].dtype_policy.name == policy
        assert_close([np.asarray(w) for w in copied.get_weights()], [np.asarray(w) for w in model.get_weights()], policy)


OPTIMIZERS = [lambda: optimizers.Adam(0.01), lambda: optimizers.Adam(schedules.CosineDecay(0.02, 20), amsgrad=True), lambda: optimizers.SGD(0.05),
              lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True), lambda: optimizers.RMSprop(0.01),
              lambda: optimizers.RMSprop(0.01, momentum=0.8, centered=True), lambda: optimizers.RMSprop(0.01, centered=True),
              lambda: optimizers.AdamW(0.01, weight_decay=0.1), lambda: optimizers.Adamax(0.01), lambda: optimizers.Adagrad(0.05),
              lambda: optimizers.Adadelta(0.5), lambda: optimizers.Lion(0.003, clipnorm=1.0)]


def test_training_goes_on_in_glia_and_back_in_keras():
    for make in OPTIMIZERS:
        model = keras.Sequential([layers.Input(ROW), layers.Dense(5, activation="tanh"), layers.BatchNormalization(), layers.Dense(2)])
        assert_trains_on(model, make())


def test_what_compile_was_told():
    model = branching()
    model.compile(optimizers.Adam(schedules.ExponentialDecay(0.1, 10, 0.5), clipnorm=2.0),
                  loss={"class": losses.CategoricalCrossentropy(label_smoothing=0.1), "value": "mae"}, loss_weights={"class": 1.0, "value": 0.25},
                  metrics={"class": ["accuracy", metrics.AUC(num_thresholds=50, name="area")], "value": [metrics.RootMeanSquaredError()]})
    assert_travels(model, "compiled", [".keras"])
    with zipfile.ZipFile(folder / "copy.keras") as archive:
        told = json.loads(archive.read("config.json"))["compile_config"]
    again = keras.models.load_model(folder / "copy.keras")
    assert again.optimizer.clipnorm == 2.0 and told["optimizer"]["config"]["learning_rate"]["class_name"] == "ExponentialDecay"
    x = [random.uniform(size=(4, 6)), random.uniform(size=(4, 6))]
    y = {"class": np.eye(2)[[0, 1, 1, 0]], "value": random.uniform(size=(4, 1))}
    keras_says, glia_says = (m.evaluate(x, y, verbose=0, return_dict=True) for m in (model, again))
    for name, value in keras_says.items():
        assert abs(value - glia_says[name]) < 1e-4, (name, keras_says, glia_says)


def test_models_made_in_glia():
    shapes = {"chain": [(8, 8, 3)], "formulas": [(4,), (4,)], "branching": [(6,), (6,)], "sequences": [(5, 4), (3,)]}
    for name, inputs in shapes.items():
        rows = [random.uniform(0.2, 1.8, (3, *shape)).astype("float32") for shape in inputs]
        np.savez(folder / "in.npz", *rows)
        glia("export", name, folder / f"{name}.keras", folder / "in.npz", folder / "out.npz")
        model = keras.models.load_model(folder / f"{name}.keras")
        with np.load(folder / "out.npz") as outputs:
            assert_close(predicted(model, rows), [outputs[one] for one in outputs.files], name)
        if name == "formulas":
            continue
        rows = [random.uniform(0, 1, (12, *shape)).astype("float32") for shape in inputs]
        targets = [np.eye(output.shape[-1])[random.integers(0, output.shape[-1], 12)] for output in model.outputs]
        fitted = model.fit(rows if len(rows) > 1 else rows[0], targets if len(targets) > 1 else targets[0], epochs=12, verbose=0)
        assert fitted.history["loss"][-1] < fitted.history["loss"][0]


def test_files_of_weights():
    model, other = branching(), branching()
    scramble(model), scramble(other)
    rows = rows_for(model)
    other.save(folder / "other.keras")
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    for weights in ("model.weights.h5", "model.keras", "model.h5"):
        glia("weights", folder / "other.keras", folder / weights, folder / "copy.keras")
        assert_close(predicted(keras.models.load_model(folder / "copy.keras"), rows), predicted(model, rows), weights)
        scramble(other)
        other.load_weights(folder / "copy.keras.weights.h5")
        assert_close(predicted(other, rows), predicted(model, rows), weights)


def test_what_glia_has_not_is_named():
    for layer, shape, *parts in [
        (layers.Conv3D(3, 2), (4, 4, 4, 1), "Conv3D"),
        (layers.Conv1D(3, 2, padding="causal"), (5, 6), "causal"),
        (layers.Dropout(0.5, noise_shape=(None, 1)), (6,), "noise_shape"),
        (layers.BatchNormalization(axis=1), IMAGE, "axis"),
        (layers.PReLU(shared_axes=[1]), (5, 6), "shared_axes"),
        (layers.UpSampling2D(2, interpolation="bicubic"), IMAGE, "bicubic"),
        (layers.Conv2DTranspose(2, 3, strides=2, output_padding=1), IMAGE, "output_padding"),
        (layers.Dense(2, activity_regularizer="l2"), ROW, "activity_regularizer"),
        (layers.Dense(2, kernel_constraint=constraints.MaxNorm(2, axis=1)), ROW, "axis"),
        (layers.Dense(2, kernel_regularizer=regularizers.OrthogonalRegularizer()), ROW, "OrthogonalRegularizer"),
        (layers.Softmax(axis=1), (5, 6), "axis"),
        (layers.Normalization(invert=True), ROW, "invert"),
        (layers.RandomErasing(), IMAGE, "noise"),
        (layers.Activation("sparsemax"), ROW, "sparsemax"),
    ]:
        refused(of_one_layer(layer, shape), *parts)
    refused(of_one_layer(layers.Dense(2), (None, 6)), "a size is not known")
    keras.config.set_image_data_format("channels_first")
    pixels = of_one_layer(layers.Conv2D(2, 3, name="pixels"), (3, 8, 7))
    keras.config.set_image_data_format("channels_last")
    refused(pixels, '"pixels" (Conv2D)', "channels_first")
    refused(of_one_layer(layers.Dense(2, dtype="mixed_float16"), ROW), "mixed_float16")
    x = keras.Input(ROW)
    refused(keras.Model(x, ops.cumsum(x, axis=1)), "Cumsum")
    refused(keras.Model(x, ops.sum(x, axis=0, keepdims=True) + x), "axis")
    model = of_one_layer(layers.Dense(2), ROW)
    model.compile(optimizers.Adam(), losses.MeanSquaredError(reduction="sum"))
    refused(model, "reduction")
    model.compile("adam", losses.Dice())
    refused(model, "Dice")
    model.compile("adam", "mse", metrics=[metrics.MeanIoU(2)])
    refused(model, "mean_io_u")


run(globals())
