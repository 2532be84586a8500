// ONNX files put together from bytes, so that they can lie.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace glia::testing {

/// Seven bits a byte, the lowest first.
inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
  return bytes + static_cast<char>(value);
}
inline std::string number(int field, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
}
inline std::string part(int field, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}

inline std::string onnx_node(const std::string& op, std::initializer_list<std::string> inputs,
                             std::initializer_list<std::string> outputs, const std::string& attributes = "") {
  std::string node;
  for (const std::string& input : inputs) node += part(1, input);
  for (const std::string& output : outputs) node += part(2, output);
  return part(1, node + part(3, "the " + op) + part(4, op) + attributes);
}
inline std::string onnx_ints(const std::string& name, std::initializer_list<std::int64_t> values) {
  std::string attribute = part(1, name) + number(20, 7);
  for (const std::int64_t value : values) attribute += number(8, value);
  return part(5, attribute);
}
inline std::string onnx_int(const std::string& name, std::int64_t value) {
  return part(5, part(1, name) + number(20, 2) + number(3, value));
}
inline std::string onnx_text(const std::string& name, const std::string& value) {
  return part(5, part(1, name) + number(20, 3) + part(4, value));
}
/// float32 `elements` of value 0.5, whatever `dims` say.
inline std::string onnx_floats(const std::string& name, std::initializer_list<std::int64_t> dims,
                               std::size_t elements) {
  std::string raw(4 * elements, '\0');
  const float half = 0.5F;
  for (std::size_t i = 0; i < elements; ++i) std::memcpy(raw.data() + 4 * i, &half, 4);
  std::string tensor;
  for (const std::int64_t dimension : dims) tensor += number(1, dimension);
  return part(5, tensor + number(2, 1) + part(8, name) + part(9, raw));
}
/// A list of int64.
inline std::string onnx_integers(const std::string& name, std::initializer_list<std::int64_t> values) {
  std::string tensor = number(1, static_cast<std::int64_t>(values.size())) + number(2, 7) + part(8, name);
  for (const std::int64_t value : values) tensor += number(7, value);
  return part(5, tensor);
}
inline std::string onnx_value(int field, const std::string& name, std::initializer_list<std::int64_t> row) {
  std::string dims = part(1, part(2, "n"));
  for (const std::int64_t dimension : row) dims += part(1, number(1, dimension));
  return part(field, part(1, name) + part(2, part(1, number(1, 1) + part(2, dims))));
}
/// Input "x" of such rows, output "y".
inline std::string onnx_file(std::initializer_list<std::int64_t> row, const std::string& graph,
                             std::int64_t opset = 18) {
  return number(1, 8) + part(7, graph + part(2, "g") + onnx_value(11, "x", row) + onnx_value(12, "y", {1})) +
         part(8, number(2, opset));
}

}  // namespace glia::testing
