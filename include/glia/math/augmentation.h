// What is done to images while a model trains: flips, moves, erased boxes, and what is drawn for each image. All
// draws are compared and scaled as integers, so that every device does the same to every image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>       // defines: GLIA_HD
#include <glia/math/philox.h>  // defines: Philox

#include <cstdint>
#include <variant>

namespace GLIA_API glia {

/// Left and right change places.
struct HorizontalFlip {
  static constexpr auto name = "horizontal";
  static constexpr bool rows = false, columns = true;
};
/// Top and bottom change places.
struct VerticalFlip {
  static constexpr auto name = "vertical";
  static constexpr bool rows = true, columns = false;
};
/// Each of the two, drawn apart.
struct HorizontalAndVerticalFlip {
  static constexpr auto name = "horizontal_and_vertical";
  static constexpr bool rows = true, columns = true;
};

using FlipModes = std::variant<HorizontalAndVerticalFlip, HorizontalFlip, VerticalFlip>;

/// What lies beyond the edge of an image that is moved.
enum class Border : std::uint8_t { constant, nearest, reflect, wrap };

/// d c b a | a b c d | d c b a
struct ReflectFill {
  static constexpr auto name = "reflect";
  static constexpr Border border = Border::reflect;
};
/// k k k k | a b c d | k k k k
struct ConstantFill {
  static constexpr auto name = "constant";
  static constexpr Border border = Border::constant;
};
/// a a a a | a b c d | d d d d
struct NearestFill {
  static constexpr auto name = "nearest";
  static constexpr Border border = Border::nearest;
};
/// a b c d | a b c d | a b c d
struct WrapFill {
  static constexpr auto name = "wrap";
  static constexpr Border border = Border::wrap;
};

using FillModes = std::variant<ReflectFill, ConstantFill, NearestFill, WrapFill>;

/// Images that are augmented have at most so many rows and columns: what is drawn stays within 64 bits.
inline constexpr std::int64_t most_image_side = 65535;

/// One thing done to a batch. Flips, moves and erased boxes are drawn for each image from `seed`; numbers are rescaled
/// or standardised all alike.
struct AugmentStep {
  enum Kind : std::uint8_t { flip, move, erase, rescale, standardize };
  /// Pixels that an image moves down and to the right: each number from the least to the most is as likely.
  struct Move {
    std::int32_t least_down, most_down, least_right, most_right;
  };
  /// A box of height x width whose centre is anywhere; or, height 0, one that lies within the image and whose sides
  /// are the square roots of shares from least to most, each drawn, multiples of 2^-24.
  struct Box {
    std::int32_t height, width;
    std::uint32_t least, most;
  };

  Kind kind = flip;
  Border border = Border::constant;    ///< of a move
  bool rows = false, columns = false;  ///< that a flip may turn round
  std::uint64_t seed = 0;
  std::uint64_t below = 0;  ///< a flip or a box is where a word is below it: the probability * 2^32
  union {
    Move by = {};
    Box box;
  };
  double scale = 1, offset = 0;  ///< of rescale; what a move or a box puts in is `offset`

  GLIA_HD bool is_of_numbers() const { return kind == rescale || kind == standardize; }
};

/// What a step does to one image: by how much it moves, the box, or (flips) whether rows (top) and columns (left) turn.
struct Drawn {
  std::int32_t top = 0, left = 0, height = 0, width = 0;
};

namespace math {

/// A number below n, made of a 32-bit word.
GLIA_HD std::uint32_t word_below(std::uint32_t word, std::uint32_t n) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * n) >> 32);
}

/// length * sqrt(share / 2^24), rounded: the greatest k with (k - 1/2)^2 <= length^2 share / 2^24.
GLIA_HD std::int32_t side_of_share(std::int32_t length, std::uint32_t share) {
  const auto n = static_cast<std::uint64_t>(length);
  const std::uint64_t limit = 4 * n * n * share;
  std::uint64_t low = 0, high = n;
  while (low < high) {
    const std::uint64_t k = (low + high + 1) / 2, twice = 2 * k - 1;
    if ((twice * twice) << 24 <= limit)
      low = k;
    else
      high = k - 1;
  }
  return static_cast<std::int32_t>(low);
}

/// A whole number from the least to the most, each as likely.
GLIA_HD std::int32_t whole_between(std::uint32_t word, std::int32_t least, std::int32_t most) {
  return least + static_cast<std::int32_t>(word_below(word, static_cast<std::uint32_t>(most - least + 1)));
}

}  // namespace math

/// What `step` does to image `image` of the batch of an iteration; images are height x width.
GLIA_HD Drawn draw(const AugmentStep& step, std::int64_t iteration, std::int64_t image, std::int32_t height,
                   std::int32_t width) {
  Drawn drawn;
  if (step.is_of_numbers()) return drawn;
  const Philox philox{step.seed, Purpose::augmentation, static_cast<std::uint64_t>(iteration)};
  const auto first = 2 * static_cast<std::uint64_t>(image);
  const PhiloxBlock words = philox.block(first);
  if (step.kind == AugmentStep::flip) {
    drawn.top = step.rows && words.word[0] < step.below;
    drawn.left = step.columns && words.word[1] < step.below;
  } else if (step.kind == AugmentStep::move) {
    drawn.top = math::whole_between(words.word[0], step.by.least_down, step.by.most_down);
    drawn.left = math::whole_between(words.word[1], step.by.least_right, step.by.most_right);
  } else if (words.word[0] < step.below) {
    const PhiloxBlock places = philox.block(first + 1);
    if (step.box.height > 0) {
      drawn.height = step.box.height, drawn.width = step.box.width;
      drawn.top = math::whole_between(places.word[0], 0, height - 1) - drawn.height / 2;
      drawn.left = math::whole_between(places.word[1], 0, width - 1) - drawn.width / 2;
    } else {
      const std::uint32_t shares = step.box.most - step.box.least + 1;
      drawn.height = math::side_of_share(height, step.box.least + math::word_below(words.word[1], shares));
      drawn.width = math::side_of_share(width, step.box.least + math::word_below(words.word[2], shares));
      drawn.top = math::whole_between(places.word[0], 0, height - drawn.height);
      drawn.left = math::whole_between(places.word[1], 0, width - drawn.width);
    }
  }
  return drawn;
}

/// Where in an axis of length n index i comes from that is at most n outside of it; -1 where it is a constant.
GLIA_HD std::int32_t within_border(Border border, std::int32_t i, std::int32_t n) {
  if (i >= 0 && i < n) return i;
  if (border == Border::nearest) return i < 0 ? 0 : n - 1;
  if (border == Border::reflect) return i < 0 ? -1 - i : 2 * n - 1 - i;
  if (border == Border::wrap) return i < 0 ? i + n : i - n;
  return -1;
}

}  // namespace glia
