// The kernels of layers, metrics and updates give the same results for every cut of a launch.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::expect_same_for_all_cuts, testing::Launcher,
    testing::Memories;

/// Of sums in float32 in another order, relative to 1.
constexpr double rounding = 2e-5;

class Elements : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Elements, ::testing::Values(1, 2, 3, 31, 257, 8003));

const Noises noises[] = {DropoutNoise{1u << 30, 4.0 / 3},
                         AdditiveNoise{0.5},
                         MultiplicativeNoise{0.25},
                         AlphaDropoutNoise{1u << 30, 1.25, 0.5, -1.75},
                         BernoulliNoise{},
                         FlipNoise{},
                         CategoricalNoise{}};

TEST_P(Elements, Noise_does_not_depend_on_the_cut) {
  const std::int64_t n = GetParam();
  const View in = arena({n}, 0), out = arena({n}, 65536), gradient = arena({n}, 131072);
  for (const Noises& noise : noises) {
    expect_same_for_all_cuts({out, gradient}, 0, [&](Memories& m, const Launcher& launch) {
      m.state()->iteration = 7;
      kernels::lower(op::Noise{noise, in, out, 99, false}, m.bindings(), launch);
      kernels::lower(op::Noise{noise, in, gradient, 99, true}, m.bindings(), launch);
    });
  }
}

TEST_P(Elements, Noise_writes_every_element_and_none_beyond) {
  const std::int64_t n = GetParam();
  for (const Noises& noise : noises) {
    for (const Cut& cut : cuts) {
      Memories m;
      float* const out = m.at<float>(arena({n}, 65536));
      std::fill(out, out + n + 64, -77.0f);
      kernels::lower(op::Noise{noise, arena({n}, 0), arena({n}, 65536), 99, false}, m.bindings(),
                     Launcher{cut});
      for (std::int64_t i = 0; i < n; ++i) ASSERT_NE(out[i], -77.0f) << i;
      for (std::int64_t i = n; i < n + 64; ++i) ASSERT_EQ(out[i], -77.0f) << i;
    }
  }
}

/// (n, 5 positions, 3 channels), of which each channel's draw puts one on; what has no weight never, and NaN stays.
TEST(Categories, One_of_the_positions_is_on_as_often_as_its_weight_says) {
  constexpr std::int64_t n = 1000, positions = 5, channels = 3;
  const View in = arena({n, positions, channels}, 0), out = arena({n, positions, channels}, 65536);
  const float weights[positions] = {0.5f, 0, 1, 2, 0};
  op::Noise noise{CategoricalNoise{}, in, out, 99};
  noise.positions = positions, noise.channels = channels;
  double shares[positions] = {};
  Memories m;
  float *const x = m.at<float>(in), *const y = m.at<float>(out);
  const auto each = [&](const auto& visit) {
    for (std::int64_t i = 0; i < in.elements(); ++i) visit(i, i / channels % positions, i % channels);
  };
  // The first channel has no weights at all, and in the last row NaN.
  each([&](std::int64_t i, std::int64_t p, std::int64_t c) { x[i] = c == 0 ? 0 : weights[p]; });
  x[(n - 1) * positions * channels + channels] = NAN;
  kernels::lower(noise, m.bindings(), Launcher{cuts[0]});
  each([&](std::int64_t i, std::int64_t p, std::int64_t c) {
    if (c > 0) shares[p] += y[i] / (2.0 * n);
    if (c == 0 && i / channels / positions < n - 1) {
      EXPECT_EQ(y[i], 0) << i;
    }
  });
  for (std::int64_t p = 0; p < positions; ++p)
    EXPECT_NEAR(shares[p], weights[p] / 3.5, weights[p] > 0 ? 0.05 : 0) << p;
  EXPECT_NEAR(shares[0] + shares[2] + shares[3], 1, 1e-9);
  EXPECT_TRUE(std::isnan(y[(n - 1) * positions * channels + channels]));
  expect_same_for_all_cuts({out}, 0, [&](Memories& other, const Launcher& launch) {
    std::copy(x, x + in.elements(), other.at<float>(in));
    kernels::lower(noise, other.bindings(), launch);
  });
}

TEST_P(Elements, Accumulation_averages_momentum_and_combinations_do_not_depend_on_the_cut) {
  const std::int64_t n = GetParam();
  const View parameters = View::contiguous(Buffer::parameters, DType::float32, {n});
  const View gradients = View::contiguous(Buffer::gradients, DType::float32, {n});
  const View sums = View::contiguous(Buffer::slots, DType::float32, {n});
  const View averages = View::contiguous(Buffer::slots, DType::float32, {n}, 65536);
  const View momentum = View::contiguous(Buffer::slots, DType::float32, {n}, 131072);
  const View direction = arena({n}, 0), mixed = arena({n}, 65536);
  expect_same_for_all_cuts(
      {parameters, gradients, sums, averages, momentum, direction, mixed}, 0,
      [&](Memories& m, const Launcher& launch) {
        for (std::int64_t step = 1; step <= 5; ++step) {
          m.state()->iteration = step;
          m.state()->learning_rate = 0.125;
          kernels::lower(op::Accumulate{gradients, sums, 2}, m.bindings(), launch);
          kernels::lower(op::Momentum{gradients, momentum, direction, 0.5, true, 2}, m.bindings(), launch);
          kernels::lower(op::Combine{0.5, -2, gradients, direction, mixed}, m.bindings(), launch);
          kernels::lower(op::Descend{parameters, mixed, 0.5, 0.25, 2}, m.bindings(), launch);
          kernels::lower(op::MovingAverage{parameters, averages, 0.75, 2, 2}, m.bindings(), launch);
        }
      });
}

TEST_P(Elements, Penalties_and_norms_do_not_depend_on_the_cut) {
  const std::int64_t n = GetParam(), pieces = op::pieces_of(n);
  const View parameter = View::contiguous(Buffer::parameters, DType::float32, {n});
  const View gradient = View::contiguous(Buffer::gradients, DType::float32, {n});
  const View penalties = arena({pieces + 1}, 0, DType::float64),
             squares = arena({pieces}, 4096, DType::float64);
  for (const double limit : {0.0, 0.5, 1e6}) {
    expect_same_for_all_cuts({gradient, penalties, squares}, 1e-6, [&](Memories& m, const Launcher& launch) {
      *m.at<double>(penalties) = 5;  // another's, which stays
      kernels::lower(op::Penalty{{0.25, 0.5}, parameter, gradient, penalties, 1}, m.bindings(), launch);
      kernels::lower(op::Squares{gradient, squares}, m.bindings(), launch);
      kernels::lower(op::RescaleToNorm{gradient, squares, limit}, m.bindings(), launch);
    });
  }
}

TEST_P(Elements, Penalties_are_l1_w_plus_l2_w_squared_and_norms_are_cut_to_their_limit) {
  const std::int64_t n = GetParam(), pieces = op::pieces_of(n);
  const View parameter = View::contiguous(Buffer::parameters, DType::float32, {n});
  const View penalties = arena({pieces}, 0, DType::float64), squares = arena({pieces}, 4096, DType::float64);
  for (const Cut& cut : cuts) {
    Memories m;
    double expected = 0, got = 0, norm = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const double w = m.at<float>(parameter)[i];
      expected += 0.25 * std::abs(w) + 0.5 * w * w;
    }
    kernels::lower(op::Penalty{{0.25, 0.5}, parameter, {}, penalties, 0}, m.bindings(), Launcher{cut});
    for (std::int64_t b = 0; b < pieces; ++b) got += m.at<double>(penalties)[b];
    EXPECT_EQ(got, expected);  // quarters and their squares: exact
    kernels::lower(op::Squares{parameter, squares}, m.bindings(), Launcher{cut});
    kernels::lower(op::RescaleToNorm{parameter, squares, 0.125}, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < n; ++i) {
      const double w = m.at<float>(parameter)[i];
      norm += w * w;
    }
    if (expected > 0) {
      EXPECT_NEAR(std::sqrt(norm), 0.125, 1e-6);
    }
  }
}

struct Matrix {
  std::int64_t rows, columns;
};
class Rows : public ::testing::TestWithParam<Matrix> {
 protected:
  /// A matrix's place in the arena, by number; and vectors of its columns in the parameters and gradients.
  View matrix(int number) const {
    return arena({GetParam().rows, GetParam().columns}, std::int64_t{number} << 17);
  }
  View column_vector(int number) const {
    return View::contiguous(Buffer::parameters, DType::float32, {GetParam().columns}, 4096 * number);
  }
  View column_gradient(int number) const {
    return View::contiguous(Buffer::gradients, DType::float32, {GetParam().columns}, 4096 * number);
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Rows,
                         ::testing::Values(Matrix{1, 1}, Matrix{1, 33}, Matrix{7, 10}, Matrix{33, 31},
                                           Matrix{65, 257}, Matrix{300, 2}),
                         [](const auto& info) {
                           return detail::concat(info.param.rows, "x", info.param.columns);
                         });

TEST_P(Rows, Batch_normalisation_and_its_gradient_do_not_depend_on_the_cut) {
  const View saved = arena({3, GetParam().columns}, 6 << 17);
  const View partials = arena({2, 3, GetParam().columns}, 5 << 17);  // of the 300 rows' two chunks
  const View mean = column_vector(2), variance = column_vector(3);
  for (const bool affine : {true, false}) {
    const View gamma = affine ? column_vector(0) : View{}, beta = affine ? column_vector(1) : View{};
    const View dgamma = affine ? column_gradient(0) : View{}, dbeta = affine ? column_gradient(1) : View{};
    std::vector<View> results{matrix(1), matrix(3), saved, mean, variance};
    if (affine) results.insert(results.end(), {dgamma, dbeta});
    expect_same_for_all_cuts(results, 0, [&](Memories& m, const Launcher& launch) {
      kernels::lower(
          op::BatchNorm{matrix(0), gamma, beta, mean, variance, matrix(1), saved, partials, 0.75, 0.5, true},
          m.bindings(), launch);
      kernels::lower(
          op::BatchNormGradient{matrix(0), matrix(2), gamma, saved, partials, matrix(3), dgamma, dbeta},
          m.bindings(), launch);
    });
    // Inference: by the moving ones, which stay.
    expect_same_for_all_cuts({matrix(1), mean, variance}, 0, [&](Memories& m, const Launcher& launch) {
      for (std::int64_t c = 0; c < GetParam().columns; ++c) m.at<float>(variance)[c] = 1 + 0.25f * (c % 3);
      kernels::lower(
          op::BatchNorm{matrix(0), gamma, beta, mean, variance, matrix(1), {}, {}, 0.75, 0.5, false},
          m.bindings(), launch);
    });
  }
}

/// Which rows count: all, none, every third, the first alone, or those behind the first chunk.
void fill_mask(float* mask, std::int64_t rows, int pattern) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const bool counts[] = {true, false, i % 3 == 1, i == 0, i >= op::chunk_rows};
    mask[i] = counts[pattern] ? 1.0f : 0.0f;
  }
}
constexpr int mask_patterns = 5;

TEST_P(Rows, A_masked_batch_normalisation_is_of_the_rows_that_count_for_every_cut) {
  const auto [rows, columns] = GetParam();
  const View saved = arena({4, columns}, 6 << 17), mask = arena({rows}, 7 << 17);
  const View partials = arena({op::chunks_of(rows), 4, columns}, 5 << 17);
  const View sums = arena({op::chunks_of(rows), 2, columns}, 4 << 17);
  const View gamma = column_vector(0), beta = column_vector(1), mean = column_vector(2),
             variance = column_vector(3), dgamma = column_gradient(0), dbeta = column_gradient(1);
  const op::BatchNorm forward{matrix(0), gamma, beta, mean, variance, matrix(1), saved,
                              partials,  0,     0.5,  true, false,    mask};
  const op::BatchNormGradient backward{matrix(0), matrix(2), gamma, saved, sums,
                                       matrix(3), dgamma,    dbeta, mask};
  for (int pattern = 0; pattern < mask_patterns; ++pattern) {
    SCOPED_TRACE(pattern);
    const auto launch_both = [&, rows = rows](Memories& m, const Launcher& launch) {
      fill_mask(m.at<float>(mask), rows, pattern);
      kernels::lower(forward, m.bindings(), launch);
      kernels::lower(backward, m.bindings(), launch);
    };
    expect_same_for_all_cuts({matrix(1), matrix(3), saved, mean, variance, dgamma, dbeta}, 0, launch_both);
    Memories m;
    launch_both(m, Launcher{cuts[0]});
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = [&, columns = columns](int number, std::int64_t row) {
        return static_cast<double>(m.at<float>(matrix(number))[row * columns + c]);
      };
      const auto counts = [&](std::int64_t row) { return m.at<float>(mask)[row] != 0; };
      double n = 1e-7, first = 0, second = 0, of_dy = 0, of_dot = 0;
      for (std::int64_t row = 0; row < rows; ++row) n += counts(row) ? 1 : 0;
      for (std::int64_t row = 0; row < rows; ++row) first += counts(row) ? at(0, row) / n : 0;
      for (std::int64_t row = 0; row < rows; ++row)
        second += counts(row) ? std::pow(at(0, row) - first, 2) / n : 0;
      const double inverse = 1 / std::sqrt(second + 0.5), scale = inverse * m.at<float>(gamma)[c];
      for (std::int64_t row = 0; row < rows; ++row) {
        of_dy += at(2, row), of_dot += at(2, row) * (at(0, row) - first) * inverse;
        EXPECT_NEAR(at(1, row), (at(0, row) - first) * scale + m.at<float>(beta)[c], rounding) << row;
      }
      EXPECT_NEAR(m.at<float>(mean)[c], first, rounding);
      EXPECT_NEAR(m.at<float>(variance)[c], second, rounding);
      for (std::int64_t row = 0; row < rows; ++row) {
        const double share = counts(row) ? 1 / n : 0;
        const double expected =
            scale * (at(2, row) - share * (of_dy + (at(0, row) - first) * inverse * of_dot));
        EXPECT_NEAR(at(3, row), expected, rounding * (1 + std::abs(expected))) << row;
      }
    }
  }
}

TEST_P(Rows, A_relu_in_a_batch_normalisation_cuts_what_is_below_0_and_keeps_NaN) {
  op::BatchNorm d{matrix(0),
                  column_vector(0),
                  column_vector(1),
                  column_vector(2),
                  column_vector(3),
                  matrix(1),
                  {},
                  {},
                  0.75,
                  0.5};
  const std::int64_t n = matrix(0).elements();
  for (const Cut& cut : cuts) {
    Memories m;
    for (std::int64_t i = 0; i < n; i += 5) m.at<float>(matrix(0))[i] = std::nanf("");
    for (std::int64_t c = 0; c < GetParam().columns; ++c) m.at<float>(d.moving_variance)[c] = 1;
    d.out = matrix(1), d.relu = false;
    kernels::lower(d, m.bindings(), Launcher{cut});
    d.out = matrix(2), d.relu = true;
    kernels::lower(d, m.bindings(), Launcher{cut});
    const float *plain = m.at<float>(matrix(1)), *cut_off = m.at<float>(matrix(2));
    for (std::int64_t i = 0; i < n; ++i) {
      if (std::isnan(plain[i]))
        ASSERT_TRUE(std::isnan(cut_off[i])) << i;
      else
        ASSERT_EQ(cut_off[i], std::max(plain[i], 0.0f)) << i;
    }
    EXPECT_TRUE(std::isnan(cut_off[0]));
  }
}

TEST_P(Rows, Layer_normalisation_and_its_gradients_do_not_depend_on_the_cut) {
  const View saved = arena({GetParam().rows, 3}, 6 << 17);
  const View partials = arena({op::chunks_of(GetParam().rows), 2, GetParam().columns}, 13 << 16);
  for (const bool centers : {true, false}) {
    for (const bool affine : {true, false}) {
      const View gamma = affine ? column_vector(0) : View{}, beta = affine ? column_vector(1) : View{};
      const View dgamma = column_gradient(0), dbeta = affine ? column_gradient(1) : View{};
      std::vector<View> results{matrix(1), matrix(3), saved, dgamma};
      if (affine) results.push_back(dbeta);
      expect_same_for_all_cuts(results, rounding, [&](Memories& m, const Launcher& launch) {
        kernels::lower(op::LayerNorm{matrix(0), gamma, beta, matrix(1), saved, 0.5, centers}, m.bindings(),
                       launch);
        kernels::lower(op::LayerNormGradient{matrix(0), matrix(2), gamma, saved, matrix(3), centers},
                       m.bindings(), launch);
        kernels::lower(op::LayerNormWeights{matrix(0), matrix(2), saved, partials, dgamma, dbeta},
                       m.bindings(), launch);
      });
    }
  }
}

TEST_P(Rows, Standardisation_and_prelu_do_not_depend_on_the_cut) {
  const View mean = column_vector(0), variance = column_vector(1), alpha = column_vector(2);
  const View dalpha = column_gradient(2);
  const auto positive = [&](Memories& m) {
    for (std::int64_t c = 0; c < GetParam().columns; ++c) m.at<float>(variance)[c] = 0.25f * (c % 5);
  };
  for (const bool backward : {false, true})
    expect_same_for_all_cuts({matrix(1)}, 0, [&](Memories& m, const Launcher& launch) {
      positive(m);
      kernels::lower(op::Standardize{matrix(0), mean, variance, matrix(1), backward}, m.bindings(), launch);
    });
  expect_same_for_all_cuts({matrix(1), matrix(3), dalpha}, 0, [&](Memories& m, const Launcher& launch) {
    kernels::lower(op::Prelu{matrix(0), alpha, matrix(1)}, m.bindings(), launch);
    kernels::lower(op::PreluGradient{matrix(0), alpha, matrix(2), matrix(3), dalpha}, m.bindings(), launch);
  });
  expect_same_for_all_cuts({dalpha}, 0, [&](Memories& m, const Launcher& launch) {
    kernels::lower(op::PreluGradient{matrix(0), alpha, matrix(2), {}, dalpha}, m.bindings(), launch);
  });
}

TEST_P(Rows, Rows_are_looked_up_and_their_gradients_summed_in_the_same_order_for_every_cut) {
  const auto [rows, columns] = GetParam();
  const std::int64_t n = 2 * rows + 1;
  const View table = View::contiguous(Buffer::parameters, DType::float32, {rows, columns});
  const View dtable = View::contiguous(Buffer::gradients, DType::float32, {rows, columns});
  const View indices = arena({n}, 6 << 17), out = arena({n, columns}, 0), dy = arena({n, columns}, 2 << 17);
  const View links = arena({rows + n}, 7 << 17, DType::int32);
  const auto name_rows = [&, rows = rows](Memories& m) {
    for (std::int64_t i = 0; i < n; ++i) m.at<float>(indices)[i] = static_cast<float>(i * 5 % rows);
    m.at<float>(indices)[0] = static_cast<float>(rows);  // none
    if (n > 3) m.at<float>(indices)[3] = -1;
    if (n > 4) m.at<float>(indices)[4] = 0.5f;
    if (n > 5) m.at<float>(indices)[5] = NAN;
  };
  expect_same_for_all_cuts({out, dtable}, 0, [&](Memories& m, const Launcher& launch) {
    name_rows(m);
    kernels::lower(op::Lookup{indices, table, out}, m.bindings(), launch);
    kernels::lower(op::LookupGradient{indices, dy, dtable, links}, m.bindings(), launch);
  });
  for (const Cut& cut : cuts) {
    Memories m;
    name_rows(m);
    kernels::lower(op::Lookup{indices, table, out}, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < n; ++i) {
      const float index = m.at<float>(indices)[i];
      const bool there = index >= 0 && index < static_cast<float>(rows) && index == std::floor(index);
      for (std::int64_t c = 0; c < columns; ++c) {
        const float got = m.at<float>(out)[i * columns + c];
        if (!there) {
          ASSERT_TRUE(std::isnan(got)) << i;
        } else {
          ASSERT_EQ(got, m.at<float>(table)[static_cast<std::int64_t>(index) * columns + c]) << i;
        }
      }
    }
  }
}

TEST_P(Rows, Constraints_do_not_depend_on_the_cut) {
  const auto [rows, columns] = GetParam();
  const View weight = View::contiguous(Buffer::parameters, DType::float32, {rows, columns});
  for (const Constraints& constraint : {Constraints(MaxNorm{1.5}), Constraints(UnitNorm{}),
                                        Constraints(MinMaxNorm{0.5, 1.5, 0.75}), Constraints(NonNeg{})})
    expect_same_for_all_cuts({weight}, 0, [&](Memories& m, const Launcher& launch) {
      kernels::lower(op::Constrain{constraint, weight}, m.bindings(), launch);
    });
}

TEST_P(Rows, Metrics_that_count_do_not_depend_on_the_cut) {
  const std::int64_t rows = GetParam().rows;
  const std::int64_t columns =
      std::min<std::int64_t>(GetParam().columns, 40);  // a block each: fibres are slow
  const View predictions = arena({rows, columns}, 0), targets = arena({rows, columns}, 1 << 17),
             weights = arena({rows}, 4 << 17);
  const View labels = arena({rows}, 5 << 17, DType::int32), partials = arena({rows}, 6 << 17, DType::float64);
  const std::vector<Metrics> metrics = {Precision{},
                                        Recall{.threshold = 0.25, .class_id = static_cast<int>(columns) - 1},
                                        FBetaScore{.beta = 2},
                                        F1Score{.threshold = 0.5},
                                        AUC{.num_thresholds = 7},
                                        AUC{.num_thresholds = 70, .from_logits = true},
                                        R2Score{},
                                        ConfusionMatrix{}};
  const std::int64_t counters = std::max<std::int64_t>({140, 4 * columns, columns * columns, 4});
  const View counted = View::contiguous(Buffer::state, DType::float64, {counters + 9}, sizeof(StepState));
  const auto prepare = [&](Memories& m) {
    std::fill_n(counters_of(m.state()), counters + 9, 0.0);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      m.at<float>(predictions)[i] = std::abs(m.at<float>(predictions)[i]) / 2;  // eighths in [0, 1]
      m.at<float>(targets)[i] = i % 3 == 0 ? 1.0f : 0.0f;
    }
    for (std::int64_t r = 0; r < rows; ++r)
      m.at<std::int32_t>(labels)[r] = static_cast<std::int32_t>(r % columns);
    for (std::int64_t r = 0; r < rows; ++r) m.at<double>(partials)[r] = 0.25 * static_cast<double>(r % 7);
  };
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(detail::concat("metric ", i, weighted ? ", weighted" : ""));
      expect_same_for_all_cuts({counted}, 1e-12, [&](Memories& m, const Launcher& launch) {
        prepare(m);
        const op::Tally tally{metrics[i], predictions, targets, weighted ? weights : View{}, 5};
        for (int batch = 0; batch < 2; ++batch) kernels::lower(tally, m.bindings(), launch);
      });
    }
  }
  expect_same_for_all_cuts({counted}, 0, [&](Memories& m, const Launcher& launch) {
    prepare(m);
    kernels::lower(op::Tally{ConfusionMatrix{}, predictions, labels, weights, 5}, m.bindings(), launch);
  });
  for (const View& with : {weights, View{}})
    expect_same_for_all_cuts({counted}, 0, [&](Memories& m, const Launcher& launch) {
      prepare(m);
      kernels::lower(op::Fold{partials, with, rows, 2}, m.bindings(), launch);
    });
}

/// By plain loops here, since cuts that agree may all be wrong.
TEST_P(Rows, Counts_are_those_of_a_plain_loop) {
  const auto [rows, columns] = GetParam();
  for (const Cut& cut : cuts) {
    Memories m;
    const View p = matrix(0), y = matrix(1), weights = arena({rows}, 4 << 17);
    double expected[4] = {};
    std::fill_n(counters_of(m.state()), 4, 0.0);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const bool positive = m.at<float>(y)[i] != 0, predicted = m.at<float>(p)[i] > 0.5f;
      expected[predicted ? (positive ? 0 : 1) : (positive ? 3 : 2)] += m.at<float>(weights)[i / columns];
    }
    kernels::lower(op::Tally{Precision{}, p, y, weights, 0}, m.bindings(), Launcher{cut});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(counters_of(m.state())[i], expected[i]) << i;
  }
}

}  // namespace
}  // namespace glia
