// Reads plain and gzip files as one stream of bytes, with errors that name file and offset.
// SPDX-License-Identifier: Apache-2.0
#include "host/data/gzip.h"

#include <fcntl.h>
#include <glia/error.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "host/base/errno_text.h"

namespace glia::detail {

namespace {

constexpr std::byte magic[2] = {std::byte{0x1f}, std::byte{0x8b}};
constexpr std::size_t input_bytes = 256 << 10;
constexpr int gzip_window = 15 + 16;  // zlib.h: 16 more than the window's bits asks for gzip alone
constexpr const char* fetch_again = "; the file is damaged: fetch it again";

int open_regular(const std::string& path, std::uint64_t& size) {
  // Without O_NONBLOCK a FIFO would wait here for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    throw FileError(
        concat("cannot open '", path, "': ", errno_text(errno), "; check the name and its permissions"));
  struct stat status = {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    size = static_cast<std::uint64_t>(status.st_size);
    return descriptor;
  }
  ::close(descriptor);
  throw FileError(concat("cannot read '", path, "': it is ",
                         S_ISDIR(status.st_mode) ? "a directory" : "not a regular file", "; name a file"));
}

}  // namespace

GzipFile::GzipFile(const std::string& path, GzipCheck check) : path_(path) {
  descriptor_ = open_regular(path, size_);
  try {
    std::byte start[2];
    compressed_ = read_from_disk(start, 2) == 2 && std::equal(start, start + 2, magic);
    offset_ = 0;
    if (!compressed_) return;
    input_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size_, input_bytes)));
    if (inflateInit2(&stream_, gzip_window) != Z_OK)
      throw OutOfMemoryError(concat("no memory to inflate '", path_, "'"));
    if (check == GzipCheck::caller) inflateValidate(&stream_, 0);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

GzipFile::~GzipFile() {
  if (compressed_) inflateEnd(&stream_);
  ::close(descriptor_);
}

std::size_t GzipFile::read(std::byte* to, std::size_t count) {
  return compressed_ ? read_gzip(to, count) : read_plain(to, count);
}

void GzipFile::read_exactly(std::byte* to, std::size_t count, const char* what) {
  const std::size_t got = read(to, count);
  if (got < count) fail_short(count, got, what);
}

void GzipFile::skip(std::uint64_t count, const char* what) {
  std::vector<std::byte> scratch(64 << 10);
  for (std::uint64_t done = 0; done < count;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, scratch.size()));
    const std::size_t got = read(scratch.data(), piece);
    done += got;
    if (got < piece) fail_short(count, done, what);
  }
}

void GzipFile::expect_end() {
  const std::uint64_t expected = content_;
  std::byte extra;
  if (read(&extra, 1) == 0) return;
  fail(concat("expected the end after ", expected, compressed_ ? " decompressed" : "", " bytes, got more",
              fetch_again));
}

void GzipFile::fail(const std::string& problem) const {
  const std::uint64_t at = offset_ - stream_.avail_in;
  const std::string decompressed = compressed_ ? concat(" (byte ", content_, " decompressed)") : "";
  throw FileError(concat("'", path_, "', offset ", at, decompressed, ": ", problem));
}

void GzipFile::fail_short(std::uint64_t expected, std::uint64_t got, const char* what) const {
  fail(concat("expected ", expected, " bytes of ", what, ", got ", got, fetch_again));
}

std::size_t GzipFile::read_plain(std::byte* to, std::size_t count) {
  const std::size_t got = read_from_disk(to, count);
  content_ += got;
  return got;
}

std::size_t GzipFile::read_gzip(std::byte* to, std::size_t count) {
  std::size_t written = 0;
  while (written < count) {
    if (member_ended_ && !next_member()) break;
    if (stream_.avail_in == 0 && !refill())
      fail(concat("expected more of the gzip stream, got the end of the file", fetch_again));
    const auto room =
        static_cast<uInt>(std::min<std::size_t>(count - written, std::numeric_limits<uInt>::max()));
    stream_.next_out = reinterpret_cast<Bytef*>(to + written);
    stream_.avail_out = room;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    written += room - stream_.avail_out;
    content_ += room - stream_.avail_out;
    if (result == Z_STREAM_END) {
      member_ended_ = true;
    } else if (result == Z_MEM_ERROR) {
      throw OutOfMemoryError(concat("no memory to inflate '", path_, "'"));
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail(concat("expected a gzip stream, got ", stream_.msg ? stream_.msg : "invalid data", fetch_again));
    }
  }
  return written;
}

/// At most `count` bytes at offset_, fewer only at the end of the file.
std::size_t GzipFile::read_from_disk(std::byte* to, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(descriptor_, to + done, count - done, static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(concat("reading failed: ", errno_text(errno)));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
    offset_ += static_cast<std::uint64_t>(got);
  }
  return done;
}

/// Appends nothing: the input must be used up. False at the end of the file.
bool GzipFile::refill() {
  const std::size_t got = read_from_disk(input_.data(), input_.size());
  stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
  stream_.avail_in = static_cast<uInt>(got);
  return got > 0;
}

/// False at the end of the file; throws where something other than a gzip member follows.
bool GzipFile::next_member() {
  if (stream_.avail_in == 0 && !refill()) return false;
  // One byte is enough: if the second is wrong, inflate says so.
  if (static_cast<std::byte>(*stream_.next_in) != magic[0])
    fail(concat("expected the end or another gzip member, got other bytes", fetch_again));
  inflateReset(&stream_);
  member_ended_ = false;
  return true;
}

}  // namespace glia::detail
