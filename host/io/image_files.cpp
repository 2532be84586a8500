// load_image: the file, its decoder, and the channels that are asked for.
// SPDX-License-Identifier: Apache-2.0
#include <glia/images.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "host/io/image_formats.h"  // defines: decode_png, decode_pnm
#include "host/io/input_file.h"     // defines: InputFile

namespace glia {
namespace {

/// ITU-R BT.601, in 65536ths.
std::uint8_t grey_of(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

Tensor with_channels(const Tensor& image, int channels) {
  const auto from_channels = static_cast<int>(image.shape()[2]);
  const bool from_grey = from_channels < 3;
  Tensor result = Tensor::uninitialized({image.shape()[0], image.shape()[1], channels}, DType::uint8);
  const auto* from = image.data<std::uint8_t>();
  auto* to = result.data<std::uint8_t>();
  for (std::int64_t pixel = result.size() / channels; pixel > 0; --pixel) {
    if (channels == 1) {
      to[0] = from_grey ? from[0] : grey_of(from);
    } else {
      for (int i = 0; i < 3; ++i) to[i] = from[from_grey ? 0 : i];
      if (channels == 4) to[3] = from_channels % 2 == 0 ? from[from_channels - 1] : 255;
    }
    from += from_channels, to += channels;
  }
  return result;
}

}  // namespace

namespace io {

void check_pixels(const std::string& path, std::uint64_t height, std::uint64_t width) {
  GLIA_CHECK(height > 0 && width > 0 && height <= max_pixels / width, FileError, "'", path, "' has ", height,
             " rows of ", width, " pixels, expected at least one and at most ", max_pixels,
             " pixels in all; cut or shrink the image");
}

}  // namespace io

Tensor load_image(const std::string& path, const ImageOptions& options) {
  const int channels = options.channels;
  GLIA_CHECK(channels == 0 || channels == 1 || channels == 3 || channels == 4, ValueError, "load_image got ",
             channels, " channels, expected 1 (grey), 3 (RGB), 4 (RGBA) or 0 (as the file has them)");
  std::string bytes;
  {
    const io::InputFile file(path);
    try {
      bytes.resize(file.size());
    } catch (const std::exception&) {
      throw OutOfMemoryError(detail::concat("no memory for the ", file.size(), " bytes of '", path, "'"));
    }
    file.read(0, bytes.data(), bytes.size());
  }
  const bool is_png = io::is_png(bytes);
  GLIA_CHECK(is_png || io::is_pnm(bytes), FileError, "'", path,
             "' is no image that Glia reads, which are PNG, PGM and PPM (P2, P3, P5, P6); convert it to one "
             "of these");
  Tensor image = is_png ? io::decode_png(path, bytes) : io::decode_pnm(path, bytes);
  if (channels != 0 && channels != image.shape()[2]) image = with_channels(image, channels);
  image.set_scale(1.0 / 255);
  return image;
}

}  // namespace glia
