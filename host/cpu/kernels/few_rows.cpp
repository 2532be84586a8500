// The CPU's kernel of dense layers over a few rows.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_few_rows.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_few_rows(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::FewRowsFamily::select(
      descriptor, [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu
