// How weights start: Keras's variance scaling over Philox draws.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/initializers.h>
#include <glia/math/philox.h>  // defines: Philox

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glia {
namespace {

/// Deviation of a standard normal that is cut at two deviations.
constexpr double truncated_deviation = 0.87962566103423978;

/// Keras's compute_fans: a convolution's kernel (..., in, out) counts its receptive field.
double fan_of(const Shape& shape, Fan fan) {
  if (shape.rank() == 0) return 1;
  if (shape.rank() == 1) return static_cast<double>(shape[0]);
  double field = 1;
  for (std::int64_t dimension : shape.slice(0, shape.rank() - 2)) field *= static_cast<double>(dimension);
  const double in = field * static_cast<double>(shape[shape.rank() - 2]);
  const double out = field * static_cast<double>(shape.back());
  return fan == Fan::in ? in : fan == Fan::out ? out : (in + out) / 2;
}

/// values = uniform in [low, high); a block of Philox serves four of them.
void fill_uniform(std::vector<float>& values, const Philox& philox, float low, float high) {
  const float middle = (low + high) / 2, limit = (high - low) / 2;
  for (std::size_t i = 0; i < values.size(); i += 4) {
    const PhiloxBlock block = philox.block(i / 4);
    const std::size_t count = std::min<std::size_t>(4, values.size() - i);
    for (std::size_t j = 0; j < count; ++j) {
      const float unit = static_cast<float>(block.word[j] >> 8) * (1.0f / 16777216.0f);
      values[i + j] = middle + (2.0f * unit - 1.0f) * limit;
    }
  }
}

/// The index-th standard normal number within two deviations. Box and Muller (1958) make two of two words;
/// the first of a block's four that lies inside is taken, from the next block where none does (1 in 230,000).
/// Each index has eight blocks of its own, so that its number depends on no other's.
double truncated_normal(const Philox& philox, std::uint64_t index) {
  constexpr double two_pi = 6.283185307179586, two_to_minus_32 = 1.0 / 4294967296.0;
  for (std::uint64_t draw = 8 * index;; ++draw) {
    const PhiloxBlock block = philox.block(draw);
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * std::log((block.word[pair] + 1.0) * two_to_minus_32));
      const double angle = two_pi * (block.word[pair + 1] * two_to_minus_32);
      const double first = radius * std::cos(angle);
      if (std::abs(first) < 2) return first;
      const double second = radius * std::sin(angle);
      if (std::abs(second) < 2) return second;
    }
  }
}

/// The index-th standard normal number.
double normal(const Philox& philox, std::uint64_t index) {
  constexpr double two_pi = 6.283185307179586, two_to_minus_32 = 1.0 / 4294967296.0;
  const PhiloxBlock block = philox.block(index);
  return std::sqrt(-2 * std::log((block.word[0] + 1.0) * two_to_minus_32)) *
         std::cos(two_pi * (block.word[1] * two_to_minus_32));
}

template <class Draw>
void fill_normal(std::vector<float>& values, const Philox& philox, double mean, double deviation,
                 const Draw& draw) {
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(mean + deviation * draw(philox, i));
}

void fill(std::vector<float>&, const Zeros&, const Shape&, const Philox&) {}
void fill(std::vector<float>& values, const Ones&, const Shape&, const Philox&) {
  std::fill(values.begin(), values.end(), 1.0f);
}
void fill(std::vector<float>& values, const Constant& initializer, const Shape&, const Philox&) {
  std::fill(values.begin(), values.end(), static_cast<float>(initializer.value));
}
void fill(std::vector<float>& values, const RandomNormal& initializer, const Shape&, const Philox& philox) {
  fill_normal(values, philox, initializer.mean, initializer.stddev, normal);
}
void fill(std::vector<float>& values, const TruncatedNormal& initializer, const Shape&,
          const Philox& philox) {
  fill_normal(values, philox, initializer.mean, initializer.stddev, truncated_normal);
}
void fill(std::vector<float>& values, const RandomUniform& initializer, const Shape&, const Philox& philox) {
  fill_uniform(values, philox, static_cast<float>(initializer.minval),
               static_cast<float>(initializer.maxval));
}

void fill(std::vector<float>& values, const VarianceScaling& initializer, const Shape& shape,
          const Philox& philox) {
  const double variance = initializer.scale / std::max(1.0, fan_of(shape, initializer.mode));
  const auto limit = static_cast<float>(std::sqrt(3 * variance));
  switch (initializer.distribution) {
    case Distribution::uniform:
      return fill_uniform(values, philox, -limit, limit);
    case Distribution::untruncated_normal:
      return fill_normal(values, philox, 0, std::sqrt(variance), normal);
    case Distribution::truncated_normal:
      return fill_normal(values, philox, 0, std::sqrt(variance) / truncated_deviation, truncated_normal);
  }
}

/// Normal vectors, each freed of its parts along those before it, twice, since once leaves rounding errors
/// (Gram and Schmidt, modified).
void fill(std::vector<float>& values, const Orthogonal& initializer, const Shape& shape,
          const Philox& philox) {
  GLIA_CHECK(shape.rank() >= 2, ShapeError, "orthogonal is for weights of two dimensions and more, got ",
             shape, ": use another initializer there");
  const auto columns = static_cast<std::size_t>(shape.back()),
             rows = values.size() / std::max<std::size_t>(columns, 1);
  const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
  std::vector<std::vector<double>> vectors(count, std::vector<double>(length));
  for (std::size_t v = 0; v < count; ++v) {
    std::vector<double>& x = vectors[v];
    for (std::size_t i = 0; i < length; ++i) x[i] = normal(philox, v * length + i);
    for (std::size_t before = 0; before < 2 * v; ++before) {
      const std::vector<double>& other = vectors[before % v];
      const double dot = std::inner_product(x.begin(), x.end(), other.begin(), 0.0);
      for (std::size_t i = 0; i < length; ++i) x[i] -= dot * other[i];
    }
    const double norm = std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    for (double& element : x) element /= norm;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t row = i / columns, column = i % columns;
    values[i] =
        static_cast<float>(initializer.gain * (rows < columns ? vectors[row][column] : vectors[column][row]));
  }
}

void fill(std::vector<float>& values, const Identity& initializer, const Shape& shape, const Philox&) {
  GLIA_CHECK(shape.rank() == 2, ShapeError, "identity is for weights of two dimensions, got ", shape,
             ": use another initializer there");
  const auto columns = static_cast<std::size_t>(shape.back());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i / columns == i % columns) values[i] = static_cast<float>(initializer.gain);
}

}  // namespace

std::vector<float> initial_values(const Initializers& initializer, const Shape& shape, std::uint64_t seed,
                                  std::uint64_t variable) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  const Philox philox{seed, Purpose::initial_weights, variable};
  std::visit([&](const auto& member) { fill(values, member, shape, philox); }, initializer);
  return values;
}

}  // namespace glia
