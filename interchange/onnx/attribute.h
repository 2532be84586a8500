// The kinds of attributes, by the numbers that ONNX gives them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace glia::onnx {

enum class Kind { none = 0, real = 1, integer = 2, text = 3, tensor = 4, reals = 6, integers = 7, texts = 8 };

}  // namespace glia::onnx
