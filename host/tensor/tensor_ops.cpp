// Tensor: element-wise arithmetic, comparison, round and abs, and equality of whole tensors.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "host/tensor/tensor_support.h"  // defines: expect_cpu, empty_like

namespace glia {
namespace {

/// float32, and uint8 that is scaled, which is float32 in every respect but storage.
bool reads_as_float32(const Tensor& tensor) {
  return tensor.dtype() == DType::float32 || (tensor.dtype() == DType::uint8 && tensor.scale() != 1);
}

bool reads_as_integer(const Tensor& tensor) {
  return !is_floating(tensor.dtype()) && !reads_as_float32(tensor);
}

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
    detail::expect_cpu(left, what);
    detail::expect_cpu(right, what);
    GLIA_CHECK(left.shape() == right.shape() || repeats_in(right.shape(), left.shape()) ||
                   repeats_in(left.shape(), right.shape()),
               ShapeError, what, " got shapes ", left.shape(), " and ", right.shape(),
               "; expected equal shapes, (rows, n) with (n,), or a number; reshape() one of them");
    shape = left.rank() >= right.rank() ? left.shape() : right.shape();
    if (left.dtype() == DType::float64 || right.dtype() == DType::float64) arithmetic = DType::float64;
    integers = reads_as_integer(left) && reads_as_integer(right);
    if (reads_as_float32(left) && reads_as_float32(right)) narrow();
  }
  Pair(const Tensor& left, double right, const char* what)
      : Pair(left, Operand(left), Operand(right), what) {}
  Pair(double left, const Tensor& right, const char* what)
      : Pair(right, Operand(left), Operand(right), what) {}

 private:
  Pair(const Tensor& tensor, Operand left, Operand right, const char* what)
      : a(left), b(right), shape(tensor.shape()) {
    detail::expect_cpu(tensor, what);
    if (tensor.dtype() == DType::float64) arithmetic = DType::float64;
    if (reads_as_float32(tensor)) narrow();
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

/// Worked out in double and rounded once, which for two float32 gives what float32 arithmetic gives.
template <class Function>
Tensor arithmetic(const Pair& pair, Function function) {
  Tensor result = Tensor::uninitialized(pair.shape, pair.arithmetic);
  if (pair.arithmetic == DType::float64)
    apply<double>(pair, result.data<double>(), function);
  else
    apply<double>(pair, result.data<float>(), function);
  return result;
}

template <class Function>
Tensor compare(const Pair& pair, Function function) {
  Tensor result = Tensor::uninitialized(pair.shape, DType::uint8);
  if (pair.integers)
    apply<std::int64_t>(pair, result.data<std::uint8_t>(), function);
  else
    apply<double>(pair, result.data<std::uint8_t>(), function);
  return result;
}

template <class Work, class Predicate>
bool holds_everywhere(const Pair& pair, Predicate predicate) {
  return for_pieces<Work>(pair, [&](const Work* a, const Work* b, std::int64_t, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      if (!predicate(a[i], b[i])) return false;
    return true;
  });
}

template <class T>
T rounded(T value, int decimals) {
  const int digits = std::min(std::abs(decimals), std::numeric_limits<T>::max_exponent10);
  const T power = static_cast<T>(std::pow(10.0, digits));
  if (decimals < 0) return std::nearbyint(value / power) * power;
  const T shifted = value * power;
  // Where the product overflows, the value has no digits that far behind the point.
  return std::isfinite(shifted) ? std::nearbyint(shifted) / power : value;
}

/// Applies `function` to a copy of a floating-point tensor.
template <class Function>
Tensor transformed(Tensor copy, Function function) {
  const auto apply_to = [&](auto* values) { std::transform(values, values + copy.size(), values, function); };
  if (copy.dtype() == DType::float64)
    apply_to(copy.data<double>());
  else
    apply_to(copy.data<float>());
  return copy;
}

template <class T>
T magnitude(T value) {
  GLIA_CHECK(value != std::numeric_limits<T>::min(), ValueError, "abs() got ", value,
             ", whose magnitude does not fit ", name_of(dtype_of<T>), "; cast the tensor to float64 first");
  return value < 0 ? -value : value;
}

}  // namespace

Tensor Tensor::round(int decimals) const {
  detail::expect_cpu(*this, "round()");
  if (reads_as_integer(*this)) return clone();
  return transformed(cast(dtype_ == DType::uint8 ? DType::float32 : dtype_),
                     [decimals](auto value) { return rounded(value, decimals); });
}

Tensor Tensor::abs() const {
  detail::expect_cpu(*this, "abs()");
  if (!reads_as_integer(*this))
    return transformed(cast(dtype_ == DType::uint8 ? DType::float32 : dtype_),
                       [](auto value) { return std::abs(value); });
  Tensor result = clone();
  const auto apply_to = [&](auto* values) {
    using T = std::remove_pointer_t<decltype(values)>;
    std::transform(values, values + result.size(), values, magnitude<T>);
  };
  if (dtype_ == DType::int32) apply_to(result.data<std::int32_t>());
  if (dtype_ == DType::int64) apply_to(result.data<std::int64_t>());
  return result;
}

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
  if (pair.integers) return holds_everywhere<std::int64_t>(pair, std::equal_to<>());
  return holds_everywhere<double>(
      pair, [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

bool all_close(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.shape() != b.shape()) return false;
  // Infinities are close to themselves only; the formula alone would call any number close to one.
  return holds_everywhere<double>(Pair(a, b, "all_close()"), [&](double x, double y) {
    return x == y || (std::isfinite(y) && std::abs(x - y) <= atol + rtol * std::abs(y));
  });
}

}  // namespace glia
