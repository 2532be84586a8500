// Normalisations and the logarithm of softmax of numbers whose mean or maximum is large beside their differences: as exact
// as of small ones, and of a constant exactly what is left of it, nothing.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia::test {
namespace {

using Wide = long double;

/// (rows, columns) of float32: offset + size * (a number in [-1, 1)), rounded. What tests expect is made of what is left.
Tensor offset_numbers(std::int64_t rows, std::int64_t columns, double offset, double size) {
  std::vector<float> values;
  std::uint32_t state = 12345;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    state = state * 1664525 + 1013904223;
    values.push_back(static_cast<float>(offset + size * (static_cast<double>(state >> 8) * 0x1p-23 - 1)));
  }
  return Tensor(values).reshape({rows, columns});
}

/// (x - mean) / sqrt(variance + epsilon) of n numbers.
std::vector<Wide> normalized(const std::vector<Wide>& x, Wide epsilon) {
  Wide mean = 0, squares = 0;
  for (const Wide value : x) mean += value;
  mean /= static_cast<Wide>(x.size());
  for (const Wide value : x) squares += (value - mean) * (value - mean);
  const Wide deviation = std::sqrt(squares / static_cast<Wide>(x.size()) + epsilon);
  std::vector<Wide> result;
  for (const Wide value : x) result.push_back((value - mean) / deviation);
  return result;
}

/// The same of each row, or of each column.
Tensor normalized(const Tensor& x, bool rows, double epsilon) {
  const std::vector<double> in = x.values();
  const std::int64_t n = x.shape()[0], columns = x.shape()[1];
  Tensor result = Tensor::zeros(x.shape(), DType::float64);
  for (std::int64_t i = 0; i < (rows ? n : columns); ++i) {
    std::vector<Wide> one;
    const auto place = [&](std::int64_t j) { return rows ? i * columns + j : j * columns + i; };
    for (std::int64_t j = 0; j < (rows ? columns : n); ++j)
      one.push_back(in[static_cast<std::size_t>(place(j))]);
    one = normalized(one, epsilon);
    for (std::size_t j = 0; j < one.size(); ++j)
      result.data<double>()[place(static_cast<std::int64_t>(j))] = static_cast<double>(one[j]);
  }
  return result;
}

class LargeOffsets : public DeviceTest {
 protected:
  /// What batch normalisation gives while training: noise in front of it, of deviation 0, has no part in it. It is seen in
  /// the gradient of a Dense behind it of one unit: mae's is then the sum of its inputs.
  Sequential model(const Layer& layer, std::int64_t columns) {
    Sequential m{layer};
    m.compile({.optimizer = SGD{.learning_rate = 0}, .loss = "mse", .context = context()});
    m.build({columns});
    return m;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, LargeOffsets, ::testing::ValuesIn(test_devices()), device_name);

const double offsets[] = {0, 1.25, -30.3, 1000.7, 12345.678, 1000000.3, -1234567, 1e7, 3e8};

TEST_P(LargeOffsets, A_row_of_one_number_is_normalised_to_nothing) {
  for (const std::int64_t columns : {1, 3, 31, 768, 8003})
    for (const double offset : offsets) {
      Sequential m = model(LayerNormalization(), columns);
      for (const double value : m(Tensor::full({2, columns}, offset, DType::float32)).values())
        ASSERT_EQ(value, 0) << columns << " of " << offset;
    }
}

TEST_P(LargeOffsets, A_row_of_a_hundred_thousand_equal_numbers_is_too) {
  Sequential m = model(LayerNormalization(), 100003);
  for (const double offset : {0.1, 1000000.3, 1e7})
    for (const double value : m(Tensor::full({1, 100003}, offset, DType::float32)).values())
      ASSERT_NEAR(value, 0, 1e-6) << offset;
}

TEST_P(LargeOffsets, Rows_are_normalised_as_if_their_mean_were_0) {
  for (const std::int64_t columns : {2, 31, 768})
    for (const double offset : offsets)
      for (const double size : {1.0, 100.0}) {
        const Tensor x = offset_numbers(3, columns, offset, size);
        Sequential m = model(LayerNormalization(), columns);
        EXPECT_TRUE(close(m(x), normalized(x, true, 1e-3), Tolerance{.relative = 2e-6, .scaled = 2e-6}))
            << columns << " about " << offset << " +- " << size;
      }
}

/// While training, as the loss sees it: rows are fitted to the targets that say where they should be.
TEST_P(LargeOffsets, Columns_are_normalised_as_if_their_mean_were_0) {
  for (const std::int64_t rows : {2, 32, 300, 1025})
    for (const double offset : offsets)
      for (const double size : {0.0, 1.0, 100.0}) {
        const Tensor x = offset_numbers(rows, 3, offset, size);
        const Tensor expected = normalized(x, false, 1e-3);
        Sequential m = model(BatchNormalization(), 3);
        // mse's gradient in beta is 2 / columns times the mean of y - target, in gamma that times x_hat.
        const double loss = m.gradients(x, expected.cast(DType::float32)).loss;
        EXPECT_LE(std::sqrt(loss), size == 0 ? 0.0 : 2e-6) << rows << " about " << offset << " +- " << size;
      }
}

/// The gradient in the input of a normalisation is that of the same rows with their mean taken away.
TEST_P(LargeOffsets, Gradients_are_those_of_the_same_numbers_about_0) {
  // Offsets and numbers in quarters: their sum is exact, so both models have the same rows.
  Tensor small = Tensor::zeros({40, 5}), target = Tensor::zeros({40, 5});
  for (std::int64_t i = 0; i < small.size(); ++i) {
    small.data<float>()[i] = 0.25f * static_cast<float>((i * 7 + i / 3) % 13 - 6);
    target.data<float>()[i] = 0.125f * static_cast<float>((i * 5 + i / 7) % 17 - 8);
  }
  for (const bool of_columns : {true, false})
    for (const float offset : {1000.25f, 65536.75f, -1000000.25f, 2097152.f}) {
      // The Dense in front hands its input on, so its weights' gradient is x^T dx; its bias's the sum of dx.
      const auto gradients = [&](float by) {
        Sequential m = of_columns ? Sequential{Dense(5), BatchNormalization()}
                                  : Sequential{Dense(5), LayerNormalization()};
        m.compile({.optimizer = SGD{.learning_rate = 0}, .loss = "mse", .context = context()});
        m.build({5});
        std::vector<Tensor> weights = m.get_weights();
        weights[0] = Tensor::zeros({5, 5});
        for (std::int64_t i = 0; i < 5; ++i) weights[0].set({i, i}, 1);
        weights[1] = Tensor::full({5}, by, DType::float32);
        m.set_weights(weights);
        return m.gradients(small, target);
      };
      const Gradients about_0 = gradients(0), far = gradients(offset);
      EXPECT_NEAR(far.loss, about_0.loss, 1e-6 * about_0.loss) << offset;
      for (std::size_t i = 0; i < far.weights.size(); ++i)
        EXPECT_TRUE(close(far.weights[i], about_0.weights[i],
                          Tolerance{.relative = 1e-5, .absolute = 1e-6, .scaled = 1e-5}))
            << "weight " << i << (of_columns ? " of columns about " : " of rows about ") << offset;
    }
}

TEST_P(LargeOffsets, The_logarithm_of_softmax_depends_on_differences_alone) {
  for (const std::int64_t columns : {1, 2, 10, 1000})
    for (const double offset : {0.0, 1e2, 1e4, -1e4, 1e6, 1e8, -1e8, 1e20, -1e30, 3e38}) {
      const Tensor x = offset_numbers(3, columns, offset, 20);
      Sequential m{Activation("log_softmax")};
      m.compile({.context = context()});
      m.build({columns});
      const std::vector<double> in = x.values(), got = m(x).values();
      for (std::int64_t row = 0; row < 3; ++row) {
        const auto first = in.begin() + row * columns;
        const Wide greatest = *std::max_element(first, first + columns);
        Wide sum = 0;
        for (std::int64_t c = 0; c < columns; ++c) sum += std::exp(static_cast<Wide>(first[c]) - greatest);
        for (std::int64_t c = 0; c < columns; ++c) {
          const double expected =
              static_cast<double>((static_cast<Wide>(first[c]) - greatest) - std::log(sum));
          ASSERT_NEAR(got[static_cast<std::size_t>(row * columns + c)], expected,
                      2e-6 * std::fabs(expected) + 1e-6)
              << columns << " about " << offset;
        }
      }
    }
}

/// And so the losses of logits and of what is made from them.
TEST_P(LargeOffsets, Losses_of_logits_depend_on_differences_alone) {
  for (const LossName& loss : {LossName(CategoricalCrossentropy{.from_logits = true}),
                               LossName(CategoricalFocalCrossentropy{.from_logits = true})}) {
    const auto of = [&](float offset) {
      Sequential m{Dense(4)};
      m.compile({.loss = loss, .context = context()});
      m.build({4});
      Tensor identity = Tensor::zeros({4, 4});
      for (std::int64_t i = 0; i < 4; ++i) identity.set({i, i}, 1);
      m.set_weights({identity, Tensor::zeros({4})});
      const Tensor x{{1, 2, 0.5, -3}, {2, 2, 2, 2}};
      return m.evaluate(x + Tensor::full({2, 4}, offset, DType::float32),
                        Tensor{{0, 1, 0, 0}, {0.25, 0.25, 0.25, 0.25}}, {.verbose = 0})["loss"];
    };
    for (const float offset : {64.f, 4096.f, 1048576.f, -1048576.f})
      EXPECT_NEAR(of(offset), of(0), 1e-6) << loss.name() << ' ' << offset;
  }
}

}  // namespace
}  // namespace glia::test
