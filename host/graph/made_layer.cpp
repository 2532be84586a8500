// The classes of layers, all of them.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/graph/graph_layer.h>
#include <host/graph/made_layer.h>
#include <host/layers/layer_node.h>

#include <vector>

namespace glia {
namespace {

using Classes = LayerClasses (*)();
constexpr Classes all[] = {dense_classes,         convolution_classes,      transpose_classes,
                           activation_classes,    flatten_classes,          input_classes,
                           noise_classes,         normalization_classes,    pooling_classes,
                           resizing_classes,      embedding_classes,        merging_classes,
                           dot_classes,           operation_classes,        augmentation_classes,
                           residual_classes,      masking_classes,          recurrent_classes,
                           bidirectional_classes, time_distributed_classes, multi_head_attention_classes,
                           dot_attention_classes};

const LayerClass& class_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Classes classes : all)
    for (const LayerClass& one : classes()) {
      if (one.name == name) return one;
      names.emplace_back(one.name);
    }
  throw ValueError(detail::unknown_name("layer", detail::escaped(name), names));
}

}  // namespace

void expect_layer_class(const std::string& class_name) { class_named(class_name); }

Layer made_layer(const std::string& class_name, bool is_own, Config& config) {
  std::string name;
  Shape input_shape;
  bool trainable = true;
  config.field("name", name), config.field("trainable", trainable), config.field("input_shape", input_shape);
  Layer layer = is_own ? registered_layer(class_name, config) : class_named(class_name).make(config);
  config.finish();
  LayerNode& node = layer.node();
  node.name = name, node.trainable = trainable;
  if (input_shape.empty()) return layer;
  node.declare_input_shape(input_shape);
  checked_elements(input_shape.prepend(8));  // throws where 64 bits do not hold a few rows
  return layer;
}

}  // namespace glia
