// What layers are called with, a line for each argument of a class.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/calls.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "interchange/keras/write.h"  // defines: symbol_at

namespace glia::keras {
namespace {

enum class As {
  input,   ///< a symbol, or a list of some, behind those that the call begins with
  masked,  ///< a symbol likewise, the last; Glia's option use_attention_mask says that it is there
  option,  ///< true or false, an option of Glia's
  mask     ///< what Keras 3 has made of the input's mask, and Glia makes, too
};
struct Argument {
  const char* name;
  As as;
};
/// How layers of some classes are called. Inputs are in Glia's order.
struct Signature {
  std::vector<std::string_view> classes;
  std::size_t first;  ///< so many arguments may hold inputs without a name
  std::vector<Argument> arguments;
};

const Signature& signature_of(const std::string& type) {
  static const std::vector<Signature> signatures = {
      {{"SimpleRNN", "LSTM", "GRU", "Bidirectional"},
       2,
       {{"sequences", As::input}, {"initial_state", As::input}, {"mask", As::mask}}},
      {{"MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"},
       3,
       {{"query", As::input},
        {"value", As::input},
        {"key", As::input},
        {"attention_mask", As::masked},
        {"use_causal_mask", As::option},
        {"return_attention_scores", As::option}}},
      {{"Attention", "AdditiveAttention"},
       1,
       {{"inputs", As::input}, {"use_causal_mask", As::option}, {"return_attention_scores", As::option}}},
      {{"TimeDistributed", "GlobalAveragePooling1D", "BatchNormalization", "Sequential", "Functional",
        "Model"},
       1,
       {{"inputs", As::input}, {"mask", As::mask}}},
      {{}, SIZE_MAX, {}}};
  return *std::find_if(signatures.begin(), signatures.end(), [&](const Signature& one) {
    return one.classes.empty() ||
           std::find(one.classes.begin(), one.classes.end(), type) != one.classes.end();
  });
}

class CallReader {
 public:
  CallReader(const std::string& layer, const std::string& type, bool is_frozen, bool is_keras_2)
      : layer_(layer), signature_(signature_of(type)), is_frozen_(is_frozen), is_keras_2_(is_keras_2) {}

  Call read(const Json& node) {
    if (node.is(Kind::object)) {  // Keras 3: {"args", "kwargs"}
      const Json& args = expect(node.find("args"), Kind::array, "args of a layer");
      for (std::size_t i = 0; i < args.members.size(); ++i) {
        const Json& argument = args.members[i].value;
        if (i >= signature_.first && !is_null(&argument)) refuse(detail::concat("argument ", i), argument);
        put_symbols(argument);
      }
      read_named(node.find("kwargs"));
      return std::move(call_);
    }
    GLIA_CHECK(node.is(Kind::array), ValueError, layer_, " is applied to ", shown(node), ", expected places");
    if (is_place(node)) {
      put(node);
    } else {
      for (const Json::Member& one : node.members) put(one.value);
    }
    const Json* const first = is_place(node)         ? &node
                              : node.members.empty() ? nullptr
                                                     : &node.members[0].value;
    if (first && first->members.size() > 3) read_named(&first->members[3].value);  // all places have the same
    return std::move(call_);
  }

 private:
  [[noreturn]] void refuse(const std::string& name, const Json& value) const {
    throw ValueError(detail::concat(
        layer_, " is called with ", name, '=', shown(value),
        ", which Glia has not; call it with its inputs alone, or freeze it (trainable = False)"));
  }
  void put(const Json& place) {
    GLIA_CHECK(is_place(place), ValueError, layer_, " is applied to ", shown(place), ", expected a place");
    call_.places.add(place_of(place));
  }
  /// The symbols among the arguments of a call, in their order; of anything else says whether it may be there.
  void put_symbols(const Json& args) {
    if (const Json* const place = place_of_symbol(args)) {
      const Json* const shape = args.find("config")->find("shape");
      if (call_.places.members.empty() && shape) call_.shape = *shape;
      return put(*place);
    }
    if (args.is(Kind::null)) return;
    if (is_keras_2_ && is_place(args)) return put(args);
    GLIA_CHECK(args.is(Kind::array), ValueError, layer_, " is called with ", shown(args),
               ", expected symbols alone");
    for (const Json::Member& member : args.members) put_symbols(member.value);
  }

  /// Keras 3 keeps what `training` was when the model was made, and uses what it is when the model runs; Keras 2 obeyed what was said.
  bool is_of_training(const Json::Member& argument) const {
    return argument.key == "training" && argument.value.is(Kind::boolean) &&
           (!is_keras_2_ || (is_frozen_ && argument.value.text == "false"));
  }
  void read_named(const Json* arguments) {
    if (!arguments) return;
    GLIA_CHECK(arguments->is(Kind::object), ValueError, layer_, " is called with ", shown(*arguments),
               ", expected arguments by their names");
    for (const Json::Member& argument : arguments->members)
      if (!is_null(&argument.value) && !is_of_training(argument) && !is_known(argument.key))
        refuse(argument.key, argument.value);
    for (const Argument& known : signature_.arguments)
      if (const Json* const value = given(*arguments, known.name)) take(known, *value);
  }
  bool is_known(const std::string& name) const {
    return std::any_of(signature_.arguments.begin(), signature_.arguments.end(),
                       [&](const Argument& one) { return one.name == name; });
  }
  void take(const Argument& argument, const Json& value) {
    if (argument.as == As::option) {
      if (!value.is(Kind::boolean)) refuse(argument.name, value);
      if (value.text == "true") call_.options.add(argument.name, value);
    } else if (argument.as == As::mask) {
      const Json* const place = place_of_symbol(value);
      if (!place) refuse(argument.name, value);
      call_.mask = place_of(*place);
    } else {
      put_symbols(value);
      if (argument.as == As::masked) call_.options.add("use_attention_mask", Json::of(true));
    }
  }

  const std::string& layer_;
  const Signature& signature_;
  const bool is_frozen_, is_keras_2_;
  Call call_;
};

}  // namespace

Call read_call(const Json& node, const std::string& layer, const std::string& type, bool is_frozen,
               bool is_keras_2) {
  return CallReader(layer, type, is_frozen, is_keras_2).read(node);
}

Json write_call(const Json& layer, const Json& places, const Json& mask) {
  const std::string& type = text_or(layer, "class_name", "");
  const Json& config = *layer.find("config");
  const Signature& signature = signature_of(type);
  Json call(Kind::object), args(Kind::array), kwargs(Kind::object), symbols(Kind::array);
  for (const Json::Member& place : places.members) symbols.add(symbol_at(place.value));
  const auto take_last = [&](std::size_t keep, const char* name) {
    if (symbols.members.size() <= keep) return;
    Json list(Kind::array);
    for (std::size_t i = keep; i < symbols.members.size(); ++i) list.add(std::move(symbols.members[i].value));
    symbols.members.resize(keep);
    kwargs.add(
        name, std::string_view(name) == "initial_state" ? std::move(list) : std::move(list.members[0].value));
  };
  for (const Argument& argument : signature.arguments) {
    if (argument.as == As::option && is_true(config, argument.name))
      kwargs.add(argument.name, Json::of(true));
    if (argument.as == As::masked && is_true(config, "use_attention_mask"))
      take_last(symbols.members.size() - 1, argument.name);
  }
  if (signature.first == 2) take_last(1, "initial_state");
  if (signature.first == 3) {  // query, value and key stand by themselves
    take_last(2, "key");
    args = std::move(symbols);
  } else {
    args.add(symbols.members.size() == 1 ? symbols.members[0].value : symbols);
  }
  if (!mask.is(Kind::null)) kwargs.add("mask", symbol_at(mask));
  call.add("args", std::move(args)), call.add("kwargs", std::move(kwargs));
  return call;
}

void take_call_options(const std::string& type, Json& config) {
  for (const Argument& argument : signature_of(type).arguments) {
    if (argument.as == As::option) taken(config, argument.name);
    if (argument.as == As::masked) taken(config, "use_attention_mask");
  }
}

bool is_told_mask(const std::string& type) {
  const auto& arguments = signature_of(type).arguments;
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const Argument& one) { return one.as == As::mask; });
}

const Json* place_of_symbol(const Json& keras) {
  if (!keras.is(Kind::object) || !is_text(keras.find("class_name"), "__keras_tensor__")) return nullptr;
  const Json* const config = keras.find("config");
  const Json* const place = config ? config->find("keras_history") : nullptr;
  GLIA_CHECK(place && is_place(*place), ValueError, "the model's config has the symbol ", shown(keras),
             ", expected one with keras_history, such as [\"dense\", 0, 0]");
  return place;
}

bool is_place(const Json& json) {
  return json.is(Kind::array) && json.members.size() >= 3 && json.members[0].value.is(Kind::text) &&
         json.members[1].value.is(Kind::number) && json.members[2].value.is(Kind::number);
}

Json place_of(const Json& json) {
  Json place(Kind::array);
  for (std::size_t i = 0; i < 3; ++i) place.add(json.members[i].value);
  return place;
}

}  // namespace glia::keras
