// What compile was told, in words.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/base/json.h>
#include <host/model/core.h>

namespace glia {

/// Of a model that is compiled: optimizer, losses, metrics, precision, and which layers were found frozen. Throws ValueError for a
/// loss of the application's own.
Json compile_json(const Core& core);

/// The optimizer of such words, with the learning rate that it had last. Throws ValueError.
OptimizerName optimizer_in(const Json& compile);

/// Compiles by such words, on the device of `where`. Layers are frozen as they were where the words say which, and want to be trained as before then. Throws
/// ValueError for words that say nothing that can be.
void compile_as(Core& core, const Json& json, const CompileOptions& where);

}  // namespace glia
