// Context: starts the device that was asked for.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/context.h>
#include <host/cpu/backend.h>
#include <host/cuda_library.h>

namespace glia {

Context::Context(const ContextOptions& options) {
  backend_ = options.device.is_cuda() ? cuda_library::make_backend(options) : cpu::make_backend(options);
}

Device Context::device() const { return backend_->device(); }
int Context::threads() const { return backend_->threads(); }
std::vector<std::pair<std::string, std::string>> Context::versions() const { return backend_->versions(); }

}  // namespace glia
