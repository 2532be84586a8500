// What layers are called with: Keras says some of it in the call that Glia has among the layer's inputs and options.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "interchange/keras/json.h"

namespace glia::keras {

/// One application of a layer, in Glia's words.
struct Call {
  Json places{Json::Kind::array};    ///< [[layer, application, output], ...], its inputs
  Json options{Json::Kind::object};  ///< of the layer's, that Keras says here: {"use_causal_mask": true}
  Json mask = {};   ///< the place of a mask that Keras 3 found by itself; null where there is none
  Json shape = {};  ///< of its first input, [null, 5, 6]; null where the file does not say it
};

/// Of a layer's inbound_nodes one, as Keras 3 or 2 has it. `layer`: how messages call it; `type`: its class; `is_frozen`: whether it says so.
/// Throws ValueError for arguments that Glia has not.
Call read_call(const Json& node, const std::string& layer, const std::string& type, bool is_frozen,
               bool is_keras_2);

/// Keras 3's {"args", "kwargs"} for a layer in Glia's words at these places. `mask`: the place of one that Keras does not find by itself;
/// null where there is none.
Json write_call(const Json& layer, const Json& places, const Json& mask);

/// Takes what Keras says in calls out of a layer's options.
void take_call_options(const std::string& type, Json& config);

/// Whether Keras 3 tells layers of this class the mask of their input, as an argument "mask".
bool is_told_mask(const std::string& type);

/// Of Keras 3's word for a symbol, {"class_name": "__keras_tensor__", ...}: its place, [layer, application, output]; null for
/// anything else.
const Json* place_of_symbol(const Json& keras);
/// Whether it is a place, [layer, application, output] or more.
bool is_place(const Json& json);
/// The first three of a place.
Json place_of(const Json& json);

}  // namespace glia::keras
