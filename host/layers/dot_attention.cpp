// Attention and AdditiveAttention: scores of queries and keys as they are, without projections.
// SPDX-License-Identifier: Apache-2.0
#include <glia/attention_layers.h>
#include <host/layers/attention.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/noise.h>  // defines: checked_rate
#include <host/layers/options.h>

#include <memory>
#include <utility>

namespace glia {
namespace {

template <class Options>
void list(Config& config, Options& options) {
  config.field("use_scale", options.use_scale);
  if constexpr (requires { options.score_mode; }) config.field("score_mode", options.score_mode);
  list_attention(config, options);
}

class AttentionNode final : public LayerNode {
 public:
  AttentionNode(bool is_additive, const AttentionOptions& options)
      : is_additive_(is_additive), options_(options) {}

  const char* type() const override { return is_additive_ ? "AdditiveAttention" : "Attention"; }
  void describe(Config& config) override {
    if (!is_additive_) return list(config, options_);
    AdditiveAttentionOptions additive{options_.use_scale, options_.use_causal_mask,
                                      options_.return_attention_scores, options_.dropout};
    list(config, additive);
  }
  bool can_train() const override { return options_.use_scale || is_concat(); }

  Shapes output_shapes(const Shapes& inputs) const override {
    expect_queries_and_keys(*this, inputs);
    GLIA_CHECK(inputs[0][1] == inputs.back()[1], ShapeError, "layer \"", name, "\" (", type(),
               ") got queries with rows of shape ", inputs[0], " and keys of ", inputs.back(),
               ", expected one width");
    Shapes outputs{{inputs[0][0], inputs[1][1]}};
    if (options_.return_attention_scores) outputs.push_back({inputs[0][0], inputs[1][0]});
    return outputs;
  }
  std::vector<Variable> variables_for(const Shapes& inputs) const override {
    std::vector<Variable> weights;
    if (options_.use_scale && is_additive_) weights.push_back({"scale", {inputs[0][1]}, GlorotUniform{}});
    if (options_.use_scale && !is_additive_) weights.push_back({"scale", {1}, Ones{}});
    if (is_concat()) weights.push_back({"concat_score_weight", {1}, Ones{}});
    return weights;
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View &query = inputs[0].view, &value = inputs[1].view, &key = inputs.back().view;
    const std::int64_t rows = query.shape[0], queries = query.shape[1], keys = value.shape[1];
    const SeenKeys seen{masks_of_keys(inputs, false), Masked::lowered, options_.use_causal_mask};
    const Attended attended = is_additive_ || is_concat() ? by_scores(e, query, value, key, seen)
                                                          : by_products(e, query, value, key, seen);
    View out = attended.out.reshaped({rows, queries, value.shape[2]});
    const View seen_queries = inputs[0].mask ? inputs[0].mask.reshaped({rows, queries, 1}) : View{};
    if (seen_queries) out = emit_binary(e, binary::Multiply{}, out, seen_queries, out.shape);
    Emission result{{{out, inputs[0].mask}}, {}};
    if (options_.return_attention_scores)
      result.outputs.push_back({attended.weights.reshaped({rows, queries, keys})});
    result.backward = [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
      View of_out = gradients[0], of_weights = gradients.size() > 1 ? gradients[1] : View{};
      if (of_out && seen_queries)
        of_out = emit_binary(e, binary::Multiply{}, of_out, seen_queries, of_out.shape);
      if (of_out) of_out = of_out.reshaped(attended.out.shape);
      if (of_weights) of_weights = of_weights.reshaped(attended.weights.shape);
      const Attended::Gradients of = attended.backward(e, of_out, of_weights);
      std::vector<View> all(wanted.size());
      all[0] = of.queries, all[1] = of.values;
      all.back() = wanted.size() > 2 ? of.keys : emit_sum_of_gradients(e, of.keys, all[1]);
      return all;
    };
    return result;
  }

 private:
  /// One head (rows, steps, 1, width) of (rows, steps, width).
  static View head(const View& steps) {
    return steps.reshaped({steps.shape[0], steps.shape[1], 1, steps.shape[2]});
  }

  Attended by_products(Emitter& e, const View& query, const View& value, const View& key,
                       const SeenKeys& seen) const {
    const View factor = options_.use_scale ? scaled(e, query, variables[0]) : query;
    Attended attended = emit_attention(e, head(factor), head(key), head(value), 1, seen, options_.dropout,
                                       options_.return_attention_scores);
    attended.backward = [=, this, of_heads = attended.backward](Emitter& e, const View& out_gradient,
                                                                const View& weights_gradient) {
      Attended::Gradients of = of_heads(e, out_gradient, weights_gradient);
      of.queries = of.queries.reshaped(query.shape), of.keys = of.keys.reshaped(key.shape);
      if (of.values) of.values = of.values.reshaped(value.shape);
      if (options_.use_scale) of.queries = scaled_back(e, of.queries, query, variables[0]);
      return of;
    };
    return attended;
  }

  Attended by_scores(Emitter& e, const View& query, const View& value, const View& key,
                     const SeenKeys& seen) const {
    const std::int64_t rows = query.shape[0], queries = query.shape[1], keys = value.shape[1];
    const Scores scores = is_additive_ ? additive_scores(e, query, key) : concat_scores(e, query, key);
    const AttendedScores attended =
        emit_attended_scores(e, scores.all.reshaped({rows, 1, queries, keys}),
                             value.reshaped({rows, 1, keys, value.shape[2]}), seen, options_.dropout);
    return {
        attended, [=](Emitter& e, const View& out_gradient, const View& weights_gradient) {
          const auto [of_scores, of_values] = attended.backward(e, out_gradient, weights_gradient);
          const auto [of_query, of_key] = scores.backward(e, of_scores.reshaped(scores.all.shape));
          return Attended::Gradients{of_query, of_key, of_values ? of_values.reshaped(value.shape) : View{}};
        }};
  }

  bool is_concat() const { return !is_additive_ && options_.score_mode == "concat"; }

  /// Of queries and keys, (rows, queries, keys); and the gradients of both from that of the scores.
  struct Scores {
    View all;
    std::function<std::pair<View, View>(Emitter& emitter, const View& gradient)> backward;
  };

  /// A view times a weight (1,).
  static View scaled(Emitter& e, const View& view, const Variable& weight) {
    return emit_binary(e, binary::Multiply{}, view, with_rank(e.value(weight), view.shape.rank()),
                       view.shape);
  }
  /// The gradient of the view, from that of what was made of it; and the weight's.
  static View scaled_back(Emitter& e, const View& gradient, const View& view, const Variable& weight) {
    if (e.trains(weight)) {
      const View terms = emit_binary(e, binary::Multiply{}, gradient, view, view.shape);
      e.add(op::Reduce::of_rows(terms.reshaped({view.shape.elements(), 1}), e.gradient(weight),
                                [&](const Shape& room) { return e.temporary(room, DType::float64); }));
    }
    return scaled(e, gradient, weight);
  }

  /// concat_score_weight * sum(tanh(scale * (q + k))) of every query with every key.
  Scores concat_scores(Emitter& e, const View& query, const View& key) const {
    const View sums = sums_of_pairs(e, query, key);
    const Shape pairs = sums.shape;
    const View in = options_.use_scale ? scaled(e, sums, variables[0]) : sums, bent = e.temporary(pairs);
    e.add(op::Map{Tanh{}, in, bent});
    const View plain = emit_sum(e, bent, 3).reshaped({pairs[0], pairs[1], pairs[2]});
    return {scaled(e, plain, variables.back()), [=, this](Emitter& e, const View& gradient) {
              const View of_plain = scaled_back(e, gradient, plain, variables.back());
              const View of_bent = contiguous_copy(
                  e, of_plain.reshaped({pairs[0], pairs[1], pairs[2], 1}).broadcast_to(pairs));
              View of_sums = e.temporary(pairs);
              e.add(op::MapGradient{Tanh{}, bent, of_bent, of_sums});
              if (options_.use_scale) of_sums = scaled_back(e, of_sums, sums, variables[0]);
              return of_pairs(e, of_sums, query, key);
            }};
  }

  /// q + k of every query with every key, (rows, queries, keys, width).
  static View sums_of_pairs(Emitter& e, const View& query, const View& key) {
    const std::int64_t rows = query.shape[0], queries = query.shape[1], keys = key.shape[1],
                       width = query.shape[2];
    return emit_binary(e, binary::Add{}, query.reshaped({rows, queries, 1, width}),
                       key.reshaped({rows, 1, keys, width}), {rows, queries, keys, width});
  }
  /// The gradients of queries and keys, from that of their sums.
  static std::pair<View, View> of_pairs(Emitter& e, const View& gradient, const View& query,
                                        const View& key) {
    const std::int64_t rows = query.shape[0], queries = query.shape[1], keys = key.shape[1],
                       width = query.shape[2];
    return {sum_to(e, gradient, {rows, queries, 1, width}).reshaped(query.shape),
            sum_to(e, gradient, {rows, 1, keys, width}).reshaped(key.shape)};
  }

  /// sum(scale * tanh(q + k)) of every query with every key.
  Scores additive_scores(Emitter& e, const View& query, const View& key) const {
    const View sums = sums_of_pairs(e, query, key);
    const Shape pairs = sums.shape, shape{pairs[0], pairs[1], pairs[2]};
    const std::int64_t width = pairs[3];
    const View bent = e.temporary(pairs);
    e.add(op::Map{Tanh{}, sums, bent});
    View scale;  // (width, 1)
    if (options_.use_scale) {
      scale = e.value(variables[0]).reshaped({width, 1});
    } else {
      scale = e.temporary({width, 1});
      e.add(op::Fill{scale, 1});
    }
    const View all = e.temporary(shape);
    e.add(op::Matmul{bent.matrix(), scale, all.reshaped({shape.elements(), 1})});
    return {all, [=, this](Emitter& e, const View& gradient) {
              const View column = gradient.reshaped({shape.elements(), 1});
              if (options_.use_scale && e.trains(variables[0]))
                e.add(op::Matmul{bent.matrix().transposed(), column,
                                 e.gradient(variables[0]).reshaped({width, 1})});
              const View of_bent = e.temporary(pairs), of_sums = e.temporary(pairs);
              e.add(op::Matmul{column, scale.transposed(), of_bent.matrix()});
              e.add(op::MapGradient{Tanh{}, bent, of_bent, of_sums});
              return of_pairs(e, of_sums, query, key);
            }};
  }

  bool is_additive_;
  AttentionOptions options_;
};

class PositionEmbeddingNode final : public SimpleLayer {
 public:
  PositionEmbeddingNode(int sequence_length, const PositionEmbeddingOptions& options)
      : length_(sequence_length), options_(options) {}

  const char* type() const override { return "PositionEmbedding"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override {
    config.needed("sequence_length", length_);
    config.field("initializer", options_.initializer), config.field("regularizer", options_.regularizer);
    config.field("constraint", options_.constraint);
  }
  bool can_train() const override { return true; }
  Shape shape_for(const Shape& rows) const override {
    GLIA_CHECK(rows.rank() == 2 && rows.elements() > 0 && rows[0] <= length_, ShapeError, "layer \"", name,
               "\" (PositionEmbedding) needs rows of shape (steps, width) with 1 to ", length_,
               " steps, got rows of shape ", rows);
    return rows;
  }
  std::vector<Variable> weights_for(const Shape& rows) const override {
    return {{"position_embeddings",
             {length_, rows[1]},
             options_.initializer.value(),
             options_.regularizer.value(),
             options_.constraint.value()}};
  }
  Emitted emit(Emitter& e, const View& x) const override {
    const std::int64_t steps = x.shape[1], width = x.shape[2];
    const View places = e.value(variables[0]).part(0, 0, steps);
    return {
        contiguous_copy(e, places.broadcast_to(x.shape)), [=, this](Emitter& e, const View& gradient, bool) {
          if (!e.trains(variables[0])) return View{};
          const View of_all = e.gradient(variables[0]);
          if (steps < length_) e.add(op::Fill{of_all.part(0, steps, length_ - steps), 0});
          const View of_rows = gradient.reshaped({gradient.shape[0], steps * width});
          e.add(op::Reduce::of_rows(of_rows, of_all.part(0, 0, steps).reshaped({steps * width}),
                                    [&](const Shape& room) { return e.temporary(room, DType::float64); }));
          return View{};
        }};
  }

 private:
  int length_;
  PositionEmbeddingOptions options_;
};

template <class Of, class Options>
Layer read_attention(Config& config) {
  Options options;
  list(config, options);
  return Of(options);
}

constexpr LayerClass classes[] = {
    {"Attention", [](Config& config) { return read_attention<Attention, AttentionOptions>(config); }},
    {"AdditiveAttention",
     [](Config& config) { return read_attention<AdditiveAttention, AdditiveAttentionOptions>(config); }},
    {"PositionEmbedding",
     [](Config& config) -> Layer {
       int length = 0;
       PositionEmbeddingOptions options;
       config.needed("sequence_length", length);
       config.field("initializer", options.initializer), config.field("regularizer", options.regularizer);
       config.field("constraint", options.constraint);
       return PositionEmbedding(length, options);
     }},
};

std::shared_ptr<LayerNode> attention(bool is_additive, const AttentionOptions& options) {
  auto node = make_node<AttentionNode>(is_additive, options);
  checked_rate(node->type(), options.dropout, "dropout");
  GLIA_CHECK(options.score_mode == "dot" || options.score_mode == "concat", ValueError, node->type(),
             " got score_mode \"", options.score_mode, "\", expected \"dot\" or \"concat\"");
  node->name = options.name, node->trainable = options.trainable;
  return node;
}

}  // namespace

LayerClasses dot_attention_classes() { return classes; }

Attention::Attention(const AttentionOptions& options) : Layer(attention(false, options)) {}
AdditiveAttention::AdditiveAttention(const AdditiveAttentionOptions& o)
    : Layer(attention(true, {.use_scale = o.use_scale,
                             .use_causal_mask = o.use_causal_mask,
                             .return_attention_scores = o.return_attention_scores,
                             .dropout = o.dropout,
                             .trainable = o.trainable,
                             .name = o.name})) {}

PositionEmbedding::PositionEmbedding(int sequence_length, const PositionEmbeddingOptions& options)
    : Layer(make_node<PositionEmbeddingNode>(sequence_length, options)) {
  GLIA_CHECK(sequence_length >= 1, ValueError, "PositionEmbedding got sequence_length ", sequence_length,
             ", expected at least 1");
  check_options(options.initializer), check_options(options.regularizer), check_options(options.constraint);
  node().name = options.name, node().trainable = options.trainable;
}

}  // namespace glia
