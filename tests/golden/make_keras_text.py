#!/usr/bin/env python3
# Writes text.json, which tests/text_vectorization_test.cpp and sequences_test.cpp compare with: what Keras 3 makes of texts,
# tokens and series. SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras tensorflow-cpu;  python3 tests/golden/make_keras_text.py

Each case has the class, its options, what it adapts to, what it is given, and what came out: shape and elements.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers as kl

TEXTS = [
    "The cat sat on the mat.",
    "THE DOG, the cat -- and the \"bird\"!",
    "",
    "  tabs\tand\nlines  and don't\r\n",
    "Grüße, Čech ÉTÉ naïve 日本語 🙂 don't",
    "a b a b c",
    "1,000 x-y_z {brace} [tab] a|b ~ ^ ` \\ / <tag>",
    "mat mat mat bird the end",
]
NEW = ["the cat and the unknown", "", "a b c d e f g", "Grüße 日本", "don't, BIRD"]


def result(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "values": np.round(array.astype(np.float64), 9).ravel().tolist()}


def texts():
    options = [
        {},
        {"standardize": "lower"},
        {"standardize": "strip_punctuation"},
        {"standardize": None},
        {"split": "character"},
        {"split": "character", "standardize": None, "output_sequence_length": 3},
        {"ngrams": 2},
        {"ngrams": 3, "max_tokens": 20},
        {"ngrams": [2]},
        {"ngrams": [3, 1]},
        {"max_tokens": 5},
        {"output_sequence_length": 4},
        {"output_sequence_length": 30},
        {"output_mode": "multi_hot"},
        {"output_mode": "count", "max_tokens": 7},
        {"output_mode": "count", "max_tokens": 60, "pad_to_max_tokens": True},
        {"output_mode": "multi_hot", "ngrams": 2, "max_tokens": 12},
        {"output_mode": "tf_idf"},
        {"output_mode": "tf_idf", "max_tokens": 8},
        {"output_mode": "tf_idf", "max_tokens": 60, "pad_to_max_tokens": True},
        {"vocabulary": ["cat", "the", "a"]},
        {"vocabulary": ["", "[UNK]", "cat", "the", "a"]},
        {"vocabulary": ["cat", "the"], "idf_weights": [0.25, 0.75], "output_mode": "tf_idf"},
    ]
    for one in options:
        arguments = dict(one)
        if isinstance(arguments.get("ngrams"), list):
            arguments["ngrams"] = tuple(arguments["ngrams"])
        layer = kl.TextVectorization(**arguments)
        if "vocabulary" not in one:
            layer.adapt(np.array(TEXTS, dtype=object))
        yield {
            "class": "TextVectorization",
            "options": one,
            "vocabulary": layer.get_vocabulary(),
            "plain_vocabulary": layer.get_vocabulary(include_special_tokens=False),
            "of_seen": result(layer(np.array(TEXTS, dtype=object))),
            "of_new": result(layer(np.array(NEW, dtype=object))),
        }


def lookups():
    rows = [["b", "a", "b", "d"], ["c", "b", "", "a"], ["e", "b", "a", "a"]]
    given = [["a", "b", "z", "c"], ["", "e", "d", "b"]]
    numbers = [[5, 3, 5, 9], [7, 5, 0, 3], [1, 5, 3, 3]]
    given_numbers = [[3, 5, 42, 7], [0, 1, 9, 5]]
    options = [
        {},
        {"mask_token": True},
        {"num_oov_indices": 0, "vocabulary": True},
        {"max_tokens": 3},
        {"mask_token": True, "max_tokens": 4},
        {"output_mode": "one_hot"},
        {"output_mode": "multi_hot"},
        {"output_mode": "multi_hot", "mask_token": True},
        {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
        {"output_mode": "tf_idf"},
        {"output_mode": "tf_idf", "mask_token": True, "max_tokens": 4},
    ]
    for kind, seen, new, mask in ((kl.StringLookup, rows, given, ""), (kl.IntegerLookup, numbers, given_numbers, 0)):
        dtype = object if kind is kl.StringLookup else np.int64
        for one in options:
            arguments = dict(one)
            if "mask_token" in arguments:
                arguments["mask_token"] = mask
            if "vocabulary" in arguments:
                arguments["vocabulary"] = sorted({token for row in seen + new for token in row})
            layer = kind(**arguments)
            if "vocabulary" not in arguments:
                layer.adapt(np.array(seen, dtype=dtype))
            clean = [t if isinstance(t, str) else int(t) for t in layer.get_vocabulary()]
            case = {
                "class": kind.__name__,
                "options": arguments,
                "adapt": seen,
                "given": new,
                "vocabulary": clean,
                "of_rows": result(layer(np.array(new, dtype=dtype))),
            }
            if one.get("output_mode") != "one_hot":
                case["of_one"] = result(layer(np.array(new[0], dtype=dtype)))
            yield case


def padded():
    sequences = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]]
    for options in (
        {},
        {"padding": "post"},
        {"maxlen": 2},
        {"maxlen": 2, "truncating": "post"},
        {"maxlen": 7, "padding": "post", "value": -1},
        {"maxlen": 3, "dtype": "float32", "value": 0.5},
    ):
        yield {"options": options, "sequences": sequences,
               "result": result(keras.utils.pad_sequences(sequences, **options))}


def windows():
    data = np.arange(40).reshape(20, 2).astype(np.float32)
    targets = 100 + np.arange(20).astype(np.float32)
    for options, count in (
        ({"sequence_length": 3}, 20),
        ({"sequence_length": 3, "sequence_stride": 2, "sampling_rate": 2, "batch_size": 3}, 20),
        ({"sequence_length": 4, "start_index": 3, "end_index": 15, "batch_size": 4}, 20),
        ({"sequence_length": 5, "sampling_rate": 3}, 20),
        ({"sequence_length": 2, "sequence_stride": 4, "batch_size": 2}, 9),
        ({"sequence_length": 20}, 20),
    ):
        batches = list(keras.utils.timeseries_dataset_from_array(data, targets[:count], **options))
        yield {
            "options": options,
            "targets": count,
            "batches": len(batches),
            "x": result(np.concatenate([x for x, _ in batches])),
            "y": result(np.concatenate([y for _, y in batches])),
        }


def main():
    values = {
        "made_with": f"Keras {keras.__version__}",
        "texts": TEXTS,
        "new": NEW,
        "vectorized": list(texts()),
        "looked_up": list(lookups()),
        "padded": list(padded()),
        "windows": list(windows()),
    }
    path = Path(__file__).with_name("text.json")
    path.write_text(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(path, len(values["vectorized"]), "and", len(values["looked_up"]), "cases")


if __name__ == "__main__":
    main()
