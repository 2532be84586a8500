// Images from files: every kind of PNG, PGM and PPM against the formats' own words and against Pillow, and damage.
// SPDX-License-Identifier: Apache-2.0
#include <glia/images.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/golden.h"  // defines: golden_folder
#include "tests/memory_file.h"
#include "tests/npy_bytes.h"  // defines: for_each_damage
#include "tests/png_bytes.h"  // defines: PngImage, png_of, png_chunk
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using testing::big_endian;
using testing::for_each_damage;
using testing::png_chunk;
using testing::png_of;
using testing::PngImage;
using testing::TemporaryFolder;

Tensor loaded(const std::string& bytes, int channels = 0) {
  static testing::MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return load_image(file.path(), {.channels = channels});
}

void expect_refused(const std::string& bytes, const std::vector<std::string>& says) {
  expect_error<FileError>([&] { loaded(bytes); }, says);
}

std::vector<int> pixels(const Tensor& image) {
  return {image.data<std::uint8_t>(), image.data<std::uint8_t>() + image.size()};
}

/// Of 0 to `largest`, what it is of 0 to 255, rounded.
int scaled(int sample, int largest) { return static_cast<int>(std::floor(sample * 255.0 / largest + 0.5)); }

TEST(Pnm, Text_and_binary_and_comments_are_read) {
  for (const char* file :
       {"P2 2 3 255 1 2 3 4 5 6", "P2\n#a comment\n2 # and one\n3\n255\n1 2\n3 4\n5 6\n",
        "P5 2 3 255\n\1\2\3\4\5\6", "P5\t2\r\n3\n255\r\1\2\3\4\5\6 what follows is not read"}) {
    const Tensor image = loaded(file);
    EXPECT_EQ(image.shape(), (Shape{3, 2, 1})) << file;
    EXPECT_EQ(pixels(image), (std::vector<int>{1, 2, 3, 4, 5, 6})) << file;
    EXPECT_EQ(image.dtype(), DType::uint8);
    EXPECT_EQ(image.scale(), 1.0 / 255);
  }
  for (const char* file : {"P3 1 2 255 1 2 3 4 5 6", "P6 1 2 255 \1\2\3\4\5\6"}) {
    EXPECT_EQ(loaded(file).shape(), (Shape{2, 1, 3})) << file;
    EXPECT_EQ(pixels(loaded(file)), (std::vector<int>{1, 2, 3, 4, 5, 6})) << file;
  }
}

TEST(Pnm, Samples_of_any_largest_value_are_scaled_and_rounded) {
  for (const int largest : {1, 2, 15, 100, 254, 255, 256, 1000, 65'534, 65'535}) {
    std::string text = "P2 11 1 " + std::to_string(largest),
                binary = "P5 11 1 " + std::to_string(largest) + "\n";
    std::vector<int> expected;
    for (int i = 0; i <= 10; ++i) {
      const int sample = largest * i / 10;
      text += ' ' + std::to_string(sample);
      binary += big_endian(static_cast<std::uint64_t>(sample), largest > 255 ? 2 : 1);
      expected.push_back(scaled(sample, largest));
    }
    EXPECT_EQ(pixels(loaded(text)), expected) << largest;
    EXPECT_EQ(pixels(loaded(binary)), expected) << largest;
  }
}

TEST(Pnm, Files_that_lie_are_refused_with_the_reason) {
  const struct {
    std::string file;
    const char* says;
  } cases[] = {
      {"P5", "no image that Glia reads"},
      {"P4 8 1 \xff", "no image that Glia reads"},
      {"P7\nWIDTH 1", "no image that Glia reads"},
      {"P52 1 255 \1\2", "a number was expected"},
      {"P5 ", "a number was expected"},
      {"P5 # never ends", "a number was expected"},
      {"P5 -1 1 255 ", "a number was expected"},
      {"P5 2", "a number was expected"},
      {"P5 0 1 255 ", "expected at least one"},
      {"P5 1 0 255 ", "expected at least one"},
      {"P5 20000 20000 255 ", "at most 268435456"},
      {"P5 99999999999999999999 1 255 ", "a number is more than 268435456"},
      {"P5 1 1 65536 \1", "a number is more than 65535"},
      {"P5 1 1 0 \1", "its largest value is 0"},
      {"P5 1 1 255", "white space was expected"},
      {"P5 16000 16000 255 \1", "16000 rows of 16000 pixels take at least 256000000 bytes, and 1 are there"},
      {"P6 16000 16000 65535 \1", "take at least 1536000000 bytes"},
      {"P3 16000 16000 255 1", "take at least 1535999999 bytes"},
      {"P5 2 1 255 \1", "take at least 2 bytes, and 1 are there"},
      {"P5 1 1 256 \1", "take at least 2 bytes, and 1 are there"},
      {"P5 1 1 100 e", "the sample 101 is more than the largest value, 100"},
      {"P2 1 1 100 101", "a number is more than 100"},
      {"P2 2 2 255 10 20 30", "a number was expected"},
      {"P2 2 1 255 1,2", "a number was expected"},
  };
  for (const auto& [file, says] : cases) expect_refused(file, {says});
}

TEST(Pnm, Damage_anywhere_gives_an_error_or_an_image_no_larger_than_the_file) {
  for (const std::string file : {"P5 # it\n3 2 255\n\1\2\3\4\5\6", "P3 2 1 255 1 20 255 40 50 6\n"}) {
    int refused = 0;
    for_each_damage(file, [&](const std::string& damaged) {
      try {
        EXPECT_LE(loaded(damaged).bytes(), static_cast<std::int64_t>(damaged.size()));
      } catch (const Error&) {
        ++refused;
      }
    });
    EXPECT_GT(refused, 50);
  }
}

TEST(Images, Channels_that_there_are_not_are_refused) {
  for (const int channels : {-1, 2, 5}) {
    expect_error<ValueError>([&] { loaded("P5 1 1 255 \1", channels); },
                             {std::to_string(channels) + " channels", "expected 1"});
  }
}

TEST(Images, Files_that_are_none_are_told) {
  TemporaryFolder folder;
  expect_error<FileError>([&] { load_image(folder / "none.png"); }, {"none.png", "No such file"});
  expect_error<FileError>([&] { load_image(folder.path().string()); }, {"a folder"});
  for (const char* file : {"", "\xff\xd8\xff\xe0 JFIF", "GIF89a", "\x89PNG", "P"})
    expect_refused(file, {"no image that Glia reads", "PNG, PGM and PPM"});
}

#if GLIA_HAS_LIBPNG

/// An image with samples that are drawn.
PngImage drawn(int color_type, int depth, int height, int width, bool interlaced, std::mt19937& random) {
  PngImage image{height, width, color_type, depth, interlaced, {}, {}, {}, {}};
  const int largest = (1 << depth) - 1;
  image.samples.resize(static_cast<std::size_t>(height * width * image.channels()));
  for (int& sample : image.samples) sample = std::uniform_int_distribution<int>(0, largest)(random);
  if (color_type == 3)
    for (int i = 0; i < 3 << depth; ++i) image.palette += static_cast<char>(random() & 0xFF);
  return image;
}

/// What its pixels are by the specification, transparency aside.
std::vector<int> meant_by(const PngImage& image) {
  std::vector<int> result;
  for (const int sample : image.samples) {
    if (image.color_type != 3) {
      result.push_back(scaled(sample, (1 << image.depth) - 1));
      continue;
    }
    for (int c = 0; c < 3; ++c)
      result.push_back(static_cast<unsigned char>(image.palette[static_cast<std::size_t>(3 * sample + c)]));
  }
  return result;
}

struct Kind {
  int color_type;
  std::vector<int> depths;
};
const Kind kinds[] = {{0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}};

TEST(Png, Every_colour_type_and_depth_interlaced_or_not_is_read_as_it_is_meant) {
  std::mt19937 random(1);
  for (const auto& [color_type, depths] : kinds) {
    for (const int depth : depths) {
      for (const bool interlaced : {false, true}) {
        for (const auto& [height, width] : {std::pair{1, 1}, {1, 31}, {31, 1}, {8, 8}, {13, 37}, {3, 2}}) {
          const PngImage image = drawn(color_type, depth, height, width, interlaced, random);
          const Tensor tensor = loaded(png_of(image));
          EXPECT_EQ(tensor.shape(), (Shape{height, width, color_type == 3 ? 3 : image.channels()}));
          EXPECT_EQ(tensor.scale(), 1.0 / 255);
          EXPECT_EQ(pixels(tensor), meant_by(image))
              << "colour type " << color_type << ", depth " << depth << ", interlaced: " << interlaced;
        }
      }
    }
  }
}

TEST(Png, A_transparent_colour_becomes_alpha) {
  std::mt19937 random(2);
  for (const int depth :
       {1, 4, 8, 16}) {  // of grey and RGB: one colour; of a palette: an alpha each, and 255 for the rest
    for (const int color_type : {0, 2, 3}) {
      if ((color_type == 2 && depth < 8) || (color_type == 3 && depth > 8)) continue;
      PngImage image = drawn(color_type, depth, 7, 5, false, random);
      for (int c = 0; c < image.channels(); ++c)
        image.transparent +=
            color_type == 3
                ? std::string{100}
                : big_endian(static_cast<std::uint64_t>(image.samples[static_cast<std::size_t>(c)]), 2);
      const Tensor tensor = loaded(png_of(image));
      const std::vector<int> colors = meant_by(image), got = pixels(tensor);
      const int per_pixel = color_type == 0 ? 1 : 3;
      ASSERT_EQ(tensor.shape(), (Shape{7, 5, per_pixel + 1}));
      int transparent = 0;
      for (int pixel = 0; pixel < 35; ++pixel) {
        bool is_it = true;
        for (int c = 0; c < image.channels(); ++c) {
          const int wanted = color_type == 3 ? 0 : image.samples[static_cast<std::size_t>(c)];
          is_it = is_it && image.samples[static_cast<std::size_t>(pixel * image.channels() + c)] == wanted;
        }
        transparent += is_it;
        for (int c = 0; c < per_pixel; ++c)
          EXPECT_EQ(got[static_cast<std::size_t>(pixel * (per_pixel + 1) + c)],
                    colors[static_cast<std::size_t>(pixel * per_pixel + c)]);
        EXPECT_EQ(got[static_cast<std::size_t>(pixel * (per_pixel + 1) + per_pixel)], !is_it            ? 255
                                                                                      : color_type == 3 ? 100
                                                                                                        : 0);
      }
      EXPECT_GT(color_type == 3 ? 1 : transparent, 0);
    }
  }
}

TEST(Png, Gamma_changes_nothing) {
  std::mt19937 random(3);
  for (const int depth : {8, 16}) {
    PngImage image = drawn(6, depth, 5, 5, false, random);
    image.more = png_chunk("gAMA", big_endian(100'000, 4));
    EXPECT_EQ(pixels(loaded(png_of(image))), meant_by(image));
  }
}

TEST(Png, Channels_are_converted_as_Pillow_does) {
  int cases = 0;
  const std::vector<io::NamedTensor> golden =
      io::load_safetensors(test::golden_folder() + "/pillow.safetensors");
  const auto named = [&](const std::string& name) -> const Tensor& {
    for (const io::NamedTensor& tensor : golden)
      if (tensor.name == name) return tensor.tensor;
    throw std::out_of_range(name);
  };
  for (const io::NamedTensor& tensor : golden) {
    if (!tensor.name.ends_with("/file")) continue;
    const std::string name = tensor.name.substr(0, tensor.name.size() - 4);
    const std::string file(static_cast<const char*>(tensor.tensor.raw()),
                           static_cast<std::size_t>(tensor.tensor.size()));
    for (const auto& [mode, channels] : {std::pair{"L", 1}, {"RGB", 3}, {"RGBA", 4}}) {
      const Tensor image = loaded(file, channels);
      EXPECT_EQ(image.shape(), named(name + mode).shape()) << name << mode;
      EXPECT_EQ(pixels(image), pixels(named(name + mode))) << name << mode;
      EXPECT_EQ(image.scale(), 1.0 / 255);
      ++cases;
    }
  }
  EXPECT_EQ(cases, 3 * 9);
}

/// A sound signature, this header, and no pixels.
std::string only_header(std::uint64_t width, std::uint64_t height, int depth, int color_type) {
  return "\x89PNG\r\n\x1a\n" +
         png_chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) + static_cast<char>(depth) +
                               static_cast<char>(color_type) + std::string(3, '\0')) +
         png_chunk("IDAT", "") + png_chunk("IEND", "");
}

TEST(Png, Sizes_that_lie_are_refused_before_anything_is_allocated) {
  expect_refused(only_header(20'000, 20'000, 8, 2), {"20000 rows of 20000 pixels", "at most 268435456"});
  expect_refused(only_header(16'000, 16'000, 1, 0), {"16000 rows of 16000 pixels cannot be in"});
  expect_refused(only_header(0, 1, 8, 2), {"is not a sound PNG image"});
  expect_refused(only_header(1, 0x80000000, 8, 2), {"is not a sound PNG image"});
  expect_refused(only_header(1, 1, 3, 2), {"is not a sound PNG image"});
  expect_refused(only_header(3, 3, 8, 2), {"is not a sound PNG image"});
}

TEST(Png, Damage_anywhere_is_an_error) {
  std::mt19937 random(4);
  for (const bool interlaced : {false, true}) {
    PngImage image = drawn(3, 2, 5, 9, interlaced, random);
    image.transparent = std::string("\1\2\3", 3);
    const std::string file = png_of(image);
    int read = 0;
    for_each_damage(file, [&](const std::string& damaged) {
      try {
        EXPECT_EQ(pixels(loaded(damaged)).size(), 5u * 9 * 4);
        ++read;
      } catch (const Error&) {
      }
    });
    EXPECT_EQ(read, 0) << "each byte is covered by a checksum, or is one";
  }
}

TEST(Png, Damaged_pixels_under_sound_checksums_are_errors_or_images) {
  std::mt19937 random(5);
  PngImage image = drawn(2, 8, 9, 7, true, random);
  const std::string file = png_of(image);
  const std::size_t start = file.find("IDAT") + 4, end = file.find("IEND") - 8;
  int refused = 0;
  for_each_damage(file.substr(start, end - start), [&](const std::string& damaged) {
    try {
      EXPECT_EQ(loaded(file.substr(0, start - 8) + png_chunk("IDAT", damaged) + png_chunk("IEND", "")).size(),
                9 * 7 * 3);
    } catch (const FileError&) {
      ++refused;
    }
  });
  EXPECT_GT(refused, 200);
}

#else

TEST(Png, Without_libpng_the_error_says_what_to_install) {
  expect_refused(png_of({.samples = {1}}), {"built without libpng", "libpng-dev"});
}

#endif

}  // namespace
}  // namespace glia
