// Attention in one pass over the keys: scores, their softmax and what that makes of the values, a group for a few queries at a time.
// What a tile of keys adds is rescaled whenever a greater score is met (Milakov and Gimelshein 2018; Dao et al. 2022), so that no
// score needs to be kept but where the weights are wanted.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/noise.h>
#include <glia/step_state.h>  // defines: StepState
#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// (rows, heads, steps, numbers), whose numbers lie together.
template <class T>
struct HeadSteps {
  T* data;
  std::int64_t row, head, step;  ///< strides

  GLIA_HD T* at(std::int64_t r, std::int64_t h, std::int64_t s) const {
    return data + r * row + h * head + s * step;
  }
};

/// What an Attention and its gradient read, and what both make of it.
template <class T>
struct AttentionOperands {
  std::int64_t rows, heads, shared, queries, keys, width, value_width;
  HeadSteps<const T> q, k, v;
  const T* mask;  ///< or null
  std::int64_t mask_strides[4];
  T* weights;  ///< or null
  T scale;
  bool causal, lowers, drops;
  DropoutNoise dropout;
  std::uint64_t seed;
  const StepState* state;

  /// The keys that this query has to look at: the first so many.
  GLIA_HD std::int64_t keys_of(std::int64_t query) const {
    return causal && query + 1 < keys ? query + 1 : keys;
  }
  GLIA_HD std::int64_t place(std::int64_t row, std::int64_t head, std::int64_t query) const {
    return ((row * heads + head) * queries + query) * keys;
  }
  /// What the mask says of a key, where there is one.
  GLIA_HD T seen(std::int64_t row, std::int64_t head, std::int64_t query, std::int64_t key) const {
    return mask[row * mask_strides[0] + head * mask_strides[1] + query * mask_strides[2] +
                key * mask_strides[3]];
  }
  /// A score after its mask; and its gradient after that.
  GLIA_HD T masked(T score, T seen) const {
    constexpr T much = static_cast<T>(1e9);  // as in Keras
    if (lowers) return score + (much * seen - much);
    return seen > T(0.5) ? score : -much;
  }
  GLIA_HD T masked_gradient(T gradient, T seen) const { return lowers || seen > T(0.5) ? gradient : T(0); }
  GLIA_HD Philox draws() const {
    return {seed, Purpose::dropout, static_cast<std::uint64_t>(state->iteration)};
  }
  /// What dropout leaves of the weight at `place`, or of its gradient.
  GLIA_HD T kept(T x, std::int64_t place) const {
    if (!drops) return x;
    const PhiloxBlock four = draws().block(static_cast<std::uint64_t>(place) / 4);
    const std::uint32_t first = place % 2 == 0 ? four.word[0] : four.word[1],  // registers cannot be indexed
        second = place % 2 == 0 ? four.word[2] : four.word[3], word = place % 4 < 2 ? first : second;
    return dropout.forward(x, &word);
  }
};

/// A group's queries, or keys, at a time: what is read of the others serves all of them.
constexpr int steps_at_once = 4;
/// Numbers of a step that a lane has at a time: `lanes` apart.
template <class Block>
constexpr int numbers_at_once = Block::tile == 1 ? 4 : 16;

/// Some neighbouring steps of a head of a row.
struct StepPiece {
  std::int64_t row, head, step;
  int count;
};
/// Those of this group, of `steps` in each of so many heads: f(piece).
template <class Block, class F>
GLIA_HD void each_piece(Block& block, std::int64_t rows, std::int64_t heads, std::int64_t steps, const F& f) {
  const std::int64_t pieces = (steps + steps_at_once - 1) / steps_at_once;
  const auto range = block.group_rows(rows * heads * pieces);
  for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
    const std::int64_t head = i / pieces, step = i % pieces * steps_at_once, left = steps - step;
    f(StepPiece{head / heads, head % heads, step,
                static_cast<int>(left < steps_at_once ? left : steps_at_once)});
  }
}

/// products[i] = the i-th of up to steps_at_once rows of a, `step` apart, times b; of the rows that are not there, the last's.
template <class T>
GLIA_HD void dot_steps(const T* a, std::int64_t step, int count, const T* b, std::int64_t n,
                       T (&products)[steps_at_once]) {
  std::int64_t at[steps_at_once];
  GLIA_UNROLL
  for (int i = 0; i < steps_at_once; ++i) products[i] = 0, at[i] = (i < count ? i : count - 1) * step;
  for (std::int64_t c = 0; c < n; ++c) {
    const T x = b[c];
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) products[i] += a[at[i] + c] * x;
  }
}

/// sums[i][j] += the shares[i] of every lane times its step's numbers: those from `first` on of `count` steps, `step` apart.
template <class T, class Block, int numbers>
GLIA_HD void add_shares(Block& block, const T (&shares)[steps_at_once], const T* steps, std::int64_t step,
                        std::int64_t count, std::int64_t first, std::int64_t width,
                        T (&sums)[steps_at_once][numbers]) {
  const std::int64_t lanes = block.lanes(), mine = first + block.lane();
  for (std::int64_t lane = 0; lane < lanes && lane < count; ++lane) {
    T share[steps_at_once];
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) share[i] = block.group_get(shares[i], lane);
    const T* const from = steps + lane * step;
    GLIA_UNROLL
    for (int j = 0; j < numbers; ++j) {
      const std::int64_t number = mine + j * lanes;
      const T x = number < width ? from[number] : T(0);
      GLIA_UNROLL
      for (int i = 0; i < steps_at_once; ++i) sums[i][j] += share[i] * x;
    }
  }
}

/// f(i, number, the sum) for those of a lane's sums that are there.
template <class T, class Block, int numbers, class F>
GLIA_HD void each_sum(Block& block, int count, std::int64_t first, std::int64_t width,
                      const T (&sums)[steps_at_once][numbers], const F& f) {
  GLIA_UNROLL
  for (int i = 0; i < steps_at_once; ++i) {
    GLIA_UNROLL
    for (int j = 0; j < numbers; ++j) {
      const std::int64_t number = first + block.lane() + j * block.lanes();
      if (i < count && number < width) f(i, number, sums[i][j]);
    }
  }
}

template <class T>
struct AttentionKernel {
  AttentionOperands<T> on;
  HeadSteps<T> out;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int numbers = numbers_at_once<Block>;
    each_piece(block, on.rows, on.heads, on.queries, [&](const StepPiece& piece) {
      for (std::int64_t first = 0; first < on.value_width; first += numbers * block.lanes())
        attend<numbers>(block, piece, first);
    });
  }

 private:
  /// What is known of a query's softmax so far.
  struct Softmax {
    T greatest = -HUGE_VALF;
    double sum = 0;
    /// -Inf has no weight beside anything else.
    GLIA_HD T shift() const { return greatest == T(-HUGE_VALF) ? T(0) : greatest; }
  };

  /// The numbers from `first` on of the piece's values.
  template <int numbers, class Block>
  GLIA_HD void attend(Block& block, const StepPiece& piece, std::int64_t first) const {
    const std::int64_t row = piece.row, head = piece.head, query = piece.step;
    const int count = piece.count;
    const std::int64_t lanes = block.lanes(), keys = on.keys_of(query + count - 1), shared = head / on.shared;
    T* const weights = first == 0 ? on.weights : nullptr;
    Softmax of[steps_at_once];
    T sums[steps_at_once][numbers] = {};
    for (std::int64_t tile = 0; tile < keys; tile += lanes) {
      const std::int64_t key = tile + block.lane();
      T score[steps_at_once];
      scores(piece, shared, key, weights, score);
      GLIA_UNROLL
      for (int i = 0; i < steps_at_once; ++i) {
        const T before = of[i].greatest;
        of[i].greatest = math::max_nan(before, block.group_max(score[i]));
        const T shrink = before == T(-HUGE_VALF) ? T(0) : math::exp_below_0(before - of[i].shift());
        const T power = math::exp_below_0(score[i] - of[i].shift());
        of[i].sum = of[i].sum * static_cast<double>(shrink) + static_cast<double>(block.group_sum(power));
        score[i] = i < count && key < on.keys ? on.kept(power, on.place(row, head, query + i) + key) : T(0);
        GLIA_UNROLL
        for (int j = 0; j < numbers; ++j) sums[i][j] *= shrink;
      }
      add_shares(block, score, on.v.at(row, shared, tile), on.v.step, keys - tile, first, on.value_width,
                 sums);
    }
    T share[steps_at_once];
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) share[i] = static_cast<T>(1 / of[i].sum);
    each_sum(block, count, first, on.value_width, sums, [&](int i, std::int64_t number, T sum) {
      out.at(row, head, query + i)[number] = sum * share[i];
    });
    if (!weights) return;
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) {
      if (i >= count) continue;
      T* const mine = weights + on.place(row, head, query + i);
      for (std::int64_t key = block.lane(); key < on.keys; key += lanes)
        mine[key] =
            key < on.keys_of(query + i) ? math::exp_below_0(mine[key] - of[i].shift()) * share[i] : T(0);
    }
  }

  /// Of the piece's queries and a key, -Inf where that is not asked; and to the weights, where they are wanted.
  GLIA_HD void scores(const StepPiece& piece, std::int64_t shared, std::int64_t key, T* weights,
                      T (&score)[steps_at_once]) const {
    const std::int64_t row = piece.row, head = piece.head, query = piece.step;
    const int count = piece.count;
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) score[i] = -HUGE_VALF;
    if (key >= on.keys) return;
    T products[steps_at_once];
    dot_steps(on.q.at(row, head, query), on.q.step, count, on.k.at(row, shared, key), on.width, products);
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) {
      if (i >= count || key >= on.keys_of(query + i)) continue;
      score[i] = products[i] * on.scale;
      if (on.mask) score[i] = on.masked(score[i], on.seen(row, head, query + i, key));
      if (weights) weights[on.place(row, head, query + i) + key] = score[i];
    }
  }
};

/// Gradients of scores and queries.
template <class T>
struct AttentionScoresGradientKernel {
  AttentionOperands<T> on;
  HeadSteps<const T> out_gradient;  ///< whose data may be null
  const T* weights_gradient;        ///< or null
  T* scores_gradient;
  HeadSteps<T> queries_gradient;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int numbers = numbers_at_once<Block>;
    each_piece(block, on.rows, on.heads, on.queries, [&](const StepPiece& piece) {
      of_scores(block, piece);
      for (std::int64_t first = 0; first < on.width; first += numbers * block.lanes())
        of_queries<numbers>(block, piece, first);
    });
  }

 private:
  /// A lane has the same keys here as in of_queries(), and so reads what it wrote.
  template <class Block>
  GLIA_HD void of_scores(Block& block, const StepPiece& piece) const {
    const std::int64_t row = piece.row, head = piece.head, query = piece.step;
    const int count = piece.count;
    const std::int64_t lanes = block.lanes(), keys = on.keys_of(query + count - 1);
    double dots[steps_at_once] = {};
    for (std::int64_t key = block.lane(); key < keys; key += lanes) {
      T of_weight[steps_at_once] = {};
      if (out_gradient.data)
        dot_steps(out_gradient.at(row, head, query), out_gradient.step, count,
                  on.v.at(row, head / on.shared, key), on.value_width, of_weight);
      GLIA_UNROLL
      for (int i = 0; i < steps_at_once; ++i) {
        if (i >= count) continue;
        const std::int64_t at = on.place(row, head, query + i) + key;
        T gradient = on.kept(of_weight[i], at);
        if (weights_gradient) gradient += weights_gradient[at];
        dots[i] += static_cast<double>(on.weights[at] * gradient);
        scores_gradient[at] = gradient;
      }
    }
    GLIA_UNROLL
    for (int i = 0; i < steps_at_once; ++i) {
      const T dot = static_cast<T>(block.group_sum(dots[i]));
      if (i >= count) continue;
      for (std::int64_t key = block.lane(); key < on.keys; key += lanes) {
        const std::int64_t at = on.place(row, head, query + i) + key;
        T gradient = 0;
        if (key < on.keys_of(query + i)) gradient = on.weights[at] * (scores_gradient[at] - dot) * on.scale;
        if (on.mask) gradient = on.masked_gradient(gradient, on.seen(row, head, query + i, key));
        scores_gradient[at] = gradient;
      }
    }
  }

  template <int numbers, class Block>
  GLIA_HD void of_queries(Block& block, const StepPiece& piece, std::int64_t first) const {
    const std::int64_t row = piece.row, head = piece.head, query = piece.step;
    const int count = piece.count;
    const std::int64_t keys = on.keys_of(query + count - 1), shared = head / on.shared;
    T sums[steps_at_once][numbers] = {};
    for (std::int64_t tile = 0; tile < keys; tile += block.lanes()) {
      const std::int64_t key = tile + block.lane();
      T shares[steps_at_once];
      GLIA_UNROLL
      for (int i = 0; i < steps_at_once; ++i)
        shares[i] = i < count && key < keys ? scores_gradient[on.place(row, head, query + i) + key] : T(0);
      add_shares(block, shares, on.k.at(row, shared, tile), on.k.step, keys - tile, first, on.width, sums);
    }
    each_sum(block, count, first, on.width, sums, [&](int i, std::int64_t number, T sum) {
      queries_gradient.at(row, head, query + i)[number] = sum;
    });
  }
};

/// Gradients of keys and values, of what the kernel above has made of the scores.
template <class T>
struct AttentionKeysGradientKernel {
  AttentionOperands<T> on;
  HeadSteps<const T> out_gradient;
  const T* scores_gradient;
  HeadSteps<T> keys_gradient, values_gradient;  ///< the latter's data may be null

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int numbers = numbers_at_once<Block>;
    each_piece(block, on.rows, on.heads / on.shared, on.keys, [&](const StepPiece& piece) {
      for (std::int64_t first = 0; first < on.width; first += numbers * block.lanes())
        gather<numbers>(block, piece, first, on.width, scores_gradient, on.q, keys_gradient, false);
      for (std::int64_t first = 0; values_gradient.data && first < on.value_width;
           first += numbers * block.lanes())
        gather<numbers>(block, piece, first, on.value_width, static_cast<const T*>(on.weights), out_gradient,
                        values_gradient, on.drops);
    });
  }

 private:
  /// to = over all queries that share these keys, what a table (rows, heads, queries, keys) has of both times the query's numbers.
  template <int numbers, class Block>
  GLIA_HD void gather(Block& block, const StepPiece& piece, std::int64_t first, std::int64_t width,
                      const T* table, const HeadSteps<const T>& from, const HeadSteps<T>& to,
                      bool drops) const {
    const std::int64_t row = piece.row, head = piece.head, key = piece.step;
    const int count = piece.count;
    const std::int64_t lanes = block.lanes(), begin = on.causal ? key / lanes * lanes : 0;
    T sums[steps_at_once][numbers] = {};
    for (std::int64_t sharing = head * on.shared; sharing < (head + 1) * on.shared; ++sharing)
      for (std::int64_t tile = begin; tile < on.queries; tile += lanes) {
        const std::int64_t query = tile + block.lane();
        T shares[steps_at_once];
        GLIA_UNROLL
        for (int i = 0; i < steps_at_once; ++i) {
          shares[i] = 0;
          if (i >= count || query >= on.queries) continue;
          const std::int64_t at = on.place(row, sharing, query) + key + i;
          shares[i] = drops ? on.kept(table[at], at) : table[at];
        }
        add_shares(block, shares, from.at(row, sharing, tile), from.step, on.queries - tile, first, width,
                   sums);
      }
    each_sum(block, count, first, width, sums,
             [&](int i, std::int64_t number, T sum) { to.at(row, head, key + i)[number] = sum; });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
