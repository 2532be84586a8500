// Fashion-MNIST and MNIST from files, and the IDX format they come in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>
#include <glia/tensors.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// Inputs and targets, row by row: what fit and evaluate take. For a model with several inputs or outputs, `xs`, `ys` and
/// `sample_weights` hold them, by name, or in the model's order where names are empty.
struct Dataset {
  Tensor x;                              ///< (rows, ...)
  Tensor y;                              ///< (rows,) labels or (rows, ...) targets
  std::vector<std::string> class_names;  ///< in label order; may be empty
  Tensor sample_weight;                  ///< (rows,), what each row counts in the loss; empty: all alike
  std::vector<NamedTensor> xs, ys,
      sample_weights;  ///< in place of x, y and sample_weight where they are not empty

  /// Whether x and y hold all of it. Splits, and searches with folds, take no other, and throw ValueError.
  bool is_plain() const { return xs.empty() && ys.empty(); }
  /// Views of what it holds.
  Tensors inputs() const { return xs.empty() ? Tensors(x) : Tensors(xs); }
  Tensors targets() const {
    if (!ys.empty()) return ys;
    return y.empty() ? Tensors() : Tensors(y);
  }
  Tensors weights() const {
    if (!sample_weights.empty()) return sample_weights;
    return sample_weight.empty() ? Tensors() : Tensors(sample_weight);
  }

  /// The rows of these numbers of all that it holds, with its class names: `data.rows(fold.train)`. Negative numbers count
  /// from the end. Throws ShapeError for a row that there is not, and
  /// where not all have the same number of rows.
  Dataset rows(const std::vector<std::int64_t>& indices) const;

  Dataset() = default;
  explicit Dataset(Tensor inputs, Tensor targets, std::vector<std::string> names = {})
      : x(std::move(inputs)), y(std::move(targets)), class_names(std::move(names)) {}
};

struct TrainTest {
  Dataset train;
  Dataset test;
};

/// Reads any IDX file, plain or gzip (told by content, not by name): uint8 -> uint8, int8 and int16 and int32
/// -> int32, float -> float32, double -> float64; up to eight dimensions. Throws FileError with file and
/// offset for a file that is missing, truncated, over-long, or lies about its size; sizes are checked before
/// anything is allocated.
Tensor read_idx(const std::string& path);

namespace datasets {

/// Fashion-MNIST (Zalando Research, MIT licence): 60,000 training and 10,000 test images, uint8 (rows, 28,
/// 28) with scale 1/255, labels uint8 (rows,), ten class names. Looks for the four IDX files, plain or .gz,
/// in `directory`, or where that is empty in $GLIA_DATA_DIR/fashion-mnist, ./data/fashion-mnist and Debian's
/// share/datasets/fashion-mnist, and verifies the decompressed bytes by SHA-256. Throws FileError: where
/// nothing is found it lists the folders tried and the command that fetches the data; a wrong checksum names
/// the file.
TrainTest fashion_mnist(const std::string& directory = {});

/// MNIST likewise, from `directory`, $GLIA_DATA_DIR/mnist or ./data/mnist. A folder that holds only the test
/// part gives an empty training part.
TrainTest mnist(const std::string& directory = {});

}  // namespace datasets
}  // namespace glia
