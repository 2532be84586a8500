// Focal losses of rows that are sure, rightly or wrongly: values and gradients against the definition in long double,
// of logits as of the sigmoid and softmax before the loss, with which they are one.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/devices.h"

namespace glia::test {
namespace {

using Wide = long double;

/// log(1 + e^x).
Wide softplus(Wide x) { return std::max<Wide>(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

struct Slope {
  Wide loss = 0;
  std::vector<Wide> gradient;
};

/// Of one output with logit z: the sum of y's and 1 - y's halves, p_t as Keras has it.
Slope binary(Wide z, Wide y, Wide gamma) {
  const Wide log_p = -softplus(-z), log_q = -softplus(z), p = std::exp(log_p), q = std::exp(log_q);
  const Wide entropy = -(y == 0 ? 0 : y * log_p) - (y == 1 ? 0 : (1 - y) * log_q);
  const Wide missed = y * q + (1 - y) * p;
  const Wide focus = std::pow(missed, gamma);
  const Wide by_missed =
      gamma == 0 || missed == 0 ? 0 : gamma * std::pow(missed, gamma - 1) * (1 - 2 * y) * p * q;
  const Wide error = y == 1 ? -q : y == 0 ? p : p - y;
  return {focus * entropy, {by_missed * entropy + focus * error}};
}

/// Of a row of logits: -sum y (1 - q)^gamma log q.
Slope categorical(const std::vector<Wide>& z, const std::vector<Wide>& y, Wide gamma) {
  const std::size_t n = z.size();
  const Wide greatest = *std::max_element(z.begin(), z.end());
  std::vector<Wide> q(n), log_q(n), missed(n), by_log(n);
  for (std::size_t c = 0; c < n; ++c) {
    Wide others = 0, all = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const Wide e = std::exp(z[i] - greatest);
      all += e;
      if (i != c) others += e;
    }
    q[c] = std::exp(z[c] - greatest) / all, missed[c] = others / all;
    log_q[c] = q[c] > 0.5 ? std::log1p(-missed[c]) : (z[c] - greatest) - std::log(all);
  }
  Slope slope;
  for (std::size_t c = 0; c < n; ++c) {
    const Wide focus = std::pow(missed[c], gamma);
    slope.loss -= y[c] == 0 ? 0 : y[c] * focus * log_q[c];
    const Wide less =
        gamma == 0 || missed[c] == 0 ? 0 : gamma * std::pow(missed[c], gamma - 1) * q[c] * log_q[c];
    by_log[c] = y[c] * (less - focus);
  }
  for (std::size_t j = 0; j < n; ++j) {
    Wide sum = by_log[j] * missed[j];
    for (std::size_t c = 0; c < n; ++c)
      if (c != j) sum -= by_log[c] * q[j];
    slope.gradient.push_back(sum);
  }
  return slope;
}

class Focal : public OnDevice, public ::testing::WithParamInterface<Run> {
 protected:
  void SetUp() override { start(GetParam().device); }

  /// A model whose logits are its bias: its gradient is that of the logits, of a batch of one row.
  Sequential of_logits(const LossName& loss, const std::string& activation, const std::vector<double>& z) {
    Sequential model{Dense(static_cast<std::int64_t>(z.size()), activation)};
    model.set_dtype(GetParam().dtype);
    model.compile({.loss = loss, .context = context()});
    model.build({1});
    model.set_weights({Tensor::zeros({1, static_cast<std::int64_t>(z.size())}, GetParam().dtype),
                       Tensor(z).cast(GetParam().dtype)});
    return model;
  }
  void expect_slope(const LossName& loss, const std::string& activation, const std::vector<double>& z,
                    const std::vector<double>& y, const Slope& expected) {
    SCOPED_TRACE(
        detail::concat(loss.name(), " after ", activation, " of ", Tensor(z), " against ", Tensor(y)));
    Sequential model = of_logits(loss, activation, z);
    const Tensor x = Tensor::ones({1, 1}, GetParam().dtype);
    const Gradients got = model.gradients(
        x, Tensor(y).reshape({1, static_cast<std::int64_t>(y.size())}).cast(GetParam().dtype));
    const bool wide = GetParam().dtype == DType::float64;
    const double relative = wide ? 1e-11 : 1e-5, absolute = wide ? 1e-280 : 1e-30;
    const auto expect_near = [&](double number, Wide wanted, const char* what) {
      EXPECT_NEAR(number, static_cast<double>(wanted),
                  relative * std::fabs(static_cast<double>(wanted)) + absolute)
          << what;
    };
    expect_near(got.loss, expected.loss, "loss");
    const std::vector<double> gradient = got.weights.back().values();
    for (std::size_t i = 0; i < gradient.size(); ++i)
      expect_near(gradient[i], expected.gradient[i], "gradient");
  }
};
INSTANTIATE_TEST_SUITE_P(Runs, Focal, ::testing::ValuesIn(test_runs()),
                         [](const auto& info) { return detail::concat(info.param); });

constexpr double gammas[] = {0, 0.1, 0.5, 1, 1.5, 2, 5};

TEST_P(Focal, Of_one_output_learns_from_every_row_however_sure) {
  for (const double gamma : gammas)
    for (const double z : {-1e4, -200.0, -60.0, -18.0, -3.0, -0.1, 0.0, 0.1, 3.0, 18.0, 60.0, 200.0, 1e4})
      for (const double y : {0.0, 1.0, 0.25}) {
        if (y == 0.25 && std::fabs(z) > 10) continue;  // what cancels there is not this test's
        const Slope expected = binary(z, y, gamma);
        expect_slope(BinaryFocalCrossentropy{.gamma = gamma}, "sigmoid", {z}, {y}, expected);
        expect_slope(BinaryFocalCrossentropy{.gamma = gamma, .from_logits = true}, "linear", {z}, {y},
                     expected);
      }
}

TEST_P(Focal, Of_classes_learns_from_every_row_however_sure) {
  for (const double gamma : gammas)
    for (const double z : {-1e4, -200.0, -40.0, -12.0, -2.0, 0.0, 2.0, 12.0, 40.0, 200.0, 1e4})
      for (const std::vector<double>& y : {std::vector<double>{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}) {
        const std::vector<double> logits{z, 0.5, -0.25};
        const Slope expected = categorical({z, 0.5L, -0.25L}, {y[0], y[1], y[2]}, gamma);
        expect_slope(CategoricalFocalCrossentropy{.alpha = 1, .gamma = gamma}, "softmax", logits, y,
                     expected);
        expect_slope(CategoricalFocalCrossentropy{.alpha = 1, .gamma = gamma, .from_logits = true}, "linear",
                     logits, y, expected);
      }
}

/// Probabilities that are 0 and 1, where no logits are known: Keras's clipping, but numbers.
TEST_P(Focal, Of_probabilities_that_are_0_or_1_is_a_number) {
  for (const double gamma : gammas)
    for (const bool right : {true, false})
      for (const double smoothing : {0.0, 0.2}) {
        const std::vector<double> p{1, 0, 0}, y = right ? p : std::vector<double>{0, 1, 0};
        for (const LossName& loss :
             {LossName(BinaryFocalCrossentropy{.gamma = gamma, .label_smoothing = smoothing}),
              LossName(CategoricalFocalCrossentropy{.gamma = gamma, .label_smoothing = smoothing})}) {
          Sequential model = of_logits(loss, "linear", p);
          const Gradients got = model.gradients(Tensor::ones({1, 1}, GetParam().dtype),
                                                Tensor(y).reshape({1, 3}).cast(GetParam().dtype));
          EXPECT_TRUE(std::isfinite(got.loss)) << loss.name() << ' ' << gamma;
          EXPECT_GE(got.loss, 0) << loss.name() << ' ' << gamma;
          for (const double value : got.weights.back().values())
            EXPECT_TRUE(std::isfinite(value)) << loss.name() << ' ' << gamma;
        }
      }
}

}  // namespace
}  // namespace glia::test
