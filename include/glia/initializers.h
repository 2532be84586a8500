// Initializers: how weights start. Drawn on the host, keyed by the model's seed and the number of the
// variable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/shape.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace GLIA_API glia {

struct Zeros {
  static constexpr auto name = "zeros";
  static constexpr auto short_name = "zero";
};
struct Ones {
  static constexpr auto name = "ones";
  static constexpr auto short_name = "one";
};
struct Constant {
  static constexpr auto name = "constant";
  double value = 0;
};

struct RandomNormal {
  static constexpr auto name = "random_normal";
  static constexpr auto short_name = "normal";
  double mean = 0;
  double stddev = 0.05;
  std::string invalid() const { return stddev >= 0 ? "" : "random_normal's stddev must be at least 0"; }
};
/// Drawn again beyond two deviations; not widened, as VarianceScaling's are.
struct TruncatedNormal {
  static constexpr auto name = "truncated_normal";
  double mean = 0;
  double stddev = 0.05;
  std::string invalid() const { return stddev >= 0 ? "" : "truncated_normal's stddev must be at least 0"; }
};
struct RandomUniform {
  static constexpr auto name = "random_uniform";
  static constexpr auto short_name = "uniform";
  double minval = -0.05;
  double maxval = 0.05;
  std::string invalid() const {
    return minval <= maxval ? "" : "random_uniform's minval must be at most maxval";
  }
};

/// What sqrt(scale / fan) takes as fan: the inputs, the outputs, or the mean of both.
enum class Fan { in, out, average };
enum class Distribution { truncated_normal, untruncated_normal, uniform };

/// Uniform in +-sqrt(3 scale / fan), or normal with standard deviation sqrt(scale / fan), cut at two
/// deviations and widened by 1 / 0.87962566 so that the cut restores the deviation. Source: Keras's
/// VarianceScaling.
struct VarianceScaling {
  static constexpr auto name = "variance_scaling";
  double scale = 1;
  Fan mode = Fan::in;
  Distribution distribution = Distribution::truncated_normal;
  std::string invalid() const { return scale > 0 ? "" : "variance_scaling's scale must be above 0"; }
};

// Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998.
struct GlorotUniform : VarianceScaling {
  static constexpr auto name = "glorot_uniform";
  GlorotUniform() : VarianceScaling{1, Fan::average, Distribution::uniform} {}
};
struct GlorotNormal : VarianceScaling {
  static constexpr auto name = "glorot_normal";
  GlorotNormal() : VarianceScaling{1, Fan::average, Distribution::truncated_normal} {}
};
struct HeUniform : VarianceScaling {
  static constexpr auto name = "he_uniform";
  HeUniform() : VarianceScaling{2, Fan::in, Distribution::uniform} {}
};
struct HeNormal : VarianceScaling {
  static constexpr auto name = "he_normal";
  HeNormal() : VarianceScaling{2, Fan::in, Distribution::truncated_normal} {}
};
struct LecunUniform : VarianceScaling {
  static constexpr auto name = "lecun_uniform";
  LecunUniform() : VarianceScaling{1, Fan::in, Distribution::uniform} {}
};
struct LecunNormal : VarianceScaling {
  static constexpr auto name = "lecun_normal";
  LecunNormal() : VarianceScaling{1, Fan::in, Distribution::truncated_normal} {}
};

/// gain times a matrix (product of all but the last dimension, last) whose shorter side is orthonormal (Saxe et
/// al. 2014). For shapes of two dimensions and more.
struct Orthogonal {
  static constexpr auto name = "orthogonal";
  double gain = 1;
};
/// gain on the diagonal of a matrix, else 0.
struct Identity {
  static constexpr auto name = "identity";
  double gain = 1;
};

using Initializers = std::variant<Zeros, Ones, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform,
                                  LecunNormal, Constant, RandomNormal, TruncatedNormal, RandomUniform,
                                  VarianceScaling, Orthogonal, Identity>;

/// Values of a variable of `shape` (fan in and out are its last two dimensions, times those before),
/// row-major. `variable` numbers the model's variables, so that each has draws of its own. Throws ShapeError
/// where the initializer is not for such a shape.
std::vector<float> initial_values(const Initializers& initializer, const Shape& shape, std::uint64_t seed,
                                  std::uint64_t variable);

}  // namespace glia
