// Two threads: who uses a model, or the context of one, that another thread is using is told so, by every call, and
// disturbs nothing; who takes turns, or has a context of his own, gets what one thread alone would.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <future>
#include <latch>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace {

using glia::Sequential;
using glia::Tensor;

Tensor numbers(std::int64_t n, std::int64_t columns) {
  std::vector<double> values(static_cast<std::size_t>(n * columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 1));
  return Tensor(values, {n, columns});
}

Sequential model_on(const glia::Context& context) {
  Sequential model{glia::Input({6}), glia::Dense(5, "tanh"), glia::Dense(2)};
  model.compile(
      {.optimizer = "adam", .loss = "mse", .metrics = {"mae", "confusion_matrix"}, .context = context});
  return model;
}

class TwoThreads : public glia::test::DeviceTest {
 protected:
  const Tensor x = numbers(40, 6), y = numbers(40, 2);
  const glia::testing::TemporaryFolder folder;

  /// Calls `meanwhile` on another thread while fit trains `model` on this one, in the middle of a batch's callback.
  /// Returns the weights after it.
  std::vector<Tensor> fit_with(Sequential& model, const std::function<void()>& meanwhile) {
    bool called = false;
    glia::LambdaCallback callback({.on_batch_end = [&](std::int64_t, const glia::Logs&) {
      if (!std::exchange(called, true) && meanwhile) std::thread(meanwhile).join();
    }});
    model.fit(x, y, {.epochs = 2, .batch_size = 8, .verbose = 0, .callbacks = {callback}});
    return model.get_weights();
  }

  struct Call {
    const char* name;
    std::function<void(Sequential&)> make;
  };
  /// Those that compute or move data on the context.
  std::vector<Call> computing() {
    return {
        {"predict", [this](Sequential& m) { m.predict(x, {.verbose = 0}); }},
        {"predict, silent", [this](Sequential& m) { m(x); }},
        {"evaluate", [this](Sequential& m) { m.evaluate(x, y, {.verbose = 0}); }},
        {"confusion_matrix", [this](Sequential& m) { m.confusion_matrix(x, y, {.verbose = 0}); }},
        {"fit", [this](Sequential& m) { m.fit(x, y, {.verbose = 0}); }},
        {"train_on_batch", [this](Sequential& m) { m.train_on_batch(x, y); }},
        {"gradients", [this](Sequential& m) { m.gradients(x, y); }},
        {"compile", [](Sequential& m) { m.compile({.loss = "mae"}); }},
        {"get_weights", [](Sequential& m) { m.get_weights(); }},
        {"set_weights",
         [](Sequential& m) {
           m.set_weights(
               {Tensor::zeros({6, 5}), Tensor::zeros({5}), Tensor::zeros({5, 2}), Tensor::zeros({2})});
         }},
        {"save_weights", [this](Sequential& m) { m.save_weights(folder / "saved"); }},
        {"load_weights", [this](Sequential& m) { m.load_weights(folder / "weights"); }},
        {"set_learning_rate", [](Sequential& m) { m.set_learning_rate(123.0); }},
        {"learning_rate", [](Sequential& m) { m.learning_rate(); }},
        {"iterations", [](Sequential& m) { m.iterations(); }},
        {"program", [](Sequential& m) { m.program(glia::Mode::infer, 1000); }},
        {"explain", [](Sequential& m) { m.explain(1000); }},
        {"layer's get_weights", [](Sequential& m) { m.layer(0).get_weights(); }},
    };
  }
  std::vector<Call> all() {
    std::vector<Call> calls = computing();
    const std::vector<Call> others{
        {"add", [](Sequential& m) { m.add(glia::Dense(1)); }},
        {"build", [](Sequential& m) { m.build({6}); }},
        {"set_seed", [](Sequential& m) { m.set_seed(5); }},
        {"set_name", [](Sequential& m) { m.set_name("other"); }},
        {"summary",
         [](Sequential& m) {
           std::ostringstream out;
           m.summary(out);
         }},
        {"context", [](Sequential& m) { m.context(); }},
        {"assigned to", [](Sequential& m) { m = Sequential(); }},
        {"assigned from",
         [](Sequential& m) {
           Sequential other;
           other = std::move(m);
         }},
    };
    calls.insert(calls.end(), others.begin(), others.end());
    return calls;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, TwoThreads, ::testing::ValuesIn(glia::test::test_devices()),
                         glia::test::device_name);

void expect_refused(const std::function<void()>& call, const std::string& what) {
  try {
    call();
    ADD_FAILURE() << what << " threw nothing";
  } catch (const glia::StateError& error) {
    EXPECT_NE(std::string(error.what()).find("another thread"), std::string::npos)
        << what << ": " << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << " threw " << error.what();
  }
}

void expect_equal(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                  const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(glia::all_close(got[i], wanted[i], 0, 0)) << what << ", weight " << i;
}

TEST_P(TwoThreads, Every_call_to_a_model_that_another_thread_trains_is_refused_and_disturbs_nothing) {
  Sequential plain = model_on(context());
  plain.save_weights(folder / "weights");
  const std::vector<Tensor> wanted = fit_with(plain, {});
  for (const Call& call : all()) {
    Sequential model = model_on(context());
    model.get_weights();
    expect_equal(fit_with(model, [&] { expect_refused([&] { call.make(model); }, call.name); }), wanted,
                 call.name);
  }
  for (const Call& call : computing()) {
    Sequential model = model_on(context());
    model.get_weights();
    call.make(model);  // by itself it is fine
  }
}

TEST_P(TwoThreads, Every_call_that_needs_a_context_which_another_thread_uses_is_refused_too) {
  Sequential plain = model_on(context());
  plain.save_weights(folder / "weights");
  const std::vector<Tensor> wanted = fit_with(plain, {});
  const auto refused_meanwhile = [&](const char* name, const std::function<void()>& call) {
    Sequential model = model_on(context());
    expect_equal(fit_with(model, [&] { expect_refused(call, name); }), wanted, name);
  };
  for (const Call& call : computing()) {
    Sequential other = model_on(context());
    other.get_weights();
    refused_meanwhile(call.name, [&] { call.make(other); });
    if (std::string(call.name) != "compile") call.make(other);  // later, it works
  }
  Sequential elsewhere = model_on(glia::Context({.device = "cpu"}));
  elsewhere.get_weights();
  refused_meanwhile("compile for it", [&] { elsewhere.compile({.loss = "mse", .context = context()}); });
  elsewhere.fit(x, y, {.verbose = 0});
  Sequential other = model_on(context());
  other.predict(x, {.batch_size = 40, .verbose = 0});
  const glia::Program& program = other.program(glia::Mode::infer, 40);
  refused_meanwhile("a program's run", [&] { program.run(1); });
  refused_meanwhile("a program's run_eagerly", [&] { program.run_eagerly(); });
  if (GetParam().is_cpu()) return;  // its tensors are the host's
  refused_meanwhile("a tensor's to", [&] { x.to(context()); });
  const Tensor there = x.to(context());
  refused_meanwhile("a tensor's to_cpu", [&] { there.to("cpu"); });
}

TEST_P(TwoThreads, Any_thread_may_stop_a_fit) {
  Sequential model = model_on(context());
  std::promise<void> trains;
  std::thread other([&] {
    trains.get_future().wait();
    model.stop_training();
  });
  bool told = false;
  glia::LambdaCallback callback({.on_batch_end = [&](std::int64_t, const glia::Logs&) {
    if (!std::exchange(told, true)) trains.set_value();
  }});
  model.fit(x, y, {.epochs = 1'000'000'000, .verbose = 0, .callbacks = {callback}});
  other.join();
}

/// Calls each on a thread of its own, all at once, again and again; counts those that were refused.
int refused_of(const std::vector<std::function<void()>>& calls, int repeats) {
  std::atomic<int> refused{0};
  std::latch start(static_cast<std::ptrdiff_t>(calls.size()));
  std::vector<std::thread> threads;
  for (const std::function<void()>& call : calls)
    threads.emplace_back([&refused, &start, &call, repeats] {
      start.arrive_and_wait();
      for (int i = 0; i < repeats; ++i) {
        try {
          call();
        } catch (const glia::StateError&) {
          ++refused;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  return refused;
}

TEST_P(TwoThreads, Eight_at_one_model_get_the_right_numbers_or_are_refused) {
  Sequential model = model_on(context());
  const Tensor wanted = model.predict(x, {.verbose = 0});
  std::atomic<int> wrong{0}, right{0};
  const auto ask = [&] {
    const bool same = glia::all_close(model.predict(x, {.verbose = 0}), wanted, 0, 0);
    ++(same ? right : wrong);
  };
  refused_of(std::vector<std::function<void()>>(8, ask), GetParam().is_cpu() ? 3000 : 50);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
}

TEST_P(TwoThreads, Four_models_of_one_context_train_as_alone_or_are_refused) {
  Sequential alone = model_on(context());
  const glia::FitOptions some{.epochs = GetParam().is_cpu() ? 300 : 3, .batch_size = 8, .verbose = 0};
  alone.fit(x, y, some);
  const std::vector<Tensor> wanted = alone.get_weights();
  std::vector<Sequential> models;
  for (int i = 0; i < 4; ++i) models.push_back(model_on(context()));
  std::vector<char> trained(4, false);
  std::vector<std::function<void()>> calls;
  for (std::size_t i = 0; i < 4; ++i)
    calls.push_back([&, i] {
      if (trained[i]) return;
      models[i].fit(x, y, some);
      trained[i] = true;
    });
  refused_of(calls, 50);
  for (std::size_t i = 0; i < 4; ++i)
    if (trained[i]) expect_equal(models[i].get_weights(), wanted, "model " + std::to_string(i));
  EXPECT_GT(std::count(trained.begin(), trained.end(), true), 0);
}

TEST_P(TwoThreads, Taking_turns_is_as_one_thread) {
  Sequential plain = model_on(context()), model = model_on(context());
  for (int i = 0; i < 40; ++i) plain.train_on_batch(x, y);
  std::mutex turns;
  const auto train = [&] {
    const std::lock_guard turn(turns);
    model.train_on_batch(x, y);
  };
  EXPECT_EQ(refused_of(std::vector<std::function<void()>>(4, train), 10), 0);
  expect_equal(model.get_weights(), plain.get_weights(), "turns");
}

TEST_P(TwoThreads, Contexts_of_their_own_are_never_refused) {
  Sequential plain = model_on(context());
  const std::vector<Tensor> wanted = fit_with(plain, {});
  const auto train = [&] {
    Sequential model =
        model_on(glia::Context({.device = GetParam(), .threads = GetParam().is_cpu() ? 1 : 0}));
    model.fit(x, y, {.epochs = 2, .batch_size = 8, .verbose = 0});
    expect_equal(model.get_weights(), wanted, "own context");
  };
  EXPECT_EQ(refused_of(std::vector<std::function<void()>>(4, train), 3), 0);
}

TEST_P(TwoThreads, A_call_that_throws_leaves_the_model_to_others) {
  Sequential model = model_on(context());
  EXPECT_THROW(model.predict(numbers(3, 7), {.verbose = 0}), glia::ShapeError);
  EXPECT_EQ(refused_of({[&] { model.predict(x, {.verbose = 0}); }}, 1), 0);
}

}  // namespace
