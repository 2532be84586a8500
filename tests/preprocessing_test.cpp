// Labels encoded, features scaled, rows split and classes balanced. Golden numbers are scikit-learn's (1.9) and NumPy's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/preprocessing.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "host/data/random_state.h"

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::ThrowsMessage;

const double nan = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();

/// What pointers to a GPU's memory look like to a function of the host, which must not read them.
TensorView on_a_gpu(const Shape& shape) {
  static const float nothing[64] = {};
  return TensorView::of(nothing, shape, DType::float32, Device::cuda(0));
}

Tensor labels(const std::vector<std::int32_t>& values) { return Tensor(values); }
/// Classes of 9, 5 and 3 rows.
Tensor uneven() { return labels({0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 0, 1, 0, 1, 2, 0}); }
/// Four each of 1, 2 and 3, of which 3 comes first.
Tensor even() { return labels({3, 3, 1, 1, 2, 2, 2, 2, 1, 3, 1, 3}); }

std::vector<std::vector<std::int64_t>> tests_of(const std::vector<Fold>& folds) {
  std::vector<std::vector<std::int64_t>> result;
  for (const Fold& fold : folds) result.push_back(fold.test);
  return result;
}

TEST(ToCategorical, Makes_one_hot_rows_of_labels_of_any_dtype) {
  const Tensor expected{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}};
  for (DType dtype : {DType::uint8, DType::int32, DType::int64, DType::float32, DType::float64})
    EXPECT_TRUE(array_equal(to_categorical(Tensor({1, 2, 0}).cast(dtype)), expected)) << dtype;
  EXPECT_EQ(to_categorical(Tensor({1, 2, 0})).dtype(), DType::float32);
  EXPECT_TRUE(array_equal(to_categorical(Tensor{{1}, {2}, {0}}), expected)) << "(rows, 1) are labels too";
  EXPECT_EQ(to_categorical(Tensor{{1, 2}, {0, 0}}, 5).shape(), (Shape{2, 2, 5}));
  EXPECT_EQ(to_categorical(Tensor(), 4).shape(), (Shape{0, 4}));
  EXPECT_TRUE(array_equal(to_categorical(Tensor({0})), Tensor{{1}}));
}

TEST(ToCategorical, Refuses_what_is_no_label) {
  EXPECT_THAT(
      [] {
        to_categorical(Tensor({0, 3}), 3);
      },
      ThrowsMessage<ValueError>(AllOf(HasSubstr("label 3 at element 1"), HasSubstr("0 to 2"))));
  EXPECT_THAT([] { to_categorical(Tensor({-1})); },
              ThrowsMessage<ValueError>(HasSubstr("label -1 at element 0")));
  EXPECT_THAT([] { to_categorical(Tensor({0.5})); }, ThrowsMessage<ValueError>(HasSubstr("whole number")));
  EXPECT_THROW(to_categorical(Tensor({nan})), ValueError);
  EXPECT_THROW(to_categorical(Tensor({infinity})), ValueError);
  EXPECT_THAT([] { to_categorical(Tensor()); }, ThrowsMessage<ValueError>(HasSubstr("give num_classes")));
  EXPECT_THROW(to_categorical(Tensor({0}), -1), ValueError);
  EXPECT_THAT([] { to_categorical(on_a_gpu({3})); }, ThrowsMessage<DeviceError>(HasSubstr(".to(\"cpu\")")));
}

TEST(LabelEncoder, Encodes_in_sorted_order_and_back) {
  LabelEncoder encoder;
  const std::vector<std::string> texts = {"dog", "cat", "emu", "cat"};
  const Tensor y = encoder.fit_transform(texts);
  EXPECT_EQ(y.dtype(), DType::int32);
  EXPECT_THAT(y.values(), ElementsAre(1, 0, 2, 0));
  EXPECT_THAT(encoder.classes(), ElementsAre("cat", "dog", "emu"));
  EXPECT_EQ(encoder.inverse_transform(y), texts);
  EXPECT_EQ(encoder.transform({}).shape(), Shape{0});
  EXPECT_THAT(encoder.fit({"x"}).classes(), ElementsAre("x")) << "a second fit forgets the first";
}

TEST(LabelEncoder, Refuses_what_fit_did_not_see) {
  LabelEncoder encoder;
  EXPECT_THAT([&] { encoder.transform({"cat"}); }, ThrowsMessage<StateError>(HasSubstr("before fit()")));
  EXPECT_THROW(encoder.classes(), StateError);
  EXPECT_THROW(encoder.inverse_transform(Tensor({0})), StateError);
  encoder.fit({"cat", "dog"});
  EXPECT_THAT([&] { encoder.transform({"emu"}); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("'emu'"), HasSubstr("2 classes"))));
  EXPECT_THAT([&] { encoder.inverse_transform(Tensor({2})); },
              ThrowsMessage<ValueError>(HasSubstr("label 2")));
  EXPECT_THROW(encoder.inverse_transform(Tensor({-1})), ValueError);
}

TEST(RandomState, Permutes_as_NumPy) {
  EXPECT_THAT(detail::RandomState(42).permutation(10), ElementsAre(8, 1, 5, 0, 7, 2, 9, 4, 3, 6));
  EXPECT_THAT(detail::RandomState(0).permutation(17),
              ElementsAre(1, 6, 8, 9, 13, 4, 2, 14, 10, 7, 16, 11, 3, 0, 5, 15, 12));
  EXPECT_THAT(detail::RandomState(7).permutation(1), ElementsAre(0));
  EXPECT_THAT(detail::RandomState(7).permutation(0), IsEmpty());
  const std::vector<std::int64_t> many = detail::RandomState(123).permutation(1031);
  EXPECT_THAT((std::vector{many[0], many[1], many[500], many[1029], many[1030]}),
              ElementsAre(134, 13, 362, 96, 106));
}

/// The rows that a split of 0 .. count - 1 gives.
Split split_of(std::int64_t count, const SplitOptions& options) {
  const Tensor rows = Tensor::arange(count);
  return train_test_split(rows, rows, options);
}

TEST(TrainTestSplit, Gives_the_rows_that_scikit_learn_gives) {
  const Split quarter = split_of(10, {.random_state = 42});
  EXPECT_THAT(quarter.x_train.values(), ElementsAre(0, 7, 2, 9, 4, 3, 6));
  EXPECT_THAT(quarter.x_test.values(), ElementsAre(8, 1, 5));
  EXPECT_TRUE(array_equal(quarter.y_train, quarter.x_train) && array_equal(quarter.y_test, quarter.x_test));
  EXPECT_THAT(split_of(11, {.test_size = 0.3, .random_state = 7}).x_test.values(), ElementsAre(8, 5, 0, 2));
  const Split counts = split_of(11, {.test_size = 3, .train_size = 5, .random_state = 0});
  EXPECT_THAT(counts.x_train.values(), ElementsAre(10, 6, 1, 7, 8));
  EXPECT_THAT(counts.x_test.values(), ElementsAre(4, 9, 2));
  const Split train = split_of(10, {.train_size = 0.55, .random_state = 0});
  EXPECT_THAT(train.x_train.values(), ElementsAre(6, 7, 3, 0, 5));
  EXPECT_THAT(train.x_test.values(), ElementsAre(2, 8, 4, 9, 1));
  const Split large = split_of(8003, {.test_size = 0.2, .random_state = 123});
  EXPECT_THAT(large.x_train.rows(0, 5).values(), ElementsAre(6530, 3999, 1732, 4148, 3225));
  EXPECT_THAT(large.x_test.rows(0, 5).values(), ElementsAre(7915, 4826, 415, 3479, 4091));
  EXPECT_EQ(large.x_train.rows(), 6402);
  EXPECT_EQ(large.x_test.rows(), 1601);
}

TEST(TrainTestSplit, Stratified_gives_the_rows_that_scikit_learn_gives) {
  const auto split = [](const Tensor& y, const SplitOptions& options) {
    return train_test_split(Tensor::arange(y.rows()), y, options);
  };
  const Split three = split(uneven(), {.test_size = 0.4, .random_state = 5, .stratify = true});
  EXPECT_THAT(three.x_train.values(), ElementsAre(14, 16, 15, 7, 2, 13, 4, 9, 5, 8));
  EXPECT_THAT(three.x_test.values(), ElementsAre(0, 6, 10, 12, 11, 1, 3));
  EXPECT_THAT(three.y_test.values(), ElementsAre(0, 0, 0, 1, 0, 1, 2));
  const Split tied = split(even(), {.test_size = 5, .train_size = 4, .random_state = 11, .stratify = true});
  EXPECT_THAT(tied.x_train.values(), ElementsAre(1, 6, 2, 8));
  EXPECT_THAT(tied.x_test.values(), ElementsAre(4, 0, 9, 7, 3));
}

TEST(TrainTestSplit, Stratified_keeps_shares_within_one_row_whatever_the_sizes) {
  std::vector<std::int32_t> values;
  for (int i = 0; i < 1031; ++i) values.push_back(i % 17 == 0 ? 2 : i % 3 == 0 ? 1 : 0);
  const Tensor y = labels(values);
  for (double size : {0.01, 0.2, 1.0 / 3, 0.5, 0.99}) {
    const Split split = train_test_split(y, y, {.test_size = size, .stratify = true});
    EXPECT_EQ(split.y_train.rows() + split.y_test.rows(), 1031);
    for (int label = 0; label < 3; ++label) {
      const double all = (y == label).sum() * static_cast<double>(split.y_test.rows()) / 1031;
      EXPECT_NEAR((split.y_test == label).sum(), all, 1) << size << " " << label;
    }
  }
}

TEST(TrainTestSplit, Without_shuffle_keeps_the_order) {
  const Split split = split_of(7, {.test_size = 2, .train_size = 4, .shuffle = false});
  EXPECT_THAT(split.x_train.values(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(split.x_test.values(), ElementsAre(4, 5));
  EXPECT_THAT(split_of(2, {.shuffle = false}).x_test.values(), ElementsAre(1));
}

TEST(TrainTestSplit, Without_a_random_state_differs_from_call_to_call) {
  EXPECT_FALSE(array_equal(split_of(8003, {}).x_test, split_of(8003, {}).x_test));
}

TEST(TrainTestSplit, A_data_set_keeps_names_dtype_shape_and_scale) {
  Tensor images = Tensor::arange(40, DType::uint8).reshape({10, 2, 2});
  images.set_scale(1.0 / 255);
  const Dataset data(std::move(images), Tensor::arange(10, DType::int64), {"a", "b"});
  const auto [train, test] = train_test_split(data, {.test_size = 0.2, .random_state = 42});
  EXPECT_EQ(train.x.shape(), (Shape{8, 2, 2}));
  EXPECT_EQ(test.x.dtype(), DType::uint8);
  EXPECT_EQ(test.x.scale(), 1.0 / 255);
  EXPECT_THAT(test.y.values(), ElementsAre(8, 1));
  EXPECT_EQ(test.y.dtype(), DType::int64);
  EXPECT_TRUE(array_equal(test.x.row(0), data.x.row(8)));
  EXPECT_THAT(train.class_names, ElementsAre("a", "b"));
  EXPECT_THAT(test.class_names, ElementsAre("a", "b"));
}

TEST(TrainTestSplit, A_data_set_keeps_the_weight_of_each_row) {
  Dataset data(Tensor::arange(10), Tensor::arange(10));
  data.sample_weight = Tensor::arange(10) * 0.5;
  const auto [train, test] = train_test_split(data, {.test_size = 3, .random_state = 42});
  for (const Dataset* part : {&train, &test}) {
    EXPECT_TRUE(array_equal(part->sample_weight, part->x * 0.5));
    EXPECT_TRUE(part->sample_weights.empty());
  }
  data.sample_weights.push_back({"digit", Tensor::arange(10) * 2.0});  // counts in place of the one above
  const auto [more, rest] = train_test_split(data, {.test_size = 3, .random_state = 42});
  for (const Dataset* part : {&more, &rest}) {
    ASSERT_EQ(part->weights().size(), 1u);
    EXPECT_EQ(part->weights()[0].name, "digit");
    EXPECT_TRUE(array_equal(part->sample_weights[0].tensor, part->x * 2.0));
  }
  data.sample_weights.clear();
  data.sample_weight = Tensor::ones({9});
  EXPECT_THAT([&] { train_test_split(data); },
              ThrowsMessage<ShapeError>(AllOf(HasSubstr("9 rows for 10"), HasSubstr("each row one number"))));
}

TEST(Dataset, Gives_rows_of_all_that_it_holds) {
  Dataset data;
  data.xs.push_back({"a", Tensor::arange(6).reshape({3, 2})}), data.xs.push_back({"b", Tensor::arange(3)});
  data.ys.push_back({"c", Tensor::arange(3) + 5.0});
  data.sample_weights.push_back({"", Tensor::arange(3) + 1.0});
  data.class_names = {"no", "yes"};
  const Dataset part = data.rows({2, 0, -1});
  EXPECT_TRUE(part.x.empty());
  EXPECT_TRUE(part.sample_weight.empty());
  ASSERT_EQ(part.xs.size(), 2u);
  EXPECT_EQ(part.xs[0].name, "a");
  EXPECT_THAT(part.xs[0].tensor.values(), ElementsAre(4, 5, 0, 1, 4, 5));
  EXPECT_THAT(part.xs[1].tensor.values(), ElementsAre(2, 0, 2));
  EXPECT_THAT(part.ys[0].tensor.values(), ElementsAre(7, 5, 7));
  EXPECT_THAT(part.sample_weights[0].tensor.values(), ElementsAre(3, 1, 3));
  EXPECT_THAT(part.class_names, ElementsAre("no", "yes"));
  EXPECT_THROW(data.rows({3}), ShapeError);
  data.ys[0].tensor = Tensor::arange(4);
  EXPECT_THAT([&] { data.rows({-1}); }, ThrowsMessage<ShapeError>(HasSubstr("3 and 4 rows")));
  const Dataset nothing(Tensor::zeros({0, 4}), Tensor::zeros({0}));
  EXPECT_EQ(nothing.rows({}).x.shape(), Shape({0, 4}));
  EXPECT_THROW(nothing.rows({0}), ShapeError);
}

TEST(TrainTestSplit, Sizes_that_cannot_be_are_refused) {
  const auto refused = [](std::int64_t rows, const SplitOptions& options, const char* word) {
    EXPECT_THAT([&] { split_of(rows, options); }, ThrowsMessage<ValueError>(HasSubstr(word)));
  };
  refused(1, {}, "gives 0 for training and 1 for the test");
  refused(0, {}, "0 rows");
  refused(10, {.test_size = 11}, "but there are 10");
  refused(10, {.test_size = 10}, "gives 0 for training");
  refused(10, {.test_size = 2.5}, "test_size got 2.5");
  refused(10, {.test_size = 0}, "test_size got 0");
  refused(10, {.test_size = nan}, "test_size got nan");
  refused(10, {.train_size = -0.5}, "train_size got -0.5");
  refused(10, {.train_size = infinity}, "train_size got inf");
  refused(10, {.test_size = 0.6, .train_size = 0.6}, "6 training and 6 test rows");
  refused(10, {.random_state = std::uint64_t{1} << 32}, "random_state got 4294967296");
  EXPECT_THAT([] { train_test_split(Tensor::zeros({3}), Tensor::zeros({4})); },
              ThrowsMessage<ShapeError>(AllOf(HasSubstr("3 rows in x"), HasSubstr("4 in y"))));
  EXPECT_THROW(train_test_split(Tensor::full({}, 1), Tensor::full({}, 1)), ShapeError);
  EXPECT_THROW(train_test_split(on_a_gpu({4}), Tensor::zeros({4})), DeviceError);
}

TEST(TrainTestSplit, Classes_that_cannot_be_stratified_are_refused) {
  const auto refused = [](const Tensor& y, SplitOptions options, const char* word) {
    options.stratify = true;
    EXPECT_THAT([&] { train_test_split(y, y, options); }, ThrowsMessage<ValueError>(HasSubstr(word)));
  };
  refused(labels({0, 0, 1, 0}), {}, "class 1 has one row");
  refused(uneven(), {.test_size = 2}, "3 classes into 15 training and 2 test rows");
  refused(uneven(), {.shuffle = false}, "shuffle = false");
  refused(Tensor({0.5, 0.5, 1, 1}), {.test_size = 2}, "whole number");
  EXPECT_THAT(
      [] {
        train_test_split(Tensor::zeros({4}), Tensor::zeros({4, 2}), {.stratify = true});
      },
      ThrowsMessage<ShapeError>(HasSubstr("argmax(1)")));
}

TEST(KFold, Gives_the_folds_that_scikit_learn_gives) {
  const std::vector<Fold> plain = KFold{.n_splits = 4}.split(10);
  EXPECT_THAT(tests_of(plain),
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5), ElementsAre(6, 7), ElementsAre(8, 9)));
  EXPECT_THAT(plain[1].train, ElementsAre(0, 1, 2, 6, 7, 8, 9));
  EXPECT_THAT(tests_of(KFold{.n_splits = 3, .shuffle = true, .random_state = 4}.split(10)),
              ElementsAre(ElementsAre(3, 4, 8, 9), ElementsAre(0, 2, 6), ElementsAre(1, 5, 7)));
  EXPECT_EQ(KFold{}.split(5).size(), 5u);
}

TEST(StratifiedKFold, Gives_the_folds_that_scikit_learn_gives) {
  const std::vector<Fold> plain = StratifiedKFold{.n_splits = 3}.split(uneven());
  EXPECT_THAT(tests_of(plain), ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5), ElementsAre(6, 7, 8, 9, 10, 12),
                                           ElementsAre(11, 13, 14, 15, 16)));
  EXPECT_THAT(plain[2].train, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12));
  EXPECT_THAT(tests_of(StratifiedKFold{.n_splits = 3, .shuffle = true, .random_state = 9}.split(uneven())),
              ElementsAre(ElementsAre(3, 6, 8, 9, 11, 14), ElementsAre(1, 2, 10, 12, 15, 16),
                          ElementsAre(0, 4, 5, 7, 13)));
  EXPECT_THAT(
      tests_of(StratifiedKFold{.n_splits = 4, .shuffle = true, .random_state = 0}.split(even())),
      ElementsAre(ElementsAre(2, 5, 11), ElementsAre(7, 8, 9), ElementsAre(0, 3, 6), ElementsAre(1, 4, 10)));
}

TEST(KFold, Folds_that_cannot_be_are_refused) {
  EXPECT_THAT([] { KFold{.n_splits = 1}.split(9); }, ThrowsMessage<ValueError>(HasSubstr("n_splits got 1")));
  EXPECT_THAT([] { KFold{.n_splits = 5}.split(4); },
              ThrowsMessage<ValueError>(HasSubstr("5 folds for 4 rows")));
  EXPECT_THROW(KFold{}.split(0), ValueError);
  EXPECT_THROW(KFold{}.split(-1), ValueError);
  EXPECT_THAT([] { KFold{.random_state = 1}.split(9); },
              ThrowsMessage<ValueError>(HasSubstr("shuffle = true")));
  EXPECT_THAT([] { StratifiedKFold{.n_splits = 5}.split(even()); },
              ThrowsMessage<ValueError>(HasSubstr("largest class has 4 rows")));
  EXPECT_THROW(StratifiedKFold{.n_splits = 1}.split(even()), ValueError);
}

Tensor features() { return Tensor{{1, 5, nan}, {2, 5, 3}, {4, 5, 7}, {9, 5, nan}}; }

TEST(StandardScaler, Scales_as_scikit_learn) {
  StandardScaler scaler;
  const Tensor scaled = scaler.fit_transform(features());
  EXPECT_THAT(scaler.mean().values(), ElementsAre(4, 5, 5));
  EXPECT_THAT(scaler.scale().values(), ElementsAre(DoubleNear(3.082207001484488, 1e-15), 1, 2));
  EXPECT_EQ(scaler.mean().dtype(), DType::float64);
  EXPECT_EQ(scaled.dtype(), DType::float32);
  EXPECT_TRUE(all_close(scaled.column(0), Tensor({-0.9733285, -0.6488857, 0, 1.6222142})));
  EXPECT_TRUE(array_equal(scaled.column(1), Tensor::zeros({4})));
  EXPECT_TRUE(array_equal(scaled.column(2), Tensor({nan, -1, 1, nan})));
  EXPECT_TRUE(all_close(scaler.inverse_transform(scaled).columns(0, 2), features().columns(0, 2), 1e-6));
}

TEST(StandardScaler, One_row_and_features_that_rounding_alone_changes_have_scale_one) {
  StandardScaler scaler;
  EXPECT_TRUE(array_equal(scaler.fit_transform(Tensor{{3, -7}}), Tensor::zeros({1, 2})));
  scaler.fit(Tensor::full({8003, 1}, 0.1, DType::float64));
  EXPECT_THAT(scaler.scale().values(), ElementsAre(1));
  EXPECT_TRUE(std::isnan(scaler.fit(Tensor{{nan}}).mean().item()));
}

TEST(StandardScaler, Reads_bytes_with_their_scale) {
  Tensor bytes = Tensor({0, 255}).cast(DType::uint8).reshape({2, 1});
  bytes.set_scale(1.0 / 255);
  StandardScaler scaler;
  EXPECT_TRUE(array_equal(scaler.fit_transform(bytes), Tensor{{-1}, {1}}));
  EXPECT_EQ(scaler.mean().item(), 0.5);
}

TEST(MinMaxScaler, Scales_as_scikit_learn) {
  MinMaxScaler scaler({.feature_range = {-1, 1}});
  const Tensor scaled = scaler.fit_transform(features());
  EXPECT_THAT(scaler.data_min().values(), ElementsAre(1, 5, 3));
  EXPECT_THAT(scaler.data_max().values(), ElementsAre(9, 5, 7));
  EXPECT_THAT(scaler.scale().values(), ElementsAre(0.25, 2, 0.5));
  EXPECT_TRUE(array_equal(scaled, Tensor{{-1, -1, nan}, {-0.75, -1, -1}, {-0.25, -1, 1}, {1, -1, nan}}));
  EXPECT_TRUE(array_equal(scaler.inverse_transform(scaled), features()));
  EXPECT_TRUE(array_equal(MinMaxScaler().fit_transform(Tensor{{2}, {4}, {3}}), Tensor{{0}, {1}, {0.5}}));
  EXPECT_TRUE(std::isnan(MinMaxScaler().fit(Tensor{{nan}, {nan}}).data_max().item()));
}

template <class Scaler>
void expect_checks() {
  Scaler scaler;
  EXPECT_THAT([&] { scaler.transform(features()); }, ThrowsMessage<StateError>(HasSubstr("before fit()")));
  EXPECT_THROW(scaler.inverse_transform(features()), StateError);
  EXPECT_THROW(scaler.scale(), StateError);
  EXPECT_THAT([&] { scaler.fit(Tensor::zeros({0, 3})); }, ThrowsMessage<ShapeError>(HasSubstr("no rows")));
  EXPECT_THAT([&] { scaler.fit(Tensor({1, 2})); }, ThrowsMessage<ShapeError>(HasSubstr("(rows, features)")));
  EXPECT_THAT(
      [&] {
        scaler.fit(Tensor{{1, 2}, {1, -infinity}});
      },
      ThrowsMessage<ValueError>(AllOf(HasSubstr("-inf"), HasSubstr("feature 1"))));
  EXPECT_THROW(scaler.fit(on_a_gpu({2, 2})), DeviceError);
  EXPECT_THROW(scaler.transform(features()), StateError) << "a fit that failed has not been";
  scaler.fit(features());
  EXPECT_THAT(
      [&] {
        scaler.transform(Tensor::zeros({4, 2}));
      },
      ThrowsMessage<ShapeError>(AllOf(HasSubstr("2 features"), HasSubstr("saw 3"))));
  EXPECT_THROW(scaler.inverse_transform(Tensor::zeros({3})), ShapeError);
  EXPECT_EQ(scaler.transform(Tensor::zeros({0, 3})).shape(), (Shape{0, 3}));
}

TEST(StandardScaler, Refuses_what_does_not_fit) { expect_checks<StandardScaler>(); }

TEST(MinMaxScaler, Refuses_what_does_not_fit) {
  expect_checks<MinMaxScaler>();
  EXPECT_THAT(
      [] {
        MinMaxScaler({.feature_range = {1, 1}});
      },
      ThrowsMessage<ValueError>(HasSubstr("feature_range")));
  EXPECT_THROW(MinMaxScaler({.feature_range = {0, nan}}), ValueError);
}

TEST(Sampling, Over_sampling_repeats_rows_of_small_classes_evenly) {
  const Tensor y = uneven();
  const Samples samples = over_sample(Tensor::arange(17), y, 3);
  ASSERT_EQ(samples.x.rows(), 27);
  std::map<double, int> times;
  for (std::int64_t i = 0; i < 27; ++i) {
    EXPECT_EQ(samples.y(i), y(static_cast<std::int64_t>(samples.x(i)))) << "labels stay with their rows";
    ++times[samples.x(i)];
  }
  for (std::int64_t row = 0; row < 17; ++row) {
    const int least = std::vector{1, 1, 3}[static_cast<std::size_t>(y(row))];
    EXPECT_THAT(times[static_cast<double>(row)],
                AllOf(::testing::Ge(least), ::testing::Le(y(row) == 1 ? 2 : least)));
  }
  for (int label = 0; label < 3; ++label) EXPECT_EQ((samples.y == label).sum(), 9);
  EXPECT_EQ(samples.y.dtype(), DType::int32);
}

TEST(Sampling, Under_sampling_leaves_rows_out) {
  const Tensor y = uneven();
  const Samples samples = under_sample(Tensor::arange(17), y, 3);
  ASSERT_EQ(samples.x.rows(), 9);
  for (int label = 0; label < 3; ++label) EXPECT_EQ((samples.y == label).sum(), 3);
  for (std::int64_t i = 0; i < 9; ++i) EXPECT_EQ(samples.y(i), y(static_cast<std::int64_t>(samples.x(i))));
  const std::vector<double> rows = samples.x.values();
  EXPECT_EQ(std::set<double>(rows.begin(), rows.end()).size(), 9u) << "no row twice";
}

TEST(Sampling, Is_the_same_for_a_seed_and_another_for_another) {
  const Tensor x = Tensor::arange(17);
  EXPECT_TRUE(array_equal(over_sample(x, uneven(), 1).x, over_sample(x, uneven(), 1).x));
  EXPECT_FALSE(array_equal(over_sample(x, uneven(), 1).x, over_sample(x, uneven(), 2).x));
  std::set<std::vector<double>> chosen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    std::vector<double> rows = under_sample(x, uneven(), seed).x.values();
    std::sort(rows.begin(), rows.end());
    chosen.insert(rows);
  }
  EXPECT_GT(chosen.size(), 5u) << "which rows are left out, and not only their order, is the seed's";
}

TEST(Sampling, Takes_one_row_and_none_and_refuses_what_does_not_fit) {
  EXPECT_EQ(over_sample(Tensor::zeros({1, 4}), labels({7})).x.shape(), (Shape{1, 4}));
  EXPECT_EQ(over_sample(Tensor::zeros({0, 4}), labels({})).x.shape(), (Shape{0, 4}));
  EXPECT_EQ(under_sample(Tensor::zeros({0, 4}), labels({})).y.shape(), Shape{0});
  EXPECT_THROW(over_sample(Tensor::zeros({2}), labels({1})), ShapeError);
  EXPECT_THROW(under_sample(Tensor::zeros({2}), Tensor({1, 0.5})), ValueError);
  EXPECT_THROW(under_sample(on_a_gpu({2}), labels({1, 0})), DeviceError);
}

TEST(ClassWeights, Weigh_all_classes_alike) {
  EXPECT_THAT(balanced_class_weights(uneven()),
              ElementsAre(Pair(0, 17.0 / (3 * 9)), Pair(1, 17.0 / (3 * 5)), Pair(2, 17.0 / (3 * 3))));
  EXPECT_THAT(balanced_class_weights(Tensor{{4}}), ElementsAre(Pair(4, 1)));
  EXPECT_THAT(balanced_class_weights(Tensor()), IsEmpty());
  EXPECT_THAT([] { balanced_class_weights(Tensor(std::vector<std::int64_t>{1LL << 40})); },
              ThrowsMessage<ValueError>(HasSubstr("2147483647")));
  EXPECT_THROW(balanced_class_weights(Tensor::zeros({3, 2})), ShapeError);
}

}  // namespace
}  // namespace glia
