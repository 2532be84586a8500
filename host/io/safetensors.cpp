// Saving and loading safetensors files: eight bytes of header size, the header, and the tensors' bytes.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/safetensors.h"

#include <glia/error.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <list>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "host/data/sha256.h"
#include "host/io/atomic_file.h"         // defines: write_file_atomically, Bytes
#include "host/io/halves.h"              // defines: stored_bytes, widen
#include "host/io/input_file.h"          // defines: InputFile
#include "host/io/safetensors_header.h"  // defines: parse_safetensors_header, make_safetensors_header

namespace glia::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

using HeaderSize = std::uint64_t;

/// As what a tensor stands in the file.
const StoredDType& stored_dtype(const NamedView& view) {
  const DType dtype = view.tensor.dtype();
  if (view.as == StoredAs::float16 && is_floating(dtype)) return stored_float16;
  if (view.as == StoredAs::bfloat16 && is_floating(dtype)) return stored_bfloat16;
  const bool changes = is_floating(dtype) && view.as != StoredAs::same;
  const DType wanted = !changes ? dtype : view.as == StoredAs::float64 ? DType::float64 : DType::float32;
  for (const StoredDType& stored : stored_dtypes)
    if (stored.dtype == wanted) return stored;
  throw ValueError("a tensor carries an unknown dtype: its memory was overwritten");
}

/// Names and shapes, and the tensors themselves, in the order of the file.
std::vector<const NamedView*> in_file_order(const std::vector<NamedView>& tensors) {
  std::vector<const NamedView*> order;
  for (const NamedView& view : tensors) {
    GLIA_CHECK(view.tensor.device().is_cpu(), DeviceError, "tensor '", view.name, "' is on ",
               view.tensor.device(), ", and only tensors on the CPU are saved; copy it with .to(\"cpu\")");
    order.push_back(&view);
  }
  std::sort(order.begin(), order.end(), [](const NamedView* a, const NamedView* b) {
    const auto width_a = stored_dtype(*a).bytes, width_b = stored_dtype(*b).bytes;
    return width_a != width_b ? width_a > width_b : a->name < b->name;
  });
  return order;
}

void check_names(const std::vector<NamedView>& tensors) {
  std::vector<std::string_view> names;
  for (const NamedView& view : tensors) names.push_back(view.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  GLIA_CHECK(twice == names.end(), ValueError, "two tensors to be saved are named '", *twice,
             "'; give each a name of its own");
}

constexpr std::size_t digits_of_checksum = 64;

/// Where the digits of a header's checksum begin; npos where it has none, or not as it is written here.
std::size_t place_of_checksum(const std::string& json) {
  const std::string before = std::string("\"") + checksum_key + "\":\"";
  const std::size_t found = json.find(before);
  const std::size_t at = found == json.npos ? found : found + before.size();
  return found == json.npos || at + digits_of_checksum >= json.size() ? json.npos : at;
}

void save(const std::string& path, const std::vector<NamedView>& tensors, const Metadata& metadata,
          Checksum checksum) {
  check_names(tensors);
  const std::vector<const NamedView*> order = in_file_order(tensors);
  SafetensorsHeader header{.tensors = {}, .metadata = metadata};
  if (checksum == Checksum::sha256) header.metadata[checksum_key] = std::string(digits_of_checksum, '0');
  std::vector<Bytes> parts(2);  // the header's size and the header come first
  std::list<std::vector<std::byte>> converted;
  std::uint64_t end = 0;
  for (const NamedView* view : order) {
    const TensorView& tensor = view->tensor;
    const StoredDType& stored = stored_dtype(*view);
    const auto bytes = static_cast<std::size_t>(tensor.shape().elements() * stored.bytes);
    header.tensors.push_back({view->name, &stored, tensor.shape(), end, end + bytes});
    parts.push_back({static_cast<const std::byte*>(tensor.raw()), bytes});
    if (stored.bytes != size_of(tensor.dtype()))
      parts.back() = converted.emplace_back(stored_bytes(tensor, stored));
    end += bytes;
  }
  std::string json = make_safetensors_header(header);
  const HeaderSize json_bytes = json.size();
  GLIA_CHECK(
      json_bytes <= max_safetensors_header &&
          tensors.size() + metadata.size() <= max_safetensors_entries(sizeof(json_bytes) + json_bytes + end),
      ValueError, "'", path, "' would have ", tensors.size(), " tensors, ", metadata.size(),
      " pairs of metadata and a header of ", json_bytes, " bytes, more than a safetensors file of ", end,
      " bytes of data may have; save fewer tensors or less metadata");
  parts[0] = std::as_bytes(std::span(&json_bytes, 1));
  parts[1] = std::as_bytes(std::span(json));
  if (checksum == Checksum::sha256) {
    detail::Sha256 hash;
    for (const Bytes part : std::span(parts).subspan(1)) hash.update(part.data(), part.size());
    json.replace(place_of_checksum(json), digits_of_checksum, hash.hex());
  }
  write_file_atomically(path, parts);
}

SafetensorsHeader read_header(const InputFile& file, std::string& json) {
  HeaderSize json_bytes = 0;
  GLIA_CHECK(file.size() >= sizeof(json_bytes), FileError, "'", file.path(), "' has ", file.size(),
             " bytes, and a safetensors file at least 10; it is truncated or of another kind");
  file.read(0, &json_bytes, sizeof(json_bytes));
  GLIA_CHECK(json_bytes <= max_safetensors_header && json_bytes <= file.size() - sizeof(json_bytes),
             FileError, "'", file.path(), "' names, at offset 0, a header of ", json_bytes,
             " bytes, where the file has ", file.size(), " and a header at most ", max_safetensors_header,
             "; it is truncated or not a safetensors file");
  json.resize(json_bytes);
  file.read(sizeof(json_bytes), json.data(), json.size());
  return parse_safetensors_header(file.path(), json, file.size());
}

/// Compares a file with the checksum that it says.
class Checking {
 public:
  Checking(const InputFile& file, std::string header, std::string said)
      : path_(file.path()), said_(std::move(said)) {
    const std::size_t at = place_of_checksum(header);
    if (at != header.npos) header.replace(at, digits_of_checksum, digits_of_checksum, '0');
    hash_.update(header.data(), header.size());
  }
  void update(const void* bytes, std::size_t count) { hash_.update(bytes, count); }
  void finish() {
    GLIA_CHECK(hash_.hex() == said_, FileError, "'", path_,
               "' has another checksum than it says: it was damaged or changed since it was saved; get the "
               "file, or save it, again");
  }

 private:
  std::string path_, said_;
  detail::Sha256 hash_;
};

std::vector<NamedTensor> load(const std::string& path, Metadata* metadata) {
  const InputFile file(path);
  std::string json;
  SafetensorsHeader header = read_header(file, json);
  const std::uint64_t data_start = sizeof(HeaderSize) + json.size();
  std::optional<Checking> checking;
  if (const auto said = header.metadata.find(checksum_key); said != header.metadata.end())
    checking.emplace(file, json, said->second);
  std::vector<NamedTensor> result;
  result.reserve(header.tensors.size());
  for (TensorEntry& entry : header.tensors) {
    const StoredDType& stored = *entry.stored;
    Tensor tensor = Tensor::uninitialized(entry.shape, stored.dtype);
    const std::size_t bytes = entry.end - entry.begin;
    // Halves are read into the back of their place, from which they grow towards it.
    std::byte* const raw =
        static_cast<std::byte*>(tensor.raw()) + (tensor.bytes() - static_cast<std::int64_t>(bytes));
    file.read(data_start + entry.begin, raw, bytes);
    if (checking) checking->update(raw, bytes);
    if (stored.bytes != size_of(stored.dtype)) widen(tensor, raw, stored);
    result.push_back({std::move(entry.name), std::move(tensor)});
  }
  if (checking) checking->finish();
  if (metadata) *metadata = std::move(header.metadata);
  return result;
}

[[noreturn]] void out_of_memory(const char* doing, const std::string& path) {
  throw OutOfMemoryError(
      detail::concat("out of memory while ", doing, " '", path, "'; close other programs"));
}

}  // namespace

void save_safetensors(const std::string& path, const std::vector<NamedView>& tensors,
                      const Metadata& metadata, Checksum checksum) {
  try {
    save(path, tensors, metadata, checksum);
  } catch (const std::bad_alloc&) {
    out_of_memory("saving", path);
  }
}

std::vector<NamedTensor> load_safetensors(const std::string& path, Metadata* metadata) {
  try {
    return load(path, metadata);
  } catch (const std::bad_alloc&) {
    out_of_memory("loading", path);
  }
}

}  // namespace glia::io
