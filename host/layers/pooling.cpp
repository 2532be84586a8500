// Pools: MaxPooling2D, AveragePooling2D, and their global forms.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>

#include <limits>

namespace glia {
namespace {

class PoolNode final : public SimpleLayer {
 public:
  struct Settings {
    const char* type;
    bool average;
    Size2D size, strides;
    PaddingName padding;
    bool global = false, keepdims = false;
  };
  explicit PoolNode(const Settings& settings) : s_(settings) {}

  const char* type() const override { return s_.type; }
  void describe(Config& config) override {
    if (s_.global) return config.field("keepdims", s_.keepdims);
    config.field("pool_size", s_.size), config.field("strides", s_.strides);
    config.field("padding", s_.padding);
  }

  Shape shape_for(const Shape& input_shape) const override {
    const Shape image = pooled(input_shape);
    return s_.global && !s_.keepdims ? Shape{input_shape.back()} : image;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Shape image = x.shape.row();
    const op::Pool pool{x, e.temporary(pooled(image).prepend(x.shape[0])), window_over(image), s_.average};
    e.add(pool);
    return {pool.out.reshaped(shape_for(image).prepend(x.shape[0])),
            [pool](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              const View dx = e.temporary(pool.in.shape);
              e.add(op::PoolGradient{pool.average ? View{} : pool.in, gradient.reshaped(pool.out.shape), dx,
                                     pool.window, pool.average});
              return dx;
            }};
  }

 private:
  Window window_over(const Shape& image) const {
    if (!s_.global) return place_window(*this, image, s_.size, s_.strides, 1, s_.padding.value());
    expect_image(*this, image);
    constexpr std::int64_t most = std::numeric_limits<int>::max();
    GLIA_CHECK(image[0] <= most && image[1] <= most, ShapeError, "layer \"", name, "\" (", s_.type,
               ") got images of shape ", image, ", which are too large");
    const Size2D all{static_cast<int>(image[0]), static_cast<int>(image[1])};
    return place_window(*this, image, all, s_.strides, 1, s_.padding.value());
  }
  Shape pooled(const Shape& image) const {
    return windowed_shape(image, window_over(image), s_.padding.value(), image.back());
  }

  Settings s_;
};

std::shared_ptr<LayerNode> pool_layer(const char* type, bool average, Size2D size,
                                      const Pooling2DOptions& o) {
  GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, type, " got pool_size (", size.height, ", ",
             size.width, "), expected at least 1 each");
  const bool as_size = o.strides == Size2D(0);
  GLIA_CHECK(as_size || (o.strides.height >= 1 && o.strides.width >= 1), ValueError, type, " got strides (",
             o.strides.height, ", ", o.strides.width,
             "), expected at least 1 each, or 0: as the pool's size");
  auto node =
      make_node<PoolNode>(PoolNode::Settings{type, average, size, as_size ? size : o.strides, o.padding});
  node->name = o.name;
  return node;
}

std::shared_ptr<LayerNode> global_pool_layer(const char* type, bool average,
                                             const GlobalPooling2DOptions& o) {
  auto node = make_node<PoolNode>(PoolNode::Settings{type, average, 1, 1, ValidPadding{}, true, o.keepdims});
  node->name = o.name;
  return node;
}

template <class Of>
Layer read_pool(Config& config) {
  Size2D size = 2;
  Pooling2DOptions options;
  config.field("pool_size", size), config.field("strides", options.strides);
  config.field("padding", options.padding);
  return Of(size, options);
}

template <class Of>
Layer read_global_pool(Config& config) {
  GlobalPooling2DOptions options;
  config.field("keepdims", options.keepdims);
  return Of(options);
}

constexpr LayerClass classes[] = {
    {"MaxPooling2D", read_pool<MaxPooling2D>},
    {"AveragePooling2D", read_pool<AveragePooling2D>},
    {"GlobalMaxPooling2D", read_global_pool<GlobalMaxPooling2D>},
    {"GlobalAveragePooling2D", read_global_pool<GlobalAveragePooling2D>},
};

}  // namespace

LayerClasses pooling_classes() { return classes; }

MaxPooling2D::MaxPooling2D(Size2D pool_size, const Pooling2DOptions& options)
    : Layer(pool_layer("MaxPooling2D", false, pool_size, options)) {}

AveragePooling2D::AveragePooling2D(Size2D pool_size, const Pooling2DOptions& options)
    : Layer(pool_layer("AveragePooling2D", true, pool_size, options)) {}

GlobalMaxPooling2D::GlobalMaxPooling2D(const GlobalPooling2DOptions& options)
    : Layer(global_pool_layer("GlobalMaxPooling2D", false, options)) {}

GlobalAveragePooling2D::GlobalAveragePooling2D(const GlobalPooling2DOptions& options)
    : Layer(global_pool_layer("GlobalAveragePooling2D", true, options)) {}

}  // namespace glia
