// What tests of an application's own layers and losses want: are their gradients right?
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/dtype.h>
#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>  // defines: LossName
#include <glia/shape.h>

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace GLIA_API glia {
namespace testing {

struct GradientCheckOptions {
  std::int64_t batch = 3;               ///< rows
  Device device = "cpu";                ///< where the bodies run
  std::optional<Context> context = {};  ///< takes precedence over device
  std::optional<DType> dtype = {};      ///< default: float64 on a CPU where the bodies have it, else float32
  double low = -1, high = 1;            ///< inputs, predictions and targets are drawn from between these
  double step = 0;       ///< of the differences, either way; 0: 1e-5 in float64, 1e-2 in float32
  double tolerance = 0;  ///< of the relative errors; 0: 1e-6 in float64, 5e-3 in float32
  std::uint64_t seed = 1;
};

/// The gradient of one tensor, and where it is furthest from the slope of the loss.
struct CheckedGradient {
  std::string of;  ///< "input 0", or the name of a variable
  Shape shape;
  double error =
      0;     ///< the worst: |got - expected| relative to the greater, or to 1 % of the tensor's greatest
  Shape at;  ///< the index of that element
  double got = 0, expected = 0;
  std::int64_t skipped =
      0;  ///< elements where differences do not settle, such as at a kink: they are not judged
};

struct GradientReport {
  bool ok =
      false;  ///< all errors are within the tolerance, and at least half of the elements of each tensor were judged
  double error = 0;   ///< the worst of all
  std::string where;  ///< of which tensor
  double tolerance = 0;
  std::string what;  ///< the layer or loss, device and dtype
  std::vector<CheckedGradient> gradients;

  explicit operator bool() const { return ok; }
  /// A line in all, and one a tensor.
  std::string text() const;
};
std::ostream& operator<<(std::ostream& out, const GradientReport& report);

/// Compares the gradients that the layer's backward body gives with central differences of its forward body, for inputs and weights
/// drawn at random: of a sum of all outputs, each times a random number. `input_shapes` are of one row of each input. The
/// layer may be one of Glia's, too. It is copied, and left alone; weights of the copy are what its initializers give, those that
/// are trained moved by a little. Bodies are told that they train. Two runs of the loss for each number of inputs and weights, so
/// for small shapes.
///
///     EXPECT_TRUE(glia::testing::check_gradients(glia::make_layer<LearnedSwish>(), {{5}}));  // prints the report
///     std::cout << glia::testing::check_gradients(layer, {{5}}, {.device = "cuda"});
///
/// A gradient that is wrong is not an error: the report says so. Throws what building and running a model throws: ShapeError,
/// DeviceError for a device that there is not or that the layer has no body for, StateError for a layer that cannot be copied;
/// ValueError for options that cannot be; and what bodies throw. Synchronises and allocates.
GradientReport check_gradients(const Layer& layer, const std::vector<Shape>& input_shapes,
                               const GradientCheckOptions& options = {});

/// The same of a loss, of Glia's or of the application's own: the gradient of the mean over rows in the predictions, of which one
/// row has this shape. Targets are drawn like predictions; of a loss that wants labels, among the classes.
GradientReport check_gradients(const LossName& loss, const Shape& prediction_shape,
                               const GradientCheckOptions& options = {});

}  // namespace testing
}  // namespace glia
