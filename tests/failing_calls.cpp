// For LD_PRELOAD: the n-th of the calls by which files of a folder are written fails. $GLIA_FAIL_FOLDER, $GLIA_FAIL_AT (from 1).
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int most_descriptors = 1024;
bool of_folder[most_descriptors];
int calls = 0;

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool within(const char* path) {
  const char* const folder = std::getenv("GLIA_FAIL_FOLDER");
  return folder && std::strncmp(path, folder, std::strlen(folder)) == 0;
}

bool is_known(int descriptor) {
  return descriptor >= 0 && descriptor < most_descriptors && of_folder[descriptor];
}

/// Whether this call is the one; as where the disk is full.
bool fails(int error) {
  const char* const at = std::getenv("GLIA_FAIL_AT");
  if (!at || ++calls != std::atoi(at)) return false;
  errno = error;
  return true;
}

template <class Open>
int opened(const char* path, const Open& open) {
  if (!within(path)) return open();
  if (fails(EACCES)) return -1;
  const int descriptor = open();
  if (descriptor >= 0 && descriptor < most_descriptors) of_folder[descriptor] = true;
  return descriptor;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened(path, [&] { return real<int(const char*, int, ...)>("open")(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened(path, [&] { return real<int(const char*, int, ...)>("open64")(path, flags, mode); });
}

ssize_t write(int descriptor, const void* data, std::size_t bytes) {
  if (is_known(descriptor) && fails(ENOSPC)) return -1;
  return real<ssize_t(int, const void*, std::size_t)>("write")(descriptor, data, bytes);
}

int fsync(int descriptor) {
  if (is_known(descriptor) && fails(EIO)) return -1;
  return real<int(int)>("fsync")(descriptor);
}

int fchmod(int descriptor, mode_t mode) {
  if (is_known(descriptor) && fails(EPERM)) return -1;
  return real<int(int, mode_t)>("fchmod")(descriptor, mode);
}

int close(int descriptor) {
  const bool known = is_known(descriptor);
  if (known) of_folder[descriptor] = false;
  const int result = real<int(int)>("close")(descriptor);
  return known && fails(EIO) ? -1 : result;
}

int rename(const char* from, const char* to) {
  if (within(to) && fails(ENOSPC)) return -1;
  return real<int(const char*, const char*)>("rename")(from, to);
}

}  // extern "C"
