// Gradients of every loss, with its options and with weights of rows, against central differences in float64.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/slopes.h"

namespace glia::test {
namespace {

/// What targets a case has; `shares` lie in (0.1, 0.9) and are no distribution.
enum class Kind { real, signs, binary, shares, one_hot, distribution, labels };

struct Case {
  std::string name;
  LossName loss;
  std::string activation;  ///< of the last layer
  Kind targets;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

Case make_case(const LossName& loss, const std::string& activation, Kind targets, const std::string& more) {
  return {loss.name() + '_' + activation + (more.empty() ? "" : '_' + more), loss, activation, targets};
}

/// Every loss of the variant with its defaults, for outputs that any loss takes; a new one is among them by itself.
template <std::size_t... index>
std::vector<Case> every_loss(std::index_sequence<index...>) {
  std::vector<Case> all;
  const auto add = [&](const auto& loss) {
    if (std::decay_t<decltype(loss)>::targets == Targets::sparse_labels) {
      all.push_back(make_case(loss, "softmax", Kind::labels, "labels"));
      all.push_back(make_case(loss, "sigmoid", Kind::labels, "labels"));
      return;
    }
    all.push_back(make_case(loss, "sigmoid", Kind::shares, "shares"));
    all.push_back(make_case(loss, "sigmoid", Kind::one_hot, "one_hot"));
    all.push_back(make_case(loss, "softmax", Kind::distribution, "distribution"));
    all.push_back(make_case(loss, "softplus", Kind::shares, "shares"));
  };
  (add(std::variant_alternative_t<index, Losses>{}), ...);
  return all;
}

std::vector<Case> cases() {
  std::vector<Case> all = every_loss(std::make_index_sequence<std::variant_size_v<Losses>>());
  const auto add = [&](const LossName& loss, const std::string& activation, Kind targets,
                       const std::string& more) {
    all.push_back(make_case(loss, activation, targets, more));
  };
  for (const LossName& loss : {LossName("mse"), LossName("mae"), LossName("mape"), LossName("huber"),
                               LossName("log_cosh"), LossName("cosine_similarity")})
    add(loss, "linear", Kind::real, "real");
  for (const char* hinge : {"hinge", "squared_hinge"}) {
    add(hinge, "linear", Kind::signs, "signs");
    add(hinge, "linear", Kind::binary, "binary");
  }
  add("categorical_hinge", "linear", Kind::one_hot, "logits");
  add(Huber{.delta = 0.3}, "linear", Kind::real, "0_3");
  add(Huber{.delta = 2.5}, "linear", Kind::real, "2_5");
  for (const double smoothing : {0.0, 0.2, 1.0}) {
    const std::string text = "smoothed_" + std::to_string(static_cast<int>(10 * smoothing));
    for (const bool logits : {false, true}) {
      const std::string activation = logits ? "linear" : "sigmoid", rows = logits ? "linear" : "softmax";
      add(BinaryCrossentropy{logits, smoothing}, activation, Kind::binary, text);
      add(CategoricalCrossentropy{logits, smoothing}, rows, Kind::one_hot, text);
      for (const bool balanced : {false, true})
        add(BinaryFocalCrossentropy{balanced, 0.3, 1.5, logits, smoothing}, activation, Kind::binary,
            text + (balanced ? "_balanced" : ""));
      add(CategoricalFocalCrossentropy{0.4, 3, logits, smoothing}, rows, Kind::one_hot, text);
    }
  }
  for (const bool logits : {false, true}) {
    add(BinaryFocalCrossentropy{.gamma = 0, .from_logits = logits}, logits ? "linear" : "sigmoid",
        Kind::binary, "gamma_0");
    add(CategoricalFocalCrossentropy{.gamma = 0, .from_logits = logits}, logits ? "linear" : "softmax",
        Kind::one_hot, "gamma_0");
    add(SparseCategoricalCrossentropy{logits, 1}, logits ? "linear" : "softmax", Kind::labels, "ignores_1");
  }
  add(SparseCategoricalCrossentropy{.from_logits = true}, "linear", Kind::labels, "logits");
  return all;
}

Tensor make_targets(Kind kind, const Shape& shape, Draws& draws) {
  const std::int64_t classes = shape.back(), rows = shape.elements() / classes;
  std::vector<std::int32_t> labels;
  Tensor dense = Tensor::zeros(shape, DType::float64);
  for (std::int64_t row = 0; row < rows; ++row) {
    double* values = dense.data<double>() + row * classes;
    labels.push_back(static_cast<std::int32_t>(draws.below(classes)));
    double sum = 0;
    for (std::int64_t i = 0; i < classes; ++i) {
      if (kind == Kind::real) values[i] = draws.between(-3, 3);
      if (kind == Kind::signs) values[i] = draws.below(2) ? 1 : -1;
      if (kind == Kind::binary) values[i] = static_cast<double>(draws.below(2));
      if (kind == Kind::shares || kind == Kind::distribution) sum += values[i] = draws.between(0.1, 0.9);
    }
    if (kind == Kind::one_hot) values[labels.back()] = 1;
    for (std::int64_t i = 0; kind == Kind::distribution && i < classes; ++i) values[i] /= sum;
  }
  return kind == Kind::labels ? Tensor(labels, shape.slice(0, shape.rank() - 1)) : std::move(dense);
}

Sequential make_model(const Case& c, const Shape& row, Draws& draws) {
  Sequential model{Dense(4, "tanh"), Dense(3, c.activation)};
  model.set_dtype(DType::float64);
  model.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = c.loss, .device = "cpu"});
  model.build(row);
  std::vector<Tensor> weights = model.get_weights();
  for (Tensor& weight : weights) weight = draws.tensor(weight.shape(), -1.5, 1.5);
  model.set_weights(weights);
  return model;
}

class EveryLoss : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Float64, EveryLoss, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name + '_' + std::to_string(info.index); });

const std::pair<Shape, std::int64_t> inputs[] = {{{3}, 1}, {{3}, 5}, {{3}, 33}, {{2, 3}, 3}, {{1, 3}, 1}};

TEST_P(EveryLoss, Has_the_slope_that_its_gradient_says) {
  std::uint64_t seed = 101;
  for (const auto& [row, batch] : inputs) {
    Draws draws(seed++);
    Sequential model = make_model(GetParam(), row, draws);
    const Tensor x = draws.tensor(row.prepend(batch));
    const Tensor y = make_targets(GetParam().targets, model(x).shape(), draws);
    const Gradients got = model.gradients(x, y);
    EXPECT_TRUE(close(got.loss, loss_of(model, x, y), Tolerance{.relative = 1e-12, .absolute = 1e-14}));
    EXPECT_TRUE(close(got.weights, slopes(model, [&] { return loss_of(model, x, y); }), wide_slope_tolerance))
        << "rows of " << row << ", batch " << batch << ", seed " << seed - 1;
  }
}

/// With a rate of 1 and one batch, SGD moves each weight by its gradient.
std::vector<Tensor> moved_by(Sequential& model, const Tensor& x, const Tensor& y, FitOptions options) {
  const std::vector<Tensor> before = model.get_weights();
  options.batch_size = x.rows(), options.verbose = 0, options.shuffle = false;
  model.fit(x, y, options);
  const std::vector<Tensor> after = model.get_weights();
  std::vector<Tensor> moved;
  for (std::size_t i = 0; i < before.size(); ++i) moved.push_back(before[i] - after[i]);
  model.set_weights(before);
  return moved;
}

/// Weights that are whole numbers of float32, as fit keeps them.
Tensor weights_of_rows(std::int64_t rows, Draws& draws) {
  Tensor weights = Tensor::zeros({rows}, DType::float64);
  for (std::int64_t i = 0; i < rows; ++i) weights.set({i}, static_cast<double>(draws.below(9)) / 4);
  return weights;
}

TEST_P(EveryLoss, Trains_by_the_slopes_of_the_loss_that_evaluate_weighs) {
  std::uint64_t seed = 201;
  for (const auto& [row, batch] : inputs) {
    Draws draws(seed++);
    Sequential model = make_model(GetParam(), row, draws);
    const Tensor x = draws.tensor(row.prepend(batch));
    const Tensor y = make_targets(GetParam().targets, model(x).shape(), draws);
    const Tensor weights = weights_of_rows(batch, draws);
    const auto weighted = [&] {
      return model.evaluate(x, y, {.batch_size = batch, .verbose = 0, .sample_weight = weights})["loss"];
    };
    const Tolerance tolerance = {.relative = 1e-5, .absolute = 1e-8, .scaled = 1e-7};
    EXPECT_TRUE(close(moved_by(model, x, y, {.sample_weight = weights}), slopes(model, weighted), tolerance))
        << "rows of " << row << ", batch " << batch << ", seed " << seed - 1;
  }
}

TEST(WeightedGradient, Of_classes_is_that_of_their_rows_weighted_so) {
  for (const Case& c : {make_case("sparse_categorical_crossentropy", "softmax", Kind::labels, ""),
                        make_case("categorical_crossentropy", "softmax", Kind::one_hot, ""),
                        make_case("categorical_hinge", "linear", Kind::one_hot, "")}) {
    Draws draws(5);
    Sequential model = make_model(c, {3}, draws);
    const Tensor x = draws.tensor({17, 3});
    const Tensor y = make_targets(c.targets, {17, 3}, draws);
    Tensor weights = Tensor::ones({17}, DType::float64);
    for (std::int64_t r = 0; r < 17; ++r) {
      const bool first = c.targets == Kind::labels ? y(r) == 0 : y(r, 0) == 1;
      const bool last = c.targets == Kind::labels ? y(r) == 2 : y(r, 2) == 1;
      if (first) weights.set({r}, 2.5);
      if (last) weights.set({r}, 0);
    }
    const auto weighted = [&] {
      return model.evaluate(x, y, {.batch_size = 17, .verbose = 0, .sample_weight = weights})["loss"];
    };
    EXPECT_TRUE(close(moved_by(model, x, y, {.class_weight = {{0, 2.5}, {2, 0.0}}}), slopes(model, weighted),
                      slope_tolerance))
        << c;
  }
}

TEST(WeightedGradient, Of_a_single_output_takes_its_targets_as_classes_0_and_1) {
  Draws draws(6);
  Sequential model{Dense(1, "sigmoid")};
  model.set_dtype(DType::float64);
  model.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "binary_crossentropy", .device = "cpu"});
  const Tensor x = draws.tensor({9, 2});
  Tensor y = Tensor::zeros({9}, DType::float64), weights = Tensor::full({9}, 0.5, DType::float64);
  for (std::int64_t r = 0; r < 9; r += 2) y.set({r}, 1), weights.set({r}, 3);
  model.build({2});
  const auto weighted = [&] {
    return model.evaluate(x, y, {.batch_size = 9, .verbose = 0, .sample_weight = weights})["loss"];
  };
  EXPECT_TRUE(close(moved_by(model, x, y, {.class_weight = {{0, 0.5}, {1, 3}}}), slopes(model, weighted),
                    slope_tolerance));
}

TEST(IgnoredClass, Where_every_row_is_ignored_nothing_is_lost_and_nothing_moves) {
  Sequential model{Dense(3, "softmax")};
  model.set_dtype(DType::float64);
  model.compile({.loss = SparseCategoricalCrossentropy{.ignore_class = -1}, .device = "cpu"});
  const Gradients got = model.gradients(Tensor::ones({4, 2}, DType::float64),
                                        Tensor(std::vector<std::int32_t>{-1, -1, -1, -1}));
  EXPECT_EQ(got.loss, 0);
  for (const Tensor& gradient : got.weights)
    for (const double value : gradient.values()) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace glia::test
