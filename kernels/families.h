// Which kernels are compiled together: each family is a translation unit of the CPU, once an instruction set, and one of the
// GPU, so that a build uses every core and a change builds one family again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>  // defines: Descriptor

#include <type_traits>
#include <variant>

namespace glia::kernels {

/// A list of descriptors.
template <class... Members>
struct Family {
  template <class D>
  static constexpr bool has = (std::is_same_v<D, Members> || ...);

  /// Calls f(d) where the descriptor is of this family; else returns false. Not std::visit, which throws: see select().
  template <class F>
  static bool select(const Descriptor& descriptor, F&& f) {
    return ((std::get_if<Members>(&descriptor) && (f(*std::get_if<Members>(&descriptor)), true)) || ...);
  }
};

/// kernels/lower_products.h. A Matmul is done in parts, by functions of its own, where no library does it.
using ProductFamily = Family<op::Convolution, op::ConvolutionTranspose, op::ConvolutionWeights, op::Round>;

/// kernels/lower_images.h: images, and the rows of a batch.
using ImageFamily =
    Family<op::Gather, op::Augment, op::Scatter, op::Pool, op::PoolGradient, op::Shift, op::Upsample>;

/// kernels/lower_layers.h: what layers do that is neither a product nor of images.
using LayerFamily =
    Family<op::Map, op::MapGradient, op::SoftmaxRows, op::SoftmaxGradient, op::Noise, op::BatchNorm,
           op::BatchNormGradient, op::LayerNorm, op::LayerNormGradient, op::LayerNormWeights, op::Standardize,
           op::Prelu, op::PreluGradient, op::Lookup, op::LookupGradient>;

/// kernels/lower_losses.h
using LossFamily = Family<op::Loss, op::Tally, op::Fold>;

/// kernels/lower_updates.h: the step's state and the update of the parameters.
using UpdateFamily = Family<op::Begin, op::Schedule, op::Advance, op::Penalty, op::Accumulate, op::Squares,
                            op::Sums, op::RescaleToNorm, op::Optimize, op::MovingAverage, op::Constrain,
                            op::Momentum, op::Combine, op::Descend>;

/// kernels/lower_merge.h: what merges, cuts and rearranges tensors, and formulas on them.
using MergeFamily = Family<op::Copy, op::Binary, op::Reduce>;

/// kernels/lower_sequences.h. A Recurrent is done in steps, by functions of its own.
using SequenceFamily = Family<op::Fill, op::Mask>;

/// kernels/lower_attention.h
using AttentionFamily = Family<op::Attention, op::AttentionGradient>;

/// kernels/lower_few_rows.h: dense layers over a few rows.
using FewRowsFamily = Family<op::FewRows>;

namespace detail {
template <class D, class... Families>
constexpr bool has_one_family = (0 + ... + (Families::template has<D> ? 1 : 0)) == 1;

template <class... Families, class... Members>
constexpr bool each_has_a_family(const std::variant<Members...>*) {
  return ((Family<op::Matmul, op::Recurrent, op::RecurrentGradient, op::Custom>::has<Members> ||
           has_one_family<Members, Families...>)&&...);
}
static_assert(
    each_has_a_family<ProductFamily, ImageFamily, LayerFamily, LossFamily, UpdateFamily, MergeFamily,
                      SequenceFamily, AttentionFamily, FewRowsFamily>(
        static_cast<const Descriptor*>(nullptr)),
    "a descriptor but Matmul and Recurrent, and Custom, which is no kernel of ours, belongs to exactly one "
    "family");
}  // namespace detail

}  // namespace glia::kernels
