// What is trained on, judged and predicted for: folders of IDX files, tables, NumPy's arrays, images.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <string>
#include <vector>

namespace cli {

struct DataOptions {
  std::string data;    ///< "fashion_mnist", "mnist", a folder of IDX files, a table, .npz, or .npy
  std::string target;  ///< of a table the column; of .npz the array, by default "y"; of .npy the other file
  std::vector<std::string> ignore;  ///< columns of a table
  bool no_header = false;           ///< of a table: its columns are "0", "1", ...
  bool classes = false;             ///< whether numbers in the target are labels
};

enum class Part { train, test };

/// Rows and what they are: labels, where class_names has names or `classes` is set, else numbers.
struct Data {
  glia::Dataset rows;
  bool classes = false;
};

/// Of what has two parts the one that is asked for, else all. Throws FileError, ValueError.
Data load_data(const DataOptions& options, Part part);

/// Labels as a model's class names number them: those of a table are numbered by the classes that are in it, which may be fewer. Throws
/// ValueError for a class that the model does not know.
void number_as(const std::vector<std::string>& class_names, Data& data);

/// The rows that are predicted for: of images one each, as the model takes them.
glia::Tensor load_inputs(const std::vector<std::string>& paths, const glia::Model& model,
                         const DataOptions& options);

}  // namespace cli
