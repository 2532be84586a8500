// Whole models in files: layers, weights, what compile was told, and how far training came.
// SPDX-License-Identifier: Apache-2.0
#include <glia/model_parts.h>
#include <host/base/escaped.h>
#include <host/io/of_file.h>
#include <host/layers/config.h>
#include <host/model/compile_json.h>
#include <host/model/names.h>  // defines: named_variables
#include <host/training/files.h>
#include <host/training/using.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace glia {
namespace {

using Kind = Json::Kind;

constexpr int format_version = 1;

std::string text_of(std::int64_t number) { return std::to_string(number); }
std::string kept_name(int row, const std::string& weight) {
  return std::string(beside_weights) + "optimizer/" + text_of(row) + '/' + weight;
}
std::string callback_name(std::size_t callback, std::size_t tensor) {
  return std::string(beside_weights) + "callback/" + text_of(static_cast<std::int64_t>(callback)) + '/' +
         text_of(static_cast<std::int64_t>(tensor));
}

using VariableNames = std::unordered_map<const Variable*, std::string>;

VariableNames names_of(const Core& core) {
  VariableNames names;
  for (const auto& [name, variable] : named_variables(core.network().layers())) names[variable] = name;
  return names;
}

/// How far training came, by numbers.
struct Progressed {
  int epoch = 0;
  std::int64_t passes = 0, steps = 0;
  bool has_kept = false;  ///< whether there is what the optimizer keeps

  void list(Config& config) {
    config.field("epoch", epoch), config.field("passes", passes);
    config.field("steps", steps), config.field("optimizer_state", has_kept);
  }
};

void list_callback(Config& config, Core::KeptCallback& callback, std::int64_t& tensors) {
  config.needed("class_name", callback.type), config.field("numbers", callback.state.numbers);
  config.field("tensors", tensors);
}

/// What goes into a file, and the tensors that hold it.
class Saving {
 public:
  Saving(Core& core, const SaveOptions& options) : core_(core) {
    std::int64_t version = format_version;
    Config config(json_);
    config.field("format_version", version);
    json_.add("graph", described(core));
    Json& names = json_.add("class_names", Json(Kind::array));
    for (const std::string& name : core.class_names) names.add(Json::of(name));
    if (core.built()) weights_ = core.weights().names(), held_ = core.weights().values();
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      GLIA_CHECK(!weights_[i].starts_with(beside_weights), ValueError, "a weight is named \"", weights_[i],
                 "\": names that begin with ", beside_weights,
                 " are for what is no weight; rename its layer");
      views_.push_back({weights_[i], held_[i], options.weights});
    }
    if (options.include_optimizer && core.compiled()) add_training();
  }

  ModelParts parts() {
    ModelParts parts{json_.dump(), {}};
    for (std::size_t i = 0; i < held_.size(); ++i)
      parts.tensors.push_back({views_[i].name, std::move(held_[i])});
    return parts;
  }
  void write(const std::string& path) const {
    io::save_safetensors(path, views_,
                         {{"format", "glia"}, {model_key, json_.dump()}, {order_key, order_of(weights_)}},
                         io::Checksum::sha256);
  }

 private:
  void add_training() {
    json_.add("compile", compile_json(core_));
    Progressed progressed{core_.epoch, core_.trained_epochs, core_.steps(), false};
    if (core_.built() && core_.trainer().has_memory()) progressed.has_kept = add_kept();
    Config config(json_.add("training", Json(Kind::object)));
    progressed.list(config);
    Json& callbacks = json_.add("callbacks", Json(Kind::array));
    for (const Callback* callback : core_.fit_callbacks) {
      Core::KeptCallback kept{callback->type(), callback->state()};
      if (kept.type.empty()) continue;
      auto tensors = static_cast<std::int64_t>(kept.state.tensors.size());
      Config described(callbacks.add(Json(Kind::object)));
      list_callback(described, kept, tensors);
      for (std::size_t i = 0; i < kept.state.tensors.size(); ++i)
        add(callback_name(callbacks.members.size() - 1, i), std::move(kept.state.tensors[i]));
    }
  }
  /// False where the optimizer keeps nothing.
  bool add_kept() {
    const VariableNames names = names_of(core_);
    std::vector<Trainer::Kept> all = core_.kept();
    for (Trainer::Kept& kept : all) add(kept_name(kept.row, names.at(kept.variable)), std::move(kept.values));
    return !all.empty();
  }
  /// Elements stay where they are when the tensor moves.
  void add(std::string name, Tensor tensor) {
    held_.push_back(std::move(tensor));
    views_.push_back({std::move(name), held_.back()});
  }

  Core& core_;
  Json json_{Kind::object};
  std::vector<std::string> weights_;  // their names
  std::vector<Tensor> held_;
  std::vector<io::NamedView> views_;
};

/// What is in the file of a model.
ModelParts parts_in(const std::string& path) {
  ModelParts parts;
  io::Metadata metadata;
  for (io::NamedTensor& named : io::load_safetensors(path, &metadata))
    parts.tensors.push_back({std::move(named.name), std::move(named.tensor)});
  const auto found = metadata.find(model_key);
  GLIA_CHECK(found != metadata.end(), NoModelError, "'", path,
             "' has no model, only tensors: make the model, and call its load_weights");
  GLIA_CHECK(metadata.count(io::checksum_key) != 0, ValueError, "the file has no checksum");
  parts.description = found->second;
  return parts;
}

}  // namespace

/// A model that its parts are made into, or that goes on from them.
class SavedModel final : public Core::WeightsCheck {
 public:
  /// `what` is said of a later format: whose it is.
  SavedModel(ModelParts parts, const std::string& what) {
    for (NamedTensor& named : parts.tensors) tensors_.emplace(std::move(named.name), std::move(named.tensor));
    json_ = parse_json(parts.description, "the model's description");
    GLIA_CHECK(json_.is(Kind::object), ValueError, "the model's description is no object");
    Config config(json_, "the model's description");
    std::int64_t version = 0;
    config.needed("format_version", version);
    GLIA_CHECK(version == format_version, FileError, what, " is of format ", version,
               ", this Glia reads format ", format_version, ": use the Glia that wrote it, or a later one");
    if (json_.find("training")) progressed_ = read_progressed();
  }
  /// That training came to; none of a file that has the model alone.
  std::optional<int> epoch() const { return progressed_ ? std::optional(progressed_->epoch) : std::nullopt; }

  void make(const std::shared_ptr<Core>& shared, const LoadOptions& options) {
    const bool compiles = options.compile && json_.find("compile");
    {
      const Using core(shared);
      read_described(shared, member("graph", Kind::object));
      for (const Json::Member& name : member("class_names", Kind::array).members)
        core->class_names.push_back(name.value.text);
      CompileOptions where;
      where.device = options.device, where.context = options.context;
      if (compiles)
        compile_as(*core, member("compile", Kind::object), where);
      else
        core->compute_on(where);
    }
    const Using core(shared);  // on the device of that
    if (const std::optional<Shapes> shapes = core->network().known_input_shapes()) {
      core->build(*shapes, this);
      core->weights().set(weights_of(*core));
    }
    if (compiles) give_training(*core);
  }

  /// Takes training up in a model that is compiled and built; changes nothing where the file does not fit.
  void go_on(Core& core) {
    check(core.weights());
    const OptimizerName saved = optimizer_in(member("compile", Kind::object));
    OptimizerName own = core.trainer().told().optimizer;
    GLIA_CHECK(saved.name() == own.name(), ValueError, "it was trained with ", saved.name(),
               ", and this model is compiled with ", own.name(), ", which is another optimizer");
    const std::vector<TensorView> weights = weights_of(core);
    give_training(core);
    core.weights().set(weights);
    const LearningRate rate = std::visit([](const auto& o) { return o.learning_rate; }, saved.value());
    if (rate.is_constant() && core.trainer().has_constant_rate())
      core.set_learning_rate(rate);  // that callbacks set
  }

  /// What the description asks memory for is in the file.
  void check(const ModelWeights& weights) override {
    const std::vector<const Variable*> variables = weights.variables();
    const std::vector<std::string> names = weights.names();
    for (std::size_t i = 0; i < names.size(); ++i) expect(names[i], variables[i]->shape);
  }

 private:
  const Json& member(const char* name, Kind kind) const {
    const Json* const found = json_.find(name);
    GLIA_CHECK(found && found->is(kind), ValueError, "the model's description has no ", name);
    return *found;
  }
  void expect(const std::string& name, const Shape& shape) const {
    const auto found = tensors_.find(name);
    GLIA_CHECK(found != tensors_.end() && found->second.shape() == shape, ShapeError, "it has ",
               found == tensors_.end() ? "no tensor \"" : "another shape of \"", detail::escaped(name),
               "\", of which the model has shape ", shape);
  }
  std::vector<TensorView> weights_of(const Core& core) {
    std::vector<TensorView> values;
    for (const std::string& name : core.weights().names()) values.push_back(take(name));
    return values;
  }
  const Tensor& take(const std::string& name) {
    ++taken_;
    return tensors_.at(name);
  }

  Progressed read_progressed() const {
    Json training = member("training", Kind::object);
    Config config(training, "training");
    Progressed progressed;
    progressed.list(config);
    config.finish();
    GLIA_CHECK(progressed.epoch >= 0 && progressed.passes >= 0 && progressed.steps >= 0, ValueError,
               "training has numbers below 0");
    return progressed;
  }

  /// What the optimizer keeps, as the file has it.
  std::vector<Trainer::Kept> kept_of(Core& core) {
    if (!progressed_->has_kept) return {};
    core.find_unreached();
    const VariableNames names = names_of(core);
    std::vector<Trainer::Kept> kept = core.kept();
    for (Trainer::Kept& one : kept) {
      const std::string name = kept_name(one.row, names.at(one.variable));
      expect(name, one.variable->shape);
      one.values = take(name).cast(core.dtype);
    }
    return kept;
  }

  std::vector<Core::KeptCallback> callbacks() {
    std::vector<Core::KeptCallback> all;
    for (const Json::Member& one : member("callbacks", Kind::array).members) {
      Json json = one.value;
      Config described(json, "a callback");
      Core::KeptCallback& callback = all.emplace_back();
      std::int64_t count = 0;
      list_callback(described, callback, count);
      described.finish();
      for (std::int64_t t = 0; t < count; ++t) {
        const std::string name = callback_name(all.size() - 1, static_cast<std::size_t>(t));
        GLIA_CHECK(tensors_.count(name) != 0, ValueError, "callback ", all.size() - 1, " has no tensor ", t);
        callback.state.tensors.push_back(take(name).clone());
      }
    }
    return all;
  }

  /// How far training came; all that the file has is read before anything is changed.
  void give_training(Core& core) {
    GLIA_CHECK(progressed_, ValueError, "the model's description has no training");
    std::vector<Trainer::Kept> kept;
    if (core.built()) kept = kept_of(core);
    std::vector<Core::KeptCallback> all = callbacks();
    GLIA_CHECK(taken_ == tensors_.size(), ValueError, "it has ", tensors_.size(),
               " tensors, of which the model takes ", taken_,
               ": that has other layers, or another optimizer");
    if (core.built()) core.restore(progressed_->steps, kept);
    core.epoch = progressed_->epoch, core.trained_epochs = progressed_->passes;
    core.kept_callbacks = std::move(all);
  }

  std::unordered_map<std::string, Tensor> tensors_;
  std::size_t taken_ = 0;
  Json json_;
  std::optional<Progressed> progressed_;
};

void Model::save(const std::string& path, const SaveOptions& options) const {
  const Using core(core_);
  core->build_if_known();
  Saving(*core, options).write(with_extension(path));
}

namespace {

constexpr auto makes_none = "holds no model that can be made", get_again = "get the file, or save it, again";

}  // namespace

Model load_model(const std::string& path, const LoadOptions& options) {
  Model model;
  const std::string file = with_extension(path);
  io::of_file(file, makes_none, get_again,
              [&] { SavedModel(parts_in(file), '\'' + file + '\'').make(model.core_, options); });
  return model;
}

Checkpoint::Checkpoint(const std::string& path) : path_(path) {
  io::of_file(path, makes_none, get_again,
              [&] { saved_ = std::make_shared<SavedModel>(parts_in(path), '\'' + path + '\''); });
}

std::optional<int> Checkpoint::epoch() const { return saved_->epoch(); }

void Checkpoint::go_on(Core& core) const {
  io::of_file(path_, "is of another model than the one that is fitted",
              "build and compile the model as it was saved, or give another resume_from",
              [&] { saved_->go_on(core); });
}

ModelParts take_apart(const Model& model, const SaveOptions& options) {
  const Using core(core_of(model));
  core->build_if_known();
  return Saving(*core, options).parts();
}

Model put_together(ModelParts parts, const LoadOptions& options) {
  OpenedModel model;
  try {
    SavedModel(std::move(parts), "the model's description").make(model.core(), options);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("out of memory while a model is put together; close other programs");
  }
  return std::move(static_cast<Model&>(model));
}

void go_on(const Model& model, ModelParts parts) {
  const Using core(core_of(model));
  SavedModel(std::move(parts), "the model's description").go_on(*core);
}

int Model::epoch() const { return Using(core_)->epoch; }
const std::vector<std::string>& Model::class_names() const { return Using(core_)->class_names; }
void Model::set_class_names(const std::vector<std::string>& names) { Using(core_)->class_names = names; }

}  // namespace glia
