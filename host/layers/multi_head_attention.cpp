// MultiHeadAttention and GroupQueryAttention: projections, and attention of each head.
// SPDX-License-Identifier: Apache-2.0
#include <glia/attention_layers.h>
#include <host/layers/attention.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/noise.h>  // defines: checked_rate
#include <host/layers/options.h>

#include <cmath>
#include <utility>

namespace glia {
namespace {

/// Heads of queries, and of keys and values, each of which serves as many queries' heads as go into it.
struct Heads {
  int queries, keys, key_dim, value_dim;
};

void list(Config& config, Heads& heads, bool is_grouped, MultiHeadAttentionOptions& options) {
  if (is_grouped) {
    config.needed("head_dim", heads.key_dim), config.needed("num_query_heads", heads.queries);
    config.needed("num_key_value_heads", heads.keys);
  } else {
    config.needed("num_heads", heads.queries), config.needed("key_dim", heads.key_dim);
    config.field("value_dim", options.value_dim);
  }
  config.field("output_dim", options.output_dim);
  list_attention(config, options), list_weights(config, options);
}

class MultiHeadNode final : public LayerNode {
 public:
  MultiHeadNode(const Heads& heads, bool is_grouped, const MultiHeadAttentionOptions& options)
      : heads_(heads), is_grouped_(is_grouped), options_(options) {}

  const char* type() const override { return is_grouped_ ? "GroupQueryAttention" : "MultiHeadAttention"; }
  void describe(Config& config) override { list(config, heads_, is_grouped_, options_); }
  bool can_train() const override { return true; }

  Shapes output_shapes(const Shapes& inputs) const override {
    expect_queries_and_keys(*this, inputs, masks());
    const std::int64_t queries = inputs[0][0], keys = inputs[1][0];
    if (options_.use_attention_mask)
      GLIA_CHECK(inputs.back() == Shape({queries, keys}), ShapeError, "layer \"", name, "\" (", type(),
                 ") got an attention mask with rows of shape ", inputs.back(), ", expected ",
                 Shape({queries, keys}));
    Shapes outputs{{queries, output_dim(inputs)}};
    if (options_.return_attention_scores) outputs.push_back({heads_.queries, queries, keys});
    return outputs;
  }

  std::vector<Variable> variables_for(const Shapes& inputs) const override {
    std::vector<Variable> weights;
    const auto add = [&](const std::string& part, const Shape& kernel, const Shape& bias) {
      weights.push_back({part + "/kernel", kernel, options_.kernel_initializer.value(),
                         options_.kernel_regularizer.value(), options_.kernel_constraint.value()});
      if (options_.use_bias)
        weights.push_back({part + "/bias", bias, options_.bias_initializer.value(),
                           options_.bias_regularizer.value(), options_.bias_constraint.value()});
    };
    const auto& [queries, keys, key_dim, value_dim] = heads_;
    add("query", {inputs[0][1], queries, key_dim}, {queries, key_dim});
    add("key", {inputs[has_key(inputs.size()) ? 2 : 1][1], keys, key_dim}, {keys, key_dim});
    add("value", {inputs[1][1], keys, value_dim}, {keys, value_dim});
    add("attention_output", {queries, value_dim, output_dim(inputs)}, {output_dim(inputs)});
    return weights;
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const bool key_given = has_key(inputs.size());
    const View &query = inputs[0].view, &value = inputs[1].view, &key = inputs[key_given ? 2 : 1].view;
    const std::int64_t rows = query.shape[0], queries = query.shape[1], keys = value.shape[1];
    const View q = project(e, query, 0, heads_.queries), k = project(e, key, 1, heads_.keys),
               v = project(e, value, 2, heads_.keys);

    SeenKeys seen{masks_of_keys(inputs, key_given), Masked::replaced, options_.use_causal_mask};
    if (const View& mask = inputs[0].mask) seen.masks.push_back(mask.reshaped({rows, 1, queries, 1}));
    if (options_.use_attention_mask)
      seen.masks.push_back(inputs.back().view.reshaped({rows, 1, queries, keys}));
    const Attended attended = emit_attention(e, q, k, v, 1 / std::sqrt(static_cast<double>(heads_.key_dim)),
                                             seen, options_.dropout, options_.return_attention_scores);

    const Variable& kernel = variables[part(3)];
    const View weights = e.value(kernel).reshaped({heads_.queries * kernel.shape[1], kernel.shape[2]});
    const View out = e.temporary({rows, queries, kernel.shape[2]});
    const View all = attended.out.reshaped({rows * queries, weights.shape[0]});
    op::Matmul product{all, weights, out.matrix()};
    if (options_.use_bias) product.bias = e.value(variables[part(3) + 1]);
    e.add(product);

    Emission result{{{out, inputs[0].mask}}, {}};
    if (options_.return_attention_scores) result.outputs.push_back({attended.weights});
    result.backward = [=, this](Emitter& e, const std::vector<View>& gradients,
                                const std::vector<bool>& wanted) {
      View of_attended;
      if (gradients[0]) {
        of_attended = e.temporary(attended.out.shape);
        e.add(op::Matmul{gradients[0].matrix(), weights.transposed(), of_attended.reshaped(all.shape)});
        emit_weights_gradients(e, 3, all, gradients[0].matrix());
      }
      const Attended::Gradients of =
          attended.backward(e, of_attended, gradients.size() > 1 ? gradients[1] : View{});
      std::vector<View> result(wanted.size());
      result[0] = project_back(e, query, 0, of.queries, wanted[0]);
      const std::size_t of_key = key_given ? 2 : 1;
      result[of_key] = project_back(e, key, 1, of.keys, wanted[of_key]);
      if (of.values)
        result[1] = emit_sum_of_gradients(e, result[1], project_back(e, value, 2, of.values, wanted[1]));
      return result;
    };
    return result;
  }

 private:
  std::size_t masks() const { return options_.use_attention_mask ? 1 : 0; }
  bool has_key(std::size_t inputs) const { return inputs == 3 + masks(); }
  std::int64_t output_dim(const Shapes& inputs) const {
    return options_.output_dim > 0 ? options_.output_dim : inputs[0][1];
  }
  /// Where the weights of a part begin.
  std::size_t part(std::size_t number) const { return number * (options_.use_bias ? 2 : 1); }

  /// The heads of a part, (rows, steps, heads, width).
  View project(Emitter& e, const View& x, std::size_t number, std::int64_t heads) const {
    const Variable& kernel = variables[part(number)];
    const std::int64_t rows = x.shape[0], steps = x.shape[1], width = kernel.shape[2];
    const View product = e.temporary({rows, steps, heads, width});
    op::Matmul projection{x.matrix(), e.value(kernel).reshaped({x.shape[2], heads * width}),
                          product.reshaped({rows * steps, heads * width})};
    if (options_.use_bias) projection.bias = e.value(variables[part(number) + 1]).reshaped({heads * width});
    e.add(projection);
    return product;
  }
  /// The gradient of the input, from that of its heads.
  View project_back(Emitter& e, const View& x, std::size_t number, const View& gradient, bool wanted) const {
    const View all = gradient.reshaped({x.shape[0] * x.shape[1], gradient.shape[2] * gradient.shape[3]});
    View dx;
    if (wanted) {
      dx = e.temporary(x.shape);
      const View kernel = e.value(variables[part(number)]).reshaped({x.shape[2], all.shape[1]});
      e.add(op::Matmul{all, kernel.transposed(), dx.matrix()});
    }
    emit_weights_gradients(e, number, x.matrix(), all);
    return dx;
  }
  /// Of a part that is x kernel + bias.
  void emit_weights_gradients(Emitter& e, std::size_t number, const View& x, const View& gradient) const {
    const Variable& kernel = variables[part(number)];
    if (!e.trains(kernel)) return;
    op::Matmul product{x.transposed(), gradient,
                       e.gradient(kernel).reshaped({x.shape[1], gradient.shape[1]})};
    if (options_.use_bias)
      product.bias_gradient = e.gradient(variables[part(number) + 1]).reshaped({gradient.shape[1]});
    e.add(product);
  }

  Heads heads_;
  bool is_grouped_;
  MultiHeadAttentionOptions options_;
};

std::shared_ptr<LayerNode> multi_head(const Heads& heads, bool is_grouped,
                                      const MultiHeadAttentionOptions& o) {
  const char* const type = is_grouped ? "GroupQueryAttention" : "MultiHeadAttention";
  GLIA_CHECK(heads.queries >= 1 && heads.keys >= 1 && heads.key_dim >= 1 && heads.value_dim >= 1 &&
                 o.output_dim >= 0,
             ValueError, type, " got ", heads.queries, " heads, ", heads.keys, " of keys, key_dim ",
             heads.key_dim, ", value_dim ", heads.value_dim, " and output_dim ", o.output_dim,
             ", expected at least 1 of each");
  GLIA_CHECK(heads.queries % heads.keys == 0, ValueError, type, " got ", heads.queries,
             " heads of queries and ", heads.keys, " of keys and values, expected a multiple");
  checked_rate(type, o.dropout, "dropout");
  check_options(o.kernel_initializer), check_options(o.bias_initializer);
  check_options(o.kernel_regularizer), check_options(o.bias_regularizer);
  check_options(o.kernel_constraint), check_options(o.bias_constraint);
  auto node = make_node<MultiHeadNode>(heads, is_grouped, o);
  node->name = o.name, node->trainable = o.trainable;
  return node;
}

constexpr LayerClass classes[] = {
    {"MultiHeadAttention",
     [](Config& config) -> Layer {
       Heads heads{};
       MultiHeadAttentionOptions options;
       list(config, heads, false, options);
       return MultiHeadAttention(heads.queries, heads.key_dim, options);
     }},
    {"GroupQueryAttention",
     [](Config& config) -> Layer {
       Heads heads{};
       MultiHeadAttentionOptions options;
       list(config, heads, true, options);
       return GroupQueryAttention(heads.key_dim, heads.queries, heads.keys, options);
     }},
};

}  // namespace

LayerClasses multi_head_attention_classes() { return classes; }

MultiHeadAttention::MultiHeadAttention(int num_heads, int key_dim, const MultiHeadAttentionOptions& o)
    : Layer(multi_head({num_heads, num_heads, key_dim, o.value_dim != 0 ? o.value_dim : key_dim}, false, o)) {
}
GroupQueryAttention::GroupQueryAttention(int head_dim, int num_query_heads, int num_key_value_heads,
                                         const MultiHeadAttentionOptions& o)
    : Layer(multi_head({num_query_heads, num_key_value_heads, head_dim, head_dim}, true, o)) {
  GLIA_CHECK(o.value_dim == 0 || o.value_dim == head_dim, ValueError, "GroupQueryAttention got value_dim ",
             o.value_dim, ", expected head_dim, which is ", head_dim);
}

}  // namespace glia
