// The kernels of a training step touch hardly more sectors of memory than their bytes need, as the watched double counts them.
// docs/kernels.md says what is counted.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <iomanip>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/double_controls.h"
#include "tests/step_traffic.h"

namespace glia::test {
namespace {

using cuda_double::Traffic;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Times the least that a launch may touch. Every kernel of the steps is held to it, whatever its name, but:
constexpr double most = 1.3;
struct Exception {
  std::string_view kernel;  ///< how its name begins
  double most;
  const char* why;
};
constexpr std::initializer_list<Exception> exceptions = {};

/// Waits for memory of the warp that does most: with so many a launch takes some 30 us, whatever it moves.
constexpr std::int64_t longest_chain = 128;

/// Launches that need fewer sectors are not judged: four times as many would pass in a tenth of the time that any launch takes,
/// and edges of rows make much of their ratio.
constexpr std::int64_t fewest_sectors = 4096;

double most_of(const Traffic& launch) {
  for (const Exception& exception : exceptions)
    if (launch.kernel.starts_with(exception.kernel)) return exception.most;
  return most;
}

class CudaTrafficOnTheDouble : public DoubleTest {
 protected:
  /// What is wrong, and the kernels that were judged by what they touch.
  struct Verdict {
    std::set<std::string> told, kernels;
  };
  static Verdict judge(const std::vector<Traffic>& launches) {
    Verdict verdict;
    for (const Traffic& launch : launches) {
      std::ostringstream line;
      line << launch.kernel << ", " << launch.blocks << " x " << launch.threads;
      if (launch.longest_chain > longest_chain)
        verdict.told.insert(line.str() + ", waits " + std::to_string(launch.longest_chain) + " times");
      if (launch.least_sectors < fewest_sectors) continue;
      verdict.kernels.insert(launch.kernel);
      const double ratio = static_cast<double>(launch.sectors) / static_cast<double>(launch.least_sectors);
      line << ", touches " << launch.sectors << " sectors, " << std::setprecision(3) << ratio
           << " times the least";
      if (ratio > most_of(launch)) verdict.told.insert(line.str());
    }
    return verdict;
  }
  Verdict judge_step(const std::string& name, std::int64_t batch) {
    for (const Network& network : networks())
      if (network.name == name) return judge(traffic_of_step(network, batch, controls()));
    return {{"no network " + name}, {}};
  }
};

TEST_P(CudaTrafficOnTheDouble, Of_the_dense_network_is_near_the_least) {
  controls().settings().seed = 3;
  const Verdict verdict = judge_step("mlp", 32);
  EXPECT_THAT(verdict.told, IsEmpty());
  EXPECT_GE(verdict.kernels.size(), 2u);  // batches and weights
}

TEST_P(CudaTrafficOnTheDouble, Of_the_convolutional_network_is_near_the_least) {
  controls().settings().seed = 3;
  const Verdict verdict = judge_step("cnn", 16);
  EXPECT_THAT(verdict.told, IsEmpty());
  EXPECT_GE(verdict.kernels.size(), 5u);  // bias, its gradient, pools, their gradients, weights
}

TEST_P(CudaTrafficOnTheDouble, Of_the_residual_network_is_near_the_least) {
  controls().settings().seed = 3;
  const Verdict verdict = judge_step("resnet", 8);
  EXPECT_THAT(verdict.told, IsEmpty());
  EXPECT_GE(verdict.kernels.size(), 8u);
}

TEST_P(CudaTrafficOnTheDouble, Inference_of_the_dense_network_for_few_rows_is_two_kernels) {
  controls().settings().seed = 3;
  for (const std::int64_t batch : {1, 8}) {
    std::vector<Traffic> launches = traffic_of_inference(networks()[0], batch, controls());
    std::erase_if(launches, [](const Traffic& launch) { return launch.kernel == "BeginKernel"; });
    ASSERT_EQ(launches.size(), 2u) << batch;
    for (const Traffic& launch : launches) EXPECT_EQ(launch.kernel, "FewRowsKernel<float>");
    const Verdict verdict = judge(launches);
    EXPECT_THAT(verdict.told, IsEmpty());
    EXPECT_EQ(verdict.kernels.size(), 1u);  // the first layer's, whose weights are many
    // Each row reads the weights, by whole sectors, and x in each block; a thread waits for them once, and for its source.
    const std::int64_t weights = 784 * 128 * 4 / 32;
    EXPECT_LE(launches[0].sectors, weights * batch * 5 / 4);
    EXPECT_GE(launches[0].blocks, 16u);
    EXPECT_LE(launches[0].longest_chain, 4);
    EXPECT_EQ(launches[1].blocks, 1u);
    EXPECT_LE(launches[1].longest_chain, 8);
  }
}

TEST_P(CudaTrafficOnTheDouble, Far_from_the_least_is_told_of_launches_that_matter) {
  EXPECT_FALSE(controls().settings().counts_traffic);
  const auto launch = [](std::int64_t sectors, std::int64_t least) {
    Traffic result;
    result.kernel = "SomeKernel<float>", result.blocks = 7, result.threads = 256;
    result.sectors = sectors, result.least_sectors = least;
    return result;
  };
  EXPECT_THAT(judge({launch(13000, 10000), launch(40000, fewest_sectors - 1)}).told, IsEmpty());
  EXPECT_THAT(judge({launch(20000, 10000), launch(9000, 9000)}).told,
              ElementsAre("SomeKernel<float>, 7 x 256, touches 20000 sectors, 2 times the least"));
  Traffic chain = launch(8, 8);
  chain.longest_chain = longest_chain + 1;
  EXPECT_THAT(judge({chain}).told, ElementsAre("SomeKernel<float>, 7 x 256, waits 129 times"));
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaTrafficOnTheDouble, only_cuda(), device_name);

}  // namespace
}  // namespace glia::test
