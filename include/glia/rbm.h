// Rbm: a restricted Boltzmann machine, trained by contrastive divergence.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/compile.h>
#include <glia/fit.h>
#include <glia/history.h>
#include <glia/macros.h>
#include <glia/model.h>
#include <glia/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// What the visible units of a machine are: numbers in [0, 1] taken as probabilities of a 1, or real numbers of deviation 1 about
/// their means, as standardised features are.
enum class VisibleUnits { bernoulli, gaussian };

struct RbmOptions {
  VisibleUnits visible_units = VisibleUnits::bernoulli;
  /// How many of the last visible units are a softmax group, of which exactly one is on, as labels are; 0: none. They are binary,
  /// whatever the others are.
  std::int64_t softmax_units = 0;
  int gibbs_steps = 1;  ///< the k of CD-k: steps of the chains in an update
  /// How many chains go on from update to update (persistent contrastive divergence); 0: chains begin at the rows of each batch.
  std::int64_t persistent_chains = 0;
  /// By name or object, with schedules and clipping as any model has them.
  OptimizerName optimizer = SGD{.learning_rate = 0.1, .momentum = 0.5};
  double weight_decay =
      0;  ///< lambda of lambda / 2 * the sum of squares of the kernel, which biases are spared
  /// What share of rows is to switch each hidden unit on, and what missing it costs; 0: nothing.
  double sparsity_target = 0.1, sparsity_cost = 0;
  double sparsity_decay = 0.9;  ///< of the moving mean of what hidden units do
  InitializerName kernel_initializer = RandomNormal{.stddev = 0.01};
  std::uint64_t seed = 0;               ///< of initial weights, order of rows, and draws
  std::optional<Device> device = {};    ///< default: the automatic device
  std::optional<Context> context = {};  ///< takes precedence over device
};

/// How Rbm::sample draws.
struct SampleOptions {
  std::int64_t rows = 16;  ///< chains, each a row of the result; where `start` is given, as many as that has
  std::int64_t steps = 1000;
  /// Where chains begin, (rows, visible). Unless given: each visible unit on or off at even odds, or a normal number; of a softmax
  /// group one, each as likely.
  std::optional<TensorView> start = {};
  /// How many of the last visible units stay as `start` has them; of a softmax group all or none.
  std::int64_t clamped = 0;
  bool binary = false;  ///< the last draws themselves, in place of the means that they were drawn from
  std::uint64_t seed = 0;
};

/// A restricted Boltzmann machine: visible units v and binary hidden units h, joined by a kernel W and without connections among
/// themselves, with probability in proportion to e^-E(v, h) (Smolensky 1986; Freund and Haussler 1991):
///
///     E(v, h) = -b.v - c.h - v.W h                      bernoulli
///     E(v, h) = |v - b|^2 / 2 - c.h - v.W h             gaussian
///     F(v)    = -log sum over h of e^-E = -b.v - sum_j softplus(c_j + (v W)_j)    (or |v - b|^2 / 2 - ...)
///
/// over all v of which exactly one of the softmax units, where there are any, is 1: given h that one is drawn by a softmax over their
/// inputs (Hinton, Osindero and Teh 2006).
///
/// fit follows the contrastive divergence of Hinton 2002, with persistent chains where they are asked for (Tieleman 2008): the
/// loss is mean F(rows) - mean F(chains), whose gradient, the chains being taken as they are, is that of an update. Weight decay,
/// momentum and the sparsity target are those of Hinton 2010, "A practical guide to training restricted Boltzmann machines".
///
///     glia::Rbm rbm(784, 256, {.optimizer = glia::SGD{.learning_rate = 0.05, .momentum = 0.5}});
///     rbm.fit(images, {.epochs = 10, .batch_size = 100, .validation_data = {held_out, {}}});
///     glia::Tensor features = rbm.transform(images);      // (rows, 256): p(h = 1 | v)
///     glia::Tensor dreams = rbm.sample({.rows = 100, .steps = 2000});
///
/// Rows are (rows, visible), or of any shape with as many elements; uint8 with its scale, and what else a model takes. All calls
/// are synchronous. Draws are those of the same seed on every device. One thread at a time uses it: another gets a StateError.
class Rbm {
 public:
  /// Makes the weights: the kernel by its initializer, biases 0. Allocates on the device. Throws ValueError for numbers of units
  /// below 1 and options that cannot be, DeviceError, OutOfMemoryError.
  Rbm(std::int64_t visible, std::int64_t hidden, const RbmOptions& options = {});
  Rbm(Rbm&&) noexcept;
  Rbm& operator=(Rbm&&) noexcept;
  ~Rbm();

  std::int64_t visible() const;
  std::int64_t hidden() const;
  const RbmOptions& options() const;

  /// Trains, in the engine's own loop: options, callbacks and History are Model::fit's. "loss" is the difference of free
  /// energies above, which need not fall. "val_loss", of validation rows, is what to watch: minus their log pseudo-likelihood a row,
  /// estimated from one flipped unit of each (the same ones in each epoch) and exact in a softmax group, or of gaussian units half
  /// the squared error of their reconstruction. A further fit goes on, with its chains. Throws ShapeError for rows of another width,
  /// ValueError for rows on the CPU that are not in [0, 1] (gaussian: not finite), or whose softmax units do not sum to 1, and as
  /// Model::fit.
  History fit(const TensorView& x, const FitOptions& options = {});

  /// p(h = 1 | v): (rows, hidden). This and the next four return their result where x lives, and throw as fit. Here and in the
  /// next, softmax units may also be all 0, where they are not known.
  Tensor transform(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// The means of the visible units given those of the hidden ones: (rows, visible). Nothing is drawn.
  Tensor reconstruct(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// The means of the visible units given these h, (rows, hidden): (rows, visible).
  Tensor inverse_transform(const TensorView& h, const PredictOptions& options = {.verbose = 0});
  /// F(v): (rows,).
  Tensor free_energy(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// p(softmax unit | the other visible ones), a softmax over -F with each of them on: (rows, softmax_units). Which of them
  /// is on in x, if any, does not count. Throws StateError for a machine without such units.
  Tensor predict(const TensorView& x, const PredictOptions& options = {.verbose = 0});
  /// The mean over rows of n * log sigmoid(F(v with one unit flipped) - F(v)), the unit drawn for each row among all n outside of a
  /// softmax group: an estimate of the log pseudo-likelihood (Besag 1975) as scikit-learn's score_samples makes it. A softmax group
  /// adds log p(its unit | the others). Throws StateError for gaussian units.
  double pseudo_likelihood(const TensorView& x, const EvaluateOptions& options = {.verbose = 0});

  /// Chains of Gibbs sampling: (rows, visible), on the CPU. A step draws all hidden units, then all visible ones; the same seed
  /// gives the same. Allocates. Throws ValueError for options that cannot be, ShapeError for a start of another width.
  Tensor sample(const SampleOptions& options = {});

  /// Copies of kernel (visible, hidden), hidden bias (hidden,) and visible bias (visible,), on the CPU.
  TensorList get_weights() const;
  /// Throws ShapeError where number or shapes differ; nothing changes then.
  void set_weights(const std::vector<Tensor>& weights);

  /// The model whose training fit is, for what a model has beside: learning rate, files of weights (which have the chains, too),
  /// explain(), context(). Its output is the difference of free energies of a batch.
  Model& model();
  const Model& model() const;

 private:
  class Machine;
  Machine& machine() const;
  std::unique_ptr<Machine> machine_;
};

}  // namespace glia
