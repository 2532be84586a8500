// The hooks of callbacks: which come when, around what, in fit, evaluate and predict.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <host/training/launcher.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class CallbackHooks : public DeviceTest {
 protected:
  Sequential model() const {
    Sequential made{Dense(3, "tanh", {.input_dim = 4}), Dense(2)};
    made.compile({.optimizer = "adam", .loss = "mse", .metrics = "mae", .device = current_device()});
    return made;
  }
  const Tensor x = drawn(1, {11, 4}), y = drawn(2, {11, 2});
};

INSTANTIATE_TEST_SUITE_P(Devices, CallbackHooks, ::testing::ValuesIn(test_devices()), device_name);

/// Writes down what it is called for, and the numbers it is told.
class Recorder final : public Callback {
 public:
  explicit Recorder(bool every_batch) : every_batch_(every_batch) {}

  void on_train_begin() override { calls.push_back("train("), steps = params().steps; }
  void on_train_end() override { calls.push_back(")"); }
  void on_epoch_begin(int epoch) override { calls.push_back("epoch " + std::to_string(epoch)); }
  void on_epoch_end(int, Logs& logs) override { calls.push_back("end"), all.push_back(logs); }
  void on_batch_begin(std::int64_t batch) override { calls.push_back("<" + std::to_string(batch)); }
  void on_batch_end(std::int64_t batch, const Logs&) override {
    calls.push_back(std::to_string(batch) + ">");
  }
  void on_test_begin() override { calls.push_back("test("), steps = params().steps; }
  void on_test_end(const Logs& logs) override { calls.push_back(")"), all.push_back(logs); }
  void on_test_batch_begin(std::int64_t batch) override { on_batch_begin(batch); }
  void on_test_batch_end(std::int64_t batch, const Logs& logs) override {
    on_batch_end(batch, logs), last = logs["loss"];
  }
  void on_predict_begin() override { calls.push_back("predict("), steps = params().steps; }
  void on_predict_end() override { calls.push_back(")"); }
  void on_predict_batch_begin(std::int64_t batch) override { on_batch_begin(batch); }
  void on_predict_batch_end(std::int64_t batch) override { on_batch_end(batch, {}); }
  bool watches_batches() const override { return every_batch_; }
  bool watches_test_batches() const override { return every_batch_; }

  std::string text() const {
    std::string text;
    for (const std::string& call : calls) text += (text.empty() ? "" : " ") + call;
    return text;
  }

  std::vector<std::string> calls;
  std::vector<Logs> all;
  double last = 0;
  std::int64_t steps = 0;

 private:
  bool every_batch_;
};

TEST_P(CallbackHooks, Come_around_every_batch_where_a_callback_watches_them) {
  Sequential trained = model();
  Recorder recorder(true);
  const History history = trained.fit(x, y,
                                      {.epochs = 2,
                                       .batch_size = 4,
                                       .verbose = 0,
                                       .validation_data = {x, y},
                                       .validation_batch_size = 6,
                                       .callbacks = {&recorder}});
  EXPECT_EQ(recorder.text(),
            "train( epoch 0 <0 0> <1 1> <2 2> test( <0 0> <1 1> ) end "
            "epoch 1 <0 0> <1 1> <2 2> test( <0 0> <1 1> ) end )");
  ASSERT_EQ(recorder.all.size(), 4u);  // of each epoch its validation, and with it its own
  EXPECT_EQ(recorder.all[0]["loss"], history["val_loss"][0]);
  EXPECT_EQ(recorder.all[1]["val_mae"], history["val_mae"][0]);
}

TEST_P(CallbackHooks, Come_around_every_launch_else_each_batch_once) {
  Sequential trained = model();
  for (const bool every_batch : {false, true}) {
    Recorder recorder(every_batch);
    trained.evaluate(x, y, {.batch_size = 1, .verbose = 0, .callbacks = {&recorder}});
    std::vector<std::int64_t> begun, ended;
    for (const std::string& call : recorder.calls) {
      if (call[0] == '<') begun.push_back(std::stoll(call.substr(1)));
      if (call.back() == '>') ended.push_back(std::stoll(call));
    }
    ASSERT_FALSE(begun.empty());
    ASSERT_EQ(begun.size(), ended.size());
    for (std::size_t i = 0; i < begun.size(); ++i)  // what ends is what began, up to where the next begins
      EXPECT_EQ(ended[i] + 1, i + 1 < begun.size() ? begun[i + 1] : 11);
    EXPECT_EQ(begun[0], 0);
    EXPECT_TRUE(!every_batch || begun.size() == 11);
  }
}

TEST(LaunchSize, Is_of_several_batches_where_these_take_no_time) {
  Sequential model{Dense(1, {.input_dim = 1})};
  model.compile({.loss = "mse", .device = "cpu"});
  constexpr std::int64_t rows = 200;  // one launch in which the machine does not stop is enough
  Recorder recorder(false);
  model.evaluate(Tensor::zeros({rows, 1}), Tensor::zeros({rows, 1}),
                 {.batch_size = 1, .verbose = 0, .callbacks = {&recorder}});
  EXPECT_LT(std::ranges::count_if(recorder.calls, [](const std::string& call) { return call[0] == '<'; }),
            rows);
}

TEST(LaunchSize, Follows_how_long_launches_take) {
  training::LaunchSize size;
  for (const std::int64_t steps : {1, 2, 4}) {
    EXPECT_EQ(size.steps(), steps);
    size.took(0.001);
  }
  size.took(0.02);
  EXPECT_EQ(size.steps(), 8);
  for (const std::int64_t steps : {8, 4, 2, 1, 1}) {
    EXPECT_EQ(size.steps(), steps);
    size.took(0.05);
  }
  for (int i = 0; i < 40; ++i) size.took(0);
  EXPECT_EQ(size.steps(), 4096);
  training::LaunchSize single(true);
  single.took(0);
  EXPECT_EQ(single.steps(), 1);
}

TEST_P(CallbackHooks, Of_evaluate_and_predict_change_nothing_of_them) {
  Sequential asked = model();
  const Logs wanted = asked.evaluate(x, y, {.batch_size = 4, .verbose = 0});
  const Tensor outputs = asked.predict(x, {.batch_size = 4, .verbose = 0});
  for (const bool every_batch : {false, true}) {
    Recorder tests(every_batch), predictions(every_batch);
    const Logs logs = asked.evaluate(x, y, {.batch_size = 4, .verbose = 0, .callbacks = {&tests}});
    EXPECT_EQ(logs["loss"], wanted["loss"]);
    EXPECT_EQ(tests.all.at(0)["mae"], wanted["mae"]);
    EXPECT_EQ(tests.last, wanted["loss"]);  // after the last batch it is that of all
    EXPECT_EQ(tests.steps, 3);
    EXPECT_TRUE(
        array_equal(asked.predict(x, {.batch_size = 4, .verbose = 0, .callbacks = {&predictions}}), outputs));
    EXPECT_EQ(predictions.steps, 3);
    if (!every_batch) continue;
    EXPECT_EQ(tests.text(), "test( <0 0> <1 1> <2 2> )");
    EXPECT_EQ(predictions.text(), "predict( <0 0> <1 1> <2 2> )");
  }
}

TEST_P(CallbackHooks, Of_no_rows_are_those_of_the_whole) {
  Recorder recorder(true);
  EXPECT_EQ(model().predict(Tensor::zeros({0, 4}), {.verbose = 0, .callbacks = {&recorder}}).rows(), 0);
  EXPECT_EQ(recorder.text(), "predict( )");
  EXPECT_EQ(recorder.steps, 0);
}

/// Asks the model something in each hook of an evaluation or prediction.
class Asks final : public Callback {
 public:
  explicit Asks(std::function<void(Model&)> question) : question_(std::move(question)) {}
  void on_test_begin() override { question_(model()); }
  void on_test_end(const Logs&) override { question_(model()); }
  void on_test_batch_begin(std::int64_t) override { question_(model()); }
  void on_test_batch_end(std::int64_t, const Logs&) override { question_(model()); }
  void on_predict_begin() override { question_(model()); }
  void on_predict_end() override { question_(model()); }
  void on_predict_batch_begin(std::int64_t) override { question_(model()); }
  void on_predict_batch_end(std::int64_t) override { question_(model()); }

 private:
  std::function<void(Model&)> question_;
};

TEST_P(CallbackHooks, May_ask_the_model_in_the_middle_of_what_runs) {
  Sequential asked = model();
  const Logs wanted = asked.evaluate(x, y, {.batch_size = 2, .verbose = 0});
  const Tensor outputs = asked.predict(x, {.batch_size = 2, .verbose = 0});
  Asks asks([&](Model& m) {
    EXPECT_EQ(m.evaluate(x, y, {.batch_size = 2, .verbose = 0})["loss"], wanted["loss"]);
    EXPECT_TRUE(array_equal(m.predict(x, {.batch_size = 2, .verbose = 0}), outputs));
    m.gradients(x, y);
  });
  EXPECT_EQ(asked.evaluate(x, y, {.batch_size = 2, .verbose = 0, .callbacks = {&asks}})["loss"],
            wanted["loss"]);
  EXPECT_TRUE(array_equal(asked.predict(x, {.batch_size = 2, .verbose = 0, .callbacks = {&asks}}), outputs));
}

TEST_P(CallbackHooks, Refuse_what_would_pull_the_ground_away) {
  Sequential asked = model();
  Asks compiles([&](Model&m) { m.compile({.loss = "mae"}); }), fits([&](Model&m) { m.fit(x, y); });
  for (Callback* callback : {static_cast<Callback*>(&compiles), static_cast<Callback*>(&fits)}) {
    expect_error<StateError>([&] { asked.evaluate(x, y, {.verbose = 0, .callbacks = {callback}}); },
                             {"while evaluate runs"});
    expect_error<StateError>([&] { asked.predict(x, {.verbose = 0, .callbacks = {callback}}); },
                             {"while predict runs"});
  }
  auto gone = std::make_unique<Sequential>(model());
  Asks destroys([&](Model&) { gone.reset(); });
  expect_error<StateError>([&] { gone->predict(x, {.verbose = 0, .callbacks = {&destroys}}); },
                           {"destroyed"});
  asked.fit(x, y, {.verbose = 0});  // nothing is left running
}

TEST_P(CallbackHooks, A_batch_that_began_ends_where_batches_are_watched_though_fit_was_stopped) {
  class Stops final : public Callback {
   public:
    void on_batch_begin(std::int64_t batch) override {
      begun = batch;
      if (batch == 1) model().stop_training();
    }
    void on_batch_end(std::int64_t batch, const Logs&) override { ended = batch; }
    bool watches_batches() const override { return true; }
    std::int64_t begun = -1, ended = -1;
  } stops;
  Sequential trained = model();
  trained.fit(x, y, {.epochs = 3, .batch_size = 4, .verbose = 0, .callbacks = {&stops}});
  EXPECT_EQ(stops.begun, 1);
  EXPECT_EQ(stops.ended, 1);
  EXPECT_EQ(trained.iterations(), 2);
}

TEST_P(CallbackHooks, Of_a_call_within_a_fit_leave_the_callback_with_the_fit) {
  Sequential trained = model(), other = model();
  class Evaluates final : public Callback {
   public:
    explicit Evaluates(std::function<void(Callback&)> evaluate) : evaluate_(std::move(evaluate)) {}
    void on_epoch_end(int, Logs&) override {
      evaluate_(*this);
      seen.emplace_back(&model(), params().epochs);
      model().stop_training();
    }
    std::vector<std::pair<Model*, int>> seen;

   private:
    std::function<void(Callback&)> evaluate_;
  } evaluates([&](Callback& callback) {
    for (Sequential* model : {&trained, &other})
      model->evaluate(x, y, {.verbose = 0, .callbacks = {&callback}});
  });
  trained.fit(x, y, {.epochs = 4, .verbose = 0, .callbacks = {&evaluates}});
  EXPECT_EQ(evaluates.seen, (std::vector<std::pair<Model*, int>>{{&trained, 4}}));
}

TEST_P(CallbackHooks, On_batch_begin_sets_the_rate_of_that_batch) {
  Sequential still = model(), trained = model();
  const TensorList before = still.get_weights();
  still.fit(
      x, y,
      {.batch_size = 4,
       .verbose = 0,
       .callbacks = {LambdaCallback({.on_batch_begin = [&](std::int64_t) { still.set_learning_rate(0); }})}});
  EXPECT_TRUE(same_bits(still.get_weights(), before));
  trained.fit(x, y,
              {.batch_size = 4,
               .verbose = 0,
               .callbacks = {LambdaCallback({.on_batch_begin = [&](std::int64_t batch) {
                 trained.set_learning_rate(batch == 1 ? 0.01 : 0);
               }})}});
  EXPECT_FALSE(same_bits(trained.get_weights(), before));
}

}  // namespace
}  // namespace glia::test
