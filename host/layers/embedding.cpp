// Embedding: rows of a table, named by whole numbers.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>
#include <host/tensor/elements.h>  // defines: for_each_element

#include <cmath>

namespace glia {
namespace {

void list(Config& config, int& input_dim, int& output_dim, EmbeddingOptions& options) {
  config.needed("input_dim", input_dim), config.needed("output_dim", output_dim);
  list_weights(config, options);
  config.field("mask_zero", options.mask_zero);
}

class EmbeddingNode final : public SimpleLayer {
 public:
  EmbeddingNode(int input_dim, int output_dim, const EmbeddingOptions& options)
      : input_dim_(input_dim), output_dim_(output_dim), options_(options) {}

  const char* type() const override { return "Embedding"; }
  void describe(Config& config) override { list(config, input_dim_, output_dim_, options_); }
  bool can_train() const override { return true; }
  bool gives_input_gradient() const override { return false; }
  void check_input(const TensorView& x) const override {
    detail::for_each_element(x, [&](std::int64_t i, double number) {
      GLIA_CHECK(number >= 0 && number < input_dim_ && number == std::floor(number), ValueError, "layer \"",
                 name, "\" (Embedding) got ", number, " in row ", i / x.row_elements(),
                 ", expected whole numbers from 0 to ", input_dim_ - 1,
                 ": raise input_dim, or correct the data");
    });
  }
  Shape shape_for(const Shape& input_shape) const override { return with_width(input_shape); }
  std::vector<Variable> weights_for(const Shape&) const override {
    return {{"embeddings",
             {input_dim_, output_dim_},
             options_.embeddings_initializer.value(),
             options_.embeddings_regularizer.value(),
             options_.embeddings_constraint.value()}};
  }

  View emit_mask(Emitter& e, const View& x, const View&) const override {
    if (!options_.mask_zero) return {};
    const View mask = e.temporary(x.shape);
    e.add(op::Mask{x.reshaped({x.elements(), 1}), mask.reshaped({x.elements()}), 0});
    return mask;
  }

  /// x (rows, ...) -> (rows, ..., output_dim).
  Emitted emit(Emitter& e, const View& x) const override {
    const View indices = x.reshaped({x.elements()}), y = e.temporary(with_width(x.shape));
    const View table = e.value(variables[0]);
    e.add(op::Lookup{indices, table, y.matrix()});
    return {y, [=, this](Emitter& e, const View& gradient, bool) {
              if (!e.trains(variables[0])) return View{};
              const std::int64_t n = indices.elements();
              GLIA_CHECK(n < std::int64_t{1} << 31, ShapeError, "an embedding got ", n,
                         " indices in a batch, expected fewer than 2^31: use smaller batches");
              const View links = e.temporary({table.shape[0] + n}, DType::int32);
              e.add(op::LookupGradient{indices, gradient.matrix(), e.gradient(variables[0]), links});
              return View{};
            }};
  }

 private:
  Shape with_width(const Shape& shape) const {
    Shape wide = shape;
    wide.push_back(output_dim_);
    return wide;
  }

  int input_dim_, output_dim_;
  EmbeddingOptions options_;
};

constexpr LayerClass classes[] = {{"Embedding", [](Config& config) -> Layer {
                                     int input_dim = 0, output_dim = 0;
                                     EmbeddingOptions options;
                                     list(config, input_dim, output_dim, options);
                                     config.field("input_length", options.input_length);
                                     return Embedding(input_dim, output_dim, options);
                                   }}};

}  // namespace

LayerClasses embedding_classes() { return classes; }

Embedding::Embedding(int input_dim, int output_dim, const EmbeddingOptions& options)
    : Layer(make_node<EmbeddingNode>(input_dim, output_dim, options)) {
  GLIA_CHECK(input_dim >= 1 && output_dim >= 1, ValueError, "Embedding got input_dim ", input_dim,
             " and output_dim ", output_dim, ", expected both at least 1");
  GLIA_CHECK(input_dim <= 1 << 24, ValueError, "Embedding got input_dim ", input_dim,
             ", expected at most 16777216: larger numbers are not exact in float32");
  check_options(options.embeddings_initializer), check_options(options.embeddings_regularizer);
  check_options(options.embeddings_constraint);
  node().name = options.name, node().trainable = options.trainable;
  if (options.input_length != 0) node().declare_input_shape({options.input_length});
}

}  // namespace glia
