// Very large and very small numbers, and none at all: where the result is a number of the dtype, it is given.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia::test {
namespace {

class Extremes : public DeviceTest {
 protected:
  /// Dense without bias that hands its input of n on.
  Sequential handing_on(std::int64_t n, const CompileOptions& options, const DenseOptions& more = {}) {
    DenseOptions dense = more;
    dense.use_bias = false;
    Sequential model{Dense(n, dense)};
    CompileOptions with = options;
    with.context = context();
    model.compile(with);
    model.build({n});
    Tensor identity = Tensor::zeros({n, n});
    for (std::int64_t i = 0; i < n; ++i) identity.set({i, i}, 1);
    model.set_weights({identity});
    return model;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, Extremes, ::testing::ValuesIn(test_devices()), device_name);

const double sizes[] = {1e-35, 1e-30, 1e-20, 1e-10, 1, 1e10, 1e20, 1e30, 1e36};

TEST_P(Extremes, Cosine_similarity_does_not_depend_on_lengths) {
  const Tensor y{{1, 2, -3, 0.5}}, p{{-0.5, 1, 2, 4}};
  const double dot = -0.5 + 2 - 6 + 2, y_norm = std::sqrt(1 + 4 + 9 + 0.25),
               p_norm = std::sqrt(0.25 + 1 + 4 + 16);
  const double cosine = dot / y_norm / p_norm;
  for (const double of_y : sizes)
    for (const double of_p : sizes) {
      Sequential model = handing_on(4, {.loss = "cosine_similarity"});
      // The input is 1 and the prediction the first row of the weights, so the gradients of that row are the loss's.
      Tensor weights = Tensor::zeros({4, 4});
      for (std::int64_t i = 0; i < 4; ++i) weights.set({0, i}, p(0, i) * of_p);
      model.set_weights({weights});
      const Gradients got = model.gradients(Tensor{{1, 0, 0, 0}}, (y * of_y).cast(DType::float32));
      EXPECT_NEAR(got.loss, -cosine, 1e-6) << of_y << ' ' << of_p;
      for (std::int64_t i = 0; i < 4; ++i) {
        const double expected = (cosine * p(0, i) / p_norm - y(0, i) / y_norm) / p_norm;
        EXPECT_NEAR(got.weights[0](0, i) * of_p, expected, 2e-6) << of_y << ' ' << of_p;
      }
    }
}

TEST_P(Extremes, Cosine_similarity_of_nothing_is_0_and_teaches_nothing) {
  const Tensor some{{1, 2, 3}}, nothing{{0, 0, 0}};
  for (const auto& [x, y] :
       {std::pair(&some, &nothing), std::pair(&nothing, &some), std::pair(&nothing, &nothing)}) {
    Sequential model = handing_on(3, {.loss = "cosine_similarity", .metrics = {"cosine_similarity"}});
    const Gradients got = model.gradients(*x, *y);
    EXPECT_EQ(got.loss, 0);
    EXPECT_FALSE(std::signbit(got.loss));
    for (const double value : got.weights[0].values()) EXPECT_EQ(value, 0);
  }
}

TEST_P(Extremes, Gradients_of_any_size_are_clipped_to_their_norm) {
  const Tensor direction{{3, 0, -4}};
  for (const double size : {1e-3, 1.0, 1e19, 1e30, 1e36, 1e37, 6e37})
    for (const bool global : {false, true}) {
      SGD sgd{.learning_rate = 1};
      (global ? sgd.global_clipnorm : sgd.clipnorm) = 0.5;
      // mae's gradient is sign / 3 a column, and the input's size is that of the weights' gradient.
      Sequential model = handing_on(3, {.optimizer = sgd, .loss = "mae"});
      model.set_weights({Tensor::zeros({3, 3})});
      model.train_on_batch((direction * size).cast(DType::float32), Tensor{{-1, -1, -1}});
      const double norm = 5 * size / std::sqrt(3.0), factor = norm > 0.5 ? 0.5 / norm : 1;
      const Tensor moved = model.get_weights()[0].clone();
      for (std::int64_t i = 0; i < 3; ++i)
        for (std::int64_t j = 0; j < 3; ++j) {
          const double expected = -direction(0, i) * size / 3 * factor;
          EXPECT_NEAR(moved(i, j), expected, 1e-6 * std::fabs(expected)) << size << (global ? " of all" : "");
        }
    }
}

TEST_P(Extremes, Weights_of_any_size_are_constrained) {
  for (const double size : {1e-18, 1.0, 1e10, 1e20, 1e30, 1e37}) {
    for (const ConstraintName& constraint :
         {ConstraintName(MaxNorm{2}), ConstraintName(UnitNorm{}), ConstraintName(MinMaxNorm{0.5, 2, 1})}) {
      Sequential model = handing_on(2, {.optimizer = SGD{.learning_rate = 0}, .loss = "mae"},
                                    {.kernel_constraint = constraint});
      model.set_weights({(Tensor{{3, 0.6}, {-4, 0.8}} * size).cast(DType::float32)});
      model.train_on_batch(Tensor{{0, 0}}, Tensor{{0, 0}});
      const Tensor after = model.get_weights()[0].clone();
      for (std::int64_t j = 0; j < 2; ++j) {
        const double norm = size * (j == 0 ? 5 : 1);
        const double wanted = std::holds_alternative<UnitNorm>(constraint.value())                   ? 1
                              : norm > 2                                                             ? 2
                              : norm < 0.5 && std::holds_alternative<MinMaxNorm>(constraint.value()) ? 0.5
                                                                                                     : norm;
        const double kept = wanted * norm / (norm + 1e-7);
        EXPECT_NEAR(after(0, j), 0.6 * kept, 2e-6 * kept) << constraint.name() << ' ' << size;
        EXPECT_NEAR(after(1, j), (j == 0 ? -0.8 : 0.8) * kept, 2e-6 * kept)
            << constraint.name() << ' ' << size;
      }
    }
  }
}

TEST_P(Extremes, Rows_of_any_size_are_normalised) {
  for (const bool centers : {true, false})
    for (const double size : {1e3, 1e10, 1e19, 1e20, 1e30, 1e36}) {
      Sequential model = centers ? Sequential{LayerNormalization()} : Sequential{RMSNormalization()};
      model.compile({.context = context()});
      model.build({4});
      const Tensor got = model((Tensor{{1, -3, 3, -1}} * size).cast(DType::float32));
      const double unit = 1 / std::sqrt(5.0);
      EXPECT_TRUE(close(got, Tensor{{unit, -3 * unit, 3 * unit, -unit}}, Tolerance{.relative = 1e-5}))
          << size;
    }
}

/// Every activation but e^x, the slope of which grows beyond any dtype.
template <std::size_t... index>
std::vector<ActivationName> activations(std::index_sequence<index...>) {
  return {ActivationName(std::variant_alternative_t<index, Activations>{})...};
}
TEST_P(Extremes, Activations_and_their_slopes_are_numbers) {
  std::vector<ActivationName> all = activations(std::make_index_sequence<std::variant_size_v<Activations>>());
  all.push_back(Gelu{.approximate = true});
  for (const ActivationName& activation : all) {
    if (activation.name() == "exponential" || activation.name() == "step") continue;  // inf; has no slope
    for (const double x :
         {1e3, 1e10, 1e13, 1e19, 1e20, 1e30, 3e38, -1e3, -1e10, -1e13, -1e20, -1e30, -3e38}) {
      Sequential model{Dense(3, {.activation = activation})};
      model.compile({.loss = "mae", .context = context()});
      model.build({1});
      model.set_weights({Tensor::zeros({1, 3}), Tensor{x, 0.5, -0.5}.cast(DType::float32)});
      const Tensor in = Tensor::zeros({1, 1});
      for (const double value : model(in).values())
        EXPECT_TRUE(std::isfinite(value)) << activation.name() << ' ' << x;
      const Gradients got = model.gradients(in, Tensor{{0, 0, 0}});
      for (const double value : got.weights[1].values()) {
        EXPECT_TRUE(std::isfinite(value)) << activation.name() << ' ' << x;
        EXPECT_LT(std::fabs(value), 1.2) << activation.name() << ' ' << x;
      }
    }
  }
}

TEST_P(Extremes, R2_of_targets_that_are_all_the_same_is_1_for_right_predictions_and_0_for_others) {
  for (const double value : {0.0, 0.1, -3.7, 1e6 + 0.5, 1e20}) {
    Sequential model = handing_on(
        1, {.loss = "mse", .metrics = {"r2_score"}, .weighted_metrics = {{"weighted", R2Score{}}}});
    const Tensor y = Tensor::full({7, 1}, value, DType::float32);
    const Tensor weights{0.1, 0.7, 0.3, 1.3, 0, 2.1, 0.9};
    for (const std::int64_t batch_size : {1, 3, 7}) {
      const EvaluateOptions options{.batch_size = batch_size, .verbose = 0, .sample_weight = weights};
      for (const char* name : {"r2_score", "weighted"}) {
        EXPECT_EQ(model.evaluate(y, y, options)[name], 1) << value;
        EXPECT_EQ(model.evaluate(y * 1.5 + 1, y, options)[name], 0) << value;
      }
    }
  }
}

TEST_P(Extremes, R2_does_not_depend_on_where_the_targets_lie) {
  const Tensor y{{1}, {2}, {4}, {-3}, {0.5}}, p{{1.5}, {1.5}, {4}, {-2}, {0}};
  for (const double offset : {0.0, 1e3, -1e5, 1e6}) {
    Sequential model = handing_on(1, {.loss = "mse", .metrics = {"r2_score"}});
    const double errors = 0.25 + 0.25 + 0 + 1 + 0.25, mean = 0.9;
    double spread = 0;
    for (const double value : y.values()) spread += (value - mean) * (value - mean);
    for (const std::int64_t batch_size : {2, 5})
      EXPECT_NEAR(
          model.evaluate(p + offset, y + offset, {.batch_size = batch_size, .verbose = 0})["r2_score"],
          1 - errors / spread, 1e-12)
          << offset;
  }
}

TEST_P(Extremes, Losses_of_small_and_large_errors_keep_their_digits) {
  for (const double e : {1e-6, 1e-4, 1e-2, 0.3, 0.99, 1.01, 5.0, 1e4, 1e30}) {
    Sequential model = handing_on(1, {.loss = "log_cosh", .metrics = {{"wide", Huber{.delta = 1e25}}}});
    const float x = static_cast<float>(e);
    const double wide = x;
    const double log_cosh = wide < 1 ? std::log1p(2 * std::pow(std::sinh(wide / 2), 2))
                                     : wide + std::log1p(std::exp(-2 * wide)) - std::log(2.0);
    const Logs logs = model.evaluate(Tensor::full({1, 1}, x, DType::float32), Tensor{{0}}, {.verbose = 0});
    EXPECT_NEAR(logs["loss"], log_cosh, 1e-6 * log_cosh) << e;
    EXPECT_FALSE(std::isnan(logs["wide"])) << e;
  }
}

TEST_P(Extremes, One_logit_is_two_classes_cut_at_0) {
  const Tensor x{{0.25}, {-0.25}, {3}, {-2}, {0}}, y{0, 0, 1, 1, 0};
  const auto counts = [&](const LossName& loss, const MetricName& metric) {
    Sequential model = handing_on(1, {.loss = loss, .metrics = {metric}});
    return model.confusion_matrix(x, y, {.verbose = 0});
  };
  const Tensor at_0 = Tensor{{2, 1}, {1, 1}}.cast(DType::int64),
               at_half = Tensor{{3, 0}, {1, 1}}.cast(DType::int64);
  for (const LossName& loss :
       {LossName(BinaryCrossentropy{.from_logits = true}),
        LossName(BinaryFocalCrossentropy{.from_logits = true}), LossName("hinge"), LossName("squared_hinge")})
    EXPECT_TRUE(array_equal(counts(loss, "confusion_matrix"), at_0)) << loss.name();
  EXPECT_TRUE(array_equal(counts("mse", "confusion_matrix"), at_half));
  EXPECT_TRUE(array_equal(counts("mse", ConfusionMatrix{.threshold = 0}), at_0));
  EXPECT_TRUE(array_equal(counts(BinaryCrossentropy{.from_logits = true}, ConfusionMatrix{.threshold = 0.5}),
                          at_half));
  Sequential model = handing_on(
      1, {.loss = BinaryCrossentropy{.from_logits = true}, .metrics = {BinaryAccuracy{.threshold = 0}}});
  EXPECT_NEAR(model.evaluate(x, y, {.verbose = 0})["binary_accuracy"], 0.6, 1e-12);
}

}  // namespace
}  // namespace glia::test
