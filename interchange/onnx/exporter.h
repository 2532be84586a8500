// Exporter: a model's description and weights as an ONNX graph, layer by layer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/model.h>
#include <interchange/onnx/graph_writer.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace glia::onnx {

using Json = nlohmann::ordered_json;
using Values = std::vector<ValuePtr>;

class Exporter;

/// A layer that is applied.
struct Applied {
  Exporter& to;
  const Json& json;    ///< {"class_name", "config"}
  const Json& config;  ///< what it was made of
  const Values& in;
  Shape row;  ///< of its output; empty for a layer whose parts are exported

  const ValuePtr& x() const { return in[0]; }
  std::string type() const { return json.at("class_name"); }
  std::string name() const { return config.at("name"); }
};

/// What writes the operators of a class of layers.
using LayerExport = ValuePtr (*)(const Applied&);
using LayerExports = std::vector<std::pair<const char*, LayerExport>>;
LayerExports element_exports();
LayerExports convolution_exports();
LayerExports image_exports();
LayerExports merge_exports();
LayerExports operation_exports();
LayerExports product_exports();

class Exporter {
 public:
  Exporter(GraphWriter& graph, const Model& model);

  /// Values by the places of a graph's inputs; those of its outputs.
  Values graph(const Json& config, const Values& inputs, const std::string& prefix);
  ValuePtr chain(const Json& layers, ValuePtr x);
  /// A layer of the list, wherever it is described.
  ValuePtr layer(const Json& json, const Values& inputs);

  GraphWriter& onnx() { return graph_; }

  /// A weight of the layer, and one of which it has none where `fallback` stands.
  const Tensor& weight(const Applied& layer, const char* name) const;
  /// The same as a constant, in an order of axes: {3, 2, 0, 1} puts the last axis in front. Empty: as it is.
  std::string constant(const Applied& layer, const char* name, const std::vector<int>& order = {},
                       const Shape& shape = {});
  /// Numbers of the exporter's own making, one a feature, called `name` below the layer's path.
  std::string numbers(const Applied& layer, const char* name, const std::vector<float>& values,
                      const Shape& shape);

  /// x through operators that work on each element alone, in the order of axes in which it stands.
  template <class Make>
  ValuePtr each(const ValuePtr& x, Make&& make) {
    return each(x, x->row, make);
  }
  /// Through one that gives rows of another shape.
  template <class Make>
  ValuePtr each(const ValuePtr& x, const Shape& row, Make&& make) {
    auto y = std::make_shared<Value>(Value{row, {}, {}});
    if (x->first.empty())
      y->last = make(x->last);
    else
      y->first = make(x->first);
    return y;
  }
  ValuePtr last(const Shape& row, const std::string& name) {
    return std::make_shared<Value>(Value{row, name, {}});
  }
  ValuePtr first(const Shape& row, const std::string& name) {
    return std::make_shared<Value>(Value{row, {}, name});
  }
  /// The function that a layer ends in; "linear" is nothing.
  ValuePtr activated(const Json& function, const ValuePtr& x);

 private:
  /// Where a layer is described: its numbers count those that ended before it.
  struct Known {
    const Json* json;
    std::string path;
  };
  void number(const Json& json, const std::string& prefix);
  Known known(const Json& json) const;
  static Shape shape_of(const Json& json, const Values& inputs);

  GraphWriter& graph_;
  std::vector<Known> numbers_;                          // of layers, as "shared_layer" counts them
  std::unordered_map<const Json*, std::string> paths_;  // of what is described
  std::map<std::string, Tensor> weights_;
  std::unordered_map<std::string, std::string> constants_;
};

}  // namespace glia::onnx
