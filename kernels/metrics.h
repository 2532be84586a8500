// Metrics that keep counters of their own. Each block owns the counters it adds to, so sums come out in a
// fixed order; counters are float64, so whole numbers stay exact.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/metrics.h>
#include <kernels/loss.h>  // defines: argmax_of_row

namespace glia::kernels {
inline namespace GLIA_ISA {

/// What all of them read: predictions and dense targets (rows, columns), or int32 labels (rows,); weights
/// (rows / positions,) or null.
template <class T>
struct Judged {
  const T* predictions;
  const T* targets;
  const std::int32_t* labels;
  const T* weights;
  std::int64_t rows, columns, positions;

  GLIA_HD double weight(std::int64_t row) const {
    return weights ? static_cast<double>(weights[row / positions]) : 1;
  }
  GLIA_HD T prediction(std::int64_t row, std::int64_t c) const { return predictions[row * columns + c]; }
  GLIA_HD T target(std::int64_t row, std::int64_t c) const { return targets[row * columns + c]; }
};

/// counters += sums, by one thread.
template <int n, class Block>
GLIA_HD void add_sums(Block& block, const double (&sums)[n], double* counters, std::int64_t stride) {
  for (int i = 0; i < n; ++i) {
    const double sum = block.sum(sums[i]);
    if (block.rank() == 0) counters[i * stride] += sum;
  }
}

/// counters: true positives, false positives, true negatives, false negatives. One block.
template <class T>
struct PositivesKernel {
  Judged<T> data;
  double* counters;
  double threshold;
  std::int64_t class_id;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    double sums[4] = {};
    const std::int64_t first = class_id < 0 ? 0 : class_id, used = class_id < 0 ? data.columns : 1;
    for (std::int64_t i = block.rank(); i < data.rows * used; i += block.size()) {
      const std::int64_t row = i / used, c = first + i % used;
      const bool positive = data.target(row, c) != T(0);
      const bool predicted = static_cast<double>(data.prediction(row, c)) > threshold;
      sums[predicted ? (positive ? 0 : 1) : (positive ? 3 : 2)] += data.weight(row);
    }
    add_sums(block, sums, counters, 1);
  }
};

/// counters (4, columns): true positives, false positives, false negatives, targets. A block for each column.
template <class T>
struct FScoreKernel {
  Judged<T> data;
  double* counters;
  double threshold;  ///< 0: the row's greatest counts

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t c = block.index();
    double sums[4] = {};
    for (std::int64_t row = block.rank(); row < data.rows; row += block.size()) {
      const double y = static_cast<double>(data.target(row, c)), weight = data.weight(row);
      const double predicted = is_predicted(row, c) ? 1 : 0;
      sums[0] += weight * predicted * y;
      sums[1] += weight * predicted * (1 - y);
      sums[2] += weight * (1 - predicted) * y;
      sums[3] += weight * y;
    }
    add_sums(block, sums, counters + c, data.columns);
  }

 private:
  GLIA_HD bool is_predicted(std::int64_t row, std::int64_t c) const {
    const T p = data.prediction(row, c);
    if (threshold > 0) return static_cast<double>(p) > threshold;
    if (!(math::abs(p) > T(1e-9))) return false;
    for (std::int64_t other = 0; other < data.columns; ++other)
      if (data.prediction(row, other) > p) return false;
    return true;
  }
};

/// counters (2, thresholds): positives and negatives predicted above threshold i / (thresholds - 1); above the
/// first are all. A block for each threshold.
template <class T>
struct AucKernel {
  Judged<T> data;
  double* counters;
  std::int64_t thresholds;
  bool from_logits;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t threshold = block.index();
    double sums[2] = {};
    for (std::int64_t i = block.rank(); i < data.rows * data.columns; i += block.size()) {
      const T x = data.predictions[i], p = from_logits ? math::sigmoid(x) : x;
      if (bucket_of(p) < static_cast<T>(threshold)) continue;
      sums[data.targets[i] != T(0) ? 0 : 1] += data.weight(i / data.columns);
    }
    add_sums(block, sums, counters + threshold, thresholds);
  }

 private:
  /// The last threshold that p exceeds, rounded as Keras rounds it.
  GLIA_HD T bucket_of(T p) const {
    const T bucket = ceil_of(math::clip(p, T(0), T(1)) * static_cast<T>(thresholds - 1)) - T(1);
    return bucket < T(0) ? T(0) : bucket;
  }
  GLIA_HD static T ceil_of(T x) {
    const T whole = static_cast<T>(static_cast<std::int64_t>(x));
    return whole < x ? whole + T(1) : whole;
  }
};

/// counters (4, columns): the mean of y, the sum of (y - mean)^2, that of (y - p)^2, and that of the weights. A block for each
/// column. Batches are merged as in Chan et al. 1979; equal targets have exactly their own mean.
template <class T>
struct R2Kernel {
  Judged<T> data;
  double* counters;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t c = block.index();
    const double first = static_cast<double>(data.target(0, c));
    double weights = 0, away = 0, squares = 0, errors = 0;
    for (std::int64_t row = block.rank(); row < data.rows; row += block.size()) {
      const double y = static_cast<double>(data.target(row, c)), weight = data.weight(row);
      const double error = y - static_cast<double>(data.prediction(row, c));
      weights += weight;
      away += weight * (y - first);
      errors += weight * error * error;
    }
    weights = block.sum(weights), away = block.sum(away), errors = block.sum(errors);
    const double mean = first + (weights > 0 ? away / weights : 0);
    for (std::int64_t row = block.rank(); row < data.rows; row += block.size()) {
      const double d = static_cast<double>(data.target(row, c)) - mean;
      squares += data.weight(row) * d * d;
    }
    squares = block.sum(squares);
    if (block.rank() == 0) merge(counters + c, mean, squares, errors, weights);
  }

 private:
  GLIA_HD void merge(double* to, double mean, double squares, double errors, double weights) const {
    double &of_all = to[0], &seen = to[3 * data.columns];
    const double all = seen + weights, away = mean - of_all;
    to[2 * data.columns] += errors;
    if (!(all > 0)) return;
    of_all += away * (weights / all);
    to[data.columns] += squares + away * away * (seen * weights / all);
    seen = all;
  }
};

/// counters (classes, classes): rows of each true class by the class predicted. One column of outputs is two
/// classes, told apart at `threshold`, and targets at one half. A block for each true class; a thread for each predicted class.
template <class T>
struct ConfusionKernel {
  Judged<T> data;
  double* counters;
  std::int64_t classes;
  T threshold;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t right = block.index();
    for (std::int64_t row = 0; row < data.rows; ++row) {
      if (class_of_target(row) != right) continue;
      const std::int64_t predicted = greatest(data.predictions + row * data.columns, threshold);
      if (predicted % block.size() == block.rank()) counters[right * classes + predicted] += data.weight(row);
    }
  }

 private:
  GLIA_HD std::int64_t class_of_target(std::int64_t row) const {
    return data.labels ? data.labels[row] : greatest(data.targets + row * data.columns, T(0.5));
  }
  GLIA_HD std::int64_t greatest(const T* row, T least) const {
    if (data.columns == 1) return row[0] > least ? 1 : 0;
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < data.columns; ++c)
      if (row[c] > row[best]) best = c;
    return best;
  }
};

/// counters: the sums of the columns of `partials` (blocks, columns) from `first_column` on, times `scale`, and the number of
/// rows, or the sum of their weights. One block.
template <class T>
struct FoldKernel {
  const double* partials;
  const T* weights;
  double* counters;
  std::int64_t blocks, columns, first_column, rows, positions;
  double scale;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    for (std::int64_t column = first_column; column < columns; ++column) {
      double sum = 0;
      for (std::int64_t b = block.rank(); b < blocks; b += block.size())
        sum += partials[b * columns + column];
      sum = block.sum(sum);
      if (block.rank() == 0) counters[column - first_column] += sum * scale;
    }
    double counted[1] = {};
    if (!weights && block.rank() == 0) counted[0] = static_cast<double>(rows);
    for (std::int64_t row = block.rank(); weights && row < rows; row += block.size())
      counted[0] += static_cast<double>(weights[row / positions]);
    add_sums(block, counted, counters + columns - first_column, 1);
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
