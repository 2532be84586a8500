// Softmax groups of visible units: tiny machines against enumeration over rows of which exactly one unit of the group is on, and what
// is refused. Their updates are among those of rbm_test.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/rbm_reference.h"

namespace glia {
namespace {

using test::all_bits;
using test::close;
using test::expect_error;
using test::RbmReference;
using Row = std::vector<double>;

constexpr std::int64_t bits = 3, classes = 3, width = bits + classes, hidden = 4;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

/// A row of bits, and behind them this unit of the group.
Row labelled(const Row& of_bits, std::int64_t label) {
  Row row = of_bits;
  for (std::int64_t k = 0; k < classes; ++k) row.push_back(k == label);
  return row;
}

/// All rows that there are: row r * classes + k has the bits of r, and unit k on.
std::vector<Row> all_rows() {
  std::vector<Row> rows;
  for (const Row& of_bits : all_bits(size(bits)))
    for (std::int64_t label = 0; label < classes; ++label) rows.push_back(labelled(of_bits, label));
  return rows;
}

Tensor tensor_of(const std::vector<Row>& rows) {
  std::vector<float> values;
  for (const Row& row : rows) values.insert(values.end(), row.begin(), row.end());
  return Tensor(values, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())});
}

class SoftmaxGroups : public test::DeviceTest {
 protected:
  Rbm machine(RbmOptions options, double scale = 1.5) {
    options.softmax_units = classes, options.context = context();
    Rbm rbm(width, hidden, options);
    std::mt19937 draws(5);
    std::vector<Tensor> weights;
    for (const Shape& shape : {Shape{width, hidden}, Shape{hidden}, Shape{width}}) {
      std::vector<float> values(size(shape.elements()));
      for (float& value : values)
        value = static_cast<float>(scale * (static_cast<double>(draws() % 2048) / 1024 - 1));
      weights.emplace_back(values, shape);
    }
    rbm.set_weights(weights);
    return rbm;
  }

  /// exp(-E) summed over all hidden units, term by term.
  static double weight_of(const Rbm& rbm, const Row& v) {
    const TensorList w = rbm.get_weights();
    double all = 0;
    for (const Row& h : all_bits(size(hidden))) {
      double sum = 0;
      for (std::int64_t i = 0; i < width; ++i) {
        sum += w[2](i) * v[size(i)];
        for (std::int64_t j = 0; j < hidden; ++j) sum += w[0](i, j) * v[size(i)] * h[size(j)];
      }
      for (std::int64_t j = 0; j < hidden; ++j) sum += w[1](j) * h[size(j)];
      all += std::exp(sum);
    }
    return all;
  }
  /// Of all_rows().
  static Row shares(const Rbm& rbm) {
    Row result;
    double all = 0;
    for (const Row& row : all_rows()) result.push_back(weight_of(rbm, row)), all += result.back();
    for (double& share : result) share /= all;
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, SoftmaxGroups, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(SoftmaxGroups, Give_each_unit_the_probability_of_enumeration) {
  Rbm rbm = machine({});
  const std::vector<Row> rows = all_rows();
  const Tensor x = tensor_of(rows), energies = rbm.free_energy(x), given = rbm.predict(x);
  ASSERT_EQ(given.shape(), Shape({24, classes}));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    EXPECT_NEAR(energies(static_cast<std::int64_t>(r)), -std::log(weight_of(rbm, rows[r])), 1e-5);
    double all = 0;
    for (std::size_t k = 0; k < 3; ++k) all += weight_of(rbm, rows[r / 3 * 3 + k]);
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(given(static_cast<std::int64_t>(r), static_cast<std::int64_t>(k)),
                  weight_of(rbm, rows[r / 3 * 3 + k]) / all, 1e-5);
  }
  // Whether they are known or not.
  Tensor unknown = x.clone();
  for (std::int64_t r = 0; r < 24; ++r)
    for (std::int64_t k = bits; k < width; ++k) unknown.set({r, k}, 0);
  EXPECT_TRUE(array_equal(rbm.predict(unknown), given));

  const Tensor means = rbm.reconstruct(x);
  const RbmReference reference(rbm);
  EXPECT_TRUE(close(means.values(), reference.visible_means(reference.hidden_means(x.values())),
                    means.shape(), {.absolute = 1e-6}));
  for (std::int64_t r = 0; r < 24; ++r) EXPECT_NEAR(means.row(r).rows(bits, width).sum(), 1, 1e-6);
}

TEST_P(SoftmaxGroups, Have_their_part_in_the_pseudo_likelihood) {
  const std::uint64_t seed = 12;
  Rbm rbm = machine({.seed = seed});
  std::vector<Row> rows = all_rows();
  double expected = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Philox draws{seed ^ 0x9E3779B97F4A7C15u, Purpose::dropout, 0};
    Row flipped = rows[r];
    double& unit = flipped[size(static_cast<std::int64_t>(std::uint64_t{draws.word(r)} * bits >> 32))];
    unit = 1 - unit;
    const double own = weight_of(rbm, rows[r]);
    double of_labels = 0;
    for (std::size_t k = 0; k < 3; ++k) of_labels += weight_of(rbm, rows[r / 3 * 3 + k]);
    expected += bits * std::log(own / (own + weight_of(rbm, flipped))) + std::log(own / of_labels);
  }
  const Tensor x = tensor_of(rows);
  EXPECT_NEAR(rbm.pseudo_likelihood(x, {.batch_size = 24, .verbose = 0}), expected / 24, 1e-5);
  const History history =
      rbm.fit(x, {.batch_size = 8, .verbose = 0, .validation_data = ValidationData(x, {})});
  EXPECT_NEAR(-history["val_loss"][0], rbm.pseudo_likelihood(x, {.batch_size = 8, .verbose = 0}), 1e-5);
}

TEST_P(SoftmaxGroups, Follow_the_gradient_of_the_log_likelihood_with_many_chains) {
  constexpr std::int64_t chains = 20000;
  Rbm rbm =
      machine({.gibbs_steps = 30, .persistent_chains = chains, .optimizer = SGD{.learning_rate = 1}}, 1);
  const TensorList before = rbm.get_weights();
  const RbmReference reference(rbm);
  std::mt19937 draws(2);
  std::vector<Row> rows;
  for (int r = 0; r < 40; ++r)
    rows.push_back(labelled(all_bits(size(bits))[draws() % 8], r % 5 == 0 ? 0 : 2));
  // d log p / dW = E[v h] over the rows - E[v h] over all rows there are; d log p / db = E[v] - E[v].
  Row of_kernel(size(width * hidden)), of_bias(size(width));
  const auto add = [&](const Row& v, double share) {
    const Row h = reference.hidden_means(v);
    for (std::size_t i = 0; i < v.size(); ++i) {
      of_bias[i] += share * v[i];
      for (std::size_t j = 0; j < h.size(); ++j) of_kernel[i * h.size() + j] += share * v[i] * h[j];
    }
  };
  for (const Row& row : rows) add(row, 1.0 / 40);
  const Row all = shares(rbm);
  for (std::size_t r = 0; r < all.size(); ++r) add(all_rows()[r], -all[r]);
  rbm.fit(tensor_of(rows), {.batch_size = 40, .verbose = 0});
  const TensorList after = rbm.get_weights();
  const Tensor kernel = after[0] - before[0], bias = after[2] - before[2];
  const double most = 5 * 0.5 / std::sqrt(chains);  // five deviations of a mean of numbers between 0 and 1
  EXPECT_TRUE(close(kernel.values(), of_kernel, kernel.shape(), {.absolute = most}));
  EXPECT_TRUE(close(bias.values(), of_bias, bias.shape(), {.absolute = most}));
  EXPECT_GT(std::fabs(of_bias[size(bits) + 2]), 0.2) << "there was nothing to follow";
}

TEST_P(SoftmaxGroups, Are_sampled_as_the_machine_says_with_one_unit_on) {
  constexpr std::int64_t rows = 20000;
  Rbm rbm = machine({});
  const Row expected = shares(rbm);
  const auto counted = [&](const Tensor& drawn) {
    Row result(24);
    for (std::int64_t r = 0; r < drawn.rows(); ++r) {
      std::size_t number = 0, label = 3;
      int on = 0;
      for (std::int64_t i = 0; i < bits; ++i) number |= size(static_cast<std::int64_t>(drawn(r, i))) << i;
      for (std::size_t k = 0; k < 3; ++k)
        if (drawn(r, bits + static_cast<std::int64_t>(k)) == 1) label = k, ++on;
      if (on != 1) {
        ADD_FAILURE() << on << " units are on in row " << r;
        break;
      }
      result[number * 3 + label] += 1.0 / static_cast<double>(drawn.rows());
    }
    return result;
  };
  const SampleOptions options{.rows = rows, .steps = 30, .binary = true, .seed = 9};
  const Tensor drawn = rbm.sample(options);
  const Row found = counted(drawn);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(found[i], expected[i], 0.018) << i;
  EXPECT_TRUE(array_equal(drawn, rbm.sample(options)));
  // Given a unit, the bits are those of the rows that have it.
  std::vector<Row> start(size(rows), labelled({0, 1, 0}, 1));
  const Tensor begin = tensor_of(start);
  const Row given =
      counted(rbm.sample({.steps = 30, .start = begin, .clamped = classes, .binary = true, .seed = 9}));
  double all = 0;
  for (std::size_t r = 0; r < 8; ++r) all += expected[r * 3 + 1];
  for (std::size_t i = 0; i < 24; ++i) EXPECT_NEAR(given[i], i % 3 == 1 ? expected[i] / all : 0, 0.018) << i;
}

TEST_P(SoftmaxGroups, Go_with_gaussian_units) {
  Rbm rbm = machine({.visible_units = VisibleUnits::gaussian}, 1);
  const RbmReference reference(rbm);
  std::vector<Row> rows;
  for (std::int64_t r = 0; r < 9; ++r) {
    const auto n = static_cast<double>(r);
    rows.push_back(labelled({n / 4 - 1, 0.5, -n / 8}, r % 3));
  }
  const Tensor x = tensor_of(rows), energies = rbm.free_energy(x), given = rbm.predict(x);
  for (std::int64_t r = 0; r < 9; ++r) {
    const Row& row = rows[size(r)];
    EXPECT_NEAR(energies(r), reference.free_energy(row.data()), 1e-5);
    double all = 0;
    Row weights;
    for (std::int64_t k = 0; k < 3; ++k) {
      const Row other = labelled({row.begin(), row.begin() + bits}, k);
      weights.push_back(std::exp(-reference.free_energy(other.data()))), all += weights.back();
    }
    for (std::int64_t k = 0; k < 3; ++k) EXPECT_NEAR(given(r, k), weights[size(k)] / all, 1e-5);
  }
}

TEST_P(SoftmaxGroups, Refuse_what_cannot_be) {
  for (const std::int64_t units : {std::int64_t{-1}, std::int64_t{1}, width})
    expect_error<ValueError>([&] { Rbm(width, 2, {.softmax_units = units, .context = context()}); },
                             {"softmax_units", "at least 2"});
  Rbm rbm = machine({}), plain(width, 2, {.context = context()});
  expect_error<StateError>([&] { plain.predict(tensor_of(all_rows())); }, {"none", ".softmax_units"});
  const FitOptions quiet{.verbose = 0};
  const Tensor none = tensor_of({{0, 1, 0, 0, 0, 0}}), two = tensor_of({{0, 1, 0, 0, 1, 1}});
  expect_error<ValueError>([&] { rbm.fit(none, quiet); }, {"sum of 0 in row 0", "exactly one"});
  expect_error<ValueError>([&] { rbm.free_energy(none); }, {"sum of 0"});
  expect_error<ValueError>([&] { rbm.transform(two); }, {"sum of 2", "last 3 units"});
  EXPECT_EQ(rbm.transform(none).shape(), Shape({1, hidden}));
  const Tensor one = tensor_of({{0, 1, 0, 0, 1, 0}});
  expect_error<ValueError>([&] { rbm.sample({.start = one, .clamped = 2}); }, {"2 clamped", "group of 3"});
  expect_error<ValueError>([&] { rbm.sample({.start = two}); }, {"sum of 2"});
}

}  // namespace
}  // namespace glia
