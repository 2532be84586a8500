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
  double weight = 0, dot = 0;
  // The gradient's place holds the exponentials meanwhile.
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
    row.gradient[c] = math::exp_below_0(z[c] - greatest);
  const T sum = row_sum<T>(block, row.columns, [&](std::int64_t c) {
    return row.gradient ? row.gradient[c] : math::exp_below_0(z[c] - greatest);
  });
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
  const T total = row_sum<T>(block, row.columns, [&](std::int64_t c) { return row.prediction[c]; });
  double loss = 0, weight = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T y = row.target_at(c), q = row.prediction[c] / total;
    if (y == T(0)) continue;
    const T clipped = q < low ? low : (q > high ? high : q);
    loss -= static_cast<double>(y) * static_cast<double>(math::log(clipped));
    if (q == clipped || q != q) weight += static_cast<double>(y);
  }
  weight = block.group_sum(weight);
  if (row.gradient) {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
      const T y = row.target_at(c), q = row.prediction[c] / total;
      const T own = y == T(0) || q < low || q > high ? T(0) : y / q;
      row.gradient[c] = row.scale * (static_cast<T>(weight) - own) / total;
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

/// -sum alpha (1 - q)^gamma y log q of q = softmax(z), not clipped. With s_c = q dL/dq = alpha y (1 - q)^gamma
/// (gamma q log q / (1 - q) - 1) the slope in z_j is s_j (1 - q_j) - q_j sum_(c != j) s_c. The quotient goes to -1 where q
/// goes to 1, and 1 - q of the greatest is a sum of the others.
template <class T, class Block>
GLIA_HD double focal_of_logits(const CategoricalFocalCrossentropy& loss, Block& block,
                               const LossRow<T>& row) {
  const T* const z = row.prediction;
  const T alpha = static_cast<T>(loss.alpha), gamma = static_cast<T>(loss.gamma);
  T greatest = -HUGE_VALF;
  std::int64_t where = row.columns;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
    if (z[c] > greatest || where == row.columns) greatest = z[c], where = c;
  where = block.group_first_max(greatest, where);
  greatest = z[where];
  const T others = row_sum<T>(block, row.columns, [&](std::int64_t c) {
    return c == where ? T(0) : math::exp_below_0(z[c] - greatest);
  });
  const T total = T(1) + others, log_total = math::log1p(others);
  double sum = 0, slopes = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T y = row.target_at(c), q = math::exp_below_0(z[c] - greatest) / total;
    const T missed = c == where ? others / total : T(1) - q, log_q = (z[c] - greatest) - log_total;
    const T focused = alpha * y * math::pow(missed, gamma);
    const T quotient = missed == T(0) ? T(-1) : (q == T(0) ? T(0) : q * log_q / missed);
    const T slope = y == T(0) ? T(0) : focused * (gamma * quotient - T(1));
    if (y != T(0)) sum -= static_cast<double>(focused) * static_cast<double>(log_q);
    if (row.gradient) row.gradient[c] = slope;
    slopes += static_cast<double>(slope);
  }
  slopes = block.group_sum(slopes);
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes()) {
    const T q = math::exp_below_0(z[c] - greatest) / total, slope = row.gradient[c];
    const T missed = c == where ? others / total : T(1) - q;
    const T others_slopes = static_cast<T>(slopes - static_cast<double>(slope));
    row.gradient[c] = row.scale * (slope * missed - q * others_slopes);
  }
  return block.group_sum(sum);
}

/// The same of q = p / sum(p), clipped, with slope 0 where it was.
template <class T, class Block>
GLIA_HD double focal_of_probabilities(const CategoricalFocalCrossentropy& loss, Block& block,
                                      const LossRow<T>& row) {
  const T alpha = static_cast<T>(loss.alpha), gamma = static_cast<T>(loss.gamma);
  const T total = row_sum<T>(block, row.columns, [&](std::int64_t c) { return row.prediction[c]; });
  double sum = 0, mean_slope = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T y = row.target_at(c), q = row.prediction[c] / total, inside = math::clip_probability(q);
    const T factor = alpha * math::pow(T(1) - inside, gamma);
    sum -= static_cast<double>(factor * y * math::log(inside));
    const T focus = gamma == T(0) ? T(0) : gamma * math::pow(T(1) - inside, gamma - T(1)) * math::log(inside);
    const T slope = q == inside || q != q ? y * (alpha * focus - factor / q) : T(0);
    if (row.gradient) row.gradient[c] = slope;
    mean_slope += static_cast<double>(q * slope);
  }
  mean_slope = block.group_sum(mean_slope);
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
    row.gradient[c] = row.scale * (row.gradient[c] - static_cast<T>(mean_slope)) / total;
  return block.group_sum(sum);
}

template <class T, class Block>
GLIA_HD double loss_of_row(const CategoricalFocalCrossentropy& loss, Block& block, LossRow<T> row) {
  row.smooth(loss.label_smoothing);
  return loss.from_logits ? focal_of_logits(loss, block, row) : focal_of_probabilities(loss, block, row);
}

template <class T, class Block>
GLIA_HD double loss_of_row(const CategoricalHinge&, Block& block, const LossRow<T>& row) {
  T greatest = -HUGE_VALF;
  std::int64_t where = row.columns;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    const T other = (T(1) - row.target[c]) * row.prediction[c];
    if (other > greatest || where == row.columns) greatest = other, where = c;
  }
  where = block.group_first_max(greatest, where);
  const T others = (T(1) - row.target[where]) * row.prediction[where];
  const T right =
      row_sum<T>(block, row.columns, [&](std::int64_t c) { return row.target[c] * row.prediction[c]; });
  const T loss = others - right + T(1);
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes()) {
    const T slope = (c == where ? T(1) - row.target[c] : T(0)) - row.target[c];
    row.gradient[c] = loss <= T(0) ? T(0) : row.scale * slope;
  }
  return loss < T(0) ? 0.0 : static_cast<double>(loss);
}

/// cos = y p / (|y| |p|); dL/dp = (cos p / |p| - y / |y|) / |p|. Each row in units of its greatest element, so that no square
/// is beyond T, above or below.
template <class T, class Block>
GLIA_HD double loss_of_row(const CosineSimilarity&, Block& block, const LossRow<T>& row) {
  T y_unit = 0, p_unit = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes()) {
    y_unit = math::max_nan(y_unit, math::abs(row.target[c]));
    p_unit = math::max_nan(p_unit, math::abs(row.prediction[c]));
  }
  y_unit = block.group_max(y_unit), p_unit = block.group_max(p_unit);
  if (y_unit == T(0) || p_unit == T(0)) {
    for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
      row.gradient[c] = 0;
    return 0;
  }
  const auto y = [&](std::int64_t c) { return row.target[c] / y_unit; };
  const auto p = [&](std::int64_t c) { return row.prediction[c] / p_unit; };
  const T dot = row_sum<T>(block, row.columns, [&](std::int64_t c) { return y(c) * p(c); });
  const T y_norm = math::sqrt(row_sum<T>(block, row.columns, [&](std::int64_t c) { return y(c) * y(c); }));
  const T p_norm = math::sqrt(row_sum<T>(block, row.columns, [&](std::int64_t c) { return p(c) * p(c); }));
  const T cosine = dot / y_norm / p_norm;
  for (std::int64_t c = block.lane(); row.gradient && c < row.columns; c += block.lanes())
    row.gradient[c] = row.scale * (cosine * p(c) / p_norm - y(c) / y_norm) / p_norm / p_unit;
  return 0.0 - static_cast<double>(cosine);  // of none no -0
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
