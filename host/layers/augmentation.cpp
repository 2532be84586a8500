// Layers that change images while a model trains: one step each of an Augment.
// SPDX-License-Identifier: Apache-2.0
#include <glia/augmentation_layers.h>
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace glia {
namespace {

class AugmentationNode : public SimpleLayer {
 public:
  AugmentationNode(const char* type, const Shape& input_shape, const std::string& layer_name) : type_(type) {
    name = layer_name;
    declare_input_shape(input_shape);
  }

  const char* type() const override { return type_; }
  bool gives_input_gradient() const override { return false; }
  Shape shape_for(const Shape& input_shape) const override {
    GLIA_CHECK(input_shape.rank() == 3, ShapeError, "layer \"", name, "\" (", type_,
               ") needs images (height, width, channels), got rows of shape ", input_shape,
               ": put a Reshape before it");
    GLIA_CHECK(std::max(input_shape[0], input_shape[1]) <= most_image_side, ShapeError, "layer \"", name,
               "\" (", type_, ") got images of shape ", input_shape, ", expected at most ", most_image_side,
               " rows and columns");
    step(input_shape[0], input_shape[1]);  // for what it throws
    return input_shape;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const std::optional<AugmentStep> acts =
        e.trains() ? step(x.shape[1], x.shape[2]) : std::optional<AugmentStep>();
    if (!acts) return {x, [](Emitter&, const View& gradient, bool) { return gradient; }};
    op::Augment augment{x, e.temporary(x.shape), {}};
    augment.augmentation.steps[augment.augmentation.count++] = *acts;
    augment.augmentation.steps[0].seed = e.noise_seed();
    e.add(augment);
    return {augment.out, [](Emitter&, const View&, bool) { return View{}; }};  // never asked for
  }

 protected:
  /// For images of this size; nothing where it would change nothing.
  virtual std::optional<AugmentStep> step(std::int64_t height, std::int64_t width) const = 0;

 private:
  const char* type_;
};

/// 32-bit words below it are `probability` of all.
std::uint64_t words_below(double probability) {
  return static_cast<std::uint64_t>(std::llround(probability * 0x1p32));
}

void check_factor(const char* type, const char* what, const FactorRange& factor, double least) {
  GLIA_CHECK(factor.lower >= least && factor.lower <= factor.upper && factor.upper <= 1, ValueError, type,
             " got ", what, " from ", factor.lower, " to ", factor.upper, ", expected numbers from ", least,
             " to 1, the lower one first");
}

void check_fill(const char* type, double value) {
  GLIA_CHECK(std::isfinite(value), ValueError, type, " got fill_value ", value, ", expected a finite number");
}

void list(Config& config, FlipModeName& mode) { config.field("mode", mode); }

class RandomFlipNode final : public AugmentationNode {
 public:
  RandomFlipNode(const FlipModeName& mode, const RandomFlipOptions& o)
      : AugmentationNode("RandomFlip", o.input_shape, o.name), mode_(mode) {}
  void describe(Config& config) override { list(config, mode_); }

 private:
  std::optional<AugmentStep> step(std::int64_t, std::int64_t) const override {
    AugmentStep step;
    std::visit([&](const auto& mode) { step.rows = mode.rows, step.columns = mode.columns; }, mode_.value());
    step.below = words_below(0.5);
    return step;
  }

  FlipModeName mode_;
};

/// The whole pixels that bounds hold; where they hold none, the one nearest to their middle.
std::pair<std::int32_t, std::int32_t> pixels_within(const FactorRange& factor, std::int64_t length) {
  const double lower = factor.lower * static_cast<double>(length);
  const double upper = factor.upper * static_cast<double>(length);
  double least = std::ceil(lower - 1e-9), most = std::floor(upper + 1e-9);
  if (least > most) least = most = std::round((lower + upper) / 2);
  return {static_cast<std::int32_t>(least), static_cast<std::int32_t>(most)};
}

void list(Config& config, FactorRange& height, FactorRange& width, RandomTranslationOptions& options) {
  config.needed("height_factor", height), config.needed("width_factor", width);
  config.field("fill_mode", options.fill_mode), config.field("fill_value", options.fill_value);
}

class RandomTranslationNode final : public AugmentationNode {
 public:
  RandomTranslationNode(const FactorRange& height, const FactorRange& width,
                        const RandomTranslationOptions& o)
      : AugmentationNode("RandomTranslation", o.input_shape, o.name),
        height_(height),
        width_(width),
        options_(o) {}
  void describe(Config& config) override { list(config, height_, width_, options_); }

 private:
  std::optional<AugmentStep> step(std::int64_t height, std::int64_t width) const override {
    const auto [least_down, most_down] = pixels_within(height_, height);
    const auto [least_right, most_right] = pixels_within(width_, width);
    if (!(least_down != 0 || most_down != 0 || least_right != 0 || most_right != 0)) return std::nullopt;
    AugmentStep step;
    step.kind = AugmentStep::move;
    step.border = std::visit([](const auto& mode) { return mode.border; }, options_.fill_mode.value());
    step.by = {least_down, most_down, least_right, most_right};
    step.offset = options_.fill_value;
    return step;
  }

  FactorRange height_, width_;
  RandomTranslationOptions options_;
};

/// One number, which stands for -f and f, means 0 to f here.
FactorRange from_zero(const FactorRange& factor) {
  return factor.lower == -factor.upper ? FactorRange(0, factor.upper) : factor;
}

void list(Config& config, RandomErasingOptions& options) {
  config.field("factor", options.factor), config.field("scale", options.scale);
  config.field("fill_value", options.fill_value);
}

class RandomErasingNode final : public AugmentationNode {
 public:
  explicit RandomErasingNode(const RandomErasingOptions& o)
      : AugmentationNode("RandomErasing", o.input_shape, o.name), options_(o) {}
  void describe(Config& config) override { list(config, options_); }

 private:
  static std::uint32_t share(double scale) {
    return static_cast<std::uint32_t>(std::llround(scale * 0x1p24));
  }
  std::optional<AugmentStep> step(std::int64_t, std::int64_t) const override {
    const FactorRange factor = from_zero(options_.factor), scale = from_zero(options_.scale);
    // A word below a probability that is itself drawn from a range is below the range's mean as often.
    const std::uint64_t below = words_below((factor.lower + factor.upper) / 2);
    if (!(below > 0)) return std::nullopt;
    AugmentStep step;
    step.kind = AugmentStep::erase;
    step.below = below;
    step.box = {0, 0, share(scale.lower), share(scale.upper)};
    step.offset = options_.fill_value;
    return step;
  }

  RandomErasingOptions options_;
};

void list(Config& config, Size2D& size, CutoutOptions& options) {
  config.needed("size", size), config.field("fill_value", options.fill_value);
}

class CutoutNode final : public AugmentationNode {
 public:
  CutoutNode(const Size2D& size, const CutoutOptions& o)
      : AugmentationNode("Cutout", o.input_shape, o.name), size_(size), options_(o) {}
  void describe(Config& config) override { list(config, size_, options_); }

 private:
  std::optional<AugmentStep> step(std::int64_t height, std::int64_t width) const override {
    GLIA_CHECK(size_.height <= height && size_.width <= width, ShapeError, "layer \"", name,
               "\" (Cutout) cuts ", size_.height, " x ", size_.width, " pixels out, but its images have ",
               height, " x ", width, ": make it smaller");
    AugmentStep step;
    step.kind = AugmentStep::erase;
    step.below = words_below(1);
    step.box = {size_.height, size_.width, 0, 0};
    step.offset = options_.fill_value;
    return step;
  }

  Size2D size_;
  CutoutOptions options_;
};

constexpr LayerClass classes[] = {
    {"RandomFlip",
     [](Config& config) -> Layer {
       FlipModeName mode("horizontal_and_vertical");
       list(config, mode);
       return RandomFlip(mode);
     }},
    {"RandomTranslation",
     [](Config& config) -> Layer {
       FactorRange height(0), width(0);
       RandomTranslationOptions options;
       list(config, height, width, options);
       return RandomTranslation(height, width, options);
     }},
    {"RandomErasing",
     [](Config& config) -> Layer {
       RandomErasingOptions options;
       list(config, options);
       return RandomErasing(options);
     }},
    {"Cutout",
     [](Config& config) -> Layer {
       Size2D size(1);
       CutoutOptions options;
       list(config, size, options);
       return Cutout(size, options);
     }},
};

}  // namespace

LayerClasses augmentation_classes() { return classes; }

RandomFlip::RandomFlip(const FlipModeName& mode, const RandomFlipOptions& options)
    : Layer(make_node<RandomFlipNode>(mode, options)) {}

RandomTranslation::RandomTranslation(const FactorRange& height_factor, const FactorRange& width_factor,
                                     const RandomTranslationOptions& options)
    : Layer(make_node<RandomTranslationNode>(height_factor, width_factor, options)) {
  check_factor("RandomTranslation", "height_factor", height_factor, -1);
  check_factor("RandomTranslation", "width_factor", width_factor, -1);
  check_fill("RandomTranslation", options.fill_value);
}

RandomErasing::RandomErasing(const RandomErasingOptions& options)
    : Layer(make_node<RandomErasingNode>(options)) {
  check_factor("RandomErasing", "factor", from_zero(options.factor), 0);
  check_factor("RandomErasing", "scale", from_zero(options.scale), 0);
  GLIA_CHECK(options.scale.upper > 0, ValueError,
             "RandomErasing got scale 0, which erases nothing: give a share above 0, or leave the layer out");
  check_fill("RandomErasing", options.fill_value);
}

Cutout::Cutout(Size2D size, const CutoutOptions& options) : Layer(make_node<CutoutNode>(size, options)) {
  GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, "Cutout got ", size.height, " x ", size.width,
             " pixels, expected at least 1 x 1");
  check_fill("Cutout", options.fill_value);
}

}  // namespace glia
