// Dqn on every device: updates against formulas in float64, targets, what follows from a seed, files, errors, and that it learns.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dqn.h>
#include <glia/environments.h>
#include <glia/math/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/q_learning.h"  // defines: Reference, Wandering
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using test::Reference;
using test::Wandering;

class Agents : public test::DeviceTest {
 protected:
  /// One that explores all the time, and makes five updates, at its 40th step.
  DqnOptions five_updates() {
    return {.hidden = {6},
            .optimizer = SGD{.learning_rate = 0.05},
            .huber_delta = 3,  // errors lie on both sides of it
            .gamma = 0.9,
            .batch_size = 7,
            .replay = {.capacity = 100},
            .beta = 0.5,
            .epsilon = 1,
            .learning_starts = 39,
            .gradient_steps = 5,
            .target_frequency = 2,
            .seed = 3,
            .context = context()};
  }
  void expect_as_the_reference(const DqnOptions& options) {
    Dqn agent(Wandering(), options);
    Reference reference(options, agent.model());
    // From the start both networks say something else, in what is greatest, too.
    std::vector<Tensor> others;
    for (const Tensor& weight : agent.model().get_weights()) others.push_back(weight * -0.8 + 0.05);
    agent.model().set_weights(others);
    reference.set_online(others);
    agent.train(40, {.verbose = 0});
    ASSERT_EQ(agent.updates(), 5);
    reference.learn(agent.replay().state(), 5);
    const std::vector<Tensor> weights = agent.model().get_weights();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::vector<double> values = weights[i].values(), wanted = reference.online()[i];
      for (std::size_t j = 0; j < values.size(); ++j)
        EXPECT_NEAR(values[j], wanted[j], 1e-5) << i << ", " << j;
    }
    EXPECT_GT(reference.moved(), 1e-3);
  }
  DqnOptions small(std::uint64_t seed = 1) {
    return {.hidden = {16},
            .batch_size = 16,
            .replay = {.capacity = 150},
            .epsilon = PolynomialDecay{1, 200, 0.1},
            .learning_starts = 50,
            .target_frequency = 20,
            .seed = seed,
            .context = context()};
  }
};

TEST_P(Agents, Learn_as_the_formulas_say_towards_the_greatest_value) {
  DqnOptions options = five_updates();
  options.target = TargetValue::maximum;
  expect_as_the_reference(options);
}

TEST_P(Agents, Learn_as_the_formulas_say_towards_double_q) { expect_as_the_reference(five_updates()); }

TEST_P(Agents, Learn_as_the_formulas_say_with_a_target_that_follows_smoothly) {
  DqnOptions options = five_updates();
  options.target_frequency = 1, options.tau = 0.3;
  expect_as_the_reference(options);
}

TEST_P(Agents, Learn_as_the_formulas_say_from_n_steps) {
  DqnOptions options = five_updates();
  options.n_step = 3;
  expect_as_the_reference(options);
}

TEST_P(Agents, Learn_as_the_formulas_say_with_weights_of_prioritized_rows) {
  DqnOptions options = five_updates();
  options.replay.alpha = 0.7;
  expect_as_the_reference(options);
}

TEST_P(Agents, Learn_as_the_formulas_say_with_a_dueling_network) {
  DqnOptions options = five_updates();
  options.head = QHead::dueling;
  expect_as_the_reference(options);
}

TEST_P(Agents, Fill_the_buffer_with_what_happened_over_n_steps_of_each_environment) {
  DqnOptions options = five_updates();
  options.n_step = 2, options.environments = 3, options.learning_starts = 1000;
  Dqn agent(Wandering(), options);
  agent.train(31, {.verbose = 0});
  EXPECT_EQ(agent.steps(), 33);  // rounded up to all environments
  const ReplayBufferState state = agent.replay().state();
  EXPECT_EQ(state.rows.rows(),
            33 - 3 * (33 / 3 % Wandering::length != 0));  // one waits in each that is within an episode
  const TransitionLayout layout = agent.replay().layout();
  for (std::int64_t i = 0; i < state.rows.rows(); ++i) {
    const std::vector<double> row = state.rows.row(i).values();
    const auto at = [&](std::int64_t place) { return row[static_cast<std::size_t>(place)]; };
    // Its first number counts the steps of an episode, whose reward they are.
    const double before = at(0), behind = at(layout.next_observation());
    const bool ends = behind == Wandering::length;
    EXPECT_TRUE(behind == before + 2 || (ends && behind == before + 1)) << before << " to " << behind;
    EXPECT_NEAR(at(layout.reward()), behind == before + 2 ? (before + 1) + 0.9 * (before + 2) : before + 1,
                1e-5);
    EXPECT_NEAR(at(layout.discount()), ends ? 0 : 0.81, 1e-6);
  }
}

TEST_P(Agents, Come_to_the_same_bits_from_the_same_seed) {
  for (const double alpha : {0.0, 0.6}) {
    DqnOptions options = small();
    options.replay.alpha = alpha;
    Dqn one(CartPole(), options), same(CartPole(), options), other(CartPole(), small(2));
    const History a = one.train(300, {.steps_per_epoch = 100, .verbose = 0}),
                  b = same.train(300, {.steps_per_epoch = 100, .verbose = 0});
    other.train(300, {.verbose = 0});
    const std::vector<Tensor> weights = one.model().get_weights(), again = same.model().get_weights(),
                              others = other.model().get_weights();
    for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_TRUE(array_equal(weights[i], again[i])) << i;
    EXPECT_FALSE(array_equal(weights[0], others[0]));
    EXPECT_EQ(a["loss"], b["loss"]);
    EXPECT_EQ(a["return"], b["return"]);
  }
}

TEST_P(Agents, Act_and_learn_on_a_GPU_as_on_the_CPU) {
  DqnOptions options = small();
  const auto weights_on = [&](const Context& where) {
    options.context = where;
    Dqn agent(CartPole(), options);
    agent.train(120, {.verbose = 0});
    return agent.model().get_weights();
  };
  const std::vector<Tensor> here = weights_on(context()), there = weights_on(Context({.device = "cpu"}));
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_TRUE(all_close(here[i], there[i], 1e-3, 1e-5)) << i;
}

TEST_P(Agents, Go_on_from_a_file_to_the_bits_of_one_that_was_not_broken_off) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "agent.safetensors";
  for (const bool all : {false, true}) {
    DqnOptions options = small();
    if (all) {
      options.replay.alpha = 0.6, options.n_step = 3, options.environments = 2, options.tau = 0.1;
      options.target_frequency = 1, options.head = QHead::dueling;
    }
    Dqn whole(CartPole(), options), first(CartPole(), options), second(CartPole(), options);
    whole.train(350, {.verbose = 0});
    first.train(214, {.verbose = 0});
    first.save(path);
    second.train(60, {.verbose = 0});  // what it knew is gone
    second.load(path);
    EXPECT_EQ(second.steps(), 214);
    second.train(136, {.verbose = 0});
    whole.save(folder / "whole.safetensors"), second.save(path);
    EXPECT_EQ(testing::read_text(folder / "whole.safetensors"), testing::read_text(path)) << all;
  }
}

TEST_P(Agents, Refuse_files_of_others_and_stay_as_they_were) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "agent.safetensors";
  Dqn agent(CartPole(), small());
  agent.train(80, {.verbose = 0});
  agent.save(path);
  const auto refuses = [&](const Environment& environment, const DqnOptions& options,
                           const std::string& what) {
    Dqn other(environment, options);
    other.train(60, {.verbose = 0});
    other.save(folder / "before");
    expect_error<FileError>([&] { other.load(path); }, {"agent.safetensors", what});
    other.save(folder / "behind");
    EXPECT_EQ(testing::read_text(folder / "before.safetensors"),
              testing::read_text(folder / "behind.safetensors"));
  };
  refuses(MountainCar(), small(), "CartPole");
  refuses(CartPole(), small(2), "seed");
  DqnOptions options = small();
  options.hidden = {17};
  refuses(CartPole(), options, "kernel");
  options = small(), options.optimizer = "sgd";
  refuses(CartPole(), options, "adam");
  options = small(), options.replay.alpha = 0.5;
  refuses(CartPole(), options, "alpha");
  options = small(), options.environments = 2;
  refuses(CartPole(), options, "environments");
  std::string bytes = testing::read_text(path);
  for (const std::size_t at : {bytes.size() / 3, bytes.size() / 2, bytes.size() - 3}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    testing::write_text(folder / "damaged.safetensors", damaged);
    expect_error<FileError>([&] { agent.load(folder / "damaged.safetensors"); }, {"damaged"});
  }
  agent.model().save_weights(folder / "weights");
  expect_error<FileError>([&] { agent.load(folder / "weights"); }, {"no agent"});
  expect_error<FileError>([&] { agent.load(folder / "none"); }, {"none"});
  EXPECT_EQ(agent.steps(), 80);
}

TEST_P(Agents, Look_on_without_changing_anything) {
  const testing::TemporaryFolder folder;
  Dqn watched(CartPole(), small()), alone(CartPole(), small());
  int begun = 0, ended = 0, tests = 0, trains = 0;
  struct Counting : Callback {
    int &begun, &ended, &tests, &trains;
    Counting(int& b, int& e, int& t, int& w) : begun(b), ended(e), tests(t), trains(w) {}
    void on_epoch_begin(int) override { ++begun; }
    void on_epoch_end(int epoch, Logs& logs) override {
      EXPECT_EQ(epoch, ended++);
      EXPECT_TRUE(logs.contains("epsilon"));
      EXPECT_EQ(model().get_weights().size(), 4u);
    }
    void on_test_begin() override { ++tests; }
    void on_train_end() override { ++trains; }
  } counting(begun, ended, tests, trains);
  const std::string csv = folder / "log.csv";
  const History history = watched.train(300, {.steps_per_epoch = 50,
                                              .callbacks = {&counting, CSVLogger(csv)},
                                              .verbose = 0,
                                              .evaluation_episodes = 2,
                                              .evaluation_freq = 2});
  alone.train(300, {.verbose = 0});
  EXPECT_EQ(begun, 6);
  EXPECT_EQ(ended, 6);
  EXPECT_EQ(tests, 3);
  EXPECT_EQ(trains, 1);
  EXPECT_EQ(history["val_return"].size(), 3u);
  EXPECT_EQ(history.epoch("val_return"), (std::vector<int>{1, 3, 5}));
  EXPECT_EQ(history["epsilon"].size(), 6u);
  EXPECT_EQ(history.best_epoch("val_return") % 2, 1);
  EXPECT_NE(testing::read_text(csv).find("epsilon"), std::string::npos);
  history.plot(folder / "curve.svg");
  EXPECT_NE(testing::read_text(folder / "curve.svg").find("eturn"), std::string::npos);
  const std::vector<Tensor> a = watched.model().get_weights(), b = alone.model().get_weights();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(array_equal(a[i], b[i])) << i;
}

TEST_P(Agents, Stop_where_a_callback_says_so) {
  Dqn agent(CartPole(), small());
  LambdaCallback stops({.on_epoch_end = [&](int epoch, Logs&) {
    if (epoch == 1) agent.model().stop_training();
  }});
  agent.train(300, {.steps_per_epoch = 50, .callbacks = {&stops}, .verbose = 0});
  EXPECT_EQ(agent.steps(), 100);
  agent.train(10, {.verbose = 0});
  EXPECT_EQ(agent.steps(), 110);
}

TEST_P(Agents, Evaluate_by_the_best_actions_from_seeds) {
  Dqn agent(CartPole(), small());
  agent.train(100, {.verbose = 0});
  const EpisodeReturns returns = agent.evaluate(5, 77);
  ASSERT_EQ(returns.returns.size(), 5u);
  const Episode third = agent.play(79);
  EXPECT_EQ(third.total(), returns.returns[2]);
  EXPECT_EQ(static_cast<std::int64_t>(third.actions.size()), returns.steps[2]);
  EXPECT_EQ(third.states.size(), third.actions.size() + 1);
  EXPECT_EQ(third.terminated, third.total() < 500);
  double sum = 0, squares = 0;
  for (const double one : returns.returns) sum += one, squares += one * one;
  EXPECT_DOUBLE_EQ(returns.mean(), sum / 5);
  EXPECT_NEAR(returns.standard_deviation(), std::sqrt(squares / 5 - sum * sum / 25), 1e-9);
  const Tensor q = agent.model().predict(Tensor({{0.1, 0.2, -0.1, 0.3}}), {.verbose = 0});
  EXPECT_EQ(agent.act({0.1f, 0.2f, -0.1f, 0.3f}), q(0, 1) > q(0, 0) ? 1 : 0);
}

TEST_P(Agents, Reach_the_best_there_is_in_a_grid_world) {
  const GridWorld world({.map = {"SFF", "FHF", "FFG"}});
  Dqn agent(world, {.hidden = {32},
                    .optimizer = Adam{.learning_rate = 5e-3},
                    .gamma = 0.9,
                    .batch_size = 32,
                    .replay = {.capacity = 2000},
                    .epsilon = PolynomialDecay{1, 500, 0.1},
                    .learning_starts = 100,
                    .train_frequency = 2,
                    .target_frequency = 50,
                    .seed = 1,
                    .context = context()});
  agent.train(context().device().is_cpu() ? 1500 : 800, {.verbose = 0});
  const EpisodeReturns returns = agent.evaluate(1);
  EXPECT_EQ(returns.returns[0], 1);
  EXPECT_EQ(returns.steps[0], 4);
  // What a step is worth is the discount of those that follow: 0.9^3 at the start.
  std::vector<float> first = world.clone()->reset(1);
  const Tensor q = agent.model().predict(Tensor(first).reshape({1, 9}), {.verbose = 0});
  EXPECT_NEAR(q.max(), 0.729, 0.1);
}

TEST_P(Agents, Take_a_network_of_the_callers) {
  const Symbol x = Input({4});
  Model network({x}, {Dense(2, {.kernel_initializer = "zeros"})(Dense(3, "tanh")(x))});
  Dqn agent(CartPole(), std::move(network), small());
  EXPECT_EQ(agent.act({1, 2, 3, 4}), 0);  // the first of equal ones
  agent.train(80, {.verbose = 0});
  EXPECT_EQ(agent.model().count_params(), 3 * 5 + 2 * 4);
  const Symbol y = Input({5});
  expect_error<ShapeError>([&] { Dqn(CartPole(), Model({y}, {Dense(2)(y)}), small()); }, {"(5,)", "(4,)"});
  expect_error<ShapeError>([&] { Dqn(CartPole(), Model({x}, {Dense(3)(x)}), small()); }, {"(3,)", "(2,)"});
  Model built({x}, {Dense(2)(x)});
  built.count_params();
  expect_error<StateError>([&] { Dqn(CartPole(), std::move(built), small()); }, {"built", "clone_model"});
}

TEST_P(Agents, Refuse_what_cannot_be) {
  const auto refuses = [&](const std::string& what, auto change) {
    DqnOptions options = small();
    change(options);
    expect_error<ValueError>([&] { Dqn(CartPole(), options); }, {what});
  };
  refuses("gamma 1.5", [](DqnOptions& o) { o.gamma = 1.5; });
  refuses("n_step 0", [](DqnOptions& o) { o.n_step = 0; });
  refuses("batch_size 151", [](DqnOptions& o) { o.batch_size = 151; });
  refuses("train_frequency 0", [](DqnOptions& o) { o.train_frequency = 0; });
  refuses("tau 0", [](DqnOptions& o) { o.tau = 0; });
  refuses("target_frequency 0", [](DqnOptions& o) { o.target_frequency = 0; });
  refuses("0 environments", [](DqnOptions& o) { o.environments = 0; });
  refuses("hidden layer", [](DqnOptions& o) { o.hidden = {0}; });
  refuses("epsilon that cannot be", [](DqnOptions& o) { o.epsilon = -1.0; });
  refuses("huber", [](DqnOptions& o) { o.huber_delta = 0; });
  refuses("alpha -1", [](DqnOptions& o) { o.replay.alpha = -1; });
  Dqn agent(CartPole(), small());
  expect_error<ValueError>([&] { agent.train(-1); }, {"-1 steps"});
  expect_error<ValueError>([&] { agent.train(1, {.steps_per_epoch = 0}); }, {"steps_per_epoch 0"});
  expect_error<ValueError>([&] { agent.train(1, {.verbose = 3}); }, {"verbose 3"});
  expect_error<ValueError>([&] { agent.train(1, {.evaluation_freq = 0}); }, {"evaluation_freq 0"});
  expect_error<ValueError>([&] { agent.evaluate(0); }, {"0 episodes"});
  expect_error<ShapeError>([&] { agent.act({1, 2, 3}); }, {"3 numbers, expected 4"});
  expect_error<ValueError>([&] { agent.act({1, 2, 3, std::nanf("")}); }, {"NaN"});
  Wandering wrong;
  wrong.gives_nan_at = 2;
  Dqn misled(wrong, small());
  expect_error<ValueError>([&] { misled.train(10, {.verbose = 0}); }, {"Wandering gave NaN"});
  Dqn moved = std::move(agent);
  expect_error<StateError>([&] { agent.train(1); }, {"moved from"});
  EXPECT_EQ(moved.train(0, {.verbose = 0}).epoch().size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, Agents, ::testing::ValuesIn(test::test_devices()), test::device_name);

}  // namespace
}  // namespace glia
