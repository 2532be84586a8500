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
#include <vector>

namespace glia::io {

/// A dtype of files, and that of the tensors which Glia makes of it.
struct StoredDType {
  const char* name;
  DType dtype;
  std::int64_t bytes;  ///< of an element in the file
};

/// Those that Glia reads and writes: first what is kept as it is.
inline constexpr std::array<StoredDType, 7> stored_dtypes = {{
    {"F32", DType::float32, 4},
    {"F64", DType::float64, 8},
    {"U8", DType::uint8, 1},
    {"I32", DType::int32, 4},
    {"I64", DType::int64, 8},
    {"F16", DType::float32, 2},
    {"BF16", DType::float32, 2},
}};
inline constexpr const StoredDType& stored_float16 = stored_dtypes[5];
inline constexpr const StoredDType& stored_bfloat16 = stored_dtypes[6];

/// One tensor, its bytes [begin, end) counted from the end of the header.
struct TensorEntry {
  std::string name;
  const StoredDType* stored = nullptr;
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
