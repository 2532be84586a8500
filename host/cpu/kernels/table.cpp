// The table of one instruction set's kernels, by which the library reaches them.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>

namespace glia::cpu {
inline namespace GLIA_ISA {
namespace {

BoundKernels elementary(const Descriptor& descriptor, const Bindings& bindings) {
  BoundKernels bound;
  static_cast<void>(bind_products(descriptor, bindings, bound) || bind_images(descriptor, bindings, bound) ||
                    bind_layers(descriptor, bindings, bound) || bind_losses(descriptor, bindings, bound) ||
                    bind_updates(descriptor, bindings, bound) || bind_merge(descriptor, bindings, bound) ||
                    bind_sequences(descriptor, bindings, bound) ||
                    bind_attention(descriptor, bindings, bound) ||
                    bind_few_rows(descriptor, bindings, bound));
  return bound;
}

}  // namespace

extern const KernelTable table;
const KernelTable table = {&elementary,    &bind_product,        &bind_epilogue, &bind_bias_gradient,
                           &bind_stage,    &bind_gradient_stage, &packed_size,   &pack_weights,
                           &multiply_rows, &attention_room,      &attend,        &attention_gradient_room,
                           &attend_back,   &copy_patches,        &add_to_totals, &store_totals};

}  // namespace GLIA_ISA
}  // namespace glia::cpu
