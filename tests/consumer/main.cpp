// Learns OR with nothing but the public interface, to show that an outside project compiles, links and runs.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <iostream>

int main() {
  const glia::Tensor x{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const glia::Tensor y{0, 1, 1, 1};

  glia::Sequential model{glia::Dense(8, "relu"), glia::Dense(1, "sigmoid")};
  model.compile(
      {.optimizer = glia::Adam{.learning_rate = 0.05}, .loss = "binary_crossentropy", .metrics = "accuracy"});
  model.fit(x, y, {.epochs = 200, .batch_size = 4, .verbose = 0});
  const glia::Logs score = model.evaluate(x, y, {.verbose = 0});

  std::cout << "glia " << glia::version << ": " << score << "\n";
  return score["accuracy"] == 1.0 ? 0 : 1;
}
