// Schedules of the learning rate: finite and within their bounds at every step of a long run, and what a step uses, which is
// what learning_rate() and LearningRate::at say, to the bit, on every device.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "tests/devices.h"

namespace glia {
namespace {

struct Case {
  const char* name;
  LearningRate rate;
  double low, high;
};

constexpr double any = std::numeric_limits<float>::max();

/// Every schedule, with options at their edges and where formulas divide by what may be nothing.
std::vector<Case> cases() {
  return {
      {"constant", 0.1, 0.1, 0.1},
      {"exponential", ExponentialDecay{0.1, 37, 0.93}, 0, 0.1},
      {"exponential, stairs", ExponentialDecay{0.1, 37, 0.93, true}, 0, 0.1},
      {"exponential, quick", ExponentialDecay{0.1, 0.01, 1e-3}, 0, 0.1},
      {"exponential, growing", ExponentialDecay{0.1, 3, 1.9}, 0.1, any},
      {"inverse time", InverseTimeDecay{0.1, 37, 0.3}, 0, 0.1},
      {"inverse time, stairs", InverseTimeDecay{0.1, 1e-300, 1e300, true}, 0, 0.1},
      {"polynomial", PolynomialDecay{0.1, 1000, 1e-3, 0.7}, 1e-3, 0.1},
      {"polynomial, cycles", PolynomialDecay{0.1, 33, 1e-3, 2.5, true}, 1e-3, 0.1},
      {"polynomial, rising", PolynomialDecay{0.1, 0.3, 0.7, 1, true}, 0.1, 0.7},
      {"pieces", PiecewiseConstantDecay({10, 300}, {0.1, 0, 0.3}), 0, 0.3},
      {"cosine", CosineDecay{0.1, 777, 0.03}, 0.003, 0.1},
      {"cosine, to the top", CosineDecay{0.1, 777, 1}, 0.1, 0.1},
      {"cosine, warm", CosineDecay{0.1, 777, 0.1, 0.3, 55}, 0.03, 0.3},
      {"cosine, no target", CosineDecay{.initial_learning_rate = 0.1, .alpha = 0.5, .warmup_steps = 10}, 0.05,
       0.1},
      {"cosine, target 0", CosineDecay{0.1, 777, 0.1, 0, 55}, 0, 0.1},
      {"restarts", CosineDecayRestarts{0.1, 15, 2, 0.8}, 0, 0.1},
      {"restarts, tenfold", CosineDecayRestarts{0.1, 10, 10, 1, 0.01}, 0.001, 0.1},
      {"restarts, alike", CosineDecayRestarts{0.1, 13, 1, 0.999, 0.01}, 0.001, 0.1},
      {"restarts, nearly alike", CosineDecayRestarts{0.1, 0.3, 1 + 1e-15, 1, 0.01}, 0.001, 0.1},
      {"restarts, growing", CosineDecayRestarts{0.1, 7, 1.1, 1.5, 0.5}, 0.05, any},
      {"one cycle", OneCycle{0.1, 1000}, 0.1 / 25 / 1e4, 0.1},
      {"one cycle, no way up", OneCycle{0.1, 4, 0.25}, 0.1 / 25 / 1e4, 0.1},
      {"one cycle, less than a step up", OneCycle{0.1, 10, 0.01}, 0.1 / 25 / 1e4, 0.1},
      {"one cycle, no way down", OneCycle{0.1, 100, 1 - 1e-16}, 0.1 / 25 / 1e4, 0.1},
      {"one cycle, of two", OneCycle{0.1, 2, 0.5, 1, 1}, 0.1, 0.1},
  };
}

/// The first steps one by one, then around powers of two.
std::vector<std::int64_t> steps(std::int64_t first) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < first; ++i) result.push_back(i);
  for (int bit = 11; bit < 62; ++bit)
    for (const std::int64_t offset : {-1, 0, 1, 77}) result.push_back((std::int64_t{1} << bit) + offset);
  return result;
}

TEST(Schedules, Are_finite_and_within_their_bounds_through_a_long_run) {
  for (const Case& c : cases()) {
    ASSERT_EQ(std::visit([](const auto& s) { return s.invalid(); }, c.rate.schedule), "") << c.name;
    for (const std::int64_t step : steps(100'000)) {
      const double rate = c.rate.at(step);
      ASSERT_TRUE(std::isfinite(static_cast<float>(rate))) << c.name << " at " << step << ": " << rate;
      // A product of bounds is rounded.
      ASSERT_GE(rate, c.low * (1 - 1e-15)) << c.name << " at " << step;
      ASSERT_LE(rate, c.high * (1 + 1e-15)) << c.name << " at " << step;
    }
  }
}

TEST(Schedules, Begin_and_end_where_they_say) {
  EXPECT_EQ((PolynomialDecay{0.1, 10, 0.01}).at(0), 0.1);
  EXPECT_EQ((PolynomialDecay{0.1, 10, 0.01}).at(10), 0.01);
  EXPECT_EQ((CosineDecay{0.1, 10, 0.5}).at(0), 0.1);
  EXPECT_EQ((CosineDecay{0.1, 10, 0.5}).at(10), 0.05);
  EXPECT_EQ((OneCycle{0.1, 10, 0.5}).at(4), 0.1);
  EXPECT_EQ((OneCycle{0.1, 4, 0.25}).at(0), 0.1);
  EXPECT_EQ((OneCycle{0.1, 10, 0.5}).at(9), 0.1 / 25 / 1e4);
  EXPECT_EQ((OneCycle{0.1, 10, 0.5}).at(1000), 0.1 / 25 / 1e4);
}

/// In Keras warmup_steps say nothing without a warmup_target, and a warmup_target of 0 is one.
TEST(Schedules, A_warm_up_needs_its_target) {
  const CosineDecay plain{.initial_learning_rate = 0.1, .decay_steps = 50};
  CosineDecay without = plain, with_zero = plain, at_once = plain;
  without.warmup_steps = with_zero.warmup_steps = 10;
  with_zero.warmup_target = 0;
  at_once.warmup_target = 0.3;
  for (std::int64_t step = 0; step < 100; ++step) {
    EXPECT_EQ(without.at(step), plain.at(step)) << step;
    EXPECT_NEAR(with_zero.at(step), step < 10 ? 0.1 - 0.01 * static_cast<double>(step) : 0, 1e-15) << step;
    EXPECT_NEAR(at_once.at(step), 3 * plain.at(step), 1e-15) << step;
  }
}

/// Each decay begins at the full rate, at the very step where the sum of the lengths before it says so.
TEST(Schedules, Restarts_come_at_the_sums_of_their_lengths) {
  for (const double first : {1.0, 3.0, 7.0, 10.0})
    for (const double t_mul : {1.0, 2.0, 3.0, 5.0, 7.0, 10.0}) {
      const CosineDecayRestarts decay{0.5, first, t_mul, 0.5};
      double begin = 0, length = first, rate = 0.5;
      for (int number = 0; number < 40 && begin < 1e12; ++number) {
        EXPECT_EQ(decay.at(static_cast<std::int64_t>(begin)), rate) << first << ' ' << t_mul << ' ' << number;
        const double last = decay.at(static_cast<std::int64_t>(begin + length) - 1);
        if (length > 2) {
          EXPECT_LT(last, rate / 2) << first << ' ' << t_mul << ' ' << number;
        }
        begin += length, length *= t_mul, rate /= 2;
      }
    }
}

class SchedulesOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, SchedulesOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(SchedulesOn, The_device_computes_what_the_host_says_to_the_bit) {
  Backend& backend = context().backend();
  const auto memory = backend.allocate(sizeof(StepState));
  Bindings at;
  at.state = reinterpret_cast<StepState*>(memory->data());
  for (const Case& c : cases()) {
    const auto sequence = backend.prepare({op::Schedule{c.rate}}, at);
    for (const std::int64_t step : steps(GetParam().is_cpu() ? 5000 : 100)) {
      StepState state;
      state.iteration = step;
      backend.upload(memory->data(), &state, sizeof state);
      sequence->run(1);
      backend.download(&state, memory->data(), sizeof state);
      ASSERT_EQ(state.learning_rate, c.rate.at(step)) << c.name << " at " << step;
    }
  }
}

/// Of mae with a target far above, the gradient of a weight on an input of 1 is -1: the weight grows by the rate.
TEST_P(SchedulesOn, A_step_uses_the_rate_that_the_model_tells) {
  for (const int accumulate : {1, 3})
    for (const Case& c : cases()) {
      if (c.high > 1) continue;
      Sequential model{Input({1}), Dense(1, {.use_bias = false})};
      const bool wide = GetParam().is_cpu();
      if (wide) model.set_dtype(DType::float64);
      model.compile({.optimizer = SGD{.learning_rate = c.rate, .gradient_accumulation_steps = accumulate},
                     .loss = "mae",
                     .device = GetParam()});
      for (int step = 0; step < 30; ++step) {
        model.set_weights({Tensor::zeros({1, 1})});
        const double rate = model.learning_rate();
        EXPECT_EQ(rate, c.rate.at(step)) << c.name << " at " << step;
        model.train_on_batch(Tensor::ones({1, 1}), Tensor::full({1, 1}, 1000));
        const double grown = model.get_weights()[0].item();
        const double expected = (step + 1) % accumulate ? 0 : rate;
        if (accumulate == 1)
          ASSERT_EQ(grown, wide ? expected : static_cast<float>(expected)) << c.name << " at " << step;
        else
          ASSERT_NEAR(grown, expected, 1e-7) << c.name << " at " << step;
        EXPECT_EQ(model.iterations(), (step + 1) / accumulate);
      }
    }
}

TEST_P(SchedulesOn, A_schedule_that_is_set_goes_on_from_the_steps_made) {
  const CosineDecay schedule{0.1, 20};
  Sequential model{Input({1}), Dense(1)};
  model.compile({.optimizer = SGD{.gradient_accumulation_steps = 4}, .loss = "mse", .device = GetParam()});
  for (int step = 0; step < 6; ++step) model.train_on_batch(Tensor::ones({1, 1}), Tensor::ones({1, 1}));
  model.set_learning_rate(schedule);
  EXPECT_EQ(model.learning_rate(), schedule.at(6));
  EXPECT_EQ(model.iterations(), 1);
  for (int step = 0; step < 2; ++step) model.train_on_batch(Tensor::ones({1, 1}), Tensor::ones({1, 1}));
  EXPECT_EQ(model.learning_rate(), schedule.at(8));
  EXPECT_EQ(model.iterations(), 2);
}

}  // namespace
}  // namespace glia
