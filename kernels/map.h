// Element-wise activations and their gradients, alone or as epilogue of a product.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/bfloat16.h>
#include <kernels/patches.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = function(in); n elements.
template <class Function, class T>
struct MapKernel {
  Function function;
  const T* in;
  T* out;
  std::int64_t n;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    map_elements<T>(block, n, packed, in, out, [&](T x) { return function.forward(x); });
  }
};

/// out = in rounded to bfloat16; n elements.
template <class In, class Out>
struct RoundKernel {
  const In* in;
  Out* out;
  std::int64_t n;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    map_elements<float>(block, n, packed, in, out,
                        [](In x) { return static_cast<Out>(BFloat16(static_cast<float>(x))); });
  }
};

/// in_gradient = out_gradient * function'(saved); n elements.
template <class Function, class T>
struct MapGradientKernel {
  Function function;
  const T* saved;
  const T* out_gradient;
  T* in_gradient;
  std::int64_t n;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    map_pairs(block, n, packed, out_gradient, saved, in_gradient,
              [&](T dy, T at) { return function.backward(dy, at); });
  }
};

/// out = function(out + bias), in place in a region of a matrix with `stride` elements a row; bias (columns,) or null.
template <class Function, class T>
struct BiasActivationKernel {
  Function function;
  Patches<T> region;
  T* out;
  const T* bias;
  std::int64_t stride;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    region.each_place(block, [&](const auto& strip, const Place& place) {
      T* const o = out + place.column;
      const auto load = [&](std::int64_t row) { return strip.load(o + row * stride); };
      if (bias) {
        const auto b = strip.load(bias + place.column);
        each_row(strip, place, load, [&](std::int64_t row, const auto& x) {
          strip.store(o + row * stride, [&](auto j) { return function.forward(x[j] + b[j]); });
        });
      } else {
        each_row(strip, place, load, [&](std::int64_t row, const auto& x) {
          strip.store(o + row * stride, [&](auto j) { return function.forward(x[j]); });
        });
      }
    });
  }
};

/// out *= function'(saved), in place in a region; both matrices have `stride` elements a row.
template <class Function, class T>
struct DerivativeKernel {
  Function function;
  Patches<T> region;
  T* out;
  const T* saved;
  std::int64_t stride;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    region.each_place(block, [&](const auto& strip, const Place& place) {
      T* const o = out + place.column;
      const T* const s = saved + place.column;
      each_row(
          strip, place,
          [&](std::int64_t row) {
            return Both{strip.load(o + row * stride), strip.load(s + row * stride)};
          },
          [&](std::int64_t row, const auto& v) {
            strip.store(o + row * stride, [&](auto j) { return function.backward(v.first[j], v.second[j]); });
          });
    });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
