# Rows of words and of numbers with padding, which the golden cases of sequences share. SPDX-License-Identifier: Apache-2.0

from keras_values import normal  # first: sets Keras's backend

import numpy as np
from keras.layers import Embedding

WORDS = 7  # 0 among them, which is padding


def gaps(generator, shape, value=0.0, kept=()):
    """Rows with masked steps: none, all, in front, at the end, in the middle, then by chance; some steps never."""
    x = normal(generator, shape)
    masked = generator.random(shape[:2]) < 0.4
    masked[:5] = False
    masked[1] = masked[2, :2] = masked[3, -2:] = masked[4, 2] = True
    for step in kept:
        masked[:, step] = False
    x[masked] = value
    return x


def texts(generator, shape, shortest=0):
    """Numbers of words, and padding at the end."""
    x = generator.integers(1, WORDS, shape).astype(np.float32)
    lengths = generator.integers(shortest, shape[1] + 1, shape[0])
    lengths[:2] = shape[1], shortest
    x[np.arange(shape[1]) >= lengths[:, None]] = 0
    return x


def texts_and_an_empty_batch(generator, shape):
    x = texts(generator, shape)
    x[8:16] = 0
    return x


def mask_of(x):
    """Of what has one, which Keras does not hand on where there are initial states."""
    return getattr(x, "_keras_mask", None)


def words(x, width=2, name="words"):
    return Embedding(WORDS, width, mask_zero=True, name=name)(x)
