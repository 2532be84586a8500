// What is trained on, judged and predicted for.
// SPDX-License-Identifier: Apache-2.0
#include "data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "files.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using glia::FileError;
using glia::ValueError;

glia::Dataset part_of(glia::TrainTest both, Part part) {
  return part == Part::train ? std::move(both.train) : std::move(both.test);
}

/// "train-images-idx3-ubyte" and its kin, plain or compressed.
std::string idx_file(const fs::path& folder, const std::string& begin) {
  std::error_code failed;
  fs::directory_iterator entry(folder, failed);
  for (const fs::directory_iterator end; !failed && entry != end; entry.increment(failed))
    if (entry->path().filename().string().starts_with(begin)) return entry->path().string();
  throw FileError("'" + folder.string() + "' has no file whose name begins with " + begin +
                  ": expected IDX files, such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz");
}

Data of_folder(const std::string& folder, Part part) {
  const std::string begin = part == Part::train ? "train" : "t10k";
  const std::string images = idx_file(folder, begin + "-images"),
                    labels = idx_file(folder, begin + "-labels");
  try {  // which has names, and checksums that tell it
    return {part_of(glia::datasets::fashion_mnist(folder), part), true};
  } catch (const FileError&) {
    return {glia::Dataset(glia::read_idx(images), glia::read_idx(labels)), true};
  }
}

/// Whether every cell can be read as a number.
bool is_of_numbers(const DataOptions& o) {
  try {
    glia::read_csv(o.data,
                   {.header = !o.no_header, .columns = {o.target}, .missing = glia::Missing::drop_row});
    return true;
  } catch (const FileError&) {
    return false;
  }
}

Data of_table(const DataOptions& o) {
  GLIA_CHECK(!o.target.empty(), ValueError,
             "a table needs --target, the column that is to be told from the others");
  std::vector<std::string> categorical;
  if (o.classes || !is_of_numbers(o)) categorical = {o.target};
  const glia::Table table = glia::read_csv(o.data, {.header = !o.no_header,
                                                    .categorical = categorical,
                                                    .text = o.ignore,
                                                    .missing = glia::Missing::drop_row});
  std::vector<std::string> without = o.ignore;
  without.push_back(o.target);
  const glia::Table inputs = table.without(without);
  glia::Tensor y = table.column(o.target);
  Data data{glia::Dataset(inputs.tensor(), categorical.empty() ? std::move(y) : y.cast(glia::DType::int32)),
            !categorical.empty()};
  if (data.classes) data.rows.class_names = table.categories(o.target);
  return data;
}

bool are_labels(const glia::Tensor& y) {
  return !glia::is_floating(y.dtype()) && (y.rank() == 1 || y.shape().back() == 1);
}

Data of_arrays(const DataOptions& o, Part part) {
  if (kind_of(o.data) == FileKind::npy) {
    GLIA_CHECK(!o.target.empty(), ValueError,
               "an array needs --target, the .npy file of what is to be told from it");
    glia::Tensor y = glia::load_npy(o.target);
    const bool labels = o.classes || are_labels(y);
    return {glia::Dataset(glia::load_npy(o.data), std::move(y)), labels};
  }
  glia::NamedTensors arrays = glia::load_npz(o.data);
  const std::string end = part == Part::train ? "_train" : "_test";
  const auto take = [&](const std::string& name) {
    for (glia::NamedTensor& one : arrays)
      if (one.name == name + end) return std::move(one.tensor);
    for (glia::NamedTensor& one : arrays)
      if (one.name == name) return std::move(one.tensor);
    throw FileError("'" + o.data + "' has no array " + name + " or " + name + end);
  };
  glia::Tensor y = take(o.target.empty() ? "y" : o.target);
  const bool labels = o.classes || are_labels(y);
  return {glia::Dataset(take("x"), std::move(y)), labels};
}

}  // namespace

Data load_data(const DataOptions& o, Part part) {
  if (o.data == "fashion_mnist") return {part_of(glia::datasets::fashion_mnist(), part), true};
  if (o.data == "mnist") return {part_of(glia::datasets::mnist(), part), true};
  std::error_code ignored;
  if (fs::is_directory(o.data, ignored)) return of_folder(o.data, part);
  switch (const FileKind kind = kind_of(o.data)) {
    case FileKind::csv:
      return of_table(o);
    case FileKind::npy:
    case FileKind::npz:
      return of_arrays(o, part);
    default:
      throw ValueError(
          "'" + o.data + "' is " + name_of(kind) +
          ", expected fashion_mnist, mnist, a folder of IDX files, a table (.csv), .npz or .npy");
  }
}

void number_as(const std::vector<std::string>& class_names, Data& data) {
  std::vector<std::string>& own = data.rows.class_names;
  if (class_names.empty() || own.empty() || own == class_names) return;
  std::vector<std::int64_t> number;
  for (const std::string& name : own) {
    const auto found = std::find(class_names.begin(), class_names.end(), name);
    GLIA_CHECK(found != class_names.end(), ValueError, "the data have the class \"", name,
               "\", which is none of the model's ", class_names.size(),
               " classes: glia inspect lists them; leave those rows out");
    number.push_back(found - class_names.begin());
  }
  for (std::int64_t i = 0; i < data.rows.y.rows(); ++i)
    data.rows.y.set({i}, static_cast<double>(number[static_cast<std::size_t>(data.rows.y(i))]));
  own = class_names;
}

namespace {

/// One image as a row of the model's.
glia::Tensor image_row(const std::string& path, const glia::Shape& row) {
  GLIA_CHECK(row.rank() == 2 || row.rank() == 3, ValueError, "the model takes rows of shape ", row, ", and '",
             path, "' is an image");
  const int channels = row.rank() == 3 ? static_cast<int>(row[2]) : 1;
  glia::Tensor image = glia::load_image(path, {.channels = channels});
  GLIA_CHECK(image.shape()[0] == row[0] && image.shape()[1] == row[1], ValueError, "'", path, "' is ",
             image.shape()[0], " x ", image.shape()[1], ", the model takes ", row[0], " x ", row[1],
             ": bring it to that size first");
  return std::move(image).reshape(row.prepend(1));
}

}  // namespace

glia::Tensor load_inputs(const std::vector<std::string>& paths, const glia::Model& model,
                         const DataOptions& o) {
  GLIA_CHECK(model.inputs().size() == 1, ValueError, "the model has ", model.inputs().size(),
             " inputs: this program predicts with models of one");
  std::vector<glia::Tensor> parts;
  for (const std::string& path : paths) {
    switch (const FileKind kind = kind_of(path)) {
      case FileKind::image:
        parts.push_back(image_row(path, model.inputs()[0].shape()));
        break;
      case FileKind::npy:
        parts.push_back(glia::load_npy(path));
        break;
      case FileKind::idx:
        parts.push_back(glia::read_idx(path));
        break;
      case FileKind::csv: {
        std::vector<std::string> without = o.ignore;
        if (!o.target.empty()) without.push_back(o.target);
        parts.push_back(
            glia::read_csv(path, {.header = !o.no_header, .text = without}).without(without).tensor());
        break;
      }
      default:
        throw ValueError("'" + path + "' is " + name_of(kind) +
                         ", expected images, tables (.csv), .npy or IDX files");
    }
  }
  std::vector<const glia::Tensor*> all;
  for (const glia::Tensor& part : parts) all.push_back(&part);
  return all.size() == 1 ? std::move(parts[0]) : glia::concatenate(all);
}

}  // namespace cli
