// The IDX reader: every element type, plain and gzip, and a typed error for every way a file can be wrong.
// SPDX-License-Identifier: Apache-2.0
#include <glia/datasets.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "host/data/gzip.h"
#include "host/data/sha256.h"
#include "tests/idx_files.h"

namespace glia {
namespace {

using testing::big_endian;
using testing::file_error;
using testing::gzip;
using testing::idx;
using testing::TemporaryFolder;
using testing::write_file;

constexpr std::uint32_t largest = std::numeric_limits<std::uint32_t>::max();

/// Most of a test: bytes written to a file and read back, plain or compressed.
struct Idx : ::testing::Test {
  TemporaryFolder folder;

  Tensor read(const std::string& bytes) const { return read_idx(write_file(folder, "file", bytes)); }
  std::string error(const std::string& bytes) const {
    const std::string text = file_error([&] { read(bytes); });
    EXPECT_CONTAINS(text, folder / "file");
    return text;
  }

  /// The elements of an IDX file, the same whether it is plain or gzip.
  template <class T>
  std::vector<T> elements(const std::string& bytes, const Shape& shape) const {
    const Tensor plain = read(bytes);
    const Tensor inflated = read(gzip(bytes));
    EXPECT_EQ(plain.shape(), shape);
    EXPECT_EQ(inflated.shape(), shape);
    const std::vector<T> result(plain.data<T>(), plain.data<T>() + plain.size());
    EXPECT_EQ(std::vector<T>(inflated.data<T>(), inflated.data<T>() + inflated.size()), result);
    return result;
  }
};

TEST_F(Idx, Unsigned_bytes_stay_as_they_are) {
  EXPECT_EQ(elements<std::uint8_t>(idx(0x08, {2, 3}, {"\0\1\2\x7f\x80\xff", 6}), Shape{2, 3}),
            (std::vector<std::uint8_t>{0, 1, 2, 127, 128, 255}));
}

TEST_F(Idx, Signed_bytes_widen_to_int32) {
  EXPECT_EQ(elements<std::int32_t>(idx(0x09, {5}, {"\0\1\x7f\x80\xff", 5}), Shape{5}),
            (std::vector<std::int32_t>{0, 1, 127, -128, -1}));
}

TEST_F(Idx, Shorts_widen_to_int32) {
  EXPECT_EQ(elements<std::int32_t>(idx(0x0b, {1, 3}, {"\x01\x02\x7f\xff\x80\x00", 6}), (Shape{1, 3})),
            (std::vector<std::int32_t>{258, 32767, -32768}));
}

TEST_F(Idx, Widening_in_place_keeps_every_element) {
  constexpr int count = 8003;
  std::string bytes, shorts;
  std::vector<std::int32_t> expected_bytes, expected_shorts;
  for (int i = 0; i < count; ++i) {
    bytes += big_endian(static_cast<std::uint64_t>(i), 1);
    shorts += big_endian(static_cast<std::uint64_t>(i * 17), 2);
    expected_bytes.push_back(static_cast<std::int8_t>(i));
    expected_shorts.push_back(static_cast<std::int16_t>(i * 17));
  }
  EXPECT_EQ(elements<std::int32_t>(idx(0x09, {count}, bytes), Shape{count}), expected_bytes);
  EXPECT_EQ(elements<std::int32_t>(idx(0x0b, {count}, shorts), Shape{count}), expected_shorts);
}

TEST_F(Idx, Ints_are_big_endian) {
  EXPECT_EQ(elements<std::int32_t>(idx(0x0c, {2}, {"\x01\x02\x03\x04\xff\xff\xff\xfe", 8}), Shape{2}),
            (std::vector<std::int32_t>{16909060, -2}));
}

TEST_F(Idx, Floats_and_doubles_keep_their_bits) {
  const float floats[] = {1.5f, -0.0f, 3e38f, std::numeric_limits<float>::infinity()};
  std::string body;
  for (float value : floats) body += big_endian(std::bit_cast<std::uint32_t>(value), 4);
  EXPECT_EQ(elements<float>(idx(0x0d, {4}, body), Shape{4}), std::vector<float>(floats, floats + 4));

  const std::string nan = big_endian(std::bit_cast<std::uint32_t>(std::nanf("")), 4);
  EXPECT_TRUE(std::isnan(read(idx(0x0d, {1}, nan)).data<float>()[0]));
  const std::string tiny = big_endian(std::bit_cast<std::uint64_t>(-1e-300), 8);
  EXPECT_EQ(elements<double>(idx(0x0e, {1}, tiny), Shape{1}), std::vector<double>{-1e-300});
}

TEST_F(Idx, Eight_dimensions_are_read_and_the_last_runs_fastest) {
  const Tensor tensor = read(idx(0x08, {1, 2, 1, 1, 3, 1, 1, 1}, "abcdef"));
  EXPECT_EQ(tensor.shape(), (Shape{1, 2, 1, 1, 3, 1, 1, 1}));
  EXPECT_EQ(tensor.data<std::uint8_t>()[5], 'f');
}

TEST_F(Idx, An_empty_tensor_has_a_header_alone) {
  EXPECT_EQ(elements<std::uint8_t>(idx(0x08, {0, 28, 28}, ""), Shape{0, 28, 28}),
            std::vector<std::uint8_t>{});
  EXPECT_EQ(elements<std::int32_t>(idx(0x09, {0}, ""), Shape{0}), std::vector<std::int32_t>{});
}

TEST_F(Idx, Gzip_is_told_by_content_and_not_by_name) {
  EXPECT_EQ(read_idx(write_file(folder, "plain.gz", idx(0x08, {1}, "x"))).size(), 1);
  EXPECT_EQ(read_idx(write_file(folder, "packed", gzip(idx(0x08, {1}, "x")))).size(), 1);
}

TEST_F(Idx, Gzip_may_have_several_members_empty_ones_too) {
  const std::string all = idx(0x08, {7}, "abcdefg");
  const Tensor tensor = read(gzip(all.substr(0, 3)) + gzip("") + gzip(all.substr(3)) + gzip(""));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.raw()), 7), "abcdefg");
}

TEST_F(Idx, Files_longer_than_every_buffer_come_whole) {
  // Digits that hardly compress, so that the packed file fills the input buffer several times.
  std::string body(3'000'017, '\0');
  std::uint32_t state = 1;
  for (char& c : body) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::string all = idx(0x08, {static_cast<std::uint32_t>(body.size())}, body);
  const Tensor plain = read(all);
  const Tensor inflated = read(gzip(all.substr(0, 1'000'000)) + gzip(all.substr(1'000'000)));
  ASSERT_EQ(plain.bytes(), static_cast<std::int64_t>(body.size()));
  EXPECT_EQ(std::memcmp(plain.raw(), body.data(), body.size()), 0);
  EXPECT_EQ(std::memcmp(inflated.raw(), body.data(), body.size()), 0);
}

TEST_F(Idx, Zeros_that_compress_a_thousandfold_are_read) {
  const Tensor tensor = read(gzip(idx(0x08, {5000, 28, 28}, std::string(5000 * 28 * 28, '\0'))));
  EXPECT_EQ(tensor.shape(), (Shape{5000, 28, 28}));
  EXPECT_EQ(tensor.data<std::uint8_t>()[5000 * 28 * 28 - 1], 0);
}

// ---- errors ----

TEST_F(Idx, A_missing_file_is_named) {
  const std::string path = folder / "nothing";
  const std::string text = file_error([&] { read_idx(path); });
  EXPECT_CONTAINS(text, path);
  EXPECT_CONTAINS(text, "No such file");
}

TEST_F(Idx, A_directory_is_not_a_file) {
  EXPECT_CONTAINS(file_error([&] { read_idx(folder.path().string()); }), "it is a directory");
}

TEST_F(Idx, A_device_is_not_a_regular_file) {
  EXPECT_CONTAINS(file_error([] { read_idx("/dev/zero"); }), "not a regular file");
}

TEST_F(Idx, An_empty_file_has_no_magic_number) {
  EXPECT_CONTAINS(error(""), "offset 0: expected 4 bytes of the IDX magic number, got 0");
}

TEST_F(Idx, A_wrong_magic_number_is_shown) {
  EXPECT_CONTAINS(error("PK\x03\x04"), "got 80, 75, 3, 4");
  EXPECT_CONTAINS(error(idx(0x0a, {1}, "x")), "got 0, 0, 10, 1");
}

TEST_F(Idx, Ranks_outside_1_to_8_are_refused) {
  EXPECT_CONTAINS(error(idx(0x08, {}, "")), "expected 1 to 8 dimensions, got 0");
  EXPECT_CONTAINS(error(idx(0x08, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "x")), "expected 1 to 8 dimensions, got 9");
  EXPECT_CONTAINS(error({"\0\0\x08\xff", 4}), "got 255");
}

TEST_F(Idx, A_truncated_header_names_the_offset) {
  const std::string whole = idx(0x08, {2, 2}, "abcd");
  EXPECT_CONTAINS(error(whole.substr(0, 3)), "offset 3: expected 4 bytes of the IDX magic number, got 3");
  EXPECT_CONTAINS(error(whole.substr(0, 9)), "offset 9: expected 8 bytes of IDX dimensions, got 5");
  EXPECT_CONTAINS(error(gzip(whole.substr(0, 9))),
                  "(byte 9 decompressed): expected 8 bytes of IDX dimensions, got 5");
}

TEST_F(Idx, A_truncated_body_names_offset_expected_and_got) {
  const std::string bytes = idx(0x0c, {2, 3}, std::string(23, 'x'));
  EXPECT_CONTAINS(error(bytes), "offset 12: expected 24 bytes of elements for shape (2, 3), got 23");
  EXPECT_CONTAINS(error(gzip(bytes)),
                  "(byte 35 decompressed): expected 24 bytes of elements for shape (2, 3), got 23");
}

TEST_F(Idx, Trailing_bytes_are_refused) {
  const std::string bytes = idx(0x08, {3}, "abcd");
  EXPECT_CONTAINS(error(bytes),
                  "expected 3 bytes of elements for shape (3,), got 4; the file has trailing bytes");
  EXPECT_CONTAINS(error(gzip(bytes)), "expected the end after 11 decompressed bytes, got more");
}

TEST_F(Idx, Every_truncation_and_no_other_length_is_an_error) {
  const std::string plain = idx(0x0b, {3, 5}, std::string(30, 'q'));
  for (const std::string& whole : {plain, gzip(plain)}) {
    for (std::size_t length = 0; length < whole.size(); ++length) error(whole.substr(0, length));
    EXPECT_NO_THROW(read(whole));
  }
}

TEST_F(Idx, Dimensions_that_overflow_are_refused) {
  for (const auto& dimensions : {std::vector<std::uint32_t>{largest, largest},
                                 {largest, largest, largest, largest, largest, largest, largest, largest},
                                 {0, largest, largest, largest},
                                 {largest, largest, largest, 0},
                                 // 2^64 bytes: a product that wraps to 0
                                 {1u << 31, 1u << 31, 4}})
    for (int type : {0x08, 0x09, 0x0e})
      EXPECT_CONTAINS(error(idx(type, dimensions, "x")), "product fits 63 bits");
}

TEST_F(Idx, A_header_that_lies_about_the_size_allocates_nothing) {
  // 2 EiB, which no machine has, promised by 16 bytes, and by a good megabyte of them.
  const std::string plain = idx(0x08, {1u << 31, 1u << 30}, "abcd");
  const std::string expected = "expected 2305843009213693952 bytes of elements";
  EXPECT_CONTAINS(error(plain), expected + " for shape (2147483648, 1073741824), got 4");
  EXPECT_CONTAINS(error(gzip(plain)), expected + ", got 4");
  EXPECT_CONTAINS(error(gzip(plain + std::string(1 << 20, 'z'))), "got 1048580");
}

TEST_F(Idx, A_decompression_bomb_stops_at_the_declared_size) {
  std::string bomb = gzip(idx(0x08, {5}, "abcde"));
  const std::string mebibyte = gzip(std::string(1 << 20, '\0'));
  for (int i = 0; i < 512; ++i) bomb += mebibyte;
  EXPECT_CONTAINS(error(bomb), "expected the end after 13 decompressed bytes, got more");
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 400 << 10);  // KiB, at the peak
}

TEST_F(Idx, A_flipped_bit_in_a_gzip_file_is_found_or_means_nothing) {
  const std::string whole = gzip(idx(0x08, {6}, "abcdef"));
  int found = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    try {
      const Tensor tensor = read(damaged);
      EXPECT_EQ(std::string(static_cast<const char*>(tensor.raw()), 6), "abcdef") << "bit " << bit;
    } catch (const FileError&) {
      ++found;
    }
  }
  // What means nothing: time and system in the header, and the bits that fill the last byte of the data.
  EXPECT_GE(found, static_cast<int>(8 * (whole.size() - 8)));
}

TEST_F(Idx, A_wrong_checksum_and_a_lying_length_are_told_apart) {
  const std::string whole = gzip(idx(0x08, {6}, "abcdef"));
  std::string wrong_crc = whole, wrong_length = whole;
  wrong_crc[whole.size() - 8] ^= 1;
  wrong_length[whole.size() - 4] ^= 1;
  EXPECT_CONTAINS(error(wrong_crc), "incorrect data check");
  EXPECT_CONTAINS(error(wrong_length), "incorrect length check");
}

TEST_F(Idx, Bytes_after_the_last_gzip_member_are_refused) {
  const std::string whole = gzip(idx(0x08, {1}, "x"));
  EXPECT_CONTAINS(error(whole + "garbage"), "expected the end or another gzip member, got other bytes");
  EXPECT_CONTAINS(error(whole + std::string(512, '\0')), "expected the end or another gzip member");
  EXPECT_CONTAINS(error(whole + "\x1f\x8c"), "got incorrect header check");
}

TEST(Gzip, The_caller_may_vouch_for_the_bytes_instead_of_the_crc) {
  const TemporaryFolder folder;
  std::string bytes = gzip("abc");
  bytes[bytes.size() - 8] ^= 1;
  detail::GzipFile file(write_file(folder, "file", bytes), detail::GzipCheck::caller);
  std::byte content[3];
  file.read_exactly(content, 3, "letters");
  EXPECT_NO_THROW(file.expect_end());
}

TEST(Sha256, Digests_equal_the_standards_examples) {
  detail::Sha256 empty;
  EXPECT_EQ(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  detail::Sha256 in_pieces;
  in_pieces.update("a", 1);
  in_pieces.update("", 0);
  in_pieces.update("bc", 2);
  EXPECT_EQ(in_pieces.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace glia
