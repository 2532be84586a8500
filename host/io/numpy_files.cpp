// load_npy, save_npy, load_npz, save_npz.
// SPDX-License-Identifier: Apache-2.0
#include <glia/numpy.h>

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/escaped.h"     // defines: escaped
#include "host/io/atomic_file.h"   // defines: write_file_atomically, Bytes
#include "host/io/byte_source.h"   // defines: FileSource
#include "host/io/npy.h"           // defines: read_npy, npy_header_of
#include "host/io/zip.h"           // defines: ZipReader, write_zip
#include "host/tensor/elements.h"  // defines: expect_cpu

namespace glia {
namespace {

constexpr std::string_view suffix = ".npy";

/// A file, or a member of an archive: the header, which must live as long, and the elements.
std::vector<io::Bytes> parts_of(const std::string& header, const TensorView& tensor) {
  return {std::as_bytes(std::span(header)),
          {static_cast<const std::byte*>(tensor.raw()), static_cast<std::size_t>(tensor.bytes())}};
}

}  // namespace

Tensor load_npy(const std::string& path) {
  io::FileSource file(path);
  return io::read_npy(file);
}

void save_npy(const std::string& path, const TensorView& tensor) {
  detail::expect_cpu(tensor, "save_npy");
  const std::string header = io::npy_header_of(tensor);
  io::write_file_atomically(path, parts_of(header, tensor));
}

NamedTensors load_npz(const std::string& path) {
  const io::ZipReader archive(path);
  NamedTensors result;
  for (std::size_t i = 0; i < archive.members().size(); ++i) {
    const std::string& name = archive.members()[i].name;
    GLIA_CHECK(name.ends_with(suffix), FileError, "'", path, "' holds '", detail::escaped(name),
               "', and a .npz file arrays alone, each named NAME.npy; save them with np.savez or save_npz");
    result.push_back({name.substr(0, name.size() - suffix.size()), io::read_npy(*archive.open(i))});
  }
  return result;
}

void save_npz(const std::string& path, const Tensors& tensors, const NpzOptions& options) {
  std::vector<std::string> headers;
  for (const Tensors::Entry& entry : tensors) {
    detail::expect_cpu(entry.view, "save_npz");
    headers.push_back(io::npy_header_of(entry.view));
  }
  std::vector<io::ZipContent> contents;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string name = tensors[i].name.empty() ? "arr_" + std::to_string(i) : tensors[i].name;
    contents.push_back({name + std::string(suffix), parts_of(headers[i], tensors[i].view)});
  }
  io::write_zip(path, contents, options.compressed ? io::ZipPacking::deflated : io::ZipPacking::stored);
}

}  // namespace glia
