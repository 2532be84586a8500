// Orders, distinct values and counts of tensors, on every device. Golden values are NumPy's, of top-k PyTorch's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/expect_error.h"
#include "tests/tensor_samples.h"

namespace glia {
namespace {

using test::expect_error;
using test::for_samples;
using test::odd_shapes;
using test::sample;
using ::testing::ElementsAre;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class TensorOrder : public test::TensorTest {
 protected:
  static std::vector<double> here(const Tensor& tensor) { return tensor.to(Device::cpu()).values(); }
};
INSTANTIATE_TEST_SUITE_P(Devices, TensorOrder, ::testing::ValuesIn(test::test_devices()), test::device_name);

/// NaN is above all numbers.
bool less(double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); }

/// Indices of a row in its order, by the standard library's stable sort.
std::vector<std::int64_t> order_of(const std::vector<double>& row, bool descending) {
  std::vector<std::int64_t> order(row.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = row[static_cast<std::size_t>(a)], y = row[static_cast<std::size_t>(b)];
    return descending ? less(y, x) : less(x, y);
  });
  return order;
}

TEST_P(TensorOrder, Golden_sorts_are_numpys) {
  const Tensor x = there(Tensor{{3, nan, -1, 3, 0.5}, {2, 2, -0.0, 0, -7}});
  expect_same(x.sort(), Tensor{{-1, 0.5, 3, 3, nan}, {-7, -0.0, 0, 2, 2}});
  EXPECT_THAT(here(x.argsort()), ElementsAre(2, 4, 0, 3, 1, 4, 2, 3, 0, 1));
  EXPECT_TRUE(std::signbit(x.sort()(1, 1))) << "zeros stay in their order";
  EXPECT_FALSE(std::signbit(x.sort()(1, 2)));
  const Tensor bytes = there(Tensor(std::vector<std::uint8_t>{3, 1, 1, 200, 0, 3, 3}));
  EXPECT_THAT(here(bytes.sort()), ElementsAre(0, 1, 1, 3, 3, 3, 200));
  EXPECT_THAT(here(bytes.argsort()), ElementsAre(4, 1, 2, 0, 5, 6, 3));
  const std::int64_t large = std::int64_t{1} << 40, least = -(std::int64_t{1} << 62);
  const Tensor integers(std::vector<std::int64_t>{large, -5, large + 1, least, 7, least}, {2, 3});
  expect_same(there(integers).sort(),
              Tensor(std::vector<std::int64_t>{-5, large, large + 1, least, least, 7}, {2, 3}));
  EXPECT_THAT(here(there(integers).argsort()), ElementsAre(1, 0, 2, 0, 2, 1));
}

TEST_P(TensorOrder, Golden_topk_is_pytorchs_with_ties_to_the_lower_index) {
  const TopK top = there(Tensor{{3, nan, -1, 3, 0.5}, {2, 2, -0.0, 0, -7}}).topk(3);
  expect_same(top.values, Tensor{{nan, 3, 3}, {2, 2, -0.0}});
  EXPECT_THAT(here(top.indices), ElementsAre(1, 0, 3, 0, 1, 2));
  EXPECT_EQ(top.indices.dtype(), DType::int64);
}

TEST_P(TensorOrder, Rows_are_sorted_as_a_stable_sort_would) {
  std::vector<Shape> shapes = odd_shapes();
  shapes.push_back({31, 100});
  for (const Shape& shape : shapes)
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      const Tensor sorted = x.sort(), order = x.argsort();
      EXPECT_TRUE(sorted.device() == test::current_device());
      EXPECT_EQ(sorted.shape(), shape);
      EXPECT_EQ(sorted.dtype(), a.dtype());
      EXPECT_EQ(sorted.scale(), a.scale());
      EXPECT_EQ(order.dtype(), DType::int64);
      EXPECT_EQ(order.shape(), shape);
      if (a.empty()) return;
      std::vector<std::int64_t> expected;
      std::vector<double> values;
      for (const std::vector<double>& row : test::rows_of_last_axis(a))
        for (const std::int64_t i : order_of(row, false)) {
          expected.push_back(i);
          values.push_back(row[static_cast<std::size_t>(i)]);
        }
      expect_same(order, Tensor(expected, shape));
      EXPECT_TRUE(array_equal(Tensor(here(sorted)), Tensor(values)));
    });
}

TEST_P(TensorOrder, The_first_of_a_descending_sort_are_the_top) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      const std::int64_t length = shape.back();
      for (const std::int64_t k : {std::int64_t{0}, std::min<std::int64_t>(1, length), length / 2, length}) {
        SCOPED_TRACE(k);
        const TopK top = x.topk(k);
        Shape wanted = shape;
        wanted[wanted.rank() - 1] = k;
        EXPECT_EQ(top.values.shape(), wanted);
        EXPECT_EQ(top.values.dtype(), a.dtype());
        EXPECT_EQ(top.values.scale(), a.scale());
        EXPECT_EQ(top.indices.shape(), wanted);
        if (wanted.elements() == 0) continue;
        std::vector<std::int64_t> expected;
        std::vector<double> values;
        for (const std::vector<double>& row : test::rows_of_last_axis(a)) {
          const std::vector<std::int64_t> order = order_of(row, true);
          for (std::int64_t i = 0; i < k; ++i) {
            expected.push_back(order[static_cast<std::size_t>(i)]);
            values.push_back(row[static_cast<std::size_t>(expected.back())]);
          }
        }
        expect_same(top.indices, Tensor(expected, wanted));
        EXPECT_TRUE(array_equal(Tensor(here(top.values)), Tensor(values)));
      }
      if (length > 0 && !a.empty()) {
        expect_same(x.topk(1).indices.reshape({-1}), a.argmax(-1).reshape({-1}));
      }
    });
}

TEST_P(TensorOrder, What_has_no_order_is_refused) {
  const Tensor scalar = there(Tensor{1}.reshape(Shape())), x = there(Tensor::zeros({2, 3}));
  expect_error<ShapeError>([&] { scalar.sort(); }, {"sort()", "scalar"});
  expect_error<ShapeError>([&] { scalar.argsort(); }, {"argsort()"});
  expect_error<ShapeError>([&] { scalar.topk(1); }, {"topk()"});
  expect_error<ShapeError>([&] { x.topk(4); }, {"k = 4", "(2, 3)", "0 to 3"});
  expect_error<ShapeError>([&] { x.topk(-1); }, {"k = -1"});
}

TEST_P(TensorOrder, Distinct_values_are_sorted_and_counted) {
  const Unique golden = there(Tensor{nan, 1, nan, -2, 1, 0.0, -0.0}).unique();
  expect_same(golden.values, Tensor{-2, 0, 1, nan});
  EXPECT_THAT(here(golden.counts), ElementsAre(1, 2, 2, 2));
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const auto before = [](double p, double q) { return less(p, q); };
      std::map<double, std::int64_t, decltype(before)> counted(before);
      for (const double value : a.values()) ++counted[value];
      std::vector<double> values;
      std::vector<std::int64_t> counts;
      for (const auto& [value, count] : counted) values.push_back(value), counts.push_back(count);
      const Unique unique = there(a).unique();
      EXPECT_EQ(unique.values.dtype(), a.dtype());
      EXPECT_EQ(unique.values.scale(), a.scale());
      EXPECT_TRUE(array_equal(Tensor(here(unique.values)), Tensor(values)));
      expect_same(unique.counts, Tensor(counts));
      expect_same(unique.values, a.unique().values);
    });
}

TEST_P(TensorOrder, Whole_numbers_are_counted_by_their_bin) {
  const Tensor golden = there(Tensor(std::vector<std::int32_t>{3, 1, 1, 0, 3, 3}));
  EXPECT_THAT(here(golden.bincount()), ElementsAre(1, 2, 0, 3));
  EXPECT_THAT(here(golden.bincount(6)), ElementsAre(1, 2, 0, 3, 0, 0));
  for (const Shape& shape : odd_shapes())
    for (const DType dtype : {DType::uint8, DType::int32, DType::int64}) {
      const Tensor a = sample(DType::uint8, shape).cast(dtype);
      std::vector<std::int64_t> counts(a.empty() ? 0 : static_cast<std::size_t>(a.max()) + 1);
      for (const double value : a.values()) ++counts[static_cast<std::size_t>(value)];
      expect_same(there(a).bincount(), Tensor(counts));
      counts.resize(std::max<std::size_t>(counts.size(), 400));
      expect_same(there(a).bincount(400), Tensor(counts));
    }
}

TEST_P(TensorOrder, What_has_no_bins_is_refused) {
  expect_error<ValueError>([&] { there(Tensor{1, 2}).bincount(); }, {"float32", "cast() it to int64"});
  Tensor scaled(std::vector<std::uint8_t>{1, 2});
  scaled.set_scale(0.5);
  expect_error<ValueError>([&] { there(scaled).bincount(); }, {"scale 0.5"});
  const Tensor negative(std::vector<std::int64_t>{4, -3, 2});
  expect_error<ValueError>([&] { there(negative).bincount(); }, {"the element -3"});
  expect_error<ValueError>([&] { there(negative.abs()).bincount(-1); }, {"min_length of -1"});
  const Tensor large(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max()});
  expect_error<ValueError>([&] { there(large).bincount(); }, {"9223372036854775807", "unique()"});
}

}  // namespace
}  // namespace glia
