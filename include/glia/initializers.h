// Initializers: how weights start. Drawn on the host, keyed by the model's seed and the number of the
// variable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/shape.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace glia {

struct Zeros {
  static constexpr auto name = "zeros";
};
struct Ones {
  static constexpr auto name = "ones";
};

/// What sqrt(scale / fan) takes as fan: the inputs, or the mean of inputs and outputs.
enum class Fan { in, average };

/// Uniform in +-sqrt(3 scale / fan), or normal with standard deviation sqrt(scale / fan), cut at two
/// deviations and widened by 1 / 0.87962566 so that the cut restores the deviation. Source: Keras's
/// VarianceScaling.
struct VarianceScaling {
  double scale = 1;
  Fan fan = Fan::in;
  bool normal = false;
};

// Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998.
struct GlorotUniform : VarianceScaling {
  static constexpr auto name = "glorot_uniform";
  GlorotUniform() : VarianceScaling{1, Fan::average, false} {}
};
struct GlorotNormal : VarianceScaling {
  static constexpr auto name = "glorot_normal";
  GlorotNormal() : VarianceScaling{1, Fan::average, true} {}
};
struct HeUniform : VarianceScaling {
  static constexpr auto name = "he_uniform";
  HeUniform() : VarianceScaling{2, Fan::in, false} {}
};
struct HeNormal : VarianceScaling {
  static constexpr auto name = "he_normal";
  HeNormal() : VarianceScaling{2, Fan::in, true} {}
};
struct LecunUniform : VarianceScaling {
  static constexpr auto name = "lecun_uniform";
  LecunUniform() : VarianceScaling{1, Fan::in, false} {}
};
struct LecunNormal : VarianceScaling {
  static constexpr auto name = "lecun_normal";
  LecunNormal() : VarianceScaling{1, Fan::in, true} {}
};

using Initializers =
    std::variant<Zeros, Ones, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal>;

/// Values of a variable of `shape` (fan in and out are its last two dimensions, times those before),
/// row-major. `variable` numbers the model's variables, so that each has draws of its own.
std::vector<float> initial_values(const Initializers& initializer, const Shape& shape, std::uint64_t seed,
                                  std::uint64_t variable);

}  // namespace glia
