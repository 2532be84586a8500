// Pools: MaxPooling2D, AveragePooling2D, and their global forms.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>

#include <limits>

namespace glia {
namespace {

class PoolNode final : public LayerNode {
 public:
  struct Settings {
    const char* type;
    bool average;
    Size2D size, strides;
    Paddings padding;
    bool global = false, keepdims = false;
  };
  explicit PoolNode(const Settings& settings) : s_(settings) {}

  const char* type() const override { return s_.type; }

  Shape build(const Shape& input_shape) override {
    if (s_.global) {
      expect_image(*this, input_shape);
      constexpr std::int64_t most = std::numeric_limits<int>::max();
      GLIA_CHECK(input_shape[0] <= most && input_shape[1] <= most, ShapeError, "layer \"", name, "\" (",
                 s_.type, ") got images of shape ", input_shape, ", which are too large");
      s_.size = {static_cast<int>(input_shape[0]), static_cast<int>(input_shape[1])};
    }
    window_ = place_window(*this, input_shape, s_.size, s_.strides, 1, s_.padding);
    image_ = windowed_shape(input_shape, window_, s_.padding, input_shape.back());
    return s_.global && !s_.keepdims ? Shape{input_shape.back()} : image_;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const op::Pool pool{x, e.temporary(image_.prepend(x.shape[0])), window_, s_.average};
    e.add(pool);
    return {pool.out.reshaped(output_shape.prepend(x.shape[0])),
            [pool](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              const View dx = e.temporary(pool.in.shape);
              e.add(op::PoolGradient{pool.average ? View{} : pool.in, gradient.reshaped(pool.out.shape), dx,
                                     pool.window, pool.average});
              return dx;
            }};
  }

 private:
  Settings s_;
  Window window_;
  Shape image_;
};

std::shared_ptr<LayerNode> pool_layer(const char* type, bool average, Size2D size,
                                      const Pooling2DOptions& o) {
  GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, type, " got pool_size (", size.height, ", ",
             size.width, "), expected at least 1 each");
  const bool as_size = o.strides == Size2D(0);
  GLIA_CHECK(as_size || (o.strides.height >= 1 && o.strides.width >= 1), ValueError, type, " got strides (",
             o.strides.height, ", ", o.strides.width,
             "), expected at least 1 each, or 0: as the pool's size");
  auto node = std::make_shared<PoolNode>(
      PoolNode::Settings{type, average, size, as_size ? size : o.strides, o.padding.value()});
  node->name = o.name;
  return node;
}

std::shared_ptr<LayerNode> global_pool_layer(const char* type, bool average,
                                             const GlobalPooling2DOptions& o) {
  auto node =
      std::make_shared<PoolNode>(PoolNode::Settings{type, average, 1, 1, ValidPadding{}, true, o.keepdims});
  node->name = o.name;
  return node;
}

}  // namespace

MaxPooling2D::MaxPooling2D(Size2D pool_size, const Pooling2DOptions& options)
    : Layer(pool_layer("MaxPooling2D", false, pool_size, options)) {}

AveragePooling2D::AveragePooling2D(Size2D pool_size, const Pooling2DOptions& options)
    : Layer(pool_layer("AveragePooling2D", true, pool_size, options)) {}

GlobalMaxPooling2D::GlobalMaxPooling2D(const GlobalPooling2DOptions& options)
    : Layer(global_pool_layer("GlobalMaxPooling2D", false, options)) {}

GlobalAveragePooling2D::GlobalAveragePooling2D(const GlobalPooling2DOptions& options)
    : Layer(global_pool_layer("GlobalAveragePooling2D", true, options)) {}

}  // namespace glia
