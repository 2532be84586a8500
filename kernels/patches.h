// Matrices in patches: how the threads of a GPU's block stand on the rows and columns of one. Neighbours stand beside each
// other along a row, with a strip each, up to a line of memory, and the others behind them on the next rows; so a warp's
// accesses are whole sectors, blocks are full however few columns there are, and what belongs to a column is loaded once.
// A processor's thread has all of its rows' columns, or some at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/strip.h>
#include <kernels/sum.h>  // defines: leaf_terms

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// A piece of the rows, and where in it a thread stands: on row begin + y, with its strip from `column` on. A GPU's thread
/// that finds no column left is not inside; it has no rows, but comes to what all must come to.
struct Place {
  std::int64_t piece, begin, end, column;
  std::int64_t y = 0, down = 1, across = 1;
  bool is_inside = true;

  /// Whether it is the one of those behind each other that writes what they summed.
  GLIA_HD bool writes() const { return is_inside && y == 0; }
};

/// As powers of two: threads beside each other on rows of `columns` elements, whose strips of n are at most 128 bytes together.
template <class T>
GLIA_HD int log2_across(int n, std::int64_t columns, std::int64_t threads) {
  constexpr std::int64_t line_bytes = 128;
  int log2 = 0;
  while (std::int64_t{n} << log2 < columns &&
         (std::int64_t{n} << log2) * static_cast<std::int64_t>(sizeof(T)) < line_bytes &&
         std::int64_t{1} << log2 < threads)
    ++log2;
  return log2;
}

/// Calls `f` with the strip that fits.
template <class T, class F>
GLIA_HD void visit_strip(bool packed, const F& f) {
  if (packed)
    f(PackStrip<pack_size<T>>{});
  else
    f(PackStrip<1>{});
}

/// A matrix (rows, columns) in pieces of so many rows. `packed` where all rows of all operands are whole, aligned packs.
template <class T>
class Patches {
 public:
  Patches(std::int64_t rows, std::int64_t columns, std::int64_t piece_rows, bool packed)
      : rows_(rows),
        columns_(columns),
        piece_rows_(piece_rows > 0 ? piece_rows : 1),
        pieces_((rows + piece_rows_ - 1) / piece_rows_),
        packed_(packed && columns % pack_size<T> == 0) {}
  /// In pieces of which no result depends: of so many rows for each of a GPU's threads, or fewer where that makes more blocks.
  static Patches of_threads(std::int64_t rows, std::int64_t columns, std::int64_t rows_of_thread,
                            bool packed) {
    constexpr std::int64_t many_blocks = 512;
    const int width = packed && columns % pack_size<T> == 0 ? pack_size<T> : 1;
    const std::int64_t down = most_threads >> log2_across<T>(width, columns, most_threads);
    for (;; rows_of_thread /= 2) {
      const Patches patches(rows, columns, rows_of_thread * down, packed);
      if (rows_of_thread == 1 || patches.pieces_ * patches.lines(width, most_threads) >= many_blocks)
        return patches;
    }
  }

  static constexpr unsigned most_threads = 256;

  GLIA_HD std::int64_t rows() const { return rows_; }
  GLIA_HD std::int64_t columns() const { return columns_; }
  GLIA_HD std::int64_t pieces() const { return pieces_; }
  GLIA_HD std::int64_t rows_of(std::int64_t piece) const {
    const std::int64_t left = rows_ - piece * piece_rows_;
    return left < piece_rows_ ? left : piece_rows_;
  }

  /// What each_strip() and each_place() take, where a processor cuts rows.
  Work rows_work() const { return with_blocks({Work::rows, rows_, columns_}, most_threads); }
  /// What each_piece() takes, where a processor cuts strips of pieces of `rows_of_piece` rows; a GPU's blocks have so many threads.
  Work pieces_work(std::int64_t rows_of_piece, unsigned threads = most_threads) const {
    constexpr std::int64_t strip = SerialBlock::tile;
    return with_blocks({Work::rows, pieces_ * ((columns_ + strip - 1) / strip), rows_of_piece * strip},
                       threads);
  }

  /// f(strip, place) for each piece, and of its columns those of the thread; a processor's thread has `most` at a time. Every
  /// thread of a block comes as often as the others. `plain`: of no width is the compiler told, for less code.
  template <int most, bool plain = false, class Block, class F>
  GLIA_HD void each_piece(Block& block, const F& f) const {
    if (columns_ == 0 || pieces_ == 0) return;
    if constexpr (Block::tile > 1) {
      const std::int64_t strips = (columns_ + most - 1) / most;
      const auto range = block.rows(pieces_ * strips);
      std::int64_t piece = range.begin / strips, column = range.begin % strips * most;
      for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
        const std::int64_t begin = piece * piece_rows_;
        const Place place{piece, begin, begin + rows_of(piece), column};
        const std::int64_t left = columns_ - column;
        if constexpr (plain)
          f(WideStrip<most>{{}, left < most ? left : most}, place);
        else
          visit_width<most>(left, [&](const auto& strip) { f(strip, place); });
        column += most;
        if (column >= columns_) column = 0, ++piece;
      }
    } else {
      visit_strip<T>(packed_, [&](const auto& strip) { stand(block, strip, f); });
    }
  }

  /// f(strip, row, column) for strips of rows, where no result depends on the pieces: a processor's thread goes along a row, `most`
  /// columns at a time.
  template <int most, class Block, class F>
  GLIA_HD void each_strip(Block& block, const F& f) const {
    if constexpr (Block::tile > 1) {
      const auto range = block.rows(rows_);
      for (std::int64_t row = range.begin; row < range.end; row += range.stride)
        for (std::int64_t c = 0; c < columns_; c += most)
          f(WideStrip<most>{{}, columns_ - c < most ? columns_ - c : most}, row, c);
    } else {
      each_place(block, [&](const auto& strip, const Place& place) {
        for (std::int64_t row = place.begin + place.y; row < place.end; row += place.down)
          f(strip, row, place.column);
      });
    }
  }

  /// f(strip, place) where no result depends on the pieces, and nothing is kept of a column: a processor's thread has whole rows.
  template <class Block, class F>
  GLIA_HD void each_place(Block& block, const F& f) const {
    if constexpr (Block::tile > 1) {
      const auto range = block.rows(rows_);
      f(WideStrip<0>{{}, columns_}, Place{0, range.begin, range.end, 0});
    } else if (columns_ > 0 && pieces_ > 0) {
      visit_strip<T>(packed_, [&](const auto& strip) { stand(block, strip, f); });
    }
  }

 private:
  Work with_blocks(Work work, unsigned threads) const {
    work.threads = threads;
    work.blocks = pieces_ * lines(strip_width(), threads);
    return work;
  }
  int strip_width() const { return packed_ ? pack_size<T> : 1; }
  /// How many lines a row is, as wide as the threads beside each other reach.
  GLIA_HD std::int64_t lines(int width, std::int64_t threads) const {
    const std::int64_t line = std::int64_t{width} << log2_across<T>(width, columns_, threads);
    return (columns_ + line - 1) / line;
  }

  /// Blocks take lines of pieces in turn.
  template <class Block, class Strip, class F>
  GLIA_HD void stand(Block& block, const Strip& strip, const F& f) const {
    const int log2 = log2_across<T>(Strip::most, columns_, block.size());
    const std::int64_t across = std::int64_t{1} << log2, width = Strip::width;
    const std::int64_t x = block.rank() & (across - 1), y = block.rank() >> log2, down = block.size() >> log2;
    // 32 bits do: a GPU divides no more of them by a dozen instructions.
    const auto lines = static_cast<std::uint32_t>((columns_ + across * width - 1) / (across * width));
    const auto index = static_cast<std::uint32_t>(block.index()),
               count = static_cast<std::uint32_t>(block.count());
    std::int64_t piece = index / lines, line = index % lines;
    const std::int64_t more_pieces = count / lines, more_lines = count % lines;
    while (piece < pieces_) {
      const std::int64_t begin = piece * piece_rows_, column = (line * across + x) * width;
      const bool inside = column < columns_;
      f(strip, Place{piece, begin, inside ? begin + rows_of(piece) : begin, inside ? column : 0, y, down,
                     across, inside});
      piece += more_pieces, line += more_lines;
      if (line >= lines) line -= lines, ++piece;
    }
  }

  std::int64_t rows_, columns_, piece_rows_, pieces_;
  bool packed_;
};

/// use(row, load(row)) for the rows of a place that are the thread's.
template <class Strip, class Load, class Use>
GLIA_HD void each_row(const Strip&, const Place& p, const Load& load, const Use& use) {
  stream<Strip::is_packed ? 4 : 1>(p.begin + p.y, p.end, p.down, load, use);
}

/// totals[s * Strip::most + j] = the sum of the s-th term of the j-th column over the rows of a place, by the threads behind each
/// other: leaves of `leaf` rows in order, and those in float64 (kernels/sum.h). `add(sums, loaded, j)` adds the terms of a row,
/// sums[s][j] being the s-th's. Every thread of the block must come and gets the totals.
template <class T, int terms, int leaf = leaf_terms, class Block, class Strip, class Load, class Add>
GLIA_HD void sum_rows(Block& block, const Strip& strip, const Place& p, double (&totals)[terms * Strip::most],
                      const Load& load, const Add& add) {
  constexpr int most = Strip::most;
  for (int s = 0; s < terms; ++s) strip.for_each([&](auto j) { totals[s * most + j] = 0; });
  for (std::int64_t first = p.begin + p.y * leaf; first < p.end; first += p.down * leaf) {
    const std::int64_t last = p.end - first < leaf ? p.end : first + leaf;
    T sums[terms][most];
    for (int s = 0; s < terms; ++s) strip.for_each([&](auto j) { sums[s][j] = 0; });
    stream<Strip::is_packed ? 4 : 1>(first, last, 1, load, [&](std::int64_t, const auto& loaded) {
      strip.for_each([&](auto j) { add(sums, loaded, j); });
    });
    for (int s = 0; s < terms; ++s)
      strip.for_each([&](auto j) { totals[s * most + j] += static_cast<double>(sums[s][j]); });
  }
  block.template sum_down<most>(totals, p.across);
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
