// Loss, its gradient and the metrics of a batch in one pass over the predictions: one group a row, and the rows
// of a piece summed into one line of partial sums, which Advance folds in a fixed order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>    // defines: op::Loss::rows_per_block, RowMetric
#include <kernels/row_losses.h>  // defines: LossRow, loss_of_row

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Column of the greatest element, the first of equals.
template <class T, class Block>
GLIA_HD std::int64_t argmax_of_row(Block& block, const T* row, std::int64_t columns) {
  T greatest = -HUGE_VALF;
  std::int64_t index = columns;
  for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
    if (row[c] > greatest || index == columns) greatest = row[c], index = c;
  return block.group_first_max(greatest, index);
}

template <class T, class Block>
GLIA_HD double metric_of_row(const RowMetric& metric, Block& block, const LossRow<T>& row) {
  double count = 0;
  if (metric.kind == RowMetric::weight) return 1;
  if (metric.kind == RowMetric::mean_output) {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      count += static_cast<double>(row.prediction[c]);
    return block.group_sum(count) / static_cast<double>(row.columns);
  }
  if (metric.kind == RowMetric::binary_accuracy) {
    for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
      count += (static_cast<double>(row.prediction[c]) > metric.parameter ? T(1) : T(0)) == row.target_at(c)
                   ? 1
                   : 0;
    return block.group_sum(count) / static_cast<double>(row.columns);
  }
  // Labels and dense targets differ in where the right class is told alone.
  const std::int64_t right = row.target ? argmax_of_row(block, row.target, row.columns) : row.label;
  if (metric.kind == RowMetric::accuracy)
    return argmax_of_row(block, row.prediction, row.columns) == right ? 1 : 0;
  if (right < 0 || right >= row.columns || row.prediction[right] != row.prediction[right]) return 0;
  for (std::int64_t c = block.lane(); c < row.columns; c += block.lanes())
    count += row.prediction[c] > row.prediction[right] ? 1 : 0;
  return block.group_sum(count) < metric.parameter ? 1 : 0;
}

/// predictions (rows, columns), targets (rows, columns) of T or int32 labels (rows,), `judged` (rows, columns) what metrics
/// take for predictions, weights (rows / positions,) or null, gradient (rows, columns) or null, partials
/// (pieces, 1 + metric_count). A label outside 0..columns-1 gives a loss of NaN, and such a gradient.
template <class Loss, class T>
struct LossKernel {
  Loss loss;
  const T* predictions;
  const void* targets;
  const T* judged;
  const T* weights;
  T* gradient;
  double* partials;
  std::int64_t rows, columns, positions;
  int metric_count;
  RowMetric metrics[max_row_metrics];

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const double share = counted_share(block);
    const auto pieces = block.rows((rows + rows_of_piece - 1) / rows_of_piece);
    for (std::int64_t piece = pieces.begin; piece < pieces.end; piece += pieces.stride)
      sum_piece(block, piece, share);
  }

 private:
  static constexpr bool sparse = Loss::targets == Targets::sparse_labels;
  static constexpr std::int64_t rows_of_piece = op::Loss::rows_per_block;

  template <class Block>
  GLIA_HD void sum_piece(Block& block, std::int64_t piece, double share) const {
    const std::int64_t first = piece * rows_of_piece;
    const std::int64_t last = first + rows_of_piece < rows ? first + rows_of_piece : rows;
    double sums[1 + max_row_metrics] = {};
    for (std::int64_t r = first + block.group(); r < last; r += block.groups()) {
      const double weight = weights ? static_cast<double>(weights[positions == 1 ? r : r / positions]) : 1;
      LossRow<T> row = row_at(r, static_cast<T>(weight * share / static_cast<double>(rows)));
      if (ignored(row.label)) {
        for (std::int64_t c = block.lane(); row.gradient && c < columns; c += block.lanes())
          row.gradient[c] = 0;
      } else if (!row.target && (row.label < 0 || row.label >= columns)) {
        sums[0] = NAN;
        for (std::int64_t c = block.lane(); row.gradient && c < columns; c += block.lanes())
          row.gradient[c] = NAN;
        continue;
      } else {
        sums[0] += weight * share * loss_of_row(loss, block, row);
      }
      row.prediction = judged + r * columns;
      for (int m = 0; m < metric_count; ++m)
        sums[1 + m] += (metrics[m].weighted ? weight : 1) * metric_of_row(metrics[m], block, row);
    }
    for (int s = 0; s < 1 + metric_count; ++s) {
      const double sum = block.sum(block.lane() == 0 ? sums[s] : 0.0);
      if (block.rank() == 0) partials[piece * (1 + metric_count) + s] = sum;
    }
  }

  GLIA_HD bool ignored(std::int64_t label) const {
    if constexpr (sparse) return loss.ignore_class != Loss::no_class && label == loss.ignore_class;
    return false;
  }

  /// All rows over those that count: what makes the mean over rows one over those that count.
  template <class Block>
  GLIA_HD double counted_share(Block& block) const {
    if constexpr (sparse) {
      if (loss.ignore_class == Loss::no_class) return 1;
      double counted = 0;
      for (std::int64_t r = block.rank(); r < rows; r += block.size())
        counted += ignored(static_cast<const std::int32_t*>(targets)[r]) ? 0 : 1;
      counted = block.sum(counted);
      return counted > 0 ? static_cast<double>(rows) / counted : 0;
    }
    return 1;
  }

  GLIA_HD LossRow<T> row_at(std::int64_t r, T scale) const {
    LossRow<T> row{
        predictions + r * columns, nullptr, -1, gradient ? gradient + r * columns : nullptr, columns, scale};
    if constexpr (sparse)
      row.label = static_cast<const std::int32_t*>(targets)[r];
    else
      row.target = static_cast<const T*>(targets) + r * columns;
    return row;
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
