// GraphWriter: operators, constants and names.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <interchange/onnx/attribute.h>
#include <interchange/onnx/graph_writer.h>

#include <bit>
#include <cstring>

namespace glia::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data of ONNX files is little-endian");

/// (0, rank - 1, 1, ..., rank - 2): channels to the front; or to the back.
Integers channels_moved(int rank, bool to_front) {
  Integers axes{0};
  if (to_front) axes.push_back(rank - 1);
  for (int axis = to_front ? 1 : 2; axis < (to_front ? rank - 1 : rank); ++axis) axes.push_back(axis);
  if (!to_front) axes.push_back(1);
  return axes;
}

void set(format::Attribute& attribute, const GraphWriter::Option& option) {
  if (const auto* const integer = std::get_if<std::int64_t>(&option)) {
    attribute.set_i(*integer), attribute.set_type(static_cast<int>(Kind::integer));
  } else if (const auto* const real = std::get_if<double>(&option)) {
    attribute.set_f(static_cast<float>(*real)), attribute.set_type(static_cast<int>(Kind::real));
  } else if (const auto* const text = std::get_if<std::string>(&option)) {
    attribute.set_s(*text), attribute.set_type(static_cast<int>(Kind::text));
  } else {
    const auto& integers = std::get<Integers>(option);
    attribute.mutable_ints()->Add(integers.begin(), integers.end());
    attribute.set_type(static_cast<int>(Kind::integers));
  }
}

}  // namespace

std::string GraphWriter::unique(const std::string& wanted) {
  std::string name = wanted;
  for (int counter = 1; !taken_.insert(name).second; ++counter) name = wanted + '_' + std::to_string(counter);
  return name;
}

std::string GraphWriter::add(const char* op, const Strings& inputs, const Options& options) {
  format::Node& node = *graph_.add_node();
  const std::string name = unique(path_.empty() ? op : path_ + '/' + op);
  node.set_name(name), node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(name);
  for (const auto& [key, option] : options) {
    format::Attribute& attribute = *node.add_attribute();
    attribute.set_name(key);
    set(attribute, option);
  }
  made_.insert(name);
  return name;
}

std::string GraphWriter::scalar(double value) {
  const auto number = static_cast<float>(value);
  const std::string key = "f" + std::to_string(std::bit_cast<std::uint32_t>(number));
  const auto found = constants_.find(key);
  if (found != constants_.end()) return found->second;
  return constants_[key] = floats("constant", {}, std::span(&number, 1));
}

std::string GraphWriter::integers(const Integers& values) {
  std::string key = "i";
  for (const std::int64_t value : values) key += std::to_string(value) + ',';
  const auto found = constants_.find(key);
  if (found != constants_.end()) return found->second;
  format::Tensor& tensor = *graph_.add_initializer();
  const std::string name = unique("constant");
  tensor.set_name(name), tensor.set_data_type(static_cast<int>(ElementType::int64));
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
  return constants_[key] = name;
}

std::string GraphWriter::floats(const std::string& wanted, const Shape& shape,
                                std::span<const float> values) {
  format::Tensor& tensor = *graph_.add_initializer();
  const std::string name = unique(wanted);
  tensor.set_name(name), tensor.set_data_type(static_cast<int>(ElementType::float32));
  for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return name;
}

const std::string& GraphWriter::last(const ValuePtr& value) {
  if (value->last.empty())
    value->last = add("Transpose", {value->first}, {{"perm", channels_moved(value->row.rank() + 1, false)}});
  return value->last;
}

const std::string& GraphWriter::first(const ValuePtr& value) {
  if (value->first.empty())
    value->first = add("Transpose", {value->last}, {{"perm", channels_moved(value->row.rank() + 1, true)}});
  return value->first;
}

void GraphWriter::name_output(const std::string& value, const std::string& name) {
  if (made_.count(value) != 0 && renamed_.emplace(value, name).second) return;
  renamed_.emplace(add("Identity", {value}), name);
}

void GraphWriter::finish() {
  const auto rename = [this](std::string& name) {
    if (const auto found = renamed_.find(name); found != renamed_.end()) name = found->second;
  };
  for (format::Node& node : *graph_.mutable_node()) {
    for (std::string& name : *node.mutable_input()) rename(name);
    for (std::string& name : *node.mutable_output()) rename(name);
  }
}

}  // namespace glia::onnx
