// Dqn in a file: the parts of the model that learns, as Model::save writes them, and beside them the buffer, the environments and how
// far they came.
// SPDX-License-Identifier: Apache-2.0
#include <glia/model_parts.h>
#include <host/base/json.h>
#include <host/io/of_file.h>
#include <host/io/safetensors.h>
#include <host/layers/config.h>
#include <host/reinforcement/dqn_engine.h>
#include <host/training/files.h>  // defines: go_on, model_key, with_extension

#include <map>
#include <utility>

namespace glia {
namespace {

constexpr auto agent_key = "glia.agent", ours = "glia.agent/";
constexpr std::int64_t format_version = 1;

/// What a file says in words: what the agent is, which must be the same, and how far it came.
struct Words {
  std::string environment;
  std::int64_t observation_size = 0, actions = 0, environments = 0, capacity = 0;
  int n_step = 0;
  double alpha = 0, gamma = 0;
  std::uint64_t seed = 0;

  std::int64_t version = format_version, steps = 0, updates = 0, next = 0, draws = 0;
  double greatest_priority = 1;

  void list(Config& config) {
    config.needed("format_version", version), config.needed("environment", environment);
    config.needed("observation_size", observation_size), config.needed("actions", actions);
    config.needed("environments", environments), config.needed("capacity", capacity);
    config.needed("n_step", n_step), config.needed("alpha", alpha), config.needed("gamma", gamma);
    config.needed("seed", seed), config.needed("steps", steps), config.needed("updates", updates);
    config.needed("next", next), config.needed("draws", draws);
    config.needed("greatest_priority", greatest_priority);
  }
};

Words words_of(const DqnOptions& options, const Environment& environment, const ReplayBuffer& replay) {
  Words words;
  words.environment = environment.type();
  words.observation_size = replay.layout().observation_size, words.actions = replay.layout().actions;
  words.environments = options.environments, words.capacity = options.replay.capacity;
  words.n_step = options.n_step, words.alpha = options.replay.alpha, words.gamma = options.gamma;
  words.seed = options.seed;
  return words;
}

template <class T>
void expect_same(const char* what, const T& in_file, const T& own) {
  GLIA_CHECK(in_file == own, ValueError, "it is of an agent with ", what, ' ', in_file, ", and this one has ",
             own);
}

std::string waiting_name(std::size_t i) { return "waiting/" + std::to_string(i); }

}  // namespace

void Dqn::Engine::save(const std::string& path) const {
  const ModelParts parts = take_apart(learning_);
  const ReplayBufferState replay = replay_.state();
  Words words = words_of(options_, *player_, replay_);
  words.steps = steps_, words.updates = updates_, words.next = replay.next, words.draws = replay.draws;
  words.greatest_priority = replay.greatest_priority;
  Json json(Json::Kind::object);
  Config config(json);
  words.list(config);

  std::vector<NamedTensor> own;
  const auto add = [&](const std::string& name, Tensor tensor) {
    if (!tensor.empty()) own.push_back({ours + name, std::move(tensor)});
  };
  add("rows", replay.rows.clone()), add("priorities", Tensor(replay.priorities));
  add("states", environments_.state()), add("observations", environments_.observations().clone());
  add("episodes", Tensor(environments_.episodes())), add("returns", Tensor(returns_));
  for (std::size_t i = 0; i < waiting_.size(); ++i)
    add(waiting_name(i), waiting_[i].state(words.observation_size));
  std::vector<io::NamedView> views;
  for (const NamedTensor& tensor : parts.tensors) views.push_back({tensor.name, tensor.tensor});
  for (const NamedTensor& tensor : own) views.push_back({tensor.name, tensor.tensor});
  io::save_safetensors(with_extension(path), views,
                       {{"format", "glia"}, {model_key, parts.description}, {agent_key, json.dump()}},
                       io::Checksum::sha256);
}

void Dqn::Engine::load(const std::string& path) {
  const std::string file = with_extension(path);
  io::of_file(
      file, "is of no agent like this one",
      "make the agent as the saved one was, for the same environment, or give the file of another", [&] {
        io::Metadata metadata;
        ModelParts parts;
        std::map<std::string, Tensor> own;
        for (io::NamedTensor& named : io::load_safetensors(file, &metadata)) {
          if (named.name.starts_with(ours))
            own.emplace(named.name.substr(std::string(ours).size()), std::move(named.tensor));
          else
            parts.tensors.push_back({std::move(named.name), std::move(named.tensor)});
        }
        GLIA_CHECK(metadata.count(agent_key) != 0 && metadata.count(model_key) != 0, ValueError,
                   "it has no agent");
        parts.description = metadata.at(model_key);
        Json json = parse_json(metadata.at(agent_key), "the agent's description");
        GLIA_CHECK(json.is(Json::Kind::object), ValueError, "the agent's description is no object");
        Config config(json, "the agent's description");
        Words words;
        words.list(config), config.finish();
        const Words mine = words_of(options_, *player_, replay_);
        expect_same("format_version", words.version, mine.version);
        expect_same("environment", words.environment, mine.environment);
        expect_same("observations of size", words.observation_size, mine.observation_size);
        expect_same("actions", words.actions, mine.actions);
        expect_same("environments", words.environments, mine.environments);
        expect_same("capacity", words.capacity, mine.capacity);
        expect_same("n_step", words.n_step, mine.n_step);
        expect_same("alpha", words.alpha, mine.alpha), expect_same("gamma", words.gamma, mine.gamma);
        expect_same("seed", words.seed, mine.seed);
        GLIA_CHECK(words.steps >= 0 && words.updates >= 0, ValueError, "it has numbers of steps below 0");

        // All is read, and tried on copies, before anything changes.
        const auto take = [&](const std::string& name, const Shape& empty, DType dtype) {
          const auto found = own.find(name);
          Tensor tensor = found == own.end() ? Tensor::zeros(empty, dtype) : std::move(found->second);
          GLIA_CHECK(tensor.dtype() == dtype, ValueError, name, " is of ", tensor.dtype(), ", expected ",
                     dtype);
          if (found != own.end()) own.erase(found);
          return tensor;
        };
        const auto numbers = [](const Tensor& tensor) {
          const double* const first = tensor.data<double>();
          return std::vector<double>(first, first + tensor.size());
        };
        ReplayBufferState replay;
        replay.rows = take("rows", {0, replay_.layout().row_size()}, DType::float32);
        replay.priorities = numbers(take("priorities", {0}, DType::float64));
        replay.greatest_priority = words.greatest_priority, replay.next = words.next,
        replay.draws = words.draws;
        const Tensor states = take("states", {0}, DType::float64),
                     observations = take("observations", {0}, DType::float32),
                     episodes = take("episodes", {0}, DType::int64);
        const std::vector<double> returns = numbers(take("returns", {0}, DType::float64));
        GLIA_CHECK(returns.size() == returns_.size(), ShapeError, "it has ", returns.size(),
                   " returns, expected ", returns_.size());
        std::vector<NStep> waiting(waiting_.size(), NStep(options_.n_step, options_.gamma));
        for (std::size_t i = 0; i < waiting.size(); ++i)
          waiting[i].set_state(take(waiting_name(i), {0, words.observation_size + 2}, DType::float64),
                               words.observation_size, words.actions);
        GLIA_CHECK(own.empty(), ValueError, "it has the tensor ", own.begin()->first, ", which no agent has");
        VectorEnvironment environments(*player_, options_.environments, options_.seed);
        environments.set_state(
            states, observations,
            {episodes.data<std::int64_t>(), episodes.data<std::int64_t>() + episodes.size()});
        const ReplayBufferState before = replay_.state();
        replay_.set_state(replay);
        try {
          go_on(learning_, std::move(parts));
        } catch (...) {
          replay_.set_state(before);
          throw;
        }
        environments_ = std::move(environments), waiting_ = std::move(waiting), returns_ = returns;
        steps_ = words.steps, updates_ = words.updates;
      });
}

}  // namespace glia
