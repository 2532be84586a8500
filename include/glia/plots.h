// Drawings as SVG files: lines, images with their labels, confusion matrices. History::plot is in history.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/datasets.h>
#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace GLIA_API glia {

enum class LineStyle { solid, dashed, none };

/// Points (x, y), in this order, joined by a line. One that is NaN or infinite, or beyond 1e300, leaves a gap; a
/// point between two gaps is drawn as a marker.
struct Series {
  std::string name = {};       ///< for the legend; empty: not in it
  std::vector<double> x = {};  ///< as many as y; empty: 0, 1, 2, ...
  std::vector<double> y = {};
  std::string color = {};  ///< "#1f77b4", "#abc" or a CSS name such as "gray"; empty: the next of ten
  LineStyle line = LineStyle::solid;
  bool markers = false;
};

/// Part of an axis, min < max.
struct Interval {
  double min = 0;
  double max = 1;
};

/// A dashed vertical line.
struct Guide {
  double x = 0;
  std::string label = {};
};

/// What surrounds the lines. What lies outside of x_range or y_range is cut off; by default all is seen.
struct Axes {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  std::optional<Interval> x_range = {};
  std::optional<Interval> y_range = {};
  bool integer_x = false;  ///< ticks of the x axis at whole numbers only
  std::vector<Guide> guides = {};
};

/// Lines in one coordinate system.
struct Panel {
  std::vector<Series> series = {};
  Axes axes = {};
};

struct PanelsOptions {
  std::string title = {};    ///< above all panels
  std::int64_t columns = 0;  ///< panels in a row; 0: up to three
  double panel_width = 440;  ///< of one panel with its labels, in pixels
  double panel_height = 320;
};

/// Draws lines in one coordinate system:
///
///     glia::plot_lines({{.name = "relu", .x = x, .y = relu}, {.name = "tanh", .x = x, .y = tanh}},
///                      "activations.svg", {.title = "Activations", .x_label = "x", .y_label = "f(x)"});
///
/// As all functions here: writes an SVG file, whole or not at all, and throws FileError where it cannot; texts may
/// hold any character. Throws ShapeError for a series with x and y of different lengths, ValueError where there is no
/// series, for a colour that is none, and for an interval that is empty or not finite.
void plot_lines(const std::vector<Series>& series, const std::string& path, const Axes& axes = {});

/// Draws several coordinate systems side by side. Errors as plot_lines; ValueError for no panel, negative columns, and
/// panels smaller than 200 x 150 or larger than 10,000.
void plot_panels(const std::vector<Panel>& panels, const std::string& path,
                 const PanelsOptions& options = {});

struct ImagesOptions {
  std::vector<std::int64_t> indices = {};  ///< rows to draw, in this order; empty: the first 25
  /// Of model.predict, (n, classes): the greatest is the prediction. Or one number a row, (n,) or (n, 1): labels, or,
  /// where all lie between 0 and 1, probabilities of class 1. For the rows in `indices`, in that order, where there
  /// are as many, else for all rows. A row with NaN predicts "NaN".
  std::optional<TensorView> predictions = {};
  std::int64_t columns = 0;  ///< images in a row; 0: five, or ten where there are more than 25
  std::vector<std::string> class_names = {};  ///< in label order; empty: the data's
  std::string title = {};
};

/// Draws images in a grid, each with index and label and, where given, the prediction; wrong ones are red:
///
///     std::vector<std::int64_t> indices = {0, 17, 4523};
///     glia::plot_images(test, "images.svg", {.indices = indices, .predictions = model(test.x.rows(indices))});
///
/// Images are (rows, h, w), (rows, h, w, 1) or (rows, h, w, 3); labels (rows,), (rows, 1) or one-hot (rows, classes),
/// or empty. uint8 is 0 to 255, whatever its scale; other types are 0 to 1, or 0 to 255 where the images drawn hold a
/// value above 1 and none below 0, and are stretched to their least and greatest value where that fits neither.
/// Throws ShapeError for other shapes and numbers of rows; ValueError for an index that is out of range (negative ones
/// count from the end), a label that is no whole number, a pixel that is not finite, negative columns, and for data
/// without rows; DeviceError for tensors that are not on the CPU; FileError.
void plot_images(const Dataset& data, const std::string& path, const ImagesOptions& options = {});
void plot_images(const TensorView& images, const TensorView& labels, const std::string& path,
                 const ImagesOptions& options = {});

struct ConfusionOptions {
  std::vector<std::string> class_names = {};  ///< one for each class; empty: 0, 1, 2, ...
  std::string title = "Confusion matrix";
};

/// Draws what Sequential::confusion_matrix returns, counts (n, n) of true class (first index) and predicted class:
///
///     glia::plot_confusion_matrix(model.confusion_matrix(test), "confusion.svg", {.class_names = test.class_names});
///
/// Each cell holds its count; it is the darker the larger its share of its row is, so that rare classes are seen as
/// well. Throws ShapeError for a matrix that is not square or has no class; ValueError for counts that are negative
/// or no whole numbers, and another number of names; DeviceError where it is not on the CPU; FileError.
void plot_confusion_matrix(const TensorView& matrix, const std::string& path,
                           const ConfusionOptions& options = {});

}  // namespace glia
