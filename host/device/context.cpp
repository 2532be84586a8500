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

int Context::threads() const { return backend_->threads(); }
std::vector<std::pair<std::string, std::string>> Context::versions() const { return backend_->versions(); }

}  // namespace glia
