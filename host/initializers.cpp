// How weights start: Keras's variance scaling over Philox draws.
// SPDX-License-Identifier: Apache-2.0
#include <glia/initializers.h>
#include <glia/math/philox.h>  // defines: Philox

#include <algorithm>
#include <cmath>
#include <type_traits>

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
  return fan == Fan::in ? in : (in + out) / 2;
}

/// values = uniform in [-limit, limit); a block of Philox serves four of them.
void fill_uniform(std::vector<float>& values, const Philox& philox, float limit) {
  for (std::size_t i = 0; i < values.size(); i += 4) {
    const PhiloxBlock block = philox.block(i / 4);
    const std::size_t count = std::min<std::size_t>(4, values.size() - i);
    for (std::size_t j = 0; j < count; ++j) {
      const float unit = static_cast<float>(block.word[j] >> 8) * (1.0f / 16777216.0f);
      values[i + j] = (2.0f * unit - 1.0f) * limit;
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

void fill(std::vector<float>& values, const VarianceScaling& initializer, const Shape& shape,
          const Philox& philox) {
  const double variance = initializer.scale / std::max(1.0, fan_of(shape, initializer.fan));
  if (!initializer.normal) return fill_uniform(values, philox, static_cast<float>(std::sqrt(3 * variance)));
  const double deviation = std::sqrt(variance) / truncated_deviation;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(deviation * truncated_normal(philox, i));
}

}  // namespace

std::vector<float> initial_values(const Initializers& initializer, const Shape& shape, std::uint64_t seed,
                                  std::uint64_t variable) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  std::visit(
      [&](const auto& member) {
        using Member = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<Member, Ones>)
          std::fill(values.begin(), values.end(), 1.0f);
        else if constexpr (!std::is_same_v<Member, Zeros>)
          fill(values, member, shape, Philox{seed, Purpose::initial_weights, variable});
      },
      initializer);
  return values;
}

}  // namespace glia
