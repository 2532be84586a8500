// A network in words: reading, which trusts nothing that it reads.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/graph/graph_layer.h>
#include <host/graph/made_layer.h>
#include <host/layers/input.h>
#include <host/model/network_json.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace glia {
namespace {

using Kind = Json::Kind;

/// What a layer takes in memory is many times its words; and a graph is looked at from its outputs down, on the stack.
constexpr std::size_t most_layers = 5'000;
constexpr std::size_t most_ends = 1'000;

/// A layer of a graph, and what its applications gave.
struct Entry {
  Layer layer;
  const Json* inbound = nullptr;
  std::vector<std::vector<Symbol>> made = {};
  bool is_pending = false;
};

struct Ends {
  std::vector<Symbol> inputs, outputs, added;
};

const Json& expect(const Json* json, Kind kind, const char* what) {
  GLIA_CHECK(json && json->is(kind), ValueError, "a model's description has no ", what,
             " where one is expected: ", json ? detail::escaped(json->dump()) : "there is none");
  return *json;
}

class NetworkReader final : public Config::LayerReader {
 public:
  explicit NetworkReader(const std::weak_ptr<Builder>& model) : model_(model) {}

  Layer read(const Json& json) override {
    if (const Json* const shared = json.find("shared_layer")) {
      Json holder(Kind::object);
      holder.add("shared_layer", *shared);
      std::int64_t number = -1;
      Config(holder, "a layer").field("shared_layer", number);
      GLIA_CHECK(number >= 0 && number < static_cast<std::int64_t>(made_.size()), ValueError,
                 "a model's description has shared_layer ", number, ", expected one of the ", made_.size(),
                 " layers before it");
      return made_[static_cast<std::size_t>(number)];
    }
    const std::string type = expect(json.find("class_name"), Kind::text, "class_name of a layer").text;
    Json config = expect(json.find("config"), Kind::object, "config of a layer");
    GLIA_CHECK(made_.size() < most_layers, ValueError, "a model's description has more than ", most_layers,
               " layers");
    Config reading(config, detail::escaped(type), this);
    const bool is_own = json.find("registered_name") != nullptr;
    Layer layer = !is_own && (type == "Sequential" || type == "Functional")
                      ? graph_layer(type, reading)
                      : made_layer(type, is_own, reading);
    LayerNode& node = layer.node();
    node.named_by_model = is_given_by_model(node.name, node.type());
    add_builder(node, model_);  // so that the name is kept
    made_.push_back(layer);
    return layer;
  }

  std::vector<Layer> chain(Config& config) {
    std::vector<Layer> layers;
    config.needed("layers", layers);
    return layers;
  }

  /// What lies between inputs and outputs, applied as the description says.
  Ends graph(Config& config) {
    std::map<std::string, Entry> entries;
    std::vector<Entry*> in_order;
    for (const Json::Member& member : list(config, "layers").members) {
      const Json& json = member.value;
      Entry entry{read(json)};
      const std::string& name = expect(json.find("name"), Kind::text, "name of a layer").text;
      entry.inbound = &expect(json.find("inbound_nodes"), Kind::array, "inbound_nodes of a layer");
      if (is_input(entry.layer.node())) entry.made.push_back({symbol_of(entry.layer)});
      const auto [place, is_new] = entries.emplace(name, std::move(entry));
      GLIA_CHECK(is_new, ValueError, "two layers of a model are named \"", detail::escaped(name), '"');
      in_order.push_back(&place->second);
    }
    apply(entries, in_order);
    Ends ends;
    put_symbols(entries, list(config, "input_layers"), ends.inputs);
    put_symbols(entries, list(config, "output_layers"), ends.outputs);
    if (config.found("added_losses")) put_symbols(entries, list(config, "added_losses"), ends.added);
    return ends;
  }

 private:
  using Entries = std::map<std::string, Entry>;

  static void put_symbols(Entries& entries, const Json& list, std::vector<Symbol>& symbols) {
    GLIA_CHECK(list.members.size() <= most_ends, ValueError, "a model's description has ",
               list.members.size(), " inputs, outputs or added losses, expected at most ", most_ends);
    for (const Json::Member& place : list.members)
      symbols.push_back(symbol_at(place_of(entries, place.value)));
  }
  static const Json& list(Config& config, const char* name) {
    return expect(config.found(name), Kind::array, name);
  }

  Layer graph_layer(const std::string& type, Config& config) {
    std::string name;
    bool trainable = true;
    Shape input_shape;
    config.field("name", name), config.field("trainable", trainable),
        config.field("input_shape", input_shape);
    std::shared_ptr<LayerNode> node;
    if (type == "Sequential") {
      const std::vector<Layer> layers = chain(config);
      GLIA_CHECK(!layers.empty(), ValueError, "a model's description has a Sequential without layers");
      node = make_graph_layer("Sequential", Graph::chain(layers));
    } else {
      const Ends ends = graph(config);
      node = make_graph_layer("Functional", Graph::between(ends.inputs, ends.outputs));
    }
    config.finish();
    node->name = name, node->trainable = trainable;
    node->declare_input_shape(input_shape);
    return Layer(std::move(node));
  }

  /// Applies the layers of a graph; they may stand in any order.
  void apply(Entries& entries, const std::vector<Entry*>& in_order) {
    for (Entry* entry : in_order) apply_until(entries, *entry, entry->inbound->members.size());
  }

  /// An application on the way, and what it reads so far.
  struct Pending {
    Entry* entry;
    std::size_t count;  ///< that the entry is to have
    std::vector<Symbol> inputs = {};
  };

  /// Applies a layer so many times, what it reads first; by a list, since a graph may be deeper than the stack.
  void apply_until(Entries& entries, Entry& wanted, std::size_t count) {
    std::vector<Pending> pending;
    const auto begin = [&](Entry& entry, std::size_t until) {
      GLIA_CHECK(!entry.is_pending, ValueError, "a model's description has a layer, \"",
                 detail::escaped(entry.layer.name()), "\", that reads what it gives itself");
      entry.is_pending = true;
      pending.push_back({&entry, until});
    };
    begin(wanted, count);
    while (!pending.empty()) {
      Pending& now = pending.back();
      Entry& entry = *now.entry;
      if (entry.made.size() >= now.count) {
        entry.is_pending = false;
        pending.pop_back();
        continue;
      }
      const Json& sources =
          expect(&entry.inbound->members[entry.made.size()].value, Kind::array, "list of inputs of a layer");
      if (now.inputs.size() < sources.members.size()) {
        const Place place = place_of(entries, sources.members[now.inputs.size()].value);
        if (place.application < place.entry->made.size())
          now.inputs.push_back(symbol_at(place));
        else
          begin(*place.entry, place.application + 1);
        continue;
      }
      GLIA_CHECK(++applications_ <= most_layers, ValueError, "a model's description has more than ",
                 most_layers, " applications of layers");
      entry.made.push_back(entry.layer.apply(std::exchange(now.inputs, {})));
    }
  }

  /// An output of an application, which may be still to come.
  struct Place {
    Entry* entry;
    std::size_t application, output;
    const Json& json;
  };

  /// [layer, application, output].
  static Place place_of(Entries& entries, const Json& json) {
    std::string layer;
    std::int64_t application = -1, output = -1;
    if (json.is(Kind::array) && json.members.size() == 3) {
      Json named(Kind::object);
      named.add("layer", json.members[0].value);
      named.add("application", json.members[1].value);
      named.add("output", json.members[2].value);
      Config place(named, "a place in a model's description");
      place.needed("layer", layer), place.needed("application", application), place.needed("output", output);
    }
    const auto entry = entries.find(layer);
    if (entry == entries.end() || application < 0 || output < 0) refuse(json);
    const Place place{&entry->second, static_cast<std::size_t>(application), static_cast<std::size_t>(output),
                      json};
    if (place.application >= std::max(place.entry->made.size(), place.entry->inbound->members.size()))
      refuse(json);
    return place;
  }
  static const Symbol& symbol_at(const Place& place) {
    const std::vector<Symbol>& symbols = place.entry->made[place.application];
    if (place.output >= symbols.size()) refuse(place.json);
    return symbols[place.output];
  }
  [[noreturn]] static void refuse(const Json& json) {
    throw ValueError("a model's description has the place " + detail::escaped(json.dump()) +
                     ", expected [layer, application, output] of a layer in it");
  }

  const std::weak_ptr<Builder>& model_;
  std::vector<Layer> made_;  // in the order in which they ended
  std::size_t applications_ = 0;
};

}  // namespace

void read_network(Network& network, const Json& json, const std::weak_ptr<Builder>& model) {
  const std::string& type = expect(json.find("class_name"), Kind::text, "class_name").text;
  GLIA_CHECK(type == "Sequential" || type == "Functional", ValueError, "a model's description is of class \"",
             detail::escaped(type), "\", expected Sequential or Functional");
  Json copy = expect(json.find("config"), Kind::object, "config");
  Config config(copy, type);
  NetworkReader reader(model);
  std::string name;
  config.needed("name", name);
  if (type == "Functional") {
    const Ends ends = reader.graph(config);
    config.finish();
    network.connect(ends.inputs, ends.outputs, model);
    for (const Symbol& value : ends.added) network.add_loss(value, model);
  } else {
    Json layers = expect(config.found("layers"), Kind::array, "layers");
    for (const Json::Member& layer : layers.members) network.add(reader.read(layer.value), model);
    Shape shape;
    config.batch_shape("build_input_shape", shape);
    config.finish();
    for (const std::int64_t dimension : shape)
      GLIA_CHECK(dimension >= 1, ShapeError, "a model's description has build_input_shape ", shape,
                 ", expected dimensions of at least 1");
    if (!shape.empty()) {
      checked_elements(shape.prepend(8));  // throws where 64 bits do not hold a few rows
      network.expect_shapes({shape});
    }
  }
  network.name = name;
  network.is_named = !is_given_by_model(name, type);
}

}  // namespace glia
