// Finds and opens libglia_cuda: $GLIA_CUDA_LIBRARY, else beside the file that holds this code, else where an
// installation has it from there; never in the working directory.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <glia/backend_library.h>
#include <glia/log.h>
#include <glia/process_mark.h>
#include <host/device/cuda_library.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace glia::cuda_library {
namespace {

constexpr const char* file_name = "libglia_cuda.so";
constexpr bool built_with_cuda = GLIA_BUILT_WITH_CUDA;

/// The folder of the program or library that this function is linked into.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || !info.dli_fname || !*info.dli_fname)
    return {};
  std::string path = info.dli_fname;
  if (path.front() != '/') {  // linked into the program: the loader knows it by the name it was started under
    std::error_code error;
    path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  }
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

/// Where the library is without $GLIA_CUDA_LIBRARY; empty where this code's own folder is not known.
std::string default_path() {
  const std::string folder = own_folder();
  if (folder.empty()) return {};
  const std::string installed = folder + "../" GLIA_INSTALL_LIBDIR "/" + file_name;  // of a program in bin/
  std::error_code error;
  const bool beside = std::filesystem::exists(folder + file_name, error);
  return beside || !std::filesystem::exists(installed, error) ? folder + file_name : installed;
}

struct Opened {
  const BackendLibrary* library = nullptr;
  std::string reason;
};

Opened open_library() {
  const char* named = std::getenv("GLIA_CUDA_LIBRARY");
  const bool given = named && *named;
  const std::string path = given ? std::string(named) : default_path();
  std::error_code ignored;
  if (!given && !built_with_cuda && !std::filesystem::exists(path, ignored))
    return {nullptr,
            "this build of Glia has no CUDA backend: build with GLIA_CUDA=ON, which needs a CUDA toolkit "
            "(docs/building.md), or name a backend's library in $GLIA_CUDA_LIBRARY"};
  const std::string remedy =
      given ? "correct or unset $GLIA_CUDA_LIBRARY"
            : std::string("build Glia's CUDA backend, or name its library in $GLIA_CUDA_LIBRARY");
  if (path.empty() ||
      path.find('/') == std::string::npos)  // the loader would search its own path for a bare name
    return {nullptr,
            detail::concat("the CUDA backend's library has no folder (", path.empty() ? file_name : path,
                           "): ", "give a path with a folder in $GLIA_CUDA_LIBRARY")};
  // Never closed: its code may be on some thread's stack until the process ends.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const detail::UntranslatedMessages plain;
    const char* error = dlerror();
    return {nullptr, detail::concat("the CUDA backend's library cannot be opened (",
                                    error ? error : path.c_str(), "): ", remedy)};
  }
  const auto function = reinterpret_cast<BackendLibraryFunction>(dlsym(handle, backend_library_symbol));
  if (!function)
    return {nullptr, detail::concat(path, " is not a backend of Glia: it lacks ", backend_library_symbol,
                                    "; ", remedy)};
  const BackendLibrary* library = function();
  if (library->abi != backend_abi)
    return {nullptr, detail::concat(path, " was built for another version of Glia (interface ", library->abi,
                                    ", expected ", backend_abi, "): rebuild it, or ", remedy)};
  library->log_to(
      {&detail::is_logged, [](LogLevel level, const char* message) { detail::log_text(level, message); }});
  detail::tell(LogLevel::info, "opened the CUDA backend ", path);
  return {library, {}};
}

/// Opened once in a process, at the first question about CUDA.
const Opened& opened() {
  static const Opened result = [] {
    Opened library = open_library();
    if (!library.library) detail::tell(LogLevel::info, "there is no CUDA backend: ", library.reason);
    return library;
  }();
  return result;
}

/// Whether a process that this is a child of has called CUDA already, which then may not be called here.
bool is_another_process_s() {
  static const detail::ProcessMark first_called;
  return !first_called.is_here();
}

constexpr const char* opened_before_fork =
    "CUDA was in use before fork(), and this is the child, where it cannot be used: fork first, or start "
    "another "
    "program (exec, posix_spawn)";

std::atomic<const BackendLibrary*> in_use{nullptr};  // once it made a backend

}  // namespace

Availability availability() {
  const Opened& o = opened();
  if (!o.library) return {0, o.reason, {}};
  if (is_another_process_s()) return {0, opened_before_fork, {}};
  const char *reason = "", *description = "";
  const int devices = o.library->devices(&reason, &description);
  return {devices, devices > 0 ? std::string() : std::string(reason), description};
}

Availability first_device() {
  Availability found = availability();
  if (found.devices == 0) return found;
  const char* const reason = opened().library->unusable(0);
  return reason ? Availability{0, reason, {}} : found;
}

std::shared_ptr<Backend> make_backend(const ContextOptions& options) {
  const Availability available = availability();
  GLIA_CHECK(!opened().library || !is_another_process_s(), StateError, "device \"", options.device.name(),
             "\" was asked for, but ", opened_before_fork, "; or use device \"cpu\"");
  GLIA_CHECK(available.devices > 0, DeviceError, "device \"", options.device.name(), "\" was asked for, but ",
             available.reason, "; or use device \"cpu\", or \"auto\", which falls back to it");
  GLIA_CHECK(options.device.index() < available.devices, DeviceError, "device \"", options.device.name(),
             "\" was asked for, but there are ", available.devices, " CUDA devices, numbered from 0");
  std::shared_ptr<Backend> backend(opened().library->make(options));
  in_use.store(opened().library, std::memory_order_release);
  return backend;
}

void expect_on(const Device& said, const void* data) {
  const BackendLibrary* const library = in_use.load(std::memory_order_acquire);
  const char* const reason = library && data ? library->misplaced(said, data) : nullptr;
  GLIA_CHECK(!reason, DeviceError, "memory at ", data, " was said to be on ", said, ", but ", reason);
}

}  // namespace glia::cuda_library
