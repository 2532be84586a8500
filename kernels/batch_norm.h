// Batch normalisation (Ioffe and Szegedy 2015) of the columns of a matrix (rows, columns), which may be the pixels and
// channels of images. Sums over the rows are made of chunks of them: a thread goes down a chunk with neighbouring
// columns beside its neighbours', which is how memory wants to be read, and there are chunks for every processor. What
// the chunks found is merged in their order, so that no sum depends on the launch.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>  // defines: op::chunk_rows
#include <kernels/sum.h>       // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

/// A matrix's rows in chunks.
struct Chunks {
  std::int64_t rows, columns;

  GLIA_HD std::int64_t count() const { return op::chunks_of(rows); }
  GLIA_HD std::int64_t first(std::int64_t chunk) const { return chunk * op::chunk_rows; }
  GLIA_HD std::int64_t rows_of(std::int64_t chunk) const {
    const std::int64_t left = rows - first(chunk);
    return left < op::chunk_rows ? left : op::chunk_rows;
  }

  /// Calls f(chunk, first column, width) for each chunk of the block, and of its columns those of the thread.
  template <class Block, class F>
  GLIA_HD void for_each_tile(Block& block, const F& f) const {
    constexpr int tile = Block::tile;
    const auto range = block.rows(count());
    for (std::int64_t chunk = range.begin; chunk < range.end; chunk += range.stride)
      for (std::int64_t c = block.rank() * tile; c < columns; c += block.size() * tile)
        f(chunk, c, static_cast<int>(columns - c < tile ? columns - c : tile));
  }
};

/// partials (chunks, 3, columns): the mean of each chunk's rows, the sum of their squared distances from it, and what
/// rounding left of the mean: where columns lie far from 0 beside how far they spread, that is as large as what is to be
/// found. The mean is taken twice, of the rows and of what the first leaves.
template <class T>
struct MomentsKernel {
  Chunks chunks;
  const T* x;
  T* partials;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.for_each_tile(block, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const MomentsKernel& k;

    GLIA_HD void operator()(std::int64_t chunk, std::int64_t first, int width) const {
      const std::int64_t columns = k.chunks.columns, rows = k.chunks.rows_of(chunk);
      const T* const in = k.x + k.chunks.first(chunk) * columns + first;
      T mean[tile] = {}, residuals[tile] = {};
      Sums<T, tile> squares(width);
      for (std::int64_t row = 0; row < rows; ++row)
        for (int j = 0; j < width; ++j) mean[j] += in[row * columns + j];
      for (int j = 0; j < width; ++j) mean[j] /= static_cast<T>(rows);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (int j = 0; j < width; ++j) {
          const T d = in[row * columns + j] - mean[j];
          residuals[j] += d;
          squares[j] += d * d;
        }
        squares.next(width);
      }
      T* const out = k.partials + chunk * 3 * columns + first;
      for (int j = 0; j < width; ++j) {
        const T by = residuals[j] / static_cast<T>(rows), about = squares.total(j) - by * residuals[j];
        out[j] = mean[j] + by;
        out[columns + j] = about < T(0) ? T(0) : about;
        out[2 * columns + j] = (mean[j] - out[j]) + by;
      }
    }
  };
};

/// saved (3, columns): the mean of all rows, 1 / sqrt(variance + epsilon), and the rest of the mean. moving_mean and
/// moving_variance go to mean and variance by 1 - momentum where `moves`. Merging as in Chan et al. 1979, in float64.
template <class T>
struct BatchStatisticsKernel {
  Chunks chunks;
  const T* partials;
  T* saved;
  T* moving_mean;
  T* moving_variance;
  T momentum, epsilon;
  bool moves;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t columns = chunks.columns;
    const auto range = block.elements(columns);
    for (std::int64_t c = range.begin; c < range.end; c += range.stride) {
      double mean = exact(partials[c], partials[2 * columns + c]);
      double squares = static_cast<double>(partials[columns + c]),
             seen = static_cast<double>(chunks.rows_of(0));
      for (std::int64_t chunk = 1; chunk < chunks.count(); ++chunk) {
        const T* const part = partials + chunk * 3 * columns + c;
        const double more = static_cast<double>(chunks.rows_of(chunk)), all = seen + more;
        const double away = exact(part[0], part[2 * columns]) - mean;
        mean += away * (more / all);
        squares += static_cast<double>(part[columns]) + away * away * (seen * more / all);
        seen = all;
      }
      const T variance = static_cast<T>(squares / seen);
      saved[c] = static_cast<T>(mean), saved[columns + c] = T(1) / math::sqrt(variance + epsilon);
      saved[2 * columns + c] = static_cast<T>(mean - static_cast<double>(saved[c]));
      if (!moves) continue;
      moving_mean[c] = moving_mean[c] * momentum + saved[c] * (T(1) - momentum);
      moving_variance[c] = moving_variance[c] * momentum + variance * (T(1) - momentum);
    }
  }

 private:
  GLIA_HD static double exact(T mean, T rest) {
    return static_cast<double>(mean) + static_cast<double>(rest);
  }
};

/// y = (x - mean) / deviation * gamma + beta; gamma, beta (columns,) or null. By `saved` as BatchStatisticsKernel wrote
/// it; where it is null by the moving mean and variance.
template <class T>
struct BatchNormKernel {
  Chunks chunks;
  const T* x;
  const T* gamma;
  const T* beta;
  const T* saved;
  const T* moving_mean;
  const T* moving_variance;
  T* y;
  T epsilon;
  T floor;  ///< the least that y may be

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.for_each_tile(block, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const BatchNormKernel& k;

    GLIA_HD void operator()(std::int64_t chunk, std::int64_t first, int width) const {
      const std::int64_t columns = k.chunks.columns, rows = k.chunks.rows_of(chunk);
      const T floor = k.floor;
      T mean[tile] = {}, scale[tile] = {}, shift[tile] = {};
      for (int j = 0; j < width; ++j) {
        const std::int64_t c = first + j;
        mean[j] = k.saved ? k.saved[c] : k.moving_mean[c];
        scale[j] = (k.saved ? k.saved[columns + c] : T(1) / math::sqrt(k.moving_variance[c] + k.epsilon)) *
                   (k.gamma ? k.gamma[c] : T(1));
        shift[j] = (k.beta ? k.beta[c] : T(0)) - (k.saved ? k.saved[2 * columns + c] * scale[j] : T(0));
      }
      const std::int64_t start = k.chunks.first(chunk) * columns + first;
      for (std::int64_t i = start; i < start + rows * columns; i += columns)
        for (int j = 0; j < width; ++j) {
          const T y = (k.x[i + j] - mean[j]) * scale[j] + shift[j];
          k.y[i + j] = y < floor ? floor : y;  // a NaN stays
        }
    }
  };
};

/// partials (chunks, 2, columns): of each chunk's rows the sums of dy, and of dy x_hat.
template <class T>
struct BatchNormSumsKernel {
  Chunks chunks;
  const T* x;
  const T* dy;
  const T* saved;
  T* partials;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.for_each_tile(block, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const BatchNormSumsKernel& k;

    GLIA_HD void operator()(std::int64_t chunk, std::int64_t first, int width) const {
      const std::int64_t columns = k.chunks.columns, rows = k.chunks.rows_of(chunk);
      const std::int64_t start = k.chunks.first(chunk) * columns + first;
      Sums<T, tile> sum(width), dot(width);
      T mean[tile] = {};
      for (int j = 0; j < width; ++j) mean[j] = k.saved[first + j];
      for (std::int64_t i = start; i < start + rows * columns; i += columns) {
        for (int j = 0; j < width; ++j) {
          sum[j] += k.dy[i + j];
          dot[j] += k.dy[i + j] * (k.x[i + j] - mean[j]);
        }
        sum.next(width), dot.next(width);
      }
      T* const out = k.partials + chunk * 2 * columns + first;
      for (int j = 0; j < width; ++j) {
        const T* const saved = k.saved + first + j;
        const T dy = sum.total(j);
        out[j] = dy, out[columns + j] = (dot.total(j) - saved[2 * columns] * dy) * saved[columns];
      }
    }
  };
};

/// Adds the chunks' sums: into the first chunk's place, and as dbeta and dgamma (=), each null where not wanted.
template <class T>
struct BatchNormWeightsKernel {
  Chunks chunks;
  T* partials;
  T* dgamma;
  T* dbeta;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t columns = chunks.columns;
    const auto range = block.elements(columns);
    for (std::int64_t c = range.begin; c < range.end; c += range.stride) {
      Sums<T> sums(1), dots(1);
      for (std::int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
        sums.add(partials[chunk * 2 * columns + c]);
        dots.add(partials[(chunk * 2 + 1) * columns + c]);
      }
      const T sum = sums.total(), dot = dots.total();
      partials[c] = sum, partials[columns + c] = dot;
      if (dbeta) dbeta[c] = sum;
      if (dgamma) dgamma[c] = dot;
    }
  }
};

/// dx = gamma / deviation * (dy - mean(dy) - x_hat mean(dy x_hat)), the sums in `sums` (2, columns).
template <class T>
struct BatchNormGradientKernel {
  Chunks chunks;
  const T* x;
  const T* dy;
  const T* gamma;
  const T* saved;
  const T* sums;
  T* dx;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.for_each_tile(block, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const BatchNormGradientKernel& k;

    GLIA_HD void operator()(std::int64_t chunk, std::int64_t first, int width) const {
      const std::int64_t columns = k.chunks.columns, rows = k.chunks.rows_of(chunk);
      const T share = T(1) / static_cast<T>(k.chunks.rows);
      T mean[tile] = {}, scale[tile] = {}, sum[tile] = {}, dot[tile] = {};
      for (int j = 0; j < width; ++j) {
        const std::int64_t c = first + j;
        const T inverse = k.saved[columns + c];
        mean[j] = k.saved[c];
        scale[j] = inverse * (k.gamma ? k.gamma[c] : T(1));
        dot[j] = k.sums[columns + c] * share * inverse;
        sum[j] = k.sums[c] * share - k.saved[2 * columns + c] * dot[j];
      }
      const std::int64_t start = k.chunks.first(chunk) * columns + first;
      for (std::int64_t i = start; i < start + rows * columns; i += columns)
        for (int j = 0; j < width; ++j)
          k.dx[i + j] = scale[j] * (k.dy[i + j] - sum[j] - (k.x[i + j] - mean[j]) * dot[j]);
    }
  };
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
