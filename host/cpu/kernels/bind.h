// What every family of the CPU's kernels needs: kernels bound to their arguments, and cut into slices. Compiled once for each
// instruction set, with GLIA_ISA naming it. Nothing here may throw or instantiate a template of the standard library out
// of line: tests/isa_symbols.sh reads the object files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/cpu/kernel_table.h>
#include <kernels/block.h>     // defines: SerialBlock
#include <kernels/families.h>  // defines: ProductFamily, ...

#include <cstring>
#include <type_traits>

namespace glia::cpu {
inline namespace GLIA_ISA {

/// Elements that make a slice worth a hand-over to another thread; and fewer than so many are one slice, which is done before another
/// thread has its elements in its cache.
constexpr std::int64_t slice_elements = 8192, elements_of_one_thread = 20480;
constexpr std::int64_t max_slices = 64;

inline std::int64_t slices_for(const kernels::Work& work) {
  using kernels::Work;
  if (work.kind == Work::exactly) return work.count;
  const std::int64_t elements = work.count * work.columns;
  if (elements < elements_of_one_thread) return 1;
  const std::int64_t wanted = (elements + slice_elements - 1) / slice_elements;
  const std::int64_t pieces = work.kind == Work::elements ? max_slices : work.count;  // no row is cut
  const std::int64_t most = pieces < max_slices ? pieces : max_slices;
  return wanted < most ? wanted : most;
}

template <class Kernel>
void run_slice(const void* kernel, std::int64_t index, std::int64_t count) {
  kernels::SerialBlock block(index, count);
  (*static_cast<const Kernel*>(kernel))(block);
}

/// A launcher, as kernels/lower.h wants one, that keeps what it is given: the last of it.
struct Binder {
  BoundKernel& bound;
  template <class Kernel>
  void operator()(const Kernel& kernel, const kernels::Work& work) const {
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
  void operator()(const Kernel& kernel, const kernels::Work& work) const {
    Binder{bound.kernels[bound.count++]}(kernel, work);
  }
};

/// What every translation unit of a family defines: binds the kernels of a descriptor of its own, and of any other
/// returns false.
bool bind_products(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_images(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_layers(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_losses(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_updates(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_merge(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_sequences(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_attention(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);
bool bind_few_rows(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound);

/// Parts of a product: see KernelTable.
BoundKernel bind_product(const op::Matmul& matmul, const Bindings& bindings, const Region& region);
BoundKernel bind_epilogue(const op::Epilogue& epilogue, const Bindings& bindings, const Region& region);
BoundKernel bind_bias_gradient(const op::Matmul& matmul, const Bindings& bindings);
BoundKernel bind_stage(const op::Recurrent& d, const RecurrentStage& stage, const RowRange& rows,
                       const Bindings& bindings);
BoundKernel bind_gradient_stage(const op::RecurrentGradient& d, const RecurrentStage& stage,
                                const RowRange& rows, const Bindings& bindings);
std::int64_t packed_size(std::int64_t k, std::int64_t n);
void pack_weights(const Weights& weights, std::int64_t part, std::int64_t parts, float* packed);
void multiply_rows(const float* a, std::int64_t a_stride, std::int64_t rows, const Weights& weights,
                   const float* packed, float* out, std::int64_t out_stride);
std::int64_t attention_room(const op::Attention& d);
void attend(const op::Attention& d, const Bindings& at, std::int64_t i, float* room);
std::int64_t attention_gradient_room(const op::AttentionGradient& d);
void attend_back(const op::AttentionGradient& d, const Bindings& at, std::int64_t i, float* room);
void copy_patches(const op::ConvolutionWeights& convolution, const float* x, std::int64_t first,
                  std::int64_t count, float* patches);
void add_to_totals(double* totals, const float* part, std::int64_t n, bool first);
void store_totals(double* totals, std::int64_t parts, std::int64_t n, std::int64_t columns, float* out,
                  std::int64_t stride);

}  // namespace GLIA_ISA
}  // namespace glia::cpu
