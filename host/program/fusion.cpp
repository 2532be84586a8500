// Fusion: patterns over producers and consumers of temporaries (host/program/dataflow.h).
// SPDX-License-Identifier: Apache-2.0
#include <host/program/dataflow.h>
#include <host/program/fusion.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <type_traits>

namespace glia {

using namespace dataflow;

namespace {

/// Whether a descriptor only judges what it reads: a metric.
bool is_metric(const Descriptor& descriptor) {
  const auto* loss = std::get_if<op::Loss>(&descriptor);
  return std::holds_alternative<op::Tally>(descriptor) || (loss && !loss->gradient);
}

/// Where the only consumers of `view` beside metrics are a loss that wants a gradient and one Kind that turns the
/// gradient of `view` into that of what `view` was made from: that one's index. none where there is no gradient: that
/// fits whoever else reads. `ok` tells whether the pattern fits.
template <class Kind>
std::size_t gradient_partner(Descriptors& descriptors, std::size_t loss_index, const View& view, bool& ok) {
  const op::Loss& loss = std::get<op::Loss>(descriptors[loss_index]);
  ok = !loss.gradient;
  if (ok) return none;
  std::vector<std::size_t> readers = consumers(descriptors, view);
  readers.erase(std::remove_if(readers.begin(), readers.end(),
                               [&](std::size_t i) { return i != loss_index && is_metric(descriptors[i]); }),
                readers.end());
  if (readers.size() != 2 || readers[0] != loss_index) return none;
  const Kind* partner = find<Kind>(descriptors, readers[1]);
  ok = partner && partner->out_gradient.same_elements(loss.gradient) &&
       producer(descriptors, loss.gradient) == loss_index &&
       consumers(descriptors, loss.gradient).size() == 1 &&
       writes_alike(descriptors, loss_index, readers[1], partner->in_gradient);
  return readers[1];
}

enum class Judged { logits, probabilities };

/// Replaces predictions by the logits they were made from, for metrics too or for the loss alone, and drops the makers that
/// nothing reads any more.
void take_logits(Descriptors& descriptors, std::size_t loss_index, std::size_t maker, const View& logits,
                 std::size_t partner, const View& logits_gradient, Judged judged) {
  op::Loss& loss = std::get<op::Loss>(descriptors[loss_index]);
  const View predictions = loss.predictions;
  loss.predictions = logits.reshaped(loss.predictions.shape);
  if (judged == Judged::probabilities) loss.judged = predictions;
  if (partner != none) {
    loss.gradient = logits_gradient.reshaped(loss.predictions.shape);
    erase(descriptors, partner);
  }
  if (consumers(descriptors, predictions).empty()) erase(descriptors, maker);
}

/// What the row-wise metrics of a loss may judge, if logits and probabilities are in the same order: accuracies either, a
/// mean only probabilities, and binary accuracy logits only by another threshold, where there is one.
Judged judged_by_metrics(const op::Loss& loss, bool has_thresholds) {
  const bool either = std::all_of(loss.metrics, loss.metrics + loss.metric_count, [&](const RowMetric& m) {
    if (m.kind == RowMetric::binary_accuracy) return has_thresholds && m.parameter > 0 && m.parameter < 1;
    return m.kind != RowMetric::mean_output;
  });
  return either ? Judged::logits : Judged::probabilities;
}

/// softmax -> cross-entropy. No metric has a say in it: what a model learns does not depend on who watches.
template <class Crossentropy>
bool fuse_softmax(Descriptors& descriptors, std::size_t loss_index) {
  op::Loss& loss = std::get<op::Loss>(descriptors[loss_index]);
  auto* function = std::get_if<Crossentropy>(&loss.function);
  if (!function || function->from_logits) return false;
  const std::size_t maker = producer(descriptors, loss.predictions);
  const op::SoftmaxRows* softmax = find<op::SoftmaxRows>(descriptors, maker);
  // A reshape in between would make other rows of it: the loss's are not the softmax's.
  if (!softmax || softmax->logarithm || softmax->out.shape != loss.predictions.shape ||
      !reads_alike(descriptors, maker, loss_index, softmax->in))
    return false;
  bool ok = false;
  const std::size_t partner =
      gradient_partner<op::SoftmaxGradient>(descriptors, loss_index, loss.predictions, ok);
  if (!ok) return false;
  function->from_logits = true;
  const View gradient =
      partner == none ? View{} : std::get<op::SoftmaxGradient>(descriptors[partner]).in_gradient;
  take_logits(descriptors, loss_index, maker, View(softmax->in), partner, gradient,
              judged_by_metrics(loss, false));
  return true;
}

/// sigmoid -> binary cross-entropy: a threshold on the probability becomes one on the logit.
template <class Crossentropy>
bool fuse_sigmoid(Descriptors& descriptors, std::size_t loss_index) {
  op::Loss& loss = std::get<op::Loss>(descriptors[loss_index]);
  auto* function = std::get_if<Crossentropy>(&loss.function);
  if (!function || function->from_logits) return false;
  const std::size_t maker = producer(descriptors, loss.predictions);
  const op::Map* map = find<op::Map>(descriptors, maker);
  if (!map || !std::holds_alternative<Sigmoid>(map->function) ||
      !reads_alike(descriptors, maker, loss_index, map->in))
    return false;
  bool ok = false;
  const std::size_t partner =
      gradient_partner<op::MapGradient>(descriptors, loss_index, loss.predictions, ok);
  if (!ok) return false;
  function->from_logits = true;
  const Judged judged = judged_by_metrics(loss, true);
  for (int m = 0; judged == Judged::logits && m < loss.metric_count; ++m)
    if (loss.metrics[m].kind == RowMetric::binary_accuracy)
      loss.metrics[m].parameter = std::log(loss.metrics[m].parameter / (1 - loss.metrics[m].parameter));
  const View gradient =
      partner == none ? View{} : std::get<op::MapGradient>(descriptors[partner]).in_gradient;
  take_logits(descriptors, loss_index, maker, View(map->in), partner, gradient, judged);
  return true;
}

bool fuse_one_loss(Descriptors& descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (!find<op::Loss>(descriptors, i)) continue;
    if (fuse_softmax<CategoricalCrossentropy>(descriptors, i) ||
        fuse_softmax<SparseCategoricalCrossentropy>(descriptors, i) ||
        fuse_softmax<CategoricalFocalCrossentropy>(descriptors, i) ||
        fuse_sigmoid<BinaryCrossentropy>(descriptors, i) ||
        fuse_sigmoid<BinaryFocalCrossentropy>(descriptors, i))
      return true;
  }
  return false;
}

/// The product of this kind that makes `view` and nothing after it yet, if `view` has no other reader than `reader`, whose
/// `out` may be written there. A batch of products makes nothing else.
template <class Product>
Product* bare_product(Descriptors& descriptors, const View& view, std::size_t reader, const View& out) {
  const std::size_t maker = producer(descriptors, view);
  Product* product = find<Product>(descriptors, maker);
  bool bare = product && product->out.same_elements(view) && !product->saved &&
              std::holds_alternative<Linear>(product->activation);
  if constexpr (std::is_same_v<Product, op::Matmul>) bare = bare && product->out.shape.rank() == 2;
  return bare && consumers(descriptors, view).size() == 1 && writes_alike(descriptors, maker, reader, out)
             ? product
             : nullptr;
}

/// product -> activation, and product -> gradient of an activation.
template <class Product>
bool fuse_one_epilogue(Descriptors& descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (const auto* map = find<op::Map>(descriptors, i)) {
      Product* product = bare_product<Product>(descriptors, map->in, i, map->out);
      if (!product) continue;
      product->activation = map->function;
      product->out = map->out.reshaped(product->out.shape);
    } else if (const auto* gradient = find<op::MapGradient>(descriptors, i)) {
      Product* product = bare_product<Product>(descriptors, gradient->out_gradient, i, gradient->in_gradient);
      const std::size_t maker = producer(descriptors, gradient->out_gradient);
      if (!product || product->bias || !reads_alike(descriptors, maker, i, gradient->saved)) continue;
      product->derivative = gradient->function;
      product->saved = gradient->saved.reshaped(product->out.shape);
      product->out = gradient->in_gradient.reshaped(product->out.shape);
    } else {
      continue;
    }
    erase(descriptors, i);
    return true;
  }
  return false;
}

/// batch normalisation -> ReLU.
bool fuse_one_normalization(Descriptors& descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const auto* map = find<op::Map>(descriptors, i);
    if (!map || !std::holds_alternative<Relu>(map->function)) continue;
    const std::size_t maker = producer(descriptors, map->in);
    auto* normalization = find<op::BatchNorm>(descriptors, maker);
    if (!normalization || normalization->relu || !normalization->out.same_elements(map->in) ||
        consumers(descriptors, map->in).size() != 1 || !writes_alike(descriptors, maker, i, map->out))
      continue;
    normalization->relu = true;
    normalization->out = map->out.reshaped(normalization->out.shape);
    erase(descriptors, i);
    return true;
  }
  return false;
}

/// gradient of a maximum -> gradient of the ReLU whose output was pooled.
bool fuse_one_pool(Descriptors& descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const auto* gradient = find<op::MapGradient>(descriptors, i);
    if (!gradient || !std::holds_alternative<Relu>(gradient->function)) continue;
    const std::size_t maker = producer(descriptors, gradient->out_gradient);
    auto* pool = find<op::PoolGradient>(descriptors, maker);
    if (!pool || pool->average || pool->relu || !pool->in.same_elements(gradient->saved) ||
        consumers(descriptors, pool->in_gradient).size() != 1 ||
        !writes_alike(descriptors, maker, i, gradient->in_gradient))
      continue;
    pool->relu = true;
    pool->in_gradient = gradient->in_gradient.reshaped(pool->in_gradient.shape);
    erase(descriptors, i);
    return true;
  }
  return false;
}

bool fuse_advance(Descriptors& descriptors) {
  for (std::size_t i = 1; i < descriptors.size(); ++i) {
    const auto* advance = find<op::Advance>(descriptors, i);
    auto* optimize = find<op::Optimize>(descriptors, i - 1);
    if (!advance || !optimize) continue;
    optimize->advance = *advance;
    erase(descriptors, i);
    return true;
  }
  return false;
}

/// What a descriptor does to every row of a batch alike, as a step of an augmentation with where it goes from and to;
/// nothing where it is none.
struct RowSteps {
  Augmentation steps;
  View in, out;
};
std::optional<RowSteps> row_steps(const Descriptor& descriptor) {
  if (const auto* augment = std::get_if<op::Augment>(&descriptor))
    return RowSteps{augment->augmentation, augment->in, augment->out};
  RowSteps one;
  one.steps.count = 1;
  AugmentStep& step = one.steps.steps[0];
  if (const auto* map = std::get_if<op::Map>(&descriptor)) {
    const auto* rescale = std::get_if<Rescale>(&map->function);
    if (!rescale) return std::nullopt;
    step.kind = AugmentStep::rescale;
    step.scale = rescale->scale, step.offset = rescale->offset;
    one.in = map->in, one.out = map->out;
    return one;
  }
  const auto* standardize = std::get_if<op::Standardize>(&descriptor);
  if (!standardize || standardize->backward) return std::nullopt;
  step.kind = AugmentStep::standardize;
  one.steps.mean = standardize->mean, one.steps.variance = standardize->variance;
  one.in = standardize->in, one.out = standardize->out;
  return one;
}

/// Puts `more` behind the steps of rows of shape `shape`, which becomes the shape of the images where none was
/// needed yet. False, and nothing done, where there is no room or the shapes are not the same.
bool append(Augmentation& steps, Shape& shape, const RowSteps& more) {
  const bool any_shape = std::all_of(steps.steps, steps.steps + steps.count, [](const AugmentStep& step) {
    return step.kind == AugmentStep::rescale;
  });
  if (steps.count + more.steps.count > Augmentation::most_steps || (steps.mean && more.steps.mean))
    return false;
  const bool moves_pixels = more.in.shape.rank() == 4;
  if (moves_pixels) {
    if (!any_shape && shape != more.in.shape) return false;
    shape = more.in.shape;
  }
  if (more.steps.mean) {
    if (shape.back() != more.steps.mean.elements()) return false;
    steps.mean = more.steps.mean, steps.variance = more.steps.variance;
  }
  std::copy(more.steps.steps, more.steps.steps + more.steps.count, steps.steps + steps.count);
  steps.count += more.steps.count;
  return true;
}

/// rows of a batch -> what is done to each: in the kernel that gathers them, or in one for all of it.
bool fuse_one_augmentation(Descriptors& descriptors) {
  for (std::size_t i = 1; i < descriptors.size(); ++i) {
    const std::optional<RowSteps> more = row_steps(descriptors[i]);
    if (!more || consumers(descriptors, more->in).size() != 1) continue;
    const std::size_t maker = producer(descriptors, more->in);
    if (maker == none || !writes_alike(descriptors, maker, i, more->out)) continue;
    auto* gather = find<op::Gather>(descriptors, maker);
    auto* augment = find<op::Augment>(descriptors, maker);
    if (gather && gather->x.same_elements(more->in)) {
      Shape shape = gather->x.shape;
      if (!append(gather->augmentation, shape, *more)) continue;
      gather->x = more->out.reshaped(shape);
    } else if (augment && std::holds_alternative<op::Augment>(descriptors[i])) {
      if (!append(augment->augmentation, augment->out.shape, *more)) continue;
      augment->out = more->out;
    } else {
      continue;
    }
    erase(descriptors, i);
    return true;
  }
  return false;
}

}  // namespace

void fuse(Descriptors& descriptors) {
  while (fuse_one_loss(descriptors)) {
  }
  while (fuse_one_epilogue<op::Matmul>(descriptors) || fuse_one_epilogue<op::Convolution>(descriptors) ||
         fuse_one_epilogue<op::ConvolutionTranspose>(descriptors)) {
  }
  while (fuse_one_normalization(descriptors) || fuse_one_pool(descriptors)) {
  }
  while (fuse_one_augmentation(descriptors)) {
  }
  while (fuse_advance(descriptors)) {
  }
}

}  // namespace glia
