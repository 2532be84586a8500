// The CPU backend: one thread pool, kernels of the best instruction set, products by oneDNN.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <memory>

namespace glia::cpu {

/// Throws ValueError for a number of threads below 0 or above 1024.
std::shared_ptr<Backend> make_backend(const ContextOptions& options);

}  // namespace glia::cpu
