# ONNX files: what Glia writes, ONNX Runtime computes alike; what Glia wrote, and ONNX's own helpers write, Glia reads. With PyTorch,
# where it can be imported, its exports, and Keras's by way of it, where that can.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: onnx_models.py PROGRAM    which is built from onnx_models.cpp
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

program = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp())
failures = []


def check(holds, *what):
    if not holds:
        failures.append(" ".join(map(str, what)))


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def close(got, expected, tolerance, *what):
    if got.shape != expected.shape:
        return check(False, *what, "has shape", got.shape, "expected", expected.shape)
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    error = float(np.abs(got - expected).max(initial=0)) / scale
    check(error <= tolerance, *what, "differs by", error)


# ---- What Glia writes ----------------------------------------------------------------------------------------------------------

subprocess.run([program, "save", str(folder)], check=True)
written = sorted(path for path in folder.glob("*.onnx"))
assert len(written) > 100, written
loads = []
for path in written:
    name = path.stem
    data = "cnn" if name == "cnn_first" else name
    model = onnx.load(str(path))
    try:
        onnx.checker.check_model(model, full_check=True)
        run = session(path)
    except Exception as error:
        check(False, name, "is refused:", error)
        continue
    transposes = sum(node.op_type == "Transpose" for node in model.graph.node)
    if name == "cnn":
        check(transposes <= 2, "the CNN has", transposes, "transposes")
    if name == "cnn_first":
        check(transposes <= 1, "the CNN of channels first has", transposes, "transposes")
    x = [np.load(file) for file in sorted(folder.glob(f"{data}.x*.npy"))]
    y = [np.load(file) for file in sorted(folder.glob(f"{data}.y*.npy"))]
    if name == "cnn_first":
        x = [part.transpose(0, 3, 1, 2) for part in x]
    inputs = [entry.name for entry in run.get_inputs()]
    check(inputs == [f"x{i}" for i in range(len(inputs))], name, "has inputs", inputs)
    for rows in [5] if name == "cnn_first" else [1, 5]:
        outputs = run.run(None, {key: part[:rows] for key, part in zip(inputs, x)})
        for i, (got, expected) in enumerate(zip(outputs, y)):
            close(got, expected[:rows], 1e-5, name, "output", i, "of", rows, "rows")
    if name != "cnn_first":
        loads.append((path, "last", f"again_{name}", [folder / f"{data}.x{i}.npy" for i in range(len(x))], y, 1e-6))

# ---- What others write ---------------------------------------------------------------------------------------------------------

rng = np.random.default_rng(1)


def made(name, nodes, shapes, constants, outputs=("y",), opset=18):
    """A file of these nodes, with what ONNX Runtime computes; inputs are x, x1, ..."""
    names = ["x" if i == 0 else f"x{i}" for i in range(len(shapes))]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, ["N", *shape]) for key, shape in zip(names, shapes)],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, None) for key in outputs],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))
    compare(name, path, [rng.normal(size=(3, *shape)).astype("float32") for shape in shapes])


def compare(name, path, x, tolerance=1e-5):
    run = session(path)
    y = run.run(None, {entry.name: part for entry, part in zip(run.get_inputs(), x)})
    files = []
    for i, part in enumerate(x):
        files.append(folder / f"{name}.in{i}.npy")
        np.save(files[-1], part)
    loads.append((path, "first", name, files, y, tolerance))


def f(*shape):
    return rng.normal(size=shape).astype("float32")


def i(*values):
    return np.array(values, "int64")


def one(op, shape, constants=None, opset=18, name=None, **attributes):
    constants = constants or {}
    node = helper.make_node(op, ["x", *constants], ["y"], **attributes)
    made(name or f"op_{op.lower()}_{len(loads)}", [node], [shape], constants, opset=opset)


for op in ["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Exp", "Abs", "Neg", "Selu", "Celu", "Elu",
           "LeakyRelu", "HardSigmoid", "ThresholdedRelu", "Softmax", "LogSoftmax", "Identity", "Dropout"]:
    one(op, (4, 5))
one("Elu", (4,), alpha=0.5)
one("HardSigmoid", (4,), alpha=0.3, beta=0.4)
one("Softmax", (3, 4, 5), axis=1)
one("Softmax", (6,), opset=11)
one("Gelu", (5,), opset=20)
one("Gelu", (5,), opset=20, approximate="tanh")
for least, most in [(-0.5, 0.7), (0.0, 6.0), (0.0, 0.5), (0.2, 0.9)]:
    one("Clip", (5,), {"a": np.float32(least), "b": np.float32(most)})
one("Clip", (5,), opset=10, min=-0.25, max=0.5)
for op in ["Add", "Sub", "Mul", "Div"]:
    for shape in [(), (1,), (4,), (3, 1), (3, 4), (1, 3, 4)]:
        value = (np.abs(f(*shape)) + 0.5).astype("float32")
        one(op, (3, 4), {"c": value})
        made(f"reversed_{op.lower()}_{len(loads)}", [helper.make_node("Exp", ["x"], ["e"]), helper.make_node(op, ["c", "e"], ["y"])],
             [(3, 4)], {"c": value})
    made(f"two_{op.lower()}", [helper.make_node("Exp", ["x1"], ["e"]), helper.make_node(op, ["x", "e"], ["y"])],
         [(3, 4), (3, 1)], {})
for exponent in [2.0, 0.5, 3.0]:
    made(f"pow_{exponent}", [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Pow", ["a", "c"], ["y"])], [(4,)],
         {"c": np.float32(exponent)})
for op in ["Sum", "Mean", "Max", "Min"]:
    made(f"many_{op.lower()}", [helper.make_node(op, ["x", "x1", "x2"], ["y"])], [(2, 3)] * 3, {})
one("Max", (4,), {"c": np.float32(0.25)})

one("Gemm", (4,), {"w": f(4, 3), "b": f(3)}, alpha=0.5, beta=2.0)
one("Gemm", (4,), {"w": f(3, 4), "b": f(1, 3)}, transB=1)
one("Gemm", (4,), {"w": f(3, 4)}, transB=1)
one("MatMul", (5, 4), {"w": f(4, 3)})
made("matmul_add", [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["b", "m"], ["a"]),
                    helper.make_node("Relu", ["a"], ["y"])], [(4,)], {"w": f(4, 3), "b": f(3)})
made("matmul_two", [helper.make_node("MatMul", ["x", "x1"], ["y"])], [(2, 3, 4), (2, 4, 5)], {})
one("Conv", (3, 9, 8), {"w": f(4, 3, 3, 2), "b": f(4)}, strides=[2, 1], pads=[1, 0, 2, 1])
one("Conv", (3, 9, 8), {"w": f(4, 3, 3, 3)}, pads=[1, 1, 1, 1], dilations=[2, 2])
one("Conv", (4, 6, 6), {"w": f(6, 2, 3, 3), "b": f(6)}, group=2, auto_pad="SAME_UPPER", strides=[2, 2])
one("Conv", (4, 6, 6), {"w": f(8, 1, 3, 3)}, group=4, auto_pad="SAME_LOWER", strides=[2, 2])
one("Conv", (4, 6, 6), {"w": f(4, 1, 3, 3)}, group=4, auto_pad="VALID")
one("Conv", (3, 11), {"w": f(4, 3, 3), "b": f(4)}, pads=[1, 1], strides=[2])
one("Conv", (3, 11), {"w": f(4, 3, 3), "b": f(4)}, pads=[2, 0])
one("ConvTranspose", (3, 4, 5), {"w": f(3, 2, 3, 3), "b": f(2)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
one("ConvTranspose", (3, 4, 5), {"w": f(3, 2, 2, 2)}, strides=[2, 2])
one("ConvTranspose", (3, 4, 5), {"w": f(3, 2, 3, 3)}, strides=[2, 2], auto_pad="SAME_UPPER")
for op in ["MaxPool", "AveragePool"]:
    for kernel in [[2, 3], [3, 3]]:
        for extra in [{}, {"pads": [1, 1, 1, 1]}, {"pads": [0, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}, {"ceil_mode": 1}]:
            if op == "MaxPool" and kernel[0] == 2 and extra.get("pads", [0])[0] == 1:
                continue  # more than half of the window
            for strides in [[1, 1], [2, 2]]:
                one(op, (2, 8, 7), kernel_shape=kernel, strides=strides, **extra)
    one(op, (2, 9), kernel_shape=[3], strides=[2], pads=[1, 1])
made("relu_pool", [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[3, 3],
                                                                            strides=[2, 2], pads=[1, 1, 1, 1])], [(2, 8, 8)], {})
one("AveragePool", (2, 6, 6), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
one("GlobalAveragePool", (3, 5, 4))
one("GlobalMaxPool", (3, 5, 4))
one("GlobalAveragePool", (3, 5))
one("BatchNormalization", (3,), {"s": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3)) + 1})
one("BatchNormalization", (3, 4, 5), {"s": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3)) + 1}, epsilon=0.01)
one("BatchNormalization", (3, 4), {"s": f(3), "b": f(3), "m": f(3), "v": np.abs(f(3)) + 1})
one("LayerNormalization", (3, 4), {"s": f(4), "b": f(4)})
one("LayerNormalization", (3, 4), {"s": f(3, 4)}, axis=1, epsilon=0.1)
one("PRelu", (3, 4, 5), {"s": f(3, 1, 1)})
one("PRelu", (4,), {"s": f(4)})
one("PRelu", (4,), {"s": np.array([0.25], "float32")})

for shape, target in [((3, 4), (0, 12)), ((3, 4), (-1, 12)), ((3, 4), (0, 2, -1)), ((12,), (0, 3, 4)), ((3, 4), (0, 0, 2, 2))]:
    one("Reshape", shape, {"s": i(*target)})
one("Flatten", (3, 4, 2))
one("Squeeze", (3, 1, 2), {"a": i(2)})
one("Squeeze", (3, 1, 2), opset=11, axes=[2])
one("Unsqueeze", (3, 2), {"a": i(1, -1)})
for perm in [(0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1), (0, 1, 3, 2)]:
    one("Transpose", (2, 3, 4), perm=perm)
one("Slice", (5, 6), {"s": i(1, -4), "e": i(4, 1 << 40), "a": i(1, 2)})
one("Slice", (5, 6), opset=9, starts=[1], ends=[3], axes=[2])
made("split", [helper.make_node("Split", ["x", "s"], ["y", "z"], axis=1)], [(5, 2)], {"s": i(2, 3)}, outputs=("y", "z"))
for keepdims in [0, 1]:
    for axes in [(1,), (2, 3), (-1,), (1, 2, 3)]:
        one("ReduceMean", (2, 3, 4), {"a": i(*axes)}, keepdims=keepdims) if keepdims or len(axes) < 3 else None
        one("ReduceSum", (2, 3, 4), {"a": i(*axes)}, keepdims=keepdims) if keepdims or len(axes) < 3 else None
one("ReduceMean", (2, 3, 4), opset=13, axes=[2, 3], keepdims=0)
one("ReduceL2", (2, 3), {"a": i(2)})
made("concat", [helper.make_node("Concat", ["x", "x1"], ["y"], axis=1)], [(2, 3), (4, 3)], {})
made("concat_last", [helper.make_node("Concat", ["x", "x1"], ["y"], axis=-1)], [(2, 3), (2, 4)], {})
one("Pad", (2, 4, 5), {"p": i(0, 0, 1, 2, 0, 0, 0, 3)})
one("Pad", (2, 4, 5), {"p": i(0, 0, -1, 2, 0, 0, 0, -1)})
one("Pad", (2, 6), {"p": i(0, 0, 1, 0, 0, 2)})
for mode, places, nearest in [("nearest", "asymmetric", "floor"), ("nearest", "half_pixel", "round_prefer_floor"), ("linear", "half_pixel", "floor")]:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=places, nearest_mode=nearest)
    made(f"resize_{mode}_{places}", [node], [(2, 3, 4)], {"s": np.array([1, 1, 2, 3], "float32")})
gelu = [helper.make_node("Div", ["x", "root"], ["d"]), helper.make_node("Erf", ["d"], ["e"]), helper.make_node("Add", ["e", "one"], ["a"]),
        helper.make_node("Mul", ["x", "a"], ["m"]), helper.make_node("Mul", ["m", "half"], ["y"])]
numbers = {"root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
made("gelu_of_torch", gelu, [(5,)], numbers)
made("gelu_halved_first", [*gelu[:3], helper.make_node("Mul", ["x", "half"], ["h"]), helper.make_node("Mul", ["h", "a"], ["y"])], [(5,)],
     numbers)
made("flatten_then_dense", [helper.make_node("Conv", ["x", "f"], ["c"]), helper.make_node("Relu", ["c"], ["r"]),
                            helper.make_node("Flatten", ["r"], ["t"]), helper.make_node("Dropout", ["t"], ["d"]),
                            helper.make_node("Gemm", ["d", "w", "b"], ["y"], transB=1)],
     [(2, 5, 6)], {"f": f(3, 2, 2, 2), "w": f(4, 60), "b": f(4)})
made("flatten_as_output", [helper.make_node("Conv", ["x", "f"], ["c"]), helper.make_node("Flatten", ["c"], ["t"]),
                           helper.make_node("Add", ["t", "b"], ["y"])], [(2, 5, 6)], {"f": f(3, 2, 2, 2), "b": f(60)})
made("flatten_by_shape", [helper.make_node("Conv", ["x", "f"], ["c"]), helper.make_node("Shape", ["c"], ["s"]),
                          helper.make_node("Gather", ["s", "zero"], ["n"]), helper.make_node("Unsqueeze", ["n", "axes"], ["u"]),
                          helper.make_node("Concat", ["u", "rest"], ["t"], axis=0), helper.make_node("Reshape", ["c", "t"], ["y"])],
     [(2, 5, 6)], {"f": f(3, 2, 2, 2), "zero": np.array(0, "int64"), "axes": i(0), "rest": i(-1)})
made("scaled_channels", [helper.make_node("Mul", ["x", "s"], ["m"]), helper.make_node("Add", ["m", "o"], ["y"])], [(3, 4, 5)],
     {"s": f(1, 3, 1, 1), "o": f(3, 1, 1)})
table = f(7, 3)
graph = helper.make_graph([helper.make_node("Gather", ["t", "x"], ["g"]), helper.make_node("ReduceMean", ["g", "a"], ["y"], keepdims=0)],
                          "embedding", [helper.make_tensor_value_info("x", TensorProto.INT64, ["N", 4])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                          [numpy_helper.from_array(table, "t"), numpy_helper.from_array(i(1), "a")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(folder / "gathered.onnx"))
compare("gathered", folder / "gathered.onnx", [rng.integers(0, 7, (3, 4))])
for kind in ["float16", "float64", "bfloat16"]:
    if kind != "bfloat16":
        weights = numpy_helper.from_array(f(4, 3).astype(kind), "w0")
        node = [helper.make_node("Cast", ["w0"], ["w"], to=TensorProto.FLOAT), helper.make_node("MatMul", ["x", "w"], ["y"])]
        graph = helper.make_graph(node, kind, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weights])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(folder / f"{kind}.onnx"))
        compare(kind, folder / f"{kind}.onnx", [f(3, 4)])

# ---- PyTorch -------------------------------------------------------------------------------------------------------------------

try:
    import torch
except ImportError:
    torch = None
    print("without PyTorch, which cannot be imported")
if torch:
    import warnings

    warnings.simplefilter("ignore")
    nn = torch.nn
    torch.manual_seed(1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
            self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)

        def forward(self, x):
            return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.norm = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8)

        def forward(self, x):
            scores = torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) / 8**0.5, -1)
            return self.norm(x + scores @ self.v(x))

    class Viewed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 3, 3), nn.Linear(3 * 6 * 6, 5)

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.conv(x)), 2)
            return torch.log_softmax(self.fc(x.view(x.size(0), -1)), 1)

    networks = {
        "mlp": (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3), nn.Softmax(1)), (6,)),
        "activations": (nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.ELU(), nn.SELU(), nn.Hardswish(), nn.Hardsigmoid(), nn.Softplus(),
                                      nn.Softsign(), nn.LeakyReLU(0.1), nn.ReLU6(), nn.Tanh(), nn.Mish(), nn.PReLU(), nn.CELU(), nn.GELU("tanh")), (6,)),
        "cnn": (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 6, 3, stride=2, groups=2),
                              nn.ReLU(), nn.Flatten(), nn.Linear(6 * 3 * 3, 10)), (3, 14, 14)),
        "resnet": (nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), Block(), nn.AvgPool2d(2), Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), (3, 16, 16)),
        "decoder": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), nn.Upsample(scale_factor=2), nn.Sigmoid(),
                                  nn.Upsample(scale_factor=2, mode="bilinear")), (2, 6, 5)),
        "conv1d": (nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(20, 2)), (3, 10)),
        "attention": (Attention(), (5, 8)),
        "viewed": (Viewed(), (1, 14, 14)),
        "depthwise": (nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.ReLU6(), nn.Conv2d(4, 6, 1), nn.ZeroPad2d((1, 2, 0, 1)),
                                    nn.PReLU(6)), (4, 6, 6)),
    }
    for name, (network, shape) in networks.items():
        network.eval()
        with torch.no_grad():
            for part in network.modules():
                if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    part.running_mean.normal_(), part.running_var.uniform_(0.5, 2), part.weight.normal_(), part.bias.normal_()
        x = torch.randn(3, *shape)
        for exporter in ["script", "dynamo"]:
            path = folder / f"torch_{exporter}_{name}.onnx"
            try:
                if exporter == "script":
                    torch.onnx.export(network, (x,), str(path), dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
                else:
                    torch.onnx.export(network, (x,), str(path), dynamo=True, input_names=["x"], output_names=["y"], external_data=False,
                                      dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
            except Exception as error:
                check(exporter == "dynamo" and "onnxscript" in str(error), "torch", exporter, name, str(error)[:300])
                continue
            compare(f"torch_{exporter}_{name}", path, [x.numpy()])

# ---- Keras ---------------------------------------------------------------------------------------------------------------------

try:
    if not torch:
        raise ImportError("PyTorch, which it exports by")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
except ImportError as error:
    keras = None
    print("without Keras:", error)
if keras:
    layers = keras.layers
    keras.utils.set_random_seed(1)

    def chain(shape, *parts):
        return keras.Sequential([layers.Input(shape), *parts])

    def residual():
        x = layers.Input((8, 8, 3))
        shortcut = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        y = layers.Activation("relu")(layers.BatchNormalization()(shortcut))
        y = layers.ReLU()(layers.Add()([layers.Conv2D(4, 3, padding="same")(y), shortcut]))
        y = layers.Conv2D(6, 3, strides=2, padding="same")(y)
        return keras.Model(x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y)))

    def branches():
        a, b = layers.Input((6,), name="left"), layers.Input((6,), name="right")
        shared = layers.Dense(5, activation="tanh")
        p, q = shared(a), shared(b)
        kinds = [layers.Concatenate, layers.Multiply, layers.Subtract, layers.Average, layers.Maximum, layers.Minimum]
        merged = layers.Concatenate()([kind()([p, q]) for kind in kinds])
        return keras.Model([a, b], [layers.Dense(2)(merged), layers.Dense(1, activation="sigmoid")(layers.Add()([p, q]))])

    def inception():
        x = layers.Input((9, 7, 3))
        parts = [layers.Conv2D(2, 1, activation="relu")(x), layers.Conv2D(3, 3, padding="same")(x),
                 layers.Conv2D(2, 1)(layers.MaxPooling2D(3, strides=1, padding="same")(x)),
                 layers.AveragePooling2D(3, strides=1, padding="same")(x)]
        return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Concatenate()(parts))))

    conv, depthwise, dense, statistics = layers.Conv2D, layers.DepthwiseConv2D, layers.Dense, {"mean": [1, 2, 3], "variance": [4, 5, 6]}
    models = {
        "mlp": chain((6,), dense(8, "relu"), layers.Dropout(0.5), dense(8, "gelu"), dense(3, "softmax")),
        "cnn": chain((12, 12, 1), layers.Rescaling(1 / 255), conv(4, 3, activation="relu"), layers.MaxPooling2D(2), conv(6, 3, activation="relu"),
                     layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.5), dense(10, "softmax")),
        "residual": residual(), "branches": branches(), "inception": inception(),
        "normalized": chain((8, 6, 3), conv(4, 3, padding="same"), layers.BatchNormalization(), layers.LeakyReLU(), layers.GlobalMaxPooling2D(),
                            layers.BatchNormalization(scale=False), dense(2)),
        "separable": chain((9, 8, 3), layers.SeparableConv2D(5, 3, padding="same", activation="relu"), depthwise(3, depth_multiplier=2),
                           layers.BatchNormalization(), layers.ReLU(6.0), layers.GlobalAveragePooling2D(), dense(2)),
        "separable_strided": chain((9, 8, 3), layers.SeparableConv2D(5, 3, strides=2, padding="same"), depthwise(3, strides=2, padding="same")),
        "pools": chain((9, 7, 2), layers.MaxPooling2D((3, 2), strides=(1, 2), padding="same"), layers.AveragePooling2D(2, padding="same")),
        "pools_valid": chain((9, 8, 2), layers.AveragePooling2D(2), layers.GlobalAveragePooling2D(keepdims=True)),
        "decoder": chain((4, 5, 2), layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu"), layers.UpSampling2D((2, 3)),
                         layers.ZeroPadding2D(1), layers.Cropping2D(((1, 2), (0, 1)))),
        "enlarging": chain((4, 5, 2), layers.Conv2DTranspose(3, 3, strides=2), layers.UpSampling2D(2, interpolation="bilinear")),
        "strided": chain((10, 9, 4), conv(6, 3, strides=2, padding="same", activation="relu"), conv(4, 2, strides=2, groups=2)),
        "dilated": chain((9, 9, 2), conv(3, 3, dilation_rate=2, padding="same"), conv(4, 3, dilation_rate=2)),
        "conv1d": chain((10, 3), layers.Conv1D(4, 3, padding="same", activation="relu"), layers.Conv1D(4, 3, strides=2), layers.Flatten(), dense(2)),
        "sequence": chain((5, 6), dense(4, "relu"), dense(3)),
        "reshape": chain((12,), layers.Reshape((2, 6)), layers.Permute((2, 1)), dense(3), layers.Flatten()),
        "reshape_image": chain((24,), dense(24), layers.Reshape((2, 4, 3)), conv(2, 2), layers.Flatten(), dense(3)),
        "embedding": chain((4,), layers.Embedding(7, 3), layers.Flatten(), dense(2)),
        "prelu": chain((4, 5, 2), conv(3, 2), layers.PReLU(), layers.PReLU(shared_axes=[1, 2])),
        "relus": chain((6,), dense(5), layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), dense(5), layers.ELU(0.5), layers.Softmax()),
        "normalization": chain((4, 4, 3), layers.Normalization(**statistics), conv(2, 3)),
        "layer_normalization": chain((5, 6), layers.LayerNormalization(), dense(3)),
        "rms_normalization": chain((6,), layers.RMSNormalization(), dense(3)),
    }
    functions = ["sigmoid", "log_softmax", "leaky_relu", "elu", "selu", "celu", "hard_sigmoid", "softplus", "softsign", "silu", "hard_silu", "mish",
                 "exponential", "linear"]
    for activation in functions:
        models[activation] = chain((6,), dense(5, activation), dense(3))
    refused = {"layer_normalization batch", "rms_normalization batch"}  # by PyTorch, where rows are not counted
    for name, model in models.items():
        for weight in model.weights:
            if "seed" not in weight.path:
                weight.assign(rng.uniform(0.3 if "variance" in weight.path else -0.6, 0.9, weight.shape).astype("float32"))
        x = [rng.integers(0, 7, (3, 4)).astype("float32") if name == "embedding" else f(3, *entry.shape[1:]) for entry in model.inputs]
        y = model(x if len(x) > 1 else x[0], training=False)
        y = [part.detach().numpy() for part in (y if isinstance(y, list) else [y])]
        files = [folder / f"keras_{name}.in{number}.npy" for number in range(len(x))]
        for file, part in zip(files, x):
            np.save(file, part)
        rows = [keras.InputSpec(shape=part.shape, dtype="float32", name=entry.name) for part, entry in zip(x, model.inputs)]
        signatures = {"batch": None, "fixed": [rows] if len(rows) > 1 else rows}  # PyTorch's old exporter, and the new one
        for kind, signature in signatures.items():
            if kind == "fixed" and name in functions:
                continue
            path = folder / f"keras_{name}_{kind}.onnx"
            try:
                model.export(str(path), format="onnx", verbose=False, input_signature=signature)
            except Exception as error:
                check(f"{name} {kind}" in refused, "Keras does not export", name, kind, str(error)[:300])
                continue
            loads.append((path, "last", f"keras_{name}_{kind}", files, y, 1e-5))

# ---- Both are read -------------------------------------------------------------------------------------------------------------

(folder / "list").write_text("".join(f"{path} {order} {folder}/out_{name} {' '.join(map(str, files))}\n" for path, order, name, files, _, _ in loads))
subprocess.run([program, "load", str(folder / "list")], check=True)
for path, order, name, files, y, tolerance in loads:
    error = folder / f"out_{name}.error"
    if error.exists():
        check(False, name, "was not read:", error.read_text())
        continue
    for number, expected in enumerate(y):
        close(np.load(folder / f"out_{name}.{number}.npy"), expected, tolerance, "read", name, "output", number)

print(len(written), "files of Glia's,", len(loads), "read;", len(failures), "failures")
for failure in failures:
    print("FAILED:", failure)
sys.exit(1 if failures else 0)
