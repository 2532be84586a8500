// The mathematical functions of kernels as a GPU has them: CUDA's are within one or a few units in the last place (CUDA C++
// Programming Guide, "Mathematical Functions"), as glibc's are, but not the same numbers. The linker sends calls of these here
// (--wrap); those that IEEE 754 rounds in one way (sqrt, fma) stay. Glia's own exp, tanh, ... of float32 are not among them.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {
namespace {

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// One for a whole process, in which a test may choose other seeds for the order of things.
std::uint64_t seed() {
  static const char* const chosen = std::getenv("GLIA_CUDA_DOUBLE_SEED");
  return chosen ? std::strtoull(chosen, nullptr, 10) : 1;
}

/// A function's value, at most `bound` units in the last place off, and as many as a test allows: the same for the same
/// arguments. 0, 1, infinities and NaN stay.
template <class T>
T moved(T value, int bound, T x, T y = 0) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto most = static_cast<std::uint64_t>(std::min(settings().ulps, bound));
  if (most == 0 || value == T(0) || std::fabs(value) == T(1) || !std::isfinite(value)) return value;
  const std::uint64_t drawn = mixed(mixed(mixed(seed()) + std::bit_cast<Bits>(x)) + std::bit_cast<Bits>(y));
  const Bits bits =
      std::bit_cast<Bits>(value) + static_cast<Bits>(drawn % (2 * most + 1)) - static_cast<Bits>(most);
  const T result = std::bit_cast<T>(bits);
  return std::isfinite(result) && std::signbit(result) == std::signbit(value) ? result : value;
}

}  // namespace
}  // namespace glia::cuda_double

using glia::cuda_double::moved;

#define GLIA_MOVED(name, T, bound) \
  T __real_##name(T x);            \
  T __wrap_##name(T x) { return moved<T>(__real_##name(x), bound, x); }
#define GLIA_MOVED_OF_TWO(name, T, bound) \
  T __real_##name(T x, T y);              \
  T __wrap_##name(T x, T y) { return moved<T>(__real_##name(x, y), bound, x, y); }

// With the greatest error that CUDA documents. tests/cuda_double/CMakeLists.txt reads the names from these lines.
extern "C" {

GLIA_MOVED(cosf, float, 2)
GLIA_MOVED(cos, double, 2)
GLIA_MOVED(erff, float, 2)
GLIA_MOVED(erf, double, 2)
GLIA_MOVED(exp, double, 1)
GLIA_MOVED(expm1f, float, 1)
GLIA_MOVED(expm1, double, 1)
GLIA_MOVED(logf, float, 1)
GLIA_MOVED(log, double, 1)
GLIA_MOVED(log1pf, float, 1)
GLIA_MOVED(log1p, double, 1)
GLIA_MOVED(tanh, double, 2)
GLIA_MOVED_OF_TWO(powf, float, 4)
GLIA_MOVED_OF_TWO(pow, double, 2)

}  // extern "C"
