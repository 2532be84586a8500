// Emission of an activation: shared by Dense and Activation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/activations.h>
#include <host/layers/emitter.h>

namespace glia {

/// y = function(z); nothing is emitted for linear, whose output is z.
Emitted emit_activation(Emitter& emitter, const Activations& function, const View& z);

}  // namespace glia
