# Makes tests/golden/keras.zip: models that Keras saved, and beside each what it predicts. Run once with Keras 3 (KERAS_BACKEND=jax) and once
# with TensorFlow 2.15, whose Keras is 2.15; each puts its own files in the place of those that are there.
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import sys
import tempfile
import zipfile

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import tensorflow as tf

    keras = tf.keras
except ImportError:
    import keras
import numpy as np

layers = keras.layers
folder = pathlib.Path(tempfile.mkdtemp())
keras.utils.set_random_seed(3)
random = np.random.default_rng(3)
is_2 = "tensorflow" in sys.modules
version = "keras_2" if is_2 else "keras_3"


def chain():
    model = keras.Sequential([
        layers.InputLayer((6, 5, 2)) if is_2 else layers.Input((6, 5, 2)),
        layers.Conv2D(3, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.SeparableConv2D(4, 2), layers.LeakyReLU(0.2), layers.Flatten(), layers.Dropout(0.25),
        layers.Dense(3, activation="softmax", kernel_regularizer="l2")], name="chain")
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def graph():
    """A shared layer, a model within the model that is applied twice, two inputs and two outputs; and a frozen layer."""
    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    twin = layers.Dense(4, activation="tanh", name="twin")
    within = keras.Input((4,), name="within")
    frozen = layers.Dense(3, name="frozen")
    block = keras.Model(within, layers.BatchNormalization(name="norm")(frozen(layers.Dense(5, name="wide")(within))), name="block")
    frozen.trainable = False
    x, y = block(twin(a)), block(twin(b))
    joined = layers.Concatenate(name="joined")([x, y, layers.Dense(2, name="late")(b)])
    outputs = [layers.Dense(2, activation="softmax", name="class")(joined), layers.Dense(1, name="value")(layers.Add(name="sum")([x, y]))]
    model = keras.Model([a, b], outputs, name="graph")
    model.compile("sgd", loss={"class": "categorical_crossentropy", "value": "mse"})
    return model


def sequences():
    """The layers for sequences, with masks and states, and what attention is told in its call. Only one with heads reads a masked tensor: in
    Keras 3 it takes the mask off for those that come after it."""
    numbers, x, h = keras.Input((5,), name="numbers"), keras.Input((5, 4), name="x"), keras.Input((4,), name="h")
    words, steps = layers.Embedding(6, 4, mask_zero=True, name="words")(numbers), layers.Masking(0.25, name="steps")(x)
    told, state, cell = layers.LSTM(4, return_sequences=True, return_state=True, name="told")(x, initial_state=[h, h])
    ahead, back = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None, name="both")(steps)
    ways = layers.Bidirectional(layers.LSTM(3, return_sequences=True), backward_layer=layers.SimpleRNN(3, return_sequences=True, go_backwards=True),
                                name="ways")(words)
    heads, scores = layers.MultiHeadAttention(2, 3, value_dim=2, output_shape=5, name="heads")(x, words, use_causal_mask=True,
                                                                                            return_attention_scores=True)
    outputs = [told, state, cell, ahead, layers.GRU(3, reset_after=False, name="before")(back), layers.SimpleRNN(2, go_backwards=True, name="last")(ways),
               heads, scores, layers.MultiHeadAttention(2, 3, use_bias=False, name="keyed")(x, told, key=x),
               layers.Attention(use_scale=True, name="dots")([x, steps], use_causal_mask=True), layers.AdditiveAttention(name="sums")([x, steps, told]),
               layers.TimeDistributed(layers.Dense(3, activation="tanh"), name="each")(steps), layers.LayerNormalization(axis=[1, 2], name="norm")(told),
               layers.GlobalAveragePooling1D(name="mean")(layers.Add(name="sum")([words, steps]))]
    model = keras.Model([numbers, x, h], outputs, name="sequences")
    model.compile("sgd", "mse")
    return model


def decoder():
    """A recurrent layer with initial states and a mask, which Keras 3 forgets, and Keras 2 does not."""
    x, h = keras.Input((5, 3), name="x"), keras.Input((4,), name="h")
    y = layers.GRU(4, name="told")(layers.Masking(0.25, name="steps")(x), initial_state=h)
    model = keras.Model([x, h], y, name="decoder")
    model.compile("sgd", "mse")
    return model


def stateful():
    shape = {"batch_input_shape": (2, 5, 3)} if is_2 else {}
    first = [] if is_2 else [keras.Input((5, 3), batch_size=2)]
    model = keras.Sequential([*first, layers.LSTM(4, stateful=True, return_sequences=True, **shape), layers.Bidirectional(layers.GRU(3, stateful=True)),
                              layers.Dense(2)], name="stateful")
    model.compile("sgd", "mse")
    return model


def scramble(model):
    for weight in model.weights:
        name = getattr(weight, "path", weight.name)
        if "seed" not in name and "float" in str(weight.dtype):
            weight.assign(random.uniform(0.3 if "variance" in name else -0.7, 0.9, weight.shape).astype("float32"))


def save(model, name, kinds):
    scramble(model)
    inputs = model.inputs
    rows = []
    for tensor in inputs:
        shape = (2, *tensor.shape[1:])
        rows.append((random.integers(1, 6, shape) if tensor.name.startswith("numbers") else random.uniform(-1, 1, shape)).astype("float32"))
        if shape[1] == 5 and tensor.name[0] in "nx":  # steps that are masked
            rows[-1][0, 3:] = 0 if tensor.name[0] == "n" else 0.25
    outputs = model(rows if len(rows) > 1 else rows[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for kind in kinds:
        (model.save_weights if "weights" in kind else model.save)(folder / f"{version}_{name}{kind}")
    arrays = {f"input_{i}": row for i, row in enumerate(rows)} | {f"output_{i}": np.asarray(out) for i, out in enumerate(outputs)}
    np.savez(folder / f"{version}_{name}.npz", **arrays)


def trained(model, name):
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x, y = random.uniform(-1, 1, (8, *model.inputs[0].shape[1:])).astype("float32"), random.uniform(-1, 1, (8, 2)).astype("float32")
    for _ in range(2):
        model.train_on_batch(x, y)
    model.save(folder / f"{version}_{name}.keras")
    for _ in range(2):
        model.train_on_batch(x, y)
    np.savez(folder / f"{version}_{name}.npz", x=x, y=y, **{f"weight_{i}": w for i, w in enumerate(model.get_weights())})


def trained_sequences():
    x = keras.Input((5, 3))
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(layers.Masking(0.25)(x))
    z = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.LayerNormalization(axis=[1, 2])(layers.Attention(use_scale=True)([z, layers.TimeDistributed(layers.Dense(8))(y)]))
    return keras.Model(x, layers.Dense(2)(layers.GRU(3)(y)), name="trained_sequences")


if is_2:
    save(chain(), "chain", [".h5"])
    save(graph(), "graph", [".h5", ".keras", "_weights.h5"])
    save(sequences(), "sequences", [".h5", ".keras", "_weights.h5"])
    save(decoder(), "decoder", [".h5"])
    save(stateful(), "stateful", [".h5"])
else:
    save(chain(), "chain", [".keras", ".h5"])
    save(graph(), "graph", [".keras", ".weights.h5"])
    trained(keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)], name="trained"), "trained")
    save(sequences(), "sequences", [".keras", ".h5", ".weights.h5"])
    save(decoder(), "decoder", [".keras"])
    save(stateful(), "stateful", [".keras"])
    trained(trained_sequences(), "trained_sequences")

archive = pathlib.Path(__file__).parent / "keras.zip"
members = {}
if archive.exists():
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist() if not name.startswith(version)}
members |= {path.name: path.read_bytes() for path in folder.iterdir()}
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
    for name in sorted(members):
        new.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)
