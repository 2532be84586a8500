// The loss of one row of predictions, and its gradient: one group a row.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/losses.h>
#include <kernels/softmax.h>  // defines: row_max

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Predictions and targets of one row, and where its gradient goes (null: not wanted). `label` counts where
/// there are no dense targets. Smoothed targets are y * keep + add.
template <class T>
struct LossRow {
  const T* prediction;
  const T* target;
  std::int64_t label;
  T* gradient;
  std::int64_t columns;
  T scale;  ///< of the gradient: weight / rows
  T keep = 1, add = 0;

  GLIA_HD T target_at(std::int64_t c) const {
    return (target ? target[c] : T(c == label ? 1 : 0)) * keep + add;
  }
  GLIA_HD void smooth(double smoothing) {
    keep = static_cast<T>(1 - smoothing);
    add = static_cast<T>(smoothing / static_cast<double>(columns));
  }
};

/// Element-wise losses: the mean over the row, or the sum.
template <class Loss, class T, class Block>
GLIA_HD double loss_of_row(const Loss& loss, Block& block, const LossRow<T>& row) {
  constexpr bool sums = requires { Loss::sums; };
  double sum = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
    sum += loss.value(row.target[c], row.prediction[c]);
  if (row.gradient) {
    const T scale = sums ? row.scale : row.scale / static_cast<T>(row.columns);
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      row.gradient[c] = scale * loss.gradient(row.target[c], row.prediction[c]);
  }
  return block.group_sum(sum) / (sums ? 1.0 : static_cast<double>(row.columns));
}

/// Cross-entropy of softmax(z): log(sum e^z) * sum(y) - sum(y z); gradient softmax(z) * sum(y) - y.
template <class T, class Block>
GLIA_HD double crossentropy_of_logits(Block& block, const LossRow<T>& row) {
  const T* const z = row.prediction;
  const T greatest = row_max(block, z, row.columns);
  T sum = 0;
  double weight = 0, dot = 0;
  if (row.gradient) {  // the gradient's place holds the exponentials meanwhile
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      row.gradient[c] = math::exp(z[c] - greatest);
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) sum += row.gradient[c];
  } else {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      sum += math::exp(z[c] - greatest);
  }
  sum = block.group_sum(sum);
  if (row.target) {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
      const T y = row.target_at(c);
      weight += y;
      // 0 * log 0 is 0: a class that cannot be does not count, whatever its logit.
      if (y != T(0)) dot += static_cast<double>(y) * static_cast<double>(z[c] - greatest);
    }
    weight = block.group_sum(weight);
    dot = block.group_sum(dot);
  } else {
    weight = 1;
    dot = static_cast<double>(z[row.label] - greatest);
  }
  if (row.gradient) {
    const T factor = row.scale * static_cast<T>(weight) / sum;
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      row.gradient[c] = row.gradient[c] * factor - row.scale * row.target_at(c);
  }
  return static_cast<double>(math::log(sum)) * weight - dot;
}

/// Cross-entropy of q = p / sum(p), clipped to [epsilon, 1 - epsilon]: -sum(y log q). Where q is not clipped
/// dL/dp_j = (-y_j / q_j + sum(y)) / sum(p), the sum over unclipped classes.
template <class T, class Block>
GLIA_HD double crossentropy_of_probabilities(Block& block, const LossRow<T>& row) {
  constexpr T low = static_cast<T>(probability_epsilon), high = static_cast<T>(1 - probability_epsilon);
  T total = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) total += row.prediction[c];
  total = block.group_sum(total);
  double loss = 0;
  T weight = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T y = row.target_at(c), q = row.prediction[c] / total;
    if (y == T(0)) continue;
    const T clipped = q < low ? low : (q > high ? high : q);
    loss -= static_cast<double>(y) * static_cast<double>(math::log(clipped));
    if (q == clipped || q != q) weight += y;
  }
  weight = block.group_sum(weight);
  if (row.gradient) {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
      const T y = row.target_at(c), q = row.prediction[c] / total;
      const T own = y == T(0) || q < low || q > high ? T(0) : y / q;
      row.gradient[c] = row.scale * (weight - own) / total;
    }
  }
  return block.group_sum(loss);
}

template <class T, class Block>
GLIA_HD double loss_of_row(const CategoricalCrossentropy& loss, Block& block, LossRow<T> row) {
  row.smooth(loss.label_smoothing);
  return loss.from_logits ? crossentropy_of_logits(block, row) : crossentropy_of_probabilities(block, row);
}
template <class T, class Block>
GLIA_HD double loss_of_row(const SparseCategoricalCrossentropy& loss, Block& block, const LossRow<T>& row) {
  return loss.from_logits ? crossentropy_of_logits(block, row) : crossentropy_of_probabilities(block, row);
}

/// The probabilities of a row, and their slopes: of logits p = softmax(z), else p as it is; q = p / sum(p).
template <class T>
struct Probabilities {
  const T* in;
  T greatest, total;
  bool from_logits;

  template <class Block>
  GLIA_HD Probabilities(Block& block, const T* row, std::int64_t columns, bool from_logits_)
      : in(row),
        greatest(from_logits_ ? row_max(block, row, columns) : T(0)),
        total(0),
        from_logits(from_logits_) {
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) total += unscaled(c);
    total = block.group_sum(total);
  }
  GLIA_HD T unscaled(std::int64_t c) const { return from_logits ? math::exp(in[c] - greatest) : in[c]; }
  GLIA_HD T at(std::int64_t c) const { return unscaled(c) / total; }
  /// dL/din of dL/dq, given sum(q dL/dq) over the row.
  GLIA_HD T gradient(std::int64_t c, T slope, T mean_slope) const {
    return (from_logits ? at(c) : T(1) / total) * (slope - mean_slope);
  }
};

/// -sum alpha (1 - q)^gamma y log q, q clipped.
template <class T, class Block>
GLIA_HD double loss_of_row(const CategoricalFocalCrossentropy& loss, Block& block, LossRow<T> row) {
  row.smooth(loss.label_smoothing);
  const Probabilities<T> p(block, row.prediction, row.columns, loss.from_logits);
  const T alpha = static_cast<T>(loss.alpha), gamma = static_cast<T>(loss.gamma);
  double sum = 0;
  T mean_slope = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T y = row.target_at(c), q = p.at(c), inside = math::clip_probability(q);
    const T factor = alpha * math::pow(T(1) - inside, gamma);
    sum -= static_cast<double>(factor * y * math::log(inside));
    const T focus = gamma == T(0) ? T(0) : gamma * math::pow(T(1) - inside, gamma - T(1)) * math::log(inside);
    const T slope = q == inside || q != q ? y * (alpha * focus - factor / q) : T(0);
    if (row.gradient) row.gradient[c] = slope;
    mean_slope += q * slope;
  }
  mean_slope = block.group_sum(mean_slope);
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
    row.gradient[c] = row.scale * p.gradient(c, row.gradient[c], mean_slope);
  return block.group_sum(sum);
}

template <class T, class Block>
GLIA_HD double loss_of_row(const CategoricalHinge&, Block& block, const LossRow<T>& row) {
  T greatest = -HUGE_VALF, sum = 0;
  std::int64_t where = row.columns;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T other = (T(1) - row.target[c]) * row.prediction[c];
    sum += row.target[c] * row.prediction[c];
    if (other > greatest || where == row.columns) greatest = other, where = c;
  }
  where = block.group_first_max(greatest, where);
  const T others = (T(1) - row.target[where]) * row.prediction[where];
  const T loss = others - block.group_sum(sum) + T(1);
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes()) {
    const T slope = (c == where ? T(1) - row.target[c] : T(0)) - row.target[c];
    row.gradient[c] = loss <= T(0) ? T(0) : row.scale * slope;
  }
  return loss < T(0) ? 0.0 : static_cast<double>(loss);
}

/// cos = y p / (|y| |p|); dL/dp = (cos p / |p| - y / |y|) / |p|.
template <class T, class Block>
GLIA_HD double loss_of_row(const CosineSimilarity&, Block& block, const LossRow<T>& row) {
  T dot = 0, yy = 0, pp = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    dot += row.target[c] * row.prediction[c];
    yy += row.target[c] * row.target[c];
    pp += row.prediction[c] * row.prediction[c];
  }
  dot = block.group_sum(dot);
  const T y_norm = math::sqrt(block.group_sum(yy)), p_norm = math::sqrt(block.group_sum(pp));
  const bool zero = y_norm == T(0) || p_norm == T(0);
  const T cosine = zero ? T(0) : dot / y_norm / p_norm;
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
    row.gradient[c] =
        zero ? T(0) : row.scale * (cosine * row.prediction[c] / p_norm - row.target[c] / y_norm) / p_norm;
  return -static_cast<double>(cosine);
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
