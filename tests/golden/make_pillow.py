# Writes pillow.safetensors: small images as files, and what Pillow makes of them in the modes that Keras's load_img asks for.
# pip install numpy pillow safetensors. tests/images_test.cpp reads it.
# SPDX-License-Identifier: Apache-2.0
import io
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

random = np.random.default_rng(1)
shape = (9, 13)
images = {
    "grey": Image.fromarray(random.integers(0, 256, shape, "u1"), "L"),
    "grey_alpha": Image.fromarray(random.integers(0, 256, (*shape, 2), "u1"), "LA"),
    "rgb": Image.fromarray(random.integers(0, 256, (*shape, 3), "u1"), "RGB"),
    "rgba": Image.fromarray(random.integers(0, 256, (*shape, 4), "u1"), "RGBA"),
    "one_bit": Image.fromarray(random.integers(0, 2, shape, "u1") * 255, "L").convert("1"),
}
palette = images["rgb"].quantize(11)
images["palette"] = palette
tensors = {}
for name, image in images.items():
    options = {"palette": [{}, {"transparency": bytes([0, 100, 255])}]}.get(name, [{}])
    for number, option in enumerate(options):
        for kind in ["png"] + (["ppm"] if image.mode in ("L", "RGB") else []):
            file = io.BytesIO()
            image.save(file, kind, **option)
            case = f"{name}_{number}_{kind}"
            tensors[f"{case}/file"] = np.frombuffer(file.getvalue(), "u1")
            for mode in ["L", "RGB", "RGBA"]:
                pixels = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert(mode))
                tensors[f"{case}/{mode}"] = np.ascontiguousarray(pixels.reshape(*shape, -1))
save_file(tensors, pathlib.Path(__file__).with_name("pillow.safetensors"))
