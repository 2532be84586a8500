// KernelTable: the kernels as compiled for one instruction set. Plain data and function pointers, so that
// nothing of the standard library is shared between the copies (see kernels/block.h).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/recurrent_steps.h>

#include <cstddef>
#include <cstdint>

namespace glia::cpu {

/// A kernel with its arguments, bound: run(i, n) does slice i of n.
struct BoundKernel {
  void (*function)(const void* kernel, std::int64_t index, std::int64_t count) = nullptr;
  std::int64_t slices = 0;  ///< fixed by the shape, never by the number of threads
  alignas(16) std::byte kernel[576] = {};

  void run(std::int64_t index, std::int64_t count) const { function(kernel, index, count); }
};

/// What a descriptor takes, in order.
struct BoundKernels {
  BoundKernel kernels[3];
  int count = 0;
};

/// A rectangle of a product's output.
struct Region {
  std::int64_t row, rows, column, columns;
};

/// Some rows of a recurrent layer's.
struct RowRange {
  std::int64_t first, count;
};

/// A matrix (k, n) that many products have as their second factor.
struct Weights {
  const float* data;
  std::int64_t row_stride, column_stride, k, n;
};

struct KernelTable {
  BoundKernels (*elementary)(const Descriptor& descriptor,
                             const Bindings& bindings);  ///< any but a Matmul and a Recurrent
  BoundKernel (*product)(const op::Matmul& matmul, const Bindings& bindings, const Region& region);
  /// function is null where there is nothing to do
  BoundKernel (*epilogue)(const op::Epilogue& epilogue, const Bindings& bindings, const Region& region);
  BoundKernel (*bias_gradient)(const op::Matmul& matmul, const Bindings& bindings);
  /// What follows the product of a stage, of these rows.
  BoundKernel (*recurrent_stage)(const op::Recurrent& recurrent, const RecurrentStage& stage,
                                 const RowRange& rows, const Bindings& bindings);
  BoundKernel (*recurrent_gradient_stage)(const op::RecurrentGradient& gradient, const RecurrentStage& stage,
                                          const RowRange& rows, const Bindings& bindings);
  /// How many floats such a matrix takes once it is packed; packs one of so many parts of it.
  std::int64_t (*packed_size)(std::int64_t k, std::int64_t n);
  void (*pack_weights)(const Weights& weights, std::int64_t part, std::int64_t parts, float* packed);
  /// out (rows, n) = a (rows, k) times such a matrix, packed or, where `packed` is null and its column_stride 1, as it lies; the
  /// same bits.
  void (*multiply_rows)(const float* a, std::int64_t a_stride, std::int64_t rows, const Weights& weights,
                        const float* packed, float* out, std::int64_t out_stride);
  /// Attention in float32, of a row's head of keys, which of them all `head` counts; `room` is so many floats to work in.
  std::int64_t (*attention_room)(const op::Attention& attention);
  void (*attend)(const op::Attention& attention, const Bindings& bindings, std::int64_t head, float* room);
  std::int64_t (*attention_gradient_room)(const op::AttentionGradient& gradient);
  void (*attend_back)(const op::AttentionGradient& gradient, const Bindings& bindings, std::int64_t head,
                      float* room);
  /// patches (count, taps * channels) = what the windows of `count` pixels of the output, from `first` on, see of x; of a
  /// convolution without groups
  void (*copy_patches)(const op::ConvolutionWeights& convolution, const float* x, std::int64_t first,
                       std::int64_t count, float* patches);
  /// totals (n,) += part, or = with `first`
  void (*add_to_totals)(double* totals, const float* part, std::int64_t n, bool first);
  /// out, of rows of `columns` numbers `stride` apart, = the sums of the parts' totals (parts, n), in their order
  void (*store_totals)(double* totals, std::int64_t parts, std::int64_t n, std::int64_t columns, float* out,
                       std::int64_t stride);
};

/// The fastest that this processor runs; $GLIA_CPU_ISA (x86-64-v2, x86-64-v3, x86-64-v4) asks for a lower
/// one. Throws ValueError for a name that is none of these, DeviceError for one the processor lacks.
struct Kernels {
  const char* instruction_set;  ///< "x86-64-v4"
  const KernelTable* table;
};
Kernels choose_kernels();

}  // namespace glia::cpu
