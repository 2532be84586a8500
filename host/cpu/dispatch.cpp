// Chooses, at run time, which compilation of the kernels this processor runs.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/kernel_table.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace glia::cpu {

// GLIA_X86_64_LEVELS says which of these were compiled.
namespace x86_64_v2 {
extern const KernelTable table;
}
namespace x86_64_v3 {
extern const KernelTable table;
}
namespace x86_64_v4 {
extern const KernelTable table;
}
namespace baseline {
extern const KernelTable table;
}

namespace {

struct Candidate {
  Kernels kernels;
  bool supported;
};

// What each level of the x86-64 psABI asks for beyond the one before (its section 3.1.1, micro-architecture
// levels).
std::vector<Candidate> candidates() {
  std::vector<Candidate> result;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  static_cast<void>(v4);  // of the levels that were compiled
#if defined(GLIA_KERNELS_X86_64_V4)
  result.push_back({{"x86-64-v4", &x86_64_v4::table}, v4});
#endif
#if defined(GLIA_KERNELS_X86_64_V3)
  result.push_back({{"x86-64-v3", &x86_64_v3::table}, v3});
#endif
#if defined(GLIA_KERNELS_X86_64_V2)
  result.push_back({{"x86-64-v2", &x86_64_v2::table}, v2});
#endif
#else
  result.push_back({{"baseline", &baseline::table}, true});
#endif
  return result;
}

}  // namespace

Kernels choose_kernels() {
  const char* wanted = std::getenv("GLIA_CPU_ISA");
  std::string known;
  for (const Candidate& candidate : candidates()) {
    known += (known.empty() ? "" : ", ") + std::string(candidate.kernels.instruction_set);
    if (wanted && *wanted && std::string(wanted) != candidate.kernels.instruction_set) continue;
    if (candidate.supported) return candidate.kernels;
    GLIA_CHECK(!wanted || !*wanted, DeviceError, "$GLIA_CPU_ISA asks for ", wanted,
               ", which this processor does not have: unset it");
  }
  if (wanted && *wanted)
    throw ValueError(detail::concat("$GLIA_CPU_ISA is \"", wanted, "\", expected one of ", known,
                                    ": correct or unset it"));
  throw DeviceError(
      detail::concat("this processor runs none of ", known,
                     ", which this build of Glia has kernels for; build it with GLIA_X86_64_LEVELS of v2"));
}

}  // namespace glia::cpu
