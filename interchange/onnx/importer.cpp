// Importer: the file around the operators: inputs, outputs, the order of reading, weights.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <interchange/onnx/importer.h>
#include <interchange/onnx/shortened.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace glia::onnx {
namespace {

using Json = nlohmann::ordered_json;

constexpr char marker = '=';  // before the names that the file gives, until Glia has given the others
constexpr int most_nodes = 20'000, most_ends = 1'000;
constexpr int most_operators = 3'000;  // that are layers: Glia looks at a graph on the stack
constexpr std::int64_t most_elements = std::int64_t{1} << 40;  // of a row
constexpr std::int64_t free_elements = 4'000'000;  // that a model may have beyond the file's: 16 MB

const std::unordered_map<std::string, OperatorRead>& reads() {
  static const auto* const all = [] {
    auto* const table = new std::unordered_map<std::string, OperatorRead>;
    for (const auto& family :
         {element_reads(), arithmetic_reads(), product_reads(), window_reads(), shape_reads()})
      table->insert(family.begin(), family.end());
    return table;
  }();
  return *all;
}

std::string shown(const std::string& name) { return '"' + detail::escaped(name.substr(0, 200)) + '"'; }

/// Operators that keep each element at its place.
bool keeps_places(const std::string& op) {
  static const auto* const ops = new std::unordered_set<std::string>{
      "Add", "Sub",  "Mul",  "Div",      "Relu",    "LeakyRelu", "Clip", "Sigmoid", "Tanh",
      "Elu", "Selu", "Cast", "Identity", "Dropout", "Pad",       "Sqrt", "Neg",     "Abs"};
  return ops->count(op) != 0;
}
/// Operators whose inputs have the channels first.
bool is_channels_first(const std::string& op) {
  static const auto* const ops = new std::unordered_set<std::string>{
      "Conv",          "ConvTranspose",      "MaxPool", "AveragePool", "GlobalAveragePool",
      "GlobalMaxPool", "BatchNormalization", "Resize",  "Upsample"};
  return ops->count(op) != 0;
}

}  // namespace

std::string layer_name(const std::string& name) {
  std::string result;
  for (const char c : name.substr(0, 200)) result += c > ' ' && c < 127 && c != '"' ? c : '_';
  return result;
}

Importer::Importer(format::Model& file, std::size_t bytes, const LoadOptions& options)
    : graph_(file.graph()),
      file_(file),
      options_(options),
      budget_(free_elements + static_cast<std::int64_t>(bytes / sizeof(float))) {}

void Importer::check_file() {
  for (const format::OperatorSet& set : file_.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx") operator_set_ = set.version();
  GLIA_CHECK(operator_set_ >= 7 && operator_set_ <= 100, ValueError, "it is of operator set ", operator_set_,
             ", expected one from 7 on: write it with a newer version of the program that wrote it");
  GLIA_CHECK(graph_.node_size() <= most_nodes, ValueError, "it has ", graph_.node_size(),
             " nodes, expected at most ", most_nodes);
  GLIA_CHECK(graph_.output_size() >= 1 && graph_.output_size() <= most_ends && graph_.input_size() >= 1,
             ValueError, "its graph has ", graph_.input_size(), " inputs and ", graph_.output_size(),
             " outputs, expected at least one of both, and at most ", most_ends, " outputs");
  for (const format::Tensor& tensor : graph_.initializer()) {
    try {
      GLIA_CHECK(values_.emplace(tensor.name(), Given(Constant(tensor))).second, ValueError,
                 "there is another of that name");
    } catch (const Error& error) {
      throw ValueError(detail::concat("initializer ", shown(tensor.name()), ": ", error.what()));
    }
  }
}

std::vector<bool> Importer::needed_nodes() const {
  std::unordered_set<std::string> wanted;
  for (const format::ValueInfo& output : graph_.output()) wanted.insert(output.name());
  std::vector<bool> needed(static_cast<std::size_t>(graph_.node_size()));
  for (int i = graph_.node_size(); i-- > 0;) {
    const format::Node& node = graph_.node(i);
    for (const std::string& output : node.output())
      if (!output.empty() && wanted.count(output) != 0) needed[static_cast<std::size_t>(i)] = true;
    if (!needed[static_cast<std::size_t>(i)]) continue;
    for (const std::string& input : node.input()) wanted.insert(input);
  }
  return needed;
}

/// By the first operators that it reaches, as elements at their places.
bool Importer::takes_channels_first(const std::string& input) const {
  std::vector<std::string> names{input};
  std::unordered_set<std::string> seen{input};
  while (!names.empty()) {
    const std::string name = std::move(names.back());
    names.pop_back();
    const auto found = readers_.find(name);
    if (found == readers_.end()) continue;
    for (const format::Node* const node : found->second) {
      if (is_channels_first(node->op_type())) return true;
      if (keeps_places(node->op_type()) && node->output_size() > 0 && seen.insert(node->output(0)).second)
        names.push_back(node->output(0));
    }
  }
  return false;
}

void Importer::read_inputs() {
  std::vector<const format::ValueInfo*> infos;
  for (const format::ValueInfo& info : graph_.input())
    if (values_.count(info.name()) == 0)
      infos.push_back(&info);  // old files list their weights among the inputs
  GLIA_CHECK(!infos.empty() && infos.size() <= most_ends, ValueError, "its graph has ", infos.size(),
             " inputs that are no weights, expected at least one, and at most ", most_ends);
  for (const format::ValueInfo* const info : infos) {
    const format::Dimensions& dims = info->type().tensor_type().shape();
    Shape shape;
    GLIA_CHECK(dims.dim_size() >= 1 && dims.dim_size() <= 6, ValueError, "input ", shown(info->name()),
               " has ", dims.dim_size(), " dimensions, expected 1 to 6, of which the first counts rows");
    if (dims.dim(0).dim_value() > 0) rows_ = dims.dim(0).dim_value();
    for (int i = 1; i < dims.dim_size(); ++i) {
      const std::int64_t dimension = dims.dim(i).dim_value();
      GLIA_CHECK(dimension >= 1 && dimension <= 1 << 24, ValueError, "input ", shown(info->name()),
                 " has no fixed dimension ", i, " (", dimension,
                 "), expected one from 1 to 2^24: export the model "
                 "with fixed sizes, but for the batch");
      shape.push_back(dimension);
    }
    const bool is_first = !options_.channels_first && shape.rank() == 3 && takes_channels_first(info->name());
    const Order order = shape.empty() ? Order::scalar : is_first ? Order::first : Order::plain;
    const Shape row = shape.empty() ? Shape{1} : is_first ? Shape{shape[1], shape[2], shape[0]} : shape;
    const Symbol symbol = Input(row, marker + layer_name(info->name()));
    inputs_.push_back(symbol);
    values_.emplace(info->name(), Given(symbol, order));
  }
}

void Importer::read_node(const format::Node& one) {
  Node node(one);
  try {
    GLIA_CHECK(node.domain().empty() || node.domain() == "ai.onnx", ValueError, "its domain ",
               shown(node.domain()), " is none of ONNX's own, for whose operators Glia has layers");
    bool all_constant = node.inputs() > 0;
    for (int i = 0; i < node.inputs(); ++i)
      if (node.has_input(i)) all_constant = given(node, i).constant && all_constant;
    std::optional<Constant> constant;
    if (all_constant || node.op() == "Constant") constant = folded(*this, node);
    if (constant) {
      put(node, Given(std::move(*constant)));
    } else {
      const auto found = reads().find(node.op());
      GLIA_CHECK(found != reads().end(), ValueError, "Glia has no layer for the operator ", shown(node.op()),
                 " (docs/onnx.md says what travels)");
      GLIA_CHECK(!all_constant, ValueError,
                 "all that it reads is constant: simplify the file first, with onnxsim for example");
      GLIA_CHECK(++operators_ <= most_operators, ValueError, "it is one of more than ", most_operators,
                 " that depend on the model's inputs");
      found->second(*this, node);
    }
    node.finish();
  } catch (const Error& error) {
    throw ValueError(node.title() + ": " + error.what());
  }
}

std::vector<Symbol> Importer::read_outputs() {
  std::vector<Symbol> outputs;
  for (const format::ValueInfo& info : graph_.output()) {
    try {
      const Given& value = given(info.name());
      GLIA_CHECK(
          value.symbol, ValueError,
          value.constant ? "it is a constant" : "it ends within a formula that Glia has as a whole alone");
      const bool stays =
          value.order != Order::flattened && !(options_.channels_first && value.order == Order::first);
      Symbol symbol = stays ? *value.symbol : plain(value);
      const bool is_there = std::find(outputs.begin(), outputs.end(), symbol) != outputs.end() ||
                            std::find(inputs_.begin(), inputs_.end(), symbol) != inputs_.end();
      if (is_there) symbol = Activation("linear")(symbol);  // which computes nothing, and has a name
      outputs.push_back(symbol);
    } catch (const Error& error) {
      throw ValueError(detail::concat("output ", shown(info.name()), ": ", error.what()));
    }
  }
  return outputs;
}

Model Importer::model() {
  check_file();
  shorten(*file_.mutable_graph());
  const std::vector<bool> needed = needed_nodes();
  for (int i = 0; i < graph_.node_size(); ++i)
    if (needed[static_cast<std::size_t>(i)])
      for (const std::string& input : graph_.node(i).input()) readers_[input].push_back(&graph_.node(i));
  for (const format::ValueInfo& output : graph_.output()) outputs_.insert(output.name());
  read_inputs();
  for (int i = 0; i < graph_.node_size(); ++i)
    if (needed[static_cast<std::size_t>(i)] && joined_.count(&graph_.node(i)) == 0) read_node(graph_.node(i));
  const std::vector<Symbol> outputs = read_outputs();
  values_.clear();
  readers_.clear(), joined_.clear();
  // What the layers have by now is gone before their weights are made: initializers, and the constants among the nodes.
  google::protobuf::RepeatedPtrField<format::Tensor>().Swap(file_.mutable_graph()->mutable_initializer());
  google::protobuf::RepeatedPtrField<format::Node>().Swap(file_.mutable_graph()->mutable_node());
  std::unordered_map<std::string, std::string> names;
  Model model = named(Model(inputs_, outputs, {.name = layer_name(graph_.name())}), names);
  if (options_.device || options_.context) {
    CompileOptions where;
    where.device = options_.device, where.context = options_.context;
    model.compile(where);
  }
  for (auto& [layer, weights] : weights_) {
    model.layer(names.at(layer.name())).set_weights(weights);
    weights.clear();
  }
  return model;
}

Model Importer::named(const Model& draft, std::unordered_map<std::string, std::string>& names) const {
  Json json = Json::parse(draft.to_json());
  Json& config = json.at("config");
  std::unordered_set<std::string> taken;
  const auto name = [&](const std::string& old, const std::string& wanted) {
    if (names.count(old) != 0) return;
    std::string result = wanted.empty() ? "value" : wanted;
    for (int counter = 1; !taken.insert(result).second; ++counter)
      result = wanted + '_' + std::to_string(counter);
    names[old] = result;
  };
  const std::vector<std::string> outputs = draft.output_names();
  for (std::size_t i = 0; i < outputs.size(); ++i)
    name(outputs[i], layer_name(graph_.output(static_cast<int>(i)).name()));
  for (const bool given : {true, false})  // before those that Glia gave
    for (const Json& layer : config.at("layers")) {
      const auto old = layer.at("name").get<std::string>();
      if ((old[0] == marker) == given) name(old, given ? old.substr(1) : old);
    }
  const auto rename = [&](Json& place) { place.at(0) = names.at(place.at(0).get<std::string>()); };
  for (Json& layer : config.at("layers")) {
    layer.at("config").at("name") = layer.at("name") = names.at(layer.at("name").get<std::string>());
    for (Json& application : layer.at("inbound_nodes"))
      for (Json& place : application) rename(place);
  }
  for (const char* const ends : {"input_layers", "output_layers"})
    for (Json& place : config.at(ends)) rename(place);
  return Model::from_json(json.dump());
}

const Given& Importer::given(const std::string& name) const {
  const Given* const found = find(name);
  GLIA_CHECK(found, ValueError, "it reads ", shown(name),
             ", which no input, initializer or node before it gives");
  return *found;
}
const Given* Importer::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}
const Given& Importer::given(const Node& node, int input) const {
  GLIA_CHECK(node.has_input(input), ValueError, "it has no input ", input, ", which it needs");
  return given(node.input(input));
}
const Given& Importer::dynamic(const Node& node, int input) const {
  const Given& value = given(node, input);
  GLIA_CHECK(value.symbol, ValueError, "its input ", shown(node.input(input)),
             value.constant ? " is a constant, expected a value that depends on the model's inputs"
                            : " is within a formula of which Glia has only the whole (GELU, Where)");
  return value;
}
bool Importer::is_constant(const Node& node, int input) const {
  return given(node, input).constant != nullptr;
}
const Constant& Importer::constant(const Node& node, int input) const {
  const Given& value = given(node, input);
  GLIA_CHECK(value.constant, ValueError, "its input ", shown(node.input(input)),
             " depends on the model's inputs, expected a constant");
  return *value.constant;
}
std::optional<double> Importer::number(const Node& node, int input) const {
  if (!node.has_input(input)) return std::nullopt;
  return constant(node, input).number();
}
std::optional<Integers> Importer::list(Node& node, const char* attribute, int input) const {
  if (node.has(attribute)) return node.integers(attribute, {});
  if (!node.has_input(input)) return std::nullopt;
  return constant(node, input).integers();
}

const std::string& Importer::output_of(const Node& node) const {
  const auto found = joined_outputs_.find(node.output());
  return found == joined_outputs_.end() ? node.output() : found->second;
}

void Importer::put(const Node& node, Given value, int output) {
  const std::string& name = output == 0 ? output_of(node) : node.output(output);
  if (name.empty()) return;
  if (value.symbol) {
    const Shape& shape = value.symbol->shape();
    GLIA_CHECK(elements_of({shape.begin(), shape.end()}) <= most_elements, ValueError,
               "it gives rows of shape ", shape, ", which have more elements than Glia computes with");
  }
  GLIA_CHECK(values_.emplace(name, std::move(value)).second, ValueError, "its output ", shown(name),
             " is there already: every value has a name of its own");
}

Symbol Importer::weighted(const Layer& layer, const Symbol& x, std::vector<Tensor> weights) {
  const Symbol y = layer(x);
  weights_.emplace_back(layer, std::move(weights));
  return y;
}

std::string Importer::name_for(const std::string& weight) {
  const std::size_t end = weight.find_last_of("./");
  if (end == std::string::npos || end == 0) return "";
  const std::string name = marker + layer_name(weight.substr(0, end));
  return names_.insert(name).second ? name : "";
}

const format::Node* Importer::only_reader(const std::string& value) const {
  const auto found = readers_.find(value);
  if (outputs_.count(value) != 0 || found == readers_.end() || found->second.size() != 1) return nullptr;
  return found->second[0];
}

void Importer::join(Node& node, const format::Node& reader) {
  joined_.insert(&reader);
  joined_outputs_[node.output()] = reader.output(0);
}

ActivationName Importer::activation_after(Node& node, std::int64_t axis, std::int64_t rank) {
  const format::Node* const reader = only_reader(output_of(node));
  if (!reader || reader->output_size() != 1 || reader->input(0) != output_of(node)) return "linear";
  Node next(*reader);
  try {
    const std::optional<ActivationName> activation = activation_of(next, *this, axis, rank);
    if (!activation) return "linear";
    next.finish();
    join(node, *reader);
    return *activation;
  } catch (const Error&) {  // which it says again where it is read alone
    return "linear";
  }
}

void Importer::spend(std::int64_t elements) {
  budget_ -= elements;
  GLIA_CHECK(budget_ >= 0, ValueError, "its constants, repeated for each element of a row, have more than ",
             free_elements, " elements beyond those of the file");
}

}  // namespace glia::onnx
