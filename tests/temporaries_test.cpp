// Temporaries that are written and read in parts: what views say of each other, where they are placed, and that no pass over
// descriptors loses a reader of a part or a second writer.
// SPDX-License-Identifier: Apache-2.0
#include <glia/context.h>
#include <gtest/gtest.h>

#include <vector>

#include "host/program/fusion.h"
#include "host/program/mixed_precision.h"
#include "host/program/placement.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

View temporary(int number, const Shape& shape, DType dtype = DType::float32) {
  View view = View::contiguous(Buffer::arena, dtype, shape);
  view.temporary = number;
  return view;
}

template <class Kind>
int count_of(const std::vector<Descriptor>& descriptors) {
  int count = 0;
  for (const Descriptor& descriptor : descriptors) count += std::holds_alternative<Kind>(descriptor);
  return count;
}

TEST(View, A_part_overlaps_its_whole_and_what_lies_between_its_elements) {
  const View all = temporary(3, {8, 10});
  const View top = all.part(0, 0, 4), bottom = all.part(0, 4, 4), left = all.part(1, 0, 5),
             right = all.part(1, 5, 5);
  EXPECT_EQ(all.span(), 80);
  EXPECT_EQ(left.span(), 75);
  EXPECT_EQ(right.offset, 20);
  EXPECT_EQ(all.part(0, 0, 0).span(), 0);
  EXPECT_EQ(all.part(0, 0, 1).broadcast_to({8, 10}).span(), 10);
  for (const View& part : {top, bottom, left, right}) {
    EXPECT_TRUE(part.overlaps(all));
    EXPECT_TRUE(all.overlaps(part));
    EXPECT_TRUE(part.overlaps(part));
  }
  EXPECT_FALSE(top.overlaps(bottom));
  EXPECT_FALSE(bottom.overlaps(top));
  EXPECT_TRUE(left.overlaps(right)) << "their elements lie between each other's";
  EXPECT_FALSE(all.overlaps(temporary(4, {8, 10})));
  EXPECT_FALSE(all.overlaps(View{}));
  EXPECT_FALSE(View{}.overlaps(View{}));
  EXPECT_FALSE(all.overlaps(all.part(0, 3, 0)));
}

TEST(View, A_part_at_its_start_is_not_the_whole) {
  const View all = temporary(3, {8, 10});
  EXPECT_TRUE(all.same_place(all.part(0, 0, 4)));
  EXPECT_FALSE(all.same_elements(all.part(0, 0, 4)));
  EXPECT_FALSE(all.same_elements(all.transposed()));
  EXPECT_TRUE(all.same_elements(all.reshaped({80})));
  EXPECT_TRUE(all.part(1, 0, 5).same_elements(all.part(1, 0, 5)));
}

TEST(View, Axes_are_ordered_repeated_and_cut_as_in_NumPy) {
  const View x = temporary(0, {2, 3, 4});
  EXPECT_EQ(x.permuted({2, 0, 1}).shape, (Shape{4, 2, 3}));
  EXPECT_EQ(x.permuted({2, 0, 1}).strides, (Shape{1, 12, 4}));
  EXPECT_EQ(x.transposed().strides, (Shape{12, 1, 4}));
  EXPECT_EQ(temporary(0, {3, 1}).broadcast_to({2, 3, 4}).strides, (Shape{0, 1, 0}));
  EXPECT_EQ(x.part(2, 1, 2, 2).strides, (Shape{12, 4, 2}));
  EXPECT_EQ(x.matrix_at(1).offset, 48);
  EXPECT_EQ(x.matrix_at(1).shape, (Shape{3, 4}));
  test::expect_error<ShapeError>([&] { x.permuted({0, 0, 1}); }, {"(2, 3, 4)"});
  test::expect_error<ShapeError>([&] { x.permuted({0, 1}); }, {"each must be named once"});
  test::expect_error<ShapeError>([&] { x.broadcast_to({2, 3, 5}); }, {"(2, 3, 5)"});
  test::expect_error<ShapeError>([&] { x.broadcast_to({3, 4}); }, {"cannot broadcast"});
  test::expect_error<ShapeError>([&] { x.part(2, 1, 2, 3); }, {"of axis 2"});
  test::expect_error<ShapeError>([&] { x.part(0, 0, 3); }, {"(2, 3, 4)"});
}

TEST(Placement, Parts_lie_within_their_temporary_which_lives_for_all_of_them) {
  const View all = temporary(0, {10, 1000}), a = temporary(1, {10, 300}), b = temporary(2, {10, 700});
  const View out = temporary(3, {10, 1000}), slice = temporary(4, {10, 100});
  std::vector<Descriptor> list{op::Map{Relu{}, a, a},
                               op::Copy{a, all.part(1, 0, 300)},  // only parts are named
                               op::Map{Relu{}, b, b},
                               op::Copy{b, all.part(1, 300, 700)},
                               op::Copy{all.part(1, 450, 100), slice},
                               op::Map{Tanh{}, slice, slice},
                               op::Copy{all.part(0, 9, 1), out.part(0, 9, 1)},
                               op::Map{Tanh{}, out, out}};
  const std::int64_t bytes = place(list);
  const View left = std::get<op::Copy>(list[1]).out, right = std::get<op::Copy>(list[3]).out;
  const View read = std::get<op::Copy>(list[4]).in, last = std::get<op::Copy>(list[6]).in;
  EXPECT_EQ(right.offset - left.offset, 1200);
  EXPECT_EQ(read.offset - left.offset, 1800);
  EXPECT_EQ(last.offset - left.offset, 36000);
  EXPECT_EQ(left.offset % tensor_alignment, 0);
  // Whatever is written while it lives lies elsewhere.
  const std::int64_t from = left.offset, to = left.offset + 40000;
  for (std::size_t i = 1; i <= 6; ++i)
    for_each_operand(list[i], [&](const View& view, Access) {
      if (view.temporary == 0) return;
      EXPECT_TRUE(view.offset >= to || view.offset + view.span() * 4 <= from) << i;
    });
  EXPECT_GE(bytes, to);
  const View moved = std::get<op::Map>(list[7]).in, ninth = std::get<op::Copy>(list[6]).out;
  EXPECT_EQ(ninth.offset - moved.offset, 36000);
}

// Fusion. A product p = a b, and y = relu(p).
struct Fused {
  View a = temporary(0, {8, 4}), b = temporary(1, {4, 6}), p = temporary(2, {8, 6}), y = temporary(3, {8, 6});
  View other = temporary(4, {4, 6}), joined = temporary(5, {16, 6});

  op::Matmul product() const { return {a, b, p}; }
  op::Map relu(const View& out) const { return {Relu{}, p, out}; }
  /// How many Maps are left of a list.
  static int left(std::vector<Descriptor> list) {
    fuse(list);
    return count_of<op::Map>(list);
  }
};

TEST(Fusion, An_activation_goes_into_the_product_that_alone_writes_what_it_alone_reads) {
  const Fused f;
  EXPECT_EQ(f.left({f.product(), f.relu(f.y), op::Scatter{f.y}}), 0);
}

TEST(Fusion, Readers_and_writers_of_a_part_keep_a_product_from_its_activation) {
  const Fused f;
  EXPECT_EQ(f.left({f.product(), f.relu(f.y), op::Copy{f.p.part(0, 2, 4), f.other}}), 1);
  EXPECT_EQ(f.left({f.product(), f.relu(f.y), op::Copy{f.p.part(0, 0, 4), f.other}}), 1);
  EXPECT_EQ(f.left({f.product(), f.relu(f.y), op::Copy{f.p.part(1, 5, 1), f.other.part(1, 0, 1)}}), 1);
  EXPECT_EQ(f.left({f.product(), op::Copy{f.other, f.p.part(0, 2, 4)}, f.relu(f.y)}), 1);
  EXPECT_EQ(f.left({op::Copy{f.other, f.p.part(0, 0, 4)}, op::Copy{f.other, f.p.part(0, 4, 4)}, f.relu(f.y)}),
            1);
}

TEST(Fusion, An_activation_of_a_part_stays_behind_the_product_of_the_whole) {
  const Fused f;
  const View top = f.p.part(0, 0, 4), y = temporary(6, {4, 6});
  EXPECT_EQ(f.left({f.product(), op::Map{Relu{}, top, y}, op::Scatter{y}}), 1);
  const op::Matmul of_top{f.a.part(0, 0, 4), f.b, top};
  EXPECT_EQ(f.left({of_top, f.relu(f.y), op::Scatter{f.y}}), 1);
}

TEST(Fusion, A_product_writes_into_a_part_where_nobody_touched_that_before_and_it_is_aligned) {
  const Fused f;
  const View aligned = temporary(5, {128, 6}).part(0, 64, 8), unaligned = f.joined.part(0, 1, 8);
  EXPECT_EQ(f.left({f.product(), f.relu(aligned), op::Scatter{temporary(5, {128, 6})}}), 0);
  EXPECT_EQ(f.left({f.product(), f.relu(unaligned), op::Scatter{f.joined}}), 1);
  const View zero = temporary(7, {1});
  const op::Copy clear{zero.broadcast_to({128, 6}), temporary(5, {128, 6})};
  EXPECT_EQ(f.left({clear, f.product(), f.relu(aligned), op::Scatter{temporary(5, {128, 6})}}), 0);
  EXPECT_EQ(f.left({f.product(), clear, f.relu(aligned), op::Scatter{temporary(5, {128, 6})}}), 1)
      << "what the activation writes would be cleared";
}

TEST(Fusion, The_gradient_of_an_activation_reads_what_it_read_where_it_stood) {
  const Fused f;
  const View saved = temporary(8, {8, 6}), dx = temporary(9, {8, 6});
  const op::MapGradient gradient{Tanh{}, saved, f.p, dx};
  const auto left = [](std::vector<Descriptor> list) {
    fuse(list);
    return count_of<op::MapGradient>(list);
  };
  EXPECT_EQ(left({f.product(), gradient, op::Scatter{dx}}), 0);
  EXPECT_EQ(left({f.product(), op::Copy{f.other, saved.part(0, 3, 4)}, gradient, op::Scatter{dx}}), 1);
}

TEST(Fusion, A_batch_of_products_takes_no_activation) {
  const View a = temporary(0, {3, 8, 4}), b = temporary(1, {3, 4, 6}), p = temporary(2, {3, 8, 6}),
             y = temporary(3, {3, 8, 6});
  EXPECT_EQ(Fused::left({op::Matmul{a, b, p}, op::Map{Relu{}, p, y}, op::Scatter{y}}), 1);
}

TEST(Fusion, A_softmax_some_of_whose_probabilities_are_read_elsewhere_is_kept) {
  const View logits = temporary(0, {8, 6}), p = temporary(1, {8, 6}),
             labels = temporary(2, {8}, DType::int32);
  const View partials = temporary(3, {1, 1}, DType::float64), dp = temporary(4, {8, 6}),
             dz = temporary(5, {8, 6});
  const View some = temporary(6, {8, 2});
  const op::Loss loss{SparseCategoricalCrossentropy{}, p, labels, partials, dp};
  const op::SoftmaxGradient gradient{p, dp, dz};
  const auto left = [](std::vector<Descriptor> list) {
    fuse(list);
    return count_of<op::SoftmaxRows>(list) + count_of<op::SoftmaxGradient>(list);
  };
  EXPECT_EQ(left({op::SoftmaxRows{logits, p}, loss, gradient, op::Scatter{dz}}), 0);
  EXPECT_EQ(left({op::SoftmaxRows{logits, p}, loss, gradient, op::Copy{p.part(1, 1, 2), some}}), 2);
  EXPECT_EQ(left({op::SoftmaxRows{logits, p}, loss, op::Copy{some, dp.part(1, 1, 2)}, gradient}), 2)
      << "a second writer of the loss's gradient";
  EXPECT_EQ(left({op::SoftmaxRows{logits, p}, op::Copy{some, logits.part(1, 1, 2)}, loss, gradient}), 2)
      << "the logits are others by then";
}

TEST(Rounding, A_copy_of_a_factor_is_dropped_when_a_part_of_that_is_written) {
  Context context(ContextOptions{.device = Device::cpu()});
  const View a = temporary(0, {8, 4}), b = temporary(1, {4, 6});
  const auto product = [&](int out) {
    op::Matmul d{a, b, temporary(out, {8, 6})};
    d.precision = MixedBFloat16{};
    return d;
  };
  const auto rounds = [&](std::vector<Descriptor> list) {
    round_factors(list, context.backend());
    return count_of<op::Round>(list);
  };
  const View some = temporary(9, {8, 1});
  EXPECT_EQ(rounds({product(2), product(3)}), 2);
  EXPECT_EQ(rounds({product(2), op::Copy{some, a.part(1, 3, 1)}, product(3)}), 3);
  EXPECT_EQ(rounds({product(2), op::Copy{a.part(1, 3, 1), some}, product(3)}), 2);
}

TEST(Rounding, Factors_of_batches_keep_their_strides) {
  Context context(ContextOptions{.device = Device::cpu()});
  op::Matmul d{temporary(0, {3, 4, 8}).transposed(), temporary(1, {4, 6}).broadcast_to({3, 4, 6}),
               temporary(2, {3, 8, 6})};
  d.precision = MixedBFloat16{};
  std::vector<Descriptor> list{d};
  round_factors(list, context.backend());
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(std::get<op::Round>(list[0]).in.shape, Shape{96});
  EXPECT_EQ(std::get<op::Round>(list[1]).in.shape, Shape{24});
  EXPECT_EQ(std::get<op::Matmul>(list[2]).a.strides, d.a.strides);
  EXPECT_EQ(std::get<op::Matmul>(list[2]).b.strides, d.b.strides);
}

}  // namespace
}  // namespace glia
