// What Keras computes, layers over sequences compute: outputs, loss and gradients, and five epochs of recurrent
// layers, of Bidirectional and TimeDistributed, and of masks on their way to layers, losses and metrics.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include "tests/devices.h"           // defines: test_runs
#include "tests/golden.h"            // defines: Golden, name_of_case, names_of
#include "tests/golden_graphs.h"     // defines: GraphCase
#include "tests/golden_model.h"      // defines: GoldenModels
#include "tests/golden_sequences.h"  // defines: sequence_cases

namespace glia::test {
namespace {

const Golden& sequence_values() {
  static const Golden golden("sequences.safetensors");
  return golden;
}

class GoldenSequences : public GoldenModels {
 protected:
  GoldenSequences() : GoldenModels(sequence_values()) {}
};

TEST_P(GoldenSequences, Weights_have_the_names_and_the_order_of_Keras) {
  expect_weights_with_the_names_and_the_order_of_Keras();
}
TEST_P(GoldenSequences, Outputs_are_those_of_Keras) { expect_outputs_of_Keras(); }
TEST_P(GoldenSequences, Loss_and_gradients_are_those_of_Keras) { expect_loss_and_gradients_of_Keras(); }
TEST_P(GoldenSequences, Five_epochs_are_those_of_Keras) { expect_five_epochs_of_Keras(); }

INSTANTIATE_TEST_SUITE_P(Golden, GoldenSequences,
                         ::testing::Combine(::testing::ValuesIn(sequence_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<GraphCase>);

TEST(GoldenFiles, Every_sequence_of_the_file_is_tested) {
  EXPECT_EQ(names_of(sequence_cases()), sequence_values().cases());
}

}  // namespace
}  // namespace glia::test
