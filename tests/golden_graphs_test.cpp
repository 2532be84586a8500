// What Keras computes, models with branches compute: outputs, loss and gradients, and five epochs of graphs that
// merge, share, freeze and nest layers.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include "tests/devices.h"        // defines: test_runs
#include "tests/golden.h"         // defines: Golden, name_of_case, names_of
#include "tests/golden_graphs.h"  // defines: GraphCase, graph_cases
#include "tests/golden_model.h"   // defines: GoldenModels

namespace glia::test {
namespace {

const Golden& graph_values() {
  static const Golden golden("graphs.safetensors");
  return golden;
}

class GoldenGraphs : public GoldenModels {
 protected:
  GoldenGraphs() : GoldenModels(graph_values()) {}
};

TEST_P(GoldenGraphs, Weights_have_the_names_and_the_order_of_Keras) {
  expect_weights_with_the_names_and_the_order_of_Keras();
}
TEST_P(GoldenGraphs, Outputs_are_those_of_Keras) { expect_outputs_of_Keras(); }
TEST_P(GoldenGraphs, Loss_and_gradients_are_those_of_Keras) { expect_loss_and_gradients_of_Keras(); }
TEST_P(GoldenGraphs, Five_epochs_are_those_of_Keras) { expect_five_epochs_of_Keras(); }

INSTANTIATE_TEST_SUITE_P(Golden, GoldenGraphs,
                         ::testing::Combine(::testing::ValuesIn(graph_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<GraphCase>);

TEST(GoldenFiles, Every_graph_of_the_file_is_tested) {
  EXPECT_EQ(names_of(graph_cases()), graph_values().cases());
}

}  // namespace
}  // namespace glia::test
