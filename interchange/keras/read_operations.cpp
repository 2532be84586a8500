// Operations on Keras's symbols, x * 2 + y, as the layers that compute the same.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>

#include <algorithm>
#include <cstdint>

#include "interchange/keras/calls.h"  // defines: place_of_symbol
#include "interchange/keras/classes.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

/// An operation's call: args, behind them those of kwargs that are symbols have no place, and are refused.
class Operation {
 public:
  explicit Operation(const Json& keras)
      : said_(layer_said(keras)),
        type_(text_or(keras, "class_name", "")),
        name_(expect(keras.find("name"), Kind::text, "name of an operation").text),
        config_(expect(keras.find("config"), Kind::object, "config of an operation")) {
    const Json& nodes = expect(keras.find("inbound_nodes"), Kind::array, "inbound_nodes of an operation");
    GLIA_CHECK(nodes.members.size() == 1, ValueError, said_, " has ", nodes.members.size(),
               " applications, expected one");
    const Json& node = nodes.members[0].value;
    args_ = &expect(node.find("args"), Kind::array, "args of an operation");
    if (const Json* const kwargs = node.find("kwargs"))
      for (const Json::Member& one : kwargs->members)
        GLIA_CHECK(is_null(&one.value), ValueError, said_, " is called with ", one.key, '=', shown(one.value),
                   ", which Glia has not, expected null");
    taken(config_, "name"), taken(config_, "dtype"), taken(config_, "trainable");
  }

  std::vector<Json> layers() {
    if (type_ == "Add" || type_ == "Subtract" || type_ == "Multiply" || type_ == "TrueDivide" ||
        type_ == "Divide" || type_ == "Power")
      return arithmetic();
    if (type_ == "Maximum" || type_ == "Minimum" || type_ == "Matmul")
      return {layer(type_, Json(Kind::object), both())};
    if (type_ == "Exp" || type_ == "Log" || type_ == "Sqrt" || type_ == "Square" || type_ == "StopGradient")
      return {layer(type_, Json(Kind::object), one())};
    if (type_ == "Absolute" || type_ == "Abs") return {layer("Abs", Json(Kind::object), one())};
    if (type_ == "Negative") return {rescaling(-1, 0, one())};
    if (type_ == "Sum" || type_ == "Mean") return {reduction()};
    if (type_ == "Reshape") return {reshape()};
    if (type_ == "Transpose") return {transpose()};
    if (type_ == "GetItem") return {slice()};
    if (type_ == "Concatenate") return {concatenate()};
    return {activation()};
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw ValueError(said_ + ": " + why +
                     "; Glia has the operations +, -, *, /, **, exp, log, sqrt, abs, square, sum, mean, "
                     "reshape, transpose, slices of one axis, matmul, maximum, minimum, concatenate, "
                     "stop_gradient and activations");
  }
  const Json& arg(std::size_t i) const {
    if (i >= args_->members.size()) refuse(detail::concat("it has ", args_->members.size(), " arguments"));
    return args_->members[i].value;
  }
  const Json& symbol(std::size_t i) const {
    const Json* const place = place_of_symbol(arg(i));
    if (!place) refuse(detail::concat("argument ", i, " is ", shown(arg(i)), ", expected a symbol"));
    return *place;
  }
  Json one() const {
    Json places(Kind::array);
    places.add(symbol(0));
    return places;
  }
  Json both() const {
    Json places = one();
    places.add(symbol(1));
    return places;
  }

  Json layer(const std::string& type, Json config, Json places, const std::string& name = {}) const {
    const std::string& own = name.empty() ? name_ : name;
    put(config, "name", Json::of(own));
    Json layer = object_of(type, std::move(config));
    layer.add("name", Json::of(own));
    Json nodes(Kind::array);
    nodes.add(std::move(places));
    layer.add("inbound_nodes", std::move(nodes));
    return layer;
  }
  Json rescaling(const Json& scale, const Json& offset, Json places) const {
    Json config(Kind::object);
    config.add("scale", scale), config.add("offset", offset);
    return layer("Rescaling", std::move(config), std::move(places));
  }
  Json rescaling(double scale, double offset, Json places) const {
    return rescaling(Json::of(scale), Json::of(offset), std::move(places));
  }
  Json power(const Json& exponent, Json places, const std::string& name) const {
    return layer("Power", pair_of("exponent", exponent), std::move(places), name);
  }

  double number(const Json& json) const {
    if (!json.is(Kind::number))
      refuse(detail::concat("an argument is ", shown(json), ", expected a symbol or a number"));
    return number_of(json);
  }

  std::vector<Json> arithmetic() const {
    const bool first = place_of_symbol(arg(0)), second = place_of_symbol(arg(1));
    const bool divides = type_ == "TrueDivide" || type_ == "Divide";
    if (first && second) {
      if (type_ == "Power") refuse("the exponent is a symbol, expected a number");
      return {layer(divides ? "Divide" : type_, Json(Kind::object), both())};
    }
    Json of(Kind::array);
    of.add(symbol(first ? 0 : 1));
    const double value = number(arg(first ? 1 : 0));
    if (type_ == "Add") return {rescaling(1, value, of)};
    if (type_ == "Multiply") return {rescaling(value, 0, of)};
    if (type_ == "Subtract") return {first ? rescaling(1, -value, of) : rescaling(-1, value, of)};
    if (type_ == "Power") {
      if (!first) refuse("the exponent is a symbol, expected a number");
      return {power(arg(1), of, name_)};
    }
    if (first) {
      if (value == 0) refuse("it divides by 0");
      return {rescaling(1 / value, 0, of)};
    }
    const std::string reciprocal = name_ + "_reciprocal";
    Json last(Kind::array), place = list_of(reciprocal, 0, 0);
    last.add(std::move(place));
    return {power(Json::of(-1.0), of, reciprocal), rescaling(value, 0, last)};
  }

  Json reduction() {
    const Json* const axis = given(config_, "axis");
    if (!axis) refuse("it goes over the rows, too, expected axes that are not 0");
    Json axes(Kind::array);
    if (axis->is(Kind::array))
      axes = *axis;
    else
      axes.add(*axis);
    for (const Json::Member& one : axes.members)
      if (whole_or(one.value, 0) == 0)
        refuse("it goes over axis " + shown(one.value) +
               ", expected axes that are not 0, which counts the rows");
    Json config(Kind::object);
    config.add("axis", std::move(axes));
    if (const Json* const keepdims = given(config_, "keepdims")) config.add("keepdims", *keepdims);
    return layer(type_, std::move(config), one());
  }

  /// The rest of a list that begins with the rows: -1, null or 0.
  Json behind_rows(const char* name, long long rows) const {
    const Json* const list = given(config_, name);
    if (!list || !list->is(Kind::array) || list->members.empty() ||
        (!list->members[0].value.is(Kind::null) && whole_or(list->members[0].value, 1) != rows))
      refuse(detail::concat(name, " is ", list ? shown(*list) : "null",
                            ", expected one that leaves the rows in front"));
    Json rest(Kind::array);
    for (std::size_t i = 1; i < list->members.size(); ++i) rest.add(list->members[i].value);
    return rest;
  }
  Json reshape() const {
    return layer("Reshape", pair_of("target_shape", behind_rows("newshape", -1)), one());
  }
  Json transpose() const { return layer("Permute", pair_of("dims", behind_rows("axes", 0)), one()); }

  /// Of one axis, the others whole.
  Json slice() const {
    const Json* const shape = arg(0).find("config") ? given(*arg(0).find("config"), "shape") : nullptr;
    const Json& ranges = arg(1);
    if (!ranges.is(Kind::array)) refuse("it takes " + shown(ranges) + ", expected slices");
    Json config(Kind::object);
    for (std::size_t axis = 0; axis < ranges.members.size(); ++axis) {
      const Json& range = ranges.members[axis].value;
      const Json* const of = range.find("config");
      if (!is_text(range.find("class_name"), "__slice__") || !of || !is_null(of->find("step")))
        refuse("it takes " + shown(range) + ", expected slices of step 1");
      if (is_null(of->find("start")) && is_null(of->find("stop"))) continue;
      if (axis == 0 || !config.members.empty()) refuse("it cuts several axes, or the rows");
      const long long most = INT64_MAX / 4;
      const bool is_known =
          shape && axis < shape->members.size() && shape->members[axis].value.is(Kind::number);
      const long long size = is_known ? whole_or(shape->members[axis].value, 0) : most;
      const auto bound = [&](const char* name, long long otherwise) {
        const Json* const found = given(*of, name);
        const long long at = found ? whole_or(*found, 0) : otherwise;
        if (!is_known && (at < 0 || at == most))
          refuse("it counts from the end of an axis whose length it does not say");
        return std::clamp(at < 0 ? at + size : at, 0LL, size);
      };
      const long long first = bound("start", 0), end = bound("stop", size);
      config.add("axis", Json::of(static_cast<std::int64_t>(axis)));
      config.add("first", Json::of(static_cast<std::int64_t>(first)));
      config.add("count", Json::of(static_cast<std::int64_t>(end - first)));
    }
    if (config.members.empty()) return rescaling(1, 0, one());
    return layer("Slice", std::move(config), one());
  }

  Json concatenate() const {
    Json places(Kind::array);
    for (const Json::Member& member : arg(0).members) {
      const Json* const place = place_of_symbol(member.value);
      if (!place) refuse("it joins " + shown(member.value) + ", expected symbols");
      places.add(*place);
    }
    const Json* const axis = given(config_, "axis");
    return layer("Concatenate", pair_of("axis", axis ? *axis : Json::of(0)), std::move(places));
  }

  Json activation() {
    const std::string function = snake_case(type_);
    take_extras(config_, {{"axis", "-1|[-1]", nullptr}}, said_);
    try {
      ActivationName known(function);
    } catch (const ValueError&) {
      refuse("Glia has no such operation");
    }
    return layer("Activation", pair_of("activation", object_of(function, config_)), one());
  }

  std::string said_, type_, name_;
  Json config_;
  const Json* args_ = nullptr;
};

}  // namespace

bool is_operation(const Json& keras) {
  const std::string module = text_or(keras, "module", "");
  if (!module.empty()) return module.find(".ops.") != std::string::npos || module == "keras.ops";
  const Json* const config =
      keras.find("config");  // whole models in HDF5 name no modules, but only layers say whether they train
  const std::string type = text_or(keras, "class_name", "");
  return config && type != "InputLayer" && !config->find("trainable") && !config->find("dtype") &&
         !config->find("layers");
}

std::vector<Json> read_operation(const Json& keras) { return Operation(keras).layers(); }

}  // namespace glia::keras
