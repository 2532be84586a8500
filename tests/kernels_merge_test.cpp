// Copies between strides, functions of two tensors, sums over an axis and products in batches: what plain loops give, in the
// same bits for every cut of a launch.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::Cut, testing::cuts, testing::Launcher;

/// A flat buffer each for what is read first, second, what is written, and room to work in.
constexpr Buffer first = Buffer::parameters, second = Buffer::gradients, result = Buffer::arena,
                 room = Buffer::slots;

class Buffers {
 public:
  explicit Buffers(std::int64_t bytes) {
    for (int b = 1; b < buffer_count; ++b) {
      memory_[b].assign(static_cast<std::size_t>(bytes / 16 + 64), {~std::uint64_t{0}, ~std::uint64_t{0}});
      bindings_.base[static_cast<std::size_t>(b)] = reinterpret_cast<std::byte*>(memory_[b].data());
    }
  }
  const Bindings& bindings() const { return bindings_; }
  template <class T>
  T* at(const View& view) {
    return bindings_.address<T>(view);
  }
  template <class T>
  T* of(Buffer buffer) {
    return reinterpret_cast<T*>(memory_[static_cast<int>(buffer)].data());
  }
  std::int64_t bytes() const { return static_cast<std::int64_t>(memory_[1].size() * 16); }

 private:
  std::vector<kernels::Bytes16> memory_[buffer_count];
  Bindings bindings_;
};

/// Calls f(index) for each element of a shape, in order.
void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& f) {
  if (shape.elements() == 0) return;
  Shape index = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) index[axis] = 0;
  for (;;) {
    f(index);
    int axis = shape.rank() - 1;
    while (axis >= 0 && ++index[axis] == shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}
std::int64_t place_of(const View& view, const Shape& index) {
  std::int64_t at = 0;
  for (int axis = 0; axis < index.rank(); ++axis) at += index[axis] * view.strides[axis];
  return at;
}

struct CopyCase {
  std::string name;
  View in, out;
  friend std::ostream& operator<<(std::ostream& out, const CopyCase& one) { return out << one.name; }
};

View whole(Buffer buffer, const Shape& shape, DType dtype = DType::float32) {
  return View::contiguous(buffer, dtype, shape);
}

std::vector<CopyCase> copies() {
  std::vector<CopyCase> cases;
  const auto add = [&](const std::string& name, const View& in, const View& out) {
    cases.push_back({detail::concat(name, "_", cases.size()), in, out});
  };
  for (const DType dtype : {DType::float32, DType::float64, DType::int32}) {
    for (const std::int64_t n : {0, 1, 2, 31, 64, 8003})
      add("plain", whole(first, {n}, dtype), whole(result, {n}, dtype));
    add("scalar", whole(first, {}, dtype), whole(result, {}, dtype));
    for (const Shape& s : {Shape{1, 31}, Shape{31, 1}, Shape{3, 1000}, Shape{1000, 3}, Shape{8, 8},
                           Shape{9, 17}, Shape{31, 257}, Shape{2, 4000}, Shape{4000, 7}})
      add("transposed", whole(first, s, dtype).transposed(), whole(result, {s[1], s[0]}, dtype));
  }
  const auto permuted = [&](const Shape& shape, const Shape& axes) {
    const View in = whole(first, shape).permuted(axes);
    add("permuted", in, whole(result, in.shape));
    add("permuted_back", whole(first, in.shape), whole(result, shape).permuted(axes));
  };
  permuted({3, 5, 7, 4}, {0, 3, 1, 2});
  permuted({3, 5, 7, 16}, {0, 2, 1, 3});
  permuted({6, 31, 33}, {2, 1, 0});
  permuted({6, 31, 33}, {1, 0, 2});
  permuted({2, 3, 2, 3, 2, 3, 2, 3}, {7, 0, 6, 1, 5, 2, 4, 3});
  permuted({1, 8, 1, 8, 9}, {4, 2, 1, 0, 3});
  for (const Shape& s :
       {Shape{}, Shape{1}, Shape{31}, Shape{5, 31}, Shape{5, 1}, Shape{9, 1, 1}, Shape{9, 5, 1}})
    add("broadcast", whole(first, s).broadcast_to({9, 5, 31}), whole(result, {9, 5, 31}));
  add("broadcast", whole(first, {7, 1}).broadcast_to({7, 8003}), whole(result, {7, 8003}));
  for (int axis = 0; axis < 3; ++axis)  // joined
    for (const std::int64_t from : {0, 1, 4}) {
      Shape joined{12, 20, 24}, one = joined;
      one[axis] = 8;
      add("into_a_part", whole(first, one), whole(result, joined).part(axis, from, 8));
      add("out_of_a_part", whole(first, joined).part(axis, from, 8), whole(result, one));
      one[axis] = 3;
      add("every_other", whole(first, joined).part(axis, from, 3, 2), whole(result, one));
    }
  add("column", whole(first, {301, 1}), whole(result, {301, 5}).part(1, 3, 1));
  add("transposed_part", whole(first, {40, 30}).part(1, 3, 20).transposed(),
      whole(result, {24, 45}).part(0, 2, 20).part(1, 1, 40));
  return cases;
}

class Copies : public ::testing::TestWithParam<CopyCase> {};
INSTANTIATE_TEST_SUITE_P(Strides, Copies, ::testing::ValuesIn(copies()),
                         [](const auto& info) { return info.param.name; });

template <class T>
void expect_copied(const View& in, const View& out) {
  for (const Cut& cut : cuts) {
    SCOPED_TRACE(detail::concat(cut.blocks, " blocks of ", cut.threads, " threads, seed ", cut.seed));
    Buffers m(1 << 18);
    const std::int64_t words = m.bytes() / std::int64_t{sizeof(T)};
    for (std::int64_t i = 0; i < words; ++i) m.of<T>(first)[i] = static_cast<T>(i + 1);  // and no NaN below
    std::vector<T> expected(m.of<T>(result), m.of<T>(result) + words);
    const auto start = [](const View& view) { return view.offset / std::int64_t{sizeof(T)}; };
    for_each_index(out.shape, [&](const Shape& index) {
      expected[static_cast<std::size_t>(start(out) + place_of(out, index))] =
          m.of<T>(first)[start(in) + place_of(in, index)];
    });
    kernels::lower(op::Copy{in, out}, m.bindings(), Launcher{cut});
    EXPECT_EQ(std::memcmp(expected.data(), m.of<T>(result), expected.size() * sizeof(T)), 0);
  }
}

TEST_P(Copies, Move_each_element_to_its_place_and_touch_nothing_else) {
  const auto& [name, in, out] = GetParam();
  ASSERT_EQ(in.shape, out.shape);
  if (out.dtype == DType::float64)
    expect_copied<double>(in, out);
  else if (out.dtype == DType::int32)
    expect_copied<std::int32_t>(in, out);
  else
    expect_copied<float>(in, out);
}

TEST(Copy, Keeps_the_bits_of_NaN) {
  for (const Cut& cut : cuts) {
    Buffers m(4096);
    const std::uint32_t nan = 0x7fa12345;  // a signalling one
    std::fill_n(m.of<std::uint32_t>(first), 33, nan);
    kernels::lower(op::Copy{whole(first, {33}), whole(result, {33})}, m.bindings(), Launcher{cut});
    for (int i = 0; i < 33; ++i) ASSERT_EQ(m.of<std::uint32_t>(result)[i], nan);
  }
}

/// What a copy is launched as: how many kernels, and how many elements for threads to share.
struct Counter {
  std::vector<std::int64_t>& elements;
  template <class Kernel>
  void operator()(const Kernel&, const kernels::Work& work) const {
    elements.push_back(work.count);
  }
};

TEST(Copy, Takes_aligned_rows_sixteen_bytes_at_a_time_and_transposes_in_tiles_of_eight) {
  Buffers m(1 << 16);
  const auto launches = [&](const View& in, const View& out) {
    std::vector<std::int64_t> elements;
    kernels::lower(op::Copy{in, out}, m.bindings(), Counter{elements});
    return elements;
  };
  using Counts = std::vector<std::int64_t>;
  EXPECT_EQ(launches(whole(first, {8, 100}), whole(result, {8, 100})), Counts{200});
  EXPECT_EQ(launches(whole(first, {8, 100}), whole(result, {8, 104}).part(1, 4, 100)), Counts{200});
  EXPECT_EQ(launches(whole(first, {8, 100}), whole(result, {8, 104}).part(1, 2, 100)), Counts{400});
  EXPECT_EQ(launches(whole(first, {8, 100}), whole(result, {8, 104}).part(1, 1, 100)), Counts{800});
  EXPECT_EQ(launches(whole(first, {32, 64}).transposed(), whole(result, {64, 32})), Counts{256});
  EXPECT_EQ(launches(whole(first, {32, 67}).transposed(), whole(result, {67, 32})), (Counts{256, 32}));
  EXPECT_EQ(launches(whole(first, {3, 64}).transposed(), whole(result, {64, 3})), Counts{64});
}

TEST(Divider, Divides_as_the_processor_does) {
  const std::int64_t last = (std::int64_t{1} << 31) - 1;
  std::vector<std::int64_t> numbers{
      0, 1, 2, 3, 5, 7, 10, 31, 641, 65535, 65536, 65537, last / 2, last / 2 + 1, last - 1, last};
  std::uint64_t state = 1;
  for (int i = 0; i < 300; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    numbers.push_back(static_cast<std::int64_t>(state >> (33 + state % 29)));
  }
  for (const std::int64_t d : numbers) {
    if (d == 0) continue;
    const kernels::Divider divider(d);
    for (const std::int64_t n : numbers)
      for (const std::int64_t near : {n, n / d * d, n / d * d - 1})
        if (near >= 0) {
          ASSERT_EQ(divider.quotient(static_cast<std::uint32_t>(near)), near / d) << near << " / " << d;
        }
  }
}

/// More than 2^31 elements are too many for a test: the wider division, of fewer.
TEST(Divider, The_wide_one_finds_the_same_places) {
  kernels::AxisList<2> list;
  std::int64_t step = 1;
  for (const std::int64_t size : {5, 7, 31}) {
    list.push({size, {size * size, step}});
    step *= size;
  }
  ASSERT_EQ(list.rank, 3);
  for (const Cut& cut : cuts) {
    Buffers narrow(1 << 20), wide(1 << 20);
    for (Buffers* m : {&narrow, &wide})
      std::iota(m->of<std::uint32_t>(first), m->of<std::uint32_t>(first) + 40000, 1u);
    const auto copy = [&](Buffers& m, const auto& items) {
      using Items = std::decay_t<decltype(items)>;
      Launcher{cut}(kernels::CopyKernel<std::uint32_t, Items>{m.of<std::uint32_t>(first),
                                                              m.of<std::uint32_t>(result), items, 1, 0, 0},
                    kernels::Work{kernels::Work::elements, items.elements()});
    };
    copy(narrow, kernels::Strided<2, kernels::Divider>(list));
    copy(wide, kernels::Strided<2, kernels::WideDivider>(list));
    EXPECT_EQ(
        std::memcmp(narrow.of<char>(result), wide.of<char>(result), static_cast<std::size_t>(narrow.bytes())),
        0);
  }
}

// Functions of two tensors.

const BinaryFunction functions[] = {
    binary::Add{},     binary::Subtract{}, binary::Multiply{},       binary::Divide{},
    binary::Maximum{}, binary::Minimum{},  binary::ShareOfMaximum{}, binary::Keep{-0.75}};

/// What the functions are to give, said once more.
double expected_of(std::size_t function, double a, double b) {
  constexpr std::size_t keep = 7;
  if (function == keep) return b == 0 ? -0.75 : a;
  if (std::isnan(a) || std::isnan(b)) return NAN;
  switch (function) {
    case 0:
      return a + b;
    case 1:
      return a - b;
    case 2:
      return a * b;
    case 3:
      return a / b;
    case 4:
      return a > b ? a : b;
    case 5:
      return a < b ? a : b;
    default:
      return a > b ? 1 : a < b ? 0 : 0.5;
  }
}

/// Quarters, some of them equal, and some NaN, infinite and 0.
template <class T>
void fill(T* to, std::int64_t n, std::uint32_t seed) {
  for (std::int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525 + 1013904223;
    const int number = static_cast<int>(seed >> 20) % 37;
    to[i] = number == 36   ? static_cast<T>(NAN)
            : number == 35 ? static_cast<T>(INFINITY)
                           : static_cast<T>(number - 17) / 4;
  }
}

template <class T>
void expect_binary(const View& a, const View& b) {
  const View out = whole(result, a.shape, a.dtype);
  for (std::size_t f = 0; f < std::size(functions); ++f)
    for (const Cut& cut : cuts) {
      Buffers m(1 << 17);
      const std::int64_t words = m.bytes() / std::int64_t{sizeof(T)};
      fill(m.of<T>(first), words, 1);
      fill(m.of<T>(second), words, 2);
      kernels::lower(op::Binary{functions[f], a, b, out}, m.bindings(), Launcher{cut});
      for_each_index(out.shape, [&](const Shape& index) {
        const double x = static_cast<double>(m.at<T>(a)[place_of(a, index)]),
                     y = static_cast<double>(m.at<T>(b)[place_of(b, index)]);
        const double got = static_cast<double>(m.at<T>(out)[place_of(out, index)]),
                     wanted = static_cast<double>(static_cast<T>(expected_of(f, x, y)));
        if (!(got == wanted || (std::isnan(got) && std::isnan(wanted))))
          ADD_FAILURE() << "function " << f << " of " << x << " and " << y << " gave " << got << " at "
                        << index;
      });
      T after;
      std::memcpy(&after, m.of<T>(result) + out.elements(), sizeof after);
      EXPECT_TRUE(std::isnan(after)) << "wrote beyond its end";
    }
}

class BinaryOf : public ::testing::TestWithParam<DType> {
 protected:
  void expect(const View& a, const View& b) const {
    if (a.dtype == DType::float64)
      expect_binary<double>(a, b);
    else
      expect_binary<float>(a, b);
  }
  View a(const Shape& shape) const { return whole(first, shape, GetParam()); }
  View b(const Shape& shape) const { return whole(second, shape, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Types, BinaryOf, ::testing::Values(DType::float32, DType::float64),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(BinaryOf, Tensors_of_one_shape_are_those_of_their_elements) {
  for (const std::int64_t n : {0, 1, 31, 8003}) expect(a({n}), b({n}));
  expect(a({}), b({}));
  expect(a({7, 11, 5}), b({7, 11, 5}));
}

TEST_P(BinaryOf, One_tensor_is_broadcast_to_the_other) {
  const Shape shape{9, 5, 31};
  for (const Shape& s : {Shape{}, Shape{31}, Shape{5, 1}, Shape{9, 1, 31}, Shape{9, 1, 1}, Shape{1, 5, 31}}) {
    expect(a(shape), b(s).broadcast_to(shape));
    expect(a(s).broadcast_to(shape), b(shape));
  }
  expect(a({9, 1, 31}).broadcast_to(shape), b({5, 1}).broadcast_to(shape));
  expect(a({31, 5, 9}).permuted({2, 1, 0}), b({9, 10, 31}).part(1, 1, 5, 2));
}

TEST(Binary, Writes_over_its_own_operand) {
  for (const Cut& cut : cuts) {
    Buffers m(1 << 16);
    for (std::int64_t i = 0; i < 8003; ++i) m.of<float>(result)[i] = static_cast<float>(i);
    const View x = whole(result, {8003});
    kernels::lower(op::Binary{binary::Multiply{}, x, x, x}, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < 8003; ++i)
      ASSERT_EQ(m.of<float>(result)[i], static_cast<float>(i) * static_cast<float>(i));
  }
}

// Sums over an axis.

struct ReduceCase {
  std::int64_t outer, reduced, inner;
  friend std::ostream& operator<<(std::ostream& out, const ReduceCase& c) {
    return out << c.outer << 'x' << c.reduced << 'x' << c.inner;
  }
};
const ReduceCase reductions[] = {
    {1, 1, 1},    {1, 31, 1},     {8003, 2, 1}, {301, 33, 1}, {31, 1, 31},  {5, 16, 33},  {3, 17, 100},
    {1, 8003, 1}, {3, 1025, 2},   {2, 600, 5},  {1, 777, 16}, {1, 777, 17}, {70, 600, 3}, {1, 20001, 1},
    {2, 9001, 3}, {1, 10007, 31}, {0, 3, 3},    {3, 3, 0},    {2, 0, 5},    {9000, 3, 2}, {1, 8500, 33}};
class Reductions : public ::testing::TestWithParam<ReduceCase> {
 protected:
  View in(DType dtype) const {
    return whole(first, {GetParam().outer, GetParam().reduced, GetParam().inner}, dtype);
  }
  op::Reduce reduce(DType dtype, double scale, bool with_room) const {
    op::Reduce d{in(dtype), whole(result, {GetParam().outer, GetParam().inner}, dtype), scale};
    const Shape partials = op::Reduce::partials_for(d.in);
    if (with_room && !partials.empty()) d.partials = whole(room, partials, DType::float64);
    return d;
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Reductions, ::testing::ValuesIn(reductions), [](const auto& info) {
  return detail::concat(info.param.outer, "x", info.param.reduced, "x", info.param.inner);
});

template <class T>
void expect_sums(const op::Reduce& d, double bound) {
  const std::int64_t outer = d.in.shape[0], reduced = d.in.shape[1], inner = d.in.shape[2];
  std::vector<T> bits;
  for (const Cut& cut : cuts) {
    SCOPED_TRACE(detail::concat(cut.blocks, " blocks of ", cut.threads, " threads, seed ", cut.seed));
    Buffers m(std::max<std::int64_t>(1 << 17, d.in.bytes() + 4096));
    std::uint32_t state = 7;
    for (std::int64_t i = 0; i < d.in.elements(); ++i) {
      state = state * 1664525 + 1013904223;
      m.of<T>(first)[i] = static_cast<T>(static_cast<double>(state >> 8) * 0x1p-24 + 0.1);
    }
    kernels::lower(d, m.bindings(), Launcher{cut});
    const T* const got = m.at<T>(d.out);
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        long double sum = 0;
        for (std::int64_t r = 0; r < reduced; ++r) sum += m.of<T>(first)[(o * reduced + r) * inner + i];
        const auto wanted = static_cast<double>(d.scale * sum);
        ASSERT_NEAR(static_cast<double>(got[o * inner + i]), wanted, bound * std::abs(wanted))
            << o << ' ' << i;
      }
    if (bits.empty()) bits.assign(got, got + outer * inner);
    if (sizeof(T) == sizeof(float) && !bits.empty()) {
      EXPECT_EQ(std::memcmp(bits.data(), got, bits.size() * sizeof(T)), 0)
          << "other bits than the first cut's";
    }
    T after;
    std::memcpy(&after, got + outer * inner, sizeof after);
    EXPECT_TRUE(std::isnan(after)) << "wrote beyond its end";
  }
}

TEST_P(Reductions, Are_the_sums_in_the_same_bits_for_every_cut) {
  for (const bool with_room : {false, true}) {
    expect_sums<float>(reduce(DType::float32, 1, with_room), 1e-6);
    expect_sums<float>(reduce(DType::float32, 0.37, with_room), 1e-6);
    expect_sums<double>(reduce(DType::float64, 0.37, with_room), 1e-12);
  }
}

TEST(Reduce, Is_cut_into_chunks_only_where_few_sums_are_long) {
  const auto partials = [](const Shape& shape) { return op::Reduce::partials_for(whole(first, shape)); };
  EXPECT_EQ(partials({1, 8192, 1}), Shape{});
  EXPECT_EQ(partials({1, 8193, 1}), (Shape{1, 1, 3}));
  EXPECT_EQ(partials({2, 8193, 5}), (Shape{2, 5, 3}));
  EXPECT_EQ(partials({1, 10'000'000, 1}), (Shape{1, 1, 977}));
  EXPECT_EQ(partials({128, 8193, 128}), Shape{});
}

TEST(Reduce, Ten_million_equal_addends_are_summed_to_a_millionth) {
  const Cut cut{1, 0, 1, 0};
  for (const std::int64_t inner : {1, 3, 16, 33})
    for (const bool with_room : {false, true}) {
      const std::int64_t terms = 10'000'000 / (inner > 3 ? 10 : 1);
      op::Reduce d{whole(first, {1, terms, inner}), whole(result, {1, inner})};
      if (with_room) d.partials = whole(room, op::Reduce::partials_for(d.in), DType::float64);
      std::vector<float> numbers(static_cast<std::size_t>(d.in.elements()), 0.1f);
      Buffers m(std::max<std::int64_t>(4096, d.partials ? d.partials.bytes() : 0));
      Bindings at = m.bindings();
      at.base[static_cast<std::size_t>(first)] = reinterpret_cast<std::byte*>(numbers.data());
      kernels::lower(d, at, Launcher{cut});
      const double wanted = static_cast<double>(0.1f) * static_cast<double>(terms);
      for (std::int64_t i = 0; i < inner; ++i)
        ASSERT_NEAR(static_cast<double>(m.of<float>(result)[i]), wanted, 1e-6 * wanted) << inner;
    }
}

TEST(Reduce, NaN_goes_into_its_own_sum_alone) {
  for (const Cut& cut : cuts)
    for (const std::int64_t reduced : {5, 700}) {
      Buffers m(1 << 16);
      const op::Reduce d{whole(first, {3, reduced, 4}), whole(result, {3, 4})};
      std::fill_n(m.of<float>(first), d.in.elements(), 0.5f);
      m.of<float>(first)[(1 * reduced + reduced / 2) * 4 + 2] = NAN;
      kernels::lower(d, m.bindings(), Launcher{cut});
      for (int i = 0; i < 12; ++i) ASSERT_EQ(std::isnan(m.of<float>(result)[i]), i == 6) << i;
    }
}

// Products in batches, by plain loops.

TEST(Products, In_batches_are_exact_for_every_cut_however_their_factors_lie) {
  for (const std::int64_t batch : {1, 3, 31})
    for (const bool turned_a : {false, true})
      for (const bool turned_b : {false, true})
        for (const bool one_b : {false, true})
          for (const Cut& cut : cuts) {
            const std::int64_t n_rows = 5, k = 7, n_columns = 9;
            const View a =
                turned_a ? whole(first, {batch, k, n_rows}).transposed() : whole(first, {batch, n_rows, k});
            const View some = whole(second, turned_b ? Shape{one_b ? 1 : batch, n_columns, k}
                                                     : Shape{one_b ? 1 : batch, k, n_columns});
            const View one = turned_b ? some.transposed() : some;
            const View b = one.broadcast_to({batch, k, n_columns}),
                       out = whole(result, {batch, n_rows, n_columns});
            Buffers m(1 << 15);
            for (std::int64_t i = 0; i < 4000; ++i) {
              m.of<float>(first)[i] = static_cast<float>(i % 17 - 8) / 4;
              m.of<float>(second)[i] = static_cast<float>(i % 13 - 6) / 4;
            }
            kernels::lower_product(op::Matmul{a, b, out}, m.bindings(), 1, n_rows - 1, 2, n_columns - 2,
                                   Launcher{cut});
            for_each_index(out.shape, [&](const Shape& at) {
              const float got = m.of<float>(result)[place_of(out, at)];
              if (at[1] < 1 || at[2] < 2) {  // not of the region
                ASSERT_TRUE(std::isnan(got)) << at;
                return;
              }
              float sum = 0;
              for (std::int64_t l = 0; l < k; ++l)
                sum += m.of<float>(first)[place_of(a, {at[0], at[1], l})] *
                       m.of<float>(second)[place_of(b, {at[0], l, at[2]})];
              ASSERT_EQ(got, sum) << at;
            });
          }
}

}  // namespace
}  // namespace glia
