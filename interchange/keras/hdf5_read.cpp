// HDF5, read: nothing is believed that the file's length does not bear out.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "host/base/escaped.h"
#include "interchange/keras/hdf5.h"
#include "interchange/keras/hdf5_attributes.h"

namespace glia::keras {
namespace {

/// What datasets may unpack to, all that are read together: as zip archives (host/io/zip.h).
constexpr std::uint64_t max_unpacked_bytes(std::uint64_t file_bytes) {
  return (std::uint64_t{256} << 20) + 100 * file_bytes;
}
constexpr int deepest = 64;
constexpr std::size_t most_datasets = 200'000;

/// Whether the superblock, of version 0 or 1, names a block for the driver, of whose size HDF5's library takes the file's word. Only
/// files in several parts have one.
bool has_driver_block(const std::string& image) {
  const auto byte = [&](std::size_t i) {
    return i < image.size() ? static_cast<unsigned char>(image[i]) : 0xFFu;
  };
  const std::size_t version = byte(8), width = byte(13), first = 24 + 4 * version + 3 * width;
  for (std::size_t i = first; version <= 1 && i < first + width; ++i)
    if (byte(i) != 0xFF) return true;
  return false;
}

Handle opened(const std::string& bytes) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr std::size_t increment = std::size_t{1} << 16;
  // The driver keeps a copy of its own, and changes nothing of these.
  if (!access || H5Pset_fapl_core(access, increment, 0) < 0 ||
      H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
      H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size()) < 0)
    throw OutOfMemoryError("no memory to open an HDF5 file; close other programs");
  static std::uint64_t count = 0;  // under the lock
  return {H5Fopen(("glia-keras-read-" + std::to_string(++count)).c_str(), H5F_ACC_RDONLY, access), H5Fclose};
}

/// What HDF5 says went wrong, innermost; empty where it says nothing.
std::string problem() {
  std::string said;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
        auto& innermost = *static_cast<std::string*>(text);
        if (innermost.empty() && error->desc) innermost = error->desc;
        return 0;
      },
      &said);
  H5Eclear2(H5E_DEFAULT);
  return said.empty() ? "" : " (" + detail::escaped(said) + ')';
}

/// float16, float32 or float64 of IEEE 754, in either order of bytes.
bool is_float(hid_t type) {
  if (H5Tget_class(type) != H5T_FLOAT) return false;
  for (const hid_t known : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE})
    if (H5Tequal(type, known) > 0) return true;
  for (const hid_t wide : {H5T_IEEE_F32LE, H5T_IEEE_F32BE}) {
    const Handle half(H5Tcopy(wide), H5Tclose);
    if (H5Tset_fields(half, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(half, 2) >= 0 &&
        H5Tset_ebias(half, 15) >= 0 && H5Tequal(type, half) > 0)
      return true;
  }
  return false;
}

struct Names {
  std::vector<std::string> all;
  bool is_full = false;
};

}  // namespace

Hdf5Reader::Hdf5Reader(std::string bytes, std::string name)
    : name_(std::move(name)),
      image_(std::move(bytes)),
      bytes_(image_.size()),
      file_(is_hdf5(image_) && !has_driver_block(image_) ? opened(image_) : Handle(-1, H5Fclose)) {
  if (is_hdf5(image_) && has_driver_block(image_))
    throw FileError(name_ +
                    " is one of the parts of an HDF5 file, expected one that is whole; save the model again");
  if (!file_)
    throw FileError(detail::concat(name_, " is not a sound HDF5 file",
                                   is_hdf5(image_) ? problem() : ", which begins with \\x89HDF",
                                   "; get the file, or save it, again"));
}

void Hdf5Reader::fail(const std::string& path, const std::string& problem) const {
  throw FileError(detail::concat(name_, ": '", detail::escaped(path, 120), "' ", problem));
}

Hdf5Reader::Kind Hdf5Reader::kind_of(const std::string& path) const {
  if (path.empty() || path == "/") return Kind::group;
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    H5L_info_t link;
    if (H5Lget_info(file_, part.c_str(), &link, H5P_DEFAULT) < 0) {
      H5Eclear2(H5E_DEFAULT);
      return Kind::none;
    }
    if (link.type != H5L_TYPE_HARD)
      fail(
          part,
          "is a link to another place, expected a group or dataset of the file itself; save the model again");
    if (end == std::string::npos) break;
  }
  H5O_info_t info;
  if (H5Oget_info_by_name(file_, path.c_str(), &info, H5P_DEFAULT) < 0) fail(path, "is damaged" + problem());
  return info.type == H5O_TYPE_GROUP     ? Kind::group
         : info.type == H5O_TYPE_DATASET ? Kind::dataset
                                         : Kind::none;
}

Handle Hdf5Reader::group(const std::string& path) const {
  Handle group(H5Gopen2(file_, path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Gclose);
  if (!group) fail(path, "is no sound group" + problem());
  return group;
}

Handle Hdf5Reader::dataset(const std::string& path) const {
  if (kind_of(path) != Kind::dataset) fail(path, "is not in it, or no dataset");
  Handle dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) fail(path, "is no sound dataset" + problem());
  return dataset;
}

void Hdf5Reader::list(const std::string& path, int depth, std::vector<std::string>& names) const {
  if (depth > deepest) fail(path, detail::concat("lies more than ", deepest, " groups deep"));
  Names found;
  hsize_t next = 0;
  const auto note = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    try {
      auto& names = *static_cast<Names*>(into);
      if ((names.is_full = names.all.size() >= most_datasets)) return 1;
      names.all.emplace_back(name);
      return 0;
    } catch (const std::exception&) {  // which may not pass through C
      return -1;
    }
  };
  const Handle here = group(path);
  if (H5Literate(here, H5_INDEX_NAME, H5_ITER_INC, &next, note, &found) < 0)
    fail(path, "is damaged" + problem());
  if (found.is_full || names.size() > most_datasets)
    fail(path, detail::concat("has more than ", most_datasets, " members"));
  for (const std::string& name : found.all) {
    const std::string member = path.empty() ? name : path + '/' + name;
    const Kind kind = kind_of(member);
    if (kind == Kind::dataset) names.push_back(member);
    if (kind == Kind::group) list(member, depth + 1, names);
    if (names.size() > most_datasets)
      fail(path, detail::concat("has more than ", most_datasets, " datasets"));
  }
}

std::vector<std::string> Hdf5Reader::datasets(const std::string& path) const {
  std::vector<std::string> names;
  list(path, 0, names);
  return names;
}

Shape Hdf5Reader::checked_shape(hid_t dataset, const std::string& path) const {
  const Handle space(H5Dget_space(dataset), H5Sclose), type(H5Dget_type(dataset), H5Tclose);
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!space || !type || !creation) fail(path, "is damaged" + problem());
  const H5D_layout_t layout = H5Pget_layout(creation);
  if ((layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) ||
      H5Pget_external_count(creation) != 0)
    fail(path,
         "lies in other files, or is made of other datasets, expected its own numbers; save the model again");
  const int rank = H5Sget_simple_extent_ndims(space);
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (rank < 0 || rank > Shape::max_rank || (kind != H5S_SIMPLE && kind != H5S_SCALAR))
    fail(path, detail::concat("has ", rank, " dimensions, expected at most ", Shape::max_rank));
  std::array<hsize_t, Shape::max_rank> sizes{};
  if (rank > 0 && H5Sget_simple_extent_dims(space, sizes.data(), nullptr) < 0)
    fail(path, "is damaged" + problem());
  const std::uint64_t most = max_unpacked_bytes(bytes_);
  std::uint64_t bytes = std::max<std::uint64_t>(H5Tget_size(type), 1);
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    const hsize_t size = sizes[static_cast<std::size_t>(axis)];
    if (size > most || __builtin_mul_overflow(bytes, size, &bytes)) bytes = most + 1;
    shape.push_back(static_cast<std::int64_t>(std::min<hsize_t>(size, most)));
  }
  // Contiguous numbers lie in the file as they are; packed ones are at most some thousand times as many.
  const std::uint64_t stored = H5Dget_storage_size(dataset);
  const std::uint64_t believed =
      layout == H5D_CHUNKED ? 1'100 * std::min(stored, bytes_) : std::min(stored, bytes_);
  if (bytes > most || bytes > believed)
    fail(path, detail::concat("says to be ", shape, ", which is more than a file of ", bytes_,
                              " bytes can hold; get the file, or save it, again"));
  return shape;
}

Shape Hdf5Reader::shape(const std::string& path) const { return checked_shape(dataset(path), path); }

Tensor Hdf5Reader::read(const std::string& path, DType dtype) const {
  const Handle from = dataset(path);
  const Shape shape = checked_shape(from, path);
  const Handle type(H5Dget_type(from), H5Tclose);
  if (!type || !is_float(type))
    fail(path,
         "holds no floating-point numbers of 16, 32 or 64 bits, as weights are; save the model in float32");
  // Chunks are unpacked whole, however few of their numbers there are.
  const Handle creation(H5Dget_create_plist(from), H5Pclose);
  if (H5Pget_layout(creation) == H5D_CHUNKED) {
    std::array<hsize_t, H5S_MAX_RANK> sizes{};
    const int rank = H5Pget_chunk(creation, static_cast<int>(sizes.size()), sizes.data());
    std::uint64_t chunk = H5Tget_size(type);
    for (int axis = 0; axis < rank; ++axis)
      if (__builtin_mul_overflow(chunk, sizes[static_cast<std::size_t>(axis)], &chunk))
        chunk = max_unpacked_bytes(bytes_) + 1;
    if (rank != shape.rank() || chunk > max_unpacked_bytes(bytes_))
      fail(path, "has chunks that are larger than the file can hold");
  }
  Tensor tensor = Tensor::uninitialized(shape, dtype);
  read_ += static_cast<std::uint64_t>(tensor.bytes());
  if (read_ > 2 * max_unpacked_bytes(bytes_))
    fail(path, detail::concat("comes behind ", read_, " bytes of others, more than such a file is to hold"));
  const hid_t wanted = dtype == DType::float64 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  if (tensor.bytes() > 0 && H5Dread(from, wanted, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.raw()) < 0)
    fail(path, "cannot be read" + problem() + "; get the file, or save it, again");
  return tensor;
}

std::int64_t Hdf5Reader::read_whole(const std::string& path) const {
  const Handle from = dataset(path);
  const Handle type(H5Dget_type(from), H5Tclose);
  if (checked_shape(from, path).elements() != 1 || !type || H5Tget_class(type) != H5T_INTEGER ||
      H5Tget_size(type) > 8)
    fail(path, "is not one whole number");
  std::int64_t value = 0;
  if (H5Dread(from, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) < 0)
    fail(path, "cannot be read" + problem());
  return value;
}

std::optional<std::vector<std::string>> Hdf5Reader::found_texts(const std::string& path,
                                                                const std::string& attribute) const {
  const std::string place = path.empty() ? "/" : path;
  H5O_info_t info;
  if (kind_of(path) == Kind::none || H5Oget_info_by_name(file_, place.c_str(), &info, H5P_DEFAULT) < 0)
    fail(path, "is not in it, or damaged" + problem());
  try {
    return text_attribute(image_, info.addr, attribute);
  } catch (const ValueError& error) {
    fail(path + '@' + attribute, error.what());
  }
}

bool Hdf5Reader::has_attribute(const std::string& path, const std::string& attribute) const {
  return found_texts(path, attribute).has_value();
}

std::vector<std::string> Hdf5Reader::texts(const std::string& path, const std::string& attribute) const {
  std::optional<std::vector<std::string>> texts = found_texts(path, attribute);
  if (!texts) fail(path + '@' + attribute, "is not in it");
  return *std::move(texts);
}

}  // namespace glia::keras
