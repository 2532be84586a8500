// Nodes that change nothing, left out.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <interchange/onnx/attribute.h>
#include <interchange/onnx/constant.h>
#include <interchange/onnx/shortened.h>

#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace glia::onnx {
namespace {

enum class Numbers { other, reals, integers };

Numbers numbers_of(std::int64_t type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::float32:
    case ElementType::float64:
    case ElementType::float16:
    case ElementType::bfloat16:
      return Numbers::reals;
    case ElementType::int32:
    case ElementType::int64:
      return Numbers::integers;
    default:
      return Numbers::other;
  }
}

const format::Attribute* attribute(const format::Node& node, std::string_view name) {
  for (const format::Attribute& one : node.attribute())
    if (one.name() == name) return &one;
  return nullptr;
}

/// Names are views into the graph: no output and no initializer is renamed.
class Shortening {
 public:
  explicit Shortening(format::Graph& graph) : graph_(graph) {}

  void run() {
    for (const format::Tensor& tensor : graph_.initializer())
      tensors_.emplace(tensor.name(), &tensor),
          numbers_.emplace(tensor.name(), numbers_of(tensor.data_type()));
    for (const format::ValueInfo& input : graph_.input())
      numbers_.emplace(input.name(), numbers_of(input.type().tensor_type().elem_type()));
    for (const format::ValueInfo& output : graph_.output()) outputs_.insert(output.name());
    for (format::Node& node : *graph_.mutable_node()) {
      for (std::string& input : *node.mutable_input())
        if (const auto found = sources_.find(input); found != sources_.end())
          input = std::string(found->second);
      if (node.output_size() > 0 && node.domain().empty()) note(node);
    }
  }

 private:
  using Name = std::string_view;

  void note(format::Node& node) {
    const std::string& op = node.op_type();
    if (op == "Gather" && node.input_size() == 2)
      if (const std::optional<Name> index = counted_from_the_end(node))
        node.set_input(1, std::string(*index));
    const Name output = node.output(0);
    const Numbers numbers = given_by(node);
    makers_.emplace(output, &node), numbers_.emplace(output, numbers);
    if (op == "Constant")
      if (const format::Attribute* const value = attribute(node, "value"))
        tensors_.emplace(output, &value->t());
    const bool passes = (op == "Cast" || op == "Identity") && node.input_size() == 1 &&
                        numbers != Numbers::other && numbers == of(node.input(0));
    if (passes && outputs_.count(output) == 0) sources_.emplace(output, node.input(0));
  }

  Numbers of(Name value) const {
    const auto found = numbers_.find(value);
    return found == numbers_.end() ? Numbers::other : found->second;
  }

  Numbers given_by(const format::Node& node) const {
    const std::string& op = node.op_type();
    if (op == "Shape") return Numbers::integers;
    if (op == "Less" || op == "LessOrEqual" || op == "Greater" || op == "GreaterOrEqual" || op == "Equal")
      return Numbers::other;
    if (op == "Cast") {
      const format::Attribute* const type = attribute(node, "to");
      return type ? numbers_of(type->i()) : Numbers::other;
    }
    if (op == "Constant" || op == "ConstantOfShape") {
      const format::Attribute* const value = attribute(node, "value");
      return value ? numbers_of(value->t().data_type()) : Numbers::other;
    }
    const int input = op == "Where" ? 1 : 0;
    return node.input_size() > input ? of(node.input(input)) : Numbers::other;
  }

  const format::Node* made_by(Name value, std::string_view op, int inputs) const {
    const auto found = makers_.find(value);
    const bool is_it =
        found != makers_.end() && found->second->op_type() == op && found->second->input_size() == inputs;
    return is_it ? found->second : nullptr;
  }
  bool is_number(Name value, std::int64_t number) const {
    const auto found = tensors_.find(value);
    if (found == tensors_.end()) return false;
    try {
      const Constant constant(*found->second);
      return constant.is_integer() && constant.is_number() && constant.integers()[0] == number;
    } catch (const Error&) {  // which is said where it is read
      return false;
    }
  }
  /// x, where a Gather reads Where(x < 0, x + rows of its table, x).
  std::optional<Name> counted_from_the_end(const format::Node& gather) const {
    const format::Node* const where = made_by(gather.input(1), "Where", 3);
    const auto table = tensors_.find(gather.input(0));
    if (!where || table == tensors_.end() || table->second->dims_size() == 0) return std::nullopt;
    const format::Node *const less = made_by(where->input(0), "Less", 2), *const add = made_by(
                                                                              where->input(1), "Add", 2);
    const bool is_it = less && add && less->input(0) == where->input(2) && add->input(0) == where->input(2) &&
                       is_number(less->input(1), 0) && is_number(add->input(1), table->second->dims(0));
    return is_it ? std::optional<Name>(where->input(2)) : std::nullopt;
  }

  format::Graph& graph_;
  std::unordered_map<Name, const format::Tensor*> tensors_;
  std::unordered_map<Name, Numbers> numbers_;
  std::unordered_map<Name, const format::Node*> makers_;
  std::unordered_map<Name, Name> sources_;  // of what changes nothing
  std::unordered_set<Name> outputs_;
};

}  // namespace

void shorten(format::Graph& graph) { Shortening(graph).run(); }

}  // namespace glia::onnx
