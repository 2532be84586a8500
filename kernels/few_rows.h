// A dense layer over a few rows: the weights are read once, and all that goes with them is done on the way. A GPU's block has a
// few columns of the weights, its threads share their rows; a processor's thread has more columns, and goes down them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/activations.h>
#include <kernels/any_of.h>
#include <kernels/pass_rows.h>
#include <kernels/softmax.h>  // defines: softmax_row
#include <kernels/step.h>     // defines: AdvanceKernel
#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// totals (rows, width) += x (rows, x_step apart) times `count` rows of `width` weights, n apart: one float32 sum each. Out of
/// line, or gcc does not keep the sums in registers.
template <int rows, int width, class T>
[[gnu::noinline]] void add_products(const T* x, std::int64_t x_step, const T* weights, std::int64_t n,
                                    std::int64_t count, double* totals) {
  T sums[rows][width] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    GLIA_UNROLL
    for (int r = 0; r < rows; ++r) {
      const T factor = x[r * x_step + i];
      GLIA_INDEPENDENT
      for (int j = 0; j < width; ++j) sums[r][j] += factor * weights[i * n + j];
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int j = 0; j < width; ++j) totals[r * width + j] += static_cast<double>(sums[r][j]);
}

/// How a launch stands on the weights (k, n), and how its rows are cut.
template <class T>
struct FewRowsShape {
  std::int64_t rows, k, n;
  bool packed;  ///< rows of weights are whole, aligned packs
  bool alone;   ///< one block does it all

  /// A processor's columns at a time: four vectors of AVX-512, or eight of AVX.
  static constexpr int width = 256 / sizeof(T);
  std::int64_t strips() const { return (n + width - 1) / width; }

  static constexpr unsigned threads = 256;
  static constexpr int most_rows = 4;  ///< that a GPU's thread has at a time

  /// Of a GPU's: how many threads stand beside each other, as a power of two. Whole sectors at least, and whole lines where
  /// otherwise there were more blocks than a GPU has use for, or one block has them all.
  GLIA_HD int log2_across(std::int64_t of_threads) const {
    constexpr std::int64_t sector = 32, line = 128, many_blocks = 128;
    const std::int64_t columns = packed ? pack_size<T> : 1;
    int log2 = 0;
    while (std::int64_t{2} << log2 <= of_threads && columns << log2 < n) {
      const std::int64_t across = columns << log2, bytes = across * static_cast<std::int64_t>(sizeof(T));
      if (bytes >= line) break;
      if (bytes >= sector && !alone && (n + across - 1) / across <= many_blocks) break;
      ++log2;
    }
    return log2;
  }
  GLIA_HD std::int64_t pieces(std::int64_t across) const {
    const std::int64_t columns = across * (packed ? pack_size<T> : 1);
    return (n + columns - 1) / columns;
  }
  /// A row a block where that does not make too many; of more rows the weights would be read too often.
  GLIA_HD std::int64_t rows_at_once(std::int64_t across) const {
    constexpr std::int64_t many_blocks = 256;
    return rows == 1 || (!alone && rows * pieces(across) <= many_blocks) ? 1 : most_rows;
  }
  /// Of a GPU's launch; a processor cuts strips.
  Work work() const {
    if (alone) {
      Work work{Work::exactly, 1};
      work.threads = threads;
      return work;
    }
    const std::int64_t across = std::int64_t{1} << log2_across(threads), at_once = rows_at_once(across);
    Work work{Work::rows, strips(), rows * k * width};
    work.threads = threads;
    work.blocks = (rows + at_once - 1) / at_once * pieces(across);
    return work;
  }
};

/// out = row_function(activation(x weights + bias)), and what AdvanceKernel does.
template <class T>
struct FewRowsKernel {
  FewRowsShape<T> shape;
  PassRows x, out;
  const T* weights;
  const T* bias;  ///< or null
  AnyOf<ElementwiseActivation> activation;
  bool softmax, logarithm;
  AdvanceKernel advance;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if constexpr (Block::tile > 1) {
      constexpr int width = FewRowsShape<T>::width;
      const auto range = block.rows(shape.strips());
      for (std::int64_t strip = range.begin; strip < range.end; strip += range.stride) {
        const std::int64_t column = strip * width;
        if (shape.n - column <= width / 2)
          go_down<width / 2>(column);
        else
          go_down<width>(column);
      }
    } else {
      share_out(block);
    }
    if (!shape.alone) return;
    block.sync();  // all rows are written, and nobody reads the cursor any more
    if (softmax) {
      const auto range = block.group_rows(shape.rows);
      for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
        T* const y = out_row(row);
        softmax_row(block, y, y, shape.n, logarithm);
      }
      block.sync();
    }
    advance(block);
  }

 private:
  GLIA_HD T* out_row(std::int64_t row) const {
    return static_cast<T*>(out.data()) + (out.first() + row) * shape.n;
  }

  // A processor's thread.

  /// The columns from `column` on, for all rows.
  template <int width>
  GLIA_HD void go_down(std::int64_t column) const {
    constexpr std::int64_t most_rows = 8;
    for (std::int64_t row = 0; row < shape.rows; row += most_rows)
      go_down<width, most_rows>(column, row, shape.rows - row < most_rows ? shape.rows - row : most_rows);
  }

  /// For `count` rows from `row` on. Of x some numbers at a time are converted, while whose weights stay in the cache; between them
  /// sums are in float64.
  template <int width, std::int64_t most_rows>
  GLIA_HD void go_down(std::int64_t column, std::int64_t row, std::int64_t count) const {
    constexpr std::int64_t piece = 256;
    const std::int64_t k = shape.k, n = shape.n, columns = n - column < width ? n - column : width;
    // Where a strip is wider than the columns that are left, it goes on in the next row of weights, for nothing: but behind the
    // last row nothing lies.
    const std::int64_t behind = k * n - column - width, whole = behind < 0 ? 0 : behind / n + 1;
    T factors[most_rows * piece];
    double totals[most_rows * width];
    for (std::int64_t i = 0; i < count * width; ++i) totals[i] = 0;
    for (std::int64_t first = 0; first < k; first += piece) {
      const std::int64_t length = k - first < piece ? k - first : piece;
      for (std::int64_t r = 0; r < count; ++r) load(row + r, first, length, factors + r * piece);
      const std::int64_t wide = whole - first < length ? (whole > first ? whole - first : 0) : length;
      const T* const w = weights + first * n + column;
      std::int64_t r = 0;
      const auto add = [&](auto rows) {
        constexpr int some = decltype(rows)::value;
        for (; r + some <= count; r += some)
          add_products<some, width>(factors + r * piece, piece, w, n, wide, totals + r * width);
      };
      add(std::integral_constant<int, 4>{}), add(std::integral_constant<int, 2>{});
      add(std::integral_constant<int, 1>{});
      for (r = 0; r < count; ++r)
        for (std::int64_t i = wide; i < length; ++i)
          for (std::int64_t j = 0; j < columns; ++j)
            totals[r * width + j] +=
                static_cast<double>(factors[r * piece + i]) * static_cast<double>(w[i * n + j]);
    }
    for (std::int64_t r = 0; r < count; ++r) store(row + r, column, columns, totals + r * width);
  }

  GLIA_HD void load(std::int64_t row, std::int64_t first, std::int64_t length, T* to) const {
    const T scale = static_cast<T>(x.scale());
    PassRows::visit(x.dtype, x.data(), [&](const auto* data) {
      const auto* const from = data + (x.first() + x.there(row)) * shape.k + first;
      for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<T>(from[i]) * scale;
    });
  }
  GLIA_HD void store(std::int64_t row, std::int64_t column, std::int64_t columns,
                     const double* totals) const {
    T* const to = out_row(row) + column;
    for (std::int64_t j = 0; j < columns; ++j)
      to[j] = static_cast<T>(totals[j]) + (bias ? bias[column + j] : T(0));
    activation.visit([&](const auto& function) {
      for (std::int64_t j = 0; j < columns; ++j) to[j] = function.forward(to[j]);
    });
  }

  // A GPU's threads.

  /// A product's number, of which each thread has its own at last; column n where it has none.
  struct Number {
    std::int64_t row, column;
    T sum;
  };

  /// Blocks take pieces of columns, of some rows at a time, in turn, and a thread every so manieth row of the weights.
  template <class Block>
  GLIA_HD void share_out(Block& block) const {
    const int log2 = shape.log2_across(block.size());
    const bool singly = shape.rows_at_once(std::int64_t{1} << log2) == 1;
    const auto some = static_cast<std::uint32_t>(shape.rows_at_once(std::int64_t{1} << log2)),
               pieces = static_cast<std::uint32_t>(shape.pieces(std::int64_t{1} << log2)),
               numbers = some * static_cast<std::uint32_t>(shape.packed ? pack_size<T> : 1),
               down = static_cast<std::uint32_t>(block.size() >> log2),
               turns = (numbers + down - 1) / down;  // 1 but in blocks that no GPU is given
    const auto rows = static_cast<std::uint32_t>(shape.rows),
               count = (rows + some - 1) / some * pieces * turns;
    for (auto i = static_cast<std::uint32_t>(block.index()); i < count;
         i += static_cast<std::uint32_t>(block.count())) {
      const std::uint32_t turn = i % turns, piece = i / turns % pieces;
      const std::int64_t row = std::int64_t{i / turns / pieces} * some;
      Number number;
      if (shape.packed)
        number = singly ? share<1, 8>(block, PackStrip<pack_size<T>>{}, row, piece, turn, log2)
                        : share<FewRowsShape<T>::most_rows, 4>(block, PackStrip<pack_size<T>>{}, row, piece,
                                                               turn, log2);
      else
        number = singly ? share<1, 8>(block, PackStrip<1>{}, row, piece, turn, log2)
                        : share<FewRowsShape<T>::most_rows, 4>(block, PackStrip<1>{}, row, piece, turn, log2);
      if (number.column >= shape.n) continue;
      if (bias) number.sum += bias[number.column];
      T* const to = out_row(number.row) + number.column;
      activation.visit([&](const auto& function) { *to = function.forward(number.sum); });
    }
  }

  /// The sums of all threads of a block for `most` rows from `row` on and a piece's columns, of which each gets one. `flight` rows
  /// of the weights are under way at a time, with what they are multiplied by.
  template <int most, int flight, class Block, class Strip>
  GLIA_HD Number share(Block& block, const Strip& strip, std::int64_t row, std::int64_t piece,
                       std::int64_t turn, int log2) const {
    constexpr int width = Strip::most;
    const std::int64_t across = std::int64_t{1} << log2, y = block.rank() >> log2,
                       down = block.size() >> log2;
    const std::int64_t column = (piece * across + (block.rank() & (across - 1))) * width, n = shape.n;
    const std::int64_t k = shape.k, end = column < n ? k : 0;
    // The cursor, and where the source lies, are on their way while weights are asked for already.
    const std::int64_t cursor = x.first();
    const void* const data = x.data();
    const T scale = static_cast<T>(x.scale());
    decltype(strip.load(weights)) w[flight];
    const auto load_weights = [&](std::int64_t first) {
      GLIA_UNROLL
      for (int f = 0; f < flight; ++f) {
        const std::int64_t i = first + f * down;
        w[f] = {};
        if (i < end) w[f] = strip.load(weights + i * n + column);
      }
    };
    load_weights(y);
    std::int64_t begin[most];  // of rows of x; for one that is not there another is taken, and dropped
    GLIA_UNROLL
    for (int r = 0; r < most; ++r) begin[r] = (cursor + x.there(row + r < shape.rows ? row + r : row)) * k;
    T sums[most * width];
    GLIA_UNROLL
    for (int s = 0; s < most * width; ++s) sums[s] = 0;
    for (std::int64_t first = y; first < end; first += flight * down) {
      T factors[flight][most];
      PassRows::visit(x.dtype, data, [&](const auto* from) {
        GLIA_UNROLL
        for (int f = 0; f < flight; ++f) {
          const std::int64_t i = first + f * down;
          GLIA_UNROLL
          for (int r = 0; r < most; ++r) factors[f][r] = i < end ? static_cast<T>(from[begin[r] + i]) : T(0);
        }
      });
      GLIA_UNROLL
      for (int f = 0; f < flight; ++f) {
        GLIA_UNROLL
        for (int r = 0; r < most; ++r)
          strip.for_each([&](auto j) { sums[r * width + j] += factors[f][r] * scale * w[f][j]; });
      }
      load_weights(first + flight * down);
    }
    const std::int64_t mine = turn * down + y, last = most * width - 1;
    const double total = block.template sum_of<width>(sums, across, mine < last ? mine : last);
    const bool is_there = mine <= last && column < n && row + mine / width < shape.rows;
    return {row + mine / width, is_there ? column + mine % width : n, static_cast<T>(total)};
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
