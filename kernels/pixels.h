// Images as kernels go through them: pixels by their number, and windows. What is divided is divided by multiplication.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/view.h>
#include <kernels/strided.h>  // defines: WideDivider
#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

struct ImageSize {
  std::int64_t height, width, channels;

  GLIA_HD std::int64_t pixels() const { return height * width; }
};

inline ImageSize size_of_image(const View& images) {
  return {images.shape[1], images.shape[2], images.shape[3]};
}

/// Images of so many rows and columns, whose pixels are counted through.
class Pixels {
 public:
  Pixels(std::int64_t height, std::int64_t width) : height_(height), width_(width) {}

  struct Pixel {
    std::int64_t image, row, column;
  };
  GLIA_HD Pixel at(std::int64_t index) const {
    const std::int64_t line = width_.quotient(index), image = height_.quotient(line);
    return {image, line - image * height_.divisor(), index - line * width_.divisor()};
  }

 private:
  WideDivider height_, width_;
};

/// begin .. end - 1.
struct Span {
  std::int64_t begin, end;
  GLIA_HD std::int64_t length() const { return end - begin; }
};

/// use(load(row, column)) for the elements of a window, row by row; of a GPU's thread the loads of four before the first is used.
template <class Strip, class Load, class Use>
GLIA_HD void each_of_window(const Strip&, Span rows, Span columns, const Load& load, const Use& use) {
  if constexpr (Strip::is_packed) {
    constexpr int flight = 4;
    std::int64_t row = rows.begin, column = columns.begin, left = rows.length() * columns.length();
    const auto next = [&] {
      auto loaded = load(row, column);
      if (++column == columns.end) column = columns.begin, ++row;
      return loaded;
    };
    for (; left >= flight; left -= flight) {
      decltype(load(row, column)) loaded[flight];
      GLIA_UNROLL
      for (int k = 0; k < flight; ++k) loaded[k] = next();
      GLIA_UNROLL
      for (int k = 0; k < flight; ++k) use(loaded[k]);
    }
    for (; left > 0; --left) use(next());
  } else {
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
      for (std::int64_t column = columns.begin; column < columns.end; ++column) use(load(row, column));
  }
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
