// Small images as PNG files in memory, and as the data URIs that an SVG embeds.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glia::plots {

/// 8 bits a channel; `pixels` is (height, width, channels) with 1 channel (gray) or 3 (red, green, blue).
struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  int channels = 1;
  std::vector<std::uint8_t> pixels = {};
};

/// The bytes of a PNG file.
std::string png_of(const Picture& picture);
std::string base64(std::string_view bytes);
/// "data:image/png;base64,..."
std::string data_uri(const Picture& picture);

}  // namespace glia::plots
