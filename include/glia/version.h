// Glia's version.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

namespace GLIA_API glia {

inline constexpr const char* version = "0.1.0";

}  // namespace glia
