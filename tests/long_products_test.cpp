// Products over long k: with all that a Dense layer does on the way, they are those of float64.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/devices.h"

namespace glia::test {
namespace {

class LongProducts : public DeviceTest {
 protected:
  struct Numbers {
    std::vector<std::vector<double>> all;  ///< outputs, and the gradients of each weight
    std::string plan;
  };
  /// Of a network of one hidden layer whose numbers lie beside 1, so that sums are long ones of equal signs.
  Numbers numbers(DType dtype, std::int64_t rows, int features, int units, const std::string& activation) {
    Sequential model{Input({features}), Dense(units, activation), Dense(2)};
    model.set_dtype(dtype);
    model.compile({.loss = "mse", .context = context()});
    std::vector<double> x(static_cast<std::size_t>(rows * features)),
        w(static_cast<std::size_t>(features * units));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.7 + static_cast<double>(i * 7 % 11) / 64;
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = (1 + static_cast<double>(i % 5) / 16) / features;
    std::vector<Tensor> weights;
    weights.push_back(Tensor(w, {features, units}));
    weights.push_back(Tensor::full({units}, 0.125));
    weights.push_back(Tensor::full({units, 2}, 0.5));
    weights.push_back(Tensor::full({2}, 0.25));
    for (Tensor& weight : weights) weight = weight.cast(dtype);
    model.set_weights(weights);
    const Tensor in = Tensor(x, {rows, features}).cast(dtype), y = Tensor::full({rows, 2}, -1.0).cast(dtype);
    Numbers result;
    result.all.push_back(model(in).values());
    for (const Tensor& gradient : model.gradients(in, y).weights) result.all.push_back(gradient.values());
    result.plan = model.program(Mode::train, rows).explain();
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, LongProducts, ::testing::ValuesIn(test_devices()), device_name);

// The gradients of weights are cut into blocks on the CPU, of which the last are smaller.
TEST_P(LongProducts, In_blocks_leave_nothing_out) {
  struct Case {
    std::int64_t rows;
    int features, units;
  };
  std::vector<Case> cases{{700, 130, 70}, {512, 63, 129}, {600, 1, 65}, {511, 65, 64}};
  if (GetParam().is_cpu()) cases.push_back({513, 600, 520});  // more than 64 blocks of 64 by 64
  for (const Case& c : cases) {
    const Numbers narrow = numbers(DType::float32, c.rows, c.features, c.units, "tanh");
    const Numbers wide = numbers(DType::float64, c.rows, c.features, c.units, "tanh");
    for (std::size_t i = 0; i < wide.all.size(); ++i)
      for (std::size_t j = 0; j < wide.all[i].size(); ++j)
        ASSERT_NEAR(narrow.all[i][j], wide.all[i][j], 3e-5 * std::fabs(wide.all[i][j]))
            << c.rows << " rows of " << c.features << " to " << c.units << ", number " << j << " of " << i
            << '\n'
            << narrow.plan;
  }
}

TEST_P(LongProducts, Equal_those_of_float64) {
  struct Case {
    std::int64_t rows;
    int features, units;
  };
  const double bound = GetParam().is_cpu() ? 3e-6 : 2e-5;  // pieces of 64, or of 1024
  for (const Case& c : {Case{4097, 3, 5}, Case{5500, 3, 5}, Case{5000, 17, 16}, Case{9999, 1, 1},
                        Case{20'000, 3, 5}, Case{3, 4097, 5}, Case{2, 9000, 16}})
    for (const std::string activation : {"relu", "tanh", "linear"}) {
      const Numbers narrow = numbers(DType::float32, c.rows, c.features, c.units, activation);
      const Numbers wide = numbers(DType::float64, c.rows, c.features, c.units, activation);
      ASSERT_EQ(narrow.all.size(), wide.all.size());
      ASSERT_NE(narrow.plan.find(GetParam().is_cpu() ? "of k at a time" : "pieces of k"), std::string::npos)
          << narrow.plan;
      for (std::size_t i = 0; i < wide.all.size(); ++i)
        for (std::size_t j = 0; j < wide.all[i].size(); ++j)
          ASSERT_NEAR(narrow.all[i][j], wide.all[i][j], bound * std::fabs(wide.all[i][j]))
              << activation << ", " << c.rows << " rows of " << c.features << " to " << c.units << ", number "
              << j << " of " << i << '\n'
              << narrow.plan;
    }
}

}  // namespace
}  // namespace glia::test
