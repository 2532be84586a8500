# PyTorch's weights in Glia's hands: a network that PyTorch trains predicts the same there.
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import struct
import tempfile

import numpy as np
import torch

from bridge import checked, expect_error, glia, run

folder = pathlib.Path(tempfile.mkdtemp())


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.conv, self.norm, self.slopes = nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.PReLU(4)
        self.hidden, self.rows, self.last = nn.Linear(4 * 4 * 3, 7), nn.LayerNorm(7), nn.Linear(7, 3, bias=False)

    def forward(self, x):
        x = self.slopes(self.norm(torch.relu(self.conv(x))))
        return self.last(self.rows(torch.tanh(self.hidden(x.flatten(1)))))


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors):  # as the library sorts them
        value = tensors[name].numpy()
        kind = {"float32": "F32", "int64": "I64"}[value.dtype.name]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_a_trained_network_predicts_the_same():
    torch.manual_seed(1)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    x, y = torch.randn(32, 2, 6, 5), torch.randint(0, 3, (32,))
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    write_safetensors(folder / "net.safetensors", network.state_dict())
    np.save(folder / "x.npy", x.permute(0, 2, 3, 1).contiguous().numpy())
    paths = [os.fsencode(folder / name) for name in ["net.safetensors", "x.npy", "y.npy"]]
    checked(glia.bridge_predict_as_torch(*paths))
    expected = network.eval()(x).detach().numpy()
    assert np.allclose(np.load(folder / "y.npy"), expected, 1e-4, 1e-5), np.abs(np.load(folder / "y.npy") - expected).max()
    weights = network.state_dict()
    weights["hidden.weight"] = weights["hidden.weight"][:, :-1].contiguous()
    write_safetensors(folder / "net.safetensors", weights)
    expect_error("hidden/kernel", lambda: checked(glia.bridge_predict_as_torch(*paths)))


run(globals())
