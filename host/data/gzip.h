// GzipFile: a file read front to back as one stream of bytes, inflated on the way where it is gzip.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>  // defines: z_stream

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace glia::detail {

/// Who vouches for decompressed bytes: the CRC-32 in the gzip trailer, or the caller, who compares a SHA-256.
/// The CRC costs the inflating thread 6 % of its time.
enum class GzipCheck { crc, caller };

/// Plain files pass through; gzip is told by its first two bytes, and may have several members.
/// Holds at most 256 KiB besides what the caller gives. Every failure is a FileError that names file and
/// offset.
///
///     GzipFile file("train-labels-idx1-ubyte.gz");
///     std::byte header[8];
///     file.read_exactly(header, sizeof header, "the IDX header");
class GzipFile {
 public:
  /// Throws FileError where `path` is not a regular file that can be read.
  explicit GzipFile(const std::string& path, GzipCheck check = GzipCheck::crc);
  ~GzipFile();
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  const std::string& path() const { return path_; }
  bool compressed() const { return compressed_; }
  /// Of the file as it lies on the disk.
  std::uint64_t size() const { return size_; }

  /// The next `count` bytes of content; fewer only at the end. Never writes beyond to + count.
  std::size_t read(std::byte* to, std::size_t count);
  /// As read, but throws where fewer are left, naming `what` they were to be.
  void read_exactly(std::byte* to, std::size_t count, const char* what);
  /// Reads `count` bytes and forgets them; throws as read_exactly does.
  void skip(std::uint64_t count, const char* what);
  /// Throws where content is left, or where gzip's trailer does not match.
  void expect_end();

  /// Throws FileError: file, offset, and `problem`.
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  std::size_t read_plain(std::byte* to, std::size_t count);
  std::size_t read_gzip(std::byte* to, std::size_t count);
  std::size_t read_from_disk(std::byte* to, std::size_t count);
  bool refill();
  bool next_member();
  [[noreturn]] void fail_short(std::uint64_t expected, std::uint64_t got, const char* what) const;

  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  bool compressed_ = false;
  std::uint64_t offset_ = 0;   // in the file, of what is read from it next
  std::uint64_t content_ = 0;  // bytes given out
  bool member_ended_ = true;
  z_stream stream_ = {};
  std::vector<std::byte> input_;
};

}  // namespace glia::detail
