// The update of Muon, which is made of products.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/optimizers.h>
#include <host/layers/emitter.h>
#include <host/program/update.h>  // defines: Trained

#include <vector>

namespace glia {

/// `all` as AdamW would update every weight; the matrices among them go by their momentum made orthogonal.
void emit_muon(Emitter& emitter, const Muon& muon, const op::Optimize& all,
               const std::vector<Trained>& weights);

}  // namespace glia
