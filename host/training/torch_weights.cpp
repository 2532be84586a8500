// Weights as PyTorch lays them out: matrices (out, in), filters (out, in, height, width), and the rows of a Dense behind a Flatten
// in the order (channels, height, width).
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph_layer.h>
#include <host/model/names.h>  // defines: named_variables
#include <host/training/torch_weights.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace glia {
namespace {

using Type = std::string_view;

/// The elements with their axes in another order; the tensor itself where it has another rank.
Tensor permuted(Tensor tensor, std::initializer_list<int> order) {
  if (tensor.rank() != static_cast<int>(order.size())) return tensor;
  Shape shape, steps, place;
  for (const int axis : order) {
    std::int64_t step = size_of(tensor.dtype());
    for (int behind = axis + 1; behind < tensor.rank(); ++behind) step *= tensor.shape()[behind];
    shape.push_back(tensor.shape()[axis]), steps.push_back(step), place.push_back(0);
  }
  Tensor result = Tensor::uninitialized(shape, tensor.dtype());
  const auto* from = static_cast<const char*>(tensor.raw());
  auto* to = static_cast<char*>(result.raw());
  const auto size = static_cast<std::size_t>(size_of(tensor.dtype()));
  for (std::int64_t i = 0; i < result.size(); ++i, to += size) {
    std::memcpy(to, from, size);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      from += steps[axis];
      if (++place[axis] < shape[axis]) break;
      from -= steps[axis] * place[axis], place[axis] = 0;
    }
  }
  return result;
}

/// Which layers read an image that was flattened, and its shape (..., channels).
class Flattened {
 public:
  explicit Flattened(const Graph& graph) { visit(graph, {}); }
  /// Rank 0 where there is none.
  Shape before(const LayerNode& layer) const {
    const auto found = images_.find(&layer);
    return found == images_.end() ? Shape() : found->second;
  }

 private:
  /// Of a value: whether PyTorch has its channels in front, and the image that it was before it was flattened.
  struct State {
    bool has_channels = false;
    Shape image = {};
  };

  State visit(const Graph& graph, const std::vector<State>& given) {
    std::vector<State> states;
    for (const Graph::Node& node : graph.nodes()) {
      std::vector<State> in;
      for (const Graph::Source& source : node.inputs) in.push_back(states[source.node]);
      const auto input = std::find(graph.inputs().begin(), graph.inputs().end(), states.size());
      const auto number = static_cast<std::size_t>(input - graph.inputs().begin());
      if (input != graph.inputs().end() && number < given.size())
        states.push_back(given[number]);
      else
        states.push_back(after(node.layer.node(), in));
    }
    return graph.outputs().empty() ? State{} : states[graph.outputs()[0].node];
  }

  State after(const LayerNode& layer, const std::vector<State>& in) {
    const Type type = layer.type();
    const State x = in.empty() ? State{} : in[0];
    if (x.image.rank() > 0) images_.emplace(&layer, x.image);
    if (const Graph* const within = graph_within(layer)) return visit(*within, in);
    if (in.empty()) return {layer.declared_input_shape.rank() == 3};
    if (type == "Residual") return chained(layer, x);
    if (type == "Dense" || type == "Embedding" || type == "Permute" || type == "Matmul" || type == "Dot")
      return {};
    if (type.find("Conv") != Type::npos) return {true};
    const Shape from = layer.input_shapes.empty() ? Shape() : layer.input_shapes[0];
    const bool changes = type == "Flatten" || type == "Reshape";
    if (changes && (x.has_channels ? from.rank() >= 2 : from.rank() == 3) && layer.output_shape.rank() == 1)
      return {false, from};
    return changes ? State{} : x;
  }
  State chained(const LayerNode& block, State x) {
    for (const Layer& layer : block.children) x = after(layer.node(), {x});
    return x;
  }

  std::unordered_map<const LayerNode*, Shape> images_;
};

/// Where one number stands for each element of a flattened image, or a row of a matrix: from (c, h, w) to (h, w, c).
Tensor channels_behind(Tensor tensor, const Shape& image) {
  if (image.rank() == 0 || tensor.rank() == 0 || tensor.shape()[0] != image.elements()) return tensor;
  const Shape shape = tensor.shape();
  const std::int64_t channels = image.back(), places = image.elements() / channels;
  const Tensor moved =
      permuted(std::move(tensor).reshape({channels, places, shape.elements() / shape[0]}), {1, 0, 2});
  return moved.reshape(shape);
}

/// A tensor of PyTorch's as this weight.
Tensor as_ours(Tensor tensor, const LayerNode& layer, const Variable& weight, const Shape& image) {
  const Type type = layer.type();
  const Shape& wanted = weight.shape;
  if (type == "Dense") return channels_behind(permuted(std::move(tensor), {1, 0}), image);
  if (weight.name == "kernel" || weight.name == "pointwise_kernel" || weight.name == "depthwise_kernel") {
    const bool by_channel = type == "DepthwiseConv2D" || weight.name == "depthwise_kernel";
    if (wanted.rank() == 3) return permuted(std::move(tensor), {2, 1, 0});
    if (!by_channel || tensor.size() != wanted.elements()) return permuted(std::move(tensor), {2, 3, 1, 0});
    return permuted(std::move(tensor).reshape({wanted[2], wanted[3], wanted[0], wanted[1]}), {2, 3, 0, 1});
  }
  if (type == "PReLU" && tensor.rank() == 1 && (tensor.size() == 1 || tensor.size() == wanted.back())) {
    Tensor all = Tensor::zeros(wanted, tensor.dtype());  // a slope for each element of a row
    const auto size = static_cast<std::size_t>(size_of(tensor.dtype()));
    for (std::int64_t i = 0; i < all.size(); ++i)
      std::memcpy(static_cast<char*>(all.raw()) + static_cast<std::size_t>(i) * size,
                  static_cast<const char*>(tensor.raw()) + static_cast<std::size_t>(i % tensor.size()) * size,
                  size);
    return all;
  }
  return wanted.rank() == 1 ? channels_behind(std::move(tensor), image) : std::move(tensor);
}

/// What PyTorch calls a weight of a module.
std::string torch_name(const std::string& weight) {
  if (weight == "beta") return "bias";
  if (weight == "moving_mean") return "running_mean";
  if (weight == "moving_variance") return "running_var";
  return weight == "bias" ? weight : "weight";
}

bool comes_before(const std::string& a, const std::string& b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    const std::size_t first_a = std::min(a.find_first_not_of('0', i), a.size()),
                      first_b = std::min(b.find_first_not_of('0', j), b.size());
    for (i = first_a; i < a.size() && is_digit(a[i]);) ++i;
    for (j = first_b; j < b.size() && is_digit(b[j]);) ++j;
    if (i - first_a != j - first_b) return i - first_a < j - first_b;
    if (const int order = a.compare(first_a, i - first_a, b, first_b, j - first_b); order != 0)
      return order < 0;
  }
  return a.size() - i < b.size() - j;
}

}  // namespace

std::vector<io::NamedTensor> from_torch(const Network& network, std::vector<io::NamedTensor> tensors,
                                        MatchBy by) {
  std::erase_if(tensors,
                [](const io::NamedTensor& one) { return one.name.ends_with("num_batches_tracked"); });
  std::unordered_map<std::string, io::NamedTensor*> by_name;
  std::vector<std::string> modules;  // with weights, in their order
  for (io::NamedTensor& one : tensors) {
    by_name.emplace(one.name, &one);
    const std::size_t dot = one.name.rfind('.');
    modules.push_back(dot == std::string::npos ? "" : one.name.substr(0, dot));
  }
  std::sort(modules.begin(), modules.end(), comes_before);
  modules.erase(std::unique(modules.begin(), modules.end()), modules.end());
  std::unordered_map<const Variable*, const LayerNode*> owners;
  for (const LayerNode* const layer : all_nodes(network.layers()))
    for (const Variable& variable : layer->variables) owners.emplace(&variable, layer);
  const Flattened flattened(network.graph());
  const LayerNode* last = nullptr;
  std::size_t next = 0;  // module, by order
  for (const auto& [name, variable] : named_variables(network.layers())) {
    const LayerNode& layer = *owners.at(variable);
    const bool is_pointwise = variable->name == "pointwise_kernel";
    if (last != &layer || is_pointwise) last = &layer, ++next;
    std::string module = name.substr(0, name.rfind('/'));
    std::replace(module.begin(), module.end(), '/', '.');
    if (Type(layer.type()) == "SeparableConv2D")
      module += variable->name == "depthwise_kernel" ? ".depthwise" : ".pointwise";
    if (by == MatchBy::order) module = next <= modules.size() ? modules[next - 1] : "";
    const std::string suffix = torch_name(variable->name);
    const auto found = by_name.find(module.empty() ? suffix : module + '.' + suffix);
    if (found == by_name.end()) continue;
    io::NamedTensor& one = *found->second;
    by_name.erase(found);
    one.name = name;
    one.tensor = as_ours(std::move(one.tensor), layer, *variable, flattened.before(layer));
  }
  return tensors;
}

}  // namespace glia
