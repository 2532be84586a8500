// The Op of a body of the application's own on the CPU.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/thread_pool.h>

#include <memory>

namespace glia::cpu {

/// Throws DeviceError where there is no body for the CPU.
std::unique_ptr<Op> prepare_custom(ThreadPool& pool, const op::Custom& d, const Bindings& at);

}  // namespace glia::cpu
