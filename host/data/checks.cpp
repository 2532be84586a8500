// Checks of inputs, targets and labels.
// SPDX-License-Identifier: Apache-2.0
#include <host/data/checks.h>

#include <cmath>

namespace glia {
namespace {

template <class T>
void check_labels(const T* labels, std::int64_t count, std::int64_t per_row, std::int64_t classes,
                  std::int64_t ignored) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double label = static_cast<double>(labels[i]);
    if (label == static_cast<double>(ignored)) continue;
    GLIA_CHECK(label >= 0 && label < static_cast<double>(classes) && label == std::floor(label), ValueError,
               "label ", label, " in row ", i / per_row, ", expected whole numbers from 0 to ", classes - 1,
               ": the model has ", classes, " outputs; correct the labels or the last layer's units");
  }
}

void check_label_targets(const TensorView& y, const TargetSpec& targets, std::int64_t classes,
                         std::int64_t ignored) {
  const Shape labels = targets.row.prepend(y.rows());
  Shape with_one = labels;
  with_one.push_back(1);
  const bool one_hot = y.shape().rank() == labels.rank() + 1 && y.shape().back() == classes;
  GLIA_CHECK(y.shape() == labels || y.shape() == with_one, ShapeError,
             "sparse_categorical_crossentropy takes one label a row, targets of shape ", labels, ", got ",
             y.shape(),
             one_hot ? ": for one-hot targets use categorical_crossentropy" : ": give class numbers");
  GLIA_CHECK(y.scale() == 1, ValueError, "labels got scale ", y.scale(),
             ", expected 1: they are numbers of classes");
  if (!y.device().is_cpu()) return;
  visit_dtype(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    check_labels(static_cast<const T*>(y.raw()), y.shape().elements(), targets.row.elements(), classes,
                 ignored);
  });
}

/// Whether shapes are equal, or would be if the longer had not a last dimension of 1, which Keras adds or drops.
bool equal_but_for_a_last_one(const Shape& a, const Shape& b) {
  if (a.rank() == b.rank()) return a == b;
  const Shape& longer = a.rank() > b.rank() ? a : b;
  const Shape& shorter = a.rank() > b.rank() ? b : a;
  return longer.rank() == shorter.rank() + 1 && longer.back() == 1 &&
         longer.slice(0, shorter.rank()) == shorter;
}

void check_dense_targets(const TensorView& y, const Shape& output, const Losses& loss) {
  const Shape wanted = output.prepend(y.rows());
  const bool crossentropy = std::holds_alternative<CategoricalCrossentropy>(loss);
  const bool looks_like_labels = crossentropy && y.row_elements() == 1;
  GLIA_CHECK(equal_but_for_a_last_one(y.shape(), wanted), ShapeError, "the model's output has shape ", wanted,
             ", the targets have ", y.shape(),
             looks_like_labels ? ": for class numbers use sparse_categorical_crossentropy"
                               : ": they must be equal; change the last layer's units or the targets");
}

void check_targets(const Model& model, const TensorView& x, const TensorView& y, const char* call) {
  GLIA_CHECK(x.rows() > 0, ValueError, call, " got no rows (x has shape ", x.shape(), "): give at least one");
  GLIA_CHECK(y.shape().rank() >= 1 && y.rows() == x.rows(), ShapeError, call, " got ", x.rows(),
             " rows of x (", x.shape(), ") and targets of shape ", y.shape(),
             ": both need the same number of rows");
  const TargetSpec targets = model.target_spec();
  if (targets.kind == Targets::sparse_labels)
    check_label_targets(y, targets, model.output_shape().back(),
                        std::get<SparseCategoricalCrossentropy>(model.loss()).ignore_class);
  else
    check_dense_targets(y, model.output_shape(), model.loss());
}

}  // namespace

Shape checked_row_shape(const TensorView& x, const char* call) {
  GLIA_CHECK(x.shape().rank() >= 1, ShapeError, call, " got a scalar, expected data of shape (rows, ...)");
  const Shape row = x.shape().rank() == 1 ? Shape{1} : x.shape().row();
  for (std::int64_t dimension : row)
    GLIA_CHECK(dimension >= 1, ShapeError, call, " got data of shape ", x.shape(),
               ", whose rows are empty: every dimension but the first must be at least 1");
  return row;
}

void check_inputs(const Model& model, const TensorView& x, const char* call) {
  const Shape row = checked_row_shape(x, call);
  GLIA_CHECK(model.input_shape() == row, ShapeError, call, " got data of shape ", x.shape(),
             ", the model takes rows of shape ", model.input_shape(),
             model.input_shape() == x.shape()
                 ? ": a single example needs a dimension in front, reshape it to (1, ...)"
                 : ": reshape the data, or make a model for its shape");
  if (x.device().is_cpu())
    for (const LayerNode* node : model.nodes()) {
      node->check_input(x);
      if (node->is_listed()) break;
    }
}

void check_compiled(const Model& model, const char* call) {
  GLIA_CHECK(model.compiled(), StateError, call,
             " needs a compiled model: call compile with an optimizer and a loss first");
  GLIA_CHECK(model.has_loss(), StateError, call,
             " needs a loss: the model was compiled without one; compile it with .loss, such as \"mse\"");
}

void check_data(const Model& model, const TensorView& x, const TensorView& y, const char* call) {
  check_inputs(model, x, call);
  check_targets(model, x, y, call);
}

}  // namespace glia
