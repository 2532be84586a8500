// Checks of inputs, targets and labels.
// SPDX-License-Identifier: Apache-2.0
#include <host/data/checks.h>

#include <algorithm>
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

void check_targets(const Core& model, const Head& head, const TensorView& x, const TensorView& y,
                   const char* call) {
  const bool several = model.network().output_count() > 1;
  GLIA_CHECK(y.shape().rank() >= 1 && y.rows() == x.rows(), ShapeError, call, " got ", x.rows(),
             " rows of x (", x.shape(), ") and targets of shape ", y.shape(),
             several ? " for the output \"" + head.name + '"' : std::string(),
             ": both need the same number of rows");
  const TargetSpec targets = head.targets();
  if (targets.kind == Targets::sparse_labels)
    check_label_targets(y, targets, head.shape.back(),
                        std::get<SparseCategoricalCrossentropy>(head.loss).ignore_class);
  else
    check_dense_targets(y, head.shape, head.loss);
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "\"" : ", \"") + name + '"';
  return text;
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

void add_in_order(Rows& rows, const Tensors& given, const std::vector<std::string>& names, bool all,
                  const char* what, const char* call) {
  const std::size_t first = rows.size();
  rows.resize(first + names.size());
  const bool by_name = given && !given[0].name.empty();
  GLIA_CHECK(by_name || given.size() == names.size() || (!all && !given), ValueError, call, " got ",
             given.size(), ' ', what, ", expected ", names.size(),
             names.size() > 1 ? ": " + quoted_list(names) + ", in this order or by name" : std::string());
  for (std::size_t i = 0; i < given.size(); ++i) {
    GLIA_CHECK(given[i].name.empty() != by_name, ValueError, call, " got ", what,
               " with and without names: name all of them, or none");
    std::size_t place = first + i;
    if (by_name) {
      const auto found = std::find(names.begin(), names.end(), given[i].name);
      if (found == names.end())
        throw ValueError(
            detail::concat(call, " got ", what, ": ", detail::unknown_name("name", given[i].name, names)));
      place = first + static_cast<std::size_t>(found - names.begin());
      GLIA_CHECK(!rows[place], ValueError, call, " got ", what, " \"", given[i].name, "\" twice");
    }
    rows[place] = given[i].view;
  }
  for (std::size_t i = 0; all && i < names.size(); ++i)
    GLIA_CHECK(rows[first + i], ValueError, call, " got no ", what, " for \"", names[i],
               "\": give one for each of ", quoted_list(names));
}

namespace {

/// What a row is fed to, while nothing but shapes comes before it, checks what it can take.
void check_first_layers(const Core& model, std::size_t input, const TensorView& x) {
  if (!x.device().is_cpu()) return;
  const Graph& graph = model.network().graph();
  std::vector<bool> reads(graph.nodes().size());  // the rows as they were given
  reads[graph.inputs()[input]] = true;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Graph::Node& node = graph.nodes()[n];
    for (const Graph::Source& source : node.inputs) {
      if (!reads[source.node]) continue;
      node.layer.node().check_input(x);
      reads[n] = reads[n] || !node.layer.node().is_listed();
    }
  }
}

}  // namespace

Rows checked_inputs(const Core& model, const Tensors& x, const char* call) {
  Rows rows;
  const std::size_t heads = model.compiled() ? model.trainer().heads().all.size() : 0;
  rows.reserve(model.network().input_names().size() + 2 * heads);  // with targets and weights behind them
  add_in_order(rows, x, model.network().input_names(), true, "inputs", call);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Shape row = checked_row_shape(*rows[i], call), &wanted = model.network().input_shapes()[i];
    GLIA_CHECK(wanted == row, ShapeError, call, " got data of shape ", rows[i]->shape(),
               rows.size() > 1 ? " for the input \"" + model.network().input_names()[i] + '"' : std::string(),
               ", the model takes rows of shape ", wanted,
               wanted == rows[i]->shape()
                   ? ": a single example needs a dimension in front, reshape it to (1, ...)"
                   : ": reshape the data, or make a model for its shape");
    GLIA_CHECK(rows[i]->rows() == rows[0]->rows(), ShapeError, call, " got inputs of ", rows[0]->rows(),
               " and ", rows[i]->rows(), " rows: all need the same number of rows");
    check_first_layers(model, i, *rows[i]);
  }
  return rows;
}

void check_compiled(const Core& model, const char* call) {
  GLIA_CHECK(model.compiled(), StateError, call,
             " needs a compiled model: call compile with an optimizer and a loss first");
  GLIA_CHECK(model.trainer().has_loss(), StateError, call,
             " needs a loss: the model was compiled without one; compile it with .loss, such as \"mse\"");
}

Rows checked_data(const Core& model, const Tensors& x, const Tensors& y, const char* call) {
  Rows rows = checked_inputs(model, x, call);
  GLIA_CHECK(rows_of(rows) > 0, ValueError, call, " got no rows (x has shape ", rows[0]->shape(),
             "): give at least one");
  const std::vector<Head>& heads = model.trainer().heads().all;
  const std::size_t inputs = rows.size();
  add_in_order(rows, y, model.trainer().heads().names, true, "targets", call);
  for (std::size_t h = 0; h < heads.size(); ++h)
    check_targets(model, heads[h], *rows[0], *rows[inputs + h], call);
  return rows;
}

}  // namespace glia
