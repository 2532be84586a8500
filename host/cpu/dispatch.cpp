// Chooses, at run time, which compilation of the kernels this processor runs.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/kernel_table.h>

#include <array>
#include <cstdlib>
#include <string>

namespace glia::cpu {

#if defined(GLIA_KERNELS_X86_64)
namespace x86_64_v2 {
extern const KernelTable table;
}
namespace x86_64_v3 {
extern const KernelTable table;
}
namespace x86_64_v4 {
extern const KernelTable table;
}
#else
namespace baseline {
extern const KernelTable table;
}
#endif

namespace {

struct Candidate {
  Kernels kernels;
  bool supported;
};

#if defined(GLIA_KERNELS_X86_64)
// What each level of the x86-64 psABI asks for beyond the one before (its section 3.1.1, micro-architecture
// levels).
std::array<Candidate, 3> candidates() {
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return {{{{"x86-64-v4", &x86_64_v4::table}, v4},
           {{"x86-64-v3", &x86_64_v3::table}, v3},
           {{"x86-64-v2", &x86_64_v2::table}, v2}}};
}
#else
std::array<Candidate, 1> candidates() { return {{{{"baseline", &baseline::table}, true}}}; }
#endif

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
  throw DeviceError("this processor has no SSE 4.2, which x86-64-v2 asks for; Glia cannot compute on it");
}

}  // namespace glia::cpu
