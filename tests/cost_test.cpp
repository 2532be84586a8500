// What descriptors cost: some counted by hand, all by laws.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "host/program/cost.h"
#include "tests/plain_models.h"

namespace glia {
namespace {

View floats(const Shape& shape, DType dtype = DType::float32) {
  return View::contiguous(Buffer::arena, dtype, shape);
}

TEST(Cost, Of_a_product_is_two_operations_a_multiply_add_and_each_operand_once) {
  op::Matmul d{floats({32, 784}), floats({784, 128}), floats({32, 128})};
  EXPECT_EQ(cost_of(d), (Cost{4 * (32 * 784 + 784 * 128 + 32 * 128), 2 * 32 * 784 * 128}));
  d.bias = floats({128}), d.activation = Relu{};
  EXPECT_EQ(cost_of(d),
            (Cost{4 * (32 * 784 + 784 * 128 + 32 * 128 + 128), 2 * 32 * 784 * 128 + 2 * 32 * 128}));
  op::Matmul gradient{floats({32, 784}).transposed(), floats({32, 128}), floats({784, 128})};
  gradient.bias_gradient = floats({128});
  EXPECT_EQ(cost_of(gradient),
            (Cost{4 * (32 * 784 + 32 * 128 + 784 * 128 + 128), 2 * 784 * 32 * 128 + 32 * 128}));
  op::Matmul back{floats({32, 10}), floats({128, 10}).transposed(), floats({32, 128})};
  back.saved = floats({32, 128}), back.derivative = Relu{};
  EXPECT_EQ(cost_of(back), (Cost{4 * (320 + 1280 + 2 * 4096), 2 * 32 * 10 * 128 + 2 * 4096}));
}

TEST(Cost, Of_a_batch_of_products_counts_a_matrix_for_all_once) {
  View one = floats({7, 5});
  one = one.reshaped({1, 7, 5}).broadcast_to({6, 7, 5});
  const op::Matmul d{floats({6, 3, 7}), one, floats({6, 3, 5})};
  EXPECT_EQ(cost_of(d), (Cost{4 * (6 * 3 * 7 + 7 * 5 + 6 * 3 * 5), 6 * 2 * 3 * 7 * 5}));
}

TEST(Cost, Of_rounded_factors_is_half_as_many_bytes) {
  const op::Matmul d{floats({4, 6}, DType::bfloat16), floats({6, 8}, DType::bfloat16), floats({4, 8})};
  EXPECT_EQ(cost_of(d), (Cost{2 * (24 + 48) + 4 * 32, 2 * 4 * 6 * 8}));
  EXPECT_EQ(cost_of(op::Round{floats({100}), floats({100}, DType::bfloat16)}), (Cost{600, 0}));
}

TEST(Cost, Of_few_rows_is_the_weights_the_rows_and_what_is_done_on_the_way) {
  op::FewRows d{floats({2, 784}), floats({784, 128}), floats({2, 128}), floats({128}), Relu{}};
  d.rows = 2;
  const std::int64_t weights = 4 * (784 * 128 + 128);
  EXPECT_EQ(cost_of(d), (Cost{weights + 4 * (2 * 784 + 2 * 128), 2 * 128 * (2 * 784 + 2)}));
  d.x = d.out = {}, d.x_from = DType::uint8;
  d.row_function = op::FewRows::RowFunction::softmax;
  EXPECT_EQ(cost_of(d), (Cost{weights + 2 * 784 + 4 * 2 * 128, 2 * 128 * (2 * 784 + 2 + 5)}));
}

TEST(Cost, Of_a_convolution_is_a_window_of_its_channels_for_each_number_that_comes_out) {
  op::Convolution d{
      floats({2, 5, 5, 3}), floats({3, 3, 3, 4}), floats({2, 3, 3, 4}), {.height = 3, .width = 3}};
  EXPECT_EQ(cost_of(d), (Cost{4 * (150 + 108 + 72), 2 * 72 * 27}));
  d.bias = floats({4}), d.activation = Relu{};
  EXPECT_EQ(cost_of(d), (Cost{4 * (150 + 108 + 72 + 4), 2 * 72 * 27 + 2 * 72}));
  // Two groups: each filter sees half of the channels.
  const op::Convolution grouped{
      floats({2, 5, 5, 6}), floats({3, 3, 3, 4}), floats({2, 3, 3, 4}), {.height = 3, .width = 3}, 2};
  EXPECT_EQ(cost_of(grouped).flops, 2 * 72 * 27);
  // Back to the images, and to the weights, it is the same multiply-adds.
  const op::ConvolutionTranspose back{
      floats({2, 3, 3, 4}), floats({3, 3, 3, 4}), floats({2, 5, 5, 3}), {.height = 3, .width = 3}};
  EXPECT_EQ(cost_of(back), (Cost{4 * (72 + 108 + 150), 2 * 72 * 27}));
  op::ConvolutionWeights weights{
      floats({2, 5, 5, 3}), floats({2, 3, 3, 4}), floats({3, 3, 3, 4}), {.height = 3, .width = 3}};
  weights.bias_gradient = floats({4});
  EXPECT_EQ(cost_of(weights), (Cost{4 * (150 + 72 + 108 + 4), 2 * 72 * 27 + 72}));
  const op::Pool pool{floats({2, 6, 6, 3}), floats({2, 3, 3, 3}), {.height = 2, .width = 2}};
  EXPECT_EQ(cost_of(pool), (Cost{4 * (216 + 54), 54 * 4}));
}

TEST(Cost, Of_rows_is_what_lies_there_and_what_is_made_of_it) {
  op::Gather gather{floats({32, 784}), floats({32}, DType::int32), DType::uint8, DType::uint8};
  EXPECT_EQ(cost_of(gather), (Cost{32 * 784 * (1 + 4) + 32 * (1 + 4), 32 * 784}));
  gather.weights = floats({32});
  EXPECT_EQ(cost_of(gather).bytes, 32 * 784 * (1 + 4) + 32 * (1 + 4) + 32 * (4 + 4));
  EXPECT_EQ(cost_of(op::Scatter{floats({32, 10})}), (Cost{2 * 4 * 320, 0}));
  // Of a table only the rows that are looked up.
  EXPECT_EQ(cost_of(op::Lookup{floats({8}), floats({1000, 16}), floats({8, 16})}),
            (Cost{4 * 8 + 2 * 4 * 8 * 16, 0}));
  EXPECT_EQ(cost_of(op::LookupGradient{floats({8}), floats({8, 16}), floats({1000, 16}),
                                       floats({1008}, DType::int32)}),
            (Cost{4 * (8 + 8 * 16 + 1000 * 16), 8 * 16}));
}

TEST(Cost, Of_what_is_element_by_element_counts_what_is_repeated_once) {
  EXPECT_EQ(cost_of(op::Map{Tanh{}, floats({3, 5}), floats({3, 5})}), (Cost{120, 15}));
  const op::Binary add{binary::Add{}, floats({3, 5}), floats({5}).broadcast_to({3, 5}), floats({3, 5})};
  EXPECT_EQ(cost_of(add), (Cost{4 * (15 + 5 + 15), 15}));
  EXPECT_EQ(cost_of(op::Combine{1, 1, floats({7}), floats({7}), floats({7})}), (Cost{84, 21}));
  EXPECT_EQ(cost_of(op::Copy{floats({5, 3}).permuted({1, 0}), floats({3, 5})}), (Cost{120, 0}));
}

TEST(Cost, Leaves_out_the_room_that_an_op_works_in) {
  op::Reduce reduce{floats({1, 100000, 1}), floats({1, 1})};
  const Cost without = cost_of(reduce);
  EXPECT_EQ(without, (Cost{4 * 100001, 100000}));
  reduce.partials = floats(op::Reduce::partials_for(reduce.in), DType::float64);
  ASSERT_GT(reduce.partials.elements(), 1);
  EXPECT_EQ(cost_of(reduce), without);
}

TEST(Cost, Of_an_update_reads_gradients_and_brings_weights_and_what_the_optimizer_keeps_up_to_date) {
  constexpr std::int64_t n = 1000;
  op::Optimize adam{Adam{}, floats({n}), floats({n}), floats({2, n})};
  EXPECT_EQ(cost_of(adam), (Cost{4 * (n + 2 * n + 2 * 2 * n), 12 * n}));
  // In pieces `parameters` is only the first.
  adam.parameters = floats({n / 10}), adam.spans = floats({3, 3});
  EXPECT_EQ(cost_of(adam).bytes, 4 * (n + 2 * n + 2 * 2 * n) + 36);
  const op::Optimize sgd{SGD{}, floats({n}), floats({n}), {}};
  EXPECT_EQ(cost_of(sgd), (Cost{4 * (n + 2 * n), 2 * n}));
}

/// Of Ops that work on the step state alone.
bool touches_nothing(const std::string& op) { return op == "Begin" || op == "Schedule" || op == "Advance"; }

/// Batches whose rows fall into whole blocks of a Loss, as its partial sums do.
constexpr std::int64_t few = 16, more = 32, most = 48;

TEST(Cost, Of_every_op_of_every_plain_model_is_positive_and_grows_by_the_same_for_each_row) {
  std::vector<std::string> seen;
  for (const auto& [name, plain] : test::plain_models()) {
    SCOPED_TRACE(name);
    Sequential model = plain.make();
    model.build(plain.row);
    model.compile(plain.options);
    for (const Mode mode : {Mode::train, Mode::gradient, Mode::validate, Mode::infer}) {
      SCOPED_TRACE(name_of(mode));
      const std::vector<OpOutline> a = *model.program(mode, few).outline(),
                                   b = *model.program(mode, more).outline(),
                                   c = *model.program(mode, most).outline();
      ASSERT_EQ(a.size(), b.size());
      ASSERT_EQ(a.size(), c.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        SCOPED_TRACE(a[i].name + ' ' + a[i].words);
        seen.push_back(a[i].name);
        ASSERT_EQ(a[i].name, c[i].name);
        EXPECT_EQ(a[i].bytes + c[i].bytes, 2 * b[i].bytes);
        EXPECT_EQ(a[i].flops + c[i].flops, 2 * b[i].flops);
        EXPECT_GE(b[i].bytes, a[i].bytes);
        EXPECT_GE(b[i].flops, a[i].flops);
        EXPECT_GE(a[i].flops, 0);
        EXPECT_TRUE(touches_nothing(a[i].name) || a[i].bytes > 0);
      }
    }
  }
  EXPECT_GT(std::set<std::string>(seen.begin(), seen.end()).size(), 20u);
}

}  // namespace
}  // namespace glia
