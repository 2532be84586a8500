// Batch normalisation (Ioffe and Szegedy 2015) of the columns of a matrix (rows, columns), which may be the pixels and
// channels of images. Sums over the rows are made of chunks of them, and what the chunks found is folded, both by patches
// (kernels/patches.h): there are chunks for every processor, and no sum depends on how many blocks a launch has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>  // defines: op::chunk_rows
#include <kernels/patches.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// A matrix's rows in chunks.
template <class T>
Patches<T> in_chunks(std::int64_t rows, std::int64_t columns, bool packed) {
  return {rows, columns, op::chunk_rows, packed};
}
/// By what sums of each of the chunks are folded: a row is a chunk's.
template <class T>
Patches<T> chunks_as_rows(const Patches<T>& chunks, bool packed) {
  return {chunks.pieces(), chunks.columns(), chunks.pieces(), packed};
}

/// What is loaded of a row, and whether the row counts.
template <class A>
struct Row {
  A values;
  bool counts;
};
template <class A>
Row(A, bool) -> Row<A>;

/// Which rows count: all, or where there is a mask (rows,) those where it is not 0.
template <class T, bool masked>
struct CountedRows {
  const T* mask;
  GLIA_HD bool counts(std::int64_t row) const {
    if constexpr (masked)
      return mask[row] != T(0);
    else
      return true;
  }
};

/// partials (chunks, 3, columns): the mean of each chunk's rows, the sum of their squared distances from it, and what
/// rounding left of the mean: where columns lie far from 0 beside how far they spread, that is as large as what is to be
/// found. The mean is taken twice, of the rows and of what the first leaves. Masked, (chunks, 4, columns): all that of the
/// rows that count, and how many do.
template <class T, bool masked>
struct MomentsKernel {
  Patches<T> chunks;
  CountedRows<T, masked> counted;
  const T* x;
  T* partials;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.template each_piece<Block::tile, masked>(
        block, [&](const auto& strip, const Place& place) { find(block, strip, place); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void find(Block& block, const Strip& strip, const Place& place) const {
    constexpr int most = Strip::most, terms = masked ? 2 : 1;
    const std::int64_t columns = chunks.columns();
    const double rows = static_cast<double>(chunks.rows_of(place.piece));
    const T* const in = x + place.column;
    const auto load = [&](std::int64_t row) {
      return Row{strip.load(in + row * columns), counted.counts(row)};
    };
    double about[terms * most], sums[2 * most];
    sum_rows<T, terms>(block, strip, place, about, load, [](auto& leaf, const auto& v, auto j) {
      leaf[0][j] += v.counts ? v.values[j] : T(0);
      if constexpr (masked) leaf[1][j] += v.counts ? T(1) : T(0);
    });
    // A chunk of which nothing counts has a mean of 0.
    const auto divisor = [&](auto j) {
      if constexpr (masked)
        return about[most + j] > 0 ? about[most + j] : 1.0;
      else
        return rows;
    };
    T mean[most];
    strip.for_each([&](auto j) { mean[j] = static_cast<T>(about[j] / divisor(j)); });
    sum_rows<T, 2>(block, strip, place, sums, load, [&](auto& leaf, const auto& v, auto j) {
      const T d = v.counts ? v.values[j] - mean[j] : T(0);
      leaf[0][j] += d;
      leaf[1][j] += d * d;
    });
    if (!place.writes()) return;
    T* const out = partials + place.piece * (masked ? 4 : 3) * columns + place.column;
    T rest[most];
    strip.for_each([&](auto j) {
      const double by = sums[j] / divisor(j), first = static_cast<double>(mean[j]);
      mean[j] = static_cast<T>(first + by);
      rest[j] = static_cast<T>((first - static_cast<double>(mean[j])) + by);
      sums[most + j] -= by * sums[j];
    });
    strip.store(out, [&](auto j) { return mean[j]; });
    strip.store(out + columns,
                [&](auto j) { return sums[most + j] < 0 ? T(0) : static_cast<T>(sums[most + j]); });
    strip.store(out + 2 * columns, [&](auto j) { return rest[j]; });
    if constexpr (masked)
      strip.store(out + 3 * columns, [&](auto j) { return static_cast<T>(about[most + j]); });
  }
};

/// saved (3, columns): the mean of all rows, 1 / sqrt(variance + epsilon), and the rest of the mean. moving_mean and
/// moving_variance go to mean and variance by 1 - momentum where `moves`. All in float64: the mean is the first chunk's and
/// the others' mean distance from that; the squares of a chunk about the mean of all are those about its own, and what lies
/// between the two. Masked, sums are divided as Keras divides them, by how many rows count and 1e-7, in T, which shows where
/// none or one does; saved (4, columns) has 1 by that, too.
template <class T, bool masked>
struct BatchStatisticsKernel {
  Patches<T> chunks, parts;
  const T* partials;
  T* saved;
  T* moving_mean;
  T* moving_variance;
  T momentum, epsilon;
  bool moves;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    parts.template each_piece<Block::tile, masked>(
        block, [&](const auto& strip, const Place& place) { fold(block, strip, place); });
  }

 private:
  /// A chunk's mean in two parts, its squares, and rows, or those that count.
  template <class A>
  struct Part {
    A mean, rest, squares, counted;
    double rows;
    GLIA_HD double rows_at(std::int64_t j) const {
      if constexpr (masked)
        return static_cast<double>(counted[static_cast<int>(j)]);
      else
        return rows;
    }
    GLIA_HD double mean_at(std::int64_t j) const {
      return static_cast<double>(mean[static_cast<int>(j)]) + static_cast<double>(rest[static_cast<int>(j)]);
    }
    GLIA_HD double squares_at(std::int64_t j) const {
      return static_cast<double>(squares[static_cast<int>(j)]);
    }
  };

  template <class Block, class Strip>
  GLIA_HD void fold(Block& block, const Strip& strip, const Place& place) const {
    constexpr int most = Strip::most, terms = masked ? 2 : 1;
    const std::int64_t columns = chunks.columns();
    const auto load = [&](std::int64_t chunk) {
      const T* const at = partials + chunk * (masked ? 4 : 3) * columns + place.column;
      return Part<decltype(strip.load(at))>{
          strip.load(at), strip.load(at + 2 * columns), strip.load(at + columns),
          strip.load(masked ? at + 3 * columns : at), static_cast<double>(chunks.rows_of(chunk))};
    };
    const auto first = load(0);
    double sums[terms * most], mean[most], variance[most];
    sum_rows<double, terms, 4>(block, strip, place, sums, load, [&](auto& leaf, const auto& part, auto j) {
      leaf[0][j] += part.rows_at(j) * (part.mean_at(j) - first.mean_at(j));
      if constexpr (masked) leaf[1][j] += part.rows_at(j);
    });
    const auto divisor = [&](auto j) {
      if constexpr (masked)
        return static_cast<double>(static_cast<T>(sums[most + j]) + T(1e-7));
      else
        return static_cast<double>(chunks.rows());
    };
    strip.for_each([&](auto j) {
      if constexpr (masked)
        mean[j] = (first.mean_at(j) * sums[most + j] + sums[j]) / divisor(j);
      else
        mean[j] = first.mean_at(j) + sums[j] / divisor(j);
    });
    sum_rows<double, 1, 4>(block, strip, place, variance, load, [&](auto& leaf, const auto& part, auto j) {
      const double away = part.mean_at(j) - mean[j];
      leaf[0][j] += part.squares_at(j) + part.rows_at(j) * away * away;
    });
    strip.for_each([&](auto j) { variance[j] /= divisor(j); });
    if (!place.writes()) return;
    write(strip, place.column, mean, variance);
    if constexpr (masked)
      strip.store(saved + 3 * columns + place.column, [&](auto j) { return static_cast<T>(1 / divisor(j)); });
  }

  template <class Strip>
  GLIA_HD void write(const Strip& strip, std::int64_t column, const double (&mean)[Strip::most],
                     const double (&variance)[Strip::most]) const {
    const std::int64_t columns = chunks.columns();
    T* const to = saved + column;
    strip.store(to, [&](auto j) { return static_cast<T>(mean[j]); });
    strip.store(to + columns,
                [&](auto j) { return T(1) / math::sqrt(static_cast<T>(variance[j]) + epsilon); });
    strip.store(to + 2 * columns, [&](auto j) {
      return static_cast<T>(mean[j] - static_cast<double>(static_cast<T>(mean[j])));
    });
    if (!moves) return;
    const auto old_mean = strip.load(moving_mean + column);
    const auto old_variance = strip.load(moving_variance + column);
    strip.store(moving_mean + column,
                [&](auto j) { return old_mean[j] * momentum + static_cast<T>(mean[j]) * (T(1) - momentum); });
    strip.store(moving_variance + column, [&](auto j) {
      return old_variance[j] * momentum + static_cast<T>(variance[j]) * (T(1) - momentum);
    });
  }
};

/// y = (x - mean) / deviation * gamma + beta; gamma, beta (columns,) or null. By `saved` as BatchStatisticsKernel wrote
/// it; where it is null by the moving mean and variance.
template <class T>
struct BatchNormKernel {
  Patches<T> chunks;
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
    chunks.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { normalize(strip, place); });
  }

 private:
  template <class Strip>
  GLIA_HD void normalize(const Strip& strip, const Place& place) const {
    const std::int64_t columns = chunks.columns(), column = place.column;
    const T least = floor;
    const T* const means =
        (saved ? saved : moving_mean) + column;  // and what stands for operands that are not there
    const auto m = strip.load(means),
               inverse = strip.load((saved ? saved + columns : moving_variance) + column);
    const auto rest = strip.load(saved ? means + 2 * columns : means);
    const auto g = strip.load(gamma ? gamma + column : means), b = strip.load(beta ? beta + column : means);
    T mean[Strip::most], scale[Strip::most], shift[Strip::most];
    strip.for_each([&](auto j) {
      mean[j] = m[j];
      scale[j] = (saved ? inverse[j] : T(1) / math::sqrt(inverse[j] + epsilon)) * (gamma ? g[j] : T(1));
      shift[j] = (beta ? b[j] : T(0)) - (saved ? rest[j] * scale[j] : T(0));
    });
    each_row(
        strip, place, [&](std::int64_t row) { return strip.load(x + row * columns + column); },
        [&](std::int64_t row, const auto& in) {
          strip.store(y + row * columns + column, [&](auto j) {
            const T out = (in[j] - mean[j]) * scale[j] + shift[j];
            return out < least ? least : out;  // a NaN stays
          });
        });
  }
};

/// Where sums of dy and of dy x_hat go: of each chunk into partials (chunks, 2, columns); and of all chunks, once they are added,
/// or there is but one, as dbeta and dgamma (=), each null where not wanted.
template <class T>
struct ChunkSums {
  Patches<T> chunks;
  T* partials;
  T* dgamma;
  T* dbeta;

  template <class Strip, class Sum, class Dot>
  GLIA_HD void store(const Strip& strip, const Place& place, const Sum& sum, const Dot& dot) const {
    T* const to = partials + place.piece * 2 * chunks.columns() + place.column;
    strip.store(to, sum), strip.store(to + chunks.columns(), dot);
    if (chunks.pieces() > 1) return;
    if (dbeta) strip.store(dbeta + place.column, sum);
    if (dgamma) strip.store(dgamma + place.column, dot);
  }
};

/// Of each chunk's rows the sums of dy, and of dy x_hat.
template <class T>
struct BatchNormSumsKernel {
  ChunkSums<T> to;
  const T* x;
  const T* dy;
  const T* saved;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    to.chunks.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { sum(block, strip, place); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void sum(Block& block, const Strip& strip, const Place& place) const {
    constexpr int most = Strip::most;
    const std::int64_t columns = to.chunks.columns(), column = place.column;
    const auto m = strip.load(saved + column);
    T mean[most];
    strip.for_each([&](auto j) { mean[j] = m[j]; });
    double sums[2 * most];
    sum_rows<T, 2>(
        block, strip, place, sums,
        [&](std::int64_t row) {
          const std::int64_t i = row * columns + column;
          return Both{strip.load(dy + i), strip.load(x + i)};
        },
        [&](auto& leaf, const auto& v, auto j) {
          leaf[0][j] += v.first[j];
          leaf[1][j] += v.first[j] * (v.second[j] - mean[j]);
        });
    if (!place.writes()) return;
    const auto inverse = strip.load(saved + columns + column),
               rest = strip.load(saved + 2 * columns + column);
    to.store(
        strip, place, [&](auto j) { return static_cast<T>(sums[j]); },
        [&](auto j) {
          return (static_cast<T>(sums[most + j]) - rest[j] * static_cast<T>(sums[j])) * inverse[j];
        });
  }
};

/// Adds the sums of several chunks, into the first one's place too.
template <class T>
struct ChunkTotalsKernel {
  ChunkSums<T> sums;  ///< its chunks as one piece, of a row each

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    sums.chunks.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { fold(block, strip, place); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void fold(Block& block, const Strip& strip, const Place& place) const {
    constexpr int most = Strip::most;
    const std::int64_t columns = sums.chunks.columns();
    double totals[2 * most];
    sum_rows<double, 2, 4>(
        block, strip, place, totals,
        [&](std::int64_t chunk) {
          const T* const at = sums.partials + chunk * 2 * columns + place.column;
          return Both{strip.load(at), strip.load(at + columns)};
        },
        [](auto& leaf, const auto& v, auto j) {
          leaf[0][j] += static_cast<double>(v.first[j]);
          leaf[1][j] += static_cast<double>(v.second[j]);
        });
    if (place.writes())
      sums.store(
          strip, place, [&](auto j) { return static_cast<T>(totals[j]); },
          [&](auto j) { return static_cast<T>(totals[most + j]); });
  }
};

/// dx = gamma / deviation * (dy - mean(dy) - x_hat mean(dy x_hat)), the sums in `sums` (2, columns). Masked, these are sums over all
/// rows, since all are normalised, divided by the n that mean and variance were; the mean's part is of rows that count, as
/// others have no say in it. And the variance has a slope by a mean that is not quite that of what counts:
///
///     dx = gamma / deviation * (dy - w (sum(dy) + (x_hat - 1e-7 mean / (n deviation)) sum(dy x_hat)) / n)
template <class T, bool masked>
struct BatchNormGradientKernel {
  Patches<T> chunks;
  CountedRows<T, masked> counted;
  const T* x;
  const T* dy;
  const T* gamma;
  const T* saved;
  const T* sums;
  T* dx;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    chunks.template each_piece<Block::tile, masked>(
        block, [&](const auto& strip, const Place& place) { spread(strip, place); });
  }

 private:
  template <class Strip>
  GLIA_HD void spread(const Strip& strip, const Place& place) const {
    const std::int64_t columns = chunks.columns(), column = place.column;
    const T of_rows = T(1) / static_cast<T>(chunks.rows());
    const auto shares = strip.load((masked ? saved + 3 * columns : saved) + column);
    const auto m = strip.load(saved + column), inverse = strip.load(saved + columns + column);
    const auto rest = strip.load(saved + 2 * columns + column);
    const auto g = strip.load((gamma ? gamma : saved) + column);
    const auto of_dy = strip.load(sums + column), of_dot = strip.load(sums + columns + column);
    T mean[Strip::most], scale[Strip::most], sum[Strip::most], dot[Strip::most];
    strip.for_each([&](auto j) {
      mean[j] = m[j];
      scale[j] = inverse[j] * (gamma ? g[j] : T(1));
      const T share = masked ? shares[j] : of_rows;
      dot[j] = of_dot[j] * share * inverse[j];
      sum[j] = of_dy[j] * share - rest[j] * dot[j];
      if constexpr (masked) sum[j] -= T(1e-7) * share * mean[j] * dot[j];
    });
    each_row(
        strip, place,
        [&](std::int64_t row) {
          const std::int64_t i = row * columns + column;
          return Row{Both{strip.load(dy + i), strip.load(x + i)}, counted.counts(row)};
        },
        [&](std::int64_t row, const auto& v) {
          const auto& gradient = v.values.first;
          const auto& in = v.values.second;
          strip.store(dx + row * columns + column, [&](auto j) {
            return scale[j] * (v.counts ? gradient[j] - sum[j] - (in[j] - mean[j]) * dot[j] : gradient[j]);
          });
        });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
