// What goes with an update of the parameters: penalties on weights, gradient accumulation and clipping,
// averages, constraints, and the parts of Muon that are no product.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/step_state.h>          // defines: StepState
#include <glia/update_descriptors.h>  // defines: op::summed_elements
#include <kernels/patches.h>
#include <kernels/spans.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// *to = the sum of f.at(i) over this block's piece of n elements.
template <class Block, class F>
GLIA_HD void sum_piece(Block& block, std::int64_t n, double* to, const F& f) {
  const std::int64_t first = block.index() * op::summed_elements;
  const std::int64_t last = first + op::summed_elements < n ? first + op::summed_elements : n;
  double sum = 0;
  for (std::int64_t i = first + block.rank(); i < last; i += block.size()) sum += f.at(i);
  sum = block.sum(sum);
  if (block.rank() == 0) *to = sum;
}

/// gradients += l1 sign(w) + 2 l2 w (null: not wanted); partials[b] = the sum of l1 |w| + l2 w^2 of the b-th
/// piece of n weights.
template <class T>
struct PenaltyKernel {
  const T* weights;
  T* gradients;
  double* partials;
  std::int64_t n;
  double l1, l2;

  GLIA_HD double at(std::int64_t i) const {
    const T w = weights[i];
    if (gradients) gradients[i] += static_cast<T>(l1) * math::sign(w) + static_cast<T>(2 * l2) * w;
    const double wide = static_cast<double>(w);
    return l1 * math::abs(wide) + l2 * wide * wide;
  }
  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    sum_piece(block, n, partials + block.index(), *this);
  }
};

/// partials[b] = the sum of squares of the b-th piece of in (n,).
template <class T>
struct SquaresKernel {
  const T* in;
  double* partials;
  std::int64_t n;

  GLIA_HD double at(std::int64_t i) const { return static_cast<double>(in[i]) * static_cast<double>(in[i]); }
  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    sum_piece(block, n, partials + block.index(), *this);
  }
};

/// partials[b] = the sum of the b-th piece of in (n,); each of gradients (n,) = slope (null: not wanted).
template <class T>
struct SumsKernel {
  const T* in;
  T* gradients;
  double* partials;
  std::int64_t n;
  T slope;

  GLIA_HD double at(std::int64_t i) const {
    if (gradients) gradients[i] = slope;
    return static_cast<double>(in[i]);
  }
  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    sum_piece(block, n, partials + block.index(), *this);
  }
};

/// The root of the sum of partial sums; every thread must come and gets it.
template <class Block>
GLIA_HD double norm_of(Block& block, const double* partials, std::int64_t blocks) {
  double sum = 0;
  for (std::int64_t b = block.rank(); b < blocks; b += block.size()) sum += partials[b];
  return math::sqrt(block.sum(sum));
}

/// values *= limit / norm where their norm is above `limit`, in place; with `limit` 0 values /= norm + 1e-7.
template <class T>
struct RescaleToNormKernel {
  T* values;
  const double* partials;
  std::int64_t n, blocks;
  double limit;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const double norm = norm_of(block, partials, blocks);
    if (limit > 0 && norm <= limit) return;
    // A large norm's reciprocal is below the least normal float: two factors are not.
    const double whole = limit > 0 ? limit / norm : 1 / (norm + 1e-7), half = whole < 0x1p-64 ? 0x1p-64 : 1;
    const T first = static_cast<T>(half), second = static_cast<T>(whole / half);
    map_elements<T>(block, n, packed, values, values, [&](T x) { return x * first * second; });
  }
};

/// sums += gradients, but every steps-th time gradients = (sums + gradients) / steps and sums = 0.
template <class T>
struct AccumulateKernel {
  const StepState* state;
  T* gradients;
  T* sums;
  std::int64_t n, steps;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const bool updates = state->iteration % steps == 0;
    const T share = T(1) / static_cast<T>(steps);
    each_element<T>(
        block, n, packed,
        [&](const auto& strip, std::int64_t i) {
          return Both{strip.load(gradients + i), strip.load(sums + i)};
        },
        [&](const auto& strip, std::int64_t i, auto& v) {
          strip.for_each([&](auto j) {
            const T sum = v.first[j] + v.second[j];
            v.second[j] = updates ? T(0) : sum;
            if (updates) v.first[j] = sum * share;
          });
          strip.put(gradients + i, v.first), strip.put(sums + i, v.second);
        });
  }
};

/// averages = momentum averages + (1 - momentum) parameters, the first time parameters; and back into
/// parameters every overwrite_every-th update (0: never).
template <class T>
struct AverageKernel {
  const StepState* state;
  T* parameters;
  T* averages;
  std::int64_t n, steps, overwrite_every;
  double momentum;
  const WeightSpan* spans;
  std::int64_t span_count;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    // Keras counts whole updates, those before this step: its first average is that of its first update.
    const std::int64_t updates = (state->iteration - 1) / steps;
    const T keep = updates == 0 ? T(0) : static_cast<T>(momentum);
    const bool overwrites = overwrite_every > 0 && (updates + 1) % overwrite_every == 0;
    each_weight<T, 2>(
        block, n, packed, parameters, spans, span_count,
        [&](const auto& strip, T* weights, std::int64_t i) {
          return Both{strip.load(averages + i), strip.load(weights + i)};
        },
        [&](const auto& strip, T* weights, std::int64_t i, auto& v) {
          strip.for_each([&](auto j) {
            v.first[j] = keep * v.first[j] + (T(1) - keep) * v.second[j];
            if (overwrites) v.second[j] = v.first[j];
          });
          strip.put(averages + i, v.first);
          if (overwrites) strip.put(weights + i, v.second);
        });
  }
};

/// Each column of weights times constraint.scale(its norm), in place, norm and scale in float64: squares are
/// beyond float32 where weights are not.
template <class Constraint, class T>
struct ConstrainKernel {
  Constraint constraint;
  Patches<T> patches;  ///< one piece
  T* weights;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { scale(block, strip, place); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void scale(Block& block, const Strip& strip, const Place& place) const {
    T* const w = weights + place.column;
    const std::int64_t columns = patches.columns();
    const auto load = [&](std::int64_t row) { return strip.load(w + row * columns); };
    double factors[Strip::most];
    sum_rows<double, 1>(block, strip, place, factors, load, [](auto& leaf, const auto& v, auto j) {
      leaf[0][j] += static_cast<double>(v[j]) * static_cast<double>(v[j]);
    });
    strip.for_each([&](auto j) { factors[j] = constraint.scale(math::sqrt(factors[j])); });
    each_row(strip, place, load, [&](std::int64_t row, const auto& v) {
      strip.store(w + row * columns,
                  [&](auto j) { return static_cast<T>(static_cast<double>(v[j]) * factors[j]); });
    });
  }
};

/// No weight below 0.
template <class T>
struct NonNegKernel {
  T* weights;
  std::int64_t n;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    map_elements<T>(block, n, packed, weights, weights, [](T w) { return w < T(0) ? T(0) : w; });
  }
};

/// With gradients cut to +-clipvalue (0: not) momentum = mu momentum + gradients; out = gradients + mu momentum with
/// Nesterov, else momentum. In steps that update nothing out = 0: what follows computes with it all the same.
template <class T>
struct MomentumKernel {
  const StepState* state;
  const T* gradients;
  T* momentum;
  T* out;
  std::int64_t n, steps;
  double mu, clipvalue;
  bool nesterov, packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const bool updates = state->iteration % steps == 0;
    const T m = static_cast<T>(mu), limit = clipvalue > 0 ? static_cast<T>(clipvalue) : T(HUGE_VALF);
    each_element<T>(
        block, n, packed,
        [&](const auto& strip, std::int64_t i) {
          return Both{strip.load(gradients + i), strip.load(momentum + i)};
        },
        [&](const auto& strip, std::int64_t i, auto& v) {
          if (!updates) return strip.store(out + i, [](auto) { return T(0); });
          strip.for_each(
              [&](auto j) { v.second[j] = m * v.second[j] + math::clip(v.first[j], -limit, limit); });
          strip.put(momentum + i, v.second);
          strip.store(out + i, [&](auto j) {
            return nesterov ? math::clip(v.first[j], -limit, limit) + m * v.second[j] : v.second[j];
          });
        });
  }
};

/// out = alpha a + beta b, n elements; out may be either.
template <class T>
struct CombineKernel {
  const T* a;
  const T* b;
  T* out;
  std::int64_t n;
  double alpha, beta;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const T x = static_cast<T>(alpha), y = static_cast<T>(beta);
    map_pairs(block, n, packed, a, b, out, [&](T of_a, T of_b) { return x * of_a + y * of_b; });
  }
};

/// parameters = parameters (1 - decay rate) - scale rate step.
template <class T>
struct DescendKernel {
  const StepState* state;
  T* parameters;
  const T* step;
  std::int64_t n, steps;
  double scale, decay;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (state->iteration % steps != 0) return;
    const T shrink = static_cast<T>(decay * state->learning_rate);
    const T factor = static_cast<T>(scale * state->learning_rate);
    map_pairs(block, n, packed, parameters, step, parameters,
              [&](T w, T d) { return w - w * shrink - factor * d; });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
