// Matrix product by plain loops: the float64 path, and the fallback where a library has no algorithm.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/patches.h>
#include <kernels/sum.h>  // defines: Sums

#include <type_traits>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (m, n) = a (m, k) b (k, n), strides in elements, rows of `out` contiguous; and `batch` of that, so many elements apart
/// each. A thread computes a strip of a row, so that the inner loop is a vector's; each output is summed over k in ascending order,
/// by leaves.
template <class T>
struct MatmulKernel {
  Patches<T> patches;  ///< of the rows of all outputs; packed where rows of b are loaded in packs
  const T* a;
  const T* b;
  T* out;
  std::int64_t m, k;
  std::int64_t a_row, a_column, b_row, b_column, out_row;
  std::int64_t batch = 1, a_matrix = 0, b_matrix = 0, out_matrix = 0;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<Block::tile>(
        block, [&](const auto& strip, std::int64_t row_of_all, std::int64_t column) {
          const std::int64_t matrix = batch > 1 ? row_of_all / m : 0, row = row_of_all - matrix * m;
          const T* const left = a + matrix * a_matrix + row * a_row;
          const T* const right = b + matrix * b_matrix + column * b_column;
          T* const to = out + matrix * out_matrix + row * out_row + column;
          with_full_strip(strip, [&](const auto& some) {
            if (some.is_packed || b_column == 1)  // what is loaded of b is one column, or lies together
              multiply(some, left, right, to, [](auto j) { return j; });
            else if constexpr (!std::decay_t<decltype(some)>::is_packed)
              multiply(some, left, right, to, [&](auto j) { return j * b_column; });
          });
        });
  }

 private:
  /// place(j) is where the j-th column lies behind the first.
  template <class Strip, class PlaceOf>
  GLIA_HD void multiply(const Strip& strip, const T* left, const T* right, T* to,
                        const PlaceOf& place) const {
    Sums<T, Strip::most> sum(strip.width);
    stream<Strip::is_packed ? 4 : 1>(
        0, k, 1,
        [&](std::int64_t l) {
          return Both{left[l * a_column], strip.load(right + l * b_row)};
        },
        [&](std::int64_t, const auto& v) {
          strip.for_each([&](auto j) { sum[static_cast<int>(j)] += v.first * v.second[place(j)]; });
          sum.next(strip.width);
        });
    strip.store(to, [&](auto j) { return sum.total(static_cast<int>(j)); });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
