// Restricted Boltzmann machines: updates against float64, tiny machines against enumeration, sampling, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/rbm_reference.h"

namespace glia {
namespace {

using test::all_bits;
using test::close;
using test::RbmReference;

RbmOptions on(const Context& context, RbmOptions options = {}) {
  options.context = context;
  return options;
}

Tensor random_rows(std::int64_t rows, std::int64_t width, bool binary, unsigned seed = 3) {
  std::mt19937 draws(seed);
  std::vector<float> values(static_cast<std::size_t>(rows * width));
  for (float& value : values)
    value = binary ? static_cast<float>(draws() % 2) : static_cast<float>(draws() % 4096) / 1024 - 2;
  return Tensor(values, {rows, width});
}

/// Weights that are far enough from 0 for units to depend on each other.
void set_drawn_weights(Rbm& rbm, double scale, unsigned seed = 5) {
  std::mt19937 draws(seed);
  std::vector<Tensor> weights;
  for (const Shape& shape : {Shape{rbm.visible(), rbm.hidden()}, Shape{rbm.hidden()}, Shape{rbm.visible()}}) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& value : values)
      value = static_cast<float>(scale * (static_cast<double>(draws() % 2048) / 1024 - 1));
    weights.emplace_back(values, shape);
  }
  rbm.set_weights(weights);
}

struct Case {
  std::string name;
  RbmOptions options;
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

std::vector<Case> cases() {
  return {{"cd_1", {.seed = 1}},
          {"cd_5", {.gibbs_steps = 5, .seed = 2}},
          {"persistent_1", {.persistent_chains = 3, .seed = 3}},
          {"persistent_5", {.gibbs_steps = 5, .persistent_chains = 4, .seed = 4}},
          {"decayed_and_sparse",
           {.weight_decay = 0.01,
            .sparsity_target = 0.2,
            .sparsity_cost = 0.3,
            .sparsity_decay = 0.8,
            .seed = 5}},
          {"gaussian", {.visible_units = VisibleUnits::gaussian, .seed = 6}},
          {"gaussian_persistent",
           {.visible_units = VisibleUnits::gaussian, .gibbs_steps = 2, .persistent_chains = 5, .seed = 7}},
          {"softmax", {.softmax_units = 4, .gibbs_steps = 2, .seed = 8}},
          {"softmax_persistent", {.softmax_units = 3, .persistent_chains = 5, .seed = 9}},
          {"softmax_gaussian",
           {.visible_units = VisibleUnits::gaussian, .softmax_units = 3, .gibbs_steps = 2, .seed = 10}}};
}

class Updates : public test::OnDevice, public ::testing::WithParamInterface<std::tuple<Device, Case>> {
 protected:
  void SetUp() override { start(std::get<0>(GetParam())); }
};
INSTANTIATE_TEST_SUITE_P(Devices, Updates,
                         ::testing::Combine(::testing::ValuesIn(test::test_devices()),
                                            ::testing::ValuesIn(cases())),
                         [](const auto& info) {
                           return test::label(std::get<0>(info.param)) + '_' + std::get<1>(info.param).name;
                         });

TEST_P(Updates, Are_those_of_float64_with_the_same_draws) {
  const Case& one = std::get<1>(GetParam());
  RbmOptions options = on(context(), one.options);
  options.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.5};
  Rbm rbm(9, 7, options);
  set_drawn_weights(rbm, 0.75);
  RbmReference reference(rbm);
  const std::int64_t rows = 11, batch = 3;  // the last batch has two
  Tensor x = random_rows(rows, 9, options.visible_units == VisibleUnits::bernoulli);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t unit = 9 - options.softmax_units; unit < 9; ++unit)
      x.set({row, unit},
            unit - (9 - options.softmax_units) == row % std::max<std::int64_t>(options.softmax_units, 1));
  const std::vector<double> numbers = x.values();
  const History history = rbm.fit(x, {.epochs = 2, .batch_size = batch, .verbose = 0, .shuffle = false});
  for (int epoch = 0; epoch < 2; ++epoch) {
    double divergence = 0;
    for (std::int64_t first = 0; first < rows; first += batch) {
      const std::int64_t last = std::min(first + batch, rows);
      divergence += static_cast<double>(last - first) *
                    reference.update({numbers.begin() + first * 9, numbers.begin() + last * 9}, 0.1, 0.5);
    }
    EXPECT_NEAR(history["loss"][static_cast<std::size_t>(epoch)], divergence / static_cast<double>(rows),
                1e-5);
  }
  const TensorList weights = rbm.get_weights();
  for (std::size_t k = 0; k < 3; ++k)
    EXPECT_TRUE(close(weights[k].values(), reference.weights()[k], weights[k].shape(),
                      {.absolute = 1e-6, .scaled = 1e-6}))
        << k;
}

class Machines : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, Machines, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(Machines, Energies_and_means_are_those_of_enumeration) {
  Rbm rbm(6, 4, on(context()));
  set_drawn_weights(rbm, 1.5);
  const TensorList weights = rbm.get_weights();
  const auto energy = [&](const std::vector<double>& v, const std::vector<double>& h) {
    double sum = 0;
    for (std::int64_t i = 0; i < 6; ++i) sum -= weights[2](i) * v[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < 4; ++j) sum -= weights[1](j) * h[static_cast<std::size_t>(j)];
    for (std::int64_t i = 0; i < 6; ++i)
      for (std::int64_t j = 0; j < 4; ++j)
        sum -= weights[0](i, j) * v[static_cast<std::size_t>(i)] * h[static_cast<std::size_t>(j)];
    return sum;
  };
  std::vector<float> rows;
  for (const std::vector<double>& v : all_bits(6)) rows.insert(rows.end(), v.begin(), v.end());
  const Tensor x(rows, {64, 6});
  const Tensor energies = rbm.free_energy(x), means = rbm.transform(x);
  ASSERT_EQ(energies.shape(), Shape({64}));
  for (std::int64_t r = 0; r < 64; ++r) {
    double all = 0;
    std::vector<double> on_units(4);
    for (const std::vector<double>& h : all_bits(4)) {
      const double share = std::exp(-energy(all_bits(6)[static_cast<std::size_t>(r)], h));
      all += share;
      for (std::size_t j = 0; j < 4; ++j) on_units[j] += share * h[j];
    }
    EXPECT_NEAR(energies(r), -std::log(all), 1e-5);
    for (std::int64_t j = 0; j < 4; ++j)
      EXPECT_NEAR(means(r, j), on_units[static_cast<std::size_t>(j)] / all, 1e-6);
  }
}

TEST_P(Machines, A_gaussian_energy_integrates_to_that_of_its_means) {
  // F(v) = |v - b|^2 / 2 - sum_j softplus(c_j + (v W)_j), whose hidden means are -dF/dc.
  Rbm rbm(5, 3, on(context(), {.visible_units = VisibleUnits::gaussian}));
  set_drawn_weights(rbm, 1);
  const RbmReference reference(rbm);
  const Tensor x = random_rows(17, 5, false);
  const Tensor energies = rbm.free_energy(x);
  for (std::int64_t r = 0; r < 17; ++r)
    EXPECT_NEAR(energies(r), reference.free_energy(x.row(r).values().data()), 1e-5);
  const Tensor again = rbm.inverse_transform(rbm.transform(x));
  EXPECT_TRUE(array_equal(again, rbm.reconstruct(x)));
  EXPECT_TRUE(close(again.values(), reference.visible_means(reference.hidden_means(x.values())),
                    again.shape(), {.absolute = 1e-5}));
}

/// p(v) of all rows of bits, by their free energies.
std::vector<double> exact_shares(const Rbm& rbm) {
  const RbmReference reference(rbm);
  std::vector<double> shares;
  double all = 0;
  for (const std::vector<double>& v : all_bits(static_cast<std::size_t>(rbm.visible()))) {
    shares.push_back(std::exp(-reference.free_energy(v.data())));
    all += shares.back();
  }
  for (double& share : shares) share /= all;
  return shares;
}

TEST_P(Machines, With_many_chains_an_update_follows_the_gradient_of_the_log_likelihood) {
  constexpr std::int64_t chains = 20000;
  Rbm rbm(
      5, 4,
      on(context(), {.gibbs_steps = 30, .persistent_chains = chains, .optimizer = SGD{.learning_rate = 1}}));
  set_drawn_weights(rbm, 1);
  const TensorList before = rbm.get_weights();
  const RbmReference reference(rbm);
  const Tensor x = random_rows(40, 5, true);
  // d log p / dW = E[v h] over the rows - E[v h] over the machine.
  std::vector<double> expected(20);
  const std::vector<double> shares = exact_shares(rbm), rows = x.values();
  const auto add = [&](const std::vector<double>& v, double share) {
    const std::vector<double> h = reference.hidden_means(v);
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 4; ++j) expected[i * 4 + j] += share * v[i] * h[j];
  };
  for (std::size_t r = 0; r < 40; ++r) add({rows.begin() + r * 5, rows.begin() + (r + 1) * 5}, 1.0 / 40);
  for (std::size_t r = 0; r < 32; ++r) add(all_bits(5)[r], -shares[r]);
  rbm.fit(x, {.batch_size = 40, .verbose = 0});
  const Tensor moved = rbm.get_weights()[0] - before[0];
  // Five deviations of a mean over the chains, of numbers between 0 and 1.
  EXPECT_TRUE(close(moved.values(), expected, moved.shape(), {.absolute = 5 * 0.5 / std::sqrt(chains)}));
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::fabs(value));
  EXPECT_GT(largest, 0.05) << "there was nothing to follow";
}

TEST_P(Machines, Samples_are_distributed_as_the_machine_says) {
  constexpr std::int64_t rows = 20000;
  Rbm rbm(4, 3, on(context()));
  set_drawn_weights(rbm, 1.5);
  const Tensor drawn = rbm.sample({.rows = rows, .steps = 30, .binary = true, .seed = 9});
  ASSERT_EQ(drawn.shape(), Shape({rows, 4}));
  std::vector<double> shares(16);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::size_t number = 0;
    for (std::int64_t i = 0; i < 4; ++i) number |= static_cast<std::size_t>(drawn(r, i)) << i;
    shares[number] += 1.0 / rows;
  }
  const std::vector<double> expected = exact_shares(rbm);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(shares[i], expected[i], 0.018) << i;
  EXPECT_TRUE(array_equal(drawn, rbm.sample({.rows = rows, .steps = 30, .binary = true, .seed = 9})));
  EXPECT_FALSE(array_equal(drawn, rbm.sample({.rows = rows, .steps = 30, .binary = true, .seed = 10})));
}

TEST_P(Machines, Clamped_units_stay) {
  Rbm rbm(6, 5, on(context()));
  set_drawn_weights(rbm, 2);
  const Tensor start = random_rows(9, 6, true);
  for (const bool binary : {false, true}) {
    const Tensor drawn = rbm.sample({.steps = 7, .start = start, .clamped = 2, .binary = binary});
    EXPECT_TRUE(array_equal(drawn.columns(4, 6), start.columns(4, 6)));
    EXPECT_FALSE(array_equal(drawn.columns(0, 4), start.columns(0, 4)));
  }
}

/// The estimate flips a known unit of each row: visible * log p(v_i | the others), exactly.
TEST_P(Machines, Pseudo_likelihood_is_that_of_the_flipped_units) {
  constexpr std::int64_t rows = 50, width = 5, batch = 16;
  Rbm rbm(width, 4, on(context(), {.seed = 12}));
  set_drawn_weights(rbm, 1.5);
  const RbmReference reference(rbm);
  const Tensor x = random_rows(rows, width, true);
  double expected = 0;
  std::vector<int> flips(width);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Philox draws{12 ^ 0x9E3779B97F4A7C15u, Purpose::dropout,
                       static_cast<std::uint64_t>(r / batch * batch)};
    const auto unit = static_cast<std::size_t>(
        static_cast<std::uint64_t>(draws.word(static_cast<std::uint64_t>(r % batch))) * width >> 32);
    ++flips[unit];
    std::vector<double> v = x.row(r).values();
    const double energy = reference.free_energy(v.data());
    v[unit] = 1 - v[unit];
    expected -= width * std::log1p(std::exp(energy - reference.free_energy(v.data()))) / rows;
  }
  EXPECT_NEAR(rbm.pseudo_likelihood(x, {.batch_size = batch, .verbose = 0}), expected, 1e-5);
  for (const int count : flips) EXPECT_GT(count, 2) << "units are not drawn alike";
  const History history = rbm.fit(x, {.batch_size = 10,
                                      .verbose = 0,
                                      .validation_data = ValidationData(x, {}),
                                      .validation_batch_size = batch});
  EXPECT_NEAR(-history["val_loss"][0], rbm.pseudo_likelihood(x, {.batch_size = batch, .verbose = 0}), 1e-6);
}

TEST_P(Machines, Learning_makes_rows_likely) {
  // Two patterns and their noise: a machine that learned them tells them from rows that are neither.
  std::mt19937 draws(8);
  std::vector<float> values;
  for (int r = 0; r < 200; ++r)
    for (int i = 0; i < 12; ++i)
      values.push_back(static_cast<float>((i % 2 == r % 2) != (draws() % 20 == 0)));
  const Tensor x(values, {200, 12});
  for (const std::int64_t chains : {0, 20}) {
    Rbm rbm(12, 8, on(context(), {.persistent_chains = chains, .optimizer = SGD{.learning_rate = 0.1}}));
    const double before = rbm.pseudo_likelihood(x);
    rbm.fit(x, {.epochs = 40, .batch_size = 20, .verbose = 0});
    EXPECT_NEAR(before, -12 * std::log(2.0), 0.1);
    EXPECT_GT(rbm.pseudo_likelihood(x), -4.5) << chains;  // 12 bits of which 1 in 20 is wrong: -2.4
    EXPECT_LT(rbm.free_energy(x).mean(), rbm.free_energy(random_rows(200, 12, true)).mean() - 2) << chains;
  }
}

TEST_P(Machines, Gaussian_units_learn_how_features_go_together) {
  std::mt19937 draws(8);
  std::normal_distribution<float> normal;
  std::vector<float> values;
  for (int r = 0; r < 300; ++r) {
    const float sign = draws() % 2 ? 1.5f : -1.5f;
    for (int i = 0; i < 6; ++i) values.push_back((i < 3 ? sign : -sign) + 0.3f * normal(draws));
  }
  const Tensor x(values, {300, 6});
  Rbm rbm(6, 4,
          on(context(), {.visible_units = VisibleUnits::gaussian,
                         .optimizer = SGD{.learning_rate = 0.02, .momentum = 0.5}}));
  const History history =
      rbm.fit(x, {.epochs = 60, .batch_size = 20, .verbose = 0, .validation_data = ValidationData(x, {})});
  EXPECT_GT(history["val_loss"][0], 4);      // of about 7, half the squared norm of a row
  EXPECT_LT(history["val_loss"].back(), 1);  // noise alone: 6 * 0.09 / 2
  test::expect_error<StateError>([&] { rbm.pseudo_likelihood(x); }, {"gaussian", "val_loss"});
}

TEST_P(Machines, The_same_seed_gives_the_same_bits_and_a_second_fit_goes_on) {
  const Tensor x = random_rows(50, 10, true);
  const auto fitted = [&](std::uint64_t seed, int parts) {
    Rbm rbm(10, 6, on(context(), {.persistent_chains = 5, .sparsity_cost = 0.1, .seed = seed}));
    for (int part = 0; part < parts; ++part) rbm.fit(x, {.epochs = 4 / parts, .batch_size = 8, .verbose = 0});
    return rbm.get_weights();
  };
  const TensorList once = fitted(1, 1), again = fitted(1, 1), parts = fitted(1, 2), other = fitted(2, 1);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_TRUE(array_equal(once[k], again[k]));
    EXPECT_TRUE(array_equal(once[k], parts[k]));
    EXPECT_FALSE(array_equal(once[k], other[k]));
  }
}

TEST_P(Machines, Images_of_bytes_are_rows_too) {
  const Tensor x = random_rows(20, 12, true);
  Tensor bytes = (x * 255).cast(DType::uint8).reshape({20, 4, 3});
  bytes.set_scale(1.0 / 255);
  Rbm a(12, 5, on(context())), b(12, 5, on(context()));
  a.fit(x, {.verbose = 0}), b.fit(bytes, {.verbose = 0});
  EXPECT_TRUE(array_equal(a.get_weights()[0], b.get_weights()[0]));
  EXPECT_TRUE(array_equal(a.transform(x), b.transform(bytes)));
}

TEST_P(Machines, Weights_come_back_from_files_with_the_chains) {
  const Tensor x = random_rows(30, 8, true);
  const RbmOptions options = on(context(), {.persistent_chains = 4});
  Rbm rbm(8, 5, options), other(8, 5, options);
  rbm.fit(x, {.verbose = 0});
  const std::string path = ::testing::TempDir() + "rbm_" + test::label(GetParam()) + ".safetensors";
  rbm.model().save_weights(path);
  other.model().load_weights(path);
  EXPECT_EQ(rbm.model().weight_names(),
            (std::vector<std::string>{"rbm/kernel", "rbm/hidden_bias", "rbm/visible_bias", "rbm/chains"}));
  const TensorList a = rbm.model().get_weights(), b = other.model().get_weights();
  ASSERT_EQ(a.size(), 4u);
  for (std::size_t k = 0; k < 4; ++k) EXPECT_TRUE(array_equal(a[k], b[k]));
  EXPECT_GT(a[3].sum(), 0);
}

TEST_P(Machines, What_cannot_be_is_refused) {
  using test::expect_error;
  const auto refused = [&](std::int64_t visible, std::int64_t hidden, const RbmOptions& options,
                           const std::vector<std::string>& parts) {
    expect_error<ValueError>([&] { Rbm(visible, hidden, on(context(), options)); }, parts);
  };
  refused(0, 4, {}, {"0 visible and 4 hidden", "at least 1"});
  refused(4, 0, {}, {"4 visible and 0 hidden"});
  refused(4, 4, {.gibbs_steps = 0}, {"0 gibbs_steps", "CD-k"});
  refused(4, 4, {.persistent_chains = -1}, {"-1 persistent_chains"});
  refused(4, 4, {.weight_decay = -0.1}, {"weight_decay -0.1"});
  refused(4, 4, {.weight_decay = std::numeric_limits<double>::quiet_NaN()}, {"weight_decay"});
  refused(4, 4, {.sparsity_target = 1, .sparsity_cost = 1}, {"sparsity_target 1"});
  refused(4, 4, {.sparsity_cost = -1}, {"sparsity_cost -1"});
  refused(4, 4, {.sparsity_decay = 1}, {"sparsity_decay 1"});
  refused(4, 4, {.optimizer = SGD{.momentum = 2}}, {"momentum"});

  Rbm rbm(4, 3, on(context())), real(4, 3, on(context(), {.visible_units = VisibleUnits::gaussian}));
  const TensorList before = rbm.get_weights();
  const Tensor wide = random_rows(5, 6, true), bits = random_rows(5, 4, true);
  Tensor high = bits.clone(), missing = bits.clone();
  high.set({2, 1}, 1.5), missing.set({3, 0}, std::numeric_limits<double>::quiet_NaN());
  expect_error<ShapeError>([&] { rbm.fit(wide); }, {"(5, 6)", "rows of 4"});
  expect_error<ShapeError>([&] { rbm.transform(wide); }, {"transform", "rows of 4"});
  expect_error<ShapeError>([&] { rbm.inverse_transform(bits); }, {"(3,)"});
  expect_error<ValueError>([&] { rbm.fit(high, {.verbose = 0}); }, {"1.5 in row 2", "from 0 to 1"});
  expect_error<ValueError>([&] { rbm.free_energy(high); }, {"1.5 in row 2"});
  expect_error<ValueError>([&] { rbm.fit(missing, {.verbose = 0}); }, {"nan in row 3"});
  expect_error<ValueError>([&] { real.fit(missing, {.verbose = 0}); }, {"nan in row 3", "finite"});
  expect_error<ValueError>([&] { rbm.fit(bits, {.batch_size = 0, .verbose = 0}); }, {"batch"});
  expect_error<ValueError>(
      [&] { rbm.fit(bits, {.verbose = 0, .validation_data = ValidationData(bits, bits)}); }, {"targets"});
  expect_error<ShapeError>([&] { rbm.set_weights({}); }, {"got 0 weights, expected 3"});
  expect_error<ValueError>([&] { rbm.sample({.rows = 0}); }, {"0 rows"});
  expect_error<ValueError>([&] { rbm.sample({.steps = 0}); }, {"0 steps"});
  expect_error<ValueError>([&] { rbm.sample({.clamped = 1}); }, {"clamped", "start"});
  expect_error<ValueError>([&] { rbm.sample({.start = bits, .clamped = 4}); }, {"4 clamped units of 4"});
  expect_error<ShapeError>([&] { rbm.sample({.start = wide}); }, {"(5, 6)", "(rows, 4)"});
  expect_error<ValueError>([&] { rbm.sample({.start = high}); }, {"1.5 in row 2"});
  expect_error<ValueError>([&] { rbm.model().save("rbm.safetensors"); }, {"save_weights"});
  const TensorList after = rbm.get_weights();
  for (std::size_t k = 0; k < 3; ++k) EXPECT_TRUE(array_equal(before[k], after[k]));
  const Rbm moved = std::move(rbm);
  expect_error<StateError>([&] { rbm.hidden(); }, {"moved from"});
}

}  // namespace
}  // namespace glia
