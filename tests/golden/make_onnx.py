# Makes tests/golden/onnx/: files that PyTorch's two exporters write, one as converters from TensorFlow write it, and what ONNX Runtime
# computes; and tests/golden/torch.safetensors: PyTorch's weights, its inputs and outputs.
# SPDX-License-Identifier: Apache-2.0
#
# With torch, onnx, onnxscript and onnxruntime:  python3 tests/golden/make_onnx.py
import json
import pathlib
import struct
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper

warnings.simplefilter("ignore")
here = pathlib.Path(__file__).parent
nn = torch.nn
torch.manual_seed(3)
rng = np.random.default_rng(3)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        value = np.ascontiguousarray(value)
        kind = {"float32": "F32", "int64": "I64"}[value.dtype.name]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def draw(network):
    """Statistics that are not those of a new batch normalisation."""
    for part in network.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            with torch.no_grad():
                part.running_mean.normal_(), part.running_var.uniform_(0.5, 2), part.weight.normal_(), part.bias.normal_()
    return network.eval()


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.norm = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x):
        scores = torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) / 8**0.5, -1)
        return self.norm(x + scores @ self.v(x))


CNN = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 6, 3, stride=2, groups=2),
                    nn.GELU(), nn.Flatten(), nn.Linear(6 * 2 * 1, 5), nn.Softmax(1))
NETWORKS = {
    "cnn": (CNN, (3, 10, 8)),
    "attention": (Attention(), (5, 8)),
    "decoder": (nn.Sequential(nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Sigmoid()), (2, 4, 3)),
}
values = {}


def keep(name, path, x):
    run = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values[f"{name}/x"] = x
    values[f"{name}/y"] = run.run(None, {run.get_inputs()[0].name: x})[0]


(here / "onnx").mkdir(exist_ok=True)
for name, (network, shape) in NETWORKS.items():
    draw(network)
    x = torch.randn(3, *shape)
    for exporter in ["script", "dynamo"]:
        path = here / "onnx" / f"{name}_{exporter}.onnx"
        if exporter == "script":
            torch.onnx.export(network, (x,), str(path), dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
        else:
            with tempfile.TemporaryDirectory() as folder:
                raw = pathlib.Path(folder) / "x.onnx"
                torch.onnx.export(network, (x,), str(raw), dynamo=True, input_names=["x"], output_names=["y"], external_data=False,
                                  dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
                model = onnx.load(str(raw))
            for node in model.graph.node:  # stack traces of this machine
                del node.metadata_props[:]
                node.doc_string = ""
            for entry in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
                del entry.metadata_props[:]
            del model.graph.metadata_props[:], model.metadata_props[:]
            del model.graph.value_info[:]
            onnx.save(model, str(path))
        keep(f"{name}_{exporter}", path, x.numpy())


def f(*shape):
    return rng.normal(size=shape).astype("float32")


# Channels last, with transposes around each convolution.
nodes = [
    helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
    helper.make_node("Conv", ["t", "dense/conv2d/kernel", "dense/conv2d/bias"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]),
    helper.make_node("Transpose", ["c"], ["n"], perm=[0, 2, 3, 1]),
    helper.make_node("Relu", ["n"], ["r"]),
    helper.make_node("Reshape", ["r", "shape"], ["f"]),
    helper.make_node("MatMul", ["f", "dense/kernel"], ["m"]),
    helper.make_node("Add", ["m", "dense/bias"], ["a"]),
    helper.make_node("Sigmoid", ["a"], ["y"]),
]
constants = {"dense/conv2d/kernel": f(4, 2, 3, 3), "dense/conv2d/bias": f(4), "shape": np.array([-1, 36], "int64"), "dense/kernel": f(36, 3), "dense/bias": f(3)}
graph = helper.make_graph(nodes, "keras", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6, 5, 2])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
                          [numpy_helper.from_array(value, key) for key, value in constants.items()])
path = here / "onnx" / "channels_last.onnx"
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), str(path))
keep("channels_last", path, f(3, 6, 5, 2))
write_safetensors(here / "onnx" / "values.safetensors", values)

# ---- PyTorch's weights ---------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """As Glia's layers are called."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.depth, self.up = nn.Conv2d(4, 8, 3, groups=4, padding=1), nn.ConvTranspose2d(8, 3, 2, 2)
        self.fc1, self.fc2 = nn.Linear(3 * 6 * 8, 7), nn.Linear(7, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.flatten(self.up(self.depth(x)), 1)
        return self.fc2(torch.relu(self.fc1(x)))


net = Net()
x, labels = torch.randn(16, 2, 3, 4), torch.randint(0, 3, (16,))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(10):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), labels).backward()
    optimizer.step()
net.eval()
tensors = {name: value.numpy() for name, value in net.state_dict().items()}
tensors["glia.x"] = x[:3].permute(0, 2, 3, 1).contiguous().numpy()
tensors["glia.y"] = net(x[:3]).detach().numpy()
write_safetensors(here / "torch.safetensors", {name: value for name, value in tensors.items() if not name.startswith("glia.")})
write_safetensors(here / "torch_values.safetensors", {name[5:]: value for name, value in tensors.items() if name.startswith("glia.")})
