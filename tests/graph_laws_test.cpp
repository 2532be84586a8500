// Laws of Programs, on random graphs: where temporaries lie, what is joined and how steps are launched changes no bit of what is
// learned; gradients are slopes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/random_graphs.h"

namespace glia::test {
namespace {

/// What some steps leave behind, and what the model says then.
struct Result {
  PassState pass;
  std::vector<Tensor> weights, outputs;
};

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i)
    same = a[i].bytes() == b[i].bytes() &&
           std::memcmp(a[i].raw(), b[i].raw(), static_cast<std::size_t>(a[i].bytes())) == 0;
  return same;
}

bool same_bits(const Result& a, const Result& b) {
  return a.pass.state.loss == b.pass.state.loss && a.pass.state.rows == b.pass.state.rows &&
         a.pass.counters == b.pass.counters && same_bits(a.weights, b.weights) &&
         same_bits(a.outputs, b.outputs);
}

bool finite(const Result& result) {
  bool all = std::isfinite(result.pass.state.loss);
  for (const auto* list : {&result.weights, &result.outputs})
    for (const Tensor& tensor : *list)
      for (const double value : tensor.values()) all = all && std::isfinite(value);
  return all;
}

/// How a list becomes a Program.
struct Way {
  bool fused = true, apart = false, eager = false;
};

std::vector<Descriptor> list_of(const Core& core, const ProgramKey& key, const Way& way) {
  std::vector<Descriptor> list = emit_step(core.parts(), key);
  if (way.fused) fuse(list);
  round_factors(list, core.backend());
  return list;
}

/// Whether fusion makes another formula of a loss.
bool changes_formulas(const Core& core, const ProgramKey& key) {
  const auto of_logits = [](const std::vector<Descriptor>& list) {
    int count = 0;
    for (const Descriptor& descriptor : list)
      if (const auto* loss = std::get_if<op::Loss>(&descriptor))
        std::visit(
            [&](const auto& l) {
              if constexpr (requires { l.from_logits; }) count += l.from_logits;
            },
            loss->function);
    return count;
  };
  return of_logits(list_of(core, key, {})) != of_logits(list_of(core, key, {.fused = false}));
}

class GraphLaws : public DeviceTest {
 protected:
  static constexpr std::int64_t batch = 5;  // of 17 rows: three steps

  static std::vector<const Tensor*> sources(const RandomGraph& graph) {
    std::vector<const Tensor*> all;
    for (const auto* list : {&graph.x, &graph.y, &graph.weights})
      for (const Tensor& tensor : *list) all.push_back(&tensor);
    return all;
  }

  /// The graph as at its start, on the device of the test or another.
  Core& ready(RandomGraph& graph, const std::vector<Tensor>& weights) {
    graph.options.context = context();
    graph.model.compile(graph.options);
    if (!weights.empty()) graph.model.set_weights(weights);
    graph.model.count_params();  // builds
    return graph.model.core();
  }

  static ProgramKey key(const RandomGraph& graph, Mode mode) {
    ProgramKey key = plain_key(graph.model.core().parts(), mode, batch);
    if (graph.weighted() && mode != Mode::infer) key.weighted.assign(key.y_from.size(), true);
    return key;
  }

  void run(const RandomGraph& graph, const FedRows& rows, const ProgramKey& key, const Way& way,
           std::int64_t steps, PassState* pass) {
    Core& core = graph.model.core();
    core.program(key);  // takes the memory for training
    std::vector<Descriptor> list = list_of(core, key, way);
    const std::int64_t bytes = way.apart ? place_apart(list) : place(list);
    const OwnProgram program(core, key, std::move(list), bytes);
    core.passes().begin(key.mode, rows.fed());
    if (way.eager)
      for (std::int64_t i = 0; i < steps; ++i) (*program).run_eagerly();
    else
      (*program).run(steps);
    core.passes().request(key.mode);
    PassState state = core.passes().take();
    if (pass) *pass = std::move(state);
  }

  Result trained(RandomGraph& graph, const std::vector<Tensor>& weights, const Way& way) {
    Core& core = ready(graph, weights);
    Result result;
    run(graph, FedRows(core, sources(graph)), key(graph, Mode::train), way, 3, &result.pass);
    result.weights = graph.model.get_weights();
    std::vector<Tensor> places;
    std::vector<const Tensor*> all;
    for (const Tensor& x : graph.x) all.push_back(&x);
    for (const Shape& shape : core.network().output_shapes())
      places.push_back(Tensor::zeros(shape.prepend(batch)));
    for (const Tensor& place : places) all.push_back(&place);
    const FedRows rows(core, all);
    run(graph, rows, key(graph, Mode::infer), way, 1, nullptr);
    for (std::size_t i = 0; i < places.size(); ++i)
      result.outputs.push_back(rows.read(graph.x.size() + i, places[i].shape(), DType::float32));
    return result;
  }

  static std::vector<Tensor> initial_weights(const RandomGraph& graph) { return graph.model.get_weights(); }
};

INSTANTIATE_TEST_SUITE_P(Devices, GraphLaws, ::testing::ValuesIn(test_devices()), device_name);

/// Calls f(graph) for each; where the device is no CPU for every fifth, since the double of a GPU is slow.
template <class F>
void for_each_graph(const F& f) {
  const std::uint64_t step = current_device().is_cpu() ? 1 : 5;
  for (std::uint64_t seed = 0; seed < random_graph_count; seed += step) {
    SCOPED_TRACE("graph " + std::to_string(seed));
    RandomGraph graph = random_graph(seed);
    f(graph);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST_P(GraphLaws, Temporaries_that_share_memory_give_the_bits_of_those_that_have_their_own) {
  std::int64_t shared = 0, apart = 0;
  for_each_graph([&](RandomGraph& graph) {
    ready(graph, {});
    const std::vector<Tensor> weights = initial_weights(graph);
    const Result a = trained(graph, weights, {}), b = trained(graph, weights, {.apart = true});
    EXPECT_TRUE(same_bits(a, b));
    EXPECT_TRUE(finite(a));
    EXPECT_FALSE(same_bits(a.weights, weights)) << "nothing was learned";
    std::vector<Descriptor> list = list_of(graph.model.core(), key(graph, Mode::train), {}), other = list;
    shared += place(list), apart += place_apart(other);
  });
  EXPECT_LT(shared, apart / 2) << "memory is shared";
}

TEST_P(GraphLaws, What_only_joins_descriptors_changes_no_bit) {
  int joined = 0;
  for_each_graph([&](RandomGraph& graph) {
    ready(graph, {});
    const std::vector<Tensor> weights = initial_weights(graph);
    const Core& core = graph.model.core();
    const ProgramKey key = this->key(graph, Mode::train);
    if (changes_formulas(core, key)) return;
    joined += list_of(core, key, {}).size() + 1 < list_of(core, key, {.fused = false}).size();
    EXPECT_TRUE(same_bits(trained(graph, weights, {}), trained(graph, weights, {.fused = false})));
  });
  EXPECT_GE(joined, static_cast<int>(random_graph_count * (current_device().is_cpu() ? 30 : 5) / 100));
}

TEST_P(GraphLaws, Launched_as_one_or_one_by_one_gives_the_same_bits) {
  for_each_graph([&](RandomGraph& graph) {
    ready(graph, {});
    const std::vector<Tensor> weights = initial_weights(graph);
    EXPECT_TRUE(same_bits(trained(graph, weights, {}), trained(graph, weights, {.eager = true})));
  });
}

/// The same graph in float64 on the CPU, with these weights.
Opened reference(std::uint64_t seed, RandomGraph& graph, const std::vector<Tensor>& weights) {
  graph = random_graph(seed);
  graph.model.set_dtype(DType::float64);
  graph.options.device = "cpu";
  graph.model.compile(graph.options);
  std::vector<Tensor> wide;
  for (const Tensor& weight : weights) wide.push_back(weight.cast(DType::float64));
  graph.model.set_weights(wide);
  return std::move(graph.model);
}

TEST_P(GraphLaws, Formulas_that_fusion_changes_are_those_of_float64) {
  int changed = 0;
  for (std::uint64_t seed = 0; seed < random_graph_count; seed += current_device().is_cpu() ? 1 : 5) {
    SCOPED_TRACE("graph " + std::to_string(seed));
    RandomGraph graph = random_graph(seed);
    ready(graph, {});
    const ProgramKey key = this->key(graph, Mode::gradient);
    if (!changes_formulas(graph.model.core(), key)) continue;
    ++changed;
    const Gradients got = graph.model.gradients(graph.x, graph.y, {.sample_weight = graph.weights});
    RandomGraph wide = random_graph(seed);
    Opened model = reference(seed, wide, initial_weights(graph));
    // In float64 without fusion: the formula as it was.
    Core& core = model.core();
    const std::int64_t rows = graph.x[0].rows();
    ProgramKey wide_key = plain_key(core.parts(), Mode::gradient, rows);
    if (graph.weighted()) wide_key.weighted.assign(wide_key.y_from.size(), true);
    core.program(wide_key);
    std::vector<Descriptor> list = emit_step(core.parts(), wide_key);
    const std::int64_t bytes = place(list);
    const OwnProgram program(core, wide_key, std::move(list), bytes);
    const FedRows fed(core, sources(graph));
    core.passes().begin(Mode::gradient, fed.fed());
    (*program).run(1);
    core.passes().request(Mode::gradient);
    EXPECT_NEAR(core.trainer().logs(core.passes().take())["loss"], got.loss,
                1e-4 * (1 + std::fabs(got.loss)));
    EXPECT_TRUE(close(got.weights, core.trainer().gradients(core.backend()),
                      {.relative = 1e-3, .absolute = 1e-5, .scaled = 1e-3}));
  }
  EXPECT_GE(changed, static_cast<int>(random_graph_count * (current_device().is_cpu() ? 20 : 3) / 100));
}

/// The types of a layer and of those within it.
void add_types(const Layer& layer, std::set<std::string>& types) {
  types.insert(layer.type());
  for (const Layer& child : layer.node().children) add_types(child, types);
}

TEST(RandomGraphs, Have_every_layer) {
  std::set<std::string> types;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    for (const Layer& layer : random_graph(seed).model.layers()) add_types(layer, types);
  std::istringstream all(
      "Abs Activation Add AlphaDropout Average AveragePooling2D BatchNormalization Concatenate "
      "Conv1D Conv2D Conv2DTranspose Cropping2D Cutout Dense DepthwiseConv2D Divide Dot Dropout "
      "ELU Embedding Exp Flatten GaussianDropout GaussianNoise GlobalAveragePooling2D "
      "GlobalMaxPooling2D InputLayer Lambda LayerNormalization LeakyReLU Log Matmul MaxPooling2D "
      "Maximum Mean Minimum Multiply Normalization PReLU Permute Power RMSNormalization "
      "RandomErasing RandomFlip RandomTranslation ReLU Rescaling Reshape Residual SeparableConv2D "
      "Slice SpatialDropout2D Sqrt Square StopGradient Subtract Sum UpSampling2D ZeroPadding2D");
  for (std::string type; all >> type;) EXPECT_TRUE(types.count(type)) << type << " is in none";
}

/// Whether a gradient ends on purpose, where differences go on.
bool stops_gradients(const Model& model) {
  for (const Layer& layer : model.layers())
    if (layer.type() == "StopGradient") return true;
  return false;
}

TEST(GraphSlopes, Gradients_are_the_slopes_of_the_loss) {
  int graphs = 0;
  for (std::uint64_t seed = 0; seed < random_graph_count; seed += 4) {
    SCOPED_TRACE("graph " + std::to_string(seed));
    RandomGraph graph = random_graph(seed);
    if (stops_gradients(graph.model)) continue;
    ++graphs;
    graph.model.set_dtype(DType::float64);
    graph.options.device = "cpu";
    graph.model.compile(graph.options);
    Draws draw(seed);  // biases of 0 would put relus of nothing at their kinks
    std::vector<Tensor> weights;
    for (const Tensor& weight : graph.model.get_weights())
      weights.push_back(weight + draw.tensor(weight.shape(), -0.05, 0.05));
    graph.model.set_weights(weights);
    const auto loss = [&] {
      return graph.model.gradients(graph.x, graph.y, {.sample_weight = graph.weights}).loss;
    };
    const TensorList gradients =
        graph.model.gradients(graph.x, graph.y, {.sample_weight = graph.weights}).weights;
    const Core& core = graph.model.core();
    std::vector<bool> listed;  // whether the list of gradients has one: not of what is frozen
    for (const LayerNode* node : core.network().nodes())
      for (const Variable& variable : node->variables)
        listed.push_back(variable.trainable && core.weights().places().frozen.count(node) == 0);
    std::size_t next = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!listed[i]) continue;
      const Tensor slopes = central_differences(weights[i], [&] {
        graph.model.set_weights(weights);
        return loss();
      });
      graph.model.set_weights(weights);
      ASSERT_LT(next, gradients.size());
      EXPECT_TRUE(close(gradients[next++], slopes, wide_slope_tolerance)) << "weight " << i;
    }
    EXPECT_EQ(next, gradients.size());
  }
  EXPECT_GE(graphs, static_cast<int>(random_graph_count * 3 / 20));
}

}  // namespace
}  // namespace glia::test
