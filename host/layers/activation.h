// Functions of elements: as the end of a layer, and as one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/math/activations.h>
#include <host/layers/emitter.h>

namespace glia {

/// y = function(z); nothing is emitted for linear, whose output is z.
Emitted emit_activation(Emitter& emitter, const Activations& function, const View& z);

/// A function of each element as a layer.
Layer element_layer(const char* type, const ElementwiseActivation& function);

}  // namespace glia
