// What Keras computes, models with branches compute: outputs, loss and gradients, and five epochs of graphs that
// merge, share, freeze and nest layers.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/io/safetensors.h"     // defines: load_safetensors
#include "tests/close.h"             // defines: close, golden_tolerance
#include "tests/devices.h"           // defines: test_runs
#include "tests/golden.h"            // defines: Golden, GoldenTest
#include "tests/golden_graphs.h"     // defines: GraphCase, graph_cases
#include "tests/temporary_folder.h"  // defines: TemporaryFolder

namespace glia::test {
namespace {

const Golden& graph_values() {
  static const Golden golden("graphs.safetensors");
  return golden;
}

/// The paths of the weights, in Keras's order: what follows weights/00/, weights/01/, ...
std::vector<std::string> paths(const std::string& list) {
  std::vector<std::string> paths;
  for (const std::string& numbered : graph_values().below(list + '/'))
    paths.push_back(numbered.substr(numbered.find('/') + 1));
  return paths;
}

/// The tensors of such a list, in `dtype`.
std::vector<Tensor> placed(const std::string& list, DType dtype = DType::float64) {
  std::vector<Tensor> tensors;
  for (const std::string& numbered : graph_values().below(list + '/'))
    tensors.push_back(graph_values()[list + '/' + numbered].cast(dtype));
  return tensors;
}

/// A model's weights by the names under which it saves them.
std::map<std::string, Tensor> saved(const Model& model) {
  const glia::testing::TemporaryFolder folder;
  model.save_weights(folder / "weights.safetensors");
  std::map<std::string, Tensor> weights;
  for (io::NamedTensor& named : io::load_safetensors(folder / "weights.safetensors"))
    weights.emplace(std::move(named.name), std::move(named.tensor));
  return weights;
}

class GoldenGraphs : public GoldenTest<GraphCase> {
 protected:
  Model model() {
    CompileOptions options = one().options;
    options.context = context();
    Model model = one().model();
    model.set_dtype(dtype());
    model.compile(options);
    model.set_weights(placed(one().name + "/weights", dtype()));
    return model;
  }
  /// x, y, weight: one tensor for each input or output.
  std::vector<Tensor> data(const std::string& what) const {
    return graph_values().list(one().name + '/' + what, DType::float32);
  }
  bool weighted() const { return graph_values().contains(one().name + "/weight/0"); }
};

TEST_P(GoldenGraphs, Weights_have_the_names_and_the_order_of_Keras) {
  const std::map<std::string, Tensor> weights = saved(model());
  const std::vector<std::string> names = paths(one().name + "/weights");
  const std::vector<Tensor> expected = placed(one().name + "/weights", dtype());
  EXPECT_EQ(weights.size(), names.size()) << one().name;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = weights.find(names[i]);
    ASSERT_NE(found, weights.end()) << "no weight " << names[i] << " in " << one().name;
    EXPECT_TRUE(array_equal(found->second, expected[i])) << names[i] << " of " << one().name;
  }
}

TEST_P(GoldenGraphs, Outputs_are_those_of_Keras) {
  Model model = this->model();
  for (const std::int64_t batch_size : {4, 64}) {
    std::vector<Tensor> got;
    for (NamedTensor& output : model.predict_all(data("x"), {.batch_size = batch_size}))
      got.push_back(std::move(output.tensor));
    EXPECT_TRUE(close(got, graph_values().list(one().name + "/out"), golden_tolerance(dtype())))
        << one().name << ", batch_size " << batch_size;
  }
}

TEST_P(GoldenGraphs, Loss_and_gradients_are_those_of_Keras) {
  const std::vector<Tensor> weights = data("weight");
  const Gradients got =
      model().gradients(data("x"), data("y"), {.sample_weight = weighted() ? Tensors(weights) : Tensors()});
  EXPECT_TRUE(close(got.loss, graph_values()[one().name + "/loss"].item(), golden_tolerance(dtype())))
      << "loss of " << one().name;
  EXPECT_TRUE(close(got.weights, placed(one().name + "/gradients"), golden_tolerance(dtype())))
      << "gradients of " << one().name;
}

TEST_P(GoldenGraphs, Five_epochs_are_those_of_Keras) {
  Model model = this->model();
  FitOptions options = {.epochs = 5,
                        .batch_size = 8,
                        .verbose = 0,
                        .validation_split = one().validation_split,
                        .shuffle = false};
  const std::vector<Tensor> weights = data("weight");
  if (weighted()) options.sample_weight = weights;
  const History history = model.fit(data("x"), data("y"), options);

  const std::vector<std::string> keys = history.keys();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  for (const std::string& key : graph_values().below(one().name + "/history/"))
    EXPECT_TRUE(close(Tensor(history[key]), graph_values()[one().name + "/history/" + key],
                      golden_tolerance(dtype())))
        << key << " of " << one().name;
  EXPECT_EQ(keys.size(), graph_values().below(one().name + "/history/").size()) << one().name;
  EXPECT_TRUE(close(model.get_weights(), placed(one().name + "/after"), golden_tolerance(dtype())))
      << "weights after " << one().name;
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenGraphs,
                         ::testing::Combine(::testing::ValuesIn(graph_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<GraphCase>);

TEST(GoldenFiles, Every_graph_of_the_file_is_tested) {
  EXPECT_EQ(names_of(graph_cases()), graph_values().cases());
}

}  // namespace
}  // namespace glia::test
