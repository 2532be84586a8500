// Glia's formulas as Keras 3's operations.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "interchange/keras/write.h"

namespace glia::keras {
namespace {

Json slice_of(Json start, Json stop) {
  Json config(Kind::object);
  config.add("start", std::move(start)), config.add("stop", std::move(stop)), config.add("step", Json());
  return object_of("__slice__", std::move(config));
}

/// x[:, first:first + count], as the slices of all axes up to that one.
Json slices(const Json& config) {
  const long long axis = whole_or(*config.find("axis"), 1), first = whole_or(*config.find("first"), 0);
  Json list(Kind::array);
  for (long long i = 0; i < axis; ++i) list.add(slice_of({}, {}));
  const std::int64_t end = first + whole_or(*config.find("count"), 0);
  list.add(slice_of(Json::of(std::int64_t{first}), Json::of(end)));
  return list;
}

/// An operation without its calls; its config says its name.
Json operation_of(const char* module, const std::string& type, Json config) {
  const Json name = *config.find("name");
  Json written = keras_object(module, type, std::move(config));
  put(written, "registered_name", Json::of(type));
  written.add("name", name);
  return written;
}
void add_call(Json args, Json& nodes) {
  Json& node = nodes.add(Json(Kind::object));
  node.add("args", std::move(args)), node.add("kwargs", Json(Kind::object));
}

}  // namespace

Json write_mask(const Masks::Operation& operation) {
  Json written = operation_of("keras.src.ops.numpy", operation.type, operation.config);
  Json args(Kind::array), symbols(Kind::array);
  for (const Json& place : operation.reads) symbols.add(symbol_at(place));
  if (operation.type == "Concatenate")
    args.add(std::move(symbols));
  else
    args = std::move(symbols);
  if (!operation.number.is(Kind::null)) args.add(operation.number);
  add_call(std::move(args), written.add("inbound_nodes", Json(Kind::array)));
  return written;
}

Json write_operation(const Json& layer) {
  const Json& glia = *layer.find("config");
  std::string type = text_or(layer, "class_name", "");
  Json config(Kind::object), behind(Kind::array);  // what the call has behind the symbols
  config.add("name", *layer.find("name"));
  if (type == "Sum" || type == "Mean")
    config.add("axis", *glia.find("axis")), config.add("keepdims", *glia.find("keepdims"));
  if (type == "Power") behind.add(*glia.find("exponent"));
  if (type == "Slice") behind.add(slices(glia)), type = "GetItem";
  if (type == "Divide") type = "TrueDivide";
  if (type == "Abs") type = "Absolute";
  Json written = operation_of(type == "StopGradient" ? "keras.src.ops.core" : "keras.src.ops.numpy", type,
                              std::move(config));
  Json& nodes = written.add("inbound_nodes", Json(Kind::array));
  for (const Json::Member& places : layer.find("inbound_nodes")->members) {
    Json args(Kind::array);
    for (const Json::Member& place : places.value.members) args.add(symbol_at(place.value));
    for (const Json::Member& argument : behind.members) args.add(argument.value);
    add_call(std::move(args), nodes);
  }
  return written;
}

}  // namespace glia::keras
