// Precision: how products of float32 matrices, convolutions among them, may be computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <variant>

namespace GLIA_API glia {

/// IEEE single precision, everywhere.
struct Float32 {
  static constexpr auto name = "float32";
};

/// On a GPU with tensor cores, operands of products rounded to 10 bits of mantissa (relative error 2^-11 each) and
/// summed in float32: several times faster for large layers. Elsewhere, and on the CPU, as Float32.
struct TF32 {
  static constexpr auto name = "tf32";
};

/// Operands of products rounded to bfloat16 (relative error 2^-8 at most each), and multiplied as such, which is faster, by
/// GPUs of compute capability 8.0 and later and CPUs with AVX512_BF16; elsewhere the rounded numbers are multiplied in
/// float32, more slowly. Sums are float32, though cuDNN rounds the result of a convolution or its gradients once more. All
/// that is kept is float32: weights, the optimizer's slots, what layers give. Exponents are those of float32, so no loss
/// needs scaling.
struct MixedBFloat16 {
  static constexpr auto name = "mixed_bfloat16";
};

using Precisions = std::variant<Float32, TF32, MixedBFloat16>;

}  // namespace glia
