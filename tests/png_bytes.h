// PNG images as bytes, of every colour type, depth and order of rows, for tests of who reads them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/idx_files.h"  // defines: big_endian

namespace glia::testing {

struct PngImage {
  int height = 1;
  int width = 1;
  int color_type = 0;  ///< 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  int depth = 8;
  bool interlaced = false;
  std::vector<int> samples = {};  ///< (height, width, channels)
  std::string palette = {};       ///< PLTE
  std::string transparent = {};   ///< tRNS
  std::string more = {};          ///< chunks to put in before the pixels

  int channels() const { return color_type == 2 ? 3 : color_type == 4 ? 2 : color_type == 6 ? 4 : 1; }
};

/// Length, type, data, and the checksum of type and data.
inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto checksum = ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(data.size(), 4) + body + big_endian(checksum, 4);
}

/// The samples of every `step`th pixel of a row, packed to bytes, behind the number of the filter, which is none.
inline std::string png_row(const PngImage& image, int y, int x, int step) {
  std::string row(1, '\0');
  int bits = 0, filled = 0;
  for (; x < image.width; x += step) {
    for (int c = 0; c < image.channels(); ++c) {
      const int sample =
          image.samples[static_cast<std::size_t>((y * image.width + x) * image.channels() + c)];
      bits = bits << image.depth | sample;
      for (filled += image.depth; filled >= 8; filled -= 8)
        row += static_cast<char>(bits >> (filled - 8) & 0xff);
    }
  }
  if (filled > 0) row += static_cast<char>(bits << (8 - filled) & 0xff);
  return row;
}

/// The image's rows, in Adam7's seven passes where it is interlaced.
inline std::string png_rows(const PngImage& image) {
  struct Pass {
    int x, y, dx, dy;
  };
  const std::vector<Pass> passes =
      image.interlaced ? std::vector<Pass>{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
                       : std::vector<Pass>{{0, 0, 1, 1}};
  std::string rows;
  for (const auto& [x, y, dx, dy] : passes)
    for (int row = y; row < image.height && x < image.width; row += dy) rows += png_row(image, row, x, dx);
  return rows;
}

inline std::string png_of(const PngImage& image) {
  const std::string rows = png_rows(image);
  uLongf size = ::compressBound(static_cast<uLong>(rows.size()));
  std::string deflated(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(deflated.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
             static_cast<uLong>(rows.size()));
  deflated.resize(size);
  const std::string header = big_endian(static_cast<std::uint64_t>(image.width), 4) +
                             big_endian(static_cast<std::uint64_t>(image.height), 4) +
                             static_cast<char>(image.depth) + static_cast<char>(image.color_type) +
                             std::string(2, '\0') + static_cast<char>(image.interlaced);
  std::string file = "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + image.more;
  if (!image.palette.empty()) file += png_chunk("PLTE", image.palette);
  if (!image.transparent.empty()) file += png_chunk("tRNS", image.transparent);
  return file + png_chunk("IDAT", deflated) + png_chunk("IEND", "");
}

}  // namespace glia::testing
