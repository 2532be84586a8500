// Dqn: the networks, and the temporal difference as a model.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dqn.h>
#include <glia/image_layers.h>  // defines: GlobalMaxPooling2D
#include <glia/math/philox.h>
#include <glia/operations.h>
#include <host/reinforcement/dqn_engine.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glia {
namespace {

void check_rate(const LearningRate& rate, const char* name) {
  const std::string wrong =
      std::visit([](const auto& schedule) { return schedule.invalid(); }, rate.schedule);
  GLIA_CHECK(wrong.empty(), ValueError, "Dqn got a ", name, " that cannot be: ", wrong);
}

const DqnOptions& checked(const DqnOptions& o) {
  GLIA_CHECK(o.gamma >= 0 && o.gamma <= 1, ValueError, "Dqn got gamma ", o.gamma, ", expected 0 to 1");
  GLIA_CHECK(o.n_step >= 1, ValueError, "Dqn got n_step ", o.n_step, ", expected at least 1");
  GLIA_CHECK(o.batch_size >= 1 && o.batch_size <= o.replay.capacity, ValueError, "Dqn got batch_size ",
             o.batch_size, " and a replay buffer of capacity ", o.replay.capacity,
             ", expected at least 1, and no more than that holds");
  GLIA_CHECK(o.learning_starts >= 0 && o.train_frequency >= 1 && o.gradient_steps >= 1, ValueError,
             "Dqn got learning_starts ", o.learning_starts, ", train_frequency ", o.train_frequency,
             " and gradient_steps ", o.gradient_steps, ", expected at least 0, 1 and 1");
  GLIA_CHECK(o.target_frequency >= 1 && o.tau > 0 && o.tau <= 1, ValueError, "Dqn got target_frequency ",
             o.target_frequency, " and tau ", o.tau, ", expected at least 1, and above 0 to 1");
  GLIA_CHECK(std::all_of(o.hidden.begin(), o.hidden.end(), [](int units) { return units >= 1; }), ValueError,
             "Dqn got a hidden layer without units, expected at least 1 of each");
  check_rate(o.epsilon, "epsilon"), check_rate(o.beta, "beta");
  return o;
}

ReplayBufferOptions replay_options(const DqnOptions& options, const Context& context) {
  ReplayBufferOptions replay = options.replay;
  replay.seed = options.seed, replay.context = context;
  return replay;
}

Context context_of(const DqnOptions& options) {
  return options.context ? *options.context : Context({.device = options.device.value_or(Device("auto"))});
}

Model network_of(const Environment& environment, const DqnOptions& options) {
  const auto actions = static_cast<int>(environment.action_space().n);
  const Shape shape = environment.observation_space().shape;
  const Symbol observation = Input(shape);
  Symbol x = shape.rank() == 1 ? observation : Flatten()(observation);
  const bool dueling = options.head == QHead::dueling && !options.hidden.empty();
  for (std::size_t i = 0; i + (dueling ? 1 : 0) < options.hidden.size(); ++i)
    x = Dense(options.hidden[i], "relu")(x);
  if (options.head == QHead::plain) return Model({observation}, {Dense(actions)(x)});
  const auto stream = [&](int units) {
    return Dense(units)(dueling ? Dense(options.hidden.back(), "relu")(x) : x);
  };
  const Symbol value = stream(1), advantage = stream(actions);
  return Model({observation}, {value + advantage - mean(advantage, {-1}, true)});
}

Model checked_network(Model network, const Environment& environment) {
  GLIA_CHECK(!network.built(), StateError,
             "Dqn got a network that is built: give it a new one, or a clone_model of that");
  const std::vector<Symbol> inputs = network.inputs(), outputs = network.outputs();
  const Shape in = environment.observation_space().shape, out{environment.action_space().n};
  GLIA_CHECK(
      inputs.size() == 1 && inputs[0].shape() == in && outputs.size() == 1 && outputs[0].shape() == out,
      ShapeError, "Dqn got a network from ", inputs[0].shape(), " to ", outputs[0].shape(),
      ", expected one from observations ", in, " to what each action is worth, ", out);
  return network;
}

Model target_of(const Model& online) {
  Model target = clone_model(online);
  target.set_name("target");
  return target;
}

/// (actions,) -> (1,).
Symbol greatest(const Symbol& q) { return GlobalMaxPooling2D()(reshape(q, {q.shape().front(), 1, 1})); }

/// 1 for the greatest of q, shared by those that are equal, 0 for the others: e to the power of 1e30 times how far each is behind
/// the greatest, which is 0 or rounds e's power to 0.
Symbol argmax(const Symbol& q) {
  const Symbol best = exp((q - greatest(q)) * 1e30);
  return best / sum(best, {-1}, true);
}

/// Q(s, a) - (R + discount * value(s')) of rows of a buffer. Only Q(s, a) has a gradient.
Model temporal_difference(const Model& online, const Model& target, const Shape& observation,
                          const TransitionLayout& layout, TargetValue value) {
  const Symbol row = Input({layout.row_size()}, "transition");
  const auto part = [&](std::int64_t first, std::int64_t count) { return slice(row, 1, first, count); };
  const auto shaped = [&](const Symbol& x) { return observation.rank() == 1 ? x : reshape(x, observation); };
  const Symbol before = shaped(part(0, layout.observation_size)),
               behind = shaped(part(layout.next_observation(), layout.observation_size)),
               action = part(layout.action(), layout.actions);
  const Symbol q = online(before), next = target(behind);
  const Symbol worth =
      value == TargetValue::maximum ? greatest(next) : sum(next * argmax(online(behind)), {-1}, true);
  const Symbol aim = part(layout.reward(), 1) + part(layout.discount(), 1) * worth;
  return Model({row}, {sum(q * action, {-1}, true) - stop_gradient(aim)}, {.name = "temporal_difference"});
}

}  // namespace

Dqn::Engine::Engine(const Environment& environment, Model network, const DqnOptions& options)
    : options_(checked(options)),
      context_(context_of(options)),
      environments_(environment, options.environments, options.seed),
      player_(environment.clone()),
      replay_(environment.observation_space().size(), environment.action_space().n,
              replay_options(options, context_)),
      waiting_(static_cast<std::size_t>(options.environments), NStep(options.n_step, options.gamma)),
      returns_(static_cast<std::size_t>(options.environments)),
      online_(checked_network(std::move(network), environment)),
      target_(target_of(online_)),
      learning_(temporal_difference(online_, target_, environment.observation_space().shape, replay_.layout(),
                                    options.target)) {
  online_.set_name("online");
  online_.set_seed(options.seed);
  for (Model* model : {&online_, &target_}) {
    model->compile({.context = context_});
    model->count_params();  // makes the weights of each, in a block of its own
  }
  target_.set_weights(online_.get_weights());
  target_.set_trainable(false);
  learning_.set_seed(options.seed);
  learning_.compile(
      {.optimizer = options.optimizer, .loss = Huber{.delta = options.huber_delta}, .context = context_});
  learner_.emplace(learning_.learner());
  actor_.emplace(online_.predictor({.max_batch = options.environments}));
  zeros_ = Tensor::zeros({options.batch_size, 1}).to(context_);
  before_ = environments_.observations().clone();
  worths_ = Tensor::zeros({options.environments, replay_.layout().actions});
  actions_.resize(static_cast<std::size_t>(options.environments));

  const std::vector<MutableTensorView> views = learner_->weights();
  const std::vector<std::string> names = learning_.weight_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].starts_with("online/")) continue;
    const auto of_target = std::find(names.begin(), names.end(), "target/" + names[i].substr(7));
    weights_.emplace_back(views[i], views[static_cast<std::size_t>(of_target - names.begin())]);
  }
  if (options.tau == 1) return;
  Bindings bindings;
  std::vector<Descriptor> descriptors;
  for (const auto& [online, target] : weights_) {
    const auto view = [&](const MutableTensorView& weight) {
      View whole = View::contiguous(Buffer::parameters, weight.dtype(), {weight.size()});
      whole.block = static_cast<std::int32_t>(bindings.more_blocks.size()) + 1;
      bindings.more_blocks.push_back(static_cast<std::byte*>(weight.raw()));
      return whole;
    };
    const View from = view(online), to = view(target);
    descriptors.push_back(op::Combine{options.tau, 1 - options.tau, from, to, to});
  }
  following_.emplace(context_.backend(), Mode::update, 1, std::move(descriptors), bindings, 0);
}

/// The target network follows the online one.
void Dqn::Engine::follow() {
  if (following_) return following_->run(1);
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  for (const auto& [online, target] : weights_)
    backend.copy(target.raw(), online.raw(), static_cast<std::size_t>(online.bytes()));
}

TensorView Dqn::Engine::on_device(const Tensor& tensor) const {
  return TensorView::of(tensor.raw(), tensor.shape(), tensor.dtype(), tensor.device());
}

/// One update, from a batch of the buffer.
void Dqn::Engine::learn() {
  replay_.sample(batch_, options_.batch_size, std::clamp(options_.beta.at(steps_), 0.0, 1.0));
  const Tensors rows = on_device(batch_.rows), zeros = on_device(zeros_);
  if (replay_.prioritized()) {
    replay_.set_errors(batch_.indices, learning_.predict_on_batch(rows).values());
    learner_->enqueue_train(rows, zeros, on_device(batch_.weights));
  } else {
    learner_->enqueue_train(rows, zeros);
  }
  if (++updates_ % options_.target_frequency == 0) follow();
}

const float* Dqn::Engine::worths(const TensorView& observations) {
  const std::int64_t rows = observations.rows();
  actor_->predict(TensorView::of(observations.raw(), actor_->input_shapes()[0].prepend(rows), DType::float32),
                  MutableTensorView(worths_).rows(0, rows));
  return worths_.data<float>();
}

std::int64_t Dqn::Engine::best_of(const float* worths) const {
  return std::max_element(worths, worths + replay_.layout().actions) - worths;
}

/// Each action by chance, or the best.
void Dqn::Engine::explore(const TensorView& observations) {
  const double epsilon = options_.epsilon.at(steps_);
  const Philox philox{options_.seed, Purpose::exploration, static_cast<std::uint64_t>(steps_)};
  const std::int64_t actions = replay_.layout().actions;
  std::fill(actions_.begin(), actions_.end(), -1);
  for (std::size_t i = 0; i < actions_.size(); ++i)
    if (philox.uniform(2 * i) < epsilon)
      actions_[i] =
          static_cast<std::int64_t>(philox.word(2 * i + 1) * static_cast<std::uint64_t>(actions) >> 32);
  if (std::find(actions_.begin(), actions_.end(), -1) == actions_.end()) return;
  const float* row = worths(observations);
  for (std::size_t i = 0; i < actions_.size(); ++i, row += actions)
    if (actions_[i] < 0) actions_[i] = best_of(row);
}

void Dqn::Engine::act_and_learn(const std::function<void(double)>& ended) {
  const Tensor& now = environments_.observations();
  std::copy_n(now.data<float>(), now.size(), before_.data<float>());
  explore(before_);
  const std::vector<EnvironmentStep> led_to = environments_.step(actions_);
  const std::int64_t size = replay_.layout().observation_size;
  for (std::size_t i = 0; i < led_to.size(); ++i) {
    const float* const first = before_.data<float>() + static_cast<std::int64_t>(i) * size;
    waiting_[i].push({first, first + size}, actions_[i], led_to[i],
                     [&](const Transition& transition) { replay_.add(transition); });
    returns_[i] += led_to[i].reward;
    if (led_to[i].ends()) ended(std::exchange(returns_[i], 0));
  }
  const std::int64_t already = steps_ / options_.train_frequency;
  steps_ += environments_.size();
  if (steps_ <= options_.learning_starts || replay_.size() < options_.batch_size) return;
  const std::int64_t due = (steps_ / options_.train_frequency - already) * options_.gradient_steps;
  for (std::int64_t i = 0; i < due; ++i) learn();
}

std::int64_t Dqn::Engine::act(const std::vector<float>& observation) {
  check_observation(*player_, replay_.layout().observation_size, observation);
  return best_of(
      worths(TensorView::of(observation.data(), {1, static_cast<std::int64_t>(observation.size())})));
}

EpisodeReturns Dqn::Engine::evaluate(std::int64_t episodes, std::uint64_t seed) {
  GLIA_CHECK(episodes >= 1, ValueError, "evaluate got ", episodes, " episodes, expected at least 1");
  EpisodeReturns result;
  for (std::int64_t episode = 0; episode < episodes; ++episode) {
    std::vector<float> observation = player_->reset(seed + static_cast<std::uint64_t>(episode));
    double total = 0;
    std::int64_t steps = 0;
    for (EnvironmentStep step; !step.ends(); ++steps) {
      step = player_->step(act(observation));
      total += step.reward;
      observation = std::move(step.observation);
    }
    result.returns.push_back(total), result.steps.push_back(steps);
  }
  return result;
}

Episode Dqn::Engine::play(std::uint64_t seed) {
  Episode episode;
  std::vector<float> observation = player_->reset(seed);
  episode.states.push_back(player_->state());
  for (EnvironmentStep step; !step.ends();) {
    episode.actions.push_back(act(observation));
    step = player_->step(episode.actions.back());
    episode.states.push_back(player_->state()), episode.rewards.push_back(step.reward);
    episode.terminated = step.terminated;
    observation = std::move(step.observation);
  }
  return episode;
}

double EpisodeReturns::mean() const {
  return std::accumulate(returns.begin(), returns.end(), 0.0) / static_cast<double>(returns.size());
}

double EpisodeReturns::standard_deviation() const {
  const double center = mean();
  double sum = 0;
  for (const double one : returns) sum += (one - center) * (one - center);
  return std::sqrt(sum / static_cast<double>(returns.size()));
}

Dqn::Dqn(const Environment& environment, const DqnOptions& options)
    : Dqn(environment, network_of(environment, checked(options)), options) {}
Dqn::Dqn(const Environment& environment, Model network, const DqnOptions& options)
    : engine_(std::make_unique<Engine>(environment, std::move(network), options)) {}
Dqn::Dqn(Dqn&&) noexcept = default;
Dqn& Dqn::operator=(Dqn&&) noexcept = default;
Dqn::~Dqn() = default;

Dqn::Engine& Dqn::engine() const {
  GLIA_CHECK(engine_, StateError, "this agent was moved from: use the one it was moved to");
  return *engine_;
}
History Dqn::train(std::int64_t steps, const DqnTrainOptions& options) {
  return engine().train(steps, options);
}
EpisodeReturns Dqn::evaluate(std::int64_t episodes, std::uint64_t seed) {
  return engine().evaluate(episodes, seed);
}
Episode Dqn::play(std::uint64_t seed) { return engine().play(seed); }
std::int64_t Dqn::act(const std::vector<float>& observation) { return engine().act(observation); }
Model& Dqn::model() { return engine().model(); }
const ReplayBuffer& Dqn::replay() const { return engine().replay(); }
std::int64_t Dqn::steps() const { return engine().steps(); }
std::int64_t Dqn::updates() const { return engine().updates(); }
void Dqn::save(const std::string& path) const { engine().save(path); }
void Dqn::load(const std::string& path) { engine().load(path); }

}  // namespace glia
