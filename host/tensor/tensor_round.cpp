// Tensor: round and abs.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context
#include "host/tensor/tensor_support.h"  // defines: reads_as_integer

namespace glia {
namespace {

using tensor_work::Find;
using tensor_work::Map;

/// 10 to the number of `decimals`, as far as T has it.
template <class T>
T power_of_ten(int decimals) {
  const int digits = std::min(std::abs(decimals), std::numeric_limits<T>::max_exponent10);
  return static_cast<T>(std::pow(10.0, digits));
}

template <class T>
T rounded(T value, int decimals) {
  const T power = power_of_ten<T>(decimals);
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

/// A function of `tensor`, read as itself or as float32 or float64, and of a number.
Tensor transformed_on_device(const Tensor& tensor, Map::Function function, double number) {
  const bool integers = detail::reads_as_integer(tensor);
  const DType dtype = integers || tensor.dtype() != DType::uint8 ? tensor.dtype() : DType::float32;
  detail::OnDevice call(tensor);
  Tensor result = call.make(tensor.shape(), dtype);
  if (result.empty()) return result;
  tensor_work::Operand operand = detail::operand_of(tensor);
  operand.narrow = dtype == DType::float32;
  call.run({Map{.function = function,
                .a = operand,
                .b = {.number = number},
                .integers = integers,
                .out = result.raw(),
                .dtype = dtype,
                .count = result.size()}});
  return result;
}

/// Of an integer tensor on a GPU.
void expect_magnitudes(const Tensor& tensor) {
  const auto expect = [&](auto least) {
    using T = decltype(least);
    detail::OnDevice call(tensor);
    auto* const first = call.scratch<std::int64_t>(1);
    call.run({Find{.test = Find::Test::outside,
                   .a = detail::operand_of(tensor),
                   .integers = true,
                   .least_integer = least + 1,
                   .most_integer = std::numeric_limits<T>::max(),
                   .count = tensor.size(),
                   .out = first}});
    if (call.read(first) < tensor.size()) magnitude(least);
  };
  if (tensor.dtype() == DType::int32) expect(std::numeric_limits<std::int32_t>::min());
  if (tensor.dtype() == DType::int64) expect(std::numeric_limits<std::int64_t>::min());
}

}  // namespace

Tensor Tensor::round(int decimals) const {
  detail::expect_context(*this, "round()");
  if (detail::reads_as_integer(*this)) return clone();
  if (!device_.is_cpu())
    return transformed_on_device(
        *this, decimals < 0 ? Map::Function::round_to_whole : Map::Function::round_to_parts,
        dtype_ == DType::float64 ? power_of_ten<double>(decimals) : power_of_ten<float>(decimals));
  return transformed(cast(dtype_ == DType::uint8 ? DType::float32 : dtype_),
                     [decimals](auto value) { return rounded(value, decimals); });
}

Tensor Tensor::abs() const {
  detail::expect_context(*this, "abs()");
  if (!device_.is_cpu()) {
    if (detail::reads_as_integer(*this) && !empty()) expect_magnitudes(*this);
    return transformed_on_device(*this, Map::Function::magnitude, 0);
  }
  if (!detail::reads_as_integer(*this))
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

}  // namespace glia
