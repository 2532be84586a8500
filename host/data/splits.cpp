// Rows divided: into a training and a test part, and into folds.
// SPDX-License-Identifier: Apache-2.0
#include <glia/preprocessing.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "host/data/random_state.h"  // defines: RandomState
#include "host/tensor/elements.h"    // defines: take_rows, labels_of, rows_by_class, expect_same_rows

namespace glia {
namespace {

using detail::RandomState;
using Indices = std::vector<std::int64_t>;

struct Sizes {
  std::int64_t train = 0;
  std::int64_t test = 0;
};

/// Rows that an option asks for, of `rows`.
std::int64_t rows_asked_for(double size, std::int64_t rows, const char* option, double (*round)(double)) {
  const bool count = size >= 1;
  GLIA_CHECK(size > 0 && std::isfinite(size) && (!count || size == std::floor(size)), ValueError,
             "SplitOptions::", option, " got ", size,
             ", expected a share between 0 and 1, or a whole number of rows");
  GLIA_CHECK(size <= static_cast<double>(rows) || !count, ValueError, "SplitOptions::", option, " got ", size,
             " rows, but there are ", rows, "; give fewer, or a share below 1");
  return static_cast<std::int64_t>(count ? size : round(size * static_cast<double>(rows)));
}

Sizes sizes_of(const SplitOptions& options, std::int64_t rows) {
  Sizes sizes;
  const bool neither = !options.test_size && !options.train_size;
  if (options.test_size || neither)
    sizes.test = rows_asked_for(options.test_size.value_or(0.25), rows, "test_size", std::ceil);
  if (options.train_size)
    sizes.train = rows_asked_for(*options.train_size, rows, "train_size", std::floor);
  else
    sizes.train = rows - sizes.test;
  if (!options.test_size && !neither) sizes.test = rows - sizes.train;
  GLIA_CHECK(sizes.train + sizes.test <= rows, ValueError, "train_test_split() got sizes that ask for ",
             sizes.train, " training and ", sizes.test, " test rows, but there are ", rows,
             "; lower train_size or test_size, or leave one out");
  GLIA_CHECK(
      sizes.train > 0 && sizes.test > 0, ValueError, "train_test_split() of ", rows, " rows gives ",
      sizes.train, " for training and ", sizes.test,
      " for the test, expected one or more in each; change test_size or train_size, or give more rows");
  return sizes;
}

/// How many of `draws` rows fall to each class, most nearly as the counts are; ties are drawn.
Indices shares(const Indices& counts, std::int64_t draws, RandomState& random) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  Indices result(counts.size());
  std::vector<double> remainders(counts.size());
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const double exact = static_cast<double>(counts[k]) / total * static_cast<double>(draws);
    result[k] = static_cast<std::int64_t>(exact);
    remainders[k] = exact - std::floor(exact);
  }
  std::int64_t missing = draws - std::accumulate(result.begin(), result.end(), std::int64_t{0});
  const std::set<double, std::greater<>> descending(remainders.begin(), remainders.end());
  for (double remainder : descending) {
    if (missing <= 0) break;
    std::vector<std::size_t> tied;
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (remainders[k] == remainder) tied.push_back(k);
    const Indices order = random.permutation(static_cast<std::int64_t>(tied.size()));
    const std::int64_t added = std::min(missing, static_cast<std::int64_t>(tied.size()));
    for (std::int64_t i = 0; i < added; ++i)
      ++result[tied[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]];
    missing -= added;
  }
  return result;
}

void expect_stratifiable(const std::map<std::int64_t, Indices>& classes, const Sizes& sizes) {
  for (const auto& [label, rows] : classes)
    GLIA_CHECK(rows.size() > 1, ValueError, "train_test_split() stratifies by y, but class ", label,
               " has one row, expected two or more in each; leave the class out, or set stratify = false");
  const auto count = static_cast<std::int64_t>(classes.size());
  GLIA_CHECK(sizes.train >= count && sizes.test >= count, ValueError, "train_test_split() stratifies ", count,
             " classes into ", sizes.train, " training and ", sizes.test,
             " test rows, expected as many rows as classes or more in each; change test_size or train_size");
}

/// scikit-learn's StratifiedShuffleSplit, draw for draw.
Fold stratified_split(const TensorView& y, const Sizes& sizes, const SplitOptions& options) {
  GLIA_CHECK(
      options.shuffle, ValueError,
      "train_test_split() got stratify = true and shuffle = false, but rows in order cannot be stratified; "
      "leave one of them out");
  const auto classes = detail::rows_by_class(detail::labels_of(y, "train_test_split()"));
  expect_stratifiable(classes, sizes);
  RandomState random(options.random_state);
  Indices counts;
  for (const auto& [label, rows] : classes) counts.push_back(static_cast<std::int64_t>(rows.size()));
  const Indices train = shares(counts, sizes.train, random);
  Indices left(counts);
  for (std::size_t k = 0; k < counts.size(); ++k) left[k] -= train[k];
  const Indices test = shares(left, sizes.test, random);
  Fold result;
  std::size_t k = 0;
  for (const auto& [label, rows] : classes) {
    const Indices order = random.permutation(counts[k]);
    for (std::int64_t i = 0; i < train[k] + test[k]; ++i)
      (i < train[k] ? result.train : result.test)
          .push_back(rows[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
    ++k;
  }
  random.shuffle(result.train);
  random.shuffle(result.test);
  return result;
}

Fold split_rows(const TensorView& x, const TensorView& y, const SplitOptions& options) {
  detail::expect_cpu(x, "train_test_split()");
  detail::expect_cpu(y, "train_test_split()");
  detail::expect_same_rows(x, y, "train_test_split()");
  const Sizes sizes = sizes_of(options, x.rows());
  if (options.stratify) return stratified_split(y, sizes, options);
  Indices order(static_cast<std::size_t>(x.rows()));
  std::iota(order.begin(), order.end(), 0);
  if (!options.shuffle) {
    const auto middle = order.begin() + sizes.train;
    return {{order.begin(), middle}, {middle, middle + sizes.test}};
  }
  RandomState(options.random_state).shuffle(order);
  const auto middle = order.begin() + sizes.test;
  return {{middle, middle + sizes.train}, {order.begin(), middle}};
}

void check_folds(int n_splits, bool shuffle, bool has_random_state, std::int64_t rows) {
  GLIA_CHECK(n_splits >= 2, ValueError, "n_splits got ", n_splits, ", expected 2 or more folds");
  GLIA_CHECK(rows >= n_splits, ValueError, "n_splits got ", n_splits, " folds for ", rows,
             " rows, expected as many rows as folds or more; give more rows or fewer folds");
  GLIA_CHECK(shuffle || !has_random_state, ValueError,
             "random_state does nothing without shuffle; set shuffle = true, or leave random_state out");
}

/// Folds from the number of the fold that tests each row.
std::vector<Fold> folds_of(const std::vector<int>& fold_of_row, int n_splits) {
  std::vector<Fold> folds(static_cast<std::size_t>(n_splits));
  for (std::size_t row = 0; row < fold_of_row.size(); ++row)
    for (int k = 0; k < n_splits; ++k) {
      Fold& fold = folds[static_cast<std::size_t>(k)];
      (fold_of_row[row] == k ? fold.test : fold.train).push_back(static_cast<std::int64_t>(row));
    }
  return folds;
}

/// Classes by their first row, which is the order in which scikit-learn deals them out.
std::vector<Indices> classes_by_appearance(const std::vector<std::int64_t>& labels) {
  std::vector<Indices> result;
  for (auto& [label, rows] : detail::rows_by_class(labels)) result.push_back(rows);
  std::sort(result.begin(), result.end(), [](const Indices& a, const Indices& b) { return a[0] < b[0]; });
  return result;
}

}  // namespace

Split train_test_split(const TensorView& x, const TensorView& y, const SplitOptions& options) {
  const Fold rows = split_rows(x, y, options);
  return {detail::take_rows(x, rows.train), detail::take_rows(x, rows.test), detail::take_rows(y, rows.train),
          detail::take_rows(y, rows.test)};
}

TrainTest train_test_split(const Dataset& data, const SplitOptions& options) {
  GLIA_CHECK(data.is_plain(), ValueError, "train_test_split got a Dataset of ", data.xs.size(), " xs and ",
             data.ys.size(), " ys, expected x and y alone: split each tensor, with one random_state");
  for (const Tensors::Entry& weights : data.weights())
    GLIA_CHECK(weights.view.rows() == data.x.rows(), ShapeError, "train_test_split got a sample_weight of ",
               weights.view.rows(), " rows for ", data.x.rows(), " rows of x: give each row one number");
  const Fold rows = split_rows(data.x, data.y, options);
  return {data.rows(rows.train), data.rows(rows.test)};
}

Dataset Dataset::rows(const std::vector<std::int64_t>& indices) const {
  std::optional<std::int64_t> all;  // of the first that is there
  const auto part = [&](const Tensor& tensor) {
    if (tensor.shape() == Tensor().shape()) return Tensor();  // not given
    if (!all) all = tensor.rows();
    GLIA_CHECK(tensor.rows() == *all, ShapeError, "the data set has tensors of ", *all, " and ",
               tensor.rows(), " rows: all need the same number of rows");
    return tensor.rows(indices);
  };
  const auto parts = [&](const std::vector<NamedTensor>& all) {
    std::vector<NamedTensor> chosen;
    for (const NamedTensor& named : all) chosen.push_back({named.name, part(named.tensor)});
    return chosen;
  };
  Dataset chosen(part(x), part(y), class_names);
  chosen.sample_weight = part(sample_weight);
  chosen.xs = parts(xs), chosen.ys = parts(ys), chosen.sample_weights = parts(sample_weights);
  return chosen;
}

std::vector<Fold> KFold::split(std::int64_t rows) const {
  check_folds(n_splits, shuffle, random_state.has_value(), rows);
  Indices order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  if (shuffle) RandomState(random_state).shuffle(order);
  std::vector<int> fold_of_row(order.size());
  auto next = order.begin();
  for (int fold = 0; fold < n_splits; ++fold) {
    const auto end = next + rows / n_splits + (fold < rows % n_splits ? 1 : 0);
    for (; next != end; ++next) fold_of_row[static_cast<std::size_t>(*next)] = fold;
  }
  return folds_of(fold_of_row, n_splits);
}

std::vector<Fold> StratifiedKFold::split(const TensorView& labels) const {
  const auto numbers = detail::labels_of(labels, "StratifiedKFold::split()");
  check_folds(n_splits, shuffle, random_state.has_value(), static_cast<std::int64_t>(numbers.size()));
  const std::vector<Indices> classes = classes_by_appearance(numbers);
  std::size_t largest = 0;
  for (const Indices& rows : classes) largest = std::max(largest, rows.size());
  GLIA_CHECK(largest >= static_cast<std::size_t>(n_splits), ValueError, "n_splits got ", n_splits,
             " folds, but the largest class has ", largest, " rows; give fewer folds, or use KFold");

  RandomState random(random_state);
  std::vector<int> fold_of_row(numbers.size());
  std::size_t dealt = 0;  // rows of the classes before: class by class, folds are dealt out in turn
  for (const Indices& rows : classes) {
    std::vector<int> folds;
    for (std::size_t i = 0; i < rows.size(); ++i)
      folds.push_back(static_cast<int>((dealt + i) % static_cast<std::size_t>(n_splits)));
    dealt += rows.size();
    std::sort(folds.begin(), folds.end());
    if (shuffle) random.shuffle(folds);
    for (std::size_t i = 0; i < rows.size(); ++i) fold_of_row[static_cast<std::size_t>(rows[i])] = folds[i];
  }
  return folds_of(fold_of_row, n_splits);
}

}  // namespace glia
