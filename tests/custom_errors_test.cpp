// What layers and losses of an application's own are refused for, and what is said.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/custom_bodies.h"
#include "tests/devices.h"  // CMake looks for it: cases of devices
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class CustomErrors : public CustomTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CustomErrors, ::testing::ValuesIn(test_devices()), device_name);

/// Without a body for the other device.
struct CudaOnly : CustomLayer {
  std::string type() const override { return "CudaOnly"; }
  void forward(const CudaForward&) const {}
  void backward(const CudaBackward&) const {}
};
struct CudaLossOnly : CustomLoss {
  std::string type() const override { return "cuda_loss"; }
  void loss(const CudaLoss&) const {}
};

TEST_P(CustomErrors, A_device_without_a_body_is_refused_at_build_and_at_compile) {
  const bool cpu = current_device().is_cpu();
  const auto lacking = [&](const std::string& name) {
    return cpu ? make_layer<CudaOnly>({.name = name, .input_shape = {3}})
               : make_layer<CpuRelu>({.name = name, .input_shape = {3}});
  };
  const std::vector<std::string> words{cpu ? "layer \"it\" (CudaOnly)" : "layer \"it\" (OwnRelu)",
                                       "has no forward body for " + current_device().name(), "float32",
                                       cpu ? "glia::CpuForward<float>" : "glia::CudaForward"};
  Sequential model{lacking("it"), Dense(2)};
  model.compile({.loss = "mse", .device = current_device()});
  expect_error<DeviceError>([&] { model.build({3}); }, words);
  EXPECT_FALSE(model.built());

  const LossName loss = cpu ? LossName(CudaLossOnly()) : LossName(CpuMse());
  Sequential plain{Dense(2, {.input_dim = 3})};
  plain.compile({.loss = "mse", .device = current_device()});
  plain.build({3});
  expect_error<DeviceError>([&] { plain.compile({.loss = loss, .device = current_device()}); },
                            {cpu ? "loss cuda_loss" : "loss own_mse", "has no loss body for"});
  EXPECT_EQ(plain.predict(Tensor::ones({2, 3})).shape(), (Shape{2, 2}));  // as it was
}

/// Predicts, and cannot be trained.
struct CpuForwardOnly : CustomLayer {
  std::string type() const override { return "ForwardOnly"; }
  std::vector<CustomVariable> variables(const std::vector<Shape>&) const override {
    return {{"factor", {1}, Constant{2}}};
  }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    for (std::int64_t i = 0; i < call.output().size(); ++i)
      call.output()[i] = call.input()[i] * call.variable()[0];
  }
};
struct ForwardOnly : CpuForwardOnly {
  using CpuForwardOnly::forward;
  void forward(const CudaForward& call) const { run_on_host(call.raw()); }
};

TEST_P(CustomErrors, A_layer_without_a_backward_body_predicts_and_does_not_train) {
  Sequential model{make_layer<ForwardOnly>({.name = "only"}), Dense(2)};
  model.compile({.loss = "mse", .device = current_device()});
  const Tensor x = Tensor::ones({4, 3}), y = Tensor::zeros({4, 2});
  EXPECT_EQ(model.predict(x).shape(), (Shape{4, 2}));
  expect_error<DeviceError>([&] { model.fit(x, y, {.verbose = 0}); },
                            {"layer \"only\" (ForwardOnly)", "has no backward body for"});
  EXPECT_EQ(model.predict(x).shape(), (Shape{4, 2}));
  model.layer("only").set_trainable(false);
  model.compile({.loss = "mse", .device = current_device()});
  model.fit(x, y, {.verbose = 0});  // nothing asks for its gradients now

  Sequential behind{Dense(2), make_layer<ForwardOnly>()};
  behind.compile({.loss = "mse", .device = current_device()});
  expect_error<ShapeError>([&] { behind.build({3}); }, {"has no gradient for its input"});
}

/// What a test makes it be.
struct Odd : CpuRelu {
  std::vector<Shape> outputs{{3}};
  std::vector<CustomVariable> weights;
  std::vector<Shape> output_shapes(const std::vector<Shape>&) const override { return outputs; }
  std::vector<CustomVariable> variables(const std::vector<Shape>&) const override { return weights; }
};
Layer odd(const std::vector<Shape>& outputs, const std::vector<CustomVariable>& weights) {
  Odd one;
  one.outputs = outputs, one.weights = weights;
  return make_layer<Odd>({.name = "odd"}, one);
}

TEST(CustomLayerErrors, Shapes_and_variables_that_cannot_be_are_refused) {
  const auto on_cpu = [](const Layer& layer) {
    Sequential model{layer};
    model.compile({.device = "cpu"});
    return model;
  };
  const auto refuse = [&](const Layer& layer) { return [&on_cpu, layer] { on_cpu(layer).build({3}); }; };
  expect_error<ShapeError>(refuse(odd({}, {})), {"\"odd\" (OwnRelu)", "no outputs"});
  expect_error<ShapeError>(refuse(odd({{3, 0}}, {})), {"an output whose rows have shape (3, 0)"});
  expect_error<ShapeError>(refuse(odd({{3}}, {{"w", {0}}})), {"a variable of shape (0"});
  expect_error<ValueError>(refuse(odd({{3}}, {{"", {1}}})), {"a variable named \"\""});
  expect_error<ValueError>(refuse(odd({{3}}, {{"a/b", {1}}})), {"a variable named \"a/b\""});
  expect_error<ValueError>(refuse(odd({{3}}, {{"w", {1}, "ones"}, {"w", {1}, "ones"}})), {"named \"w\""});
  expect_error<ValueError>(refuse(odd({{3}}, {{"w", {1}, RandomNormal{0, -1}}})), {"stddev"});
  std::vector<CustomVariable> many;
  for (int i = 0; i < 30; ++i) many.push_back({"w" + std::to_string(i), {1}, "ones"});
  Sequential model = on_cpu(odd({{3}}, many));
  expect_error<ValueError>([&] { model.predict(Tensor::ones({1, 3})); }, {"more than 24 tensors"});
}

struct Nameless : CpuRelu {
  std::string type() const override { return ""; }
};
struct Bodiless : CustomLayer {
  std::string type() const override { return "Bodiless"; }
  void forward(const CpuForward<float>&) {}  // not const, so it is none
};
struct BodilessLoss : CustomLoss {
  std::string type() const override { return "bodiless"; }
};
/// In float32 alone, and not to be copied.
struct Single : CustomLayer {
  Single() = default;
  Single(const Single&) = delete;
  std::string type() const override { return "Single"; }
  void forward(const CpuForward<float>& call) const { call.input(1); }
  void backward(const CpuBackward<float>&) const {}
};

TEST(CustomLayerErrors, Classes_that_lack_something_are_refused) {
  expect_error<ValueError>([] { make_layer<Nameless>(); }, {"an empty type()"});
  expect_error<ValueError>([] { make_layer<Bodiless>(); }, {"Bodiless has no forward body", "const"});
  expect_error<ValueError>([] { LossName{BodilessLoss()}; }, {"loss bodiless has no body", "const"});
  expect_error<ShapeError>([] { make_layer<CpuRelu>({.input_shape = {0}}); }, {"OwnRelu got input_shape"});
  Sequential model{make_layer<Single>({.name = "single"})};
  expect_error<StateError>([&] { clone_model(model); }, {"\"single\" (Single)", "no copy constructor"});
  model.set_dtype(DType::float64);
  model.compile({.device = "cpu"});
  expect_error<DeviceError>([&] { model.build({3}); }, {"float64", "glia::CpuForward<double>"});
}

TEST(CustomLayerErrors, A_body_that_asks_for_what_is_not_there_is_told) {
  Sequential model{make_layer<Single>({.name = "single"})};
  model.compile({.device = "cpu"});
  expect_error<ValueError>(
      [&] {
        model.predict(Tensor::ones({1, 3}));
      },
      {"layer \"single\" (Single) asked for input 1, it has 1, numbered from 0"});
}

}  // namespace
}  // namespace glia::test
