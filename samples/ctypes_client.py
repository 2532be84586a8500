#!/usr/bin/env python3
"""Glia from Python by its C interface, with ctypes and the standard library alone: tells three kinds of irises apart.

It loads Glia's shared library (cmake -DBUILD_SHARED_LIBS=ON), which is named with --library or found by the loader.
"""
# SPDX-License-Identifier: Apache-2.0

import argparse
import csv
import ctypes
import pathlib
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p

FLOAT32, INT32 = 0, 3


class Shape(ctypes.Structure):
    _fields_ = [("rank", c_int64), ("dims", c_int64 * 8)]


class Array(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("shape", Shape), ("scale", c_double), ("is_cuda", c_int32), ("index", c_int32),
                ("dtype", c_int32), ("reserved", c_int32)]


class Output(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class Options(ctypes.Structure):
    """Zeros are defaults, and the first member is the size, which is filled in here."""

    def __init__(self, **members):
        super().__init__(ctypes.sizeof(self), **members)


class SequentialOptions(Options):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("seed", c_uint64), ("dtype", c_int32), ("reserved", c_int32)]


class CompileOptions(Options):
    _fields_ = [("size", c_size_t), ("optimizer", c_char_p), ("loss", c_char_p), ("metrics", POINTER(c_char_p)),
                ("metric_count", c_size_t), ("learning_rate", c_double), ("context", c_void_p), ("device", c_char_p),
                ("precision", c_char_p)]


EpochEnd = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, POINTER(c_double), c_size_t)


class FitOptions(Options):
    _fields_ = [("size", c_size_t), ("batch_size", c_int64), ("epochs", c_int32), ("verbose", c_int32),
                ("validation_split", c_double), ("keep_order", c_int32), ("initial_epoch", c_int32),
                ("validation_x", POINTER(Array)), ("validation_y", POINTER(Array)), ("sample_weight", POINTER(Array)),
                ("on_epoch_end", EpochEnd), ("user", c_void_p)]


class GliaError(Exception):
    pass


class Glia:
    """The library. Its functions raise GliaError where they fail; glia/c.h has more of them."""

    SIGNATURES = {
        "glia_sequential_create": [c_char_p, POINTER(SequentialOptions), POINTER(c_void_p)],
        "glia_model_compile": [c_void_p, POINTER(CompileOptions)],
        "glia_model_fit": [c_void_p, POINTER(Array), c_size_t, POINTER(Array), c_size_t, POINTER(FitOptions),
                           POINTER(c_double), c_size_t],
        "glia_model_evaluate": [c_void_p, POINTER(Array), c_size_t, POINTER(Array), c_size_t, c_void_p,
                                POINTER(c_double), c_size_t],
        "glia_model_predict": [c_void_p, POINTER(Array), c_size_t, POINTER(Output), c_size_t, c_void_p],
        "glia_model_summary": [c_void_p, c_char_p, c_size_t, POINTER(c_size_t)],
        "glia_model_destroy": [c_void_p],
    }

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        for name in ("glia_version", "glia_last_error_message"):
            getattr(self.library, name).restype = c_char_p
        for name, arguments in self.SIGNATURES.items():
            function = getattr(self.library, name)
            function.argtypes = arguments
            function.restype = c_int32
            function.errcheck = self.check

    def check(self, status, function, arguments):
        if status:
            raise GliaError(self.library.glia_last_error_message().decode())
        return status

    def __getattr__(self, name):
        return getattr(self.library, "glia_" + name)

    @staticmethod
    def text(function, *arguments):
        """What a function writes, after it was asked how much that is."""
        needed = c_size_t()
        function(*arguments, None, 0, byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        function(*arguments, buffer, needed, None)
        return buffer.value.decode()


def array(values, dims, dtype):
    """Rows of numbers, and the struct that shows them; both must live while a call reads them."""
    memory = ((c_float if dtype == FLOAT32 else c_int32) * len(values))(*values)
    return memory, Array(ctypes.addressof(memory), Shape(len(dims), (c_int64 * 8)(*dims)), dtype=dtype)


def learn(glia, options):
    with open(options.data, newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    kinds = sorted({row[4] for row in rows})
    x_memory, x = array([float(value) for row in rows for value in row[:4]], (len(rows), 4), FLOAT32)
    y_memory, y = array([kinds.index(row[4]) for row in rows], (len(rows),), INT32)

    model = c_void_p()
    glia.sequential_create(b"Input((4,)), Dense(16, 'relu'), Dense(3, 'softmax')",
                           byref(SequentialOptions(seed=options.seed)), byref(model))
    try:
        metrics = (c_char_p * 1)(b"accuracy")
        glia.model_compile(model, byref(CompileOptions(
            optimizer=b"adam", loss=b"sparse_categorical_crossentropy", metrics=metrics, metric_count=1,
            learning_rate=0.02, device=options.device.encode())))
        print(f"{len(rows)} flowers, on {options.device}, glia {glia.version().decode()}")
        print(glia.text(glia.model_summary, model))

        @EpochEnd
        def on_epoch_end(user, epoch, logs, count):
            if (epoch + 1) % 20 == 0:
                print(f"epoch {epoch + 1:3}: loss {logs[0]:.4f}, accuracy {logs[1]:.4f}")
            return 0

        logs = (c_double * 2)()
        glia.model_fit(model, byref(x), 1, byref(y), 1, byref(FitOptions(epochs=options.epochs, on_epoch_end=on_epoch_end)),
                       logs, 2)
        glia.model_evaluate(model, byref(x), 1, byref(y), 1, None, logs, 2)
        print(f"loss: {logs[0]:.4f}, accuracy: {logs[1]:.4f}\n")

        flowers = [(5.1, 3.5, 1.4, 0.2), (5.9, 2.8, 4.2, 1.3), (6.3, 3.0, 5.8, 2.1)]
        new_memory, new = array([value for flower in flowers for value in flower], (len(flowers), 4), FLOAT32)
        answers = ((c_float * 3) * len(flowers))()
        glia.model_predict(model, byref(new), 1, byref(Output(ctypes.addressof(answers), ctypes.sizeof(answers))), 1, None)
        print("Petal: length  width  kind             probability")
        for flower, answer in zip(flowers, answers):
            best = max(range(3), key=lambda kind: answer[kind])
            print(f"{flower[2]:13.1f} {flower[3]:6.1f}  {kinds[best]:16} {answer[best]:.4f}")
    finally:
        glia.model_destroy(model)


def main():
    data = pathlib.Path(__file__).resolve().parent / "data" / "iris.csv"
    parser = argparse.ArgumentParser(description="Tells irises apart through Glia's C interface.")
    parser.add_argument("--library", default="libglia.so", help="Glia's shared library (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--data", default=data, help="the table (default: %(default)s)")
    options = parser.parse_args()
    try:
        learn(Glia(options.library), options)
    except (GliaError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
