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


def scramble(model):
    for weight in model.weights:
        name = getattr(weight, "path", weight.name)
        if "seed" not in name and "float" in str(weight.dtype):
            weight.assign(random.uniform(0.3 if "variance" in name else -0.7, 0.9, weight.shape).astype("float32"))


def save(model, name, kinds):
    scramble(model)
    inputs = model.inputs
    rows = [random.uniform(-1, 1, (2, *tensor.shape[1:])).astype("float32") for tensor in inputs]
    outputs = model(rows if len(rows) > 1 else rows[0], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for kind in kinds:
        (model.save_weights if "weights" in kind else model.save)(folder / f"{version}_{name}{kind}")
    arrays = {f"input_{i}": row for i, row in enumerate(rows)} | {f"output_{i}": np.asarray(out) for i, out in enumerate(outputs)}
    np.savez(folder / f"{version}_{name}.npz", **arrays)


def trained():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)], name="trained")
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x, y = random.uniform(-1, 1, (8, 3)).astype("float32"), random.uniform(-1, 1, (8, 2)).astype("float32")
    for _ in range(2):
        model.train_on_batch(x, y)
    model.save(folder / f"{version}_trained.keras")
    for _ in range(2):
        model.train_on_batch(x, y)
    np.savez(folder / f"{version}_trained.npz", x=x, y=y, **{f"weight_{i}": w for i, w in enumerate(model.get_weights())})


if is_2:
    save(chain(), "chain", [".h5"])
    save(graph(), "graph", [".h5", ".keras", "_weights.h5"])
else:
    save(chain(), "chain", [".keras", ".h5"])
    save(graph(), "graph", [".keras", ".weights.h5"])
    trained()

archive = pathlib.Path(__file__).parent / "keras.zip"
members = {}
if archive.exists():
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist() if not name.startswith(version)}
members |= {path.name: path.read_bytes() for path in folder.iterdir()}
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
    for name in sorted(members):
        new.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)
