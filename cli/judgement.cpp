// What a report says of a model.
// SPDX-License-Identifier: Apache-2.0
#include "judgement.h"

#include <glia/glia.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "files.h"
#include "report_page.h"

namespace cli {
namespace {

using glia::Tensor;
using glia::ValueError;

/// The first `count` of the rows, the greatest of `value` first; NaN counts as infinite.
std::vector<std::int64_t> greatest_of(std::vector<std::int64_t> rows, std::vector<double> value, int count) {
  for (double& one : value)
    if (std::isnan(one)) one = std::numeric_limits<double>::infinity();
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) {
    return value[static_cast<std::size_t>(a)] > value[static_cast<std::size_t>(b)];
  });
  rows.resize(std::min(rows.size(), static_cast<std::size_t>(count)));
  return rows;
}

/// What a classifier's outputs (rows, n) mean.
struct Answers {
  std::int64_t classes = 0;
  double threshold = 0;      // of one output: above it is class 1
  Tensor said;               // (rows,) int64
  std::vector<double> sure;  // of what it said: the output, or the distance from the threshold
};

/// One output tells two classes apart at 0.5, or, where it is no probability (logits, a hinge), at 0.
Answers answers_of(const Tensor& outputs) {
  Answers answers{outputs.shape()[1], 0, {}, {}};
  const bool one = answers.classes == 1;
  if (one) {
    answers.classes = 2;
    answers.threshold = outputs.min() < 0 || outputs.max() > 1 ? 0 : 0.5;
    answers.said = (outputs > answers.threshold).cast(glia::DType::int64).reshape({outputs.rows()});
  } else {
    answers.said = outputs.argmax(1);
  }
  for (std::int64_t i = 0; i < outputs.rows(); ++i)
    answers.sure.push_back(one ? std::abs(outputs(i, 0) - answers.threshold)
                               : outputs(i, static_cast<std::int64_t>(answers.said(i))));
  return answers;
}

/// Rows of each class (first index) that were taken for each. Model::confusion_matrix is for a compiled model and its metrics: here
/// any model will do, and the outputs are there.
Tensor counted(const Answers& answers, const Tensor& labels) {
  Tensor matrix = Tensor::zeros({answers.classes, answers.classes}, glia::DType::int64);
  for (std::int64_t i = 0; i < labels.rows(); ++i) {
    GLIA_CHECK(labels(i) >= 0 && labels(i) < static_cast<double>(answers.classes) &&
                   labels(i) == std::floor(labels(i)),
               ValueError, "row ", i, " has the label ", labels(i), ", but the model tells ", answers.classes,
               " classes apart: expected 0 to ", answers.classes - 1);
    const auto is = static_cast<std::int64_t>(labels(i)), said = static_cast<std::int64_t>(answers.said(i));
    matrix.set({is, said}, matrix(is, said) + 1);
  }
  return matrix;
}

std::string name_of(double label, const std::vector<std::string>& names) {
  return names.empty() ? in_short(label) : names[static_cast<std::size_t>(label)];
}

std::string of_classes(const Tensor& outputs, const Tensor& labels, const glia::Dataset& rows,
                       std::vector<std::string> names, int mistakes) {
  const Answers answers = answers_of(outputs);
  if (static_cast<std::int64_t>(names.size()) != answers.classes) names.clear();
  const Tensor matrix = counted(answers, labels);
  std::vector<std::int64_t> wrong;
  for (std::int64_t i = 0; i < labels.rows(); ++i)
    if (answers.said(i) != labels(i)) wrong.push_back(i);
  const auto errors = static_cast<std::int64_t>(wrong.size());
  std::string html = "<h2>On " + std::to_string(labels.rows()) +
                     " rows: " + std::to_string(labels.rows() - errors) + " right, " +
                     std::to_string(errors) + " wrong</h2>\n";
  if (outputs.shape()[1] == 1)
    html += "<p>One output: above " + in_short(answers.threshold) + " it says " + escaped(name_of(1, names)) +
            ", else " + escaped(name_of(0, names)) + ".</p>\n";
  html += drawing(
      [&](const std::string& path) { glia::plot_confusion_matrix(matrix, path, {.class_names = names}); });
  if (wrong.empty()) return html;
  wrong = greatest_of(wrong, answers.sure, mistakes);
  html += "<h2>The worst mistakes</h2>\n";
  const glia::Shape& shape = rows.x.shape();
  if (shape.rank() == 3 || (shape.rank() == 4 && (shape[3] == 1 || shape[3] == 3)))
    return html + drawing([&](const std::string& path) {
             glia::plot_images(rows, path,
                               {.indices = wrong,
                                .predictions = answers.said.rows(wrong),
                                .class_names = names,
                                .title = "Wrong, and sure of it"});
           });
  std::vector<Row> worst;
  for (const std::int64_t i : wrong)
    worst.push_back(
        {std::to_string(i), name_of(labels(i), names), name_of(answers.said(i), names),
         in_short(outputs.shape()[1] == 1 ? outputs(i, 0) : answers.sure[static_cast<std::size_t>(i)])});
  return html + table({"row", "label", "predicted", "output"}, worst);
}

/// Points of up to so many rows, evenly taken.
constexpr std::int64_t most_points = 2000;

glia::Panel scatter(const Tensor& outputs, const Tensor& truth, std::int64_t column) {
  glia::Series points{.name = "rows", .line = glia::LineStyle::none, .markers = true};
  const std::int64_t step = (truth.rows() + most_points - 1) / most_points;
  for (std::int64_t i = 0; i < truth.rows(); i += step) {
    points.x.push_back(truth(i, column));
    points.y.push_back(outputs(i, column));
  }
  const auto [least, greatest] = std::minmax_element(points.x.begin(), points.x.end());
  const glia::Series exact{.name = "exact",
                           .x = {*least, *greatest},
                           .y = {*least, *greatest},
                           .color = "#999999",
                           .line = glia::LineStyle::dashed};
  return {.series = {exact, points},
          .axes = {.title = truth.shape()[1] > 1 ? "Output " + std::to_string(column) : "",
                   .x_label = "true",
                   .y_label = "predicted"}};
}

std::string of_numbers(const Tensor& outputs, const Tensor& truth, int mistakes) {
  constexpr std::int64_t most_panels = 9;
  const std::int64_t columns = truth.shape()[1];
  const auto rows = static_cast<std::size_t>(truth.rows());
  std::vector<double> off(rows);  // of each row the largest error, in the column `farthest`
  std::vector<std::int64_t> all(rows), farthest(rows);
  std::iota(all.begin(), all.end(), 0);
  double sum = 0, squares = 0;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < columns; ++j) {
      const double error = std::abs(outputs(all[row], j) - truth(all[row], j));
      sum += error;
      squares += error * error;
      if (error <= off[row] || std::isnan(off[row])) continue;
      off[row] = error;
      farthest[row] = j;
    }
  const auto count = static_cast<double>(truth.size());
  std::vector<glia::Panel> panels;
  for (std::int64_t j = 0; j < std::min(columns, most_panels); ++j)
    panels.push_back(scatter(outputs, truth, j));
  std::vector<Row> worst;
  for (const std::int64_t i : greatest_of(all, off, mistakes)) {
    const std::int64_t j = farthest[static_cast<std::size_t>(i)];
    worst.push_back({std::to_string(i), in_short(truth(i, j)), in_short(outputs(i, j)),
                     in_short(outputs(i, j) - truth(i, j))});
    if (columns > 1) worst.back().insert(worst.back().begin() + 1, std::to_string(j));
  }
  Row head = {"row", "true", "predicted", "off by"};
  if (columns > 1) head.insert(head.begin() + 1, "output");
  return "<h2>On " + std::to_string(truth.rows()) + " rows: off by " + in_short(sum / count) +
         " on average</h2>\n<p>Root of the mean squared error: " + in_short(std::sqrt(squares / count)) +
         "</p>\n" + drawing([&](const std::string& path) {
           glia::plot_panels(panels, path, {.title = "Predicted against true"});
         }) +
         "<h2>The worst rows</h2>\n" + table(head, worst);
}

}  // namespace

std::string judgement(const std::string& path, const DataOptions& options, int mistakes) {
  glia::Model model = open_model(path, glia::Device::cpu());
  Data data = load_data(options, Part::test);
  number_as(model.class_names(), data);
  const std::int64_t rows = data.rows.x.rows();
  GLIA_CHECK(rows > 0, ValueError, "'", options.data, "' has no rows to judge the model on");
  const Tensor outputs = model.predict(data.rows.x, {.batch_size = 256, .verbose = 0});
  GLIA_CHECK(outputs.rank() == 2, ValueError, "the model's outputs are ", outputs.shape(),
             ", and a report judges one row of numbers for each row of data");
  const Tensor& y = data.rows.y;
  const bool is_column = y.size() == rows;
  GLIA_CHECK(is_column || y.size() == outputs.size(), ValueError, "the data's answers are ", y.shape(),
             ", and the model's ", outputs.shape());
  // An array's whole numbers may be labels or not: one output tells no more than two classes apart.
  const bool named = !data.rows.class_names.empty();
  const bool classes =
      data.classes && is_column && (named || outputs.shape()[1] > 1 || (y.min() >= 0 && y.max() <= 1));
  if (classes)
    return of_classes(outputs, y.clone().reshape({rows}), data.rows,
                      model.class_names().empty() ? data.rows.class_names : model.class_names(), mistakes);
  GLIA_CHECK(y.size() == outputs.size(), ValueError, "the model gives ", outputs.shape()[1],
             " numbers for each row, and the data one, which is no label; is --classes missing?");
  return of_numbers(outputs, y.clone().reshape(outputs.shape()), mistakes);
}

}  // namespace cli
