# Keras's files in Glia's hands, and Glia's in Keras's: models over all layers, options and operations that both have predict the same,
# whoever saved them, train on to the same weights, and what Glia has not is refused by its name.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import warnings
import zipfile

os.environ.setdefault("KERAS_BACKEND", "jax")
warnings.filterwarnings("ignore")

import numpy as np
from absl import logging

import keras
from keras import activations, constraints, initializers, layers, losses, metrics, ops, optimizers, regularizers
from keras.optimizers import schedules

logging.set_verbosity(logging.ERROR)  # that .h5 is an old form is known
bridge = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp())
random = np.random.default_rng(7)


class GliaError(Exception):
    """What Glia threw, in its words."""


def glia(*words):
    done = subprocess.run([bridge, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise GliaError(done.stderr.strip() or f"ended with {done.returncode}")
    return done.stdout


def rows_for(model, count=3):
    """Inputs at which no function of the tests is at its edge; whole numbers where an Embedding reads them."""
    rows = []
    for tensor in model.inputs:
        shape = (count, *tensor.shape[1:])
        whole = tensor.name.startswith("numbers")
        rows.append((random.integers(0, 5, shape) if whole else random.uniform(0.2, 1.8, shape)).astype("float32"))
    return rows


def predicted(model, rows):
    outputs = model(rows if len(rows) > 1 else rows[0], training=False)  # at once, without compiling it
    return [np.asarray(output) for output in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def scramble(model):
    """Weights that tell one layer from another, and variances above 0."""
    for weight in model.weights:
        if "seed" in weight.path or weight.dtype == "int32":
            continue
        low = 0.3 if "variance" in weight.path else -0.6
        weight.assign(random.uniform(low, 0.9, weight.shape).astype(weight.dtype))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def predicted_by_glia(path, rows):
    np.savez(folder / "in.npz", *rows)
    glia("predict", path, folder / "in.npz", folder / "out.npz")
    with np.load(folder / "out.npz") as outputs:
        return [outputs[name] for name in outputs.files]


def assert_close(got, expected, what):
    assert len(got) == len(expected), f"{what}: {len(got)} outputs, expected {len(expected)}"
    for i, (one, other) in enumerate(zip(got, expected)):
        assert one.shape == other.shape, f"{what}, output {i}: {one.shape}, expected {other.shape}"
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        worst = float(np.abs(one - other).max(initial=0)) / scale
        assert worst < 1e-5, f"{what}, output {i}: off by {worst}"


def assert_travels(model, name, kinds=(".keras", ".h5"), rows=rows_for):
    """Keras saves, Glia predicts; Glia saves, Keras predicts."""
    scramble(model)
    rows = rows(model)
    expected = predicted(model, rows)
    for kind in kinds:
        path = folder / f"{name}{kind}"
        model.save(path)
        assert_close(predicted_by_glia(path, rows), expected, f"{name}{kind} in Glia")
        glia("copy", path, folder / "copy.keras")
        again = keras.models.load_model(folder / "copy.keras")
        assert_close(predicted(again, rows), expected, f"{name}{kind} copied by Glia")
    return again


def of_one_layer(layer, shape, name="x"):
    x = keras.Input(shape, name=name)
    return keras.Model(x, layer(x))


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
STEPS = (5, 4)
RECURRENT = dict(kernel_initializer="he_uniform", recurrent_initializer=initializers.Orthogonal(0.7), bias_initializer="ones", dropout=0.1,
                 recurrent_dropout=0.2, kernel_regularizer="l2", recurrent_regularizer=regularizers.L1(0.01), bias_constraint="non_neg")
LAYERS |= {
    "layer_normalization_axes": (lambda: layers.LayerNormalization(axis=[1, 2]), STEPS),
    "layer_normalization_first_axis": (lambda: layers.LayerNormalization(axis=1), STEPS),
    "simple_rnn": (lambda: layers.SimpleRNN(3), STEPS),
    "simple_rnn_options": (lambda: layers.SimpleRNN(3, activation="relu", return_sequences=True, go_backwards=True, unroll=True, **RECURRENT), STEPS),
    "lstm": (lambda: layers.LSTM(3), STEPS),
    "lstm_options": (lambda: layers.LSTM(3, activation=layers.LeakyReLU(0.15), recurrent_activation="hard_sigmoid", return_sequences=True,
                                         go_backwards=True, **RECURRENT), STEPS),
    "lstm_bare": (lambda: layers.LSTM(3, use_bias=False, unit_forget_bias=False), STEPS),
    "gru": (lambda: layers.GRU(3, return_sequences=True), STEPS),
    "gru_before": (lambda: layers.GRU(3, reset_after=False, recurrent_activation="tanh", **RECURRENT), STEPS),
    "bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True, **RECURRENT), merge_mode="sum"), STEPS),
    "bidirectional_named": (lambda: layers.Bidirectional(layers.GRU(3, name="mine"), backward_layer=layers.SimpleRNN(3, go_backwards=True, name="yours")),
                            STEPS),
    "bidirectional_mul": (lambda: layers.Bidirectional(layers.SimpleRNN(3), merge_mode="mul"), STEPS),
    "bidirectional_ave": (lambda: layers.Bidirectional(layers.GRU(3, reset_after=False), merge_mode="ave"), STEPS),
    "time_distributed": (lambda: layers.TimeDistributed(layers.Dense(3, activation="tanh")), STEPS),
    "time_distributed_image": (lambda: layers.TimeDistributed(layers.Conv2D(3, 2)), (2, 4, 4, 2)),
    "time_distributed_chain": (lambda: layers.TimeDistributed(keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.BatchNormalization()])), STEPS),
    "masking": (lambda: layers.Masking(0.5), STEPS),
    "global_average_1d": (lambda: layers.GlobalAveragePooling1D(keepdims=True), STEPS),
}
ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "relu6", "leaky_relu", "elu", "selu", "celu", "hard_sigmoid",
               "softplus", "softsign", "silu", "hard_silu", "gelu", "mish", "exponential"]
INITIALIZERS = ["zeros", "ones", "random_normal", "truncated_normal", "random_uniform", "glorot_uniform", "glorot_normal", "he_uniform",
                "he_normal", "lecun_uniform", "lecun_normal", "variance_scaling", "orthogonal", "identity"]


def test_every_layer():
    for name, (make, shape) in LAYERS.items():
        assert_travels(of_one_layer(make(), shape), name)
    assert_travels(of_one_layer(layers.Embedding(5, 3), (4,), "numbers"), "embedding")


def masked_rows(model, count=3):
    """Rows for a model's inputs, of which the last steps are 0, so that masks count."""
    rows = rows_for(model, count)
    for row in rows:
        if row.ndim > 1 and row.shape[1] == STEPS[0]:
            row[1, 3:] = 0
            row[2, 2:] = 0
    return rows


def test_states_and_both_ways():
    x, h, c = keras.Input(STEPS), keras.Input((3,)), keras.Input((3,))
    y, last, cell = layers.LSTM(3, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    sequence, state = layers.GRU(3, return_sequences=True, return_state=True)(x, initial_state=h)
    ahead, back, *states = layers.Bidirectional(layers.GRU(3, return_sequences=True, return_state=True), merge_mode=None)(x, initial_state=[h, c])
    merged = layers.Bidirectional(layers.LSTM(2, return_state=True))(y)
    shared = layers.SimpleRNN(3, name="shared")
    outputs = [y, last, cell, sequence, state, ahead, back, *states, *merged, shared(x, initial_state=h), shared(x)]
    assert_travels(keras.Model([x, h, c], outputs), "states")


def test_stateful_layers():
    model = keras.Sequential([layers.Input(STEPS, batch_size=3), layers.LSTM(3, stateful=True, return_sequences=True),
                              layers.Bidirectional(layers.GRU(2, stateful=True)), layers.Dense(2)])
    again = assert_travels(model, "stateful")
    assert again.layers[0].stateful and again.inputs[0].shape[0] == 3


def test_masks():
    numbers, x = keras.Input((5,), name="numbers"), keras.Input(STEPS, name="x")
    h = keras.Input((4,), name="h")
    words, series = layers.Embedding(5, 4, mask_zero=True)(numbers), layers.Masking()(x)
    told = layers.LSTM(4, return_sequences=True, name="told")(series)
    outputs = [layers.GRU(3)(words), layers.Bidirectional(layers.LSTM(3, return_sequences=True))(series), layers.GRU(2)(told),
               layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.Dense(3)(words))),
               layers.GlobalAveragePooling1D()(layers.Add()([words, series, told])), layers.GRU(2)(layers.Concatenate()([words, series])),
               layers.GRU(2)(layers.Concatenate(axis=1)([words, series])), layers.TimeDistributed(layers.Dense(2))(series),
               layers.GRU(4)(series, initial_state=h),  # whose mask Keras forgets
               layers.SimpleRNN(2)(layers.Attention()([words, series])),
               keras.Sequential([layers.Input(STEPS), layers.Dense(3), layers.GRU(2)])(series)]
    model = keras.Model([numbers, x, h], outputs)
    assert_travels(model, "masks", rows=masked_rows)
    chain = keras.Sequential([layers.Input((5,), name="numbers"), layers.Embedding(5, 3, mask_zero=True), layers.LSTM(3, return_sequences=True), layers.GRU(2)])
    assert_travels(chain, "masked_chain", rows=masked_rows)


def test_masks_of_layers_with_initial_states():
    """Keras 2 told them, and so does Glia; Keras 3 does where it is told."""
    with zipfile.ZipFile(pathlib.Path(__file__).parent.parent / "golden" / "keras.zip") as archive:
        archive.extractall(folder, ["keras_2_decoder.h5", "keras_2_decoder.npz"])
    glia("copy", folder / "keras_2_decoder.h5", folder / "copy.keras")
    model = keras.models.load_model(folder / "copy.keras")
    with np.load(folder / "keras_2_decoder.npz") as arrays:
        assert_close(predicted(model, [arrays["input_0"], arrays["input_1"]]), [arrays["output_0"]], "decoder")
    assert_travels(model, "decoder", rows=masked_rows)
    numbers, x, h = keras.Input((5,), name="numbers"), keras.Input(STEPS, name="x"), keras.Input((3,))
    words, series = layers.Embedding(5, 4, mask_zero=True)(numbers), layers.Masking(0.0)(x)
    for i, merged in enumerate([layers.Concatenate(), layers.Concatenate(axis=1), layers.Add()]):
        y = merged([words, series])
        both = layers.Bidirectional(layers.GRU(3))
        model = keras.Model([numbers, x, h], [both(y, initial_state=[h, h], mask=y._keras_mask), layers.Dense(2)(y)])
        again = assert_travels(model, f"merged_{i}", rows=masked_rows)
        assert any(layer.name.startswith("mask_") for layer in again.operations)


def test_masks_make_layers_deeper():
    """Keras's own operations on masks take part in the order of layers, and so in the places of their weights."""
    x = keras.Input(STEPS)
    one = layers.Dense(4, name="a")(layers.Dense(4, name="b")(x))
    other = layers.LSTM(4)(layers.Masking()(layers.Dense(4, name="c")(x)))
    late = layers.Dense(4, name="e")(layers.LSTM(4)(layers.Dense(4, name="d")(one)))
    assert_travels(keras.Model(x, [layers.Add()([other, late]), layers.GRU(2)(one)]), "deeper")
    y = layers.GRU(4, name="g")(layers.Masking()(layers.Dense(4, name="p")(x)))
    z = layers.GRU(4, name="h")(layers.Dropout(0.5)(layers.Dense(4, name="q")(x)))
    assert_travels(keras.Model(x, layers.Concatenate()([z, y])), "deeper_by_a_mask")


def test_attention():
    q, v, k, seen = keras.Input((4, 6)), keras.Input((5, 6)), keras.Input((5, 6)), keras.Input((4, 5), name="numbers_seen")
    heads = layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, dropout=0.1, kernel_regularizer="l2", bias_constraint="non_neg")
    y, scores = heads(q, v, return_attention_scores=True, use_causal_mask=True)
    shared = layers.MultiHeadAttention(2, 3, name="shared")
    outputs = [y, scores, layers.MultiHeadAttention(2, 3, use_bias=False)(q, v, k), layers.MultiHeadAttention(2, 3)(query=q, value=v, key=k),
               layers.GroupQueryAttention(3, 4, 2)(q, v), layers.GroupQueryAttention(3, 4, 2, use_bias=False)(q, v, key=k, use_causal_mask=True),
               layers.Attention()([q, v]), layers.Attention(use_scale=True, score_mode="concat")([q, v, k], use_causal_mask=True),
               *layers.Attention(use_scale=True)([q, v], return_attention_scores=True), layers.AdditiveAttention()([q, v]),
               *layers.AdditiveAttention(use_scale=False, dropout=0.1)([q, v, k], return_attention_scores=True), shared(q, v), shared(v, k)]
    assert_travels(keras.Model([q, v, k], outputs), "attention")
    outputs = [layers.MultiHeadAttention(2, 3)(q, v, attention_mask=seen), layers.MultiHeadAttention(2, 3)(q, v, key=k, attention_mask=seen)]
    assert_travels(keras.Model([q, v, k, seen], outputs), "attention_masks", [".keras"], rows=lambda m: [*rows_for(m)[:3], np.tril(np.ones((3, 4, 5), "float32"))])


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


def of_dense_layers():
    return keras.Sequential([layers.Input(ROW), layers.Dense(5, activation="tanh"), layers.BatchNormalization(), layers.Dense(2)])


def of_sequences():
    """Optimizers keep something of each of its weights: of those within layers, of numbers, of tensors of three axes."""
    x = keras.Input(STEPS)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Masking()(x))
    z = layers.MultiHeadAttention(2, 3)(y, y)
    z = layers.Attention(use_scale=True, score_mode="concat")([layers.GroupQueryAttention(3, 2, 1)(z, y), layers.TimeDistributed(layers.Dense(6))(y)])
    return keras.Model(x, layers.Dense(2)(layers.GRU(3)(layers.LayerNormalization(axis=[1, 2])(z))))


def test_training_goes_on_in_glia_and_back_in_keras():
    for of, make in [*((of_dense_layers, make) for make in OPTIMIZERS), (of_sequences, OPTIMIZERS[0]), (of_sequences, OPTIMIZERS[5])]:
        model = of()
        x, y = random.uniform(-1, 1, (16, *model.input_shape[1:])).astype("float32"), random.uniform(0, 1, (16, 2)).astype("float32")
        np.savez(folder / "data.npz", x=x, y=y)
        model.compile(make(), "mse", metrics=["mae"])
        said = model.optimizer.__class__.__name__ + str(len(model.optimizer.variables))
        for _ in range(2):
            model.train_on_batch(x, y)
        model.save(folder / "begun.keras")
        glia("train", folder / "begun.keras", folder / "data.npz", folder / "on.keras")
        other = keras.models.load_model(folder / "on.keras")
        for _ in range(3):
            model.train_on_batch(x, y)
        for _ in range(3):  # and on, in Keras, from what Glia saved
            assert_near(other, model, said)
            model.train_on_batch(x, y), other.train_on_batch(x, y)
        assert int(other.optimizer.iterations) == 8, said


def assert_near(one, other, what):
    for got, expected in zip(one.get_weights(), other.get_weights()):
        assert np.abs(got - expected).max() < 2e-4, f"{what}: off by {np.abs(got - expected).max()}"


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


def refused(model, *parts):
    model.save(folder / "refused.keras")
    try:
        glia("copy", folder / "refused.keras", folder / "copy.keras")
    except GliaError as error:
        for part in ("GliaError", *parts):
            assert part in str(error), f"no {part!r} in: {error}"
        return
    raise AssertionError(f"not refused: {parts}")


def test_what_glia_has_not_is_named():
    for layer, shape, *parts in [
        (layers.ConvLSTM1D(3, 2, name="memory"), (5, 6, 2), '"memory" (ConvLSTM1D)'),
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


def run(cases):
    failed = count = 0
    for name, case in sorted(cases.items()):
        if not name.startswith("test_") or (len(sys.argv) > 2 and sys.argv[2] not in name):
            continue
        count += 1
        try:
            case()
            print("ok     ", name, flush=True)
        except Exception:
            failed += 1
            print("FAILED ", name)
            traceback.print_exc(file=sys.stdout)
    print(f"{count} cases, {failed} failed; Keras {keras.__version__}")
    sys.exit(1 if failed or count == 0 else 0)


run(globals())
