# Files of whole models and of weights, opened by the safetensors library itself: names, shapes, numbers, and what is said of the model.
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

program = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp())


def saved(kind, name):
    subprocess.run([program, "save", kind, folder / name, "3"], check=True)
    return load_file(folder / name)


weights = saved("weights", "weights.safetensors")
shapes = {name: values.shape for name, values in weights.items()}
assert sorted(shapes.values()) == [(2,), (3, 4), (4,), (4, 2)], shapes
assert all(values.dtype == np.float32 for values in weights.values())

model = saved("model", "model.safetensors")
for name, values in weights.items():  # the same training
    assert np.array_equal(model.pop(name), values), name
assert model and all(name.startswith("glia.optimizer/") for name in model), list(model)

with safe_open(folder / "model.safetensors", "numpy") as file:
    metadata = file.metadata()
said = json.loads(metadata["glia.model"])
assert said["format_version"] == 1 and said["compile"]["optimizer"] == "adam", said
assert len(metadata["glia.checksum"]) == 64

print(len(weights), "weights and", len(model), "tensors beside them")
