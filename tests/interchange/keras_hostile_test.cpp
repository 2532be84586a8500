// Files that lie, in the place of Keras's: each is a FileError, whatever they promise, and memory stays in proportion to them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/keras.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "interchange/keras/hdf5.h"
#include "tests/expect_error.h"
#include "tests/interchange/keras_golden.h"
#include "tests/temporary_folder.h"
#include "tests/zip_bytes.h"

namespace glia {
namespace {

using keras::Handle;
using test::expect_error;
using test::golden_file;
using test::loaded;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;
using testing::zip_of;
using testing::ZipPart;

/// An HDF5 file with layers/dense/vars, and in it what `fill` makes of 0, which is to be a kernel (3, 2).
std::string weights_with(const std::function<void(hid_t vars)>& fill) {
  TemporaryFolder folder;
  const std::string path = folder / "x.h5";
  {
    const keras::Hdf5Lock lock;
    const Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links, 1);
    const Handle vars(H5Gcreate2(file, "layers/dense/vars", links, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    fill(vars);
  }
  return read_text(path);
}

Handle dataset(hid_t vars, const std::vector<hsize_t>& sizes, hid_t type = H5T_IEEE_F32LE,
               hid_t creation = H5P_DEFAULT) {
  const Handle space(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose);
  return {H5Dcreate2(vars, "0", type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose};
}

void expect_refused(const std::string& bytes, const std::vector<std::string>& says) {
  TemporaryFolder folder;
  write_text(folder / "x.weights.h5", bytes);
  Sequential model{Dense(2, {.use_bias = false, .input_shape = {3}})};
  model.build({3});
  expect_error<FileError>([&] { keras::load_weights(model, folder / "x.weights.h5"); }, says);
}

TEST(KerasHostile, Links_to_other_places_are_refused) {
  expect_refused(weights_with([](hid_t vars) {
                   H5Lcreate_external("/etc/passwd", "/x", vars, "0", H5P_DEFAULT, H5P_DEFAULT);
                 }),
                 {"vars/0", "is a link to another place"});
  expect_refused(
      weights_with([](hid_t vars) { H5Lcreate_soft("/layers", vars, "0", H5P_DEFAULT, H5P_DEFAULT); }),
      {"is a link to another place"});
  expect_refused(
      weights_with([](hid_t vars) { H5Lcreate_soft("/nowhere", vars, "0", H5P_DEFAULT, H5P_DEFAULT); }),
      {"is a link to another place"});
  expect_refused(weights_with([](hid_t vars) {
                   H5Lcreate_hard(vars, "/layers", vars, "loop", H5P_DEFAULT, H5P_DEFAULT);
                 }),
                 {"more than 64 groups deep"});
}

TEST(KerasHostile, Datasets_that_lie_elsewhere_are_refused) {
  expect_refused(weights_with([](hid_t vars) {
                   const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                   H5Pset_external(creation, "/etc/passwd", 0, 24);
                   dataset(vars, {3, 2}, H5T_IEEE_F32LE, creation);
                 }),
                 {"lies in other files"});
  expect_refused(weights_with([](hid_t vars) {
                   const hsize_t sizes[] = {3, 2};
                   const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose),
                       space(H5Screate_simple(2, sizes, nullptr), H5Sclose);
                   H5Pset_virtual(creation, space, "/etc/passwd", "/x", space);
                   dataset(vars, {3, 2}, H5T_IEEE_F32LE, creation);
                 }),
                 {"is made of other datasets"});
}

TEST(KerasHostile, Parts_of_files_are_refused) {
  std::string bytes = weights_with([](hid_t vars) { dataset(vars, {3, 2}); });
  ASSERT_EQ(bytes[8], 0);  // the superblock's version, with which the address of a driver's block lies at 48
  bytes.replace(48, 8, std::string("\x31\0\0\0\0\0\0\0", 8));
  expect_refused(bytes, {"one of the parts"});
}

TEST(KerasHostile, Shapes_that_no_file_holds_are_refused_before_memory_is_asked_for) {
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  expect_refused(weights_with([](hid_t vars) {
                   dataset(vars, {hsize_t{1} << 40, 2});
                 }),
                 {"more than a file of"});
  expect_refused(weights_with([](hid_t vars) {  // never written: all of it would be the fill value
                   const hsize_t chunk[] = {1024, 1024};
                   const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                   H5Pset_chunk(creation, 2, chunk), H5Pset_deflate(creation, 9);
                   dataset(vars, {hsize_t{1} << 35, 1 << 10}, H5T_IEEE_F32LE, creation);
                 }),
                 {"more than a file of"});
  expect_refused(weights_with([](hid_t vars) {  // a chunk of a gigabyte
                   const hsize_t chunk[] = {1 << 14, 1 << 14};
                   const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                   H5Pset_chunk(creation, 2, chunk);
                   dataset(vars, {1 << 14, 1 << 14}, H5T_IEEE_F32LE, creation);
                 }),
                 {"more than a file of"});
  expect_refused(weights_with([](hid_t vars) { dataset(vars, std::vector<hsize_t>(20, 1)); }),
                 {"has 20 dimensions"});
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "kilobytes";
}

TEST(KerasHostile, Numbers_of_other_kinds_are_refused) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  for (const hid_t type : {H5T_STD_I32LE, H5T_STD_U8LE, H5T_NATIVE_LDOUBLE})
    expect_refused(weights_with([&](hid_t vars) {
                     const Handle made = dataset(vars, {3, 2}, type);
                     H5Dwrite(made, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
                   }),
                   {"no floating-point numbers"});
}

TEST(KerasHostile, Numbers_of_every_floating_point_kind_are_read) {
  const float values[6] = {1, 2, 3, 4, 5, 6};
  TemporaryFolder folder;
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE})
    for (const bool packed : {false, true}) {
      write_text(folder / "x.weights.h5", weights_with([&](hid_t vars) {
                   const hsize_t chunk[] = {2, 2};
                   const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
                   if (packed)
                     H5Pset_chunk(creation, 2, chunk), H5Pset_shuffle(creation), H5Pset_deflate(creation, 5);
                   const Handle made = dataset(vars, {3, 2}, type, creation);
                   H5Dwrite(made, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
                 }));
      Sequential model{Dense(2, {.use_bias = false, .input_shape = {3}})};
      model.build({3});
      keras::load_weights(model, folder / "x.weights.h5");
      EXPECT_EQ(model.get_weights()[0].values(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
    }
}

TEST(KerasHostile, Archives_that_lack_members_or_promise_too_much_are_refused) {
  const auto refused = [](const std::vector<ZipPart>& parts, const std::vector<std::string>& says) {
    expect_error<FileError>([&] { loaded(zip_of(parts)); }, says);
  };
  refused({{.name = "x.txt", .bytes = "x"}}, {"no member 'metadata.json'"});
  refused({{.name = "metadata.json", .bytes = "{}"}, {.name = "config.json", .bytes = "{}"}},
          {"no member 'model.weights.h5'"});
  refused({{.name = "metadata.json", .bytes = "{}"}, {.name = "config.json", .bytes = "[1"}},
          {"config.json is not JSON"});
  refused({{.name = "metadata.json", .bytes = "{}"},
           {.name = "config.json", .bytes = "{}"},
           {.name = "model.weights.h5", .bytes = "text"}},
          {"model.weights.h5", "is not a sound HDF5 file"});
  refused({{.name = "metadata.json", .bytes = "{}"},
           {.name = "config.json",
            .bytes = "{}",
            .method = 8,
            .wide = true,
            .size_change = std::int64_t{1} << 33}},
          {"would unpack to more than"});
  expect_error<FileError>([] { loaded("no file of Keras's"); }, {"is no file of Keras's"});
  expect_error<FileError>([] { loaded(""); }, {"has 0 bytes"});
  expect_error<FileError>([] { keras::load("/nowhere/x.keras"); }, {"/nowhere/x.keras"});
}

/// Weights larger than the file, and graphs deeper than the stack, asked for by a config.
TEST(KerasHostile, Models_larger_than_their_files_are_refused) {
  const std::string weights = weights_with([](hid_t vars) { dataset(vars, {3, 2}); });
  const auto refused = [&](const std::string& config) {
    EXPECT_THROW(loaded(zip_of({{.name = "metadata.json", .bytes = "{}"},
                                {.name = "config.json", .bytes = config},
                                {.name = "model.weights.h5", .bytes = weights}})),
                 FileError)
        << config.substr(0, 100);
  };
  const std::string input =
      R"({"class_name": "InputLayer", "config": {"batch_shape": [null, 2000000000], "name": "x"}},)";
  refused(R"({"class_name": "Sequential", "config": {"name": "s", "layers": [)" + input +
          R"({"class_name": "Dense", "config": {"name": "dense", "units": 2000000000}}]}})");
  refused(
      R"({"class_name": "Functional", "config": {"name": "s", "layers": [{"class_name": "Dense", "config": {"units": 2}, "name": "d", "inbound_nodes": [[["d", 0, 0, {}]]]}], "input_layers": [], "output_layers": [["d", 0, 0]]}})");
  refused(
      R"({"class_name": "Functional", "config": {"name": "s", "layers": [], "input_layers": [["x", 0]], "output_layers": {}}})");
  std::string deep = R"({"class_name": "Dense", "config": {"units": 1}})";
  for (int i = 0; i < 60; ++i)
    deep = R"({"class_name": "Sequential", "config": {"name": "s", "layers": [)" + deep + "]}}";
  refused(deep);
}

TEST(KerasHostile, Files_that_are_cut_off_are_refused) {
  for (const char* file : {"keras_2_chain.h5", "keras_3_trained.keras"}) {
    const std::string whole = golden_file(file);
    for (std::size_t length = 0; length < whole.size(); length += 97)
      EXPECT_THROW(loaded(whole.substr(0, length), false), FileError) << file << ' ' << length;
  }
}

/// Of a .keras file: checksums tell all. Of an .h5 file, which has none, a number may be another; nothing else comes out, nor is
/// anything printed.
TEST(KerasHostile, Damage_anywhere_gives_an_error_or_a_model) {
  struct Case {
    const char* file;
    std::size_t step;
  };
  for (const auto& [file, step] : {Case{"keras_3_trained.keras", 401}, Case{"keras_2_chain.h5", 173}}) {
    std::string bytes = golden_file(file);
    int refused = 0;
    ::testing::internal::CaptureStderr();
    const LogHandler before = set_log_handler([](LogLevel, const std::string&) {});
    for (std::size_t at = 0; at < bytes.size(); at += step)
      for (const char change : {'\x01', '\x80', '\xff'}) {
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        try {
          loaded(bytes, false);
        } catch (const Error&) {
          ++refused;
        }
        bytes[at] = static_cast<char>(bytes[at] ^ change);
      }
    set_log_handler(before);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_GT(refused, 50) << file;
  }
}

TEST(KerasHostile, Threads_load_at_once) {
  std::vector<std::thread> threads;
  std::vector<std::string> errors(4);
  const std::string bytes = golden_file("keras_3_trained.keras");
  TemporaryFolder folder;
  write_text(folder / "x.keras", bytes);
  for (std::string& error : errors)
    threads.emplace_back([&] {
      try {
        for (int i = 0; i < 5; ++i) keras::load(folder / "x.keras", {.device = Device::cpu()});
      } catch (const std::exception& thrown) {
        error = thrown.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST(KerasHostile, Printing_of_errors_is_the_application_s_as_before) {
  H5E_auto2_t before = nullptr, after = nullptr;
  void *data = nullptr, *other = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  EXPECT_THROW(loaded("\x89HDF\r\n\x1a\n and no more"), FileError);
  H5Eget_auto2(H5E_DEFAULT, &after, &other);
  EXPECT_EQ(before, after);
  EXPECT_NE(after, nullptr);
}

}  // namespace
}  // namespace glia
