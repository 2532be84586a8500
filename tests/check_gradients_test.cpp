// check_gradients: it passes what is right, and finds each mistake that a backward body is likely to have.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/custom_bodies.h"
#include "tests/devices.h"  // CMake looks for it: cases of devices
#include "tests/expect_error.h"

namespace glia::test {
namespace {

using glia::testing::check_gradients;
using glia::testing::GradientCheckOptions;
using glia::testing::GradientReport;

class CheckGradients : public CustomTest {
 protected:
  GradientCheckOptions here() { return {.context = context()}; }
};
INSTANTIATE_TEST_SUITE_P(Devices, CheckGradients, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(CheckGradients, Passes_layers_that_are_right) {
  for (const auto& [layer, shapes] :
       std::vector<std::pair<Layer, std::vector<Shape>>>{{make_layer<OwnDense>(3), {{4}}},
                                                         {make_layer<OwnRelu>(), {{2, 3}}},
                                                         {make_layer<OwnGate>(), {{5}, {5}}},
                                                         {Dense(3, "tanh"), {{4}}},
                                                         {LayerNormalization(), {{6}}},
                                                         {Conv2D(2, 3), {{4, 4, 1}}},
                                                         {Multiply(), {{3}, {3}}}}) {
    const GradientReport report = check_gradients(layer, shapes, here());
    EXPECT_TRUE(report) << report;
    EXPECT_LT(report.error, report.tolerance);
    EXPECT_EQ(report.tolerance, current_device().is_cpu() ? 1e-6 : 5e-3);
  }
}

TEST_P(CheckGradients, Passes_losses_that_are_right) {
  for (const LossName& loss : {LossName(OwnMse()), LossName(OwnCrossentropy()), LossName("mse"),
                               LossName("huber"), LossName(BinaryCrossentropy{.from_logits = true})}) {
    const GradientReport report = check_gradients(loss, {4}, here());
    EXPECT_TRUE(report) << report;
  }
}

/// y = slope x^2 + shift x, each feature with numbers of its own, and mistakes in its gradients.
enum class Mistake { none, sign, factor, missing_term, added_not_written, rows_not_summed };
class CpuSquare : public CustomLayer {
 public:
  explicit CpuSquare(Mistake in_input, Mistake in_variable = Mistake::none)
      : in_input_(in_input), in_variable_(in_variable) {}
  std::string type() const override { return "Square"; }
  std::vector<CustomVariable> variables(const std::vector<Shape>& inputs) const override {
    return {{"slope", {inputs[0].back()}, "ones"}, {"shift", {inputs[0].back()}, "ones"}};
  }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    const auto x = call.input(), slope = call.variable(0), shift = call.variable(1);
    const auto y = call.output();
    for (std::int64_t i = 0, n = slope.size(); i < x.size(); ++i)
      y[i] = slope[i % n] * x[i] * x[i] + shift[i % n] * x[i];
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    const auto x = call.input(), slope = call.variable(0), shift = call.variable(1);
    const auto dy = call.output_gradient();
    const auto dx = call.input_gradient(), dslope = call.variable_gradient(0),
               dshift = call.variable_gradient(1);
    const std::int64_t n = slope.size();
    const T sign = in_input_ == Mistake::sign ? -1 : 1;
    const T two = in_input_ == Mistake::factor ? 1 : 2;
    for (std::int64_t i = 0; i < dx.size(); ++i) {
      const T one = sign * dy[i] *
                    (two * slope[i % n] * x[i] + (in_input_ == Mistake::missing_term ? T(0) : shift[i % n]));
      dx[i] = in_input_ == Mistake::added_not_written ? dx[i] + one : one;
    }
    for (std::int64_t j = 0; j < dslope.size(); ++j) {
      T sum = 0, plain = 0;
      for (std::int64_t i = j; i < x.size(); i += n) sum += dy[i] * x[i] * x[i], plain += dy[i] * x[i];
      if (in_variable_ == Mistake::sign) sum = -sum;
      if (in_variable_ == Mistake::factor) sum *= T(1.1);
      if (in_variable_ == Mistake::missing_term) sum -= dy[j] * x[j] * x[j];
      dslope[j] = in_variable_ == Mistake::added_not_written ? dslope[j] + sum : sum;
      dshift[j] = in_variable_ == Mistake::rows_not_summed ? dy[j] * x[j] : plain;
    }
  }

 private:
  Mistake in_input_, in_variable_;
};
using Square = WithCuda<CpuSquare>;

TEST_P(CheckGradients, Finds_mistakes_in_the_gradient_of_an_input) {
  EXPECT_TRUE(check_gradients(make_layer<Square>(Mistake::none), {{3}}, here()));
  for (const Mistake mistake : {Mistake::sign, Mistake::factor, Mistake::missing_term}) {
    const GradientReport report = check_gradients(make_layer<Square>(mistake), {{3}}, here());
    EXPECT_FALSE(report.ok) << static_cast<int>(mistake) << ' ' << report;
    EXPECT_EQ(report.where, "input 0");
    EXPECT_GT(report.error, 0.05);
    for (const std::size_t variable : {1, 2}) EXPECT_LT(report.gradients[variable].error, report.tolerance);
  }
}

TEST_P(CheckGradients, Finds_mistakes_in_the_gradient_of_a_variable) {
  for (const Mistake mistake : {Mistake::sign, Mistake::factor, Mistake::missing_term,
                                Mistake::added_not_written, Mistake::rows_not_summed}) {
    const GradientReport report = check_gradients(make_layer<Square>(Mistake::none, mistake), {{3}}, here());
    EXPECT_FALSE(report.ok) << static_cast<int>(mistake) << ' ' << report;
    EXPECT_EQ(report.where, mistake == Mistake::rows_not_summed ? "shift" : "slope");
    EXPECT_LT(report.gradients[0].error, report.tolerance);
  }
}

/// The mean of (p - y)^2, but for a factor.
class CpuScaledMse : public CpuMse {
 public:
  explicit CpuScaledMse(double factor) : factor_(factor) {}
  template <class T>
  void loss(const CpuLoss<T>& call) const {
    CpuMse::loss(call);
    for (T& one : call.gradient()) one *= static_cast<T>(factor_);
  }

 private:
  double factor_;
};

TEST_P(CheckGradients, Finds_mistakes_in_the_gradient_of_a_loss) {
  EXPECT_TRUE(check_gradients(LossWithCuda<CpuScaledMse>(1), {4}, here()));
  for (const double factor : {3.0, -1.0, 1.02}) {  // 3: of the sum over the rows
    const GradientReport report = check_gradients(LossWithCuda<CpuScaledMse>(factor), {4}, here());
    EXPECT_FALSE(report.ok) << report;
    EXPECT_EQ(report.where, "predictions");
  }
}

TEST(CheckGradientsReport, Says_where_it_is_wrong_and_by_how_much) {
  std::ostringstream out;
  out << check_gradients(make_layer<CpuSquare>(Mistake::sign), {{3}});
  for (const char* part :
       {"gradients of layer Square on cpu in float64 are WRONG", "in input 0, tolerance 1e-06",
        "\n  input 0 (3, 3): ", ", got ", ", differences give ", "\n  slope (3,): "})
    EXPECT_NE(out.str().find(part), std::string::npos) << part << " in\n" << out.str();
  const GradientReport right = check_gradients(make_layer<CpuSquare>(Mistake::none), {{3}});
  EXPECT_NE(right.text().find("are right"), std::string::npos);
  EXPECT_EQ(right.gradients.size(), 3u);
  EXPECT_EQ(right.gradients[0].shape, (Shape{3, 3}));
}

/// float32 alone, with a kink where many inputs lie.
class Clipped : public CustomLayer {
 public:
  std::string type() const override { return "Clipped"; }
  void forward(const CpuForward<float>& call) const {
    for (std::int64_t i = 0; i < call.output().size(); ++i) call.output()[i] = std::abs(call.input()[i]) * 3;
  }
  void backward(const CpuBackward<float>& call) const {
    for (std::int64_t i = 0; i < call.input_gradient().size(); ++i)
      call.input_gradient()[i] = call.output_gradient()[i] * (call.input()[i] < 0 ? -3.f : 3.f);
  }
};

TEST(CheckGradientsReport, Takes_float32_where_a_layer_has_no_other_and_leaves_kinks_out) {
  const GradientReport report =
      check_gradients(make_layer<Clipped>(), {{40}}, {.batch = 2, .low = -0.1, .high = 0.1});
  EXPECT_TRUE(report) << report;
  EXPECT_NE(report.what.find("float32"), std::string::npos);
  EXPECT_GT(report.gradients[0].skipped, 0);
  EXPECT_LT(report.gradients[0].skipped, 20);
  // Where hardly any element is far enough from the kink, nothing can be said for it.
  EXPECT_FALSE(check_gradients(make_layer<Clipped>(), {{40}}, {.batch = 2, .low = -0.005, .high = 0.005}));
}

TEST(CheckGradientsReport, Leaves_the_layer_alone) {
  Layer dense = make_layer<CpuDense>({.name = "mine"}, 3);
  Sequential model{dense};
  model.compile({.device = "cpu"});
  model.build({4});
  const TensorList before = model.get_weights();
  EXPECT_TRUE(check_gradients(dense, {{6}}));  // rows of another size
  EXPECT_TRUE(array_equal(model.get_weights()[0], before[0]));
  EXPECT_EQ(dense.name(), "mine");
  EXPECT_EQ(model.predict(Tensor::ones({2, 4})).shape(), (Shape{2, 3}));
}

TEST(CheckGradientsReport, Refuses_what_cannot_be_checked) {
  const Layer layer = make_layer<CpuRelu>();
  expect_error<ValueError>([&] { check_gradients(layer, {}); }, {"no input shapes"});
  expect_error<ValueError>([&] { check_gradients(layer, {{3}}, {.batch = 0}); }, {"batch of 0"});
  expect_error<ValueError>([&] { check_gradients(layer, {{3}}, {.low = 1, .high = 1}); },
                           {"between 1 and 1"});
  expect_error<ValueError>([&] { check_gradients(layer, {{3}}, {.step = -1}); }, {"step of -1"});
  expect_error<ValueError>([&] { check_gradients(layer, {{3}}, {.dtype = DType::int32}); }, {"int32"});
  expect_error<ShapeError>([&] { check_gradients(make_layer<CpuGate>(), {{3}}); }, {"two inputs"});
  expect_error<DeviceError>([&] { check_gradients(make_layer<Clipped>(), {{3}}, {.dtype = DType::float64}); },
                            {"Clipped", "no forward body for cpu in float64"});
}

}  // namespace
}  // namespace glia::test
