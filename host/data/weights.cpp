// Weights of rows, as given or by class.
// SPDX-License-Identifier: Apache-2.0
#include <host/data/checks.h>  // defines: in_order
#include <host/data/weights.h>
#include <host/tensor/elements.h>  // defines: expect_cpu, for_each_element

#include <cmath>
#include <limits>
#include <string>

namespace glia {
namespace {

/// Whether a number is finite in float32, in which weights are kept.
bool fits_float32(double number) { return std::fabs(number) <= std::numeric_limits<float>::max(); }

Tensor given_weights(const TensorView& weights, std::int64_t rows, const char* call) {
  detail::expect_cpu(weights, "sample_weight");
  const bool fits =
      (weights.shape().rank() == 1 || (weights.shape().rank() == 2 && weights.shape()[1] == 1)) &&
      weights.rows() == rows;
  GLIA_CHECK(fits, ShapeError, call, " got sample_weight of shape ", weights.shape(),
             ", expected one a row: (", rows, ",)");
  Tensor result = Tensor::uninitialized({rows});
  detail::for_each_element(weights, [&](std::int64_t i, double weight) {
    GLIA_CHECK(fits_float32(weight), ValueError, call, " got the sample_weight ", weight, " for row ", i,
               ", expected a finite number that float32 can hold");
    result.data<float>()[i] = static_cast<float>(weight);
  });
  return result;
}

/// The class of each row: a label, where the greatest of several targets stands, or a single target rounded.
std::vector<std::int64_t> classes_of(const TensorView& targets, bool sparse) {
  const std::int64_t rows = targets.rows(), columns = targets.row_elements();
  std::vector<std::int64_t> classes(static_cast<std::size_t>(rows));
  std::vector<double> greatest(static_cast<std::size_t>(rows));
  detail::for_each_element(targets, [&](std::int64_t i, double value) {
    const auto row = static_cast<std::size_t>(i / columns);
    if (sparse || columns == 1)
      classes[row] = std::llround(value);
    else if (i % columns == 0 || value > greatest[row])
      greatest[row] = value, classes[row] = i % columns;
  });
  return classes;
}

Tensor class_weights(const Head& head, const TensorView& targets, const std::map<int, double>& weights,
                     const char* call) {
  detail::expect_cpu(targets, "class_weight");
  const TargetSpec spec = head.targets();
  const bool sparse = spec.kind == Targets::sparse_labels;
  GLIA_CHECK(spec.row.rank() <= (sparse ? 0 : 1), ShapeError, call,
             " got class_weight, but rows have targets of shape ", spec.row,
             ", which have no one class: give sample_weight");
  const std::int64_t outputs = head.shape.back(), count = outputs == 1 ? 2 : outputs;
  for (const auto& [number, weight] : weights) {
    GLIA_CHECK(number >= 0 && number < count, ValueError, call, " got class_weight for class ", number,
               ", expected classes 0 to ", count - 1);
    GLIA_CHECK(fits_float32(weight) && weight >= 0, ValueError, call, " got class_weight ", weight,
               " for class ", number, ", expected a finite number of at least 0 that float32 can hold");
  }
  Tensor result = Tensor::ones({targets.rows()});
  const std::vector<std::int64_t> classes = classes_of(targets, sparse);
  for (std::size_t row = 0; row < classes.size(); ++row) {
    const auto found = weights.find(static_cast<int>(classes[row]));
    if (found != weights.end()) result.data<float>()[row] = static_cast<float>(found->second);
  }
  return result;
}

}  // namespace

std::vector<std::optional<Tensor>> row_weights(const Core& model, const Rows& data,
                                               const Tensors& sample_weight,
                                               const std::map<int, double>& class_weight, const char* call) {
  GLIA_CHECK(
      !sample_weight || class_weight.empty(), ValueError, call,
      " got sample_weight and class_weight: give one of them, or multiply class weights into sample_weight");
  const std::vector<Head>& heads = model.trainer().heads().all;
  GLIA_CHECK(class_weight.empty() || model.network().output_count() == 1, ValueError, call,
             " got class_weight for a model of ", model.network().output_count(),
             " outputs, which have no common classes: give sample_weight");
  GLIA_CHECK(class_weight.empty() || heads.size() == 1, ValueError, call,
             " got class_weight for a model whose loss has no targets, and so no classes: leave it out");
  std::vector<std::optional<Tensor>> weights(heads.size());
  if (!class_weight.empty())
    weights[0] = class_weights(heads[0], *data[model.network().input_shapes().size()], class_weight, call);
  if (!sample_weight) return weights;
  Rows given;
  add_in_order(given, sample_weight, model.trainer().heads().names, false, "sample_weight", call);
  for (std::size_t h = 0; h < heads.size(); ++h)
    if (given[h]) weights[h] = given_weights(*given[h], rows_of(data), call);
  return weights;
}

Rows with_weights(Rows data, const std::vector<std::optional<Tensor>>& weights) {
  for (const std::optional<Tensor>& weight : weights)
    data.push_back(weight ? std::optional<TensorView>(*weight) : std::nullopt);
  return data;
}

}  // namespace glia
