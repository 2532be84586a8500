// Writing a file whole or not at all: temporary file, fsync, rename, fsync of the folder.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/atomic_file.h"

#include <fcntl.h>
#include <glia/error.h>  // defines: FileError, detail::concat
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "host/base/errno_text.h"

namespace glia::io {
namespace {

namespace fs = std::filesystem;

/// Where a save goes, once links are followed.
struct Target {
  std::string given;  ///< as the caller wrote it, for messages
  fs::path file;
  fs::path folder;
  bool exists = false;
  mode_t mode = 0;  ///< of the file that exists, as are the next two
  uid_t owner = 0;
  gid_t group = 0;
};

std::string remedy(int error, const Target& target) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space there, or save to another disk";
    case EACCES:
    case EPERM:
    case EROFS:
      return "save to a folder you may write to, or change the permissions";
    case ENOENT:
      return detail::concat("create the folder first: mkdir -p '", target.folder.string(), "'");
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return "give another path";
    case EIO:
      return "the disk reports a fault: save to another one";
    default:
      return "check the path and save again";
  }
}

[[noreturn]] void fail(const Target& target, const char* step, int error) {
  throw FileError(detail::concat("cannot save '", target.given, "': ", step,
                                 " failed: ", detail::errno_text(error), "; ", remedy(error, target),
                                 target.exists ? ". The file that was there is unchanged" : ""));
}

/// The file that `path` names after following links, also where the last one names nothing yet.
fs::path follow_links(const Target& target) {
  fs::path file = target.given;
  std::error_code code;
  for (int hops = 0; fs::is_symlink(fs::symlink_status(file, code)); ++hops) {
    if (hops == 40) fail(target, "following its symbolic links", ELOOP);
    const fs::path next = fs::read_symlink(file, code);
    if (code) fail(target, "following its symbolic link", code.value());
    file = next.is_absolute() ? next : file.parent_path() / next;
  }
  return file;
}

Target resolve(const std::string& path) {
  GLIA_CHECK(!path.empty() && path.find('\0') == path.npos, FileError, "cannot save to ",
             path.empty() ? "an empty path" : "a path with a zero byte in it", "; give the path of a file");
  Target target{.given = path, .file = {}, .folder = {}};
  target.file = follow_links(target);
  target.folder = target.file.parent_path().empty() ? "." : target.file.parent_path();
  struct stat status;
  if (::stat(target.file.c_str(), &status) == 0) {
    GLIA_CHECK(S_ISREG(status.st_mode), FileError, "cannot save '", path, "': there is ",
               S_ISDIR(status.st_mode) ? "a folder" : "something that is not a regular file",
               " of that name; give the path of a file");
    target.exists = true;
    target.mode = status.st_mode & 0777;
    target.owner = status.st_uid;
    target.group = status.st_gid;
    // A rename would replace even a file its owner has made read-only.
    if (::access(target.file.c_str(), W_OK) != 0) fail(target, "writing over the file", errno);
  } else if (errno != ENOENT) {
    fail(target, "looking for the file", errno);
  }
  GLIA_CHECK(target.file.has_filename(), FileError, "cannot save '", path,
             "': it names a folder; give the path of a file");
  return target;
}

/// An open file or folder.
class Descriptor {
 public:
  Descriptor(FileSystem& system, int value) : system_(system), value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  explicit operator bool() const { return value_ >= 0; }
  int get() const { return value_; }
  /// False, with errno, where the system could not keep what was written.
  bool close() {
    const int descriptor = std::exchange(value_, -1);
    return descriptor < 0 || system_.close(descriptor) == 0;
  }
  bool sync() {
    int result;
    do result = system_.fsync(value_);
    while (result != 0 && errno == EINTR);
    return result == 0;
  }

 private:
  FileSystem& system_;
  int value_;
};

/// Deletes what saves of processes that were killed left in the folder: temporary files of this user that nobody holds
/// locked. What cannot be looked at stays.
void sweep(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (!is_temporary_name(entry->path().filename().native())) continue;
    const int file = ::open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) continue;
    struct stat status;
    if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
        ::flock(file, LOCK_EX | LOCK_NB) == 0)
      ::unlink(entry->path().c_str());
    ::close(file);
  }
}

/// Holds the lock of an open file until it goes, though the file is closed before.
class SharedLock {
 public:
  explicit SharedLock(int descriptor) : value_(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {}
  ~SharedLock() {
    if (value_ >= 0) ::close(value_);
  }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  int value_;
};

/// A new file beside the target, deleted again unless it is renamed. It is locked, which tells others that its process
/// lives.
class TemporaryFile {
 public:
  TemporaryFile(const Target& target, FileSystem& system)
      : target_(target), system_(system), file_(system, create()) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  void write(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t written = system_.write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail(target_, "writing", written < 0 ? errno : EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    if (target_.exists) keep_owner();
    if (target_.exists && system_.fchmod(file_.get(), target_.mode) != 0)
      fail(target_, "setting its mode bits", errno);
    if (!file_.sync()) fail(target_, "syncing to disk", errno);
    const SharedLock lock(file_.get());  // until the file has its name
    if (!file_.close()) fail(target_, "closing", errno);
    if (system_.rename(path_.c_str(), target_.file.c_str()) != 0)
      fail(target_, "renaming the finished file", errno);
    path_.clear();
  }

 private:
  /// Names are short and of their own, so that a target with the longest name allowed can be saved.
  int create() {
    static std::atomic<unsigned> counter = 0;
    for (;;) {
      const fs::path path = target_.folder / detail::concat(".glia-", ::getpid(), "-", counter++, ".tmp");
      const int descriptor =
          system_.open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, target_.exists ? 0600 : 0666);
      if (descriptor < 0 && (errno == EEXIST || errno == EINTR)) continue;
      if (descriptor < 0) fail(target_, "creating a temporary file in its folder", errno);
      if (lost_to_a_sweep(descriptor)) {
        system_.close(descriptor);
        continue;
      }
      path_ = path;
      return descriptor;
    }
  }

  /// Whether a sweep found it before it was locked. A file system without locks has no sweeps either.
  static bool lost_to_a_sweep(int descriptor) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    struct stat status;
    return ::fstat(descriptor, &status) == 0 && status.st_nlink == 0;
  }

  /// Where the process may; else the file is its own, as a new one would be.
  void keep_owner() {
    struct stat status;
    if (::fstat(file_.get(), &status) != 0) return;
    if (status.st_uid == target_.owner && status.st_gid == target_.group) return;
    if (system_.fchown(file_.get(), target_.owner, target_.group) != 0)
      static_cast<void>(system_.fchown(file_.get(), static_cast<uid_t>(-1), target_.group));
  }

  const Target& target_;
  FileSystem& system_;
  fs::path path_;
  Descriptor file_;
};

}  // namespace

bool is_temporary_name(std::string_view name) {
  constexpr std::string_view prefix = ".glia-", suffix = ".tmp";
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return false;
  name = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  return name.find_first_not_of("0123456789-") == name.npos;
}

int FileSystem::open(const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); }
int FileSystem::fchown(int descriptor, uid_t owner, gid_t group) {
  return ::fchown(descriptor, owner, group);
}
int FileSystem::fchmod(int descriptor, mode_t mode) { return ::fchmod(descriptor, mode); }
ssize_t FileSystem::write(int descriptor, const void* data, std::size_t bytes) {
  return ::write(descriptor, data, bytes);
}
int FileSystem::fsync(int descriptor) { return ::fsync(descriptor); }
int FileSystem::close(int descriptor) { return ::close(descriptor); }
int FileSystem::rename(const char* from, const char* to) { return std::rename(from, to); }

void write_file_atomically(const std::string& path, std::span<const Bytes> parts) {
  FileSystem system;
  write_file_atomically(path, parts, system);
}

void write_file_atomically(const std::string& path, std::string_view text) {
  const Bytes bytes = std::as_bytes(std::span(text));
  write_file_atomically(path, {&bytes, 1});
}

void write_file_atomically(const std::string& path, std::span<const Bytes> parts, FileSystem& system) {
  const Target target = resolve(path);
  // Opened first: what is wrong with the folder shows before anything is written.
  Descriptor folder(system, system.open(target.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (!folder) fail(target, "opening its folder", errno);
  sweep(target.folder);
  TemporaryFile temporary(target, system);
  for (Bytes part : parts) temporary.write(part);
  temporary.commit();
  // Some network file systems cannot sync a folder, and say so with EINVAL or ENOTSUP.
  if (!folder.sync() && errno != EINVAL && errno != ENOTSUP)
    throw FileError(detail::concat(
        "'", path, "' is written, whole, but syncing its folder failed: ", detail::errno_text(errno),
        "; a power failure may lose it: save again, or to another disk"));
}

}  // namespace glia::io
