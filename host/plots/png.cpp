// PNG (ISO/IEC 15948): a signature and three chunks, header, pixels deflated by zlib, end.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/png.h"

#include <glia/error.h>
#include <zlib.h>

#include <cstddef>

namespace glia::plots {
namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

const Bytef* bytes_of(const std::string& text) { return reinterpret_cast<const Bytef*>(text.data()); }

/// Length, type, data, and the checksum of type and data.
std::string chunk(const char* type, const std::string& data) {
  const std::string body = type + data;
  const auto checksum = static_cast<std::uint32_t>(::crc32_z(0, bytes_of(body), body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(checksum);
}

std::string deflated(const std::string& data) {
  uLongf size = ::compressBound(static_cast<uLong>(data.size()));
  std::string result(size, '\0');
  const int status = ::compress2(reinterpret_cast<Bytef*>(result.data()), &size, bytes_of(data),
                                 static_cast<uLong>(data.size()), Z_BEST_COMPRESSION);
  GLIA_CHECK(status == Z_OK, OutOfMemoryError, "zlib could not compress an image of ", data.size(),
             " bytes: error ", status, "; draw fewer or smaller images");
  result.resize(size);
  return result;
}

}  // namespace

std::string png_of(const Picture& picture) {
  const auto row_bytes = static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.channels);
  std::string rows;
  rows.reserve((row_bytes + 1) * picture.height);
  for (std::size_t row = 0; row < picture.height; ++row) {
    rows += '\0';  // filter type 0: bytes as they are
    rows.append(reinterpret_cast<const char*>(picture.pixels.data()) + row * row_bytes, row_bytes);
  }
  const char color_type = picture.channels == 3 ? 2 : 0;
  const std::string rest{8, color_type, 0, 0,
                         0};  // bit depth, colour, deflate, adaptive filters, not interlaced
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", big_endian(picture.width) + big_endian(picture.height) + rest) +
         chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

std::string base64(std::string_view bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = i; j < i + 3; ++j)
      group = group << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j > bytes.size() ? '=' : digits[group >> (18 - 6 * j) & 63];
  }
  return text;
}

std::string data_uri(const Picture& picture) { return "data:image/png;base64," + base64(png_of(picture)); }

}  // namespace glia::plots
