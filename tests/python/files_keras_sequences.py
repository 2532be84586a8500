# Layers for sequences in files of Keras's: recurrent ones with their states, masks, attention with what it is told in its call.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import zipfile

import numpy as np

from keras_and_glia import assert_close, assert_trains_on, assert_travels, folder, glia, keras, of_one_layer, predicted, refused, rows_for, run
from keras import initializers, layers, optimizers, regularizers

STEPS = (5, 4)
RECURRENT = dict(kernel_initializer="he_uniform", recurrent_initializer=initializers.Orthogonal(0.7), bias_initializer="ones", dropout=0.1,
                 recurrent_dropout=0.2, kernel_regularizer="l2", recurrent_regularizer=regularizers.L1(0.01), bias_constraint="non_neg")
LAYERS = {
    "layer_normalization_axes": (lambda: layers.LayerNormalization(axis=[1, 2]), STEPS),
    "layer_normalization_first_axis": (lambda: layers.LayerNormalization(axis=1), STEPS),
    "simple_rnn": (lambda: layers.SimpleRNN(3), STEPS),
    "simple_rnn_options": (lambda: layers.SimpleRNN(3, activation="relu", return_sequences=True, go_backwards=True, unroll=True, **RECURRENT), STEPS),
    "lstm": (lambda: layers.LSTM(3), STEPS),
    "lstm_options": (lambda: layers.LSTM(3, activation=layers.LeakyReLU(0.15), recurrent_activation="hard_sigmoid", return_sequences=True,
                                         go_backwards=True, **RECURRENT), STEPS),
    "lstm_bare": (lambda: layers.LSTM(3, use_bias=False, unit_forget_bias=False), STEPS),
    "gru": (lambda: layers.GRU(3, return_sequences=True), STEPS),
    "gru_before": (lambda: layers.GRU(3, reset_after=False, recurrent_activation="tanh", **RECURRENT), STEPS),
    "bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True, **RECURRENT), merge_mode="sum"), STEPS),
    "bidirectional_named": (lambda: layers.Bidirectional(layers.GRU(3, name="mine"), backward_layer=layers.SimpleRNN(3, go_backwards=True, name="yours")),
                            STEPS),
    "bidirectional_mul": (lambda: layers.Bidirectional(layers.SimpleRNN(3), merge_mode="mul"), STEPS),
    "bidirectional_ave": (lambda: layers.Bidirectional(layers.GRU(3, reset_after=False), merge_mode="ave"), STEPS),
    "time_distributed": (lambda: layers.TimeDistributed(layers.Dense(3, activation="tanh")), STEPS),
    "time_distributed_image": (lambda: layers.TimeDistributed(layers.Conv2D(3, 2)), (2, 4, 4, 2)),
    "time_distributed_chain": (lambda: layers.TimeDistributed(keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.BatchNormalization()])), STEPS),
    "masking": (lambda: layers.Masking(0.5), STEPS),
    "global_average_1d": (lambda: layers.GlobalAveragePooling1D(keepdims=True), STEPS),
}


def test_every_layer():
    for name, (make, shape) in LAYERS.items():
        assert_travels(of_one_layer(make(), shape), name)


def masked_rows(model, count=3):
    """Rows for a model's inputs, of which the last steps are 0, so that masks count."""
    rows = rows_for(model, count)
    for row in rows:
        if row.ndim > 1 and row.shape[1] == STEPS[0]:
            row[1, 3:] = 0
            row[2, 2:] = 0
    return rows


def test_states_and_both_ways():
    x, h, c = keras.Input(STEPS), keras.Input((3,)), keras.Input((3,))
    y, last, cell = layers.LSTM(3, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    sequence, state = layers.GRU(3, return_sequences=True, return_state=True)(x, initial_state=h)
    ahead, back, *states = layers.Bidirectional(layers.GRU(3, return_sequences=True, return_state=True), merge_mode=None)(x, initial_state=[h, c])
    merged = layers.Bidirectional(layers.LSTM(2, return_state=True))(y)
    shared = layers.SimpleRNN(3, name="shared")
    outputs = [y, last, cell, sequence, state, ahead, back, *states, *merged, shared(x, initial_state=h), shared(x)]
    assert_travels(keras.Model([x, h, c], outputs), "states")


def test_stateful_layers():
    model = keras.Sequential([layers.Input(STEPS, batch_size=3), layers.LSTM(3, stateful=True, return_sequences=True),
                              layers.Bidirectional(layers.GRU(2, stateful=True)), layers.Dense(2)])
    again = assert_travels(model, "stateful")
    assert again.layers[0].stateful and again.inputs[0].shape[0] == 3


def test_masks():
    numbers, x = keras.Input((5,), name="numbers"), keras.Input(STEPS, name="x")
    h = keras.Input((4,), name="h")
    words, series = layers.Embedding(5, 4, mask_zero=True)(numbers), layers.Masking()(x)
    told = layers.LSTM(4, return_sequences=True, name="told")(series)
    outputs = [layers.GRU(3)(words), layers.Bidirectional(layers.LSTM(3, return_sequences=True))(series), layers.GRU(2)(told),
               layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.Dense(3)(words))),
               layers.GlobalAveragePooling1D()(layers.Add()([words, series, told])), layers.GRU(2)(layers.Concatenate()([words, series])),
               layers.GRU(2)(layers.Concatenate(axis=1)([words, series])), layers.TimeDistributed(layers.Dense(2))(series),
               layers.GRU(4)(series, initial_state=h),  # whose mask Keras forgets
               layers.SimpleRNN(2)(layers.Attention()([words, series])),
               keras.Sequential([layers.Input(STEPS), layers.Dense(3), layers.GRU(2)])(series)]
    model = keras.Model([numbers, x, h], outputs)
    assert_travels(model, "masks", rows=masked_rows)
    chain = keras.Sequential([layers.Input((5,), name="numbers"), layers.Embedding(5, 3, mask_zero=True), layers.BatchNormalization(), layers.LSTM(3, return_sequences=True), layers.GRU(2)])
    assert_travels(chain, "masked_chain", rows=masked_rows)


def test_masks_of_layers_with_initial_states():
    """Keras 2 told them, and so does Glia; Keras 3 does where it is told."""
    with zipfile.ZipFile(pathlib.Path(__file__).parent.parent / "golden" / "keras.zip") as archive:
        archive.extractall(folder, ["keras_2_decoder.h5", "keras_2_decoder.npz"])
    glia("copy", folder / "keras_2_decoder.h5", folder / "copy.keras")
    model = keras.models.load_model(folder / "copy.keras")
    with np.load(folder / "keras_2_decoder.npz") as arrays:
        assert_close(predicted(model, [arrays["input_0"], arrays["input_1"]]), [arrays["output_0"]], "decoder")
    assert_travels(model, "decoder", rows=masked_rows)
    numbers, x, h = keras.Input((5,), name="numbers"), keras.Input(STEPS, name="x"), keras.Input((3,))
    words, series = layers.Embedding(5, 4, mask_zero=True)(numbers), layers.Masking(0.0)(x)
    for i, merged in enumerate([layers.Concatenate(), layers.Concatenate(axis=1), layers.Add()]):
        y = merged([words, series])
        both = layers.Bidirectional(layers.GRU(3))
        model = keras.Model([numbers, x, h], [both(y, initial_state=[h, h], mask=y._keras_mask), layers.Dense(2)(y)])
        again = assert_travels(model, f"merged_{i}", rows=masked_rows)
        assert any(layer.name.startswith("mask_") for layer in again.operations)


def test_masks_make_layers_deeper():
    """Keras's own operations on masks take part in the order of layers, and so in the places of their weights."""
    x = keras.Input(STEPS)
    one = layers.Dense(4, name="a")(layers.Dense(4, name="b")(x))
    other = layers.LSTM(4)(layers.Masking()(layers.Dense(4, name="c")(x)))
    late = layers.Dense(4, name="e")(layers.LSTM(4)(layers.Dense(4, name="d")(one)))
    assert_travels(keras.Model(x, [layers.Add()([other, late]), layers.GRU(2)(one)]), "deeper")
    y = layers.GRU(4, name="g")(layers.Masking()(layers.Dense(4, name="p")(x)))
    z = layers.GRU(4, name="h")(layers.Dropout(0.5)(layers.Dense(4, name="q")(x)))
    assert_travels(keras.Model(x, layers.Concatenate()([z, y])), "deeper_by_a_mask")


def test_attention():
    q, v, k, seen = keras.Input((4, 6)), keras.Input((5, 6)), keras.Input((5, 6)), keras.Input((4, 5), name="numbers_seen")
    heads = layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, dropout=0.1, kernel_regularizer="l2", bias_constraint="non_neg")
    y, scores = heads(q, v, return_attention_scores=True, use_causal_mask=True)
    shared = layers.MultiHeadAttention(2, 3, name="shared")
    outputs = [y, scores, layers.MultiHeadAttention(2, 3, use_bias=False)(q, v, k), layers.MultiHeadAttention(2, 3)(query=q, value=v, key=k),
               layers.GroupQueryAttention(3, 4, 2)(q, v), layers.GroupQueryAttention(3, 4, 2, use_bias=False)(q, v, key=k, use_causal_mask=True),
               layers.Attention()([q, v]), layers.Attention(use_scale=True, score_mode="concat")([q, v, k], use_causal_mask=True),
               *layers.Attention(use_scale=True)([q, v], return_attention_scores=True), layers.AdditiveAttention()([q, v]),
               *layers.AdditiveAttention(use_scale=False, dropout=0.1)([q, v, k], return_attention_scores=True), shared(q, v), shared(v, k)]
    assert_travels(keras.Model([q, v, k], outputs), "attention")
    outputs = [layers.MultiHeadAttention(2, 3)(q, v, attention_mask=seen), layers.MultiHeadAttention(2, 3)(q, v, key=k, attention_mask=seen)]
    assert_travels(keras.Model([q, v, k, seen], outputs), "attention_masks", [".keras"], rows=lambda m: [*rows_for(m)[:3], np.tril(np.ones((3, 4, 5), "float32"))])


def of_sequences():
    """Optimizers keep something of each of its weights: of those within layers, of numbers, of tensors of three axes."""
    x = keras.Input(STEPS)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Masking()(x))
    z = layers.MultiHeadAttention(2, 3)(y, y)
    z = layers.Attention(use_scale=True, score_mode="concat")([layers.GroupQueryAttention(3, 2, 1)(z, y), layers.TimeDistributed(layers.Dense(6))(y)])
    return keras.Model(x, layers.Dense(2)(layers.GRU(3)(layers.LayerNormalization(axis=[1, 2])(z))))


def test_training_goes_on_in_glia_and_back_in_keras():
    for optimizer in (optimizers.Adam(0.01), optimizers.RMSprop(0.01, momentum=0.8, centered=True)):
        assert_trains_on(of_sequences(), optimizer)


def test_what_glia_has_not_is_named():
    x, y, seen = keras.Input(STEPS), keras.Input(STEPS), keras.Input((5,))
    for layer, shape, *parts in [
        (layers.ConvLSTM1D(3, 2, name="memory"), (5, 6, 2), '"memory" (ConvLSTM1D)'),
        (layers.RNN(layers.StackedRNNCells([layers.LSTMCell(2), layers.GRUCell(2)])), STEPS, "(RNN)"),
        (layers.SimpleRNN(3, zero_output_for_mask=True), STEPS, "zero_output_for_mask"),
        (layers.LSTM(3, activation="softmax"), STEPS, "softmax"),
        (layers.Bidirectional(layers.GRU(3, activity_regularizer="l2")), STEPS, "activity_regularizer"),
        (layers.TimeDistributed(layers.Conv1D(2, 2, padding="causal")), (3, *STEPS), "causal"),
    ]:
        refused(of_one_layer(layer, shape), *parts)
    refused(keras.Model([x, seen], layers.GRU(2, name="told")(x, mask=seen)), '"told" (GRU)', "mask")
    for name, given in ("query_mask", seen), ("value_mask", seen):
        refused(keras.Model([x, y, seen], layers.MultiHeadAttention(2, 3, name="heads")(x, y, **{name: given})), '"heads"', name)
    refused(keras.Model([x, y], layers.MultiHeadAttention(2, 3, use_gate=True)(x, y)), "use_gate")
    twice = layers.Attention(name="twice")
    refused(keras.Model([x, y], [twice([x, y]), twice([x, y], use_causal_mask=True)]), '"twice"', "the same in all its calls")


run(globals())
