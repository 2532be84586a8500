// Kernels give the same results for one thread a block, as the CPU runs them, and for groups of 32 lanes and
// blocks of 256 threads in any order, as a GPU does.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::expect_same_for_all_cuts, testing::Launcher,
    testing::Memories;

/// Every member of a family, with its defaults.
template <class Family, std::size_t... index>
std::vector<Family> members(std::index_sequence<index...>) {
  return {std::variant_alternative_t<index, Family>{}...};
}
template <class Family>
std::vector<Family> members() {
  return members<Family>(std::make_index_sequence<std::variant_size_v<Family>>());
}

class Elements : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Elements, ::testing::Values(1, 31, 257, 8003));

TEST_P(Elements, Maps_and_their_gradients_do_not_depend_on_the_cut) {
  const std::int64_t n = GetParam();
  const View in = arena({n}, 0), out = arena({n}, 65536), gradient = arena({n}, 131072);
  for (const ElementwiseActivation& function : members<ElementwiseActivation>()) {
    expect_same_for_all_cuts({out, gradient}, 0, [&](Memories& m, const Launcher& launch) {
      kernels::lower(op::Map{function, in, out}, m.bindings(), launch);
      kernels::lower(op::MapGradient{function, out, in, gradient}, m.bindings(), launch);
    });
  }
}

TEST_P(Elements, Every_element_of_a_map_is_written_and_none_beyond) {
  const std::int64_t n = GetParam();
  for (const Cut& cut : cuts) {
    Memories m;
    const View in = arena({n}, 0), out = arena({n}, 65536);
    float* to = m.at<float>(out);
    std::fill(to, to + n + 64, -77.0f);
    kernels::lower(op::Map{Relu{}, in, out}, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(to[i], std::max(m.at<float>(in)[i], 0.0f)) << i;
    for (std::int64_t i = n; i < n + 64; ++i) ASSERT_EQ(to[i], -77.0f) << i;
  }
}

TEST_P(Elements, Optimizers_do_not_depend_on_the_cut) {
  const std::int64_t n = GetParam();
  const View parameters = View::contiguous(Buffer::parameters, DType::float32, {n});
  const View gradients = View::contiguous(Buffer::gradients, DType::float32, {n});
  std::vector<Optimizers> optimizers = members<Optimizers>();
  for (const Optimizers& with_options :
       {Optimizers(SGD{.momentum = 0.9}),
        Optimizers(SGD{.momentum = 0.9, .nesterov = true, .clipvalue = 0.3}),
        Optimizers(RMSprop{.momentum = 0.5}), Optimizers(RMSprop{.centered = true, .weight_decay = 0.1}),
        Optimizers(Adam{.amsgrad = true}), Optimizers(Ftrl{.l1_regularization_strength = 0.1})})
    optimizers.push_back(with_options);
  for (const Optimizers& optimizer : optimizers) {
    const int count = std::visit([](const auto& o) { return o.slots(); }, optimizer);
    const View slots = count ? View::contiguous(Buffer::slots, DType::float32, {count, n}) : View{};
    std::vector<View> results{parameters};
    if (slots) results.push_back(slots);
    expect_same_for_all_cuts(results, 0, [&](Memories& m, const Launcher& launch) {
      if (slots) std::fill_n(m.at<float>(slots), count * n, 0.1f);
      for (std::int64_t t = 1; t <= 3; ++t) {
        m.state()->iteration = t;
        m.state()->learning_rate = 0.01;
        const double decay = std::visit([](const auto& o) { return o.weight_decay; }, optimizer);
        kernels::lower(op::Optimize{optimizer, parameters, gradients, slots, 1, decay}, m.bindings(), launch);
      }
    });
  }
}

struct Matrix {
  std::int64_t rows, columns;
};
class Rows : public ::testing::TestWithParam<Matrix> {};
INSTANTIATE_TEST_SUITE_P(Shapes, Rows,
                         ::testing::Values(Matrix{1, 2}, Matrix{7, 10}, Matrix{33, 31}, Matrix{65, 257}),
                         [](const auto& info) {
                           return detail::concat(info.param.rows, "x", info.param.columns);
                         });

TEST_P(Rows, Softmax_its_logarithm_and_their_gradients_do_not_depend_on_the_cut) {
  const auto [rows, columns] = GetParam();
  const View in = arena({rows, columns}, 0), out = arena({rows, columns}, 1 << 17),
             gradient = arena({rows, columns}, 1 << 18);
  expect_same_for_all_cuts({out, gradient}, 1e-6, [&](Memories& m, const Launcher& launch) {
    kernels::lower(op::SoftmaxRows{in, out}, m.bindings(), launch);
    kernels::lower(op::SoftmaxGradient{out, in, gradient}, m.bindings(), launch);
  });
  expect_same_for_all_cuts({out, gradient}, 1e-6, [&](Memories& m, const Launcher& launch) {
    kernels::lower(op::SoftmaxRows{in, out, true}, m.bindings(), launch);
    kernels::lower(op::SoftmaxGradient{out, in, gradient, true}, m.bindings(), launch);
  });
}

TEST_P(Rows, Losses_gradients_and_metrics_do_not_depend_on_the_cut) {
  const auto [rows, columns] = GetParam();
  const std::int64_t blocks = (rows + op::Loss::rows_per_block - 1) / op::Loss::rows_per_block;
  const View predictions = arena({rows, columns}, 0), dense = arena({rows, columns}, 1 << 17);
  const View labels = arena({rows}, 1 << 18, DType::int32), gradient = arena({rows, columns}, 3 << 17);
  const View partials = arena({blocks, 6}, 1 << 19, DType::float64);
  const View weights = arena({rows}, 9 << 16);
  std::vector<Losses> losses = members<Losses>();
  for (const Losses& with_options :
       {Losses(BinaryCrossentropy{true, 0.1}), Losses(CategoricalCrossentropy{true, 0.1}),
        Losses(CategoricalFocalCrossentropy{.from_logits = true}),
        Losses(BinaryFocalCrossentropy{.apply_class_balancing = true, .from_logits = true}),
        Losses(SparseCategoricalCrossentropy{.from_logits = true}),
        Losses(SparseCategoricalCrossentropy{.ignore_class = 1})})
    losses.push_back(with_options);
  for (const Losses& function : losses) {
    const bool sparse = std::holds_alternative<SparseCategoricalCrossentropy>(function);
    op::Loss loss{function, predictions, sparse ? labels : dense, partials, gradient};
    loss.weights = weights;
    loss.metric_count = 5;
    loss.metrics[0] = {RowMetric::binary_accuracy, 0, 0.5};
    loss.metrics[1] = {RowMetric::accuracy, 0, 0};
    loss.metrics[2] = {RowMetric::top_k, 1, 3};
    loss.metrics[3] = {RowMetric::mean_output, 1, 0};
    loss.metrics[4] = {RowMetric::weight, 1, 0};
    expect_same_for_all_cuts({gradient, partials}, 1e-5,
                             [&, rows = rows, columns = columns](Memories& m, const Launcher& launch) {
                               float* p = m.at<float>(predictions);
                               for (std::int64_t i = 0; i < rows * columns; ++i)
                                 p[i] = std::abs(p[i]) / 2 * 0.9f + 0.03f;  // in (0, 1)
                               float* y = m.at<float>(dense);
                               for (std::int64_t i = 0; i < rows * columns; ++i)
                                 y[i] = i % columns == i / columns % columns ? 1.0f : 0.0f;
                               for (std::int64_t r = 0; r < rows; ++r)
                                 m.at<std::int32_t>(labels)[r] = static_cast<std::int32_t>(r % columns);
                               kernels::lower(loss, m.bindings(), launch);
                             });
  }
}

TEST_P(Rows, Gather_brings_the_permuted_scaled_rows_for_every_cut) {
  const auto [rows, columns] = GetParam();
  const std::int64_t total = 2 * rows + 3;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(total * columns));
  std::vector<std::uint8_t> y(static_cast<std::size_t>(total));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i * 7 % 251);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::uint8_t>(i % 10);
  for (const Cut& cut : cuts) {
    Memories m;
    StepState& state = *m.state();
    source_of(&state, 2) = {x.data(), 0.5};
    source_of(&state, 1) = {y.data()};
    state.feed.shuffled = 1;
    state.order = Permutation(static_cast<std::uint64_t>(total), 5, 0);
    state.cursor = rows;
    op::Gather gather{arena({rows, columns}, 0), arena({rows}, 1 << 18, DType::int32), DType::uint8,
                      DType::uint8};
    gather.x_source = 2, gather.y_source = 1;
    gather.updates = gather.advance_iteration = true;
    const op::Schedule schedule{ExponentialDecay{0.5, 1, 0.5, false}};
    kernels::lower(schedule, m.bindings(), Launcher{cut});
    kernels::lower(gather, m.bindings(), Launcher{cut});
    EXPECT_EQ(state.iteration, 1);
    EXPECT_DOUBLE_EQ(state.learning_rate, 0.5);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto source = static_cast<std::int64_t>(state.order(static_cast<std::uint64_t>(rows + r)));
      ASSERT_EQ(m.at<std::int32_t>(gather.y)[r], y[static_cast<std::size_t>(source)]);
      for (std::int64_t c = 0; c < columns; ++c)
        ASSERT_EQ(m.at<float>(gather.x)[r * columns + c],
                  0.5f * x[static_cast<std::size_t>(source * columns + c)]);
    }
  }
}

TEST_P(Rows, Plain_products_epilogues_and_column_sums_are_exact_for_every_cut) {
  const auto [rows, columns] = GetParam();
  const std::int64_t k = 5;
  const View a = arena({k, rows}, 0).transposed(), b = arena({k, columns}, 1 << 17),
             out = arena({rows, columns}, 1 << 18);
  const View bias = View::contiguous(Buffer::parameters, DType::float32, {columns});
  op::Matmul matmul{a, b, out, bias, Relu{}};
  for (const Cut& cut : cuts) {
    Memories m;
    const Launcher launch{cut};
    kernels::lower_product(matmul, m.bindings(), 0, rows, 0, columns, launch);
    kernels::lower_epilogue(op::epilogue_of(matmul), m.bindings(), 0, rows, 0, columns, launch);
    op::Matmul sums{b.transposed(), b, out};
    sums.bias_gradient = arena({columns}, 3 << 17);
    kernels::lower_bias_gradient(sums, m.bindings(), launch);
    for (std::int64_t c = 0; c < columns; ++c) {
      float column_sum = 0;
      for (std::int64_t i = 0; i < k; ++i) column_sum += m.at<float>(b)[i * columns + c];
      ASSERT_EQ(m.at<float>(sums.bias_gradient)[c], column_sum);
      for (std::int64_t r = 0; r < rows; ++r) {
        float expected = m.at<float>(bias)[c];
        for (std::int64_t i = 0; i < k; ++i)
          expected += m.at<float>(a)[i * rows + r] * m.at<float>(b)[i * columns + c];
        ASSERT_EQ(m.at<float>(out)[r * columns + c], std::max(expected, 0.0f)) << r << ' ' << c;
      }
    }
  }
}

TEST(Kernels, Advance_folds_partial_sums_and_moves_the_cursor_once) {
  for (const Cut& cut : cuts) {
    Memories m;
    const View partials = arena({5, 3}, 0, DType::float64);
    for (int i = 0; i < 15; ++i) m.at<double>(partials)[i] = i;
    counters_of(m.state())[0] = counters_of(m.state())[1] = 0;
    op::Advance advance{partials, {}, 7, 8};
    kernels::lower(advance, m.bindings(), Launcher{cut});
    kernels::lower(advance, m.bindings(), Launcher{cut});
    EXPECT_EQ(m.state()->cursor, 14);
    EXPECT_EQ(m.state()->rows, 16);
    EXPECT_EQ(m.state()->loss, 2 * 30.0);
    EXPECT_EQ(counters_of(m.state())[0], 2 * 35.0);
    EXPECT_EQ(counters_of(m.state())[1], 2 * 40.0);
  }
}

TEST(Kernels, Scatter_stores_rows_from_the_cursor_on) {
  for (const Cut& cut : cuts) {
    Memories m;
    std::vector<float> out(10 * 3, -1.0f);
    source_of(m.state(), 1) = {out.data()};
    m.state()->cursor = 2;
    const View in = arena({5, 3}, 0);
    kernels::lower(op::Scatter{in, 1}, m.bindings(), Launcher{cut});
    for (int i = 0; i < 15; ++i) ASSERT_EQ(out[static_cast<std::size_t>(6 + i)], m.at<float>(in)[i]);
    EXPECT_EQ(out[5], -1.0f);
    EXPECT_EQ(out[21], -1.0f);
  }
}

TEST(Kernels, A_label_outside_the_classes_makes_the_loss_NaN_and_reads_nothing_outside) {
  for (const Cut& cut : cuts) {
    Memories m;
    const View labels = arena({2}, 1 << 18, DType::int32), partials = arena({1, 1}, 1 << 19, DType::float64);
    m.at<std::int32_t>(labels)[0] = 0;
    m.at<std::int32_t>(labels)[1] = 1 << 30;
    op::Loss loss{SparseCategoricalCrossentropy{true}, arena({2, 4}, 0), labels, partials};
    kernels::lower(loss, m.bindings(), Launcher{cut});
    EXPECT_TRUE(std::isnan(*m.at<double>(partials)));
  }
}

TEST(Fibres, A_barrier_that_a_thread_leaves_out_is_found) {
  testing::Fibres fibres;
  std::mt19937_64 random(1);
  const auto all_but_one = [&](int rank) {
    if (rank != 2) fibres.block_barrier();
  };
  EXPECT_THROW(fibres.run(4, 4, random, all_but_one), std::logic_error);
  int count = 0;  // and the next block runs
  fibres.run(4, 4, random, [&](int) { fibres.block_barrier(), ++count; });
  EXPECT_EQ(count, 4);
}

}  // namespace
}  // namespace glia
