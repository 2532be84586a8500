// Files of NumPy: what is saved comes back, what NumPy wrote is read, and every way a file can lie is an error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/numpy.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/memory_file.h"
#include "tests/npy_bytes.h"  // defines: npy, header_of, samples, kinds, expect_same, for_each_damage
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using testing::expect_same;
using testing::for_each_damage;
using testing::header_of;
using testing::Kind;
using testing::kinds;
using testing::npy;
using testing::read_text;
using testing::samples;
using testing::TemporaryFolder;

Tensor loaded(const std::string& bytes) {
  static testing::MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return load_npy(file.path());
}

/// What loading says; "" where it loads.
std::string error_of(const std::string& bytes) {
  try {
    loaded(bytes);
    return "";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("/proc/self/fd/"), std::string::npos) << error.what();
    return error.what();
  }
}

TEST(Npy, What_is_saved_comes_back_bit_for_bit) {
  TemporaryFolder folder;
  for (const NamedTensor& sample : samples()) {
    save_npy(folder / "x.npy", sample.tensor);
    expect_same(load_npy(folder / "x.npy"), sample.tensor);
  }
}

TEST(Npy, The_header_is_NumPys_and_ends_at_a_multiple_of_64) {
  TemporaryFolder folder;
  for (int rank = 0; rank <= 8; ++rank) {
    Shape shape;
    for (int axis = 0; axis < rank; ++axis) shape.push_back(axis < 4 ? 1 : 1000 - axis), shape[0] = 0;
    save_npy(folder / "x.npy", Tensor::zeros(shape, DType::int64));
    const std::string text = read_text(folder / "x.npy");
    const std::size_t header = text.size() - (rank == 0 ? 8 : 0);
    EXPECT_EQ(header % 64, 0u);
    EXPECT_EQ(text.substr(0, 8), std::string("\x93NUMPY\1\0", 8));
    EXPECT_EQ(static_cast<unsigned char>(text[8]) + 256u * static_cast<unsigned char>(text[9]), header - 10);
    EXPECT_EQ(text.substr(10).find("{'descr': '<i8', 'fortran_order': False, 'shape': ("), 0u);
    EXPECT_EQ(text[header - 1], '\n');
  }
}

TEST(Npy, A_scale_is_not_stored) {
  TemporaryFolder folder;
  Tensor image(std::vector<std::uint8_t>{0, 51, 255});
  image.set_scale(1.0 / 255);
  save_npy(folder / "x.npy", image);
  const Tensor back = load_npy(folder / "x.npy");
  EXPECT_EQ(back.scale(), 1);
  EXPECT_EQ(back.values(), (std::vector<double>{0, 51, 255}));
}

TEST(Npy, Every_dtype_of_either_byte_order_and_either_order_keeps_its_values) {
  for (const Kind& kind : kinds()) {
    for (const char order : {'<', '>', '=', '|', '-'}) {
      for (const bool fortran : {false, true}) {
        std::string elements;
        for (std::string bytes : kind.bytes) {
          if (order == '>') std::reverse(bytes.begin(), bytes.end());
          elements += bytes;
        }
        const std::string descr = order == '-' ? kind.code : std::string(1, order) + kind.code;
        const Tensor tensor = loaded(npy(header_of("'" + descr + "'", "(2, 3)", fortran), elements));
        EXPECT_EQ(tensor.dtype(), kind.dtype) << descr;
        EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
        for (int row = 0; row < 2; ++row)
          for (int column = 0; column < 3; ++column)
            EXPECT_EQ(tensor(row, column),
                      kind.values[static_cast<std::size_t>(fortran ? row + 2 * column : 3 * row + column)])
                << descr << ", Fortran's order: " << fortran;
      }
    }
  }
}

TEST(Npy, Fortrans_order_is_right_at_every_coordinate_of_shapes_that_are_read_in_pieces) {
  for (const Shape& shape :
       {Shape{1}, Shape{31}, Shape{1, 5}, Shape{3, 1, 2}, Shape{7, 5, 3, 2}, Shape{40, 1, 701}}) {
    std::string elements;
    for (std::int16_t i = 0; i < shape.elements(); ++i) elements.append(reinterpret_cast<const char*>(&i), 2);
    std::string dimensions;
    for (const std::int64_t dimension : shape) dimensions += std::to_string(dimension) + ",";
    const Tensor tensor = loaded(npy(header_of("'<i2'", "(" + dimensions + ")", true), elements));
    const auto* const data = tensor.data<std::int32_t>();
    for (std::int64_t place = 0; place < shape.elements(); ++place) {
      std::int64_t rest = place, expected = 0;
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        expected = expected * shape[axis] + rest % shape[axis];
        rest /= shape[axis];
      }
      // The last axis was put in first, so that its digit has the greatest weight, as in the file.
      ASSERT_EQ(data[place], expected) << shape << " at " << place;
    }
  }
}

TEST(Npy, All_of_float16_is_what_it_says) {
  std::string elements;
  for (std::uint32_t bits = 0; bits < 65'536; ++bits)
    elements += {static_cast<char>(bits & 0xFF), static_cast<char>(bits >> 8)};
  const Tensor tensor = loaded(npy(header_of("'<f2'", "(65536,)"), elements));
  for (int bits = 0; bits < 65'536; ++bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) expected = fraction ? NAN : INFINITY;
    const float got = tensor.data<float>()[bits];
    EXPECT_EQ(std::signbit(got), bits >> 15 != 0) << bits;
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(got)) << bits;
    else
      EXPECT_EQ(std::abs(got), expected) << bits;
  }
}

TEST(Npy, Headers_may_be_written_as_Python_writes_them) {
  const std::string four(4 * 6, '\0');
  for (const std::string& header : {
           std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }        \n"),
           std::string("{\"shape\": (2, 3,), \"descr\": \"<f4\", \"fortran_order\": True}"),
           std::string("{'descr':'<f4','fortran_order':False,'shape':(2,3)}"),
           std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n"),
           std::string(" {\n'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 ) , } "),
       }) {
    EXPECT_EQ(loaded(npy(header, four)).shape(), (Shape{2, 3})) << header;
  }
  EXPECT_EQ(loaded(npy(header_of("'<f4'", "(6,)"), four)).shape(), Shape{6});
  EXPECT_EQ(loaded(npy(header_of("'<f4'", "()"), four.substr(0, 4))).shape(), Shape{});
}

TEST(Npy, Versions_2_and_3_have_wider_sizes) {
  const std::string header = header_of("'<i4'", "(1,)"), element("\7\0\0\0", 4);
  for (const char version : {'\2', '\3'}) {
    const std::string start = std::string("\x93NUMPY") + version + '\0' + static_cast<char>(header.size());
    EXPECT_EQ(loaded(start + std::string(3, '\0') + header + element).item(), 7);
    EXPECT_NE(
        error_of(start + std::string("\0\0\1", 3) + header + element).find("its header would have 16777"),
        std::string::npos);
  }
}

TEST(Npy, Headers_that_are_none_are_refused_with_the_reason) {
  const std::string descr = "'descr': '<f4'", order = "'fortran_order': False", shape = "'shape': (1,)";
  const auto of = [](const std::string& inside) { return "{" + inside + "}"; };
  const struct {
    std::string header, says;
  } cases[] = {
      {"", "ends early"},
      {"[]", "has '[' at byte 0"},
      {"{", "ends early"},
      {of(""), "has no 'descr'"},
      {of(descr + "," + order), "has no 'shape'"},
      {of(descr + "," + shape), "has no 'fortran_order'"},
      {of(descr + "," + order + "," + shape + "," + descr), "has 'descr' twice"},
      {of(descr + "," + order + "," + shape + ",'more': 1"), "has the key 'more'"},
      {of(descr + " " + order + "," + shape), "has ''' at byte 16"},
      {of(descr + "," + order + "," + shape) + "x", "goes on behind its end"},
      {of(descr + ",'fortran_order': 0," + shape), "has '0'"},
      {of(descr + ",'fortran_order': false," + shape), "has 'f'"},
      {of(descr + "," + order + ",'shape': 1"), "has '1'"},
      {of(descr + "," + order + ",'shape': [1]"), "has '['"},
      {of(descr + "," + order + ",'shape': (-1,)"), "has '-'"},
      {of(descr + "," + order + ",'shape': (1.5,)"), "has '.'"},
      {of(descr + "," + order + ",'shape': (,)"), "has ','"},
      {of(descr + "," + order + ",'shape': (1"), "has '}'"},
      {of(descr + "," + order + ",'shape': (((((((1,"), "has '('"},
      {of(descr + "," + order + ",'shape': (1,1,1,1,1,1,1,1,1)"), "more than 8 dimensions"},
      {of(descr + "," + order + ",'shape': (9223372036854775808,)"), "beyond 64 bits"},
      {of(descr + "," + order + ",'shape': (99999999999999999999999999999,)"), "beyond 64 bits"},
      {of("'descr': '<f4\\x34'," + order + "," + shape), "header has"},
      {of("'descr': '<f4," + order + "," + shape), "header has"},
      {of("'descr': None," + order + "," + shape), "has 'N'"},
  };
  for (const auto& [header, says] : cases) {
    const std::string error = error_of(npy(header, std::string(4, '\0')));
    EXPECT_NE(error.find(says), std::string::npos) << header << "\n" << error;
    EXPECT_NE(error.find("is not a sound .npy file"), std::string::npos) << error;
  }
}

TEST(Npy, What_no_tensor_holds_is_refused_by_name) {
  const struct {
    const char *descr, *says;
  } cases[] = {
      {"'|O'", "Python objects, which are pickles and are never read"},
      {"'O'", "pickles"},
      {"[('a', '<f4'), ('b', '<i4')]", "records (a structured dtype)"},
      {"'<u8'", "uint64 of dtype '<u8'"},
      {"'<c8'", "complex numbers"},
      {"'>c16'", "complex numbers"},
      {"'<U5'", "text"},
      {"'|S5'", "text"},
      {"'<M8[ns]'", "dates or times"},
      {"'<m8[s]'", "dates or times"},
      {"'|V4'", "records or raw bytes"},
      {"'<f16'", "elements of dtype '<f16'"},
      {"'<f3'", "'<f3'"},
      {"'<f44'", "'<f44'"},
      {"'<'", "'<'"},
      {"''", "''"},
      {"'><f4'", "'><f4'"},
      {"'\x1b[2J'", "\\x1b[2J"},
  };
  for (const auto& [descr, says] : cases) {
    const std::string error = error_of(npy(header_of(descr, "(1,)"), std::string(4, '\0')));
    EXPECT_NE(error.find(says), std::string::npos) << descr << "\n" << error;
  }
}

TEST(Npy, Shapes_that_lie_are_refused_before_anything_is_allocated) {
  for (const char* shape :
       {"(2,)", "()", "(4611686018427387904,)", "(9223372036854775807,)", "(4294967296, 4294967296)",
        "(0, 9223372036854775807)", "(1000000000000,)", "(3, 1)", "(0,)"}) {
    const std::string error = error_of(npy(header_of("'<f4'", shape), std::string(4 * 3 - 1, '\0')));
    EXPECT_NE(error.find("is not a sound .npy file"), std::string::npos) << shape << "\n" << error;
  }
  EXPECT_NE(error_of(npy(header_of("'<f4'", "(2,)"), std::string(9, '\0')))
                .find("an array of shape (2,) and dtype <f4 has 8 bytes, and 9 follow the header"),
            std::string::npos);
}

TEST(Npy, Files_of_other_kinds_are_told) {
  EXPECT_NE(error_of("").find("it has 0 bytes"), std::string::npos);
  EXPECT_NE(error_of("PK\3\4 and so on").find("does not begin with"), std::string::npos);
  EXPECT_NE(error_of(std::string("\x93NUMPY\4\0\1\0{", 11)).find("its version is 4.0, expected"),
            std::string::npos);
  EXPECT_NE(error_of(std::string("\x93NUMPY\1\1\1\0{", 11)).find("its version is 1.1, expected"),
            std::string::npos);
  TemporaryFolder folder;
  expect_error<FileError>([&] { load_npy(folder / "none.npy"); }, {"none.npy", "No such file"});
  expect_error<FileError>([&] { load_npy(folder.path().string()); }, {"a folder"});
}

TEST(Npy, Damage_anywhere_gives_an_error_or_a_tensor_of_the_same_size) {
  const std::string sound = npy(header_of("'<i2'", "(5, 3)", true), std::string(30, '\5'));
  int refused = 0, read = 0;
  for_each_damage(sound, [&](const std::string& damaged) {
    try {
      const Tensor tensor = loaded(damaged);
      ++read;
      EXPECT_LE(tensor.bytes(), static_cast<std::int64_t>(4 * damaged.size()));
      EXPECT_EQ(damaged.size(), sound.size()) << "a truncated file was read";
    } catch (const Error&) {
      ++refused;
    }
  });
  EXPECT_GT(refused, 300);
  EXPECT_GT(read, 270) << "of 30 bytes of elements, each in 9 ways";
}

TEST(Npy, Only_tensors_on_the_CPU_are_saved_and_failures_leave_the_file_that_was_there) {
  TemporaryFolder folder;
  const float element = 1;
  save_npy(folder / "x.npy", Tensor{1, 2});
  const TensorView elsewhere = TensorView::of(&element, {1}, "cuda");
  expect_error<DeviceError>([&] { save_npy(folder / "x.npy", elsewhere); }, {"save_npy", "cuda"});
  expect_same(load_npy(folder / "x.npy"), Tensor{1, 2});
  expect_error<FileError>([&] { save_npy(folder / "none/x.npy", Tensor{1}); }, {"none/x.npy"});
}

}  // namespace
}  // namespace glia
