# What the scripts that write golden values of whole models share: the rows of their tables, and what Keras
# computes of each. They import it before Keras, whose backend it sets. SPDX-License-Identifier: Apache-2.0
"""As keras_values.py says: in float64, and only what float32 confirms. Of each model the file has

    x/0 ...                    the inputs' rows, in the order of the model's inputs
    y/0 ...                    the targets, in the order of its outputs; weight/0 ... likewise, of the rows
    weights/00/dense/kernel    before training: the place in model.weights and the path, from the outermost model
    out/0 ...                  what predict returns
    loss                       of all rows as one batch, and
    gradients/00/dense/kernel  its gradients, with the place in model.trainable_weights
    history/loss               five epochs in batches of 8, in the order of the rows
    after/00/dense/kernel      the weights then
"""

from keras_values import (  # first: it sets Keras's backend
    batch_gradients,
    golden,
    inputs_of,
    layer_weights,
    make_targets,
    normal,
    numbers,
    prefixed,
    random,
    targets_of,
)

from dataclasses import dataclass, field
from typing import Callable

import keras
import numpy as np
from keras import layers as kl, optimizers

ROWS = 19  # the last batch of 8 is partial


def sgd():
    return optimizers.SGD(0.05)


def adam():
    return optimizers.Adam(0.01)


@dataclass
class Graph:
    model: Callable  # makes it anew
    targets: dict = field(default_factory=lambda: {"head": ("mse", "normal")})  # output: (loss, kind of targets)
    optimizer: Callable = sgd
    options: dict = field(default_factory=dict)  # of compile
    validation_split: float = 0.0
    weighted: bool = False
    inputs: dict = field(default_factory=dict)  # number of an input: what draws its rows, if not normal


SPARSE, BINARY = ("sparse_categorical_crossentropy", "labels"), ("binary_crossentropy", "binary")
CLASSES = {"head": SPARSE}
ACCURACY = {"metrics": ["accuracy"]}


def fresh_model(graph, weights=None):
    keras.utils.clear_session()  # else the counters of names go on
    model = graph.model()
    if weights is not None:
        model.set_weights(weights)
    losses = {name: loss for name, (loss, _) in graph.targets.items()}
    model.compile(optimizer=graph.optimizer(), loss=losses, **graph.options)
    return model


def layers_within(layer):
    if isinstance(layer, keras.Model):
        return layer.layers
    if isinstance(layer, kl.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    if isinstance(layer, (kl.MultiHeadAttention, kl.GroupQueryAttention)):  # whose projections are
        return [one for one in layer._flatten_layers(include_self=False, recursive=False) if one.weights]
    return [layer.layer] if isinstance(layer, kl.TimeDistributed) else []


def paths_within(layer, prefix):
    path = f"{prefix}{layer.name}/"
    if isinstance(layer, kl.RNN):  # whose cell is a layer to Keras only
        return {path + w.name: (w, f"{path}{layer.cell.name}/{w.name}") for w in layer.weights}
    if inner := layers_within(layer):
        return {name: found for one in inner for name, found in paths_within(one, path).items()}
    return {path + w.name: (w, path + w.name) for w in layer.weights}


def paths(model):
    """Of the weights, in the order of model.weights. Keras's own paths lack the layers around the innermost."""
    found = {name: pair for layer in model.layers for name, pair in paths_within(layer, "").items()}
    if [id(w) for w, _ in found.values()] != [id(w) for w in model.weights]:
        raise SystemExit(f"{model.name}: the order of the weights is not that of the layers")
    for path, (weight, of_keras) in found.items():
        if not f"/{of_keras}".endswith(f"/{weight.path}"):
            raise SystemExit(f"{path} is {weight.path} to Keras")
    return {path: weight for path, (weight, _) in found.items()}


def alone(values):
    """A list of one as Keras has it: without the list."""
    return values[0] if len(values) == 1 else values


def placed(named):
    """00/dense/kernel, ..."""
    return {f"{place:02}/{path}": value for place, (path, value) in enumerate(named)}


def trained_paths(model):
    trained = {id(w) for w in model.trainable_weights}
    return [path for path, w in paths(model).items() if id(w) in trained]


def compute(graph, weights, x, y, row_weights):
    """What the file has of a graph, but for what is given."""
    model = fresh_model(graph, weights)
    x, y = alone([inputs_of(part) for part in x]), alone([targets_of(part) for part in y])
    row_weights = row_weights and [inputs_of(part) for part in row_weights]
    outputs = model.predict(x, verbose=0)
    loss, gradients = batch_gradients(model, x, y, row_weights)
    fitted = fresh_model(graph, weights)
    history = fitted.fit(
        *(x, y),
        batch_size=8,
        epochs=5,
        shuffle=False,
        verbose=0,
        validation_split=graph.validation_split,
        sample_weight=row_weights,
    ).history
    return (
        prefixed("out", numbers(outputs if isinstance(outputs, list) else [outputs]))
        | {"loss": loss}
        | prefixed("gradients", placed(zip(trained_paths(model), gradients, strict=True)))
        | prefixed("history", {key: np.array(row, keras.config.floatx()) for key, row in history.items()})
        | prefixed("after", placed(zip(paths(fitted), fitted.get_weights(), strict=True)))
    )


def model_values(kind, graphs):
    """Of a table; the draws depend on its kind and the names."""
    out = {}
    for name, graph in graphs.items():
        generator = random(kind, name)
        model = fresh_model(graph)
        if model.output_names != list(graph.targets):
            raise SystemExit(f"{name}: the outputs are {model.output_names}")
        weights = layer_weights(generator, model)
        x = [
            graph.inputs.get(i, normal)(generator, (ROWS, *part.shape[1:])) for i, part in enumerate(model.inputs)
        ]
        y = [
            make_targets(generator, kind, ROWS, output.shape[1:])
            for (_, kind), output in zip(graph.targets.values(), model.outputs)
        ]
        row_weights = [generator.random(ROWS, np.float32) * 2 for _ in y] if graph.weighted else None
        values = prefixed("x", numbers(x)) | prefixed("y", numbers(y))
        values |= prefixed("weight", numbers(row_weights or []))
        values |= prefixed("weights", placed(zip(paths(model), weights, strict=True)))
        out |= prefixed(name, values | golden(name, lambda: compute(graph, weights, x, y, row_weights)))
    return out
