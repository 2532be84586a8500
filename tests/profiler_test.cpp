// Profiler: what it records, whose it says it is, that it changes nothing, and its table and trace.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/double_controls.h"
#include "tests/expect_error.h"
#include "tests/plain_models.h"
#include "tests/predictor_models.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using test::waves;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

class Profilers : public test::DeviceTest {
 protected:
  Sequential classifier() { return test::classifier_of_six(context()); }
  const Tensor x_ = waves({22, 6});
  const Tensor y_ = Tensor(std::vector<std::int64_t>(22, 1));
};
INSTANTIATE_TEST_SUITE_P(Devices, Profilers, ::testing::ValuesIn(test::test_devices()), test::device_name);

std::set<std::string> layers_of(const Program& program) {
  std::set<std::string> layers;
  for (const OpOutline& op : *program.outline()) layers.insert(op.layer);
  return layers;
}
/// The layers of the Ops of one name, in their order.
std::vector<std::string> layers_of(const Program& program, const std::string& name) {
  std::vector<std::string> layers;
  for (const OpOutline& op : *program.outline())
    if (op.name == name) layers.push_back(op.layer);
  return layers;
}

// ---- whose an Op is

TEST_P(Profilers, Ops_are_those_of_layers_of_the_loss_and_of_the_optimizer) {
  Sequential model = classifier();
  const Program& train = model.program(Mode::train, 8);
  EXPECT_EQ(layers_of(train), (std::set<std::string>{"input", "dense", "batch_normalization", "dense_1",
                                                     "dense_2", "loss", "optimizer"}));
  EXPECT_THAT(layers_of(train, "Matmul"), ElementsAre("dense", "dense_1", "dense_2", "dense_2", "dense_2",
                                                      "dense_1", "dense_1", "dense"));
  EXPECT_THAT(layers_of(train, "BatchNormGradient"), ElementsAre("batch_normalization"));
  EXPECT_THAT(layers_of(train, "Gather"), ElementsAre("input"));
  EXPECT_THAT(layers_of(train, "Loss"), ElementsAre("loss"));
  EXPECT_THAT(layers_of(train, "Optimize"), ElementsAre("optimizer"));
  EXPECT_THAT(layers_of(model.program(Mode::infer, 9), "Scatter"), ElementsAre("output"));
  EXPECT_THAT(layers_of(model.program(Mode::infer, 8), "FewRows"), Contains("dense_2"));
  EXPECT_THAT(model.explain(8), ::testing::HasSubstr("]  dense_2\n"));
}

TEST_P(Profilers, Ops_of_shared_and_nested_layers_have_their_names_too) {
  Symbol a = Input({4}), b = Input({4});
  Dense twin(5, "tanh", {.name = "twin"});
  Sequential block{Dense(3, "tanh", {.name = "inner"})};
  block.set_name("block");
  Model model({a, b}, {Dense(2, {.name = "left"})(concatenate({twin(a), twin(b)})),
                       Dense(1, {.name = "right"})(block(twin(a)))});
  model.compile({.optimizer = SGD{.learning_rate = 0.1, .global_clipnorm = 1},
                 .loss = {{"left", "mse"}, {"right", "mae"}},
                 .metrics = {{"left", {"cosine_similarity"}}, {"right", {RootMeanSquaredError{}}}},
                 .context = context()});
  const Program& train = model.program(Mode::train, 8);
  EXPECT_THAT(layers_of(train), IsSupersetOf({"input", "twin", "block/inner", "concatenate", "left", "right",
                                              "loss/left", "loss/right", "metrics/right", "optimizer"}));
  EXPECT_THAT(layers_of(train), ::testing::Not(Contains("")));
  // The layer that is applied twice adds up its gradients.
  EXPECT_THAT(layers_of(train, "Combine"), Contains("twin"));
  EXPECT_THAT(layers_of(train, "Squares"), ElementsAre("optimizer"));
  const std::vector<std::string> products = layers_of(train, "Matmul");
  EXPECT_EQ(std::count(products.begin(), products.end(), "block/inner"), 3);  // forward, and two gradients
}

TEST_P(Profilers, No_op_of_any_plain_model_is_without_an_owner) {
  for (const auto& [name, plain] : test::plain_models()) {
    SCOPED_TRACE(name);
    Sequential model = plain.make();
    CompileOptions options = plain.options;
    options.context = context();
    model.compile(options);
    model.build(plain.row);
    for (const Mode mode : {Mode::train, Mode::update, Mode::gradient, Mode::validate, Mode::infer})
      EXPECT_THAT(layers_of(model.program(mode, 8)), ::testing::Not(Contains(""))) << name_of(mode);
  }
}

TEST_P(Profilers, What_rounds_a_factor_is_of_the_layer_whose_product_it_is) {
  Sequential model{Input({64}), Dense(32, "relu"), Dense(16)};
  model.compile({.loss = "mse", .context = context(), .precision = "mixed_bfloat16"});
  const std::vector<std::string> rounds = layers_of(model.program(Mode::infer, 32), "Round");
  EXPECT_THAT(rounds, ElementsAre("dense", "dense", "dense_1", "dense_1"));
}

TEST(Profiler, What_a_pass_puts_in_an_ops_place_keeps_its_layer) {
  Descriptor descriptor = op::Squares{};
  descriptor.layer = std::make_shared<const std::string>("dense");
  const Descriptor copy = descriptor;
  descriptor = op::Map{};
  EXPECT_TRUE(std::holds_alternative<op::Map>(descriptor));
  ASSERT_TRUE(descriptor.layer && copy.layer);
  EXPECT_EQ(*descriptor.layer, "dense");
  descriptor = Descriptor(op::Copy{});  // another one, not one in its place
  EXPECT_FALSE(descriptor.layer);
  descriptor = copy;
  EXPECT_EQ(descriptor.layer, copy.layer);
}

// ---- what is recorded

TEST_P(Profilers, A_fit_is_recorded_step_by_step_for_each_mode_and_batch_size) {
  Sequential model = classifier();
  Profiler profiler(model);
  model.fit(x_, y_, {.epochs = 3, .batch_size = 5, .verbose = 0, .validation_split = 0.5});  // 11 and 11 rows
  std::map<std::pair<Mode, std::int64_t>, std::int64_t> calls;
  std::map<std::pair<Mode, std::int64_t>, std::size_t> ops;
  for (const ProfiledOp& op : profiler.ops()) {
    const std::pair key(op.mode, op.batch);
    if (ops[key]++ == 0) calls[key] = op.calls;
    EXPECT_EQ(op.number, static_cast<std::int64_t>(ops[key]) - 1);
    EXPECT_EQ(op.calls, calls[key]);
    EXPECT_GT(op.seconds, 0);
    EXPECT_GE(op.launches, op.calls);
    EXPECT_EQ(op.bytes(), op.calls * op.op.bytes);
    EXPECT_EQ(op.flops(), op.calls * op.op.flops);
  }
  using Calls = std::map<std::pair<Mode, std::int64_t>, std::int64_t>;
  EXPECT_EQ(
      calls,
      (Calls{
          {{Mode::train, 5}, 6}, {{Mode::train, 1}, 3}, {{Mode::validate, 5}, 6}, {{Mode::validate, 1}, 3}}));
  for (const auto& [key, count] : ops) EXPECT_EQ(count, model.program(key.first, key.second).size());

  profiler.clear();
  EXPECT_TRUE(profiler.ops().empty());
  model.predict(x_, {.batch_size = 22, .verbose = 0});
  const std::vector<ProfiledOp> predicted = profiler.ops();
  ASSERT_EQ(predicted.size(), model.program(Mode::infer, 22).size());
  EXPECT_EQ(predicted[0].mode, Mode::infer);
  EXPECT_EQ(predicted[0].calls, 1);
}

TEST_P(Profilers, Predictors_and_learners_are_watched_as_well) {
  Sequential model = classifier();
  Predictor predictor = model.predictor({.max_batch = 40, .batch_sizes = {16}});
  const Tensor plain = test::predicted(predictor, x_.rows(0, 12).to(context()), context());
  {
    Profiler profiler(predictor);
    const Tensor watched = test::predicted(predictor, x_.rows(0, 12).to(context()), context());
    EXPECT_TRUE(array_equal(watched, plain));
    const std::vector<ProfiledOp> ops = profiler.ops();
    ASSERT_FALSE(ops.empty());
    EXPECT_EQ(ops[0].batch, 16);
    EXPECT_EQ(ops[0].mode, Mode::infer);
    EXPECT_EQ(ops[0].op.layer, "input");
    EXPECT_EQ(ops.back().op.layer, "output");
    for (const ProfiledOp& op : ops) EXPECT_EQ(op.calls, 1);
  }
  EXPECT_TRUE(array_equal(test::predicted(predictor, x_.rows(0, 12).to(context()), context()), plain));

  Learner learner = model.learner();
  Profiler profiler(model);
  const Tensor x = x_.to(context()), y = y_.to(context());
  for (int step = 0; step < 2; ++step) learner.enqueue_train(x, y);
  learner.synchronize();
  const std::vector<ProfiledOp> ops = profiler.ops();
  ASSERT_FALSE(ops.empty());
  EXPECT_EQ(ops[0].mode, Mode::train);
  EXPECT_EQ(ops[0].calls, 2);
}

// ---- what is watched is the same

TEST_P(Profilers, Watching_changes_no_bit_of_weights_history_or_outputs) {
  for (const auto& [name, plain] : test::plain_models()) {
    SCOPED_TRACE(name);
    std::vector<TensorList> weights;
    std::vector<Tensor> outputs;
    std::vector<double> losses;
    for (const bool watched : {false, true}) {
      Sequential model = plain.make();
      CompileOptions options = plain.options;
      options.context = context();
      model.compile(options);
      std::optional<Profiler> profiler;
      if (watched) profiler.emplace(model);
      const Tensor x =
          name == "embedded" ? Tensor::arange(11 * 5).reshape({11, 5}) : waves(plain.row.prepend(11));
      model.build(plain.row);
      const Tensor y = waves(model.outputs()[0].shape().prepend(11), 1);
      const History history =
          model.fit(x, y, {.epochs = 2, .batch_size = 4, .verbose = 0, .validation_split = 0.3});
      losses.push_back(history["loss"].back());
      losses.push_back(history["val_loss"].back());
      weights.push_back(model.get_weights());
      outputs.push_back(model.predict(x, {.batch_size = 4, .verbose = 0}));
      EXPECT_EQ(profiler && !profiler->ops().empty(), watched);
    }
    ASSERT_EQ(weights[0].size(), weights[1].size());
    for (std::size_t i = 0; i < weights[0].size(); ++i)
      EXPECT_TRUE(array_equal(weights[0][i], weights[1][i])) << i;
    EXPECT_TRUE(array_equal(outputs[0], outputs[1]));
    EXPECT_EQ(losses[0], losses[2]);
    EXPECT_EQ(losses[1], losses[3]);
  }
}

TEST_P(Profilers, One_at_a_time_watches_and_it_may_outlive_the_model) {
  std::optional<Sequential> model(classifier());
  std::optional<Profiler> first(std::in_place, *model);
  expect_error<StateError>([&] { Profiler second(*model); }, {"another profiler", "stop()"});
  model->train_on_batch(x_, y_);
  const std::size_t ops = first->ops().size();
  first->stop();
  model->train_on_batch(x_, y_);
  for (const ProfiledOp& op : first->ops()) EXPECT_EQ(op.calls, 1);

  Profiler second(*model);
  first.reset();
  model->train_on_batch(x_, y_);
  model.reset();
  EXPECT_EQ(second.ops().size(), ops);
  Sequential gone = classifier();
  const Sequential there = std::move(gone);
  expect_error<StateError>([&] { Profiler third(gone); }, {"moved from"});
}

class CudaProfilersOnTheDouble : public test::DoubleTest {
 protected:
  /// Of a function, in a step of a model.
  std::int64_t calls_of_a_step(Sequential& model, const char* function) {
    controls().clear_calls();
    model.train_on_batch(waves({8, 6}), Tensor(std::vector<std::int64_t>(8, 1)));
    return std::count(controls().calls().begin(), controls().calls().end(), function);
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaProfilersOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaProfilersOnTheDouble, Without_one_a_step_is_a_graph_and_with_one_it_is_not) {
  Sequential model = test::classifier_of_six(context());
  calls_of_a_step(model, "");  // which builds
  EXPECT_EQ(calls_of_a_step(model, "cudaLaunchKernel"), 0);
  EXPECT_EQ(calls_of_a_step(model, "cudaEventElapsedTime"), 0);
  {
    Profiler profiler(model);
    const auto ops = static_cast<std::int64_t>(model.program(Mode::train, 8).size());
    EXPECT_EQ(calls_of_a_step(model, "cudaEventElapsedTime"), ops);
    EXPECT_GE(calls_of_a_step(model, "cudaLaunchKernel"), ops - 8);  // less the products
  }
  EXPECT_EQ(calls_of_a_step(model, "cudaLaunchKernel"), 0);
  EXPECT_EQ(calls_of_a_step(model, "cudaEventElapsedTime"), 0);
  controls().clear_calls();
}

TEST_P(CudaProfilersOnTheDouble, Launches_are_those_of_kernels_and_products) {
  Sequential model = test::classifier_of_six(context());
  calls_of_a_step(model, "");
  Profiler profiler(model);
  const std::int64_t kernels = calls_of_a_step(model, "cudaLaunchKernel");
  const std::vector<std::string>& calls = controls().calls();
  const std::int64_t products = std::count(calls.begin(), calls.end(), "cublasLtMatmul");
  EXPECT_EQ(products, 8);
  std::int64_t launches = 0;
  for (const ProfiledOp& op : profiler.ops()) launches += op.launches;
  EXPECT_EQ(launches, kernels + products);
}

// ---- the table and the trace

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

TEST_P(Profilers, The_table_has_a_line_an_op_and_their_sum) {
  Sequential model = classifier();
  Profiler profiler(model);
  for (int step = 0; step < 4; ++step) model.train_on_batch(x_, y_);
  profiler.stop();
  std::ostringstream out;
  profiler.print(out);
  std::istringstream lines(out.str());
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line, "train, batch 22, on " + context().device().name() + ": 4 steps");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_THAT(words_of(line), ElementsAre("layer", "Op", "calls", "ms", "share", "launches", "MB", "GFLOP",
                                          "GFLOP/s", "GB/s"));
  const std::vector<ProfiledOp> ops = profiler.ops();
  std::int64_t calls = 0, launches = 0;
  double milliseconds = 0, share = 0, megabytes = 0, gflop = 0;
  for (const ProfiledOp& op : ops) {
    ASSERT_TRUE(std::getline(lines, line));
    const std::vector<std::string> words = words_of(line);
    ASSERT_GE(words.size(), 10u) << line;
    EXPECT_EQ(words[0], op.op.layer);
    EXPECT_EQ(words[1], op.op.name);
    EXPECT_EQ(words[2], "4");
    calls += std::stoll(words[2]), milliseconds += std::stod(words[3]), share += std::stod(words[4]);
    launches += std::stoll(words[5]), megabytes += std::stod(words[6]), gflop += std::stod(words[7]);
    EXPECT_NE(line.find(op.op.words), std::string::npos) << line;
    if (std::stod(words[3]) > 0.1) {
      EXPECT_NEAR(std::stod(words[8]), static_cast<double>(op.flops()) * 1e-9 / op.seconds, 0.06);
      EXPECT_NEAR(std::stod(words[9]), static_cast<double>(op.bytes()) * 1e-9 / op.seconds, 0.06);
    }
  }
  ASSERT_TRUE(std::getline(lines, line));
  const std::vector<std::string> total = words_of(line);
  ASSERT_GE(total.size(), 9u) << line;
  EXPECT_EQ(total[0], "total");
  EXPECT_EQ(std::stoll(total[1]), calls);
  EXPECT_NEAR(std::stod(total[2]), milliseconds, 0.001 * static_cast<double>(ops.size()));
  EXPECT_EQ(total[3], "100.0%");
  EXPECT_NEAR(share, 100, 0.1 * static_cast<double>(ops.size()));
  EXPECT_EQ(std::stoll(total[4]), launches);
  EXPECT_NEAR(std::stod(total[5]), megabytes, 0.001 * static_cast<double>(ops.size()));
  EXPECT_NEAR(std::stod(total[6]), gflop, 0.0001 * static_cast<double>(ops.size()));
  EXPECT_FALSE(std::getline(lines, line)) << line;
}

TEST_P(Profilers, The_trace_is_json_of_steps_with_their_ops_in_them) {
  testing::TemporaryFolder folder;
  const std::string path = folder / "trace.json";
  Sequential model = classifier();
  Profiler profiler(model);
  model.fit(x_, y_, {.epochs = 2, .batch_size = 8, .verbose = 0});
  profiler.write_trace(path);
  const nlohmann::json trace = nlohmann::json::parse(testing::read_text(path));
  std::map<std::string, int> steps;
  std::set<std::string> names;
  double step_begin = 0, step_end = 0, last = 0;
  std::size_t ops = 0;
  for (const nlohmann::json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M") continue;
    ASSERT_EQ(event.at("ph"), "X");
    const double begin = event.at("ts"), end = begin + event.at("dur").get<double>();
    ASSERT_GE(event.at("dur"), 0);
    constexpr double rounding = 1e-6;
    if (event.at("cat") == "step") {
      ++steps[event.at("name")];
      EXPECT_GE(begin, step_end - rounding) << "steps follow one another";
      EXPECT_EQ(event.at("args").at("device"), context().device().name());
      step_begin = last = begin, step_end = end;
    } else {
      ++ops;
      names.insert(event.at("name"));
      EXPECT_EQ(event.at("cat"), "train");
      EXPECT_GE(begin, last - rounding) << "Ops follow one another";
      EXPECT_GE(begin, step_begin);
      EXPECT_LE(end, step_end + rounding);
      last = end;
      EXPECT_FALSE(event.at("args").at("algorithm").get<std::string>().empty());
    }
  }
  EXPECT_EQ(steps, (std::map<std::string, int>{{"train, batch 8", 4}, {"train, batch 6", 2}}));
  EXPECT_EQ(ops, 4 * model.program(Mode::train, 8).size() + 2 * model.program(Mode::train, 6).size());
  EXPECT_THAT(names, IsSupersetOf({"input Gather", "dense Matmul", "loss Loss", "optimizer Optimize"}));
}

TEST(Profiler, A_trace_is_written_whole_or_not_at_all_whatever_names_there_are) {
  testing::TemporaryFolder folder;
  Sequential model{Input({3}), Dense(2, {.name = "a \"quoted\\ \n name \xFF"})};
  model.compile({.loss = "mse", .device = "cpu"});
  Profiler profiler(model);
  model.train_on_batch(waves({4, 3}), waves({4, 2}));
  const std::string path = folder / "trace.json";
  profiler.write_trace(path);
  const nlohmann::json trace = nlohmann::json::parse(testing::read_text(path));
  EXPECT_EQ(trace.at("traceEvents").at(4).at("args").at("layer"), "a \"quoted\\ \n name \xEF\xBF\xBD");
  std::ostringstream out;
  profiler.print(out);
  EXPECT_NE(out.str().find("a \"quoted\\ \\n name \\xff"), std::string::npos) << out.str();
  expect_error<FileError>([&] { profiler.write_trace(folder / "missing/trace.json"); }, {"missing"});
  EXPECT_FALSE(std::filesystem::exists(folder / "missing"));
}

TEST(Profiler, Prints_nothing_where_nothing_ran) {
  testing::TemporaryFolder folder;
  Sequential model{Dense(2, {.input_dim = 3})};
  Profiler profiler(model);
  std::ostringstream out;
  profiler.print(out);
  EXPECT_EQ(out.str(), "");
  profiler.write_trace(folder / "trace.json");
  EXPECT_EQ(nlohmann::json::parse(testing::read_text(folder / "trace.json")).at("traceEvents").size(), 2u);
}

}  // namespace
}  // namespace glia
