// What the families of the GPU's kernels, a .cu file each, give to cuda/kernels.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels.h>   // defines: KernelLaunch, KernelParameter
#include <kernels/block.h>  // defines: kernels::Work

#include <vector>

namespace glia::cuda {

/// The launches of a descriptor, in order.
struct KernelList {
  unsigned most_blocks;
  std::vector<KernelLaunch> launches;

  void add(const void* function, const kernels::Work& work, const KernelParameter& parameter);
};

/// What every family defines: adds the kernels of a descriptor of its own, and of any other returns false.
bool collect_products(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_images(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_layers(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_losses(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_updates(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_merge(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_sequences(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_attention(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);
bool collect_few_rows(const Descriptor& descriptor, const Bindings& bindings, KernelList& list);

/// See cuda/kernels.h.
void collect_product(const op::Matmul& matmul, const Bindings& bindings, KernelList& list);
void collect_bias_gradient(const op::Matmul& matmul, const Bindings& bindings, KernelList& list);
void collect_epilogue(const op::Epilogue& epilogue, const Bindings& bindings, KernelList& list);
void collect_stage(const op::Recurrent& d, const RecurrentStage& stage, const Bindings& bindings,
                   KernelList& list);
void collect_stage(const op::RecurrentGradient& d, const RecurrentStage& stage, const Bindings& bindings,
                   KernelList& list);
void collect_transpose(const View& in, const View& out, const Bindings& bindings, KernelList& list);

}  // namespace glia::cuda
