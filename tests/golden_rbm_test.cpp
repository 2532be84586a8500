// Restricted Boltzmann machines against scikit-learn's BernoulliRBM: updates with the same draws, and learning on its digits.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/golden.h"

namespace glia {
namespace {

const test::Golden& golden() {
  static const test::Golden values("scikit_learn.safetensors");
  return values;
}

class GoldenRbm : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, GoldenRbm, ::testing::ValuesIn(test::test_devices()), test::device_name);

/// Its chains are as many as its batch has rows, and go on from batch to batch.
TEST_P(GoldenRbm, Updates_are_scikit_learns) {
  const Tensor& x = golden()["updates/x"];
  const std::vector<Tensor> before = golden().list("updates/before"), after = golden().list("updates/after");
  Rbm rbm(
      before[0].shape()[0], before[0].shape()[1],
      {.persistent_chains = 10, .optimizer = SGD{.learning_rate = 0.1}, .seed = 11, .context = context()});
  rbm.set_weights(before);
  const Tensor rows = x.cast(DType::float32);
  rbm.fit(rows, {.batch_size = 10, .verbose = 0, .shuffle = false});
  const TensorList weights = rbm.get_weights();
  for (std::size_t k = 0; k < 3; ++k)
    EXPECT_TRUE(test::close(weights[k].values(), after[k].values(), after[k].shape(), {.absolute = 1e-6}))
        << k;
  const Tensor means = rbm.transform(rows), energies = rbm.free_energy(rows);
  EXPECT_TRUE(test::close(means.values(), golden()["updates/transformed"].values(), means.shape(),
                          {.absolute = 1e-6}));
  EXPECT_TRUE(test::close(energies.values(), golden()["updates/free_energy"].values(), energies.shape(),
                          {.relative = 1e-6}));
}

/// The mean over rows of the sum over i of log p(x_i | the others), every unit being flipped in turn.
double pseudo_likelihood(Rbm& rbm, const Tensor& x) {
  const PredictOptions options{.batch_size = 1024, .verbose = 0};
  const Tensor energies = rbm.free_energy(x, options);
  double sum = 0;
  for (std::int64_t i = 0; i < x.shape()[1]; ++i) {
    Tensor flipped = x.clone();
    for (float* at = flipped.data<float>() + i; at < flipped.data<float>() + x.size(); at += x.shape()[1])
      *at = 1 - *at;
    const Tensor others = rbm.free_energy(flipped, options);
    const std::vector<double> higher = (energies - others).values();
    for (const double value : higher) sum -= std::log1p(std::exp(value));
  }
  return sum / static_cast<double>(x.rows());
}

/// On the CPU alone: updates are the same on every device, and this takes thousands.
TEST(GoldenDigits, Are_learned_as_scikit_learn_does) {
  const Context context({.device = "cpu"});
  const Tensor images = golden()["digits/images"].cast(DType::float32) / 16.0;
  const Tensor& expected = golden()["digits/pseudo_likelihood"];  // of a seed each
  double likelihood = 0;
  for (std::int64_t seed = 0; seed < expected.size(); ++seed) {
    Rbm rbm(64, 64,
            {.persistent_chains = 10,
             .optimizer = SGD{.learning_rate = 0.05},
             .seed = static_cast<std::uint64_t>(seed),
             .context = context});
    rbm.fit(images, {.epochs = 10, .batch_size = 10, .verbose = 0, .shuffle = false});  // as scikit-learn
    likelihood += pseudo_likelihood(rbm, images) / static_cast<double>(expected.size());
  }
  RecordProperty("glia", std::to_string(likelihood));
  EXPECT_NEAR(likelihood, expected.mean(), 0.02 * std::fabs(expected.mean()));
}

}  // namespace
}  // namespace glia
