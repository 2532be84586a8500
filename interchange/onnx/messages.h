// What a file's messages will take in memory, before protobuf makes them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace glia::onnx {

/// Throws ValueError, with the offset, for bytes that are no messages, and for more messages than a file of this length has a reason
/// to hold: each takes a hundred bytes of memory, and may be two bytes of the file.
void check_messages(std::string_view file);

}  // namespace glia::onnx
