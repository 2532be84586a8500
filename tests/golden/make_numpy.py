# Writes numpy_stored.npz and numpy_deflated.npz: 0 to 23 in each dtype, order and byte order that Glia reads, as NumPy saves them.
# pip install numpy. tests/numpy_files_test.cpp reads them.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np

arrays = {"scalar": np.array(7.0), "empty": np.zeros((3, 0, 2), "i4"), "größe": np.arange(3)}
for code in ["f2", "f4", "f8", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4"]:
    for order in ["C", "F"]:
        for sign, word in [("<", "little"), (">", "big")]:
            values = np.arange(24).reshape(2, 3, 4).astype(sign + code)
            arrays[f"{code}_{order}_{word}"] = np.array(values, order=order)
folder = pathlib.Path(__file__).parent
np.savez(folder / "numpy_stored.npz", **arrays)
np.savez_compressed(folder / "numpy_deflated.npz", **arrays)
