// How a window treats the border of an image, and how an image is enlarged.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <variant>

namespace GLIA_API glia {

/// Only windows that lie within the image: ceil((in - span + 1) / stride) of them.
struct ValidPadding {
  static constexpr auto name = "valid";
};

/// ceil(in / stride) windows; what the border lacks is zero, or left out of a pool. The odd one of the padding comes
/// last, as in TensorFlow.
struct SamePadding {
  static constexpr auto name = "same";
};

using Paddings = std::variant<ValidPadding, SamePadding>;

/// Each element repeated.
struct Nearest {
  static constexpr auto name = "nearest";
};

/// Linear between the centres of elements, constant beyond the outer ones.
struct Bilinear {
  static constexpr auto name = "bilinear";
};

using Interpolations = std::variant<Nearest, Bilinear>;

}  // namespace glia
