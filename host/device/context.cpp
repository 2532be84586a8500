// Context: starts the device that was asked for.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/context.h>
#include <glia/log.h>
#include <host/cpu/backend.h>
#include <host/device/cuda_library.h>

namespace glia {

Context::Context(const ContextOptions& options) {
  backend_ = options.device.is_cuda() ? cuda_library::make_backend(options) : cpu::make_backend(options);
  if (!detail::is_logged(LogLevel::info)) return;
  detail::TextStream versions;
  for (const auto& [name, number] : backend_->versions()) versions << ", " << name << ' ' << number;
  detail::tell(LogLevel::info, "a context on ", device(), ", ", threads(),
               threads() == 1 ? " thread" : " threads", versions.str());
}

Device Context::device() const { return backend_->device(); }
namespace {

void expect_event(const void* event, const char* call) {
  GLIA_CHECK(event, ValueError, "context.", call,
             " got a null event, expected a cudaEvent_t: make one with cudaEventCreate");
}

}  // namespace

void Context::wait(void* event) const {
  expect_event(event, "wait");
  const detail::InUse::Hold hold(backend_->in_use(), &Backend::in_use_elsewhere);
  backend_->wait_for(event);
}
void Context::record(void* event) const {
  expect_event(event, "record");
  const detail::InUse::Hold hold(backend_->in_use(), &Backend::in_use_elsewhere);
  backend_->record(event);
}
void Context::trim() const {
  const detail::InUse::Hold hold(backend_->in_use(), &Backend::in_use_elsewhere);
  backend_->trim();
}

MemoryReport Context::memory() const {
  const detail::InUse::Hold hold(backend_->in_use(), &Backend::in_use_elsewhere);
  return backend_->memory();
}

std::ostream& operator<<(std::ostream& out, const MemoryReport& report) {
  const std::pair<const char*, std::int64_t> lines[] = {
      {"weights", report.weights},         {"gradients", report.gradients},
      {"optimizer", report.optimizer},     {"temporaries", report.temporaries},
      {"states", report.states},           {"data", report.data},
      {"tensors", report.tensors},         {"workspaces", report.workspaces},
      {"page-locked", report.page_locked}, {"kept for reuse", report.kept}};
  for (const auto& [name, bytes] : lines)
    if (bytes != 0) out << name << ": " << bytes << '\n';
  return out << "total: " << report.total() << " bytes\n";
}

int Context::threads() const { return backend_->threads(); }
std::vector<std::pair<std::string, std::string>> Context::versions() const {
  static_cast<void>(backend_->in_use());  // not in a child of fork(); but beside another thread's calls
  return backend_->versions();
}

}  // namespace glia
