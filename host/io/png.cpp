// PNG by libpng. Its errors are long jumps, so the two functions that may be jumped to hold nothing that has a
// destructor.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>

#include "host/io/image_formats.h"

#if GLIA_HAS_LIBPNG

#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstring>

namespace glia::io {
namespace {

/// What libpng reads, and the last that it said.
struct Input {
  std::string_view left;
  char problem[120] = "";
};

void read(png_structp png, png_bytep to, std::size_t bytes) {
  auto& left = static_cast<Input*>(::png_get_io_ptr(png))->left;
  if (bytes > left.size()) ::png_error(png, "it is truncated");
  std::memcpy(to, left.data(), bytes);
  left.remove_prefix(bytes);
}

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* const input = static_cast<Input*>(::png_get_error_ptr(png));
  std::strncpy(input->problem, message, sizeof(input->problem) - 1);
  ::png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

/// libpng's two structures.
struct Png {
  png_structp png;
  png_infop info;

  explicit Png(Input& input) {
    png = ::png_create_read_struct(PNG_LIBPNG_VER_STRING, &input, on_error, on_warning);
    info = png ? ::png_create_info_struct(png) : nullptr;
    if (info) return;
    ::png_destroy_read_struct(&png, nullptr, nullptr);
    throw OutOfMemoryError("no memory to read a PNG image");
  }
  ~Png() { ::png_destroy_read_struct(&png, &info, nullptr); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
};

/// All that comes before the pixels; false after an error.
bool read_info(png_structp png, png_infop info, Input* input) {
  if (setjmp(png_jmpbuf(png))) return false;
  ::png_set_read_fn(png, input, read);
  ::png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  ::png_set_user_limits(png, max_pixels, max_pixels);
  ::png_read_info(png, info);
  return true;
}

/// The pixels, each of `row_bytes` bytes a row, 8 bits a channel; false after an error.
bool read_pixels(png_structp png, png_infop info, png_bytep pixels, std::size_t row_bytes) {
  if (setjmp(png_jmpbuf(png))) return false;
  ::png_set_expand(png);    // palettes to colours, 1 to 4 bits to 8, a transparent colour to alpha
  ::png_set_scale_16(png);  // to 8 bits, rounded
  const int passes = ::png_set_interlace_handling(png);
  ::png_read_update_info(png, info);
  if (::png_get_rowbytes(png, info) != row_bytes) ::png_error(png, "its rows are not of the expected size");
  const png_uint_32 height = ::png_get_image_height(png, info);
  for (int pass = 0; pass < passes; ++pass)
    for (png_uint_32 row = 0; row < height; ++row) ::png_read_row(png, pixels + row * row_bytes, nullptr);
  ::png_read_end(png, nullptr);
  return true;
}

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw FileError(detail::concat("'", path, "' is not a sound PNG image: ", problem,
                                 "; get the file, or save it, again"));
}

}  // namespace

Tensor decode_png(const std::string& path, std::string_view file) {
  constexpr std::uint64_t most_of_deflate = 1032;  // bytes from one
  Input input{.left = file};
  const Png png(input);
  if (!read_info(png.png, png.info, &input)) fail(path, input.problem);
  const std::uint64_t height = ::png_get_image_height(png.png, png.info);
  const std::uint64_t width = ::png_get_image_width(png.png, png.info);
  check_pixels(path, height, width);
  const std::uint64_t packed = height * ::png_get_rowbytes(png.png, png.info);
  if (packed / most_of_deflate > file.size())
    fail(path, detail::concat(height, " rows of ", width, " pixels cannot be in ", file.size(), " bytes"));
  const int color = ::png_get_color_type(png.png, png.info);
  const bool alpha = (color & PNG_COLOR_MASK_ALPHA) || ::png_get_valid(png.png, png.info, PNG_INFO_tRNS);
  const std::int64_t channels = (color & PNG_COLOR_MASK_COLOR ? 3 : 1) + alpha;
  Tensor image = Tensor::uninitialized(
      {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), channels}, DType::uint8);
  if (!read_pixels(png.png, png.info, image.data<std::uint8_t>(),
                   width * static_cast<std::uint64_t>(channels)))
    fail(path, input.problem);
  return image;
}

}  // namespace glia::io

#else

namespace glia::io {

Tensor decode_png(const std::string& path, std::string_view) {
  throw FileError(
      detail::concat("'", path,
                     "' is a PNG image, and this Glia was built without libpng; install it (Debian: "
                     "libpng-dev) and build Glia again, or convert the image to PGM or PPM"));
}

}  // namespace glia::io

#endif

namespace glia::io {

bool is_png(std::string_view file) { return file.starts_with("\x89PNG\r\n\x1a\n"); }

}  // namespace glia::io
