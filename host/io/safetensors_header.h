// The header of a safetensors file: reading it with every check, and writing it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>
#include <glia/shape.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glia::io {

/// One tensor, its bytes [begin, end) counted from the end of the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;
};

/// The key of the header that is no tensor.
inline constexpr auto safetensors_metadata_key = "__metadata__";

/// The dtypes of files that Glia has, by the file's names.
inline constexpr std::array<std::pair<const char*, DType>, 5> safetensors_dtypes = {{
    {"F32", DType::float32},
    {"F64", DType::float64},
    {"U8", DType::uint8},
    {"I32", DType::int32},
    {"I64", DType::int64},
}};

/// The format's own limit, in bytes.
inline constexpr std::uint64_t max_safetensors_header = 100'000'000;

/// Glia's limit for one name or one value of the metadata, in bytes of JSON: the JSON library holds several
/// copies of one.
inline constexpr std::size_t max_safetensors_token = 16 << 20;

/// How many tensors and pairs of metadata a file may have: what they take in memory stays below a few times
/// the file, however short their names are.
constexpr std::uint64_t max_safetensors_entries(std::uint64_t file_bytes) {
  return 100'000 + file_bytes / 256;
}

/// The header in `json`, of a file of `file_bytes` in all, checked so that its tensors are exactly the rest
/// of the file. `path` is for the messages. Throws FileError.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json,
                                           std::uint64_t file_bytes);

/// The JSON text, padded; entries as they are. Throws ValueError for names or metadata that cannot be stored.
std::string make_safetensors_header(const SafetensorsHeader& header);

}  // namespace glia::io
