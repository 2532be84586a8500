# The golden cases of attention and of normalisations over axes: a part of make_keras_sequences.py's table.
# SPDX-License-Identifier: Apache-2.0

from keras_models import ACCURACY, BINARY, SPARSE, Graph, adam  # first: sets Keras's backend
from keras_words import WORDS, texts, words

from functools import partial

from keras import Input, Model, layers as kl
from keras.layers import Dense, GlobalAveragePooling1D

def to_itself(layer, **call):
    """Attention of x to itself, of two kinds of rows: numbers, and words with padding, which the loss leaves out."""

    def model():
        x = Input((5, 4))
        return Model(x, Dense(2, name="head")(layer()(x, x, **call)))

    def masked():
        x = Input((5,))
        w = words(x, 4)
        attention = layer()
        y = attention(w, w, **call) if "heads" in attention.name else attention([w, w], **call)
        return Model(x, Dense(WORDS, "softmax", name="head")(y))

    return model, masked


def heads(**options):
    """Without biases: that of the keys has a gradient of 0, of which float32 and float64 have other roundings."""
    return kl.MultiHeadAttention(2, 3, use_bias=False, name="heads", **options)


def groups(**options):
    return kl.GroupQueryAttention(3, 4, 2, use_bias=False, name="grouped_heads", **options)


def other_keys():
    """A key, a value and a query of other widths."""
    query, value, key = Input((4, 5)), Input((3, 2)), Input((3, 6))
    y = heads(value_dim=2, output_shape=7)(query, value, key)
    return Model([query, value, key], Dense(1, name="head")(y))


def scores():
    """Both outputs."""
    query, value = Input((4, 3)), Input((3, 3))
    y, weights = groups()(query, value, return_attention_scores=True)
    return Model([query, value], [Dense(1, name="steps")(y), Dense(1, name="whole")(kl.Flatten()(weights))])


def plain_attention(layer, **call):
    def model():
        query, value, key = Input((4, 3)), Input((5, 2)), Input((5, 3))
        return Model([query, value, key], Dense(1, name="head")(layer()([query, value, key], **call)))

    return model


def encoder():
    """Of a Transformer, over words: attention and a dense network, each beside what goes into it. What is attended is
    normalised first: MultiHeadAttention takes the mask off the tensor that it is given, so that what comes after it in
    Keras, and not in Glia, sees none."""
    x = Input((5,))
    y = words(x, 4)
    for part in ["first", "second"]:
        normal = kl.LayerNormalization(name=f"{part}_norm")(y)
        y = kl.Add()([y, kl.MultiHeadAttention(2, 2, use_bias=False, name=f"{part}_heads")(normal, normal)])
        wide = Dense(6, "gelu", name=f"{part}_wide")(kl.LayerNormalization(name=f"{part}_attended")(y))
        y = kl.Add()([y, Dense(4, name=f"{part}_narrow")(wide)])
    return Model(x, Dense(1, "sigmoid", name="head")(GlobalAveragePooling1D()(y)))


def normalized(axis):
    def model():
        x = Input((3, 4, 2))
        y = kl.LayerNormalization(axis=axis, name="normalized")(Dense(5, "tanh", name="hidden")(x))
        return Model(x, Dense(2, name="head")(y))

    return model


PROBABILITY = {"head": BINARY}
CAUSAL = {"use_causal_mask": True}
PADDED = {"targets": {"head": SPARSE}, "inputs": {0: partial(texts, shortest=1)}}
ATTENTION = {
    "heads": Graph(to_itself(heads)[0]),
    "heads_causal": Graph(to_itself(heads, **CAUSAL)[0], optimizer=adam),
    "heads_masked": Graph(to_itself(heads)[1], **PADDED),
    "heads_masked_causal": Graph(to_itself(heads, **CAUSAL)[1], **PADDED),
    "heads_other_keys": Graph(other_keys),
    "groups": Graph(to_itself(groups)[0]),
    "groups_masked": Graph(to_itself(groups)[1], **PADDED),
    "groups_scores": Graph(scores, {"steps": ("mse", "normal"), "whole": ("mse", "normal")}),
    "attention": Graph(plain_attention(kl.Attention)),
    "attention_causal": Graph(plain_attention(kl.Attention, **CAUSAL)),
    "attention_masked": Graph(to_itself(kl.Attention)[1], **PADDED),
    "attention_scaled": Graph(plain_attention(partial(kl.Attention, use_scale=True, name="scaled"), **CAUSAL)),
    "attention_concat": Graph(
        plain_attention(partial(kl.Attention, use_scale=True, score_mode="concat", name="scaled"))
    ),
    "attention_concat_masked": Graph(to_itself(partial(kl.Attention, score_mode="concat"))[1], **PADDED),
    "encoder": Graph(encoder, PROBABILITY, options=ACCURACY, inputs={0: partial(texts, shortest=1)}),
    "additive": Graph(plain_attention(partial(kl.AdditiveAttention, name="additive"))),
    "additive_plain": Graph(plain_attention(partial(kl.AdditiveAttention, use_scale=False), **CAUSAL)),
    "additive_masked": Graph(to_itself(partial(kl.AdditiveAttention, name="additive"))[1], **PADDED),
    "normalized_2_3": Graph(normalized([-2, -1])),
    "normalized_1_3": Graph(normalized([1, 3])),
}
