#!/usr/bin/env python3
# Writes the golden values of layers over sequences that tests/golden_sequences_test.cpp compares with.
# SPDX-License-Identifier: Apache-2.0
"""Run:  python3 -m pip install keras torch safetensors;  python3 tests/golden/make_keras_sequences.py

keras_models.py says what sequences.safetensors has, stateful() what stateful.safetensors has.

In masked steps before the first that counts Glia gives the state that it was given, as Keras does with JAX; with
Torch, which makes these values, Keras gives zeros. Where there are both masks and initial states, the step that is
computed first is therefore never masked. A layer that is given initial states Keras 3 does not tell the mask of its
sequence, silently: here it is told (mask_of). Nor are all steps of a row before a GlobalAveragePooling1D: NaN.
"""

from keras_models import ACCURACY, BINARY, SPARSE, Graph, adam, model_values, sgd  # first: sets Keras's backend
from keras_attention import ATTENTION
from keras_values import golden, inputs_of, make_weights, normal, numbers, prefixed, random, targets_of, write
from keras_words import gaps, mask_of, texts, texts_and_an_empty_batch, words
from make_keras import hard_sigmoid

from functools import partial

import keras
import numpy as np
from keras import Input, Model, Sequential, constraints, layers as kl, regularizers
from keras.layers import GRU, LSTM, BatchNormalization, Bidirectional, Concatenate, Conv2D, Dense
from keras.layers import GlobalAveragePooling1D, Masking, SimpleRNN, TimeDistributed

# --- one kind of recurrent layer: `cell` makes each ---


def last(cell):
    x = Input((6, 3))
    return Model(x, Dense(2, name="head")(cell(5, name="rnn")(x)))


def every_step(cell):
    x = Input((5, 4))
    return Model(x, Dense(1, name="head")(cell(3, return_sequences=True, name="rnn")(x)))


def backwards(cell):
    """Whose second layer has no bias."""
    x = Input((5, 3))
    y = cell(2, go_backwards=True, return_sequences=True, name="all")(x)
    return Model(x, cell(2, go_backwards=True, use_bias=False, name="last")(y))


def activations(cell, first, second):
    """Two layers with these options."""
    x = Input((5, 3))
    y = cell(2, return_sequences=True, **first, name="first")(x)
    return Model(x, cell(2, **second, name="last")(y))


def masked(cell):
    """The mask goes through the first layer, to the second and to the loss."""
    x = Input((5, 3))
    y = cell(2, return_sequences=True, name="all")(Masking()(x))
    return Model(x, [Dense(1, name="steps")(y), cell(2, name="last")(y)])


def one_step(cell):
    x = Input((1, 3))
    return Model(x, cell(2, name="last")(x))


def states(cell, masking=kl.Identity):
    """Initial states, and all outputs used."""
    x, given = Input((5, 3)), Input((3,))
    rnn = cell(2, return_sequences=True, return_state=True, name="rnn")
    initial = [Dense(2, "tanh", name=f"state_{i}")(given) for i in range(len(rnn.state_size))]
    sequence = masking()(x)
    y, *final = rnn(sequence, initial_state=initial, mask=mask_of(sequence))
    both = final[0] if len(final) == 1 else Concatenate()(final)
    return Model([x, given], [Dense(1, name="steps")(y), Dense(1, name="whole")(both)])


CELLS = {"simple_rnn": SimpleRNN, "lstm": LSTM, "gru": GRU, "gru_reset_before": partial(GRU, reset_after=False)}


def gated(activation, recurrent_activation):
    return {"activation": activation, "recurrent_activation": recurrent_activation}


ACTIVATIONS = {
    "simple_rnn": ({"activation": "relu"}, {"activation": "gelu"}),
    "lstm": (gated("elu", hard_sigmoid), gated("softsign", "linear")),
    "gru": (gated("relu", hard_sigmoid), gated("gelu", "softsign")),
    "gru_reset_before": (gated("softsign", "gelu"), gated("elu", "sigmoid")),
}


def mse(*outputs):
    return {name: ("mse", "normal") for name in outputs}


LAST, LAST_AND_STEPS, STATES = mse("last"), mse("steps", "last"), mse("steps", "whole")
MASKED = {"inputs": {0: gaps}}


def of_one_kind(kind, cell):
    cases = {
        "last": Graph(partial(last, cell)),
        "sequences": Graph(partial(every_step, cell), optimizer=adam),
        "backwards": Graph(partial(backwards, cell), LAST),
        "activations": Graph(partial(activations, cell, *ACTIVATIONS[kind]), LAST),
        "masked": Graph(partial(masked, cell), LAST_AND_STEPS, **MASKED),
        "one_step": Graph(partial(one_step, cell), LAST),
        "states": Graph(partial(states, cell), STATES),
    }
    return {f"{kind}_{what}": case for what, case in cases.items()}


# --- recurrent layers: order, states, weights ---


def stacked():
    y = x = Input((5, 3))
    for cell, name in [(LSTM, "first"), (GRU, "second")]:
        y = cell(2, return_sequences=True, name=name)(y)
    return Model(x, SimpleRNN(3, name="last")(y))


def shared():
    a, b, rnn = Input((5, 3)), Input((6, 3)), LSTM(2, name="rnn")
    return Model([a, b], Dense(1, name="head")(Concatenate()([rnn(a), rnn(b)])))


def frozen():
    x = Input((5, 3))
    y = LSTM(2, return_sequences=True, trainable=False, name="frozen")(Dense(2, name="first")(x))
    return Model(x, SimpleRNN(2, name="last")(y))


def final(used, return_sequences=False):
    """A head of those of an LSTM's outputs that have these numbers."""
    x = Input((5, 3))
    outputs = LSTM(2, return_state=True, return_sequences=return_sequences, name="rnn")(x)
    chosen = [outputs[i] for i in used]
    return Model(x, Dense(1, name="head")(chosen[0] if len(chosen) == 1 else Concatenate()(chosen)))


def masked_backwards():
    """The mask of the sequence keeps its order, though the sequence is turned round."""
    x = Input((5, 3))
    y = LSTM(2, go_backwards=True, return_sequences=True, name="all")(Masking()(x))
    return Model(x, [Dense(1, name="steps")(y), SimpleRNN(2, go_backwards=True, name="last")(Masking()(x))])


def regularized():
    x = Input((5, 3))
    rnn = LSTM(
        2,
        unit_forget_bias=False,
        kernel_regularizer="l2",
        recurrent_regularizer=regularizers.L1L2(0.02, 0.03),
        bias_regularizer="l1",
        name="last",
    )
    return Model(x, rnn(x))


def constrained(cell):
    x = Input((5, 3))
    rnn = cell(
        2,
        kernel_constraint=constraints.MaxNorm(0.8),
        recurrent_constraint="unit_norm",
        bias_constraint=constraints.MaxNorm(0.4),
        name="last",
    )
    return Model(x, rnn(x))


# --- Bidirectional ---


def bidirectional(mode):
    """Over steps that are masked, and over the same where they are not."""
    x = Input((5, 2))
    masked = Masking()(x)
    all_steps = Bidirectional(LSTM(2, return_sequences=True, name="rnn"), mode, name="all")
    last = Bidirectional(LSTM(2, name="rnn"), mode, name="last")
    whole = Concatenate()([last(masked), last(x), GlobalAveragePooling1D()(all_steps(x))])
    return Model(x, [Dense(1, name="steps")(all_steps(masked)), Dense(1, name="whole")(whole)])


def bidirectional_gru():
    x = Input((5, 3))
    y = Bidirectional(GRU(2, return_sequences=True, name="rnn"), name="all")(x)
    return Model(x, Bidirectional(SimpleRNN(2, name="rnn"), "sum", name="last")(y))


def bidirectional_states(cell, order, masking=kl.Identity):
    """Initial states in this order, of two."""
    x, given = Input((5, 3)), Input((3,))
    initial = [Dense(2, "tanh", name=f"state_{i}")(given) for i in range(2)]
    rnn = Bidirectional(cell(2, return_sequences=True, return_state=True, name="rnn"), name="both")
    sequence = masking()(x)
    y, *final = rnn(sequence, initial_state=[initial[i] for i in order], mask=mask_of(sequence))
    return Model([x, given], [Dense(1, name="steps")(y), Dense(1, name="whole")(Concatenate()(final))])


def bidirectional_own():
    x = Input((5, 3))
    forward = LSTM(2, return_sequences=True, name="there")
    backward = GRU(2, activation="softsign", return_sequences=True, go_backwards=True, name="back")
    return Model(x, Dense(1, name="head")(Bidirectional(forward, backward_layer=backward, name="both")(x)))


def bidirectional_none():
    """Two outputs, and the mask on both."""
    x = Input((5, 3))
    left, right = Bidirectional(SimpleRNN(2, return_sequences=True, name="rnn"), None, name="both")(Masking()(x))
    return Model(x, [Dense(1, name="steps")(left), SimpleRNN(2, name="last")(right)])


# --- Embedding ---


def embedded():
    x = Input((6,))
    return Model(x, Dense(1, "sigmoid", name="head")(LSTM(2, name="rnn")(words(x))))


def embedded_mean():
    x = Input((6,))
    return Model(x, Dense(1, "sigmoid", name="head")(GlobalAveragePooling1D()(words(x, 3))))


def labelled():
    x = Input((5,))
    return Model(x, Dense(3, "softmax", name="head")(LSTM(2, return_sequences=True, name="rnn")(words(x))))


def labelled_and_whole():
    x = Input((6,))
    y = GRU(2, return_sequences=True, name="all")(words(x))
    return Model(x, [Dense(1, "sigmoid", name="steps")(y), SimpleRNN(1, activation="sigmoid", name="whole")(y)])


def encoder_decoder():
    source, target = Input((6,)), Input((5,))
    _, h, c = LSTM(2, return_state=True, name="encoder")(words(source, 3, "source_words"))
    answer = words(target, 2, "target_words")
    y = LSTM(2, return_sequences=True, name="decoder")(answer, initial_state=[h, c], mask=mask_of(answer))
    return Model([source, target], Dense(3, "softmax", name="head")(y))


# --- the ways of masks: layers before a loss that leaves masked steps out ---


def merged(merge, masking_of_b=Masking):
    a, b = Input((5, 2)), Input((5, 2))
    parts = [Dense(2, "tanh", name="left")(Masking()(a)), Dense(2, "tanh", name="right")(masking_of_b()(b))]
    return Model([a, b], Dense(1, name="head")(merge()(parts)))


def merged_three(merge, masking_of_last=Masking):
    inputs, maskings = [Input((5, 2)) for _ in range(3)], [Masking, Masking, masking_of_last]
    parts = [
        Dense(2, "tanh", name=name)(masking()(x))
        for name, masking, x in zip(["first", "second", "third"], maskings, inputs)
    ]
    return Model(inputs, Dense(1, name="head")(merge()(parts)))


def normalized(**options):
    """What is masked has no say in mean and variance, and is masked still behind them."""
    x = Input((5, 3))
    y = Dense(4, "tanh", name="first")(Masking()(x))
    y = kl.Activation("relu")(BatchNormalization(momentum=0.8, name="norm", **options)(y))
    return Model(x, [Dense(1, name="steps")(y), SimpleRNN(2, name="last")(y)])


def normalized_words(steps):
    x = Input((steps,))
    return Model(x, Dense(3, "softmax", name="head")(BatchNormalization(momentum=0.8, name="norm")(words(x, 3))))


def kept_mask():
    x = Input((5, 3))
    y = kl.LayerNormalization(name="norm")(Masking(1.5)(x))
    y = TimeDistributed(Dense(3, name="each"), name="distributed")(kl.Activation("tanh")(y))
    return Model(x, Dense(1, name="head")(y))


def flattened():
    """Which loses the mask."""
    x = Input((5, 3))
    y = SimpleRNN(2, return_sequences=True, name="rnn")(Masking()(x))
    return Model(x, Dense(2, name="head")(kl.Flatten()(y)))


def reshaped():
    """Likewise."""
    x = Input((6, 2))
    y = kl.Reshape((3, 4))(Masking()(x))
    return Model(x, Dense(1, name="head")(SimpleRNN(3, return_sequences=True, name="rnn")(y)))


# --- TimeDistributed ---


def distributed_dense():
    x = Input((5, 3))
    y = TimeDistributed(Dense(4, "tanh", kernel_regularizer="l2", name="each"), name="distributed")(x)
    return Model(x, SimpleRNN(3, name="last")(y))


def distributed_windows():
    x = Input((2, 3, 4, 1))
    y = TimeDistributed(Conv2D(3, 2, activation="tanh", name="window"), name="windows")(x)
    y = TimeDistributed(kl.GlobalAveragePooling2D(), name="means")(y)
    return Model(x, SimpleRNN(2, name="last")(y))


def distributed_model():
    x = Input((5, 3))
    block = Sequential([Input((3,)), Dense(4, "tanh", name="one"), Dense(3, "tanh", name="two")], name="block")
    return Model(x, Dense(1, name="head")(TimeDistributed(block, name="distributed")(x)))


# --- the table ---

LABELS, PROBABILITY = {"head": SPARSE}, {"head": BINARY}
BOTH_ACCURACIES = ACCURACY | {"weighted_metrics": ["accuracy"]}
TEXTS, BOTH_MASKED = {"inputs": {0: texts}}, {"inputs": {0: gaps, 1: gaps}}
ALL_MASKED = {"inputs": {0: gaps, 1: gaps, 2: gaps}}
MERGE_MODES = ["concat", "sum", "mul", "ave"]

SEQUENCES = {name: case for kind, cell in CELLS.items() for name, case in of_one_kind(kind, cell).items()}
SEQUENCES |= {
    "stacked": Graph(stacked, LAST, adam),
    "shared": Graph(shared),
    "frozen": Graph(frozen, LAST, adam),
    "lstm_final_c": Graph(partial(final, [2])),
    "lstm_sequence_unused": Graph(partial(final, [1, 2], return_sequences=True)),
    "lstm_masked_states": Graph(partial(states, LSTM, Masking), STATES, inputs={0: partial(gaps, kept=[0])}),
    "masked_backwards": Graph(masked_backwards, LAST_AND_STEPS, **MASKED),
    "lstm_regularized": Graph(regularized, LAST),
    "lstm_constrained": Graph(partial(constrained, LSTM), LAST),
    "gru_constrained": Graph(partial(constrained, GRU), LAST),
}
SEQUENCES |= {
    f"bidirectional_{mode}": Graph(partial(bidirectional, mode), STATES, **MASKED) for mode in MERGE_MODES
}
SEQUENCES |= {
    "bidirectional_gru": Graph(bidirectional_gru, LAST, adam),
    "bidirectional_states": Graph(partial(bidirectional_states, LSTM, [0, 1, 1, 0]), STATES),
    "bidirectional_masked_states": Graph(
        partial(bidirectional_states, GRU, [0, 1], Masking), STATES, inputs={0: partial(gaps, kept=[0, -1])}
    ),
    "bidirectional_own": Graph(bidirectional_own),
    "bidirectional_none": Graph(bidirectional_none, LAST_AND_STEPS, **MASKED),
    "embedding": Graph(embedded, PROBABILITY, adam, ACCURACY, 0.2, **TEXTS),
    "embedding_weighted": Graph(embedded, PROBABILITY, options=BOTH_ACCURACIES, weighted=True, **TEXTS),
    "embedding_mean": Graph(embedded_mean, PROBABILITY, options=ACCURACY, inputs={0: partial(texts, shortest=1)}),
    "labelled": Graph(labelled, LABELS, options=BOTH_ACCURACIES, validation_split=0.2, **TEXTS),
    "labelled_empty_batch": Graph(labelled, LABELS, adam, ACCURACY, inputs={0: texts_and_an_empty_batch}),
    "labelled_and_whole": Graph(
        labelled_and_whole,
        {"steps": BINARY, "whole": BINARY},
        options={
            "metrics": {"steps": ["accuracy", "mae"], "whole": ["accuracy"]},
            "loss_weights": {"steps": 0.5, "whole": 2.0},
        },
        **TEXTS,
    ),
    "encoder_decoder": Graph(
        encoder_decoder, LABELS, adam, ACCURACY, 0.2, inputs={0: texts, 1: partial(texts, shortest=1)}
    ),
    "mask_add": Graph(partial(merged, kl.Add), **BOTH_MASKED),
    "mask_add_one": Graph(partial(merged, kl.Add, kl.Identity), **BOTH_MASKED),
    "mask_concatenate": Graph(partial(merged, Concatenate), **BOTH_MASKED),
    "mask_subtract": Graph(partial(merged, kl.Subtract), **BOTH_MASKED),
    "mask_average": Graph(partial(merged, kl.Average), **BOTH_MASKED),
    "mask_multiply": Graph(partial(merged, kl.Multiply), **BOTH_MASKED),
    "mask_multiply_one": Graph(partial(merged, kl.Multiply, kl.Identity), **BOTH_MASKED),
    "mask_multiply_three": Graph(partial(merged_three, kl.Multiply), **ALL_MASKED),
    "mask_maximum": Graph(partial(merged, kl.Maximum), **BOTH_MASKED),
    "mask_maximum_one": Graph(partial(merged, kl.Maximum, kl.Identity), **BOTH_MASKED),
    "mask_maximum_three": Graph(partial(merged_three, kl.Maximum), **ALL_MASKED),
    "mask_minimum": Graph(partial(merged, kl.Minimum), **BOTH_MASKED),
    "mask_minimum_two_of_three": Graph(partial(merged_three, kl.Minimum, kl.Identity), **ALL_MASKED),
    "mask_batch_norm": Graph(normalized, LAST_AND_STEPS, **MASKED),
    "mask_batch_norm_plain": Graph(partial(normalized, center=False, scale=False), LAST_AND_STEPS, **MASKED),
    "mask_batch_norm_frozen": Graph(partial(normalized, trainable=False), LAST_AND_STEPS, **MASKED),
    "mask_batch_norm_empty_batch": Graph(
        partial(normalized_words, 5), LABELS, adam, ACCURACY, inputs={0: texts_and_an_empty_batch}
    ),
    "mask_batch_norm_one_step": Graph(partial(normalized_words, 1), LABELS, **TEXTS),
    "mask_kept": Graph(kept_mask, options={"metrics": ["mae"]}, inputs={0: partial(gaps, value=1.5)}),
    "mask_flatten": Graph(flattened, **MASKED),
    "mask_reshape": Graph(reshaped, **MASKED),
    "distributed_dense": Graph(distributed_dense, LAST),
    "distributed_windows": Graph(distributed_windows, LAST),
    "distributed_model": Graph(distributed_model, optimizer=adam),
}


def sequences():
    return model_values("sequences", SEQUENCES | ATTENTION)


# --- states that go on from batch to batch ---

SERIES = 4  # rows of a batch, each of which goes on in the next


def fresh_stateful(cell, weights=None):
    """Its states are copied for each batch, as Keras writes over those that Torch reads once more for gradients."""
    x, rnn = Input(batch_shape=(SERIES, 3, 2)), cell(3, stateful=True, name="rnn")
    loop = rnn.inner_loop

    def loop_over_copies(initial_state, **rest):
        return loop(initial_state=[keras.ops.copy(state) for state in initial_state], **rest)

    rnn.inner_loop = loop_over_copies
    model = Model(x, Dense(2, name="head")(rnn(x)))
    model.compile(optimizer=sgd(), loss="mse")
    for variable, weight in zip(model.trainable_weights, weights or [], strict=bool(weights)):
        variable.assign(weight)
    return model


def compute_stateful(cell, weights, x, y):
    """What a model gives, call after call: predictions, which go on, an evaluation, and two epochs."""
    model, options = fresh_stateful(cell, weights), {"batch_size": SERIES, "verbose": 0}
    x, y = inputs_of(x), targets_of(y)
    values = {"first": model.predict(x, **options), "second": model.predict(x, **options)}
    values["evaluated"] = np.array([model.evaluate(x, y, **options)], keras.config.floatx())
    model.get_layer("rnn").reset_state()
    values["reset"] = model.predict(x, **options)
    history = model.fit(x, y, epochs=2, shuffle=False, **options).history
    values["loss"] = np.array(history["loss"], keras.config.floatx())
    values["third"] = model.predict(x, **options)
    after = [keras.ops.convert_to_numpy(variable.value) for variable in model.trainable_weights]
    return values | prefixed("after", numbers(after))


def stateful():
    """Of each kind of layer x, y, weights/0 ... as they are trained, and what compute_stateful() says."""
    out = {}
    for kind, cell in CELLS.items():
        generator = random("stateful", kind)
        shapes = [variable.shape for variable in fresh_stateful(cell).trainable_weights]
        weights = make_weights(generator, shapes)
        x, y = normal(generator, (3 * SERIES, 3, 2)), normal(generator, (3 * SERIES, 2))
        values = {"x": x, "y": y} | prefixed("weights", numbers(weights))
        out |= prefixed(kind, values | golden(kind, lambda: compute_stateful(cell, weights, x, y)))
    return out


if __name__ == "__main__":
    write(sequences, stateful)
