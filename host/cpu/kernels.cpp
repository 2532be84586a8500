// The CPU's kernels, compiled once for each instruction set with GLIA_ISA naming it. Nothing here may throw
// or instantiate a template of the standard library out of line: tests/isa_symbols.sh reads the object file.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernel_table.h>
#include <kernels/lower.h>

#include <cstring>
#include <type_traits>

namespace glia::cpu {
inline namespace GLIA_ISA {
namespace {

using kernels::SerialBlock;
using kernels::Work;

/// Elements that make a slice worth a hand-over to another thread.
constexpr std::int64_t slice_elements = 8192;
constexpr std::int64_t max_slices = 64;

std::int64_t slices_for(const Work& work) {
  if (work.kind == Work::exactly) return work.count;
  const std::int64_t wanted = (work.count * work.columns + slice_elements - 1) / slice_elements;
  // Neither a row nor a tile of columns is cut.
  const std::int64_t pieces = work.kind == Work::tiles
                                  ? (work.count + SerialBlock::tile - 1) / SerialBlock::tile
                              : work.kind == Work::rows ? work.count
                                                        : max_slices;
  const std::int64_t most = pieces < max_slices ? pieces : max_slices;
  return wanted < 1 ? 1 : (wanted < most ? wanted : (most < 1 ? 1 : most));
}

template <class Kernel>
void run_slice(const void* kernel, std::int64_t index, std::int64_t count) {
  SerialBlock block(index, count);
  (*static_cast<const Kernel*>(kernel))(block);
}

/// A launcher, as kernels/lower.h wants one, that keeps what it is given: the last of it.
struct Binder {
  BoundKernel& bound;
  template <class Kernel>
  void operator()(const Kernel& kernel, const Work& work) const {
    static_assert(sizeof(Kernel) <= sizeof(bound.kernel) && std::is_trivially_copyable_v<Kernel>);
    std::memcpy(bound.kernel, &kernel, sizeof kernel);
    bound.function = &run_slice<Kernel>;
    bound.slices = slices_for(work);
  }
};

/// All of it.
struct Collector {
  BoundKernels& bound;
  template <class Kernel>
  void operator()(const Kernel& kernel, const Work& work) const {
    Binder{bound.kernels[bound.count++]}(kernel, work);
  }
};

BoundKernels elementary(const Descriptor& descriptor, const Bindings& bindings) {
  BoundKernels bound;
  kernels::select(
      [&](const auto& d) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(d)>, op::Matmul>)
          kernels::lower(d, bindings, Collector{bound});
      },
      descriptor);
  return bound;
}

BoundKernel product(const op::Matmul& d, const Bindings& bindings, const Region& r) {
  BoundKernel bound;
  kernels::lower_product(d, bindings, r.row, r.rows, r.column, r.columns, Binder{bound});
  return bound;
}

BoundKernel epilogue(const op::Epilogue& d, const Bindings& bindings, const Region& r) {
  BoundKernel bound;
  kernels::lower_epilogue(d, bindings, r.row, r.rows, r.column, r.columns, Binder{bound});
  return bound;
}

BoundKernel bias_gradient(const op::Matmul& d, const Bindings& bindings) {
  BoundKernel bound;
  kernels::lower_bias_gradient(d, bindings, Binder{bound});
  return bound;
}

}  // namespace

extern const KernelTable table;
const KernelTable table = {&elementary, &product, &epilogue, &bias_gradient};

}  // namespace GLIA_ISA
}  // namespace glia::cpu
