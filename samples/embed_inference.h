// The application of embed_inference, but for where it computes: points that move on circles, and a model that has learnt to
// say in which of three rings a point is.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#if defined(__CUDACC__)
#define SAMPLE_HD __host__ __device__
#else
#define SAMPLE_HD
#endif

namespace samples {

constexpr int rings = 3;

struct Point {
  float x, y;
};

/// Where a point is at a tick: each has a radius of its own, between 0 and 3, and a speed.
SAMPLE_HD inline Point point_at(std::int64_t number, std::int64_t tick) {
  const auto hash = static_cast<std::uint32_t>(number) * 2654435761u;
  const float radius = static_cast<float>(hash >> 8) / (1 << 24) * rings;
  const float angle = 0.01f * static_cast<float>(tick) * (1.0f + static_cast<float>(hash & 255u) / 256.0f);
  return {radius * cosf(angle), radius * sinf(angle)};
}

SAMPLE_HD inline int ring_of(const Point& point) {
  const float radius = sqrtf(point.x * point.x + point.y * point.y);
  return radius < 1 ? 0 : radius < 2 ? 1 : 2;
}

/// The most probable class.
SAMPLE_HD inline int best_of(const float* probabilities) {
  int best = 0;
  for (int c = 1; c < rings; ++c)
    if (probabilities[c] > probabilities[best]) best = c;
  return best;
}

inline glia::Sequential model_of_rings(const std::string& device, std::uint64_t seed) {
  std::vector<float> x, y;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const Point point = point_at(i, 37 * i);
    x.insert(x.end(), {point.x, point.y}), y.push_back(static_cast<float>(ring_of(point)));
  }
  glia::Sequential model{glia::Input({2}), glia::Dense(32, "relu"), glia::Dense(32, "relu"),
                         glia::Dense(rings, "softmax")};
  model.set_seed(seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.01},
                 .loss = "sparse_categorical_crossentropy",
                 .device = device});
  model.fit(glia::Tensor(x, {4000, 2}), glia::Tensor(y), {.epochs = 15, .verbose = 0});
  return model;
}

/// What the application counted: points in each ring as the model says, and how often that is so.
inline void print_counts(const int* counts, std::int64_t right, std::int64_t ticks, std::int64_t points) {
  std::cout << ticks << " ticks of " << points << " points; in the rings";
  for (int ring = 0; ring < rings; ++ring) std::cout << ' ' << counts[ring];
  std::cout << std::fixed << std::setprecision(3) << "; "
            << static_cast<double>(right) / static_cast<double>(ticks * points) << " of them right\n";
}

}  // namespace samples
