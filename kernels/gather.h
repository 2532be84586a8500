// The ends of a step: Gather brings its rows in, Scatter stores what inference computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>  // defines: DType
#include <glia/math/powers.h>
#include <glia/step_state.h>  // defines: StepState
#include <kernels/source_at.h>
#include <kernels/strip.h>

#include <cstdint>
#include <type_traits>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Whether a pack of n elements may lie there.
template <class T, int n>
GLIA_HD bool is_pack(const T* at) {
  return reinterpret_cast<std::uintptr_t>(at) % (n * sizeof(T)) == 0;
}

/// to = from * scale, `columns` elements, shared by the threads of a block; four at a time where both allow it.
template <class From, class To, class Block>
GLIA_HD void copy_row(Block& block, const From* from, To* to, std::int64_t columns, To scale) {
  const auto copy = [&](const auto& strip) {
    constexpr std::int64_t width = std::decay_t<decltype(strip)>::most;
    stream<4>(
        block.rank(), columns / width, block.size(),
        [&](std::int64_t i) { return strip.load(from + i * width); },
        [&](std::int64_t i, const auto& v) {
          strip.store(to + i * width, [&](auto j) { return static_cast<To>(v[j]) * scale; });
        });
  };
  constexpr std::int64_t width = pack_size<float>;
  if constexpr (Block::tile > 1)
    for (std::int64_t c = 0; c < columns; ++c) to[c] = static_cast<To>(from[c]) * scale;
  else if (columns % width == 0 && is_pack<From, width>(from) && is_pack<To, width>(to))
    copy(PackStrip<width>{});
  else
    copy(PackStrip<1>{});
}

/// Rows as they are: the images of a Gather that augments nothing.
struct PlainImages {
  struct Image {
    template <class Block, class From, class To>
    GLIA_HD void operator()(Block& block, const From* from, To* to, std::int64_t columns, To scale) const {
      copy_row(block, from, to, columns, scale);
    }
  };
  GLIA_HD Image image(std::int64_t, std::int64_t) const { return {}; }
};

/// Row `row` of a data set of `dtype`, converted, by what writes an image.
template <class To, class Block, class Image = PlainImages::Image>
GLIA_HD void load_row(Block& block, DType dtype, const void* data, std::int64_t row, To* to,
                      std::int64_t columns, To scale, const Image& image = {}) {
  const std::int64_t first = row * columns;
  switch (dtype) {
    case DType::float32:
      return image(block, static_cast<const float*>(data) + first, to, columns, scale);
    case DType::float64:
      return image(block, static_cast<const double*>(data) + first, to, columns, scale);
    case DType::uint8:
      return image(block, static_cast<const std::uint8_t*>(data) + first, to, columns, scale);
    case DType::int32:
      return image(block, static_cast<const std::int32_t*>(data) + first, to, columns, scale);
    case DType::int64:
      return image(block, static_cast<const std::int64_t*>(data) + first, to, columns, scale);
    case DType::bfloat16:  // no data set's
      return;
  }
}

/// The step's rows into x (rows, x_columns) of T and, where wanted, y: labels (rows, y_columns) int32 or targets (rows,
/// y_columns) of T; and weights (rows,). Other blocks read what augmentation draws by while one counts the iteration:
/// that is state.finished.
template <class T, class Images = PlainImages>
struct GatherKernel {
  StepState* state;
  T* x;
  std::int32_t* labels;
  T* targets;
  T* weights;
  std::int64_t rows, x_columns, y_columns;
  DType x_from, y_from;
  SourceAt x_source, y_source, weights_source;
  std::int64_t given_rows;  ///< of sources that were given; else below 0
  bool updates, advance_iteration;
  Powers powers;
  std::int64_t steps;
  Images images = {};

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      if (given_rows >= 0 && row >= given_rows) {
        clear_row(block, x + row * x_columns);
        continue;
      }
      const std::int64_t source = given_rows >= 0 ? row : in_order(state->cursor + row);
      if (x)
        load_row(block, x_from, (*x_source).data, source, x + row * x_columns, x_columns,
                 static_cast<T>((*x_source).scale), images.image(state->finished + updates, row));
      if (labels)
        load_row(block, y_from, (*y_source).data, source, labels + row * y_columns, y_columns,
                 std::int32_t{1});
      if (targets)
        load_row(block, y_from, (*y_source).data, source, targets + row * y_columns, y_columns,
                 static_cast<T>((*y_source).scale));
      if (weights && block.rank() == 0)
        weights[row] = static_cast<T>(static_cast<const float*>((*weights_source).data)[source]);
    }
    if (advance_iteration && block.index() + 1 == block.count() && block.rank() == 0) count_step();
  }

 private:
  /// The row of the sources at a position of the pass.
  GLIA_HD std::int64_t in_order(std::int64_t position) const {
    if (!state->feed.shuffled) return position;
    return static_cast<std::int64_t>(state->order(static_cast<std::uint64_t>(position)));
  }
  /// Where inference has fewer rows than it was prepared for: numbers that any layer takes.
  template <class Block>
  GLIA_HD void clear_row(Block& block, T* to) const {
    for (std::int64_t c = block.rank(); c < x_columns; c += block.size()) to[c] = 0;
  }
  /// By the last block, which a GPU has besides those with rows.
  GLIA_HD void count_step() const {
    const std::int64_t iteration = state->iteration + 1;
    state->iteration = iteration;
    if (steps == 1)
      powers.at(iteration, state->powers);
    else if (iteration % steps == 0)
      powers.at(iteration / steps, state->powers);
  }
};

/// The source, rows cursor.. of it or, where it was given, its first rows, = in (rows, columns).
template <class T>
struct ScatterKernel {
  const StepState* state;
  SourceAt source;
  std::int64_t given_rows;  ///< of a source that was given; else below 0
  const T* in;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const bool given = given_rows >= 0;
    T* const out = static_cast<T*>((*source).data) + (given ? 0 : state->cursor * columns);
    const auto range = block.rows(given && given_rows < rows ? given_rows : rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride)
      copy_row(block, in + row * columns, out + row * columns, columns, T(1));
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
