// For tests that read files: IDX files as strings, and gzip by zlib.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/temporary_folder.h"  // defines: TemporaryFolder, write_text

namespace glia::testing {

/// Writes `bytes` to a file in `folder` (making folders on the way); gives its path.
inline std::string write_file(const TemporaryFolder& folder, const std::string& name,
                              const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
  write_text(folder / name, bytes);
  return folder / name;
}

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// An IDX file's bytes: `body` is taken as it is, fitting or not.
inline std::string idx(int type_code, const std::vector<std::uint32_t>& dimensions, std::string_view body) {
  std::string text{0, 0, static_cast<char>(type_code), static_cast<char>(dimensions.size())};
  for (std::uint32_t dimension : dimensions) text += big_endian(dimension, 4);
  return text.append(body);
}

/// One gzip member that holds `bytes`.
inline std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw OutOfMemoryError("deflateInit2 failed");
  std::string result(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int status = deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw FileError("deflate failed");
  return result;
}

/// The message of the FileError that `action` throws; fails the test where it throws none.
template <class Action>
std::string file_error(Action&& action) {
  try {
    action();
  } catch (const FileError& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected a FileError, got none";
  return {};
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "in: " << (text)

}  // namespace glia::testing
