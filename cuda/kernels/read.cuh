// How kernels of tensors read elements whose dtype is known at run time alone: a switch that all threads take alike.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD
#include <glia/tensor_work.h>
#include <kernels/strided.h>  // defines: WideDivider

#include <cmath>
#include <cstdint>

namespace glia::cuda {

/// a b, rounded: compilers must not make one instruction of it and of a sum after it, which the CPU has not.
GLIA_HD double product(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return std::fma(a, b, -0.0);
#endif
}

GLIA_HD double number_at(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::float32:
      return static_cast<double>(static_cast<const float*>(data)[i]);
    case DType::float64:
      return static_cast<const double*>(data)[i];
    case DType::uint8:
      return static_cast<double>(static_cast<const std::uint8_t*>(data)[i]);
    case DType::int32:
      return static_cast<double>(static_cast<const std::int32_t*>(data)[i]);
    default:
      return static_cast<double>(static_cast<const std::int64_t*>(data)[i]);
  }
}

/// Of an integer dtype.
GLIA_HD std::int64_t integer_at(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::uint8:
      return static_cast<const std::uint8_t*>(data)[i];
    case DType::int32:
      return static_cast<const std::int32_t*>(data)[i];
    default:
      return static_cast<const std::int64_t*>(data)[i];
  }
}

/// An operand as a kernel has it.
class Reading {
 public:
  explicit Reading(const tensor_work::Operand& operand, std::int64_t count)
      : data_(operand.data),
        scale_(operand.scale),
        number_(operand.number),
        dtype_(operand.dtype),
        narrow_(operand.narrow),
        repeats_(operand.period < count),
        period_(operand.period) {}

  GLIA_HD double number(std::int64_t i) const {
    double value = number_;
    if (data_) {
      value = number_at(data_, dtype_, place(i));
      if (dtype_ == DType::uint8) value = product(value, scale_);
    }
    return narrow_ ? static_cast<double>(static_cast<float>(value)) : value;
  }
  /// Of an integer dtype that is not scaled.
  GLIA_HD std::int64_t integer(std::int64_t i) const { return integer_at(data_, dtype_, place(i)); }

 private:
  GLIA_HD std::int64_t place(std::int64_t i) const {
    return repeats_ ? i - period_.quotient(i) * period_.divisor() : i;
  }

  const void* data_;
  double scale_, number_;
  DType dtype_;
  bool narrow_, repeats_;
  kernels::WideDivider period_;
};

}  // namespace glia::cuda
