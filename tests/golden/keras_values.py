# What the scripts that write golden values share: seeded draws, models of fresh layers, and values of float64 that float32
# confirms. They import it before Keras, whose backend it sets. SPDX-License-Identifier: Apache-2.0
"""Keras computes in float64 from inputs that are exact in float32, so that the values hold for Glia's float32
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
from keras.layers import Dense
from keras.src.backend.common import dtypes
from safetensors.numpy import save

# Unless told otherwise, Keras's torch backend multiplies matrices of float64 in float32.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


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


def hidden(*last):
    return lambda: [Dense(7, "tanh"), *[layer() for layer in last]]


def dense(units, activation=None, **options):
    return lambda: Dense(units, activation, **options)


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


def fresh(configured):
    """A loss or optimizer of the same settings in the present floatx."""
    config = configured.get_config() | getattr(configured, "_fn_kwargs", {})  # Huber's has no delta
    config.pop("dtype", None)
    return type(configured).from_config(config)


def write(*makers):
    """Each function's tensors into a file of its name."""
    for make in makers:
        tensors = {name: np.ascontiguousarray(value) for name, value in make().items()}
        path = Path(__file__).resolve().parent / f"{make.__name__}.safetensors"
        path.write_bytes(save(tensors, metadata={"keras": keras.__version__}))
        print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")
