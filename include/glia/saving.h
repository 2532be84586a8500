// What is said of files: how models and weights are saved and loaded, and tensors by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/device.h>
#include <glia/macros.h>
#include <glia/tensors.h>  // defines: NamedTensors

#include <optional>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// As what floating-point weights stand in a file. All but `same` are converted: float16 and bfloat16 are half as long and lose
/// digits (to the nearest, of two the even one).
enum class StoredAs { same, float16, bfloat16, float32, float64 };

struct SaveOptions {
  /// With what compile was told, and how far training came: a loaded model goes on to the bit. False: the layers and weights alone.
  bool include_optimizer = true;
  StoredAs weights = StoredAs::same;  ///< another than `same` is not exact
};

struct LoadOptions {
  bool compile = true;                  ///< as the saved model was, where the file says
  std::optional<Device> device = {};    ///< default: the automatic one
  std::optional<Context> context = {};  ///< takes precedence over device
};

struct SaveWeightsOptions {
  StoredAs weights = StoredAs::same;
};

/// What says which weight of a file is which of the model: its name, or its place among get_weights(), where the file is in its
/// own order.
enum class MatchBy { name, order };

struct LoadWeightsOptions {
  MatchBy by = MatchBy::name;
  /// Weights of other shapes, those that the file lacks, and those that the model lacks are passed over. False: they are errors.
  bool skip_mismatch = false;
  /// "pytorch": as PyTorch's modules have them, that is matrices (out, in), filters (out, in, height, width), names "conv1.weight",
  /// "bn1.running_mean"; rows of a Dense behind the Flatten of an image go by (channels, height, width). By order the layers with
  /// weights are the modules, sorted by names with numbers as numbers, as nn.Sequential counts them. Else "keras", Glia's own.
  std::string layout = "keras";
};

/// What load_weights did, by the model's names; what was not used by the file's.
struct LoadedWeights {
  std::vector<std::string> loaded;
  std::vector<std::string> mismatched;  ///< of another shape in the file; unchanged
  std::vector<std::string> missing;     ///< not in the file; unchanged
  std::vector<std::string> unused;      ///< in the file alone
};

/// The tensors of a safetensors file, on the CPU, in the file's order, whoever wrote it: F16 and BF16 as float32. Throws FileError for
/// a file that is missing, damaged, or has other dtypes; OutOfMemoryError.
NamedTensors read_safetensors(const std::string& path);

}  // namespace glia
