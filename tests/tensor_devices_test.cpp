// What tensors compute, on every device: element by element, reduced, selected; against plain loops, and a GPU against the CPU.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/tensor.h>
#include <glia/tensor_work.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/tensor_samples.h"

namespace glia {
namespace {

using test::expect_error;
using test::for_samples;
using test::odd_shapes;
using test::sample;
using test::With;

class TensorDevices : public test::TensorTest {};
INSTANTIATE_TEST_SUITE_P(Devices, TensorDevices, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

/// a and b after one function of both, as the plain formula has it.
template <class Function>
std::vector<double> each(const Tensor& a, const Tensor& b, const Function& function) {
  const std::vector<double> x = a.values(), y = b.values();
  std::vector<double> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) result[i] = function(x[i], y[i % y.size()]);
  return result;
}

TEST_P(TensorDevices, Arithmetic_and_comparison_are_what_loops_make_of_them) {
  for (const DType dtype : test::all_dtypes()) {
    SCOPED_TRACE(dtype);
    const Tensor a = sample(dtype, {8003}, With::nan, 1), b = sample(dtype, {8003}, With::nan, 2);
    const Tensor x = there(a), y = there(b);
    const DType sum = dtype == DType::float64 ? dtype : DType::float32;
    const auto narrow = [&](double value) {
      return sum == DType::float64 ? value : static_cast<double>(static_cast<float>(value));
    };
    expect_same(x + y, Tensor(each(a, b, [&](double p, double q) { return narrow(p + q); })).cast(sum));
    expect_same(x - y, Tensor(each(a, b, [&](double p, double q) { return narrow(p - q); })).cast(sum));
    expect_same(x * y, Tensor(each(a, b, [&](double p, double q) { return narrow(p * q); })).cast(sum));
    expect_same(x / y, Tensor(each(a, b, [&](double p, double q) { return narrow(p / q); })).cast(sum));
    const auto flags = [](const std::vector<double>& values) { return Tensor(values).cast(DType::uint8); };
    expect_same(x == y, flags(each(a, b, [](double p, double q) { return p == q; })));
    expect_same(x != y, flags(each(a, b, [](double p, double q) { return p != q; })));
    expect_same(x < y, flags(each(
                           a, b, [](double p, double q) { return p < q; })));
    expect_same(x <= y, flags(each(a, b, [](double p, double q) { return p <= q; })));
    expect_same(x > y, flags(each(a, b, [](double p, double q) { return p > q; })));
    expect_same(x >= y, flags(each(a, b, [](double p, double q) { return p >= q; })));
  }
}

TEST_P(TensorDevices, Operators_are_the_cpus_to_the_bit_whatever_shapes_dtypes_and_numbers_meet) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      for_samples(shape, [&](const Tensor& b) {
        if (shape.elements() > 300) return;  // the samples are squared
        const Tensor y = there(b);
        expect_same(x + y, a + b);
        expect_same(x / y, a / b);
        expect_same(x <= y, a <= b);
        expect_same(x == y, a == b);
      });
      for (const double number : {0.1, -3.0, 0.0, std::numeric_limits<double>::quiet_NaN()}) {
        expect_same(x * number, a * number);
        expect_same(number - x, number - a);
        expect_same(number / x, number / a);
        expect_same(x > number, a > number);
      }
      expect_same(-x, -a);
      if (shape.rank() > 1)
        for_samples({shape.back()}, [&](const Tensor& row) {
          const Tensor beside = there(row);
          expect_same(x - beside, a - row);
          expect_same(beside < x, row < a);
        });
    });
  const Tensor scalar = Tensor(std::vector<double>{2.5}).reshape(Shape());
  const Tensor a = sample(DType::float32, {31, 3});
  expect_same(there(a) * there(scalar), a * scalar);
}

TEST_P(TensorDevices, A_scaled_byte_and_a_float64_are_multiplied_and_added_in_two_roundings) {
  std::vector<std::uint8_t> bytes;
  std::vector<double> numbers;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<std::uint8_t>(i)), numbers.push_back(-i / 255.0);
  Tensor a(bytes);
  a.set_scale(1.0 / 255);
  const Tensor b(numbers), sum = (there(a) + there(b)).to("cpu");
  for (int i = 0; i < 256; ++i) {
    const volatile double product = i * (1.0 / 255);
    EXPECT_EQ(sum(i), product + numbers[static_cast<std::size_t>(i)]) << i;
  }
}

TEST_P(TensorDevices, Abs_and_round_are_the_cpus) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      expect_same(x.abs(), a.abs());
      for (const int decimals : {0, 1, -2, 3, 400, -400}) expect_same(x.round(decimals), a.round(decimals));
    });
  const Tensor ties{0.5, 1.5, 2.5, -0.5, 0.125, 1e38};
  expect_same(there(ties).round(), Tensor{0, 2, 2, 0, 0, 1e38});
  expect_same(there(ties).round(2), Tensor{0.5, 1.5, 2.5, -0.5, 0.12, 1e38});
  for (const DType dtype : {DType::int32, DType::int64}) {
    Tensor least = sample(dtype, {8003});
    visit_dtype(dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      if constexpr (std::is_integral_v<T>) least.data<T>()[5001] = std::numeric_limits<T>::min();
    });
    expect_error<ValueError>([&] { there(least).abs(); }, {"abs() got -", name_of(dtype)});
  }
}

TEST_P(TensorDevices, Casts_are_the_cpus_and_refuse_what_does_not_fit) {
  for (const Shape& shape : {Shape{0}, Shape{1}, Shape{8003}, Shape{5, 31}})
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      for (const DType dtype : test::all_dtypes()) {
        std::string refused;
        Tensor expected;
        try {
          expected = a.cast(dtype);
        } catch (const ValueError& error) {
          refused = error.what();
        }
        if (refused.empty())
          expect_same(x.cast(dtype), expected);
        else
          expect_error<ValueError>([&] { x.cast(dtype); }, {refused});
      }
    });
  // int64 is rounded to float32 once, not by way of float64.
  const Tensor large(
      std::vector<std::int64_t>{(std::int64_t{1} << 60) + (std::int64_t{1} << 36) + 1, 16777217});
  EXPECT_EQ(there(large).cast(DType::float32).to("cpu")(0),
            static_cast<double>(static_cast<float>(large.data<std::int64_t>()[0])));
  expect_error<ValueError>([&] { there(Tensor{1, 2, 300}).cast(DType::uint8); }, {"300", "uint8 (0 to 255)"});
}

TEST_P(TensorDevices, Sums_and_means_are_within_a_millionth_and_repeat) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      long double sum = 0;
      for (const double value : a.values()) sum += static_cast<long double>(value);
      const auto expected = static_cast<double>(sum);
      if (std::isfinite(expected)) {
        EXPECT_NEAR(x.sum(), expected, 1e-6 * std::abs(expected) + 1e-9);
        EXPECT_EQ(x.sum(), x.sum());
      } else {
        EXPECT_EQ(std::isnan(x.sum()), std::isnan(expected));
      }
      if (a.empty() || std::isfinite(expected)) {
        EXPECT_EQ(std::isnan(x.mean()), a.empty());
        EXPECT_TRUE(a.empty() || x.mean() == x.sum() / static_cast<double>(a.size()));
      }
      for (int axis = 0; axis < shape.rank(); ++axis) {
        EXPECT_TRUE(x.sum(axis).device() == test::current_device());
        const Tensor s = x.sum(axis).to("cpu"), wanted = a.sum(axis);
        ASSERT_EQ(s.shape(), wanted.shape());
        EXPECT_EQ(s.dtype(), DType::float64);
        EXPECT_TRUE(array_equal(s == s, wanted == wanted)) << "NaN elsewhere";
        for (std::int64_t i = 0; i < s.size(); ++i) {
          const double element = wanted.data<double>()[i];
          if (std::isfinite(element)) {
            ASSERT_NEAR(s.data<double>()[i], element, 1e-6 * std::abs(element) + 1e-9);
          }
        }
        expect_same(x.mean(axis), s / static_cast<double>(shape[axis]));
      }
    });
}

TEST_P(TensorDevices, Long_sums_are_exact_where_they_can_be) {
  EXPECT_EQ(there(Tensor::full({300007}, 16777217, DType::int32)).sum(), 16777217.0 * 300007);
  EXPECT_EQ(there(Tensor::full({300007}, 2147483647, DType::int32)).mean(), 2147483647);
  const Tensor ones = there(Tensor::ones({70001, 2}));
  expect_same(ones.sum(0), Tensor::full({2}, 70001, DType::float64));
  expect_same(ones.sum(1), Tensor::full({70001}, 2, DType::float64));
  const double tenth = 0.1f;
  EXPECT_NEAR(there(Tensor::full({300007}, 0.1)).sum(), tenth * 300007, 1e-6);
}

TEST_P(TensorDevices, Extremes_and_where_they_are_are_what_a_loop_finds) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      if (a.empty()) {
        EXPECT_THROW(x.min(), ShapeError);
        EXPECT_THROW(x.argmin(), ShapeError);
        return;
      }
      const std::vector<double> values = a.values();
      std::size_t least = 0, most = 0;  // the first, and the first NaN before all
      for (std::size_t i = 1; i < values.size(); ++i) {
        const auto beats = [&](std::size_t best, bool less) {
          if (std::isnan(values[best])) return false;
          return std::isnan(values[i]) || (less ? values[i] < values[best] : values[i] > values[best]);
        };
        if (beats(least, true)) least = i;
        if (beats(most, false)) most = i;
      }
      const auto same = [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); };
      EXPECT_EQ(x.argmin(), static_cast<std::int64_t>(least));
      EXPECT_EQ(x.argmax(), static_cast<std::int64_t>(most));
      EXPECT_TRUE(same(x.min(), values[least])) << x.min();
      EXPECT_TRUE(same(x.max(), values[most])) << x.max();
      for (int axis = -1; axis < shape.rank(); ++axis) {
        expect_same(x.min(axis), a.min(axis));
        expect_same(x.max(axis), a.max(axis));
        expect_same(x.argmin(axis), a.argmin(axis));
        expect_same(x.argmax(axis), a.argmax(axis));
      }
    });
}

TEST_P(TensorDevices, The_golden_argmin_is_numpys) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = there(Tensor{{3, nan, -1, 3, 0.5}, {2, 2, -0.0, 0, -7}});
  EXPECT_THAT(x.argmin(1).to("cpu").values(), ::testing::ElementsAre(1, 4));
  EXPECT_THAT(x.argmin(0).to("cpu").values(), ::testing::ElementsAre(1, 0, 0, 1, 1));
  EXPECT_EQ(x.argmin(), 1);
  EXPECT_EQ(x.row(1).argmin(), 4);
}

TEST_P(TensorDevices, Slices_reshapes_and_transposes_are_the_cpus) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      expect_same(x.clone(), a);
      expect_same(x.reshape({-1}), a.reshape({-1}));
      expect_same(x.rows(0, a.rows() / 2), a.rows(0, a.rows() / 2));
      expect_same(x.columns(0, 0), a.columns(0, 0));
      if (shape.rank() == 2) expect_same(x.transpose(), a.transpose());
      if (a.empty()) return;
      const std::int64_t width = shape.back();
      expect_same(x.rows(-1, a.rows()), a.rows(-1, a.rows()));
      expect_same(x.row(-1), a.row(-1));
      expect_same(x.rows({0, a.rows() - 1, -1, 0}), a.rows({0, a.rows() - 1, -1, 0}));
      expect_same(x.rows(std::vector<std::int64_t>{}), a.rows(std::vector<std::int64_t>{}));
      expect_same(x.columns(width / 2, width), a.columns(width / 2, width));
      expect_same(x.columns({width - 1, 0, -1}), a.columns({width - 1, 0, -1}));
      expect_same(x.column(width / 3), a.column(width / 3));
      EXPECT_THROW(x.rows({0, a.rows()}), ShapeError);
      EXPECT_THROW(x.column(width), ShapeError);
    });
}

TEST_P(TensorDevices, A_mask_selects_rows) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor draws = sample(DType::uint8, {a.rows()}, With::numbers, 5);
      for (const Tensor& mask : {draws > 100, draws >= 0, draws < 0})
        expect_same(there(a).where(there(mask)), a.where(mask));
    });
  const Tensor x = there(Tensor{{1, 2}, {3, 4}, {5, 6}});
  expect_same(x.where(x.column(0) > 1), Tensor{{3, 4}, {5, 6}});
  EXPECT_THROW(x.where(there(Tensor{1, 0, 1})), ValueError);
}

TEST_P(TensorDevices, Concatenation_puts_one_below_the_other) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a), first = x.rows(0, a.rows() / 3), rest = x.rows(a.rows() / 3, a.rows());
      expect_same(concatenate({&first, &rest}), a);
      expect_same(concatenate({&x, &x}), concatenate({&a, &a}));
    });
}

TEST_P(TensorDevices, Equality_sees_each_element) {
  for (const Shape& shape : odd_shapes())
    for_samples(shape, [&](const Tensor& a) {
      const Tensor x = there(a);
      EXPECT_TRUE(array_equal(x, x.clone()));
      EXPECT_FALSE(array_equal(x, there(Tensor::zeros({a.size() + 1}))));
      for (const std::int64_t changed : {std::int64_t{0}, a.size() / 2, a.size() - 1}) {
        if (a.empty()) break;
        Tensor other = x.reshape({-1});
        const double element = a.reshape({-1})(changed);
        other.set({changed}, element == a.scale() ? 0 : a.scale());
        EXPECT_FALSE(array_equal(x.reshape({-1}), other)) << changed;
      }
      bool has_nan = false;
      for (const double value : a.values()) has_nan |= std::isnan(value);
      EXPECT_EQ(all_close(x, x), !has_nan);
      EXPECT_TRUE(has_nan || all_close(x.cast(DType::float64), x.cast(DType::float64) + 1e-9));
      EXPECT_EQ(all_close(x.cast(DType::float64) + 0.25, x.cast(DType::float64)),
                all_close(a.cast(DType::float64) + 0.25, a.cast(DType::float64)));
    });
  // int64 is compared as such: float64 has no room for the difference.
  const Tensor large(std::vector<std::int64_t>{std::int64_t{1} << 62}),
      beside(std::vector<std::int64_t>{(std::int64_t{1} << 62) + 1});
  EXPECT_FALSE(array_equal(there(large), there(beside)));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(all_close(there(Tensor{1, infinity}), there(Tensor{1, infinity})));
  EXPECT_FALSE(all_close(there(Tensor{1, 2}), there(Tensor{1, infinity})));
}

TEST_P(TensorDevices, Elements_are_read_written_and_printed_where_they_lie) {
  for_samples({31, 3}, [&](const Tensor& a) {
    Tensor x = there(a);
    const auto same = [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); };
    EXPECT_TRUE(same(x(30, -1), a(30, -1)));
    EXPECT_TRUE(same(x.row(4).columns(1, 2).item(), a(4, 1)));
    EXPECT_EQ(to_string(x), to_string(a));
    EXPECT_EQ(x.values().size(), 93u);
    x.set({7, 2}, 2 * a.scale());
    EXPECT_EQ(x(7, 2), 2 * a.scale());
    EXPECT_TRUE(same(x(7, 1), a(7, 1)));
    EXPECT_THROW(x(31, 0), ShapeError);
    EXPECT_THROW(x.item(), ShapeError);
  });
  const Tensor many = sample(DType::float32, {2667, 3});
  EXPECT_EQ(to_string(there(many)), to_string(many));
  EXPECT_EQ(to_string(there(Tensor{2.5}).reshape(Shape())), "2.5");
  EXPECT_EQ(to_string(there(Tensor())), "[]");
}

TEST_P(TensorDevices, An_empty_tensor_stays_on_its_device) {
  const Tensor empty = there(Tensor::zeros({0, 3}));
  expect_same(empty + 1, Tensor::zeros({0, 3}));
  expect_same(empty.sum(0), Tensor::zeros({3}, DType::float64));
  expect_same(empty.sort(), Tensor::zeros({0, 3}));
  EXPECT_EQ(empty.sum(), 0);
}

TEST(CpuTensors, Compute_without_a_backend) {
  const Context context({.device = "cpu", .threads = 1});
  const Tensor x{1, 2};
  Tensor y = Tensor::zeros({2});
  const TensorWork work{tensor_work::Map{.function = tensor_work::Map::Function::convert,
                                         .a = {.data = x.raw(), .dtype = x.dtype(), .period = 2},
                                         .out = y.raw(),
                                         .dtype = y.dtype(),
                                         .count = 2}};
  expect_error<StateError>([&] { context.backend().compute(work); }, {"CPU", "functions of Tensor"});
  context.backend().follow(context.backend());
  EXPECT_TRUE(array_equal(y, Tensor::zeros({2})));
}

}  // namespace
}  // namespace glia
