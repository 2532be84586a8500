// From Keras's words to Glia's: what a model's config says, as Model::from_json and put_together take it. Throws ValueError, which
// names the layer and the option, for what Glia has not.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "interchange/keras/json.h"

namespace glia::keras {

/// What a file says of its whole model, beside the layers.
struct Policies {
  bool is_keras_2 = false;
  std::string dtype = {};      ///< "float32" or "float64"; empty until a layer says it
  std::string precision = {};  ///< "mixed_bfloat16" where a layer has that
  Json rows = {};              ///< how many each batch has, where an input says it
};

/// Notes the first size of a batch's shape.
inline void note_rows(const Json& batch_shape, Policies& policies) {
  if (!batch_shape.members.empty() && batch_shape.members[0].value.is(Kind::number))
    policies.rows = batch_shape.members[0].value;
}

// ---- options: read_options.cpp
Json read_activation(const Json& keras, const std::string& layer, const Policies& policies);
/// An initializer, a regularizer or a constraint.
Json read_named(const Json& keras, const std::string& layer, const std::string& option);
/// Notes a layer's dtype.
void read_policy(const Json& keras, const std::string& layer, Policies& policies);

// ---- layers: read_layers.cpp
struct ReadLayer {
  Json json;  ///< {"class_name", "config"}, Glia's
  int rank;   ///< axes of a batch that it gives, 0 where that is not known
};
/// One layer, but for models within models and operations. `rank`: of its first input.
ReadLayer read_layer(const Json& keras, int rank, Policies& policies);
/// "layer "dense" (Dense)", for messages.
std::string layer_said(const Json& keras);

// ---- operations: read_operations.cpp
/// Whether it is no layer but an operation on symbols.
bool is_operation(const Json& keras);
/// The layers, one behind the other, that compute what an operation does, in the form in which a Functional lists them, and the
/// last of them under its name.
std::vector<Json> read_operation(const Json& keras);

// ---- graphs: read_graph.cpp
/// {"class_name", "config"}: a Sequential or Functional as Glia describes it. `rank` as read_layer's.
ReadLayer read_graph(const Json& keras, int rank, Policies& policies);
/// A layer, or a model within the model.
ReadLayer read_any(const Json& keras, int rank, Policies& policies);
/// Places in a Functional's "input_layers", or "output_layers", one behind the other.
Json read_places(const Json& keras, const std::string& what);

// ---- what compile was told: read_compile.cpp
/// As "compile" of Glia's files; null where there is nothing that can be compiled again. `outputs`: the names of the model's.
Json read_compile(const Json& keras, const std::vector<std::string>& outputs, const Policies& policies);

}  // namespace glia::keras
