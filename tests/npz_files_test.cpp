// Archives of NumPy: what is saved comes back by name, what NumPy wrote is read, and archives that lie are refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/numpy.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/golden.h"  // defines: golden_folder
#include "tests/memory_file.h"
#include "tests/npy_bytes.h"  // defines: npy, header_of, samples, kinds, expect_same, for_each_damage
#include "tests/temporary_folder.h"
#include "tests/zip_bytes.h"  // defines: zip_of, ZipPart

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
using testing::zip_of;
using testing::ZipPart;

#if GLIA_HAS_LIBZIP

NamedTensors loaded_npz(const std::string& bytes) {
  static testing::MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return load_npz(file.path());
}

void expect_refused(const std::string& bytes, const std::vector<std::string>& says) {
  expect_error<FileError>([&] { loaded_npz(bytes); }, says);
}

/// A small array.
std::string array_of(int value) {
  return npy(header_of("'|u1'", "(4,)"), std::string(4, static_cast<char>(value)));
}

TEST(Npz, What_is_saved_comes_back_by_name_in_its_order) {
  TemporaryFolder folder;
  const NamedTensors tensors = samples();
  std::uintmax_t sizes[2];
  for (const bool compressed : {false, true}) {
    save_npz(folder / "x.npz", tensors, {.compressed = compressed});
    sizes[compressed] = std::filesystem::file_size(folder / "x.npz");
    const NamedTensors back = load_npz(folder / "x.npz");
    ASSERT_EQ(back.size(), tensors.size());
    for (std::size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(back[i].name, tensors[i].name);
      expect_same(back[i].tensor, tensors[i].tensor);
    }
  }
  EXPECT_LT(2 * sizes[1], sizes[0]);
}

TEST(Npz, Tensors_without_names_are_called_as_NumPy_calls_them) {
  TemporaryFolder folder;
  save_npz(folder / "x.npz", {Tensor{1}, Tensor{2, 3}});
  const NamedTensors back = load_npz(folder / "x.npz");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back["arr_0"].size(), 1);
  EXPECT_EQ(back["arr_1"].size(), 2);
}

TEST(Npz, No_tensors_are_a_file_too) {
  TemporaryFolder folder;
  save_npz(folder / "x.npz", {});
  EXPECT_EQ(load_npz(folder / "x.npz").size(), 0u);
}

TEST(Npz, The_same_tensors_give_the_same_bytes) {
  TemporaryFolder folder;
  for (const bool compressed : {false, true}) {
    save_npz(folder / "x.npz", samples(), {.compressed = compressed});
    save_npz(folder / "y.npz", samples(), {.compressed = compressed});
    EXPECT_EQ(read_text(folder / "x.npz"), read_text(folder / "y.npz"));
    EXPECT_EQ(read_text(folder / "x.npz").substr(10, 4), std::string("\0\0\x21\0", 4)) << "1980-01-01, 0:00";
  }
}

TEST(Npz, What_NumPy_wrote_is_read) {
  for (const char* file : {"numpy_stored.npz", "numpy_deflated.npz"}) {
    const NamedTensors arrays = load_npz(test::golden_folder() + "/" + file);
    ASSERT_EQ(arrays.size(), 47u) << file;
    EXPECT_EQ(arrays["scalar"].item(), 7);
    EXPECT_EQ(arrays["scalar"].shape(), Shape{});
    EXPECT_EQ(arrays["empty"].shape(), (Shape{3, 0, 2}));
    EXPECT_EQ(arrays["größe"].dtype(), DType::int64);
    for (const Kind& kind : kinds()) {
      for (const char* order : {"_C_little", "_C_big", "_F_little", "_F_big"}) {
        const Tensor& array = arrays[kind.code + std::string(order)];
        EXPECT_EQ(array.dtype(), kind.dtype) << kind.code;
        ASSERT_EQ(array.shape(), (Shape{2, 3, 4}));
        const std::vector<double> values = array.values();
        for (int i = 0; i < 24; ++i)
          EXPECT_EQ(values[static_cast<std::size_t>(i)], std::string(kind.code) == "b1" ? i > 0 : i)
              << kind.code << order << ' ' << i;
      }
    }
  }
}

TEST(Npz, Names_that_cannot_be_are_refused_and_the_file_stays) {
  TemporaryFolder folder;
  const Tensor one{1};
  save_npz(folder / "x.npz", {{"x", one}});
  const std::string before = read_text(folder / "x.npz");
  const auto refused = [&](const Tensors& tensors, const std::string& says) {
    expect_error<ValueError>([&] { save_npz(folder / "x.npz", tensors); }, {says});
  };
  refused({{"a", one}, {"b", one}, {"a", one}}, "'a.npy'");
  refused({{"arr_1", one}, {one}}, "'arr_1.npy'");
  refused({{"\xff", one}}, "UTF-8");
  refused({{std::string("a\0b", 3), one}}, "zero byte");
  refused({{std::string(65'000, 'x'), one}}, "65000 bytes");
  const float element = 1;
  const TensorView elsewhere = TensorView::of(&element, {1}, "cuda");
  expect_error<DeviceError>([&] { save_npz(folder / "x.npz", {{"x", elsewhere}}); }, {"save_npz"});
  EXPECT_EQ(read_text(folder / "x.npz"), before);
  const std::string longest(64'996, 'x');
  save_npz(folder / "x.npz", {{longest, one}});
  EXPECT_EQ(load_npz(folder / "x.npz")[longest].item(), 1);
}

TEST(Npz, Members_are_stored_or_deflated_arrays_and_nothing_else) {
  EXPECT_EQ(loaded_npz(zip_of({{.name = "a.npy", .bytes = array_of(3)}}))["a"](0), 3);
  expect_refused(zip_of({{.name = "a.txt", .bytes = "text"}}), {"holds 'a.txt'", "NAME.npy"});
  expect_refused(zip_of({{.name = "folder/"}}), {"holds 'folder/'"});
  expect_refused(zip_of({{.name = "a.npy", .bytes = "text"}}),
                 {"member 'a.npy'", "is not a sound .npy file"});
  expect_refused(zip_of({{.name = "a.npy", .bytes = array_of(3), .method = 12}}), {"is packed by method 12"});
  expect_refused(zip_of({{.name = "a.npy", .bytes = array_of(3), .flags = 1}}), {"is encrypted"});
  expect_refused(zip_of({{.name = "a.npy", .bytes = array_of(3)}, {.name = "a.npy", .bytes = array_of(4)}}),
                 {"two members are named 'a.npy'"});
  expect_refused("no archive at all", {"is not a sound zip archive"});
  expect_refused("", {"is not a sound zip archive"});
  TemporaryFolder folder;
  expect_error<FileError>([&] { load_npz(folder / "none.npz"); }, {"none.npz", "No such file"});
  expect_error<FileError>([&] { load_npz("/dev/null"); }, {"not a regular file"});
}

TEST(Npz, Checksums_and_sizes_are_checked) {
  ZipPart part{.name = "a.npy", .bytes = array_of(3)};
  part.checksum_change = 1;
  expect_refused(zip_of({part}), {"member 'a.npy'", "CRC"});
  for (const int change :
       {-1, 1}) {  // of a member that is stored, with both sizes wrong alike, and of one alone
    part = {.name = "a.npy", .bytes = array_of(3), .size_change = change};
    EXPECT_THROW(loaded_npz(zip_of({part})), FileError);
    part.packed_size_change = change;
    EXPECT_THROW(loaded_npz(zip_of({part})), FileError);
  }
}

TEST(Npz, Bombs_are_refused_by_what_they_promise) {
  ZipPart part{.name = "a.npy", .bytes = array_of(3), .method = 8};
  part.size_change = std::int64_t{1} << 31;
  expect_refused(zip_of({part}), {"would unpack to more than 2684"});
  part.size_change = std::int64_t{100} << 20;  // each is small enough
  const ZipPart second{.name = "b.npy", .bytes = part.bytes, .method = 8, .size_change = part.size_change};
  const ZipPart third{.name = "c.npy", .bytes = part.bytes, .method = 8, .size_change = part.size_change};
  expect_refused(zip_of({part, second, third}), {"would unpack to more than 2684"});
}

TEST(Npz, Sizes_may_have_64_bits) {
  for (const int method : {0, 8}) {
    ZipPart part{.name = "a.npy", .bytes = array_of(3), .method = method, .wide = true};
    EXPECT_EQ(loaded_npz(zip_of({part}))["a"](0), 3);
    part.size_change = std::int64_t{1} << 40;
    expect_refused(zip_of({part}), {"would unpack to more than 2684"});
    part.size_change = 0, part.packed_size_change = std::int64_t{1} << 40;
    EXPECT_THROW(loaded_npz(zip_of({part})), FileError);
  }
}

TEST(Npz, Members_that_overlap_are_refused) {
  std::vector<ZipPart> parts;
  for (const char* name : {"a.npy", "b.npy", "c.npy", "d.npy"})
    parts.push_back({.name = name, .bytes = npy(header_of("'|u1'", "(4096,)"), std::string(4096, '\1'))});
  EXPECT_EQ(loaded_npz(zip_of(parts)).size(), 4u);
  expect_refused(zip_of(parts, /*overlap=*/true), {"members take more than its"});
}

TEST(Npz, Damage_anywhere_gives_an_error_or_the_same_elements) {
  TemporaryFolder folder;
  for (const bool compressed : {false, true}) {
    save_npz(folder / "x.npz", {{"x", Tensor{{1, 2}, {3, 4}}}, {"y", Tensor::arange(3, DType::int64)}},
             {.compressed = compressed});
    const NamedTensors sound = load_npz(folder / "x.npz");
    int refused = 0;
    for_each_damage(read_text(folder / "x.npz"), [&](const std::string& damaged) {
      try {
        const NamedTensors back = loaded_npz(damaged);
        if (back.empty()) return;  // where the list of members is cut off, an archive may be an empty one
        ASSERT_EQ(back.size(), sound.size());
        for (std::size_t i = 0; i < back.size(); ++i) expect_same(back[i].tensor, sound[i].tensor);
      } catch (const Error&) {
        ++refused;
      }
    });
    EXPECT_GT(refused, 2000);
  }
}

#else

TEST(Npz, Without_libzip_the_error_says_what_to_install) {
  TemporaryFolder folder;
  expect_error<FileError>([&] { save_npz(folder / "x.npz", {Tensor{1}}); },
                          {"built without libzip", "libzip-dev"});
  expect_error<FileError>([&] { load_npz(folder / "x.npz"); }, {"built without libzip", "libzip-dev"});
}

#endif

}  // namespace
}  // namespace glia
