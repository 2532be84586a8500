// Metrics watch: no metric changes the loss, its gradient or a weight, and none depends on who asks for it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/devices.h"

namespace glia::test {
namespace {

constexpr std::int64_t batch = 5, classes = 3;

/// Every member of a variant with its defaults; a new one is among them by itself.
template <class Variant, std::size_t... index>
std::vector<Variant> members(std::index_sequence<index...>) {
  return {Variant(std::variant_alternative_t<index, Variant>{})...};
}
template <class Variant>
std::vector<Variant> members() {
  return members<Variant>(std::make_index_sequence<std::variant_size_v<Variant>>());
}

Targets targets_of(const Losses& loss) {
  return std::visit([](const auto& l) { return l.targets; }, loss);
}

std::vector<Losses> every_loss() {
  std::vector<Losses> all = members<Losses>();
  all.insert(
      all.end(),
      {BinaryCrossentropy{.from_logits = true}, CategoricalCrossentropy{.from_logits = true},
       SparseCategoricalCrossentropy{.from_logits = true}, BinaryFocalCrossentropy{.from_logits = true},
       CategoricalFocalCrossentropy{.from_logits = true}});
  return all;
}

/// Every metric that goes with targets of this kind, losses among them.
std::vector<MetricName> every_metric(Targets targets) {
  std::vector<MetricName> all;
  const auto fits = [&](MetricTargets wanted) {
    return wanted == MetricTargets::any ||
           (wanted == MetricTargets::sparse_labels) == (targets == Targets::sparse_labels);
  };
  for (const Metrics& metric : members<Metrics>())
    std::visit(
        [&](const auto& m) {
          if constexpr (requires { m.targets; })
            if (fits(m.targets)) all.push_back(m);
        },
        metric);
  for (const Losses& loss : members<Losses>())
    if (targets_of(loss) == targets) std::visit([&](const auto& l) { all.push_back(l); }, loss);
  if (targets == Targets::dense)
    all.insert(all.end(), {{"above_nothing", BinaryAccuracy{.threshold = 0}}, {"half", BinaryAccuracy{}}});
  return all;
}

/// What a model learns of a batch of which it is sure, in some rows wrongly: the bits of loss, gradients, and weights
/// after two steps.
struct Learned {
  std::vector<double> numbers;
  Logs trained, evaluated;
};

Learned learn(const Context& context, const Losses& loss, const std::string& activation,
              const std::vector<MetricName>& metrics) {
  Sequential model{Dense(classes, activation)};
  model.compile({.optimizer = SGD{.learning_rate = 0.25},
                 .loss = std::visit([](const auto& l) { return LossName(l); }, loss),
                 .metrics = metrics,
                 .context = context});
  const Tensor x{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0.01, 0.02, 0.005}, {-1, 0.5, 0}};
  model.build({3});
  model.set_weights({Tensor{{100, 0, -30}, {-100, 3, 60}, {20, 100, -100}}, Tensor{0.5, -0.25, 0}});
  const Tensor y = targets_of(loss) == Targets::dense
                       ? Tensor{{0, 1, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 1}}
                       : Tensor(std::vector<std::int32_t>{1, 0, 1, 2, 2});
  Learned learned;
  const Gradients gradients = model.gradients(x, y);
  learned.numbers.push_back(gradients.loss);
  learned.evaluated = model.evaluate(x, y, {.batch_size = batch, .verbose = 0});
  learned.numbers.push_back(learned.evaluated["loss"]);
  learned.trained = model.train_on_batch(x, y);
  learned.numbers.push_back(learned.trained["loss"]);
  learned.numbers.push_back(model.train_on_batch(x, y)["loss"]);
  const TensorList weights = model.get_weights();
  for (const TensorList* tensors : {&gradients.weights, &weights})
    for (const Tensor& tensor : *tensors)
      for (const double value : tensor.values()) learned.numbers.push_back(value);
  return learned;
}

bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

std::string name_of(const Losses& loss) {
  return std::visit(
      [](const auto& l) {
        std::string name = l.name;
        if constexpr (requires { l.from_logits; }) name += l.from_logits ? " of logits" : "";
        return name;
      },
      loss);
}

class EveryMetric : public DeviceTest {
 protected:
  /// All; on a GPU's double, which is slow, those that are computed from logits: what decides on that is the same code.
  static std::vector<Losses> losses() {
    std::vector<Losses> all = every_loss();
    if (!GetParam().is_cpu())
      std::erase_if(all, [](const Losses& loss) {
        return std::visit(
            [](const auto& l) {
              return !requires { l.from_logits; };
            },
            loss);
      });
    return all;
  }
  static std::vector<std::string> activations() {
    if (!GetParam().is_cpu()) return {"softmax", "sigmoid"};
    return {"softmax", "sigmoid", "linear", "log_softmax", "relu"};
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, EveryMetric, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(EveryMetric, Leaves_loss_gradients_and_weights_as_they_are_without_it) {
  const std::size_t together = GetParam().is_cpu() ? 1 : 8;
  for (const Losses& loss : losses()) {
    const std::vector<MetricName> metrics = every_metric(targets_of(loss));
    for (const std::string& activation : activations()) {
      const Learned alone = learn(context(), loss, activation, {});
      for (std::size_t first = 0; first < metrics.size(); first += together) {
        std::vector<MetricName> some;
        for (std::size_t i = first; i < first + together && i < metrics.size(); ++i)
          some.push_back(metrics[i]);
        const Learned watched = learn(context(), loss, activation, some);
        ASSERT_EQ(watched.numbers.size(), alone.numbers.size());
        for (std::size_t i = 0; i < alone.numbers.size(); ++i)
          ASSERT_TRUE(same_bits(watched.numbers[i], alone.numbers[i]))
              << name_of(loss) << " after " << activation << " with " << some.front().name() << ": number "
              << i << " is " << watched.numbers[i] << ", without " << alone.numbers[i];
      }
    }
  }
}

TEST_P(EveryMetric, Says_the_same_while_training_as_in_evaluate_beside_any_loss) {
  for (const Losses& loss : losses()) {
    const std::vector<MetricName> metrics = every_metric(targets_of(loss));
    for (const std::string activation : {"softmax", "sigmoid"}) {
      for (std::size_t first = 0; first < metrics.size(); first += 8) {
        std::vector<MetricName> some;
        for (std::size_t i = first; i < first + 8 && i < metrics.size(); ++i) some.push_back(metrics[i]);
        const Learned learned = learn(context(), loss, activation, some);
        for (const auto& [name, value] : learned.evaluated)
          EXPECT_TRUE(same_bits(learned.trained[name], value))
              << name << " beside " << name_of(loss) << " after " << activation << ": "
              << learned.trained[name] << " and " << value;
      }
    }
  }
}

/// Beside a loss that is computed from logits, metrics of probabilities judge probabilities.
TEST_P(EveryMetric, Of_probabilities_judges_them_whatever_the_loss_is_computed_from) {
  const Tensor x{{0.25, -1, 2}, {-3, 0.5, 0.125}, {1, 1.5, -0.5}}, y{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}};
  for (const std::string activation : {"softmax", "sigmoid"}) {
    for (const double threshold : {0.0, 0.3, 0.5, 1.0}) {
      const auto judged = [&](const LossName& loss, const std::string& last) {
        Sequential m{Dense(3, last)};
        m.compile({.loss = loss,
                   .metrics = {"mean", {"right", BinaryAccuracy{.threshold = threshold}}},
                   .context = context()});
        m.build({3});
        m.set_weights({Tensor{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, Tensor{0, 0, 0}});
        const std::vector<double> p = m(x).values(), targets = y.values();
        double right = 0, sum = 0;
        for (std::size_t i = 0; i < p.size(); ++i) {
          right += (p[i] > threshold ? 1 : 0) == targets[i] ? 1 : 0;
          sum += p[i];
        }
        const Logs logs = m.evaluate(x, y, {.verbose = 0});
        EXPECT_NEAR(logs["mean"], sum / 9, 1e-6) << loss.name() << ' ' << last;
        EXPECT_NEAR(logs["right"], right / 9, 1e-12) << loss.name() << ' ' << last << ' ' << threshold;
      };
      for (const char* loss : {"binary_crossentropy", "categorical_crossentropy", "binary_focal_crossentropy",
                               "categorical_focal_crossentropy", "mse"})
        judged(loss, activation);
    }
  }
}

}  // namespace
}  // namespace glia::test
