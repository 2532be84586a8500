// What happens to data before training: labels encoded, features scaled, rows split, classes balanced.
// SPDX-License-Identifier: Apache-2.0
//
// Everything here works on the CPU, allocates its results, and throws DeviceError for elements elsewhere. Where
// scikit-learn has the function, names, defaults and results are its own: with a random_state the same rows.
#pragma once

#include <glia/datasets.h>  // defines: Dataset, TrainTest
#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// One-hot rows as Keras makes them: labels of any dtype and shape (...,) or (..., 1) become float32 (...,
/// num_classes); 0 classes means the highest label + 1. Throws ValueError for a label that is no whole number from 0
/// to num_classes - 1.
Tensor to_categorical(const TensorView& labels, int num_classes = 0);

/// Texts as labels 0, 1, ... in sorted (byte) order.
///
///     glia::LabelEncoder encoder;
///     glia::Tensor y = encoder.fit_transform({"cat", "dog", "cat"});  // int32 (3,): 0, 1, 0
///     encoder.inverse_transform(y);                                   // {"cat", "dog", "cat"}
class LabelEncoder {
 public:
  /// Learns the classes; what an earlier fit learnt is forgotten.
  LabelEncoder& fit(const std::vector<std::string>& texts);
  /// int32 (texts.size(),). Throws StateError before fit, ValueError for a text that fit did not see.
  Tensor transform(const std::vector<std::string>& texts) const;
  Tensor fit_transform(const std::vector<std::string>& texts) { return fit(texts).transform(texts); }
  /// The texts of labels (rows,) or (rows, 1). Throws StateError before fit, ValueError for a label of no class.
  std::vector<std::string> inverse_transform(const TensorView& labels) const;
  /// Throws StateError before fit.
  const std::vector<std::string>& classes() const;

 private:
  bool fitted_ = false;
  std::vector<std::string> classes_;
};

/// How train_test_split divides the rows.
struct SplitOptions {
  /// Below 1 a share of the rows, from 1 on their number. The test part is rounded up, the training part down; one
  /// left out is the rest, and without both a quarter of the rows is for the test.
  std::optional<double> test_size = {};
  std::optional<double> train_size = {};
  /// Below 2^32: the rows that scikit-learn gives for this random_state. Without one they differ from call to call.
  std::optional<std::uint64_t> random_state = {};
  bool shuffle = true;    ///< Else the first rows are for training, the next for the test.
  bool stratify = false;  ///< Both parts have the classes of y, (rows,) or (rows, 1), in the same shares.
};

struct Split {
  Tensor x_train, x_test, y_train, y_test;
};

/// Rows for training and rows to test with; dtype and scale stay.
///
///     auto [x_train, x_test, y_train, y_test] =
///         glia::train_test_split(x, y, {.test_size = 0.2, .random_state = 42});
///
/// Throws ShapeError where x and y differ in rows; ValueError for sizes that leave a part without rows or need more
/// rows than there are, and, stratified, for a class of fewer than two rows or a part with fewer rows than classes.
Split train_test_split(const TensorView& x, const TensorView& y, const SplitOptions& options = {});
/// Both parts have the data set's class names, and its sample_weight row by row. Throws ValueError for a data set of several
/// inputs or targets, ShapeError for a sample_weight of another number of rows.
TrainTest train_test_split(const Dataset& data, const SplitOptions& options = {});

/// Row numbers, as Tensor::rows takes them.
struct Fold {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
};

/// Cross-validation: every row is in one fold's test part, and in the training part of all others.
///
///     for (const glia::Fold& fold : glia::KFold{.n_splits = 5, .shuffle = true, .random_state = 1}.split(x.rows()))
///       model.fit(x.rows(fold.train), y.rows(fold.train));
struct KFold {
  int n_splits = 5;
  bool shuffle = false;
  std::optional<std::uint64_t> random_state = {};  ///< As SplitOptions::random_state; only with shuffle.

  /// The first rows % n_splits folds test one row more. Throws ValueError for fewer than two folds, more folds than
  /// rows, or a random_state without shuffle.
  std::vector<Fold> split(std::int64_t rows) const;
};

/// KFold whose folds have the classes in the same shares.
struct StratifiedKFold {
  int n_splits = 5;
  bool shuffle = false;
  std::optional<std::uint64_t> random_state = {};

  /// `labels` are whole numbers, (rows,) or (rows, 1). Throws as KFold::split does, and ValueError where no class has
  /// n_splits rows; folds that a smaller class cannot reach go without it.
  std::vector<Fold> split(const TensorView& labels) const;
};

/// Features to mean 0 and standard deviation 1, each for itself: (x - mean) / scale.
///
///     glia::StandardScaler scaler;
///     glia::Tensor train = scaler.fit_transform(x_train);  // learn from the training rows only
///     glia::Tensor test = scaler.transform(x_test);
class StandardScaler {
 public:
  /// `x` is (rows, features), of any dtype. A NaN is not counted; the deviation is the population's; a constant
  /// feature has scale 1. Throws ShapeError for another rank or no rows, ValueError for an infinite element.
  StandardScaler& fit(const TensorView& x);
  /// float32 (rows, features); NaN stays. Throws StateError before fit, ShapeError for other features.
  Tensor transform(const TensorView& x) const;
  Tensor fit_transform(const TensorView& x) { return fit(x).transform(x); }
  Tensor inverse_transform(const TensorView& x) const;
  /// float64 (features,). Throw StateError before fit.
  Tensor mean() const;
  Tensor scale() const;

 private:
  bool fitted_ = false;
  std::vector<double> mean_, scale_;
};

struct MinMaxOptions {
  /// What the least and the greatest element of each feature become.
  std::pair<double, double> feature_range = {0, 1};
};

/// Features to a range: MinMaxScaler({.feature_range = {-1, 1}}). NaN, shapes and errors as in StandardScaler.
class MinMaxScaler {
 public:
  /// Throws ValueError for a range that is empty or not finite.
  explicit MinMaxScaler(const MinMaxOptions& options = {});
  /// A constant feature becomes the lower end of the range.
  MinMaxScaler& fit(const TensorView& x);
  /// Elements beyond those that fit saw come to lie beyond the range.
  Tensor transform(const TensorView& x) const;
  Tensor fit_transform(const TensorView& x) { return fit(x).transform(x); }
  Tensor inverse_transform(const TensorView& x) const;
  /// float64 (features,). Throw StateError before fit.
  Tensor data_min() const;
  Tensor data_max() const;
  /// The factor of transform: x * scale + offset.
  Tensor scale() const;

 private:
  bool fitted_ = false;
  std::pair<double, double> range_;
  std::vector<double> min_, max_, scale_, offset_;
};

/// Rows and their labels.
struct Samples {
  Tensor x, y;
};

/// As many rows of every class as the largest has: each row of a smaller class is repeated, equally often but for
/// one. Rows come in a random order, which `seed` fixes. Labels are whole numbers, (rows,) or (rows, 1). Split off
/// the test rows first: else it knows rows of the training. Throws ShapeError where x and y differ in rows.
Samples over_sample(const TensorView& x, const TensorView& y, std::uint64_t seed = 0);
/// As many rows of every class as the smallest has; the others' rows are left out at random.
Samples under_sample(const TensorView& x, const TensorView& y, std::uint64_t seed = 0);

/// What each class's rows should weigh so that all classes weigh the same: rows / (classes * rows of the class).
/// Classes without a row are not in it. Labels as in over_sample, from -2^31 to 2^31 - 1.
std::map<int, double> balanced_class_weights(const TensorView& labels);

}  // namespace glia
