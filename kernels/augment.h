// Images changed on their way into a batch: each pixel of the output finds where it comes from, through the steps
// from the last to the first, and its numbers go through what comes after that place.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/augmentation.h>      // defines: Augmentation
#include <glia/math/activations.h>  // defines: Rescale
#include <glia/math/functions.h>    // defines: math::sqrt, max_nan
#include <glia/step_state.h>        // defines: StepState
#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// The steps for images of T, height x width x channels.
template <class T>
struct AugmentedImages {
  AugmentStep steps[Augmentation::most_steps];
  const T* mean;
  const T* variance;
  std::int32_t count, height, width, channels;

  /// One image of the batch; a block writes it as a whole.
  struct Image {
    const AugmentedImages& all;
    Drawn drawn[Augmentation::most_steps];
    bool moves_pixels;

    GLIA_HD Image(const AugmentedImages& images, std::int64_t iteration, std::int64_t row)
        : all(images), moves_pixels(false) {
      for (int s = 0; s < all.count; ++s) {
        drawn[s] = draw(all.steps[s], iteration, row, all.height, all.width);
        moves_pixels = moves_pixels || !all.steps[s].is_of_numbers();
      }
    }

    /// to = from * scale after the steps; both have `columns` elements.
    template <class Block, class From>
    GLIA_HD void operator()(Block& block, const From* from, T* to, std::int64_t columns, T scale) const {
      if (!moves_pixels) {
        for (std::int64_t e = block.rank(); e < columns; e += block.size())
          to[e] = static_cast<T>(from[e]) * scale;
        for (int s = 0; s < all.count; ++s)
          all.apply(s, to, block.rank(), columns, block.size(), block.rank() % all.channels,
                    block.size() % all.channels);
        return;
      }
      for (std::int64_t i = block.group(); i < all.height; i += block.groups())
        for (std::int64_t j = block.lane(); j < all.width; j += block.lanes())
          pixel(from, to, static_cast<std::int32_t>(i), static_cast<std::int32_t>(j), scale);
    }

   private:
    /// Pixel (i, j) of the output.
    template <class From>
    GLIA_HD void pixel(const From* from, T* to, std::int32_t i, std::int32_t j, T scale) const {
      const std::int32_t channels = all.channels;
      T* const out = to + (std::int64_t{i} * all.width + j) * channels;
      int s = all.count - 1;
      while (s >= 0 && step_back(s, i, j)) --s;
      if (s >= 0) {
        const T fill = static_cast<T>(all.steps[s].offset);
        for (std::int32_t c = 0; c < channels; ++c) out[c] = fill;
      } else {
        const From* const source = from + (std::int64_t{i} * all.width + j) * channels;
        for (std::int32_t c = 0; c < channels; ++c) out[c] = static_cast<T>(source[c]) * scale;
      }
      // In memory from step to step: a product and a difference must not become one rounded once.
      for (++s; s < all.count; ++s) all.apply(s, out, 0, channels, 1, 0, channels > 1);
    }

    /// From a pixel behind a step to where it comes from before it; false where the step puts its own number there.
    GLIA_HD bool step_back(int s, std::int32_t& i, std::int32_t& j) const {
      const AugmentStep& step = all.steps[s];
      const Drawn& d = drawn[s];
      if (step.kind == AugmentStep::flip) {
        if (d.top) i = all.height - 1 - i;
        if (d.left) j = all.width - 1 - j;
      } else if (step.kind == AugmentStep::move) {
        i = within_border(step.border, i - d.top, all.height);
        j = within_border(step.border, j - d.left, all.width);
        return i >= 0 && j >= 0;
      } else if (step.kind == AugmentStep::erase) {
        return i < d.top || i >= d.top + d.height || j < d.left || j >= d.left + d.width;
      }
      return true;
    }
  };

  GLIA_HD Image image(std::int64_t iteration, std::int64_t row) const { return {*this, iteration, row}; }

 private:
  /// Step s, if it is of numbers, in place: elements first, first + stride, ..., of which the first has channel
  /// `channel` and each the one `ahead` of the one before.
  GLIA_HD void apply(int s, T* values, std::int64_t first, std::int64_t end, std::int64_t stride,
                     std::int64_t channel, std::int64_t ahead) const {
    if (steps[s].kind == AugmentStep::rescale) {
      const Rescale function{steps[s].scale, steps[s].offset};
      for (std::int64_t e = first; e < end; e += stride) values[e] = function.forward(values[e]);
    } else if (steps[s].kind == AugmentStep::standardize) {
      for (std::int64_t e = first; e < end; e += stride) {
        const T deviation = math::max_nan(math::sqrt(variance[channel]), T(1e-7));
        values[e] = (values[e] - mean[channel]) / deviation;
        channel += ahead;
        if (channel >= channels) channel -= channels;
      }
    }
  }
};

/// out = in after the steps; `rows` images.
template <class T>
struct AugmentKernel {
  const StepState* state;
  const T* in;
  T* out;
  std::int64_t rows;
  AugmentedImages<T> images;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t columns = std::int64_t{images.height} * images.width * images.channels;
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride)
      images.image(state->iteration, row)(block, in + row * columns, out + row * columns, columns, T(1));
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
