// Tensor: element-wise arithmetic, comparison, and equality of whole tensors.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context, expect_one_device
#include "host/tensor/tensor_support.h"  // defines: reads_as_float32, reads_as_integer

namespace glia {
namespace {

using tensor_work::Find;
using tensor_work::Map;

/// One side of an operation: a tensor, repeated as often as needed, or a number. It is read in pieces, so
/// that five dtypes and a dozen operations make five loops and a dozen, not their product.
class Operand {
 public:
  explicit Operand(const Tensor& tensor) : tensor_(&tensor), period_(tensor.size()) {}
  explicit Operand(double number) : number_(number) {}

  /// Rounds what is read to float32, as NumPy does with a number that meets a float32 array.
  Operand& narrow() {
    narrow_ = true;
    return *this;
  }

  const Tensor* tensor() const { return tensor_; }
  /// The same for a GPU.
  tensor_work::Operand on_device() const {
    tensor_work::Operand operand = tensor_ ? detail::operand_of(*tensor_) : tensor_work::Operand{};
    operand.number = number_;
    operand.narrow = narrow_;
    return operand;
  }

  /// Elements first .. first + count - 1 of the result's.
  template <class Work>
  void read(Work* out, std::int64_t first, std::int64_t count) const {
    if (tensor_ == nullptr)
      std::fill_n(out, count, static_cast<Work>(number_));
    else
      visit_dtype(tensor_->dtype(),
                  [&](auto type) { read_stored<typename decltype(type)::type>(out, first, count); });
    if (narrow_)
      for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<Work>(static_cast<float>(out[i]));
  }

 private:
  template <class T, class Work>
  void read_stored(Work* out, std::int64_t first, std::int64_t count) const {
    const T* values = tensor_->data<T>();
    const auto element = [&](std::int64_t i) {
      if constexpr (std::is_same_v<T, std::uint8_t> && std::is_floating_point_v<Work>)
        return static_cast<Work>(values[i]) * tensor_->scale();
      else
        return static_cast<Work>(values[i]);
    };
    std::int64_t at = first % period_;
    if (at + count <= period_) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = element(at + i);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] = element(at);
        if (++at == period_) at = 0;
      }
    }
  }

  const Tensor* tensor_ = nullptr;
  std::int64_t period_ = 1;
  double number_ = 0;
  bool narrow_ = false;
};

/// `small` lies along the last axis of `large`, or is one number.
bool repeats_in(const Shape& small, const Shape& large) {
  if (small.rank() == 0) return true;
  return small.rank() == 1 && large.rank() > 1 && small[0] == large.back();
}

/// Both sides of an operation, and what comes of it.
struct Pair {
  Operand a, b;
  Shape shape;
  DType arithmetic = DType::float32;  ///< dtype of a sum, a product, ...
  bool integers = false;              ///< compared exactly, as int64

  Pair(const Tensor& left, const Tensor& right, const char* what) : a(left), b(right) {
    detail::expect_one_device(left, right, what);
    GLIA_CHECK(left.shape() == right.shape() || repeats_in(right.shape(), left.shape()) ||
                   repeats_in(left.shape(), right.shape()),
               ShapeError, what, " got shapes ", left.shape(), " and ", right.shape(),
               "; expected equal shapes, (rows, n) with (n,), or a number; reshape() one of them");
    shape = left.rank() >= right.rank() ? left.shape() : right.shape();
    if (left.dtype() == DType::float64 || right.dtype() == DType::float64) arithmetic = DType::float64;
    integers = detail::reads_as_integer(left) && detail::reads_as_integer(right);
    if (detail::reads_as_float32(left) && detail::reads_as_float32(right)) narrow();
  }
  Pair(const Tensor& left, double right, const char* what)
      : Pair(left, Operand(left), Operand(right), what) {}
  Pair(double left, const Tensor& right, const char* what)
      : Pair(right, Operand(left), Operand(right), what) {}

  bool on_cpu() const { return any().device().is_cpu(); }
  /// A call that reads both where they lie.
  void begin(detail::OnDevice& call) const {
    for (const Operand& operand : {a, b})
      if (operand.tensor()) call.also_reads(*operand.tensor());
  }
  /// Of a call: the first tensor's context.
  const Tensor& any() const { return a.tensor() ? *a.tensor() : *b.tensor(); }

 private:
  Pair(const Tensor& tensor, Operand left, Operand right, const char* what)
      : a(left), b(right), shape(tensor.shape()) {
    detail::expect_context(tensor, what);
    if (tensor.dtype() == DType::float64) arithmetic = DType::float64;
    if (detail::reads_as_float32(tensor)) narrow();
  }
  void narrow() {
    a.narrow();
    b.narrow();
  }
};

/// Calls visit(a, b, first, count) on pieces of both operands, read as Work, until one call returns false.
template <class Work, class Visit>
bool for_pieces(const Pair& pair, Visit visit) {
  constexpr std::int64_t piece = 512;
  Work a[piece], b[piece];
  const std::int64_t elements = pair.shape.elements();
  for (std::int64_t first = 0; first < elements; first += piece) {
    const std::int64_t count = std::min(piece, elements - first);
    pair.a.read(a, first, count);
    pair.b.read(b, first, count);
    if (!visit(a, b, first, count)) return false;
  }
  return true;
}

template <class Work, class Out, class Function>
void apply(const Pair& pair, Out* out, Function function) {
  for_pieces<Work>(pair, [&](const Work* a, const Work* b, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out[first + i] = static_cast<Out>(function(a[i], b[i]));
    return true;
  });
}

/// What a GPU calls a function object of the standard library.
template <class Function>
constexpr Map::Function function_of = Map::Function::convert;
template <>
constexpr Map::Function function_of<std::plus<>> = Map::Function::add;
template <>
constexpr Map::Function function_of<std::minus<>> = Map::Function::subtract;
template <>
constexpr Map::Function function_of<std::multiplies<>> = Map::Function::multiply;
template <>
constexpr Map::Function function_of<std::divides<>> = Map::Function::divide;
template <>
constexpr Map::Function function_of<std::equal_to<>> = Map::Function::equal;
template <>
constexpr Map::Function function_of<std::not_equal_to<>> = Map::Function::not_equal;
template <>
constexpr Map::Function function_of<std::less<>> = Map::Function::less;
template <>
constexpr Map::Function function_of<std::less_equal<>> = Map::Function::less_equal;
template <>
constexpr Map::Function function_of<std::greater<>> = Map::Function::greater;
template <>
constexpr Map::Function function_of<std::greater_equal<>> = Map::Function::greater_equal;

Tensor map_on_device(const Pair& pair, Map::Function function, bool integers, DType dtype) {
  detail::OnDevice call(pair.any());
  pair.begin(call);
  Tensor result = call.make(pair.shape, dtype);
  if (!result.empty())
    call.run({Map{.function = function,
                  .a = pair.a.on_device(),
                  .b = pair.b.on_device(),
                  .integers = integers,
                  .out = result.raw(),
                  .dtype = dtype,
                  .count = result.size()}});
  return result;
}

/// Worked out in double and rounded once, which for two float32 gives what float32 arithmetic gives.
template <class Function>
Tensor arithmetic(const Pair& pair, Function function) {
  if (!pair.on_cpu()) return map_on_device(pair, function_of<Function>, false, pair.arithmetic);
  Tensor result = Tensor::uninitialized(pair.shape, pair.arithmetic);
  if (pair.arithmetic == DType::float64)
    apply<double>(pair, result.data<double>(), function);
  else
    apply<double>(pair, result.data<float>(), function);
  return result;
}

template <class Function>
Tensor compare(const Pair& pair, Function function) {
  if (!pair.on_cpu()) return map_on_device(pair, function_of<Function>, pair.integers, DType::uint8);
  Tensor result = Tensor::uninitialized(pair.shape, DType::uint8);
  if (pair.integers)
    apply<std::int64_t>(pair, result.data<std::uint8_t>(), function);
  else
    apply<double>(pair, result.data<std::uint8_t>(), function);
  return result;
}

/// Whether no element passes the test, of tensors on a GPU.
bool none_on_device(const Pair& pair, Find find) {
  if (pair.shape.elements() == 0) return true;
  detail::OnDevice call(pair.any());
  pair.begin(call);
  auto* const first = call.scratch<std::int64_t>(1);
  find.a = pair.a.on_device();
  find.b = pair.b.on_device();
  find.count = pair.shape.elements();
  find.out = first;
  call.run({find});
  return call.read(first) == find.count;
}

template <class Work, class Predicate>
bool holds_everywhere(const Pair& pair, Predicate predicate) {
  return for_pieces<Work>(pair, [&](const Work* a, const Work* b, std::int64_t, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      if (!predicate(a[i], b[i])) return false;
    return true;
  });
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) { return arithmetic(Pair(a, b, "+"), std::plus<>()); }
Tensor operator-(const Tensor& a, const Tensor& b) { return arithmetic(Pair(a, b, "-"), std::minus<>()); }
Tensor operator*(const Tensor& a, const Tensor& b) {
  return arithmetic(Pair(a, b, "*"), std::multiplies<>());
}
Tensor operator/(const Tensor& a, const Tensor& b) { return arithmetic(Pair(a, b, "/"), std::divides<>()); }
Tensor operator+(const Tensor& a, double b) { return arithmetic(Pair(a, b, "+"), std::plus<>()); }
Tensor operator-(const Tensor& a, double b) { return arithmetic(Pair(a, b, "-"), std::minus<>()); }
Tensor operator*(const Tensor& a, double b) { return arithmetic(Pair(a, b, "*"), std::multiplies<>()); }
Tensor operator/(const Tensor& a, double b) { return arithmetic(Pair(a, b, "/"), std::divides<>()); }
Tensor operator+(double a, const Tensor& b) { return arithmetic(Pair(a, b, "+"), std::plus<>()); }
Tensor operator-(double a, const Tensor& b) { return arithmetic(Pair(a, b, "-"), std::minus<>()); }
Tensor operator*(double a, const Tensor& b) { return arithmetic(Pair(a, b, "*"), std::multiplies<>()); }
Tensor operator/(double a, const Tensor& b) { return arithmetic(Pair(a, b, "/"), std::divides<>()); }
Tensor operator-(const Tensor& a) { return arithmetic(Pair(a, -1.0, "-"), std::multiplies<>()); }

Tensor operator==(const Tensor& a, const Tensor& b) { return compare(Pair(a, b, "=="), std::equal_to<>()); }
Tensor operator!=(const Tensor& a, const Tensor& b) {
  return compare(Pair(a, b, "!="), std::not_equal_to<>());
}
Tensor operator<(const Tensor& a, const Tensor& b) { return compare(Pair(a, b, "<"), std::less<>()); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return compare(Pair(a, b, "<="), std::less_equal<>()); }
Tensor operator>(const Tensor& a, const Tensor& b) { return compare(Pair(a, b, ">"), std::greater<>()); }
Tensor operator>=(const Tensor& a, const Tensor& b) {
  return compare(Pair(a, b, ">="), std::greater_equal<>());
}
Tensor operator==(const Tensor& a, double b) { return compare(Pair(a, b, "=="), std::equal_to<>()); }
Tensor operator!=(const Tensor& a, double b) { return compare(Pair(a, b, "!="), std::not_equal_to<>()); }
Tensor operator<(const Tensor& a, double b) { return compare(Pair(a, b, "<"), std::less<>()); }
Tensor operator<=(const Tensor& a, double b) { return compare(Pair(a, b, "<="), std::less_equal<>()); }
Tensor operator>(const Tensor& a, double b) { return compare(Pair(a, b, ">"), std::greater<>()); }
Tensor operator>=(const Tensor& a, double b) { return compare(Pair(a, b, ">="), std::greater_equal<>()); }

bool array_equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  const Pair pair(a, b, "array_equal()");
  if (!pair.on_cpu()) return none_on_device(pair, {.test = Find::Test::differ, .integers = pair.integers});
  if (pair.integers) return holds_everywhere<std::int64_t>(pair, std::equal_to<>());
  return holds_everywhere<double>(
      pair, [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

bool all_close(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.shape() != b.shape()) return false;
  const Pair pair(a, b, "all_close()");
  if (!pair.on_cpu()) return none_on_device(pair, {.test = Find::Test::apart, .rtol = rtol, .atol = atol});
  // Infinities are close to themselves only; the formula alone would call any number close to one. One rounding of the bound, so
  // that every device draws it at the same place.
  return holds_everywhere<double>(pair, [&](double x, double y) {
    return x == y || (std::isfinite(y) && std::abs(x - y) <= std::fma(rtol, std::abs(y), atol));
  });
}

}  // namespace glia
