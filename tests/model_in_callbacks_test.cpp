// What callbacks may do with the model that fit trains, in every hook: what works changes nothing of the fit, what cannot
// work is a StateError before anything is touched, and a model that goes away ends the fit with one.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace {

using glia::Logs;
using glia::Sequential;
using glia::Tensor;
using glia::TensorView;

enum class Hook {
  train_begin,
  epoch_begin,
  batch_begin,
  launch_begin,
  batch_end,
  launch_end,
  test_begin,
  test_batch_begin,
  test_batch_end,
  test_launch_end,
  test_end,
  epoch_end,
  train_end
};
constexpr const char* names[] = {"on_train_begin",    "on_epoch_begin",
                                 "on_batch_begin",    "on_batch_begin of a launch",
                                 "on_batch_end",      "on_batch_end of a launch",
                                 "on_test_begin",     "on_test_batch_begin",
                                 "on_test_batch_end", "on_test_batch_end of a launch",
                                 "on_test_end",       "on_epoch_end",
                                 "on_train_end"};
const std::vector<Hook> all_hooks = [] {
  std::vector<Hook> all;
  for (std::size_t i = 0; i < std::size(names); ++i) all.push_back(static_cast<Hook>(i));
  return all;
}();
std::string name_of(Hook hook) { return names[static_cast<int>(hook)]; }

/// Does something in one of fit's hooks.
class In final : public glia::Callback {
 public:
  In(Hook hook, std::function<void()> action) : hook_(hook), action_(std::move(action)) {}
  void on_train_begin() override { at(Hook::train_begin); }
  void on_epoch_begin(int) override { at(Hook::epoch_begin); }
  void on_batch_begin(std::int64_t) override { at(Hook::batch_begin), at(Hook::launch_begin); }
  void on_batch_end(std::int64_t, const Logs&) override { at(Hook::batch_end), at(Hook::launch_end); }
  void on_test_begin() override { at(Hook::test_begin); }
  void on_test_batch_begin(std::int64_t) override { at(Hook::test_batch_begin); }
  void on_test_batch_end(std::int64_t, const Logs&) override {
    at(Hook::test_batch_end), at(Hook::test_launch_end);
  }
  void on_test_end(const Logs&) override { at(Hook::test_end); }
  void on_epoch_end(int, Logs&) override { at(Hook::epoch_end); }
  void on_train_end() override { at(Hook::train_end); }
  bool watches_batches() const override { return hook_ == Hook::batch_begin || hook_ == Hook::batch_end; }
  bool watches_test_batches() const override {
    return hook_ == Hook::test_batch_begin || hook_ == Hook::test_batch_end;
  }
  int calls = 0;

 private:
  void at(Hook hook) {
    if (hook != hook_) return;
    ++calls;
    action_();
  }
  Hook hook_;
  std::function<void()> action_;
};

constexpr std::int64_t rows = 44, width = 5, batch = 8;  // the last batch has four

Tensor numbers(std::int64_t n, std::int64_t columns, int seed) {
  std::vector<double> values(static_cast<std::size_t>(n * columns));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<double>(i + 1) * (seed + 0.7)) * (seed == 3 ? 50 : 1);
  return Tensor(values, {n, columns});
}

Tensor labels(std::int64_t n) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i * 5 % 3);
  return Tensor(values);
}

class ModelInCallbacks : public glia::test::DeviceTest {
 protected:
  Sequential model(double rate = 0.05) {
    Sequential made{glia::Dense(7, "tanh"), glia::Dropout(0.2), glia::Dense(3, "softmax")};
    compile(made, rate);
    return made;
  }
  void compile(Sequential& made, double rate = 0.05) {
    made.compile({.optimizer = glia::Adam{.learning_rate = rate},
                  .loss = "sparse_categorical_crossentropy",
                  .metrics = {"accuracy", "confusion_matrix"},
                  .context = context()});
  }
  glia::FitOptions options(glia::Callbacks callbacks = {}, std::int64_t budget = 0) {
    return {.epochs = 3,
            .batch_size = batch,
            .verbose = 0,
            .validation_data = {other_x, other_y},
            .callbacks = std::move(callbacks),
            .memory_budget = budget};
  }

  const Tensor x = numbers(rows, width, 1), other_x = numbers(29, width, 3);
  const Tensor y = labels(rows), other_y = labels(29);
};
INSTANTIATE_TEST_SUITE_P(Devices, ModelInCallbacks, ::testing::ValuesIn(glia::test::test_devices()),
                         glia::test::device_name);

void expect_equal(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                  const std::string& where) {
  ASSERT_EQ(got.size(), wanted.size()) << where;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(glia::all_close(got[i], wanted[i], 0, 0)) << where << ", weight " << i;
}

void expect_equal(const glia::History& got, const glia::History& wanted, const std::string& where) {
  for (const char* key : {"loss", "accuracy", "val_loss", "val_accuracy"})
    EXPECT_EQ(got[key], wanted[key]) << where << ", " << key;
}

/// The message of the StateError that `call` throws.
std::string refused(const std::function<void()>& call) {
  try {
    call();
  } catch (const glia::StateError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no StateError";
  return {};
}

/// One batch, again and again.
class OneBatch final : public glia::BatchSource {
 public:
  OneBatch(const Tensor& x, const Tensor& y) : x_(x), y_(y) {}
  std::int64_t batches() const override { return 2; }
  glia::Dataset batch(std::int64_t, std::int64_t) override {
    if (action) action();
    return glia::Dataset(x_.clone(), y_.clone());
  }
  std::function<void()> action;

 private:
  const Tensor &x_, &y_;
};

TEST_P(ModelInCallbacks,
       What_would_pull_the_ground_away_is_refused_and_the_fit_goes_on_as_if_it_had_not_been_asked) {
  Sequential plain = model();
  const glia::History wanted = plain.fit(x, y, options());
  struct Action {
    const char* name;
    std::function<void(Sequential&)> act;
  };
  const std::vector<Action> actions{
      {"compile", [&](Sequential& m) { compile(m, 1e9); }},
      {"compile for another context",
       [&](Sequential& m) { m.compile({.loss = "mse", .context = glia::Context({.device = "cpu"})}); }},
      {"fit", [&](Sequential& m) { m.fit(other_x, other_y, {.batch_size = 64, .verbose = 0}); }},
      {"fit of no epochs", [&](Sequential& m) { m.fit(x, y, {.epochs = 0, .verbose = 0}); }},
      {"fit of a source",
       [&](Sequential& m) {
         OneBatch source(x, y);
         m.fit(source, {.verbose = 0});
       }},
      {"assigned to", [&](Sequential& m) { m = model(); }},
      {"assigned from",
       [&](Sequential& m) {
         Sequential other = model();
         other = std::move(m);
       }},
  };
  for (const Hook hook : all_hooks) {
    for (const Action& action : actions) {
      const std::string where = action.name + (" in " + name_of(hook));
      Sequential trained = model();
      In callback(hook, [&] {
        const std::string message = refused([&] { action.act(trained); });
        EXPECT_NE(message.find("fit"), message.npos) << where << ": " << message;
      });
      const glia::History got = trained.fit(x, y, options({&callback}));
      EXPECT_GT(callback.calls, 0) << where;
      expect_equal(got, wanted, where);
      expect_equal(trained.get_weights(), plain.get_weights(), where);
      EXPECT_EQ(trained.iterations(), plain.iterations()) << where;
    }
  }
}

TEST_P(ModelInCallbacks, A_refusal_that_nobody_catches_reaches_fits_caller_and_the_model_goes_on) {
  for (const Hook hook : all_hooks) {
    Sequential trained = model();
    In callback(hook, [&] { compile(trained); });
    refused([&] { trained.fit(x, y, options({&callback})); });
    trained.fit(x, y, options());
    compile(trained);
    trained.fit(x, y, options());
    EXPECT_TRUE(std::isfinite(trained.evaluate(x, y, {.verbose = 0})["loss"])) << name_of(hook);
  }
}

TEST_P(ModelInCallbacks, What_only_looks_changes_nothing_of_the_fit) {
  const glia::testing::TemporaryFolder folder;
  for (const std::int64_t budget : {0, 600}) {  // resident and streamed
    Sequential plain = model();
    In nothing(Hook::batch_end, [] {});
    const glia::History wanted = plain.fit(x, y, options({&nothing}, budget));
    for (const Hook hook : all_hooks) {
      const std::string where = name_of(hook) + (budget ? ", streamed" : "");
      Sequential trained = model();
      int size = 0;
      In callback(hook, [&] {
        // Batch sizes that are new: their Programs take the places of the fit's, and a larger arena.
        const std::int64_t batch_size = 1 + size++ % 25;
        const Logs first = trained.evaluate(other_x, other_y, {.batch_size = batch_size, .verbose = 0});
        const Logs again = trained.evaluate(other_x, other_y, {.batch_size = batch_size, .verbose = 0});
        EXPECT_EQ(first["loss"], again["loss"]) << where;
        const Tensor predicted = trained.predict(other_x, {.batch_size = batch_size, .verbose = 0});
        EXPECT_TRUE(glia::all_close(predicted, trained.predict(other_x, {.batch_size = 29, .verbose = 0}),
                                    1e-4, 1e-5));
        trained.gradients(other_x, other_y);
        trained.confusion_matrix(other_x, other_y, {.batch_size = batch_size, .verbose = 0});
        trained.save_weights(folder / "weights");
        trained.load_weights(folder / "weights");
        trained.set_weights(trained.get_weights());
        trained.set_learning_rate(trained.learning_rate());
        trained.layer(0).set_weights(trained.layer(0).get_weights());
        trained.explain(200 + batch_size);
        trained.program(glia::Mode::train, batch_size + 64);
        EXPECT_TRUE(trained.built());
      });
      const glia::History got = trained.fit(x, y, options({&callback, &nothing}, budget));
      EXPECT_GT(callback.calls, 0) << where;
      expect_equal(got, wanted, where);
      expect_equal(trained.get_weights(), plain.get_weights(), where);
      EXPECT_EQ(trained.iterations(), plain.iterations()) << where;
    }
  }
}

TEST_P(ModelInCallbacks, Another_model_of_the_same_context_may_be_trained_and_asked) {
  Sequential plain = model();
  plain.fit(x, y, options());
  for (const Hook hook : all_hooks) {
    Sequential trained = model(), teacher = model();
    In callback(hook, [&] {
      teacher.fit(other_x, other_y, {.batch_size = 3, .verbose = 0});
      teacher.predict(x, {.verbose = 0});
      compile(teacher);
    });
    trained.fit(x, y, options({&callback}));
    expect_equal(trained.get_weights(), plain.get_weights(), name_of(hook));
  }
}

TEST_P(ModelInCallbacks, Train_on_batch_after_each_batch_is_one_more_update_each_time) {
  for (const std::int64_t budget : {0, 600}) {
    Sequential trained = model(), by_hand = model();
    In callback(Hook::batch_end, [&] { trained.train_on_batch(other_x, other_y); });
    glia::FitOptions in_order = options({&callback}, budget);
    in_order.shuffle = false;
    const glia::History history = trained.fit(x, y, in_order);

    by_hand.build({width});
    for (int epoch = 0; epoch < 3; ++epoch) {
      for (std::int64_t first = 0; first < rows; first += batch) {
        const std::int64_t last = std::min(first + batch, rows);
        by_hand.train_on_batch(TensorView(x).rows(first, last), TensorView(y).rows(first, last));
        by_hand.train_on_batch(other_x, other_y);
      }
    }
    expect_equal(trained.get_weights(), by_hand.get_weights(), budget ? "streamed" : "resident");
    EXPECT_EQ(trained.iterations(), by_hand.iterations());
    for (const double loss : history["loss"]) EXPECT_TRUE(std::isfinite(loss));
  }
}

TEST_P(ModelInCallbacks, Train_on_batch_anywhere_leaves_the_fits_rows_and_totals_alone) {
  // At a rate of zero updates change nothing, so that the fit's numbers tell which rows it read.
  for (const bool shuffled : {false, true}) {
    const auto still = [&] {
      Sequential made{glia::Dense(7, "tanh"), glia::Dense(3, "softmax")};
      made.compile({.optimizer = glia::SGD{.learning_rate = 0.0},
                    .loss = "sparse_categorical_crossentropy",
                    .metrics = "accuracy",
                    .context = context()});
      return made;
    };
    for (const std::int64_t budget : {0, 600}) {
      if (shuffled != (budget == 0)) continue;
      Sequential plain = still();
      glia::FitOptions given = options({}, budget);
      given.shuffle = shuffled;
      given.epochs = 4;
      const glia::History wanted = plain.fit(x, y, given);
      for (const Hook hook : all_hooks) {
        Sequential trained = still();
        std::int64_t extra = 0;
        In callback(hook, [&] {
          trained.train_on_batch(other_x, other_y), ++extra;
          trained.gradients(x, y);
          trained.train_on_batch(TensorView(x).rows(3, 5), TensorView(y).rows(3, 5)), ++extra;
        });
        glia::FitOptions watched = options({&callback}, budget);
        watched.shuffle = shuffled;
        watched.epochs = 4;
        const glia::History got = trained.fit(x, y, watched);
        expect_equal(got, wanted, name_of(hook) + (shuffled ? ", shuffled" : ""));
        EXPECT_EQ(trained.iterations(), plain.iterations() + extra) << name_of(hook);
      }
    }
  }
}

TEST_P(ModelInCallbacks, A_schedule_set_after_a_batch_is_followed_from_the_next_one_on) {
  const glia::ExponentialDecay schedule{.initial_learning_rate = 0.5, .decay_steps = 3, .decay_rate = 0.5};
  Sequential trained = model(), by_hand = model();
  In callback(Hook::batch_end, [&] {
    if (callback.calls == 2) trained.set_learning_rate(schedule);
  });
  glia::FitOptions in_order = options({&callback});
  in_order.shuffle = false;
  in_order.epochs = 1;
  trained.fit(x, y, in_order);
  by_hand.build({width});
  for (std::int64_t first = 0; first < rows; first += batch) {
    if (first == 2 * batch) by_hand.set_learning_rate(schedule);
    const std::int64_t last = std::min(first + batch, rows);
    by_hand.train_on_batch(TensorView(x).rows(first, last), TensorView(y).rows(first, last));
  }
  expect_equal(trained.get_weights(), by_hand.get_weights(), "schedule");
}

TEST_P(ModelInCallbacks, A_model_that_is_destroyed_ends_the_fit_with_a_StateError) {
  for (const Hook hook : all_hooks) {
    auto trained = std::make_unique<Sequential>(model());
    const glia::Layer layer = trained->layer(0);
    In callback(hook, [&] { trained.reset(); });
    In after(hook, [] { FAIL() << "called with no model to call"; });
    const std::string message = refused([&] { trained->fit(x, y, options({&callback, &after})); });
    EXPECT_NE(message.find("destroyed"), message.npos) << name_of(hook) << ": " << message;
    EXPECT_EQ(trained, nullptr);
    if (hook == Hook::train_begin)  // before the first step nothing is made for good
      EXPECT_THROW(layer.get_weights(), glia::StateError);
    else
      EXPECT_FALSE(layer.get_weights().empty()) << name_of(hook);  // which the layer keeps
  }
}

TEST_P(ModelInCallbacks, A_model_that_is_moved_ends_the_fit_with_a_StateError_and_works_where_it_went) {
  for (const Hook hook : all_hooks) {
    Sequential trained = model();
    std::optional<Sequential> moved;
    In callback(hook, [&] { moved.emplace(std::move(trained)); });
    const std::string message = refused([&] { trained.fit(x, y, options({&callback})); });
    EXPECT_NE(message.find("moved"), message.npos) << name_of(hook) << ": " << message;
    refused([&] { trained.predict(x, {.verbose = 0}); });
    moved->fit(x, y, options());
    EXPECT_TRUE(std::isfinite(moved->evaluate(x, y, {.verbose = 0})["loss"])) << name_of(hook);
  }
}

TEST_P(ModelInCallbacks, A_batch_source_may_not_change_the_model_either) {
  for (const int at :
       {0, 1, 2}) {  // the first is asked for on the caller's thread, the others on one of their own
    Sequential trained = model();
    OneBatch source(x, y);
    int calls = 0;
    source.action = [&] {
      if (calls++ == at) compile(trained);
    };
    refused([&] { trained.fit(source, {.epochs = 3, .verbose = 0}); });
    source.action = nullptr;
    trained.fit(source, {.epochs = 3, .verbose = 0});
    EXPECT_TRUE(std::isfinite(trained.evaluate(x, y, {.verbose = 0})["loss"]));
  }
}

TEST_P(ModelInCallbacks, Models_can_be_moved_and_assigned_between_fits) {
  Sequential first = model(), second = model();
  first.fit(x, y, options());
  const std::vector<Tensor> weights = first.get_weights();
  second = std::move(first);
  expect_equal(second.get_weights(), weights, "assigned");
  second.fit(x, y, options());
  Sequential third = std::move(second);
  third.fit(x, y, options());
  third = model();
  third.fit(x, y, options());
  EXPECT_TRUE(std::isfinite(third.evaluate(x, y, {.verbose = 0})["loss"]));
}

}  // namespace
