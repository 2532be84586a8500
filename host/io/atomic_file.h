// Writes files whole or not at all: whatever fails, and whenever the process dies, the path holds the old
// file or the new one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace glia::io {

/// The system calls of a save, with POSIX results and errno. Tests override one to make it fail.
struct FileSystem {
  virtual ~FileSystem() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual int fchown(int descriptor, uid_t owner, gid_t group);
  virtual int fchmod(int descriptor, mode_t mode);
  virtual ssize_t write(int descriptor, const void* data, std::size_t bytes);
  virtual int fsync(int descriptor);
  virtual int close(int descriptor);
  virtual int rename(const char* from, const char* to);
};

using Bytes = std::span<const std::byte>;

/// Writes `parts`, one after the other, to a temporary file beside `path`, syncs it, and renames it to
/// `path`. A file that is there keeps its mode bits and, where the process may give it, its owner; a symbolic link stays, and the file it names is written.
/// Throws FileError with the system's reason and the remedy; the old file is then unchanged and no temporary
/// file is left. One failure comes too late for that, syncing the folder after the rename: the new file is
/// then in place, whole, and the error says so. Synchronous; copies nothing. What killed processes left in the folder
/// is deleted on the way: a temporary file is locked (flock) while its process lives.
void write_file_atomically(const std::string& path, std::span<const Bytes> parts);
void write_file_atomically(const std::string& path, std::span<const Bytes> parts, FileSystem& system);
/// The same of one text.
void write_file_atomically(const std::string& path, std::string_view text);

/// Whether a file's name is that of a save under way, or of one that was killed: ".glia-123-4.tmp", of process and counter.
bool is_temporary_name(std::string_view name);

}  // namespace glia::io
