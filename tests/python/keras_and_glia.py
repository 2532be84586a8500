# Keras and Glia, one at each end of a file, for tests: models that travel and predict the same, train on to the same weights, or are refused.
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")
warnings.filterwarnings("ignore")

import numpy as np
from absl import logging

import keras

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


def assert_trains_on(model, optimizer):
    """Two steps in Keras, three in Glia and in Keras, and from what Glia saved three more in Keras."""
    x, y = random.uniform(-1, 1, (16, *model.input_shape[1:])).astype("float32"), random.uniform(0, 1, (16, 2)).astype("float32")
    np.savez(folder / "data.npz", x=x, y=y)
    model.compile(optimizer, "mse", metrics=["mae"])
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


def refused(model, *parts):
    model.save(folder / "refused.keras")
    try:
        glia("copy", folder / "refused.keras", folder / "copy.keras")
    except GliaError as error:
        for part in ("GliaError", *parts):
            assert part in str(error), f"no {part!r} in: {error}"
        return
    raise AssertionError(f"not refused: {parts}")


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
