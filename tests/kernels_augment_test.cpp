// Kernels that augment give the same images for every cut of a launch, and write all of them and nothing else.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::expect_same_for_all_cuts, testing::Launcher,
    testing::Memories;

struct Images {
  std::int64_t n, height, width, channels;
  Shape shape() const { return {n, height, width, channels}; }
  friend std::ostream& operator<<(std::ostream& out, const Images& i) { return out << i.shape(); }
};

class Augmented : public ::testing::TestWithParam<Images> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Augmented,
                         ::testing::Values(Images{1, 1, 1, 1}, Images{3, 1, 40, 1}, Images{2, 33, 5, 3},
                                           Images{7, 8, 8, 3}, Images{2, 13, 31, 2}));

/// A step of each kind; numbers that stay exact.
Augmentation all_steps(const Images& images) {
  Augmentation a;
  AugmentStep step;
  const auto add = [&](AugmentStep::Kind kind) -> AugmentStep& {
    step = {};
    step.kind = kind;
    step.seed = 17 + static_cast<std::uint64_t>(a.count);
    a.steps[a.count] = step;
    return a.steps[a.count++];
  };
  AugmentStep& move = add(AugmentStep::move);
  move.by = {-1, 1, -1, 1};
  move.offset = 9;
  AugmentStep& rescale = add(AugmentStep::rescale);
  rescale.scale = 0.5, rescale.offset = 1;
  AugmentStep& flip = add(AugmentStep::flip);
  flip.rows = flip.columns = true;
  flip.below = std::uint64_t{1} << 31;
  add(AugmentStep::standardize);
  AugmentStep& box = add(AugmentStep::erase);
  box.below = std::uint64_t{3} << 30;
  box.box = {0, 0, 1 << 20, 1 << 23};
  box.offset = -5;
  AugmentStep& wrapped = add(AugmentStep::move);
  wrapped.border = Border::wrap;
  wrapped.by = {0, static_cast<std::int32_t>(images.height), 0, static_cast<std::int32_t>(images.width)};
  a.mean = View::contiguous(Buffer::parameters, DType::float32, {images.channels});
  a.variance = View::contiguous(Buffer::parameters, DType::float32, {images.channels}, 1024);
  return a;
}

/// Variances whose roots are exact.
void set_variances(Memories& m, const Augmentation& a) {
  for (std::int64_t c = 0; c < a.variance.elements(); ++c) m.at<float>(a.variance)[c] = c % 2 ? 4.0f : 0.25f;
}

TEST_P(Augmented, Augment_does_not_depend_on_the_cut_and_writes_images_alone) {
  const View in = arena(GetParam().shape(), 0), out = arena(GetParam().shape(), 1 << 17);
  const Augmentation a = all_steps(GetParam());
  expect_same_for_all_cuts({out}, 0, [&](Memories& m, const Launcher& launch) {
    set_variances(m, a);
    m.state()->iteration = 7;
    float* const all = m.at<float>(out);
    std::fill(all, all + out.elements() + 64, -77.0f);
    kernels::lower(op::Augment{in, out, a}, m.bindings(), launch);
    for (std::int64_t i = 0; i < out.elements(); ++i) ASSERT_NE(all[i], -77.0f) << i;
    for (std::int64_t i = 0; i < 64; ++i) ASSERT_EQ(all[out.elements() + i], -77.0f) << i;
  });
}

TEST_P(Augmented, Gather_equals_a_plain_gather_and_an_augment_for_every_cut_and_counts_once) {
  const Images images = GetParam();
  const std::int64_t total = images.n + 5, columns = images.height * images.width * images.channels;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(total * columns));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i * 7 % 251);
  const std::vector<std::uint8_t> y(static_cast<std::size_t>(total), 3);
  const View plain = arena(images.shape(), 0), apart = arena(images.shape(), 1 << 17),
             joined = arena(images.shape(), 2 << 17), labels = arena({images.n}, 3 << 17, DType::int32);
  const Augmentation a = all_steps(images);
  for (const Cut& cut : cuts) {
    Memories m;
    set_variances(m, a);
    StepState& state = *m.state();
    source_of(&state, 0) = {x.data(), 0.5}, source_of(&state, 1) = {const_cast<std::uint8_t*>(y.data())};
    state.feed.shuffled = 1;
    state.order = Permutation(static_cast<std::uint64_t>(total), 5, 0);
    state.cursor = 2;
    state.iteration = state.finished = 6;
    op::Gather gather{joined, labels, DType::uint8, DType::uint8};
    gather.y_source = 1;
    gather.updates = gather.advance_iteration = true;
    gather.augmentation = a;
    kernels::lower(gather, m.bindings(), Launcher{cut});
    EXPECT_EQ(state.iteration, 7);
    EXPECT_EQ(m.at<std::int32_t>(labels)[images.n - 1], 3);
    // Apart, the iteration is counted when the images are augmented.
    kernels::lower(op::Gather{plain, {}, DType::uint8, DType::uint8}, m.bindings(), Launcher{cut});
    kernels::lower(op::Augment{plain, apart, a}, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < joined.elements(); ++i)
      ASSERT_EQ(m.at<float>(joined)[i], m.at<float>(apart)[i]) << i;
    // The end of the step lets the next one draw other numbers.
    kernels::lower(op::Advance{{}, {}, images.n, 0}, m.bindings(), Launcher{cut});
    EXPECT_EQ(state.finished, 7);
  }
}

TEST_P(Augmented, Numbers_alone_are_changed_in_rows_of_any_shape) {
  const Images images = GetParam();
  const std::int64_t width = images.height * images.width * images.channels;
  std::vector<float> x(static_cast<std::size_t>(images.n * width));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13);
  Augmentation a = all_steps(images);
  a.steps[0] = a.steps[1], a.steps[1] = a.steps[3], a.count = 2;
  for (const Shape& shape :
       {images.shape(), Shape{images.n, images.height * images.width, images.channels}}) {
    const View out = arena(shape, 0);
    for (const Cut& cut : cuts) {
      Memories m;
      set_variances(m, a);
      source_of(m.state(), 0) = {x.data()};
      op::Gather gather{out, {}, DType::float32, DType::float32};
      gather.augmentation = a;
      kernels::lower(gather, m.bindings(), Launcher{cut});
      for (std::int64_t i = 0; i < out.elements(); ++i) {
        const std::int64_t c = i % images.channels;
        const float deviation = c % 2 ? 2.0f : 0.5f;
        ASSERT_EQ(m.at<float>(out)[i],
                  (0.5f * x[static_cast<std::size_t>(i)] + 1 - m.at<float>(a.mean)[c]) / deviation)
            << i;
      }
    }
  }
}

TEST(AugmentedSides, Sides_are_roots_of_shares_rounded) {
  for (const std::int32_t length : {1, 2, 7, 32, 224, 65535}) {
    for (std::uint32_t share = 0; share <= 1u << 24; share += 65521) {
      const double exact = length * std::sqrt(share / 16777216.0);
      EXPECT_NEAR(math::side_of_share(length, share), exact, 0.5 + 1e-6 * length) << length << ' ' << share;
    }
    EXPECT_EQ(math::side_of_share(length, 1u << 24), length);
    EXPECT_EQ(math::side_of_share(length, 0), 0);
  }
}

}  // namespace
}  // namespace glia
