// What custom_layer.cpp and custom_layer.cu share: launches of the kernels of LearnedSwish on a cudaStream_t. Pointers are to the
// device's memory, n elements of `units` a row. What they return says what went wrong; null where nothing did.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

struct SwishForward {
  const float *x, *b;
  float *y, *s;
  std::int64_t n, units;
};
const char* swish_forward(const SwishForward& call, void* stream);

struct SwishBackward {
  const float *x, *b, *s, *dy;
  float *dx, *db;  ///< null where they are not wanted
  std::int64_t n, units;
};
const char* swish_backward(const SwishBackward& call, void* stream);
