// Copies, functions of two tensors, sums and products in batches as each device does them, and the formulas' functions.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/context.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/devices.h"

namespace glia::test {
namespace {

/// Descriptors on temporaries of a device: each lies where it is made, one behind the other.
class OnBackend : public OnDevice, public ::testing::WithParamInterface<Run> {
 protected:
  void SetUp() override { start(GetParam().device); }
  DType dtype() const { return GetParam().dtype; }

  View made(const Shape& shape, DType dtype) {
    const View view = View::contiguous(Buffer::arena, dtype, shape, bytes_);
    bytes_ += align_up(view.bytes());
    return view;
  }
  View made(const Shape& shape) { return made(shape, dtype()); }
  /// Filled with numbers that have few digits, so that sums of their products are exact.
  View filled(const Shape& shape, DType dtype) {
    fills_.push_back(made(shape, dtype));
    return fills_.back();
  }
  View filled(const Shape& shape) { return filled(shape, dtype()); }

  /// Runs them on what was filled, and keeps all memory as it is then.
  std::vector<std::string> run(const std::vector<Descriptor>& descriptors) {
    before_.assign(static_cast<std::size_t>(bytes_), std::byte{0});
    for (const View& view : fills_)
      for (std::int64_t i = 0; i < view.elements(); ++i)
        put(view, i, static_cast<double>((i * 7 + view.offset / 256) % 17 - 8) / 4);
    Backend& backend = context().backend();
    const std::unique_ptr<Memory> memory = backend.allocate(before_.size());
    backend.upload(memory->data(), before_.data(), before_.size());
    Bindings bindings;
    bindings.base[static_cast<std::size_t>(Buffer::arena)] = memory->data();
    const std::unique_ptr<Sequence> sequence = backend.prepare(descriptors, bindings);
    sequence->run(1);
    after_.resize(before_.size());
    backend.download(after_.data(), memory->data(), after_.size());
    std::vector<std::string> algorithms;
    for (const auto& op : sequence->ops()) algorithms.push_back(op->algorithm());
    return algorithms;
  }

  /// A number of what was there before, or after; `at` counts elements of memory from the view's first.
  double in(const View& view, std::int64_t at) const { return number(before_, view, at); }
  double out(const View& view, std::int64_t at) const { return number(after_, view, at); }

  /// out of a product, against what plain loops give.
  void expect_product(const op::Matmul& d, double bound) const {
    const std::int64_t m = d.out.shape[1], n = d.out.shape[2];
    for (std::int64_t i = 0; i < d.batch(); ++i)
      for (std::int64_t r = 0; r < m; ++r)
        for (std::int64_t c = 0; c < n; ++c) {
          double sum = 0;
          for (std::int64_t l = 0; l < d.k(); ++l)
            sum += in(d.a, i * d.a.strides[0] + r * d.a.strides[1] + l * d.a.strides[2]) *
                   in(d.b, i * d.b.strides[0] + l * d.b.strides[1] + c * d.b.strides[2]);
          ASSERT_NEAR(out(d.out, (i * m + r) * n + c), sum, bound * std::abs(sum))
              << i << ' ' << r << ' ' << c;
        }
  }

  void put(const View& view, std::int64_t at, double value) {
    store(before_.data() + view.offset, view.dtype, at, value);
  }
  std::vector<std::byte> after_;

 private:
  static void store(std::byte* to, DType dtype, std::int64_t at, double value) {
    const auto narrow = static_cast<float>(value);
    const auto whole = static_cast<std::int32_t>(value * 4);
    if (dtype == DType::float64) std::memcpy(to + 8 * at, &value, 8);
    if (dtype == DType::float32) std::memcpy(to + 4 * at, &narrow, 4);
    if (dtype == DType::int32) std::memcpy(to + 4 * at, &whole, 4);
  }
  static double number(const std::vector<std::byte>& memory, const View& view, std::int64_t at) {
    const std::byte* const from = memory.data() + view.offset + at * size_of(view.dtype);
    if (view.dtype == DType::float64) return *reinterpret_cast<const double*>(from);
    if (view.dtype == DType::int32) return *reinterpret_cast<const std::int32_t*>(from);
    return static_cast<double>(*reinterpret_cast<const float*>(from));
  }

  std::int64_t bytes_ = 0;
  std::vector<View> fills_;
  std::vector<std::byte> before_;
};

class MergeDescriptors : public OnBackend {};
INSTANTIATE_TEST_SUITE_P(Devices, MergeDescriptors, ::testing::ValuesIn(test_runs()), [](const auto& info) {
  return detail::concat(label(info.param.device), '_', info.param.dtype);
});

TEST_P(MergeDescriptors, Copies_join_tensors_and_take_them_apart) {
  const View a = filled({31, 3}), b = filled({31, 1}), c = filled({31, 64}), all = made({31, 68});
  const View back = made({31, 64}), turned = made({68, 31}), numbers = made({31}, DType::int32);
  const View labels = filled({31}, DType::int32);
  const View one = filled({});
  const View ones = made({31, 5});
  run({op::Copy{a, all.part(1, 0, 3)}, op::Copy{b, all.part(1, 3, 1)}, op::Copy{c, all.part(1, 4, 64)},
       op::Copy{all.part(1, 4, 64), back}, op::Copy{all.transposed(), turned}, op::Copy{labels, numbers},
       op::Copy{one.broadcast_to({31, 5}), ones}});
  for (std::int64_t r = 0; r < 31; ++r)
    for (std::int64_t i = 0; i < 68; ++i) {
      const double wanted = i < 3 ? in(a, 3 * r + i) : i < 4 ? in(b, r) : in(c, 64 * r + i - 4);
      ASSERT_EQ(out(all, 68 * r + i), wanted) << r << ' ' << i;
      ASSERT_EQ(out(turned, 31 * i + r), wanted) << r << ' ' << i;
      if (i >= 4) {
        ASSERT_EQ(out(back, 64 * r + i - 4), wanted) << r << ' ' << i;
      }
    }
  for (std::int64_t i = 0; i < 155; ++i) ASSERT_EQ(out(ones, i), in(one, 0));
  for (std::int64_t i = 0; i < 31; ++i) ASSERT_EQ(out(numbers, i), in(labels, i));
  ASSERT_NE(in(labels, 1), 0);
}

TEST_P(MergeDescriptors, Functions_of_two_tensors_broadcast) {
  const View x = filled({33, 17}), row = filled({17}), column = filled({33, 1});
  const View sum = made({33, 17}), share = made({33, 17}), ratio = made({33, 17});
  run({op::Binary{binary::Add{}, x, row.broadcast_to({33, 17}), sum},
       op::Binary{binary::ShareOfMaximum{}, column.broadcast_to({33, 17}), x, share},
       op::Binary{binary::Divide{}, x, column.broadcast_to({33, 17}), ratio}});
  for (std::int64_t i = 0; i < 33 * 17; ++i) {
    const double c = in(column, i / 17), v = in(x, i);
    ASSERT_EQ(out(sum, i), v + in(row, i % 17)) << i;
    ASSERT_EQ(out(share, i), c > v ? 1 : c < v ? 0 : 0.5) << i;
    if (c == 0 && v == 0)
      ASSERT_TRUE(std::isnan(out(ratio, i))) << i;
    else if (c == 0)
      ASSERT_TRUE(std::isinf(out(ratio, i))) << i;
    else
      ASSERT_NEAR(out(ratio, i), v / c, 1e-6) << i;
  }
}

TEST_P(MergeDescriptors, Sums_over_an_axis_are_those_of_plain_loops) {
  std::vector<Descriptor> descriptors;
  std::vector<op::Reduce> all;
  for (const Shape& shape : {Shape{8003, 2, 1}, Shape{31, 33, 1}, Shape{3, 7, 100}, Shape{1, 20001, 1},
                             Shape{2, 9001, 3}, Shape{1, 9000, 40}}) {
    op::Reduce d{filled(shape), made({shape[0], shape[2]}), 0.25};
    const Shape partials = op::Reduce::partials_for(d.in);
    if (!partials.empty()) d.partials = made(partials, DType::float64);
    all.push_back(d);
    descriptors.push_back(d);
  }
  run(descriptors);
  for (const op::Reduce& d : all) {
    const std::int64_t reduced = d.in.shape[1], inner = d.in.shape[2];
    for (std::int64_t o = 0; o < d.in.shape[0]; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        double sum = 0;
        for (std::int64_t r = 0; r < reduced; ++r) sum += in(d.in, (o * reduced + r) * inner + i);
        ASSERT_EQ(out(d.out, o * inner + i), static_cast<double>(static_cast<float>(sum / 4))) << d.in.shape;
      }
  }
}

TEST_P(MergeDescriptors, Products_in_batches_are_those_of_plain_loops) {
  struct Case {
    std::int64_t batch, m, k, n;
  };
  for (const Case& c : {Case{1, 3, 5, 2}, Case{31, 1, 7, 1}, Case{2, 1, 1, 1}, Case{100, 4, 3, 5},
                        Case{3, 33, 31, 65}, Case{2, 150, 64, 130}, Case{5, 17, 40, 1}})
    for (const bool turned_a : {false, true})
      for (const bool turned_b : {false, true}) {
        SCOPED_TRACE(detail::concat(c.batch, " of ", c.m, 'x', c.k, 'x', c.n, turned_a, turned_b));
        op::Matmul d;
        d.a = turned_a ? filled({c.batch, c.k, c.m}).transposed() : filled({c.batch, c.m, c.k});
        d.b = turned_b ? filled({c.batch, c.n, c.k}).transposed() : filled({c.batch, c.k, c.n});
        d.out = made({c.batch, c.m, c.n});
        const std::vector<std::string> algorithms = run({d});
        expect_product(d, 0);
        EXPECT_NE(algorithms[0].find(dtype() == DType::float64 && GetParam().device.is_cpu() ? "loops"
                                     : GetParam().device.is_cpu()                            ? "oneDNN"
                                                                                             : "cuBLASLt"),
                  std::string::npos)
            << algorithms[0];
      }
}

TEST_P(MergeDescriptors, Products_in_batches_may_have_a_factor_in_common_and_be_parts_of_more) {
  op::Matmul shared;
  shared.a = filled({6, 10, 8});
  shared.b = filled({8, 5}).broadcast_to({6, 8, 5});
  shared.out = made({6, 10, 5});
  op::Matmul parts;  // heads of attention: (batch, positions, heads * 3 of 5 numbers)
  const View all = filled({4, 7, 15});
  parts.a = all.part(2, 0, 5), parts.b = all.part(2, 5, 5).transposed();
  parts.out = made({4, 7, 7});
  run({shared, parts});
  expect_product(shared, 0);
  expect_product(parts, 0);
}

TEST_P(MergeDescriptors, Products_in_batches_over_long_k_lose_nothing) {
  op::Matmul d;
  const std::int64_t k = 9000;
  d.a = made({3, 2, k}), d.b = filled({3, k, 4}), d.out = made({3, 2, 4});
  const View tenth = filled({1});
  // Equal addends: the worst there is.
  run({op::Copy{tenth.broadcast_to({6 * k}), d.a.reshaped({6 * k})},
       op::Copy{tenth.broadcast_to({12 * k}), d.b.reshaped({12 * k})}, d});
  const double wanted = in(tenth, 0) * in(tenth, 0) * static_cast<double>(k);
  ASSERT_NE(wanted, 0);
  for (std::int64_t i = 0; i < 24; ++i) ASSERT_NEAR(out(d.out, i), wanted, 2e-5 * wanted) << i;
}

TEST_P(MergeDescriptors, Products_in_batches_over_long_k_are_each_their_own) {
  op::Matmul d;
  d.a = filled({3, 2, 5000}), d.b = filled({3, 4, 5000}).transposed(), d.out = made({3, 2, 4});
  run({d});
  expect_product(d, 2e-5);
}

TEST(MergeDescriptorsOnTheCpu, Bits_of_products_in_batches_do_not_depend_on_the_number_of_threads) {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    Context context(ContextOptions{.device = Device::cpu(), .threads = threads});
    const View a = View::contiguous(Buffer::arena, DType::float32, {40, 100, 90});
    const op::Matmul d{a, View::contiguous(Buffer::arena, DType::float32, {40, 90, 100}, a.bytes()),
                       View::contiguous(Buffer::arena, DType::float32, {40, 100, 100}, 2 * a.bytes())};
    std::vector<float> memory(static_cast<std::size_t>(2 * a.elements() + d.out.elements()));
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = std::sin(static_cast<float>(i));
    Bindings at;
    at.base[static_cast<std::size_t>(Buffer::arena)] = reinterpret_cast<std::byte*>(memory.data());
    context.backend().prepare({d}, at)->run(1);
    results.emplace_back(memory.begin() + 2 * a.elements(), memory.end());
  }
  EXPECT_EQ(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(float)), 0);
}

// Functions of formulas.

struct Formula {
  ElementwiseActivation function;
  double (*f)(double);
};
const Formula formulas[] = {{Log{}, [](double x) { return std::log(x); }},
                            {Sqrt{}, [](double x) { return std::sqrt(x); }},
                            {Abs{}, [](double x) { return std::abs(x); }},
                            {Square{}, [](double x) { return x * x; }},
                            {Power{3}, [](double x) { return x * x * x; }},
                            {Power{-0.5}, [](double x) { return 1 / std::sqrt(x); }},
                            {Power{-1}, [](double x) { return 1 / x; }},
                            {Power{0}, [](double) { return 1.0; }},
                            {Exponential{}, [](double x) { return std::exp(x); }}};

TEST_P(MergeDescriptors, Functions_of_formulas_and_their_slopes_are_those_of_the_standard_library) {
  const bool is_double = dtype() == DType::float64;
  for (const Formula& formula : formulas) {
    const View x = filled({8003}), y = made({8003}), dy = filled({8003}), dx = made({8003});
    const Saves saves = std::visit([](const auto& f) { return f.saves; }, formula.function);
    run({op::Map{formula.function, x, y},
         op::MapGradient{formula.function, saves == Saves::input ? x : y, dy, dx}});
    const std::string name = std::visit([](const auto& f) { return std::string(f.name); }, formula.function);
    const double bound = is_double ? 1e-7 : 1e-5;
    for (std::int64_t i = 0; i < 8003; ++i) {
      const double v = in(x, i), wanted = formula.f(v);
      SCOPED_TRACE(detail::concat(name, " of ", v));
      if (std::isnan(wanted)) {
        ASSERT_TRUE(std::isnan(out(y, i)));
        continue;
      }
      if (std::isinf(wanted)) {
        ASSERT_EQ(out(y, i), wanted);
        continue;
      }
      ASSERT_NEAR(out(y, i), wanted, bound * std::abs(wanted));
      if (v == 0) continue;  // below
      const double step = 1e-5 * std::abs(v),
                   slope = (formula.f(v + step) - formula.f(v - step)) / (2 * step);
      ASSERT_NEAR(out(dx, i), in(dy, i) * slope, 1e-5 * std::abs(in(dy, i) * slope) + 1e-9);
    }
  }
}

TEST(Formulas, Slopes_at_0_are_those_of_PyTorch) {
  EXPECT_EQ(Abs{}.backward(2.0, 0.0), 0);
  EXPECT_EQ(Square{}.backward(2.0, 0.0), 0);
  EXPECT_EQ(Power{0}.backward(2.0, 0.0), 0);
  EXPECT_EQ(Power{1}.backward(2.0, 0.0), 2);
  EXPECT_TRUE(std::isinf(Sqrt{}.backward(2.0, 0.0)));
  EXPECT_TRUE(std::isinf(Log{}.backward(2.0, 0.0)));
  EXPECT_TRUE(std::isnan(Abs{}.backward(2.0, static_cast<double>(NAN))));
}

}  // namespace
}  // namespace glia::test
