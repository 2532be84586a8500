// Node: an operator of a file with its attributes, which are asked for one by one: what nobody asked for is refused.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <format.pb.h>
#include <interchange/onnx/attribute.h>
#include <interchange/onnx/constant.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glia::onnx {

class Node {
 public:
  explicit Node(const format::Node& node) : node_(&node) {}

  const std::string& op() const { return node_->op_type(); }
  const std::string& domain() const { return node_->domain(); }
  /// 'node "conv1" (Conv)', for messages; a node without a name by its first output.
  std::string title() const;

  int inputs() const { return node_->input_size(); }
  int outputs() const { return node_->output_size(); }
  /// Empty where it is not given.
  const std::string& input(int i) const { return i < inputs() ? node_->input(i) : nothing(); }
  const std::string& output(int i = 0) const { return i < outputs() ? node_->output(i) : nothing(); }
  bool has_input(int i) const { return !input(i).empty(); }

  // What the file does not say is `otherwise`. Throw ValueError for an attribute of another kind.
  std::int64_t integer(const char* name, std::int64_t otherwise);
  double real(const char* name, double otherwise);
  std::string text(const char* name, const std::string& otherwise);
  Integers integers(const char* name, const Integers& otherwise);
  std::optional<std::vector<double>> reals(const char* name);
  const format::Tensor* tensor(const char* name);
  bool has(const char* name);
  /// One that says nothing that matters here.
  void pass_over(const char* name) { known_.push_back(name); }
  /// Throws ValueError for an attribute whose value is another than the only one that there is a layer for.
  void expect(const char* name, std::int64_t value);
  void expect(const char* name, const std::string& value);
  /// Throws ValueError for an attribute that nobody asked for.
  void finish() const;

 private:
  static const std::string& nothing();
  const format::Attribute* find(const char* name, Kind kind);

  const format::Node* node_;
  std::vector<std::string> known_;
};

}  // namespace glia::onnx
