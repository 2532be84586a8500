// Reading files at given offsets.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/input_file.h"

#include <fcntl.h>
#include <glia/error.h>  // defines: FileError, detail::concat
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "host/base/errno_text.h"

namespace glia::io {

InputFile::InputFile(const std::string& path) : path_(path) {
  GLIA_CHECK(path.find('\0') == path.npos, FileError, "cannot open a path with a zero byte in it");
  // O_NONBLOCK: opening a pipe nobody writes to would wait forever.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    throw FileError(detail::concat("cannot open '", path, "': ", detail::errno_text(errno),
                                   "; check the path and the permissions"));
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw FileError(detail::concat("cannot read '", path, "': it is ",
                                   S_ISDIR(status.st_mode) ? "a folder" : "not a regular file",
                                   "; give the path of a file"));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* destination, std::size_t bytes) const {
  auto* next = static_cast<char*>(destination);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw FileError(detail::concat("cannot read '", path_, "' at offset ", offset, ": ",
                                     detail::errno_text(errno),
                                     "; check the disk, or copy the file elsewhere"));
    if (got == 0)
      throw FileError(detail::concat("'", path_, "' ends at offset ", offset, " where ", bytes,
                                     " more bytes were expected; it is truncated: get or save it again"));
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace glia::io
