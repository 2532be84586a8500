// A profile as a file of Chrome's trace format.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/model/profile.h>

#include <string>

namespace glia::training {

/// Whole or not at all. Throws FileError.
void write_trace(const std::string& path, const Profile::Recorded& recorded);

}  // namespace glia::training
