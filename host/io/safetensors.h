// Tensors by name in a file of the safetensors format, which PyTorch, Keras and NumPy programs read and
// write.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/saving.h>  // defines: StoredAs
#include <glia/tensor.h>  // defines: Tensor, TensorView

#include <map>
#include <string>
#include <vector>

namespace glia::io {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A tensor to be saved; the elements stay where they are.
struct NamedView {
  std::string name;
  TensorView tensor;
  StoredAs as = StoredAs::same;  ///< of floating-point numbers
};

using Metadata = std::map<std::string, std::string>;

/// The key of the metadata under which a file has the SHA-256 of itself, all of it, but for these 64 digits, which count as zeros.
inline constexpr auto checksum_key = "glia.checksum";
enum class Checksum { none, sha256 };

/// Saves whole or not at all (see write_file_atomically). The file has wide dtypes first, then goes by name,
/// in whatever order the tensors are given. The scale of a uint8 tensor is not stored: values are raw. Throws
/// FileError where the file cannot be written, ValueError for a name that is given twice, is not UTF-8, or is
/// "__metadata__", DeviceError for a tensor that is not on the CPU.
///
///     save_safetensors("model.safetensors", {{"kernel", kernel}, {"bias", bias}}, {{"epoch", "5"}});
void save_safetensors(const std::string& path, const std::vector<NamedView>& tensors,
                      const Metadata& metadata = {}, Checksum checksum = Checksum::none);

/// The file's tensors, on the CPU, in the order of their bytes; `metadata`, where given, is replaced by the
/// file's. F16 and BF16 become float32; a checksum is compared. The file is taken for hostile: everything is checked before memory is allocated for it, and that
/// is at most about the file's size, twice that of F16 and BF16. Throws FileError for a file that is missing, damaged, or holds a dtype
/// Glia has not; OutOfMemoryError.
std::vector<NamedTensor> load_safetensors(const std::string& path, Metadata* metadata = nullptr);

}  // namespace glia::io
