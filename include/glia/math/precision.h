// Precision: how products of float32 matrices may be computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <variant>

namespace glia {

/// IEEE single precision, everywhere.
struct Float32 {
  static constexpr auto name = "float32";
};

/// On a GPU with tensor cores, operands of products rounded to 10 bits of mantissa (relative error 2^-11 each) and
/// summed in float32: several times faster for large layers. Elsewhere, and on the CPU, as Float32.
struct TF32 {
  static constexpr auto name = "tf32";
};

using Precisions = std::variant<Float32, TF32>;

}  // namespace glia
