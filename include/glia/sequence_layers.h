// Layers over sequences: rows of shape (steps, features). Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>

#include <string>

namespace GLIA_API glia {

/// Masks steps whose features all are `mask_value`, and makes these features 0: layers behind it that know masks pass over such
/// steps (docs/sequences.md says which). (steps, features) -> the same. Throws ValueError for a value that is not finite.
class Masking : public Layer {
 public:
  explicit Masking(double mask_value = 0, const std::string& name = {});
};

/// The mean over the steps, without those that are masked: (steps, features) -> (features,), or with keepdims (1, features). NaN of
/// a row that is masked altogether. Throws ShapeError for rows of another rank.
class GlobalAveragePooling1D : public Layer {
 public:
  explicit GlobalAveragePooling1D(bool keepdims = false, const std::string& name = {});
};

/// What SimpleRNN, LSTM and GRU have in common.
///
/// With `return_sequences` they give what they computed in every step, (steps, units); else in the last, (units,). With
/// `return_state` their states follow as further outputs, (units,) each: apply() gives them all. Where they are applied to more than
/// the sequence, {x, h} or of an LSTM {x, h, c}, they begin with those states; else with zeros. Masked steps leave states alone, and give
/// what was given before.
///
/// With `stateful` a layer begins each batch, in fit, evaluate and predict alike, with the states that the batch before ended with, row
/// by row, until Model::reset_states(): for series that are cut into pieces, in order (fit's shuffle = false). Its states are weights
/// that are not trained, "state" and of an LSTM "carry", (batch_size, units) each. A batch of another number of rows is a ShapeError.
struct RecurrentOptions {
  ActivationName activation = "tanh";
  ActivationName recurrent_activation = "sigmoid";  ///< of the gates; a SimpleRNN has none
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName recurrent_initializer = "orthogonal";
  InitializerName bias_initializer = "zeros";
  bool unit_forget_bias = true;  ///< of an LSTM: its forget gates' biases begin with 1
  RegularizerName kernel_regularizer = "none";
  RegularizerName recurrent_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";
  ConstraintName recurrent_constraint = "none";
  ConstraintName bias_constraint = "none";
  double dropout = 0;  ///< of the features, the same in every step (Gal and Ghahramani 2016)
  double recurrent_dropout =
      0;  ///< of the state on its way to the recurrent weights, likewise, and for all gates alike
  bool reset_after = true;  ///< of a GRU: the reset gate comes after the product, with a bias of its own
  bool return_sequences = false;
  bool return_state = false;
  bool go_backwards = false;  ///< the last step first; sequences are returned in that order
  bool stateful = false;      ///< batches go on where the one before ended
  int batch_size = 0;         ///< the rows of each batch, which `stateful` asks for
  bool unroll = false;     ///< accepted, and without effect: steps are always laid out when a model is built
  Shape input_shape = {};  ///< of one row; see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// h' = activation(x kernel + bias + h recurrent_kernel): (steps, features) -> (units,). Weights: kernel (features, units),
/// recurrent_kernel (units, units), bias (units,). Throws ValueError for units below 1, rates outside [0, 1) and stateful without a batch_size, when built ShapeError
/// for rows that are no sequences of at least one step.
class SimpleRNN : public Layer {
 public:
  explicit SimpleRNN(int units, const RecurrentOptions& options = {});
};

/// Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000): as SimpleRNN, with four gates in the order input, forget,
/// cell, output: kernel (features, 4 units), recurrent_kernel (units, 4 units), bias (4 units,). States: h, c.
class LSTM : public Layer {
 public:
  explicit LSTM(int units, const RecurrentOptions& options = {});
};

/// Gated recurrent units (Cho et al. 2014): as SimpleRNN, with three gates in the order update, reset, candidate: kernel
/// (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units), the second row of which goes along with the state, or
/// where not reset_after (3 units,).
class GRU : public Layer {
 public:
  explicit GRU(int units, const RecurrentOptions& options = {});
};

struct BidirectionalOptions {
  std::string merge_mode = "concat";  ///< or "sum", "mul", "ave"; "none" gives both outputs
  bool trainable = true;              ///< as set_trainable
  std::string name = {};
};

/// A recurrent layer, and a copy of it that goes backwards, whose sequences are turned round again; their outputs are merged. With
/// return_state the states of both follow, those of the first in front; initial states are given likewise. Each gives 0 in masked steps
/// where sequences are returned. The layer that is given is copied, and stays as it is.
///
///     glia::Bidirectional(glia::LSTM(32, {.return_sequences = true}))
class Bidirectional : public Layer {
 public:
  /// Throws ValueError for a layer that is not recurrent, and for another merge_mode.
  explicit Bidirectional(const Layer& layer, const BidirectionalOptions& options = {});
  /// With a layer of its own for the way back. Throws ValueError where the two do not go opposite ways, or return other things.
  Bidirectional(const Layer& layer, const Layer& backward_layer, const BidirectionalOptions& options = {});
};

/// A layer applied to every step: (steps, ...) -> (steps, what the layer makes of (...)). The steps of a row are rows to it: a
/// batch normalisation sees all of them. Throws ShapeError for rows without steps, and what the layer throws.
class TimeDistributed : public Layer {
 public:
  explicit TimeDistributed(const Layer& layer, const std::string& name = {});
};

}  // namespace glia
