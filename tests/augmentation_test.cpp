// Augmentation layers: what they do to images and how often, in training alone, the same on every device.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/shown_images.h"

namespace glia {
namespace {

using test::numbered_images, test::ShownImages;

class AugmentationOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, AugmentationOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

constexpr std::int64_t batch = 64;
constexpr int steps = 16;
const Shape image{6, 5, 2};

/// Image `i` of a batch, and what becomes of it where element (row, column) is taken from `from(row, column)`, or is
/// `fill` where that is negative.
using Place = std::pair<std::int64_t, std::int64_t>;
std::vector<double> rearranged(const Tensor& images, std::int64_t i, double fill,
                               const std::function<Place(std::int64_t, std::int64_t)>& from) {
  std::vector<double> result;
  for (std::int64_t r = 0; r < image[0]; ++r) {
    for (std::int64_t c = 0; c < image[1]; ++c) {
      const auto [row, column] = from(r, c);
      for (std::int64_t channel = 0; channel < image[2]; ++channel)
        result.push_back(row < 0 || column < 0 ? fill : images(i, row, column, channel));
    }
  }
  return result;
}
std::vector<double> image_of(const Tensor& images, std::int64_t i) {
  return rearranged(images, i, 0, [](std::int64_t r, std::int64_t c) { return Place{r, c}; });
}

/// Within four and a half deviations of what n draws of a probability give.
void expect_share(std::int64_t count, std::int64_t n, double probability) {
  const double deviation = std::sqrt(probability * (1 - probability) / static_cast<double>(n));
  EXPECT_NEAR(static_cast<double>(count) / static_cast<double>(n), probability, 4.5 * deviation + 1e-12);
}

TEST_P(AugmentationOn, Flips_turn_half_of_the_images_round_and_leave_the_others) {
  const Tensor images = numbered_images(batch, image);
  for (const std::string mode : {"horizontal", "vertical", "horizontal_and_vertical"}) {
    ShownImages shown({RandomFlip(mode)}, image, batch, test::current_device());
    std::int64_t counts[2][2] = {};
    for (int step = 0; step < steps; ++step) {
      const Tensor out = shown.next(images);
      for (std::int64_t i = 0; i < batch; ++i) {
        const std::vector<double> got = image_of(out, i);
        int found = 0;
        for (const int rows : {0, 1}) {
          for (const int columns : {0, 1}) {
            const bool same = got == rearranged(images, i, 0, [&](std::int64_t r, std::int64_t c) {
                                return Place{rows ? image[0] - 1 - r : r, columns ? image[1] - 1 - c : c};
                              });
            counts[rows][columns] += same;
            found += same;
          }
        }
        ASSERT_EQ(found, 1) << mode << ", image " << i;
      }
    }
    const std::int64_t n = batch * steps;
    const double rows = mode == "horizontal" ? 0 : 0.5, columns = mode == "vertical" ? 0 : 0.5;
    for (const int r : {0, 1})
      for (const int c : {0, 1})
        expect_share(counts[r][c], n, (r ? rows : 1 - rows) * (c ? columns : 1 - columns));
  }
}

/// What Keras's documentation says lies beyond the edge of an axis of length n.
std::int64_t beyond(const std::string& mode, std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return i;
  if (mode == "nearest") return std::clamp<std::int64_t>(i, 0, n - 1);
  if (mode == "wrap") return ((i % n) + n) % n;
  if (mode == "constant") return -1;
  const std::int64_t j = ((i % (2 * n)) + 2 * n) % (2 * n);  // d c b a | a b c d | d c b a
  return j < n ? j : 2 * n - 1 - j;
}

TEST_P(AugmentationOn, Translations_stay_within_their_range_are_equally_likely_and_fill_what_is_free) {
  const Tensor images = numbered_images(batch, image);
  struct Case {
    FactorRange height, width;
    std::int64_t top, bottom, left, right;  // pixels: 6 rows, 5 columns
  };
  const Case cases[] = {{0.34, 0.2, -2, 2, -1, 1},
                        {{-0.5, 0}, {0.2, 0.79}, -3, 0, 1, 3},
                        {1, 0, -6, 6, 0, 0},
                        {{0.4, 0.45}, {1, 1}, 3, 3, 5, 5}};  // no whole pixel within 2.4 to 2.7: the nearest
  for (const Case& c : cases) {
    for (const std::string mode : {"reflect", "constant", "nearest", "wrap"}) {
      ShownImages shown({RandomTranslation(c.height, c.width, {.fill_mode = mode, .fill_value = -7})}, image,
                        batch, test::current_device());
      std::map<Place, std::int64_t> counts;
      for (int step = 0; step < steps; ++step) {
        const Tensor out = shown.next(images);
        for (std::int64_t i = 0; i < batch; ++i) {
          const std::vector<double> got = image_of(out, i);
          int found = 0;
          for (std::int64_t down = c.top; down <= c.bottom; ++down) {
            for (std::int64_t right = c.left; right <= c.right; ++right) {
              if (got != rearranged(images, i, -7, [&](std::int64_t row, std::int64_t column) {
                    return Place{beyond(mode, row - down, image[0]), beyond(mode, column - right, image[1])};
                  }))
                continue;
              ++counts[{down, right}];
              ++found;
            }
          }
          // Moved by its whole height, a wrapped image is as it was, and one of constants the same both ways.
          if (c.bottom < image[0] && c.right < image[1])
            ASSERT_EQ(found, 1) << mode << ", image " << i;
          else
            ASSERT_GE(found, 1) << mode << ", image " << i;
        }
      }
      if (c.bottom == image[0] || c.right == image[1]) continue;
      const auto ways = static_cast<std::size_t>((c.bottom - c.top + 1) * (c.right - c.left + 1));
      EXPECT_EQ(counts.size(), ways) << mode;
      for (const auto& [place, count] : counts)
        expect_share(count, batch * steps, 1 / static_cast<double>(ways));
    }
  }
}

/// The box of -7s in image i: top, left, height, width. Fails where they are no box, or a pixel beside it has changed.
std::array<std::int64_t, 4> box_in(const Tensor& out, const Tensor& images, std::int64_t i,
                                   const Shape& shape) {
  std::int64_t top = shape[0], left = shape[1], bottom = 0, right = 0, filled = 0;
  for (std::int64_t r = 0; r < shape[0]; ++r) {
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      for (std::int64_t channel = 0; channel < shape[2]; ++channel) {
        const bool is_filled = out(i, r, c, channel) == -7;
        filled += is_filled;
        if (!is_filled) {
          EXPECT_EQ(out(i, r, c, channel), images(i, r, c, channel)) << i << ": " << r << ' ' << c;
          continue;
        }
        top = std::min(top, r), left = std::min(left, c);
        bottom = std::max(bottom, r + 1), right = std::max(right, c + 1);
      }
    }
  }
  if (filled == 0) return {0, 0, 0, 0};
  EXPECT_EQ(filled, (bottom - top) * (right - left) * shape[2]) << "no box in image " << i;
  return {top, left, bottom - top, right - left};
}

TEST_P(AugmentationOn, Erasing_covers_its_share_of_the_area_in_its_share_of_the_images) {
  const Shape large{24, 20, 1};
  const Tensor images = numbered_images(batch, large);
  struct Case {
    FactorRange factor, scale;
    double probability, low, high;
  };
  for (const Case& c : {Case{{1, 1}, {0.02, 0.33}, 1, 0.02, 0.33}, Case{0.5, 0.4, 0.25, 0, 0.4},
                        Case{{0.5, 1}, {0.25, 0.25}, 0.75, 0.25, 0.25}, Case{{1, 1}, {1, 1}, 1, 1, 1}}) {
    ShownImages shown({RandomErasing({.factor = c.factor, .scale = c.scale, .fill_value = -7})}, large, batch,
                      test::current_device());
    std::int64_t erased = 0;
    double area = 0, squares = 0;
    for (int step = 0; step < 8; ++step) {
      const Tensor out = shown.next(images);
      for (std::int64_t i = 0; i < batch; ++i) {
        const auto [top, left, height, width] = box_in(out, images, i, large);
        if (height == 0) continue;
        ++erased;
        for (const auto& [length, side] : {std::pair(large[0], height), std::pair(large[1], width)}) {
          const auto n = static_cast<double>(length);
          EXPECT_GE(static_cast<double>(side), n * std::sqrt(c.low) - 0.51);
          EXPECT_LE(static_cast<double>(side), n * std::sqrt(c.high) + 0.51);
        }
        const double share = static_cast<double>(height * width) / 480;
        area += share, squares += share * share;
      }
    }
    // With a scale from 0 a side may round to nothing.
    if (c.low > 0) expect_share(erased, 8 * batch, c.probability);
    EXPECT_NEAR(static_cast<double>(erased) / (8 * batch), c.probability, 0.1);
    // The sides' shares are drawn apart: the mean area is the square of the mean of a root.
    const double mean_side =
        c.low == c.high ? std::sqrt(c.low)
                        : 2.0 / 3 * (std::pow(c.high, 1.5) - std::pow(c.low, 1.5)) / (c.high - c.low);
    const auto n = static_cast<double>(erased);
    const double deviation = std::sqrt(std::max(squares / n - area / n * (area / n), 0.0) / n);
    EXPECT_NEAR(area / n, mean_side * mean_side, 4.5 * deviation + 0.01);
  }
}

TEST_P(AugmentationOn, Erased_boxes_lie_anywhere_within_the_image) {
  const Tensor images = numbered_images(batch, image);
  ShownImages shown({RandomErasing({.factor = {1, 1}, .scale = {0.25, 0.25}, .fill_value = -7})}, image,
                    batch, test::current_device());
  std::map<Place, std::int64_t> places;
  for (int step = 0; step < steps; ++step) {
    const Tensor out = shown.next(images);
    for (std::int64_t i = 0; i < batch; ++i) {
      const auto [top, left, height, width] = box_in(out, images, i, image);
      EXPECT_EQ(height, 3);  // half of 6, and of 5 rounded
      EXPECT_EQ(width, 3);
      ++places[{top, left}];
    }
  }
  EXPECT_EQ(places.size(), 12u);
  for (const auto& [place, count] : places) expect_share(count, batch * steps, 1.0 / 12);
}

TEST_P(AugmentationOn, Cutout_has_its_centre_anywhere_and_hangs_over_the_edge) {
  const Tensor images = numbered_images(batch, image);
  for (const Size2D& size : {Size2D(3, 2), Size2D(1), Size2D(4, 5)}) {
    ShownImages shown({Cutout(size, {.fill_value = -7})}, image, batch, test::current_device());
    std::map<std::array<std::int64_t, 4>, std::int64_t> boxes, expected;
    for (std::int64_t r = 0; r < image[0]; ++r) {
      for (std::int64_t c = 0; c < image[1]; ++c) {
        const std::int64_t top = std::max<std::int64_t>(r - size.height / 2, 0),
                           left = std::max<std::int64_t>(c - size.width / 2, 0),
                           bottom = std::min(r - size.height / 2 + size.height, image[0]),
                           right = std::min(c - size.width / 2 + size.width, image[1]);
        ++expected[{top, left, bottom - top, right - left}];
      }
    }
    for (int step = 0; step < steps; ++step) {
      const Tensor out = shown.next(images);
      for (std::int64_t i = 0; i < batch; ++i) ++boxes[box_in(out, images, i, image)];
    }
    EXPECT_EQ(boxes.size(), expected.size());
    for (const auto& [box, count] : boxes) {
      ASSERT_TRUE(expected.count(box)) << size.height << " x " << size.width;
      expect_share(count, batch * steps, static_cast<double>(expected[box]) / 30);
    }
  }
}

TEST_P(AugmentationOn, What_changes_nothing_draws_nothing) {
  const Tensor images = numbered_images(1, image);
  for (const Layer& layer : {Layer(RandomTranslation(0, 0)), Layer(RandomTranslation(0.1, 0.1)),
                             Layer(RandomErasing({.factor = 0}))}) {
    ShownImages shown({layer}, image, 1, test::current_device());
    EXPECT_TRUE(array_equal(shown.next(images), images)) << layer.type();
    const std::string text = shown.model().explain(1);
    EXPECT_EQ(text.find("moved"), std::string::npos) << text;
    EXPECT_EQ(text.find("erased"), std::string::npos) << text;
  }
}

/// Layers of all kinds; more steps than one Gather takes. `rough` numbers do not come out exact.
std::vector<Layer> all_kinds(int cut = 2, double rough = 1) {
  return {RandomTranslation(0.3, 0.4, {.fill_mode = "constant", .fill_value = 3}),
          RandomFlip(),
          Rescaling(0.5 * rough, 0.25),
          RandomErasing({.factor = {0.5, 1}, .scale = {0.1, 0.5}, .fill_value = 2}),
          Normalization({.mean = {8, 0.5 * rough}, .variance = {4, 0.0625 * rough}}),
          RandomTranslation({0, 0.2}, 0.2),
          Cutout(cut, {.fill_value = 5}),
          RandomFlip("vertical"),
          RandomTranslation(0.2, 0.2, {.fill_mode = "wrap"})};
}

TEST_P(AugmentationOn, Every_device_draws_the_same_for_every_image) {
  for (const Shape& shape : {Shape{6, 5, 2}, Shape{1, 1, 2}, Shape{33, 7, 2}, Shape{3, 40, 2}}) {
    for (const std::int64_t n : {1, 8}) {
      const Tensor images = numbered_images(n, shape);
      const int cut = shape[0] > 1 ? 2 : 1;
      ShownImages device(all_kinds(cut), shape, n, test::current_device(), 5),
          cpu(all_kinds(cut), shape, n, Device::cpu(), 5);
      for (int step = 0; step < 3; ++step)
        EXPECT_TRUE(array_equal(device.next(images), cpu.next(images))) << shape << ", step " << step;
    }
  }
}

TEST_P(AugmentationOn, Augmentation_in_the_gather_equals_augmentation_apart_bit_for_bit) {
  Tensor bytes = Tensor::zeros({8, 6, 5, 2}, DType::uint8);
  for (std::int64_t i = 0; i < bytes.size(); ++i)
    bytes.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 37 % 251);
  bytes.set_scale(1 / 255.0);
  const auto normalised = [] {
    return std::vector<Layer>{RandomFlip(), Normalization({.mean = {0.47, 0.31}, .variance = {0.061, 0.07}})};
  };
  const auto numbers_alone = [] {
    return std::vector<Layer>{Normalization({.mean = {0.47, 0.31}, .variance = {0.061, 0.07}}),
                              Rescaling(1.1, 0.3), Rescaling(0.7, -0.3)};
  };
  const auto every_kind = [] { return all_kinds(2, 1.1); };
  for (const std::function<std::vector<Layer>()>& layers :
       {std::function<std::vector<Layer>()>(normalised), std::function<std::vector<Layer>()>(numbers_alone),
        std::function<std::vector<Layer>()>(every_kind)}) {
    // Positive numbers pass the ReLU as they are, which stands between the Gather and the rest.
    std::vector<Layer> apart = layers();
    apart.insert(apart.begin(), ReLU());
    ShownImages joined(layers(), image, 8, test::current_device(), 2),
        unfused(apart, image, 8, test::current_device(), 2);
    EXPECT_TRUE(std::get<op::Gather>(joined.model().program(Mode::train, 8).descriptors()[0]).augmentation);
    EXPECT_FALSE(std::get<op::Gather>(unfused.model().program(Mode::train, 8).descriptors()[0]).augmentation);
    for (int step = 0; step < 3; ++step) {
      const Tensor numbers = numbered_images(8, image) * (1.0 / 7);
      EXPECT_TRUE(array_equal(joined.next(numbers), unfused.next(numbers))) << step;
      EXPECT_TRUE(array_equal(joined.next(bytes), unfused.next(bytes))) << "bytes, " << step;
    }
  }
}

TEST_P(AugmentationOn, Images_differ_from_step_to_step_row_to_row_layer_to_layer_and_seed_to_seed) {
  const Tensor one = numbered_images(1, {9, 11, 1});
  Tensor same = Tensor::zeros({4, 9, 11, 1});
  for (std::int64_t i = 0; i < same.size(); ++i) same.data<float>()[i] = one.data<float>()[i % 99];
  const auto three_steps = [&](const std::vector<Layer>& layers, std::uint64_t seed) {
    ShownImages shown(layers, {9, 11, 1}, 4, test::current_device(), seed);
    std::vector<std::vector<double>> images;
    for (int step = 0; step < 3; ++step) {
      const std::vector<double> all = shown.next(same).values();
      for (int i = 0; i < 4; ++i) images.emplace_back(all.begin() + i * 99, all.begin() + (i + 1) * 99);
    }
    return images;
  };
  const RandomTranslationOptions wrap{.fill_mode = "wrap"};
  const auto moved = [&] { return RandomTranslation({-1, 0.99}, {-1, 0.99}, wrap); };
  const auto first = three_steps({moved()}, 1);
  EXPECT_EQ(three_steps({moved()}, 1), first);
  std::set<std::vector<double>> all(first.begin(), first.end());
  // A move by a share too small for a pixel takes no draws; erasing with nothing to fill takes the first layer's.
  for (const auto& got : three_steps({RandomErasing({.scale = {1e-9, 1e-9}}), moved()}, 1)) all.insert(got);
  for (const auto& got : three_steps({moved()}, 2)) all.insert(got);
  EXPECT_GE(all.size(), 30u) << "of 36, from 99 places";
}

TEST_P(AugmentationOn, Prediction_evaluation_and_validation_see_images_as_they_are) {
  const Tensor x = numbered_images(10, image) * 0.01, y = Tensor::ones({10, 2});
  Sequential model({RandomTranslation(0.5, 0.5), RandomFlip(), RandomErasing({.factor = {1, 1}}), Cutout(2),
                    Flatten(), Dense(2)}),
      plain({Flatten(), Dense(2)});
  for (Sequential* each : {&model, &plain})
    each->compile(
        {.optimizer = SGD{.learning_rate = 1e-30}, .loss = "mse", .device = test::current_device()});
  model.build(image), plain.build(image);
  plain.set_weights(model.get_weights());
  EXPECT_TRUE(array_equal(model(x), plain(x)));
  const double clean = plain.evaluate(x, y, {.verbose = 0})["loss"];
  EXPECT_EQ(model.evaluate(x, y, {.verbose = 0})["loss"], clean);
  const History history = model.fit(x, y, {.verbose = 0, .validation_data = {x, y}});
  EXPECT_EQ(history["val_loss"][0], clean);
  EXPECT_GT(std::abs(history["loss"][0] - clean), 1e-3) << "nothing happened in training";
}

TEST_P(AugmentationOn, Bytes_are_scaled_then_augmented_and_fills_are_not_scaled) {
  Tensor bytes = Tensor::full({batch, 6, 5, 2}, 200, DType::uint8);
  bytes.set_scale(1.0 / 256);
  ShownImages shown({Cutout(3, {.fill_value = 0.5}), Rescaling(2, -1), Cutout(2, {.fill_value = 3})}, image,
                    batch, test::current_device());
  std::set<double> seen;
  for (const double value : shown.next(bytes).values()) seen.insert(value);
  EXPECT_EQ(seen, (std::set<double>{0, 0.5625, 3}));  // 2 * 0.5 - 1, 2 * 200 / 256 - 1, the second fill
}

TEST_P(AugmentationOn, A_step_gathers_scales_augments_and_normalises_in_one_kernel) {
  const auto layers = [] {
    return std::vector<Layer>{Rescaling(1.0 / 255), RandomFlip("horizontal"),
                              RandomTranslation(0.2, 0.2, {.fill_mode = "constant"}),
                              RandomErasing({.factor = 0.5}),
                              Normalization({.mean = {0.5, 0.4}, .variance = {0.06, 0.07}})};
  };
  ShownImages shown(layers(), image, 4, test::current_device());
  ShownImages plain({}, image, 4, test::current_device());
  const Program& program = shown.model().program(Mode::train, 4);
  EXPECT_EQ(program.size(), plain.model().program(Mode::train, 4).size());
  const auto& gather = std::get<op::Gather>(program.descriptors()[0]);
  EXPECT_EQ(gather.augmentation.count, 5);
  EXPECT_NE(program.explain().find("(4, 6, 5, 2) of float32 rescaled, flipped, moved, erased, standardised"),
            std::string::npos)
      << program.explain();
  // In inference only what is done to numbers is left, in the gather too.
  const Program& inference = shown.model().program(Mode::infer, 4);
  EXPECT_EQ(std::get<op::Gather>(inference.descriptors()[0]).augmentation.count, 2);
}

TEST_P(AugmentationOn, Seven_steps_are_six_in_the_gather_and_one_behind) {
  std::vector<Layer> layers;
  for (int i = 0; i < 7; ++i) layers.push_back(RandomFlip("horizontal"));
  ShownImages shown(layers, image, 2, test::current_device());
  const Program& program = shown.model().program(Mode::train, 2);
  EXPECT_EQ(std::get<op::Gather>(program.descriptors()[0]).augmentation.count, 6);
  EXPECT_EQ(std::get<op::Augment>(program.descriptors()[1]).augmentation.count, 1);
}

TEST_P(AugmentationOn, Images_made_by_a_reshape_are_augmented_in_the_gather) {
  ShownImages shown({Reshape({6, 5, 1}), RandomFlip("vertical")}, {30}, 8, test::current_device());
  EXPECT_EQ(std::get<op::Gather>(shown.model().program(Mode::train, 8).descriptors()[0]).augmentation.count,
            1);
  const Tensor rows = numbered_images(8, {30}), out = shown.next(rows);
  int flipped = 0;
  for (std::int64_t i = 0; i < 8; ++i) {
    const bool turned = out(i, 0) != rows(i, 0);
    flipped += turned;
    for (std::int64_t e = 0; e < 30; ++e) ASSERT_EQ(out(i, e), rows(i, turned ? (5 - e / 5) * 5 + e % 5 : e));
  }
  EXPECT_GT(flipped, 0);
  EXPECT_LT(flipped, 8);
}

TEST_P(AugmentationOn, Normalization_takes_mean_and_variance_for_each_channel_or_for_all) {
  const Tensor images = numbered_images(3, image);
  Sequential each({Normalization({.mean = {1, 10}, .variance = {4, 0.25}})}),
      all({Normalization({.mean = {6}, .variance = {16}})});
  for (Sequential* model : {&each, &all}) model->compile({.loss = "mse", .device = test::current_device()});
  const Tensor a = each(images), b = all(images);
  for (std::int64_t i = 0; i < images.size(); ++i) {
    const double x = images.values()[static_cast<std::size_t>(i)];
    EXPECT_EQ(a.values()[static_cast<std::size_t>(i)], i % 2 ? (x - 10) / 0.5 : (x - 1) / 2);
    EXPECT_EQ(b.values()[static_cast<std::size_t>(i)], (x - 6) / 4);
  }
}

}  // namespace
}  // namespace glia
