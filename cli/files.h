// What a file is, told by its bytes, and models of whatever format.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <optional>
#include <string>

namespace cli {

enum class FileKind { model, tensors, keras, onnx, npy, npz, image, csv, idx, json };

/// "model", "safetensors tensors", ...
const char* name_of(FileKind kind);

/// Looks at the first bytes, and at the extension of what has no such mark. Throws FileError for a file that cannot be read.
FileKind kind_of(const std::string& path);
bool is_model(FileKind kind);

/// Of a file that Glia, Keras or an ONNX exporter wrote. Throws FileError for another, and where this program was built without
/// the library that reads it.
glia::Model open_model(const std::string& path, const std::optional<glia::Device>& device = {});

/// In the format of the extension: .safetensors, .keras, .onnx; .weights.h5 and .weights.safetensors take the weights alone. Throws
/// ValueError for another.
void save_model(const glia::Model& model, const std::string& path);

/// Whether it was compiled with a loss.
bool is_compiled(const glia::Model& model);

/// The file's bytes as hexadecimal digits of SHA-256.
std::string sha256_of(const std::string& path);

}  // namespace cli
