// Layers that change images (height, width, channels) while a model trains, so that it never sees one twice as it was.
// They come before the layers that are trained, which the step does on the way from the data set into the batch.
// Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_layers.h>  // defines: Size2D
#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>  // defines: FlipModeName, FillModeName

#include <string>

namespace GLIA_API glia {

// All of them: what is drawn follows the model's seed, the update's number, the layer's place and the image's row of
// the batch, the same on every device; predict, evaluate and validation see images as they are. When built they throw
// ShapeError for an input that is not an image, and behind layers that are trained.
//
//     glia::Sequential model{glia::Input({32, 32, 3}), glia::RandomFlip("horizontal"),
//                            glia::RandomTranslation(0.125, 0.125, {.fill_mode = "constant"}), glia::Cutout(16),
//                            glia::Conv2D(32, 3, {.activation = "relu"}), ...};

/// A lower and an upper bound; one number f stands for -f and f.
struct FactorRange {
  double lower, upper;
  FactorRange(double both) : lower(-both), upper(both) {}
  FactorRange(double lower, double upper) : lower(lower), upper(upper) {}
};

struct RandomFlipOptions {
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  std::string name = {};
};

/// Turns half of the images round: "horizontal" (left and right), "vertical", or each of the two apart.
class RandomFlip : public Layer {
 public:
  explicit RandomFlip(const FlipModeName& mode = "horizontal_and_vertical",
                      const RandomFlipOptions& options = {});
};

struct RandomTranslationOptions {
  FillModeName fill_mode = "reflect";  ///< or "constant", "nearest", "wrap"
  double fill_value = 0;               ///< of "constant"
  Shape input_shape = {};              ///< (height, width, channels); see Layer
  std::string name = {};
};

/// Moves images by shares of their height (down) and width (to the right). By whole pixels, each number that the
/// bounds hold as likely as another, where Keras's may be fractions: nothing is interpolated. Throws ValueError for
/// factors outside [-1, 1] or with the lower above the upper.
class RandomTranslation : public Layer {
 public:
  RandomTranslation(const FactorRange& height_factor, const FactorRange& width_factor,
                    const RandomTranslationOptions& options = {});
};

struct RandomErasingOptions {
  /// The probability is drawn for each image between the two; one number f stands, as in Keras, for 0 and f, which
  /// erases f / 2 of the images: {1, 1} is all of them.
  FactorRange factor = 1.0;
  FactorRange scale = {0.02, 0.33};  ///< of the image's area; one number s stands for 0 and s
  double fill_value = 0;             ///< Keras's default is noise
  Shape input_shape = {};            ///< (height, width, channels); see Layer
  std::string name = {};
};

/// Fills a box within the image (Zhong et al. 2017). Its sides are the image's times the roots of two shares drawn
/// from `scale`. Throws ValueError for a factor or scale outside [0, 1] or with the lower above the upper.
class RandomErasing : public Layer {
 public:
  explicit RandomErasing(const RandomErasingOptions& options = {});
};

struct CutoutOptions {
  double fill_value = 0;
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  std::string name = {};
};

/// Fills a box of `size` pixels in every image, less where it hangs over the edge: its centre is anywhere (DeVries and
/// Taylor 2017). Throws ValueError for a size below 1, when built ShapeError for one larger than the image.
class Cutout : public Layer {
 public:
  explicit Cutout(Size2D size, const CutoutOptions& options = {});
};

}  // namespace glia
