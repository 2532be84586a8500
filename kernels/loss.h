// Loss, its gradient and the metrics of a batch in one pass over the predictions: one group a row, and a
// block's rows summed into one line of partial sums, which Advance folds in a fixed order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>  // defines: op::Loss::rows_per_block
#include <kernels/softmax.h>   // defines: row_max

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Predictions and targets of one row, and where its gradient goes (null: not wanted). `label` is -1 with
/// dense targets.
template <class T>
struct LossRow {
  const T* prediction;
  const T* target;
  std::int64_t label;
  T* gradient;
  std::int64_t columns;
  T scale;  ///< of the gradient: 1 / rows

  GLIA_HD T target_at(std::int64_t c) const { return target ? target[c] : T(c == label ? 1 : 0); }
};

/// Element-wise losses: the mean over the row.
template <class Loss, class T, class Block>
GLIA_HD double loss_of_row(const Loss& loss, Block& block, const LossRow<T>& row) {
  double sum = 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
    sum += loss.value(row.target[c], row.prediction[c]);
  if (row.gradient) {
    const T scale = row.scale / static_cast<T>(row.columns);
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      row.gradient[c] = scale * loss.gradient(row.target[c], row.prediction[c]);
  }
  return block.group_sum(sum) / static_cast<double>(row.columns);
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
      weight += row.target[c];
      // 0 * log 0 is 0: a class that cannot be does not count, whatever its logit.
      if (row.target[c] != T(0))
        dot += static_cast<double>(row.target[c]) * static_cast<double>(z[c] - greatest);
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
GLIA_HD double loss_of_row(const CategoricalCrossentropy& loss, Block& block, const LossRow<T>& row) {
  return loss.from_logits ? crossentropy_of_logits(block, row) : crossentropy_of_probabilities(block, row);
}
template <class T, class Block>
GLIA_HD double loss_of_row(const SparseCategoricalCrossentropy& loss, Block& block, const LossRow<T>& row) {
  return loss.from_logits ? crossentropy_of_logits(block, row) : crossentropy_of_probabilities(block, row);
}

/// Column of the greatest element, the first of equals.
template <class T, class Block>
GLIA_HD std::int64_t argmax_of_row(Block& block, const T* row, std::int64_t columns) {
  T greatest = -HUGE_VALF;
  std::int64_t index = columns;
  for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
    if (row[c] > greatest || index == columns) greatest = row[c], index = c;
  return block.group_first_max(greatest, index);
}

/// A metric as the kernel takes it: which member of the variant, and its threshold where it has one.
struct RowMetric {
  std::int64_t kind = 0;
  double threshold = 0.5;
};

template <class T, class Block>
GLIA_HD double metric_of_row(const RowMetric& metric, Block& block, const LossRow<T>& row) {
  if (metric.kind == 0) {  // BinaryAccuracy
    double right = 0;
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      right += (static_cast<double>(row.prediction[c]) > metric.threshold ? T(1) : T(0)) == row.target_at(c)
                   ? 1
                   : 0;
    return block.group_sum(right) / static_cast<double>(row.columns);
  }
  const std::int64_t predicted = argmax_of_row(block, row.prediction, row.columns);
  // CategoricalAccuracy and SparseCategoricalAccuracy differ in the form of the targets alone.
  return predicted == (row.target ? argmax_of_row(block, row.target, row.columns) : row.label) ? 1 : 0;
}

/// predictions (rows, columns), targets (rows, columns) of T or int32 labels (rows,), gradient (rows,
/// columns) or null, partials (blocks, 1 + metric_count). A label outside 0..columns-1 gives a loss of NaN.
template <class Loss, class T>
struct LossKernel {
  Loss loss;
  const T* predictions;
  const void* targets;
  T* gradient;
  double* partials;
  std::int64_t rows, columns;
  int metric_count;
  RowMetric metrics[max_metrics];

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr std::int64_t rows_per_block = op::Loss::rows_per_block;
    const std::int64_t first = block.index() * rows_per_block;
    const std::int64_t last = first + rows_per_block < rows ? first + rows_per_block : rows;
    double sums[1 + max_metrics] = {};
    for (std::int64_t r = first + block.group(); r < last; r += block.groups()) {
      const LossRow<T> row = row_at(r);
      if (row.label >= columns || (row.label < 0 && !row.target)) {
        sums[0] = NAN;
        continue;
      }
      sums[0] += loss_of_row(loss, block, row);
      for (int m = 0; m < metric_count; ++m) sums[1 + m] += metric_of_row(metrics[m], block, row);
    }
    for (int s = 0; s < 1 + metric_count; ++s) {
      const double sum = block.sum(block.lane() == 0 ? sums[s] : 0.0);
      if (block.rank() == 0) partials[block.index() * (1 + metric_count) + s] = sum;
    }
  }

 private:
  GLIA_HD LossRow<T> row_at(std::int64_t r) const {
    LossRow<T> row{
        predictions + r * columns,  nullptr, -1, gradient ? gradient + r * columns : nullptr, columns,
        T(1) / static_cast<T>(rows)};
    if constexpr (Loss::targets == Targets::sparse_labels)
      row.label = static_cast<const std::int32_t*>(targets)[r];
    else
      row.target = static_cast<const T*>(targets) + r * columns;
    return row;
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
