// A GPU that is lost to an error: told once, then at once by every call, without another word to CUDA; the other GPU goes on.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/double_controls.h"
#include "tests/three_classes.h"

namespace glia {
namespace {

using test::classifier;
using test::losses;
using test::three_classes;
using ::testing::HasSubstr;
using ::testing::Not;

class CudaLostOnTheDouble : public test::DoubleTest {
 protected:
  void SetUp() override {
    test::DoubleTest::SetUp();
    if (!IsSkipped()) controls().settings().devices = 2;
  }

  static std::string told(const std::function<void()>& call) {
    try {
      call();
    } catch (const DeviceError& error) {
      return error.what();
    } catch (const std::exception& error) {
      return std::string("not a DeviceError: ") + error.what();
    }
    return "nothing";
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaLostOnTheDouble, test::only_cuda(), test::device_name);

const FitOptions one_epoch{.epochs = 1, .batch_size = 16, .verbose = 0};

TEST_P(CudaLostOnTheDouble, Is_told_in_full_once_and_then_by_every_call_without_another_to_CUDA) {
  struct Loss {
    const char* name;
    std::function<void()> plant;
  };
  const Loss all[] = {
      {"a kernel", [&] { controls().fail_launch(5, cudaErrorIllegalAddress); }},
      {"a launch", [&] { controls().fail("cudaGraphLaunch", 1, cudaErrorIllegalAddress, true); }},
      {"a wait", [&] { controls().fail("cudaEventSynchronize", 2, cudaErrorIllegalAddress, true); }},
      {"a product's trial", [&] { controls().fail("cublasLtMatmul", 1, cudaErrorIllegalAddress, true); }},
      {"cuBLASLt", [&] { controls().fail("cublasLtMatmulDescCreate", 1, cudaErrorIllegalAddress, true); }}};
  for (const Loss& loss : all) {
    SCOPED_TRACE(loss.name);
    controls().reset();
    controls().settings().devices = 2;
    const Context on({.device = "cuda:0"});
    Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(8, "relu"), Dense(3, "softmax")};
    model.compile({.loss = "sparse_categorical_crossentropy", .context = on});
    const Dataset data = three_classes(70);
    const Tensor there = data.x.to(on);
    loss.plant();
    const std::string first = told([&] { model.fit(data, one_epoch); });
    EXPECT_THAT(first, HasSubstr("failed: cudaErrorIllegalAddress"));
    EXPECT_THAT(first, HasSubstr("end the process"));
    controls().clear_calls();
    const std::pair<const char*, std::function<void()>> later[] = {
        {"fit", [&] { model.fit(data, one_epoch); }},
        {"predict", [&] { model.predict(data.x, {.verbose = 0}); }},
        {"evaluate", [&] { model.evaluate(data, {.verbose = 0}); }},
        {"get_weights", [&] { model.get_weights(); }},
        {"to_cpu", [&] { there.to("cpu"); }},
        {"to", [&] { data.x.to(on); }},
        {"trim", [&] { on.trim(); }},
        {"memory", [&] { on.memory(); }},
        {"versions", [&] { on.versions(); }},
        {"another context", [] { Context({.device = "cuda:0"}); }},
        {"another model", [&] { losses(*std::make_unique<Sequential>(classifier()), one_epoch); }}};
    for (const auto& [name, call] : later) {
      const std::string words = told(call);
      EXPECT_THAT(words, HasSubstr("GPU 0 was lost to an earlier error, cudaErrorIllegalAddress")) << name;
      EXPECT_THAT(words, HasSubstr("start again")) << name;
    }
    EXPECT_EQ(Device::automatic(), Device::cpu());
    EXPECT_THAT(device_report(), HasSubstr("was lost"));
    EXPECT_THAT(controls().calls(), ::testing::IsEmpty());
  }
}

TEST_P(CudaLostOnTheDouble, The_other_device_goes_on) {
  Sequential plain = classifier(Device::cuda(1));
  const std::vector<double> wanted = losses(plain, {.epochs = 2, .batch_size = 16, .verbose = 0});
  Sequential doomed = classifier(Device::cuda(0)), other = classifier(Device::cuda(1));
  losses(doomed, one_epoch);
  std::vector<double> got = losses(other, one_epoch);
  controls().fail("cudaGraphLaunch", 1, cudaErrorLaunchFailure, true);
  EXPECT_THAT(told([&] { losses(doomed, one_epoch); }), HasSubstr("cudaErrorLaunchFailure"));
  EXPECT_THAT(told([&] { losses(doomed, one_epoch); }), HasSubstr("was lost"));
  const std::vector<double> rest = losses(other, one_epoch);
  got.insert(got.end(), rest.begin(), rest.end());
  EXPECT_EQ(got, wanted);
  Sequential another = classifier(Device::cuda(1));  // a new one starts
  EXPECT_EQ(losses(another, {.epochs = 2, .batch_size = 16, .verbose = 0}), wanted);
  EXPECT_THAT(told([] { Context({.device = "cuda:0"}); }), HasSubstr("was lost"));
}

TEST_P(CudaLostOnTheDouble, Errors_that_pass_lose_nothing) {
  Sequential model = classifier();
  controls().fail("cudaGraphLaunch", 1, cudaErrorInvalidValue);
  EXPECT_THAT(told([&] { losses(model, one_epoch); }), Not(HasSubstr("end the process")));
  EXPECT_NO_THROW(losses(model, one_epoch));
}

}  // namespace
}  // namespace glia
