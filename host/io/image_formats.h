// Decoders of images, each of a file that lies in memory: uint8 (height, width, channels), channels as the file has
// them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace glia::io {

/// Glia's limit.
inline constexpr std::uint64_t max_pixels = std::uint64_t{1} << 28;

/// Throws FileError for an image without pixels, or with more than max_pixels.
void check_pixels(const std::string& path, std::uint64_t height, std::uint64_t width);

bool is_png(std::string_view file);
/// 1 to 4 channels. Throws FileError, which begins with `path`; OutOfMemoryError.
Tensor decode_png(const std::string& path, std::string_view file);

/// P2, P3, P5 and P6.
bool is_pnm(std::string_view file);
/// 1 or 3 channels. Throws FileError, which begins with `path`; OutOfMemoryError.
Tensor decode_pnm(const std::string& path, std::string_view file);

}  // namespace glia::io
