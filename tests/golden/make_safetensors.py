# Writes reference.safetensors with the format's own Python package: pip install numpy safetensors.
# SPDX-License-Identifier: Apache-2.0
# tests/safetensors_test.cpp reads the file, and saves the same tensors to the same bytes: keep the three together.
# Names are in the order of the dtypes' widths, so that the package and Glia, which sort alike by width but not
# among dtypes of one width, agree.
import pathlib

import numpy as np
from safetensors.numpy import save_file

tensors = {
    "a/int64": np.array([-(2**63), -1, 2**63 - 1], dtype=np.int64),
    "b/float64": np.array([[0.1, -np.inf], [np.pi, 5e-324]], dtype=np.float64),
    "c/float32": np.arange(6, dtype=np.float32).reshape(1, 2, 3) / 7,
    "c/scalar": np.array(2.5, dtype=np.float32),
    "d/empty": np.zeros((3, 0, 2), dtype=np.int32),
    "d/int32": np.array([-(2**31), 2**31 - 1], dtype=np.int32),
    'e/uint8 "Grüße" \\ 重み': np.array([0, 1, 128, 255, 7], dtype=np.uint8),
}
path = pathlib.Path(__file__).with_name("reference.safetensors")
save_file(tensors, path, metadata={"made_by": "safetensors"})
