// Layers whose forward pass is neither a product nor element-wise, but has weights: PReLU and Embedding.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/patches.h>
#include <kernels/sum.h>  // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = x above 0, else alpha x; x (rows, columns), alpha (columns,).
template <class T>
struct PreluKernel {
  Patches<T> patches;
  const T* x;
  const T* alpha;
  T* out;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.each_place(block, [&](const auto& strip, const Place& place) {
      const std::int64_t columns = patches.columns(), column = place.column;
      const auto a = strip.load(alpha + column);
      each_row(
          strip, place, [&](std::int64_t row) { return strip.load(x + row * columns + column); },
          [&](std::int64_t row, const auto& in) {
            strip.store(out + row * columns + column,
                        [&](auto j) { return in[j] < T(0) ? a[j] * in[j] : in[j]; });
          });
    });
  }
};

/// dx = dy above 0, else alpha dy (null: not wanted), and dalpha (columns,) = sum over rows of dy x below 0.
template <class T>
struct PreluGradientKernel {
  Patches<T> patches;  ///< one piece
  const T* x;
  const T* alpha;
  const T* dy;
  T* dx;
  T* dalpha;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { gradients(block, strip, place); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void gradients(Block& block, const Strip& strip, const Place& place) const {
    const std::int64_t columns = patches.columns(), column = place.column;
    const auto load = [&](std::int64_t row) {
      const std::int64_t i = row * columns + column;
      return Both{strip.load(dy + i), strip.load(x + i)};
    };
    double sums[Strip::most];
    sum_rows<T, 1>(block, strip, place, sums, load, [](auto& leaf, const auto& v, auto j) {
      leaf[0][j] += v.second[j] <= T(0) ? v.first[j] * v.second[j] : T(0);
    });
    if (place.writes()) strip.store(dalpha + column, [&](auto j) { return static_cast<T>(sums[j]); });
    if (!dx) return;
    const auto a = strip.load(alpha + column);
    each_row(strip, place, load, [&](std::int64_t row, const auto& v) {
      strip.store(dx + row * columns + column,
                  [&](auto j) { return v.second[j] <= T(0) ? a[j] * v.first[j] : v.first[j]; });
    });
  }
};

/// Whether a stored index names a row of a table; NaN and fractions do not.
template <class T>
GLIA_HD bool is_row(T index, std::int64_t rows) {
  return index >= T(0) && index < static_cast<T>(rows) &&
         index == static_cast<T>(static_cast<std::int64_t>(index));
}

/// out (n, width) = rows of table (rows, width) named by indices (n,); one that names none gives NaN.
template <class T>
struct LookupKernel {
  const T* indices;
  const T* table;
  T* out;
  std::int64_t n, rows, width;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.rows(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const bool there = is_row(indices[i], rows);
      const T* const row = table + (there ? static_cast<std::int64_t>(indices[i]) * width : 0);
      for (std::int64_t c = block.rank(); c < width; c += block.size())
        out[i * width + c] = there ? row[c] : static_cast<T>(NAN);
    }
  }
};

/// Strings the indices (n,) of each row of a table together, in links (rows + n,): of each row where it is first named, or n
/// where nowhere, and behind them of each index where its row is named next, or n. A thread has a piece of the rows.
template <class T>
struct LinkKernel {
  const T* indices;
  std::int32_t* links;
  std::int64_t n, rows;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t threads = block.count() * block.size(), piece = (rows + threads - 1) / threads;
    const std::int64_t first = (block.index() * block.size() + block.rank()) * piece;
    const std::int64_t last = first + piece < rows ? first + piece : rows;
    const auto none = static_cast<std::int32_t>(n);
    for (std::int64_t row = first; row < last; ++row) links[row] = none;
    for (std::int64_t i = n - 1; i >= 0; --i) {
      if (!is_row(indices[i], rows)) continue;
      const auto row = static_cast<std::int64_t>(indices[i]);
      if (row < first || row >= last) continue;
      links[rows + i] = links[row];
      links[row] = static_cast<std::int32_t>(i);
    }
  }
};

/// dtable (rows, width) = sums of the dy (n, width) of each row's indices, in their order, which `links` has strung together.
template <class T>
struct LookupGradientKernel {
  const std::int32_t* links;
  const T* dy;
  T* dtable;
  std::int64_t n, rows, width;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride)
      for (std::int64_t c = block.rank() * tile; c < width; c += block.size() * tile)
        sum_row<tile>(row, c, static_cast<int>(width - c < tile ? width - c : tile));
  }

 private:
  template <int tile>
  GLIA_HD void sum_row(std::int64_t row, std::int64_t c, int together) const {
    T* const out = dtable + row * width + c;
    if (links[row] == n) {
      for (int j = 0; j < together; ++j) out[j] = 0;
      return;
    }
    Sums<T, tile> sum(together);
    for (std::int64_t i = links[row]; i < n; i = links[rows + i]) {
      for (int j = 0; j < together; ++j) sum[j] += dy[i * width + c + j];
      sum.next(together);
    }
    for (int j = 0; j < together; ++j) out[j] = sum.total(j);
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
