// Dropout, for layers that have it within them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/noise.h>

namespace glia {

/// Throws ValueError for a rate outside [0, 1); `what` and `name` say whose.
double checked_rate(const char* what, double rate, const char* name = "rate");

DropoutNoise dropout_noise(double rate);

}  // namespace glia
