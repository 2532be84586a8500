// HDF5: what reading and writing have in common, and writing. Reading is in hdf5_read.cpp.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/hdf5.h"

#include <glia/error.h>

#include <algorithm>
#include <array>

namespace glia::keras {
namespace {

/// HDF5's library has one state for the whole process.
std::recursive_mutex& library() {
  static std::recursive_mutex mutex;
  return mutex;
}

/// Names that no two files in memory share.
std::string fresh_name() {
  static std::uint64_t count = 0;  // under the lock
  return "glia-keras-" + std::to_string(++count);
}

void expect_made(bool made) {
  if (!made) throw OutOfMemoryError("no memory to put an HDF5 file together; close other programs");
}

Handle properties(hid_t kind) { return {H5Pcreate(kind), H5Pclose}; }

Handle new_file() {
  const Handle access = properties(H5P_FILE_ACCESS), creation = properties(H5P_FILE_CREATE);
  constexpr std::size_t increment = std::size_t{1} << 20;
  expect_made(access && creation && H5Pset_fapl_core(access, increment, 0) >= 0 &&
              H5Pset_obj_track_times(creation, false) >= 0);
  return {H5Fcreate(fresh_name().c_str(), H5F_ACC_TRUNC, creation, access), H5Fclose};
}

}  // namespace

Hdf5Lock::Hdf5Lock() : guard_(library()) {
  H5open();
  H5Eget_auto2(H5E_DEFAULT, &print_, &printed_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}
Hdf5Lock::~Hdf5Lock() {
  H5Eclear2(H5E_DEFAULT);
  H5Eset_auto2(H5E_DEFAULT, print_, printed_);
}

bool is_hdf5(const std::string& bytes) { return bytes.compare(0, 8, "\x89HDF\r\n\x1a\n") == 0; }

Hdf5Writer::Hdf5Writer() : file_(new_file()) { expect_made(static_cast<bool>(file_)); }

void Hdf5Writer::group(const std::string& path) {
  const Handle linking = properties(H5P_LINK_CREATE), creation = properties(H5P_GROUP_CREATE);
  expect_made(linking && creation && H5Pset_create_intermediate_group(linking, 1) >= 0 &&
              H5Pset_obj_track_times(creation, false) >= 0);
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string around = path.substr(0, end);
    if (H5Lexists(file_, around.c_str(), H5P_DEFAULT) <= 0) {
      const Handle made(H5Gcreate2(file_, around.c_str(), linking, creation, H5P_DEFAULT), H5Gclose);
      expect_made(static_cast<bool>(made));
    }
    if (end == std::string::npos) return;
  }
}

void Hdf5Writer::attribute(const std::string& path, const std::string& attribute, const std::string& text) {
  const Handle object(H5Oopen(file_, path.c_str(), H5P_DEFAULT), H5Oclose), type(H5Tcopy(H5T_C_S1), H5Tclose);
  expect_made(object && type && H5Tset_size(type, std::max<std::size_t>(text.size(), 1)) >= 0 &&
              H5Tset_cset(type, H5T_CSET_UTF8) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle made(H5Acreate2(object, attribute.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  expect_made(made && H5Awrite(made, type, text.c_str()) >= 0);
}

void Hdf5Writer::dataset(const std::string& path, const TensorView& values) {
  write(path, values.shape(), values.dtype() == DType::float64 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE,
        values.raw());
}
void Hdf5Writer::dataset(const std::string& path, std::int32_t value) {
  write(path, {}, H5T_STD_I32LE, &value);
}

void Hdf5Writer::write(const std::string& path, const Shape& shape, hid_t type, const void* data) {
  group(path.substr(0, path.rfind('/')));
  std::array<hsize_t, Shape::max_rank> sizes{};
  for (int axis = 0; axis < shape.rank(); ++axis)
    sizes[static_cast<std::size_t>(axis)] = static_cast<hsize_t>(shape[axis]);
  const Handle space(
      shape.rank() == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(shape.rank(), sizes.data(), nullptr),
      H5Sclose);
  const Handle creation = properties(H5P_DATASET_CREATE);
  expect_made(space && creation && H5Pset_obj_track_times(creation, false) >= 0);
  const Handle made(H5Dcreate2(file_, path.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT),
                    H5Dclose);
  const bool is_empty = shape.rank() > 0 && shape.elements() == 0;
  expect_made(made && (is_empty || H5Dwrite(made, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0));
}

std::string Hdf5Writer::bytes() {
  expect_made(H5Fflush(file_, H5F_SCOPE_GLOBAL) >= 0);
  const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
  expect_made(size > 0);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  expect_made(H5Fget_file_image(file_, bytes.data(), bytes.size()) == size);
  return bytes;
}

}  // namespace glia::keras
