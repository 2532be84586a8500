// Names of activations, initializers, optimizers, losses and metrics, and what a wrong one is told.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/named.h>
#include <glia/sequential.h>  // defines: MetricName
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no ValueError";
}

TEST(Named, Finds_every_member_by_its_name) {
  for (const char* name :
       {"linear",     "relu",      "sigmoid", "tanh", "softmax",      "log_softmax", "relu6",
        "leaky_relu", "elu",       "selu",    "celu", "hard_sigmoid", "softplus",    "softsign",
        "silu",       "hard_silu", "gelu",    "mish", "exponential",  "step"})
    EXPECT_EQ(ActivationName(name).name(), name);
  for (const char* name : {"zeros", "ones", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
                           "lecun_uniform", "lecun_normal", "constant", "random_normal", "truncated_normal",
                           "random_uniform", "variance_scaling", "orthogonal", "identity"})
    EXPECT_EQ(InitializerName(name).name(), name);
  for (const char* name :
       {"sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta", "lion", "ftrl", "muon"})
    EXPECT_EQ(OptimizerName(name).name(), name);
  for (const char* name :
       {"mean_squared_error", "binary_crossentropy", "categorical_crossentropy",
        "sparse_categorical_crossentropy", "mean_absolute_error", "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error", "huber", "log_cosh", "binary_focal_crossentropy",
        "categorical_focal_crossentropy", "kl_divergence", "poisson", "hinge", "squared_hinge",
        "categorical_hinge", "cosine_similarity"})
    EXPECT_EQ(LossName(name).name(), name);
}

TEST(Named, A_name_gives_the_member_with_its_defaults) {
  const OptimizerName sgd(std::string("sgd"));
  EXPECT_EQ(std::get<SGD>(sgd.value()).learning_rate.at(0), 0.01);
  EXPECT_EQ(std::get<Adam>(OptimizerName("adam").value()).beta_2, 0.999);
  EXPECT_EQ(std::get<HeNormal>(InitializerName("he_normal").value()).scale, 2);
  EXPECT_EQ(std::get<HeNormal>(InitializerName("he_normal").value()).distribution,
            Distribution::truncated_normal);
}

TEST(Named, An_object_keeps_its_options) {
  const OptimizerName adam = Adam{.learning_rate = 0.25};
  EXPECT_EQ(std::get<Adam>(adam.value()).learning_rate.at(0), 0.25);
  EXPECT_EQ(adam.name(), "adam");
}

TEST(Named, Losses_answer_to_their_short_names) {
  EXPECT_EQ(LossName("mse").name(), "mean_squared_error");
  EXPECT_EQ(LossName("bce").name(), "binary_crossentropy");
  EXPECT_EQ(LossName("MSE").name(), "mean_squared_error");
  EXPECT_EQ(LossName("BCE").name(), "binary_crossentropy");
}

TEST(Named, Takes_the_names_of_Kerass_classes) {
  EXPECT_EQ(OptimizerName("SGD").name(), "sgd");
  EXPECT_EQ(OptimizerName("RMSprop").name(), "rmsprop");
  EXPECT_EQ(OptimizerName("Adam").name(), "adam");
  EXPECT_EQ(LossName("MeanSquaredError").name(), "mean_squared_error");
  EXPECT_EQ(LossName("BinaryCrossentropy").name(), "binary_crossentropy");
  EXPECT_EQ(LossName("CategoricalCrossentropy").name(), "categorical_crossentropy");
  EXPECT_EQ(LossName("SparseCategoricalCrossentropy").name(), "sparse_categorical_crossentropy");
  EXPECT_EQ(InitializerName("Zeros").name(), "zeros");
  EXPECT_EQ(InitializerName("GlorotUniform").name(), "glorot_uniform");
  EXPECT_EQ(InitializerName("LecunNormal").name(), "lecun_normal");
}

TEST(Named, Other_spellings_are_refused_as_in_Keras) {
  EXPECT_THROW(ActivationName("Relu"), ValueError);  // an activation is a function, not a class
  EXPECT_THROW(ActivationName("RELU"), ValueError);
  EXPECT_THROW(InitializerName("glorotuniform"), ValueError);
  EXPECT_THROW(LossName("Mse"), ValueError);
  EXPECT_THROW(OptimizerName(" adam"), ValueError);
}

TEST(Named, An_unknown_name_is_told_the_nearest_and_all_that_are_known) {
  EXPECT_EQ(complaint([] { RegularizerName("l3"); }),
            "unknown regularizer \"l3\": did you mean \"l1\"? Known: none, l1, l2, l1_l2.");
  EXPECT_THAT(complaint([] { ActivationName("relux"); }),
              StartsWith("unknown activation \"relux\": did you mean \"relu\"? Known: linear, relu, sigmoid, "
                         "tanh, softmax, "));
  EXPECT_THAT(complaint([] { OptimizerName("ADAM"); }),
              StartsWith("unknown optimizer \"ADAM\": did you mean \"adam\"? Known: sgd, rmsprop, adam, "));
  EXPECT_THAT(
      complaint([] { LossName("catgorical_crosentropy"); }),
      StartsWith("unknown loss \"catgorical_crosentropy\": did you mean \"categorical_crossentropy\"? "
                 "Known: mean_squared_error, mse, binary_crossentropy, bce, "));
}

TEST(Named, A_name_that_resembles_none_gets_no_guess) {
  EXPECT_THAT(complaint([] { ActivationName("banana"); }),
              StartsWith("unknown activation \"banana\". Known: linear, relu, "));
  EXPECT_THAT(complaint([] { LossName("sparse_crossentropy"); }),
              StartsWith("unknown loss \"sparse_crossentropy\". "));
  EXPECT_THAT(complaint([] { OptimizerName(""); }),
              StartsWith("unknown optimizer \"\". Known: sgd, rmsprop, adam, "));
  EXPECT_THAT(complaint([] { InitializerName("lots_of_noise"); }),
              StartsWith("unknown initializer \"lots_of_noise\". Known: z"));
}

TEST(NearestName, Counts_insertions_deletions_replacements_and_swaps) {
  const std::vector<std::string> known{"relu", "sigmoid", "tanh", "softmax"};
  EXPECT_EQ(detail::nearest_name("reluu", known), "relu");
  EXPECT_EQ(detail::nearest_name("sofmax", known), "softmax");
  EXPECT_EQ(detail::nearest_name("sigmiod", known), "sigmoid");
  EXPECT_EQ(detail::nearest_name("tahn", known), "tanh");  // two replacements would be too many
  EXPECT_EQ(detail::nearest_name("Softmax", known), "softmax");
  EXPECT_EQ(detail::nearest_name("thna", known), "");
}

TEST(NearestName, Of_equally_near_ones_takes_the_first) {
  EXPECT_EQ(detail::nearest_name("dense_3", {"dense_1", "dense_2"}), "dense_1");
  EXPECT_EQ(detail::nearest_name("dense_22", {"dense_1", "dense_2"}), "dense_2");
}

TEST(NearestName, Takes_nothing_for_an_answer) {
  EXPECT_EQ(detail::nearest_name("relu", {}), "");
  EXPECT_EQ(detail::nearest_name("", {"a"}), "");
  EXPECT_EQ(detail::nearest_name("b", {"a"}), "");
  EXPECT_EQ(detail::nearest_name(std::string(1 << 20, 'x'), {"relu"}), "");
  EXPECT_EQ(detail::unknown_name("layer", "x", {}), "unknown layer \"x\". Known: ");
}

TEST(MetricName, Accuracy_keeps_the_name_it_was_given_and_waits_for_shapes) {
  for (const char* name : {"accuracy", "acc"}) {
    EXPECT_EQ(MetricName(name).name(), name);
    EXPECT_FALSE(MetricName(name).metric());
  }
}

TEST(MetricName, The_three_forms_are_settled_at_once) {
  const MetricName binary("binary_accuracy");
  ASSERT_TRUE(binary.metric());
  EXPECT_EQ(binary.name(), "binary_accuracy");
  EXPECT_EQ(std::get<BinaryAccuracy>(*binary.metric()).threshold, 0.5);
  EXPECT_TRUE(std::holds_alternative<CategoricalAccuracy>(*MetricName("categorical_accuracy").metric()));
  EXPECT_TRUE(
      std::holds_alternative<SparseCategoricalAccuracy>(*MetricName("sparse_categorical_accuracy").metric()));
}

TEST(MetricName, An_object_brings_its_name_and_options) {
  const MetricName binary = BinaryAccuracy{.threshold = 0.25};
  EXPECT_EQ(binary.name(), "binary_accuracy");
  EXPECT_EQ(std::get<BinaryAccuracy>(*binary.metric()).threshold, 0.25);
  EXPECT_EQ(MetricName(CategoricalAccuracy{}).name(), "categorical_accuracy");
  EXPECT_EQ(MetricName(SparseCategoricalAccuracy{}).name(), "sparse_categorical_accuracy");
}

TEST(MetricName, An_unknown_metric_is_told_the_nearest) {
  EXPECT_THAT(
      complaint([] { MetricName("accurracy"); }),
      AllOf(StartsWith("unknown metric \"accurracy\": did you mean \"accuracy\"? Known: accuracy, acc, "),
            HasSubstr("top_k_categorical_accuracy"), HasSubstr("mae"), HasSubstr("r2_score")));
}

TEST(MetricName, A_loss_is_a_metric_under_either_of_its_names) {
  for (const char* name : {"mae", "mean_absolute_error", "MeanAbsoluteError"}) {
    const MetricName metric(name);
    EXPECT_EQ(metric.name(), name);
    ASSERT_TRUE(metric.metric()) << name;
    EXPECT_TRUE(std::holds_alternative<MeanAbsoluteError>(std::get<LossMetric>(*metric.metric()).loss));
  }
  EXPECT_EQ(MetricName(MeanAbsoluteError{}).name(), "mean_absolute_error");
}

}  // namespace
}  // namespace glia
