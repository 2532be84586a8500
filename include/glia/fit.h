// What fit, evaluate and predict are told, and what gives them batches.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>
#include <glia/datasets.h>  // defines: Dataset
#include <glia/macros.h>
#include <glia/tensor.h>
#include <glia/tensors.h>  // defines: Tensors

#include <cstdint>
#include <map>
#include <optional>

namespace GLIA_API glia {

/// Batches made on demand, for data that is generated or does not fit memory. fit asks for them on a thread of
/// its own, one ahead of the training step; the very first, which tells the shapes, on the caller's thread. So a source may not
/// use the model that is trained, nor its context: that is a StateError.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Batches in an epoch; at least 1.
  virtual std::int64_t batches() const = 0;
  /// Batch `index` of epoch `epoch`, both from 0. All but the last have the same number of rows; dtypes and
  /// row shapes never change. An exception it throws ends fit and reaches fit's caller.
  virtual Dataset batch(std::int64_t epoch, std::int64_t index) = 0;
};

/// Rows to validate on: `.validation_data = test` or `.validation_data = {x, y}`. Not owned: they must live
/// while fit runs.
class ValidationData {
 public:
  ValidationData() = default;
  ValidationData(const Dataset& data)
      : x_(data.inputs()), y_(data.targets()), sample_weight_(data.weights()) {}
  ValidationData(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {})
      : x_(x), y_(y), sample_weight_(sample_weight) {}

  explicit operator bool() const { return static_cast<bool>(x_); }
  const Tensors& x() const { return x_; }
  const Tensors& y() const { return y_; }
  const Tensors& sample_weight() const { return sample_weight_; }

 private:
  Tensors x_, y_, sample_weight_;
};

struct FitOptions {
  int epochs = 1;
  std::int64_t batch_size = 32;
  /// 0 silent, 1 progress bar (one line an epoch where stdout is not a terminal), 2 one line an epoch.
  int verbose = 1;
  double validation_split = 0.0;           ///< share of the rows, taken from the end, before shuffling
  ValidationData validation_data = {};     ///< overrides validation_split
  std::int64_t validation_batch_size = 0;  ///< 0: batch_size
  bool shuffle = true;
  std::optional<std::uint64_t> seed = {};  ///< of the shuffle; default: the model's
  int initial_epoch = 0;
  /// A folder of models that Model::save or a ModelCheckpoint of whole models wrote, or one such file: the newest whole one gives
  /// weights, what the optimizer keeps, the learning rate that callbacks set, their states, and the epoch that fit goes on with, behind
  /// their on_train_begin(). Damaged files are passed over, with a warning in the log; where there is none, fit begins as it would, at
  /// initial_epoch. FileError, and an unchanged model, for a file whose weights or class of optimizer are others.
  std::string resume_from = {};
  int validation_freq = 1;  ///< validate after every so many epochs
  /// Batches of an epoch: the next one goes on where it ended, and the rows begin anew, in another order, when they are used up.
  /// 0: all there are.
  std::int64_t steps_per_epoch = 0;
  std::int64_t validation_steps =
      0;  ///< batches that are validated on, always the first ones; 0: all there are
  Callbacks callbacks = {};
  /// What the rows of each class count in the loss; a class that is not named counts 1. For labels, one-hot rows, and
  /// single 0/1 targets, on the CPU. Not for validation.
  std::map<int, double> class_weight = {};
  /// What each row counts in the loss, (rows,), on the CPU; not along with class_weight. Of several outputs by position or
  /// name, of some of them or of all; class_weight is for models of one.
  Tensors sample_weight = {};
  /// Bytes of training data to hold on the device; a larger set streams. 0: as much as fits the device.
  std::int64_t memory_budget = 0;
};

struct EvaluateOptions {
  std::int64_t batch_size = 32;
  int verbose = 1;
  Tensors sample_weight = {};  ///< as fit's
  bool flip_average = false;   ///< as predict's
  Callbacks callbacks = {};    ///< whose on_test_ hooks are called
};

struct PredictOptions {
  std::int64_t batch_size = 32;
  int verbose = 1;
  /// Outputs are the means of those for the images and for their mirror images (left and right exchanged), in one
  /// pass on the device. Throws ShapeError where rows are not (height, width, channels).
  bool flip_average = false;
  Callbacks callbacks = {};  ///< whose on_predict_ hooks are called
};

/// The gradients of one batch's mean loss, without an update.
struct Gradients {
  double loss = 0;
  TensorList weights;  ///< one for each of get_weights() that is trained, same shapes
  TensorList
      inputs;  ///< one for each input, same shapes, where they were asked for; zeros where no loss depends on it
};

struct GradientOptions {
  Tensors sample_weight = {};  ///< as fit's
  bool inputs = false;         ///< of the inputs too
};

}  // namespace glia
