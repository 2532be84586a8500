// Noise that layers add while they train, and what random units draw: what each does with an element and the random numbers of its
// place, forward and backward, so that nothing needs to be kept between the two. Formulas of layers as in Keras 3.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::sqrt, log, cos
#include <glia/math/philox.h>     // defines: PhiloxBlock

#include <cstdint>
#include <variant>

namespace GLIA_API glia {

namespace math {

/// A standard normal number of two 32-bit words (Box and Muller 1958).
template <class T>
GLIA_HD T normal_of(std::uint32_t radius_word, std::uint32_t angle_word) {
  const T u = (static_cast<T>(radius_word >> 8) + T(1)) * T(1.0 / 16777216.0);  // in (0, 1]
  const T angle = static_cast<T>(angle_word >> 8) * T(2 * 3.14159265358979323846 / 16777216.0);
  return sqrt(T(-2) * log(u)) * cos(angle);
}

}  // namespace math

// Each has
//   words                  how many 32-bit words an element takes: a block of Philox serves 4 / words elements
//   forward(x, words), backward(gradient, words)
//                          or forward(in, out, positions, stride, words), of all elements that share a draw, which lie `stride`
//                          apart; out may be in

/// Zero with probability `rate`, else x / (1 - rate). An integer comparison decides, so that every device drops the
/// same elements.
struct DropoutNoise {
  static constexpr auto name = "dropout";
  static constexpr int words = 1;
  std::uint32_t dropped_below = 0;  ///< rate * 2^32
  double scale = 1;                 ///< 1 / (1 - rate)

  template <class T>
  GLIA_HD T forward(T x, const std::uint32_t* word) const {
    return *word < dropped_below ? T(0) : x * static_cast<T>(scale);
  }
  template <class T>
  GLIA_HD T backward(T gradient, const std::uint32_t* word) const {
    return forward(gradient, word);
  }
};

/// x + stddev * a standard normal number.
struct AdditiveNoise {
  static constexpr auto name = "gaussian_noise";
  static constexpr int words = 2;
  double stddev = 0;

  template <class T>
  GLIA_HD T forward(T x, const std::uint32_t* word) const {
    return x + static_cast<T>(stddev) * math::normal_of<T>(word[0], word[1]);
  }
  template <class T>
  GLIA_HD T backward(T gradient, const std::uint32_t*) const {
    return gradient;
  }
};

/// x * (1 + stddev * a standard normal number).
struct MultiplicativeNoise {
  static constexpr auto name = "gaussian_dropout";
  static constexpr int words = 2;
  double stddev = 0;

  template <class T>
  GLIA_HD T forward(T x, const std::uint32_t* word) const {
    return x * (T(1) + static_cast<T>(stddev) * math::normal_of<T>(word[0], word[1]));
  }
  template <class T>
  GLIA_HD T backward(T gradient, const std::uint32_t* word) const {
    return forward(gradient, word);
  }
};

/// Selu's least value in place of dropped elements, then a x + b, which keeps mean and variance (Klambauer et
/// al. 2017).
struct AlphaDropoutNoise {
  static constexpr auto name = "alpha_dropout";
  static constexpr int words = 1;
  std::uint32_t dropped_below = 0;
  double a = 1, b = 0, dropped = 0;

  template <class T>
  GLIA_HD T forward(T x, const std::uint32_t* word) const {
    return static_cast<T>(a) * (*word < dropped_below ? static_cast<T>(dropped) : x) + static_cast<T>(b);
  }
  template <class T>
  GLIA_HD T backward(T gradient, const std::uint32_t* word) const {
    return *word < dropped_below ? T(0) : static_cast<T>(a) * gradient;
  }
};

/// 1 with probability x, else 0: a binary unit. A uniform number of 24 bits is compared with x, so that every device draws the same
/// from the same x; NaN stays. Backward the gradient passes, as Bengio, Leonard and Courville 2013 estimate it (straight through).
struct BernoulliNoise {
  static constexpr auto name = "bernoulli";
  static constexpr int words = 1;

  template <class T>
  GLIA_HD T forward(T x, const std::uint32_t* word) const {
    return static_cast<T>(static_cast<T>(*word >> 8) * T(1.0 / 16777216.0) < x) + (x - x);  // no branch
  }
  template <class T>
  GLIA_HD T backward(T gradient, const std::uint32_t*) const {
    return gradient;
  }
};

/// 1 - x at one of the positions that share a draw, each as likely, x at the others: a bit of each row is flipped.
struct FlipNoise {
  static constexpr auto name = "flip";
  static constexpr int words = 1;

  template <class T>
  GLIA_HD void forward(const T* in, T* out, std::int64_t positions, std::int64_t stride,
                       const std::uint32_t* word) const {
    const std::int64_t flipped = chosen(positions, *word);
    for (std::int64_t p = 0; p < positions; ++p)
      out[p * stride] = p == flipped ? T(1) - in[p * stride] : in[p * stride];
  }
  template <class T>
  GLIA_HD void backward(const T* gradient, T* out, std::int64_t positions, std::int64_t stride,
                        const std::uint32_t* word) const {
    const std::int64_t flipped = chosen(positions, *word);
    for (std::int64_t p = 0; p < positions; ++p)
      out[p * stride] = p == flipped ? -gradient[p * stride] : gradient[p * stride];
  }

 private:
  GLIA_HD static std::int64_t chosen(std::int64_t positions, std::uint32_t word) {
    return static_cast<std::int64_t>(word * static_cast<std::uint64_t>(positions) >> 32);
  }
};

/// 1 at one of the positions that share a draw, 0 at the others: each with a probability in proportion to its x, which are at least
/// 0. Of x that are all 0 none is 1; NaN stays. The first whose sum with those before it is above u * the sum of all, u a uniform
/// number of 24 bits: one whose x is 0 never is. Backward the gradient passes.
struct CategoricalNoise {
  static constexpr auto name = "categorical";
  static constexpr int words = 1;

  template <class T>
  GLIA_HD void forward(const T* in, T* out, std::int64_t positions, std::int64_t stride,
                       const std::uint32_t* word) const {
    T all = 0, sum = 0;
    for (std::int64_t p = 0; p < positions; ++p) all += in[p * stride];
    const T limit = static_cast<T>(*word >> 8) * T(1.0 / 16777216.0) * all;
    for (std::int64_t p = 0; p < positions; ++p) {
      const T x = in[p * stride], before = sum;
      sum += x;
      out[p * stride] = static_cast<T>(before <= limit && sum > limit) + (x - x);
    }
  }
  template <class T>
  GLIA_HD void backward(const T* gradient, T* out, std::int64_t positions, std::int64_t stride,
                        const std::uint32_t*) const {
    for (std::int64_t p = 0; p < positions; ++p) out[p * stride] = gradient[p * stride];
  }
};

using Noises = std::variant<DropoutNoise, AdditiveNoise, MultiplicativeNoise, AlphaDropoutNoise,
                            BernoulliNoise, FlipNoise, CategoricalNoise>;

}  // namespace glia
