// DeepBelief: a deep belief network, a stack of restricted Boltzmann machines that are trained one after the other.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/rbm.h>
#include <glia/sequential.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace GLIA_API glia {

struct DeepBeliefOptions {
  /// Of every machine; visible_units are those of the first, the others' are bernoulli. The i-th draws by seed + i.
  RbmOptions rbm = {};
  /// Units for labels, one for each class, beside the features that the last machine sees: a softmax group, which it learns
  /// together with them. `rbm` has none.
  std::int64_t classes = 0;
};

struct ToModelOptions {
  int units = 0;                          ///< of a layer behind the stack, with weights drawn anew; 0: none
  ActivationName activation = "softmax";  ///< of that layer
  Shape input_shape = {};                 ///< of one row, which is flattened; default: (visible,)
};

/// A deep belief network (Hinton, Osindero and Teh 2006): each machine learns the features, p(h = 1 | v), that the one below makes of
/// its rows. What they learned begins a feed-forward model that labels then fine-tune; or, with classes, the last machine is a memory
/// of features and labels, and images of a class are drawn from it: chains with the label clamped, then one way down.
///
///     glia::DeepBelief dbn(784, {500, 250}, {.rbm = {.optimizer = glia::SGD{.learning_rate = 0.1}}});
///     dbn.fit(images, {.epochs = 10, .batch_size = 100});     // no labels
///     glia::Sequential model = dbn.to_model({.units = 10});
///     model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
///     model.fit(few_images, few_labels, {.epochs = 20});
///
/// Rows, devices, threads and errors are as an Rbm's; the machines share a context.
class DeepBelief {
 public:
  /// `hidden`: the units of each machine, from the rows up. Throws ValueError where there is none, and as Rbm.
  DeepBelief(std::int64_t visible, const std::vector<std::int64_t>& hidden,
             const DeepBeliefOptions& options = {});
  DeepBelief(DeepBelief&&) noexcept;
  DeepBelief& operator=(DeepBelief&&) noexcept;
  ~DeepBelief();

  std::size_t size() const;
  /// The i-th machine, from the rows up, which may be trained, read and set by itself. Throws ValueError where there is none.
  Rbm& rbm(std::size_t i);
  std::int64_t classes() const;

  /// Trains all machines, one after the other, each as Rbm::fit with these options; a History of each. Validation rows go up along
  /// with the others. Throws StateError where there are classes.
  std::vector<History> fit(const TensorView& x, const FitOptions& options = {});
  /// The same with labels, whole numbers (rows,) on the CPU; validation_data has labels then, too. Throws StateError where there are
  /// no classes, ValueError for labels outside them, ShapeError where rows and labels do not go together.
  std::vector<History> fit(const TensorView& x, const TensorView& labels, const FitOptions& options = {});

  /// The features of the last machine, (rows, its hidden units); its label units, where it has some, are 0. Lies where x does, with
  /// classes on the CPU.
  Tensor transform(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// p(class | features), by the last machine's free energies: (rows, classes). Lies on the CPU. Throws StateError where there are no
  /// classes.
  Tensor predict(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// Images: chains in the last machine, then the means of each layer from those of the one above: (rows, visible), on the CPU.
  /// Options as Rbm::sample has them; `start` is of the last machine's visible units, `clamped` and `binary` are of its chains.
  Tensor sample(const SampleOptions& options = {});
  /// The same of one class: its label unit is clamped to 1, the others to 0, features begin at even odds. Throws StateError where
  /// there are no classes, ValueError for a class that is none, and for a start or clamped units among the options.
  Tensor sample_class(std::int64_t label, const SampleOptions& options = {});

  /// Dense layers with sigmoids on copies of the kernels and hidden biases (of label units nothing), and what the options say behind
  /// them: built, not compiled, with the first machine's seed, on its device. Throws ValueError for options that cannot be, ShapeError
  /// for an input_shape of other than `visible` elements.
  Sequential to_model(const ToModelOptions& options = {}) const;

 private:
  class Stack;
  Stack& stack() const;
  std::unique_ptr<Stack> stack_;
};

}  // namespace glia
