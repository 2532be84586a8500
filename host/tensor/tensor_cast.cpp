// Tensor: copies of another dtype.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context
#include "host/tensor/tensor_support.h"  // defines: convert

namespace glia {
namespace {

template <class From, class To>
Tensor cast_on_cpu(const Tensor& tensor) {
  Tensor result = Tensor::uninitialized(tensor.shape(), dtype_of<To>);
  const From* from = tensor.data<From>();
  const From* const end = from + tensor.size();
  if (tensor.scale() == 1)
    std::transform(from, end, result.data<To>(), [](From value) { return detail::convert<To>(value); });
  else
    std::transform(from, end, result.data<To>(), [scale = tensor.scale()](From value) {
      return detail::convert<To>(static_cast<double>(value) * scale);
    });
  return result;
}

/// Whether some value of From does not fit To.
template <class From, class To>
constexpr bool may_not_fit(bool is_scaled) {
  if constexpr (std::is_floating_point_v<To>) {
    return false;
  } else if constexpr (std::is_floating_point_v<From>) {
    return true;
  } else {
    using Limits = std::numeric_limits<From>;
    return is_scaled || !std::in_range<To>(Limits::min()) || !std::in_range<To>(Limits::max());
  }
}

/// The first element that does not fit is brought here, where it throws what it throws on the CPU.
template <class From, class To>
void expect_fitting(detail::OnDevice& call, const Tensor& tensor) {
  using tensor_work::Find;
  auto* const unfit = call.scratch<std::int64_t>(1);
  Find find{.test = Find::Test::outside,
            .a = detail::operand_of(tensor),
            .integers = std::is_integral_v<From> && tensor.scale() == 1,
            .count = tensor.size(),
            .out = unfit};
  if constexpr (std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    find.least = static_cast<double>(Limits::min());
    find.end = static_cast<double>(Limits::max()) + 1.0;
    find.least_integer = Limits::min();
    find.most_integer = Limits::max();
  }
  call.run({find});
  const std::int64_t first = call.read(unfit);
  if (first == tensor.size()) return;
  From value;
  detail::read_element(tensor, first, &value);
  if (tensor.scale() == 1)
    detail::convert<To>(value);
  else
    detail::convert<To>(static_cast<double>(value) * tensor.scale());
}

template <class From, class To>
Tensor cast_on_device(const Tensor& tensor) {
  detail::OnDevice call(tensor);
  Tensor result = call.make(tensor.shape(), dtype_of<To>);
  if (tensor.empty()) return result;
  if (may_not_fit<From, To>(tensor.scale() != 1)) expect_fitting<From, To>(call, tensor);
  call.run({tensor_work::Map{.function = tensor_work::Map::Function::convert,
                             .a = detail::operand_of(tensor),
                             .integers = std::is_integral_v<From> && tensor.scale() == 1,
                             .out = result.raw(),
                             .dtype = dtype_of<To>,
                             .count = tensor.size()}});
  return result;
}

}  // namespace

Tensor Tensor::cast(DType dtype) const {
  detail::expect_context(*this, "cast()");
  if (dtype == dtype_) return clone();
  return visit_dtype(dtype_, [&](auto from_type) {
    return visit_dtype(dtype, [&](auto to_type) {
      using From = typename decltype(from_type)::type;
      using To = typename decltype(to_type)::type;
      return device_.is_cpu() ? cast_on_cpu<From, To>(*this) : cast_on_device<From, To>(*this);
    });
  });
}

}  // namespace glia
