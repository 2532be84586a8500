// The table that Model::summary() prints, in Keras's form.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/model/core.h>

#include <ostream>

namespace glia {

/// Prints the layers with the shapes of their outputs for one row and the numbers of their parameters, for a model that is no
/// chain also what each is connected to, and then counts and sizes.
void print_summary(std::ostream& out, const Core& model);

}  // namespace glia
