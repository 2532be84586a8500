// The classes of layers that Keras and Glia share: what Keras says of each that Glia has no word for, and their weights.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "interchange/keras/json.h"

namespace glia::keras {

/// An option of Keras's that Glia has not. What it may be is JSON, several with '|' between; "*" is anything.
struct Extra {
  const char* name;
  const char* accepted;
  const char* written;  ///< JSON; null: Keras's default is left to Keras
};

struct LayerClass {
  const char* name;  ///< Keras's, and Glia's
  std::vector<Extra> extras = {};
};

/// Null for a class that the two do not share.
const LayerClass* layer_class(const std::string& name);
/// Options that any layer may have.
const std::vector<Extra>& common_extras();
/// The names of all classes, for messages.
std::vector<std::string> layer_class_names();

/// Takes the extras out of a layer's config. `layer` is said in messages: layer "drop" (Dropout). Throws ValueError for one that asks
/// for what Glia has not.
void take_extras(Json& config, const std::vector<Extra>& extras, const std::string& layer);

/// The names in Glia of the weights that Keras keeps of a layer, in its order, by its class and Glia's config. A Normalization that was
/// given mean and variance has none, and else a "count" of rows behind them, which Glia does not have.
std::vector<std::string> weights_of(const std::string& class_name, const Json& config);

/// Weights by the part of a layer that has them: Keras's path of it below the layer's, "/query_dense", or "" for the layer itself.
struct WeightsBelow {
  std::string path;
  std::vector<std::string> weights;
};
/// Of a layer without layers within it, those that Keras keeps, as weights_of says them.
std::vector<WeightsBelow> weights_below(const std::string& class_name, const Json& config);

/// Of weights_of, whether an optimizer changes it.
bool is_trained_weight(const std::string& weight);

/// Glia's name of a metric that may be given by the name of its class: "auc" of AUC.
std::string metric_name(const std::string& given);

/// Axes of a layer's batches, given those of its first input; 0 where that is not known.
int rank_behind(const std::string& class_name, const Json& config, int rank);

}  // namespace glia::keras
