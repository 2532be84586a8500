// Says whether two images show the same kind of thing, also of kinds that it has never seen: twins, one encoder applied to
// both, and the distance between what they make of them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <random>
#include <utility>
#include <vector>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

struct Pairs {
  glia::Tensor left, right;  // (pairs, 28, 28)
  glia::Tensor same;         // (pairs,), 1 for two of a class
};

/// Each image with another of its class, and with one of another class.
Pairs make_pairs(const glia::Dataset& data, std::uint64_t seed) {
  const std::int64_t rows = data.x.rows();
  GLIA_CHECK(rows > 0 && data.y.min() < data.y.max(), glia::ValueError,
             "the images are of one kind, expected "
             "some to tell apart: use more of them, with --images");
  std::vector<std::vector<std::int64_t>> of_class(10);
  for (std::int64_t i = 0; i < rows; ++i) of_class[static_cast<std::size_t>(data.y(i))].push_back(i);
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> left, right;
  std::vector<float> same;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto& alike = of_class[static_cast<std::size_t>(data.y(i))];
    std::int64_t other = i;
    while (data.y(other) == data.y(i))
      other = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(rows));
    left.insert(left.end(), {i, i});
    right.insert(right.end(), {alike[random() % alike.size()], other});
    same.insert(same.end(), {1, 0});
  }
  return {data.x.rows(left), data.x.rows(right), glia::Tensor(same)};
}

/// The images of the classes up to, and not including, bags and ankle boots; and those of these two.
struct Kinds {
  glia::Dataset seen, unseen;
};
Kinds divide(const glia::Dataset& data) {
  return {glia::Dataset(data.x.where(data.y < 8), data.y.where(data.y < 8)),
          glia::Dataset(data.x.where(data.y >= 8), data.y.where(data.y >= 8))};
}

void run(const samples::FashionMnistOptions& options) {
  const auto [train, test] = samples::fashion_mnist(options);
  const auto [seen, unseen] = divide(test);
  const Pairs pairs = make_pairs(divide(train).seen, options.seed);

  glia::Sequential encoder{glia::Input({28, 28}),
                           glia::Reshape({28, 28, 1}),
                           glia::Conv2D(16, 3, "relu"),
                           glia::MaxPooling2D(),
                           glia::Conv2D(32, 3, "relu"),
                           glia::MaxPooling2D(),
                           glia::Flatten(),
                           glia::Dense(32)};
  encoder.set_name("encoder");
  glia::Symbol left = glia::Input({28, 28}, "left"), right = glia::Input({28, 28}, "right");
  glia::Symbol distance = glia::sum(glia::square(encoder(left) - encoder(right)));
  // The probability that both are of a kind: 1 where they are at one place. The loss draws pairs of a kind together by -log
  // of it, the squared distance, and pushes others apart.
  glia::Model model({left, right}, {glia::exp(-distance)});
  model.set_seed(options.seed);
  model.compile(
      {.optimizer = "adam", .loss = "binary_crossentropy", .metrics = "accuracy", .device = options.device});
  model.summary();
  model.fit({pairs.left, pairs.right}, pairs.same,
            {.epochs = options.epochs, .batch_size = 64, .verbose = 2});

  glia::Model distances({left, right}, {distance});  // a part of the model
  std::cout << "\nTest pairs of      Accuracy  Distance of the same  Of others\n"
            << std::fixed << std::setprecision(3);
  for (const auto& [kinds, data] :
       {std::pair("kinds it knows", &seen), std::pair("bags and boots", &unseen)}) {
    const auto [a, b, same] = make_pairs(*data, options.seed + 1);
    const double accuracy = model.evaluate({a, b}, same, {.batch_size = 256, .verbose = 0})["accuracy"];
    const glia::Tensor apart = distances.predict({a, b}, {.batch_size = 256, .verbose = 0});
    std::cout << std::left << std::setw(16) << kinds << std::right << std::setw(11) << accuracy
              << std::setw(22) << apart.where(same == 1).mean() << std::setw(11)
              << apart.where(same == 0).mean() << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  samples::FashionMnistOptions options;
  options.epochs = 3;
  options.images = 20'000;
  CLI::App app("Learns whether two images show things of one kind.");
  samples::add_fashion_mnist_options(app, options);
  return samples::run(app, argc, argv, [&] { run(options); });
}
