// Copies between strides, and functions of two tensors.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/strided.h>
#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Sixteen bytes, which a thread moves at once.
struct alignas(16) Bytes16 {
  std::uint64_t low, high;
};

/// out = in of each place of `items`, whose strides are those of in and out; and of the `length` elements from there on,
/// in_step and out_step apart. Where one of these is 1 and the other step that of the innermost axis, it transposes tiles:
/// neighbouring threads have neighbouring addresses on one side, and a thread has a sector of its own on the other.
template <class T, class Items>
struct CopyKernel {
  const T* in;
  T* out;
  Items items;
  std::int64_t length, in_step, out_step;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t in_next = items.step(0), out_next = items.step(1);
    items.for_each(block, [&](std::int64_t, const std::int64_t(&at)[2], std::int64_t count) {
      const T* const from = in + at[0];
      T* const to = out + at[1];
      if (length == 1 && in_next == 1 && out_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = from[j];
      else
        for (std::int64_t j = 0; j < count; ++j)
          for (std::int64_t k = 0; k < length; ++k)
            to[j * out_next + k * out_step] = from[j * in_next + k * in_step];
    });
  }
};

/// out = function(a, b) of n elements, all contiguous.
template <class Function, class T>
struct PlainBinaryKernel {
  Function function;
  const T* a;
  const T* b;
  T* out;
  std::int64_t n;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    map_pairs(block, n, packed, a, b, out, [&](T x, T y) { return function.forward(x, y); });
  }
};

/// out = function(a, b); out contiguous, `places` has the strides of a and b.
template <class Function, class T, class Places>
struct BinaryKernel {
  Function function;
  const T* a;
  const T* b;
  T* out;
  Places places;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t a_next = places.step(0), b_next = places.step(1);
    places.for_each(block, [&](std::int64_t i, const std::int64_t(&at)[2], std::int64_t count) {
      const T* const x = a + at[0];
      const T* const y = b + at[1];
      T* const to = out + i;
      // The strides of most, where they are seen, so that these are a vector's.
      if (a_next == 1 && b_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j], y[j]);
      else if (a_next == 1 && b_next == 0)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j], *y);
      else if (a_next == 0 && b_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(*x, y[j]);
      else
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j * a_next], y[j * b_next]);
    });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
