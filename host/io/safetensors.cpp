// Saving and loading safetensors files: eight bytes of header size, the header, and the tensors' bytes.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/safetensors.h"

#include <glia/error.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "host/io/atomic_file.h"         // defines: write_file_atomically, Bytes
#include "host/io/input_file.h"          // defines: InputFile
#include "host/io/safetensors_header.h"  // defines: parse_safetensors_header, make_safetensors_header

namespace glia::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

using HeaderSize = std::uint64_t;

/// Names and shapes, and the tensors themselves, in the order of the file.
std::vector<const NamedView*> in_file_order(const std::vector<NamedView>& tensors) {
  std::vector<const NamedView*> order;
  for (const NamedView& view : tensors) {
    GLIA_CHECK(view.tensor.device().is_cpu(), DeviceError, "tensor '", view.name, "' is on ",
               view.tensor.device(), ", and only tensors on the CPU are saved; copy it with .to(\"cpu\")");
    order.push_back(&view);
  }
  std::sort(order.begin(), order.end(), [](const NamedView* a, const NamedView* b) {
    const auto width_a = size_of(a->tensor.dtype()), width_b = size_of(b->tensor.dtype());
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

void save(const std::string& path, const std::vector<NamedView>& tensors, const Metadata& metadata) {
  check_names(tensors);
  const std::vector<const NamedView*> order = in_file_order(tensors);
  SafetensorsHeader header{.tensors = {}, .metadata = metadata};
  std::vector<Bytes> parts(2);  // the header's size and the header come first
  std::uint64_t end = 0;
  for (const NamedView* view : order) {
    const TensorView& tensor = view->tensor;
    const auto bytes = static_cast<std::size_t>(tensor.shape().elements() * size_of(tensor.dtype()));
    header.tensors.push_back({view->name, tensor.dtype(), tensor.shape(), end, end + bytes});
    parts.push_back({static_cast<const std::byte*>(tensor.raw()), bytes});
    end += bytes;
  }
  const std::string json = make_safetensors_header(header);
  const HeaderSize json_bytes = json.size();
  GLIA_CHECK(
      json_bytes <= max_safetensors_header &&
          tensors.size() + metadata.size() <= max_safetensors_entries(sizeof(json_bytes) + json_bytes + end),
      ValueError, "'", path, "' would have ", tensors.size(), " tensors, ", metadata.size(),
      " pairs of metadata and a header of ", json_bytes, " bytes, more than a safetensors file of ", end,
      " bytes of data may have; save fewer tensors or less metadata");
  parts[0] = std::as_bytes(std::span(&json_bytes, 1));
  parts[1] = std::as_bytes(std::span(json));
  write_file_atomically(path, parts);
}

SafetensorsHeader read_header(const InputFile& file, std::uint64_t& data_start) {
  HeaderSize json_bytes = 0;
  GLIA_CHECK(file.size() >= sizeof(json_bytes), FileError, "'", file.path(), "' has ", file.size(),
             " bytes, and a safetensors file at least 10; it is truncated or of another kind");
  file.read(0, &json_bytes, sizeof(json_bytes));
  GLIA_CHECK(json_bytes <= max_safetensors_header && json_bytes <= file.size() - sizeof(json_bytes),
             FileError, "'", file.path(), "' names, at offset 0, a header of ", json_bytes,
             " bytes, where the file has ", file.size(), " and a header at most ", max_safetensors_header,
             "; it is truncated or not a safetensors file");
  std::string json(json_bytes, '\0');
  file.read(sizeof(json_bytes), json.data(), json.size());
  data_start = sizeof(json_bytes) + json_bytes;
  return parse_safetensors_header(file.path(), json, file.size());
}

std::vector<NamedTensor> load(const std::string& path, Metadata* metadata) {
  const InputFile file(path);
  std::uint64_t data_start = 0;
  SafetensorsHeader header = read_header(file, data_start);
  std::vector<NamedTensor> result;
  result.reserve(header.tensors.size());
  for (TensorEntry& entry : header.tensors) {
    Tensor tensor = Tensor::uninitialized(entry.shape, entry.dtype);
    file.read(data_start + entry.begin, tensor.raw(), entry.end - entry.begin);
    result.push_back({std::move(entry.name), std::move(tensor)});
  }
  if (metadata) *metadata = std::move(header.metadata);
  return result;
}

[[noreturn]] void out_of_memory(const char* doing, const std::string& path) {
  throw OutOfMemoryError(
      detail::concat("out of memory while ", doing, " '", path, "'; close other programs"));
}

}  // namespace

void save_safetensors(const std::string& path, const std::vector<NamedView>& tensors,
                      const Metadata& metadata) {
  try {
    save(path, tensors, metadata);
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
