// Where memory is, by what CUDA knows of an address.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/device.h>

#include <string>

namespace glia::cuda {

/// To be called for each device that a backend is made on: only those are touched.
void note_used(int index);

/// Why `data`, said to be on a device, cannot be there, and what to do; empty where it may be, and before a device is used.
/// About a microsecond; any thread may ask, also while a stream is captured.
std::string why_misplaced(const Device& said, const void* data);

}  // namespace glia::cuda
