// Element-wise activations and their gradients, alone or as epilogue of a product.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/bfloat16.h>
#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = function(in); n elements.
template <class Function, class T>
struct MapKernel {
  Function function;
  const T* in;
  T* out;
  std::int64_t n;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) out[i] = function.forward(in[i]);
  }
};

/// out = in rounded to bfloat16; n elements.
template <class In, class Out>
struct RoundKernel {
  const In* in;
  Out* out;
  std::int64_t n;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      out[i] = static_cast<Out>(BFloat16(static_cast<float>(in[i])));
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

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      in_gradient[i] = function.backward(out_gradient[i], saved[i]);
  }
};

/// out = function(out + bias), in place in a (rows, columns) region of a matrix with `stride` elements a row;
/// bias (columns,) or null.
template <class Function, class T>
struct BiasActivationKernel {
  Function function;
  T* out;
  const T* bias;
  std::int64_t rows, columns, stride;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      T* const o = out + row * stride;
      if (bias)
        for (std::int64_t c = block.rank(); c < columns; c += block.size())
          o[c] = function.forward(o[c] + bias[c]);
      else
        for (std::int64_t c = block.rank(); c < columns; c += block.size()) o[c] = function.forward(o[c]);
    }
  }
};

/// out *= function'(saved), in place in a (rows, columns) region; both matrices have `stride` elements a row.
template <class Function, class T>
struct DerivativeKernel {
  Function function;
  T* out;
  const T* saved;
  std::int64_t rows, columns, stride;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      T* const o = out + row * stride;
      const T* const s = saved + row * stride;
      for (std::int64_t c = block.rank(); c < columns; c += block.size())
        o[c] = function.backward(o[c], s[c]);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
