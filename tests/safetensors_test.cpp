// safetensors files: round trips, agreement with the format's own package, and every way a file can lie.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/safetensors.h"

#include <glia/error.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/memory_file.h"
#include "tests/temporary_folder.h"

namespace {

using glia::DType;
using glia::FileError;
using glia::Shape;
using glia::Tensor;
using glia::TensorView;
using glia::ValueError;
using glia::io::load_safetensors;
using glia::io::Metadata;
using glia::io::NamedTensor;
using glia::io::NamedView;
using glia::io::save_safetensors;
using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;

/// A file of the header `json` as it stands and `data`.
std::string file_of(const std::string& json, const std::string& data = "") {
  const std::uint64_t size = json.size();
  std::string text(reinterpret_cast<const char*>(&size), sizeof(size));
  return text + json + data;
}

/// What loading `bytes` says; "" where it loads.
std::string error_of(const std::string& bytes) {
  static glia::testing::MemoryFile file;
  file.set(bytes.data(), bytes.size());
  try {
    load_safetensors(file.path());
    return "";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find(file.path()), std::string::npos) << error.what();
    return error.what();
  }
}

::testing::AssertionResult says(const std::string& message, const std::string& wanted) {
  if (message.find(wanted) != message.npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << wanted << "' is not in: " << message;
}

/// The JSON of one tensor "w"; its parts can be replaced by anything.
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets,
                  const std::string& name = "w") {
  return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}
std::string header(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{" + entry(dtype, shape, offsets) + "}";
}

template <class T>
std::vector<T> elements(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.size()};
}

TEST(Safetensors, Every_dtype_and_odd_shapes_come_back_bit_for_bit) {
  TemporaryFolder folder;
  const Tensor a(std::vector<double>{0.1, -INFINITY, 5e-324}, Shape{3, 1});
  const Tensor b(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), -1}, Shape{1, 2});
  const Tensor c(std::vector<float>(31, 1.5f), Shape{1, 1, 1, 31, 1, 1, 1, 1});
  const Tensor d(std::vector<std::int32_t>{-7});
  const Tensor e(std::vector<std::uint8_t>{0, 255, 3, 4, 5}, Shape{5, 1});
  const Tensor scalar(std::vector<float>{2.5f}, Shape{});
  const Tensor empty(std::vector<std::uint8_t>{}, Shape{3, 0, 2});
  save_safetensors(folder / "file",
                   {{"a", a}, {"b", b}, {"c", c}, {"d", d}, {"e", e}, {"scalar", scalar}, {"empty", empty}});

  const std::vector<NamedTensor> back = load_safetensors(folder / "file");
  std::string names;
  for (const NamedTensor& named : back) names += named.name + " ";
  EXPECT_EQ(names, "a b c d scalar e empty ");
  EXPECT_EQ(elements<double>(back[0].tensor), elements<double>(a));
  EXPECT_EQ(elements<std::int64_t>(back[1].tensor), elements<std::int64_t>(b));
  EXPECT_EQ(elements<float>(back[2].tensor), elements<float>(c));
  EXPECT_EQ(back[2].tensor.shape(), c.shape());
  EXPECT_EQ(elements<std::int32_t>(back[3].tensor), elements<std::int32_t>(d));
  EXPECT_EQ(back[4].tensor.shape(), Shape{});
  EXPECT_EQ(elements<float>(back[4].tensor), std::vector<float>{2.5f});
  EXPECT_EQ(elements<std::uint8_t>(back[5].tensor), elements<std::uint8_t>(e));
  EXPECT_EQ(back[5].tensor.shape(), (Shape{5, 1}));
  EXPECT_EQ(back[6].tensor.shape(), (Shape{3, 0, 2}));
}

TEST(Safetensors, NaN_keeps_its_bits) {
  TemporaryFolder folder;
  std::uint32_t bits = 0xffc12345;
  save_safetensors(folder / "file", {{"nan", TensorView::of(&bits, Shape{1}, DType::float32)}});
  const std::vector<NamedTensor> back = load_safetensors(folder / "file");
  EXPECT_EQ(std::memcmp(back.at(0).tensor.raw(), &bits, sizeof(bits)), 0);
}

TEST(Safetensors, Odd_names_and_metadata_come_back) {
  TemporaryFolder folder;
  const Tensor one(std::vector<float>{1});
  const std::vector<std::string> names = {"",
                                          " ",
                                          "\"quoted\" \\",
                                          "Grüße",
                                          "layer/0/kernel:0",
                                          std::string("zero\0byte", 9),
                                          "\n\t\x01",
                                          "重み",
                                          std::string(5000, 'x'),
                                          "\xf0\x9f\xa7\xa0"};
  std::vector<NamedView> views;
  for (const std::string& name : names) views.push_back({name, one});
  const Metadata metadata = {{"", ""}, {"Größe", "a \"b\"\n"}, {"format", "pt"}, {"w", "not a tensor"}};
  save_safetensors(folder / "file", views, metadata);

  Metadata metadata_back = {{"stale", "entry"}};
  std::vector<std::string> sorted = names, back;
  std::sort(sorted.begin(), sorted.end());
  for (NamedTensor& named : load_safetensors(folder / "file", &metadata_back)) back.push_back(named.name);
  EXPECT_EQ(back, sorted);
  EXPECT_EQ(metadata_back, metadata);
}

TEST(Safetensors, No_tensors_are_a_file_too) {
  TemporaryFolder folder;
  save_safetensors(folder / "file", {});
  EXPECT_EQ(read_text(folder / "file"), file_of("{}      "));
  EXPECT_TRUE(load_safetensors(folder / "file").empty());
  save_safetensors(folder / "file", {}, {{"a", "b"}});
  Metadata metadata;
  EXPECT_TRUE(load_safetensors(folder / "file", &metadata).empty());
  EXPECT_EQ(metadata, (Metadata{{"a", "b"}}));
}

TEST(Safetensors, A_header_without_padding_or_with_blanks_in_it_loads) {
  EXPECT_EQ(error_of(file_of("{}")), "");
  EXPECT_EQ(error_of(file_of("{ \n\t" + entry("\"U8\"", " [ 2 , 1 ] ", "[0,2]") + "}\n ", "ab")), "");
}

TEST(Safetensors, A_file_of_the_formats_own_package_loads_with_its_values_and_is_saved_to_the_same_bytes) {
  const std::string path = GLIA_GOLDEN_DIR "/reference.safetensors";
  Metadata metadata;
  const std::vector<NamedTensor> tensors = load_safetensors(path, &metadata);
  ASSERT_EQ(tensors.size(), 7u);
  EXPECT_EQ(elements<std::int64_t>(tensors[0].tensor),
            (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), -1,
                                       std::numeric_limits<std::int64_t>::max()}));
  EXPECT_EQ(elements<double>(tensors[1].tensor), (std::vector<double>{0.1, -INFINITY, M_PI, 5e-324}));
  EXPECT_EQ(tensors[1].tensor.shape(), (Shape{2, 2}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(tensors[2].tensor.data<float>()[i], static_cast<float>(i) / 7.0f);
  EXPECT_EQ(tensors[2].tensor.shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(tensors[3].tensor.shape(), Shape{});
  EXPECT_EQ(tensors[3].tensor.data<float>()[0], 2.5f);
  EXPECT_EQ(tensors[4].tensor.shape(), (Shape{3, 0, 2}));
  EXPECT_EQ(elements<std::int32_t>(tensors[5].tensor), (std::vector<std::int32_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(tensors[6].name, "e/uint8 \"Grüße\" \\ 重み");
  EXPECT_EQ(elements<std::uint8_t>(tensors[6].tensor), (std::vector<std::uint8_t>{0, 1, 128, 255, 7}));
  EXPECT_EQ(metadata, (Metadata{{"made_by", "safetensors"}}));

  TemporaryFolder folder;
  std::vector<NamedView> views;
  for (auto named = tensors.rbegin(); named != tensors.rend(); ++named)
    views.push_back({named->name, named->tensor});
  save_safetensors(folder / "file", views, metadata);
  EXPECT_EQ(read_text(folder / "file"), read_text(path));
}

TEST(Safetensors, The_scale_of_images_is_not_stored) {
  TemporaryFolder folder;
  Tensor images(std::vector<std::uint8_t>{51, 255});
  images.set_scale(1.0 / 255);
  save_safetensors(folder / "file", {{"images", images}});
  const Tensor back = std::move(load_safetensors(folder / "file").at(0).tensor);
  EXPECT_EQ(back.scale(), 1);
  EXPECT_EQ(elements<std::uint8_t>(back), (std::vector<std::uint8_t>{51, 255}));
}

TEST(Safetensors, What_cannot_be_saved_leaves_the_old_file) {
  TemporaryFolder folder;
  write_text(folder / "file", "old");
  const Tensor one(std::vector<float>{1});
  const auto refused = [&](const std::vector<NamedView>& tensors,
                           const Metadata& metadata = {}) -> std::string {
    try {
      save_safetensors(folder / "file", tensors, metadata);
      return "saved";
    } catch (const ValueError& error) {
      return error.what();
    }
  };
  EXPECT_TRUE(says(refused({{"w", one}, {"v", one}, {"w", one}}), "two tensors to be saved are named 'w'"));
  EXPECT_TRUE(says(refused({{"__metadata__", one}}), "__metadata__"));
  EXPECT_TRUE(says(refused({{"bad \xff", one}}), "not UTF-8"));
  EXPECT_TRUE(says(refused({}, {{"key", "\xc3"}}), "metadata value"));
  EXPECT_TRUE(says(refused({}, {{"\xed\xa0\x80", ""}}), "metadata key"));
  EXPECT_TRUE(
      says(refused({}, {{"key", std::string(17 << 20, 'x')}}), "the metadata value is of 17825794 bytes"));
  Metadata many;
  for (int i = 0; i < 110'000; ++i) many[std::to_string(i)];
  EXPECT_TRUE(says(refused({}, many), "110000 pairs of metadata"));
  float value = 1;
  const TensorView on_gpu = TensorView::of(&value, Shape{1}, DType::float32, glia::Device::cuda(0));
  EXPECT_THROW(save_safetensors(folder / "file", {{"w", on_gpu}}), glia::DeviceError);
  EXPECT_EQ(read_text(folder / "file"), "old");
}

TEST(Safetensors, A_folder_that_is_missing_is_named_on_saving_and_a_file_on_loading) {
  TemporaryFolder folder;
  EXPECT_THROW(save_safetensors(folder / "no/file", {}), FileError);
  EXPECT_THROW(load_safetensors(folder / "file"), FileError);
  EXPECT_THROW(load_safetensors(folder.path().string()), FileError);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(load_safetensors(folder / "pipe"), FileError);
}

TEST(Safetensors, A_header_size_that_lies_is_refused_before_memory_is_taken) {
  EXPECT_TRUE(says(error_of(""), "0 bytes"));
  EXPECT_TRUE(says(error_of("\2\0\0"), "truncated"));
  EXPECT_TRUE(says(error_of(std::string(8, '\0')), "does not start with {"));
  std::string huge = file_of("{}");
  huge.replace(0, 8, 8, '\xff');
  EXPECT_TRUE(says(error_of(huge), "18446744073709551615"));
  huge.replace(0, 8, std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_TRUE(says(error_of(huge), "a header of 3 bytes"));

  TemporaryFolder
      folder;  // a sparse file that is large enough, but whose header is larger than the format has
  write_text(folder / "file", std::string("\1\xe1\xf5\5\0\0\0\0", 8) + "{");
  ASSERT_EQ(::truncate((folder / "file").c_str(), 200'000'000), 0);
  try {
    load_safetensors(folder / "file");
    ADD_FAILURE() << "it loaded";
  } catch (const FileError& error) {
    EXPECT_TRUE(says(error.what(), "a header of 100000001 bytes"));
  }
}

TEST(Safetensors, A_header_that_is_not_json_names_the_offset) {
  EXPECT_TRUE(says(error_of(file_of(" {}")), "does not start with {"));
  EXPECT_TRUE(says(error_of(file_of("[]")), "does not start with {"));
  EXPECT_TRUE(says(error_of(file_of("\xef\xbb\xbf{}")), "does not start with {"));
  EXPECT_TRUE(says(error_of(file_of("{")), "offset 9"));
  EXPECT_TRUE(says(error_of(file_of("{}{}")), "offset 10"));
  EXPECT_TRUE(says(error_of(file_of("{} x")), "offset 11"));
  EXPECT_TRUE(says(error_of(file_of("{,}")), "offset 9"));
  EXPECT_TRUE(says(error_of(file_of("{}/**/")), "offset 10"));
  EXPECT_TRUE(says(error_of(file_of(std::string("{}\0x", 4))), "zero byte at offset 10"));
  EXPECT_TRUE(says(error_of(file_of("{\"bad \xff\":{}}")), "not JSON"));
  EXPECT_TRUE(says(error_of(file_of("{\"\\ud800\":{}}")), "not JSON"));
  EXPECT_TRUE(says(error_of(file_of("{" + entry("\"U8\"", "[0,]", "[0,0]") + "}")), "not JSON"));
}

TEST(Safetensors, Values_of_the_wrong_kind_are_refused_wherever_they_stand) {
  const std::vector<std::string> kinds = {"null", "true", "-1",      "1.0",  "1e2",
                                          "{}",   "[[]]", "[\"a\"]", "[{}]", "[null]"};
  for (const std::string& kind : kinds) {
    SCOPED_TRACE(kind);
    EXPECT_NE(error_of(file_of(header(kind, "[1]", "[0,1]"), "a")), "");
    EXPECT_NE(error_of(file_of(header("\"U8\"", kind, "[0,1]"), "a")), "");
    EXPECT_NE(error_of(file_of(header("\"U8\"", "[1]", kind), "a")), "");
    EXPECT_NE(error_of(file_of("{\"__metadata__\":{\"a\":" + kind + "}}")), "");
    if (kind != "{}") {
      EXPECT_NE(error_of(file_of("{\"__metadata__\":" + kind + "}")), "");
    }
    EXPECT_NE(error_of(file_of("{\"w\":" + kind + "}")), "");
  }
  for (const char* number :
       {"-1", "-0", "1.0", "1e0", "18446744073709551616", "-9223372036854775809", "\"1\""}) {
    SCOPED_TRACE(number);
    EXPECT_TRUE(
        says(error_of(file_of(header("\"U8\"", std::string("[") + number + "]", "[0,1]"), "a")), "shape"));
    EXPECT_TRUE(says(error_of(file_of(header("\"U8\"", "[1]", std::string("[0,") + number + "]"), "a")),
                     "data_offsets"));
  }
  EXPECT_TRUE(says(error_of(file_of("{\"w\":7}")), "at \"w\" where an object was expected"));
  EXPECT_TRUE(says(error_of(file_of("{\"w\":\"x\"}")), "a string at \"w\""));
}

TEST(Safetensors, Missing_unknown_and_repeated_keys_are_refused) {
  EXPECT_TRUE(says(error_of(file_of("{\"w\":{}}")), "tensor \"w\" has no \"dtype\""));
  EXPECT_TRUE(says(error_of(file_of("{\"w\":{\"dtype\":\"U8\"}}")), "no \"shape\""));
  EXPECT_TRUE(says(error_of(file_of("{\"w\":{\"dtype\":\"U8\",\"shape\":[]}}")), "no \"data_offsets\""));
  const std::string whole = "\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]";
  EXPECT_EQ(error_of(file_of("{\"w\":{" + whole + "}}", "a")), "");
  for (const char* more :
       {"\"dtype\":\"U8\"", "\"shape\":[1]", "\"data_offsets\":[0,1]", "\"\\u0064type\":\"U8\""})
    EXPECT_TRUE(says(error_of(file_of("{\"w\":{" + whole + "," + more + "}}", "a")), "twice")) << more;
  for (const char* more : {"\"extra\":\"U8\"", "\"extra\":1", "\"extra\":[1]", "\"extra\":{}", "\"\":\"\""})
    EXPECT_TRUE(says(error_of(file_of("{\"w\":{" + whole + "," + more + "}}", "a")), "tensor \"w\" has"))
        << more;

  const std::string w = entry("\"U8\"", "[1]", "[0,1]"), next = entry("\"U8\"", "[1]", "[1,2]");
  EXPECT_TRUE(says(error_of(file_of("{" + w + "," + next + "}", "ab")), "two tensors named \"w\""));
  const std::string escaped = entry("\"U8\"", "[1]", "[1,2]", "\\u0077");
  EXPECT_TRUE(says(error_of(file_of("{" + w + "," + escaped + "}", "ab")), "two tensors named \"w\""));
  EXPECT_TRUE(says(error_of(file_of("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}")), "key \"a\" twice"));
  EXPECT_TRUE(says(error_of(file_of("{\"__metadata__\":{},\"__metadata__\":{}}")), "__metadata__ twice"));
}

TEST(Safetensors, A_dtype_that_glia_has_not_names_the_tensor_and_what_can_be_read) {
  for (const std::string dtype : {"BOOL", "F8_E4M3", "I8", "I16", "U16", "U32", "U64", "C64", "f32", ""}) {
    const std::string message = error_of(file_of(header("\"" + dtype + "\"", "[1]", "[0,2]"), "ab"));
    EXPECT_TRUE(says(message, "tensor \"w\" is of dtype \"" + dtype + "\""));
    EXPECT_TRUE(says(message, "F32, F64, F16, BF16, U8, I32 and I64"));
  }
}

TEST(Safetensors, Shapes_that_overflow_or_have_too_many_dimensions_are_refused) {
  EXPECT_EQ(error_of(file_of(header("\"U8\"", "[1,1,1,1,1,1,1,1]", "[0,1]"), "a")), "");
  EXPECT_TRUE(says(error_of(file_of(header("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), "a")),
                   "more than 8 dimensions"));
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775808]", "[18446744073709551615]", "[2305843009213693952]",
        "[0,4294967296,4294967296]", "[4294967296,4294967296,0]"})
    EXPECT_TRUE(says(error_of(file_of(header("\"F64\"", shape, "[0,0]"))), "more than 64 bits can count"))
        << shape;
  EXPECT_TRUE(says(error_of(file_of(header("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]"))),
                   "truncated"));
  EXPECT_EQ(error_of(file_of(header("\"F64\"", "[1000000000000,0]", "[0,0]"))), "");
}

TEST(Safetensors, Offsets_must_hold_the_shape_and_follow_each_other_to_the_end_of_the_file) {
  const auto offsets = [](const std::string& offsets, const std::string& data) {
    return error_of(file_of(header("\"I32\"", "[2]", offsets), data));
  };
  EXPECT_EQ(offsets("[0,8]", "12345678"), "");
  EXPECT_TRUE(says(offsets("[0,7]", "12345678"), "takes 8 bytes, but its data_offsets are [0, 7]"));
  EXPECT_TRUE(says(offsets("[8,0]", "12345678"), "takes 8 bytes"));
  EXPECT_TRUE(says(offsets("[18446744073709551612,4]", "12345678"), "takes 8 bytes"));
  EXPECT_TRUE(says(offsets("[18446744073709551607,18446744073709551615]", "12345678"), "hole"));
  EXPECT_TRUE(says(offsets("[]", "12345678"), "0 data_offsets"));
  EXPECT_TRUE(says(offsets("[0]", "12345678"), "1 data_offsets"));
  EXPECT_TRUE(says(offsets("[0,8,8]", "12345678"), "3 data_offsets"));
  EXPECT_TRUE(says(offsets("[0,8]", "1234567"), "ends at byte 8"));
  EXPECT_TRUE(says(offsets("[0,8]", "123456789"), "1 bytes from offset"));
  EXPECT_TRUE(says(offsets("[1,9]", "123456789"), "hole"));
  EXPECT_TRUE(says(error_of(file_of("{}", "1")), "belong to no tensor"));

  const auto two = [](const std::string& first, const std::string& second) {
    return error_of(file_of(
        "{" + entry("\"U8\"", "[2]", first, "a") + "," + entry("\"U8\"", "[2]", second, "b") + "}", "1234"));
  };
  EXPECT_EQ(two("[0,2]", "[2,4]"), "");
  EXPECT_EQ(two("[2,4]", "[0,2]"), "");
  EXPECT_TRUE(says(two("[0,2]", "[0,2]"), "overlapping"));
  EXPECT_TRUE(says(two("[0,2]", "[1,3]"), "overlapping"));
  EXPECT_TRUE(says(two("[0,2]", "[3,5]"), "hole"));
}

TEST(Safetensors, Deep_nesting_and_very_many_entries_cost_no_more_than_the_file) {
  const std::string deep(2'000'000, '[');
  EXPECT_TRUE(says(error_of(file_of("{\"w\":" + deep)), "an array"));
  EXPECT_TRUE(says(error_of(file_of("{\"w\":{\"shape\":" + deep)), "an array"));
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"w\":";
  EXPECT_TRUE(says(error_of(file_of(objects)), "an object"));

  EXPECT_TRUE(
      says(error_of(file_of("{\"" + std::string(17 << 20, 'x'))), "more than 16777216 bytes at offset 9"));

  std::string pairs = "{\"__metadata__\":{\"\":\"\"";
  for (int i = 0; i < 110'000; ++i) pairs += ",\"" + std::to_string(i) + "\":\"\"";
  EXPECT_TRUE(says(error_of(file_of(pairs + "}}")), "entries"));
}

TEST(Safetensors, Hostile_names_are_shortened_and_escaped_in_messages) {
  const std::string message = error_of(file_of("{\"\\u001b[31m" + std::string(100'000, 'x') + "\":1}"));
  EXPECT_TRUE(says(message, "\\u001b[31mxxx"));
  EXPECT_LT(message.size(), 400u);
}

std::string small_file() {
  TemporaryFolder folder;
  const Tensor kernel(std::vector<float>{1, 2, 3, 4, 5, 6}, Shape{2, 3});
  const Tensor steps(std::vector<std::int64_t>{9}, Shape{});
  const Tensor mask(std::vector<std::uint8_t>{1, 0, 1});
  save_safetensors(folder / "file", {{"kernel", kernel}, {"steps", steps}, {"mask", mask}}, {{"by", "glia"}});
  return read_text(folder / "file");
}

TEST(Safetensors, A_file_cut_off_anywhere_is_an_error) {
  const std::string whole = small_file();
  ASSERT_EQ(error_of(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(error_of(whole.substr(0, size)), "") << "cut to " << size << " of " << whole.size() << " bytes";
  EXPECT_NE(error_of(whole + '\0'), "");
}

TEST(Safetensors, A_flipped_bit_is_an_error_or_another_sound_file_but_never_a_crash) {
  const std::string whole = small_file();
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      if (!error_of(flipped).empty()) ++refused;
    }
  EXPECT_GT(refused, static_cast<int>(whole.size()));
}

}  // namespace
