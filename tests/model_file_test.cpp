// Whole models in files: saving, loading, and going on from there.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "host/io/safetensors.h"  // defines: load_safetensors
#include "tests/custom_bodies.h"  // defines: CpuDense
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"
#include "tests/random_graphs.h"  // defines: RandomGraphMaker
#include "tests/temporary_folder.h"

namespace glia::test {
namespace {

class ModelFile : public DeviceTest {
 protected:
  /// Loaded as another process would: on a context that nothing else has.
  Model loaded(const std::string& path) const {
    return load_model(path, {.context = Context(ContextOptions{.device = current_device()})});
  }
  const testing::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  const Tensor x = drawn(1, {20, 4}), y = drawn(2, {20, 2});
};

INSTANTIATE_TEST_SUITE_P(Devices, ModelFile, ::testing::ValuesIn(test_devices()), device_name);

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The model's description.
std::string words_of(const std::string& path) {
  io::Metadata metadata;
  io::load_safetensors(path, &metadata);
  return metadata.at("glia.model");
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST_P(ModelFile, Of_any_graph_gives_a_model_that_writes_the_same_file_and_learns_the_same) {
  for (std::uint64_t seed = 0; seed < random_graphs_on(current_device()) / 4; ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph graph = RandomGraphMaker(seed).make();
    if (has_lambda(graph.model)) continue;
    graph.options.device = current_device();
    graph.model.compile(graph.options);
    graph.model.set_class_names({"a", "\"b\"", "ö"});
    for (int step = 0; step < 3; ++step) graph.model.train_on_batch(graph.x, graph.y, graph.weights);
    graph.model.save(path);
    Model again = loaded(path);
    again.save(folder / "again");
    EXPECT_EQ(words_of(folder / "again.safetensors"), words_of(path));
    EXPECT_TRUE(bytes_of(folder / "again.safetensors") == bytes_of(path));
    EXPECT_EQ(again.explain(7), graph.model.explain(7));
    EXPECT_EQ(again.metrics_names(), graph.model.metrics_names());
    EXPECT_EQ(again.iterations(), graph.model.iterations());
    EXPECT_EQ(again.class_names(), graph.model.class_names());
    EXPECT_TRUE(same_bits(again.get_weights(), graph.model.get_weights()));
    for (int step = 0; step < 2; ++step) {
      const Logs logs = again.train_on_batch(graph.x, graph.y, graph.weights);
      const Logs expected = graph.model.train_on_batch(graph.x, graph.y, graph.weights);
      for (const auto& [name, value] : expected) EXPECT_EQ(logs[name], value) << name;
    }
    EXPECT_TRUE(same_bits(again.get_weights(), graph.model.get_weights()));
  }
}

/// Every optimizer, with no option as it is by itself, but those that exclude each other.
std::vector<OptimizerName> all_optimizers() {
  std::vector<OptimizerName> all;
  for (const char* name : {"sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta",
                           "lion", "ftrl", "muon"}) {
    OptimizerName optimizer(name);
    std::visit(
        [](auto& o) {
          o.weight_decay = 0.01, o.use_ema = true, o.ema_momentum = 0.9, o.ema_overwrite_frequency = 3;
          o.gradient_accumulation_steps = 2, o.global_clipnorm = 0.7;
          if constexpr (requires { o.momentum; }) o.momentum = 0.8;
          if constexpr (requires { o.nesterov; }) o.nesterov = !o.nesterov;
          if constexpr (requires { o.rho; }) o.rho = 0.85;
          if constexpr (requires { o.centered; }) o.centered = true;
          if constexpr (requires { o.amsgrad; }) o.amsgrad = true;
          if constexpr (requires { o.beta_1; }) o.beta_1 = 0.8, o.beta_2 = 0.95;
          if constexpr (requires { o.epsilon; }) o.epsilon = 1e-6;
          if constexpr (requires { o.beta; }) o.beta = 0.1;
          if constexpr (requires { o.initial_accumulator_value; }) o.initial_accumulator_value = 0.2;
          if constexpr (requires { o.learning_rate_power; }) o.learning_rate_power = -0.4;
          if constexpr (requires { o.l1_regularization_strength; })
            o.l1_regularization_strength = o.l2_regularization_strength =
                o.l2_shrinkage_regularization_strength = 1e-3;
          if constexpr (requires { o.ns_steps; })
            o.ns_steps = 3, o.rms_rate = 0.3, o.adam_beta_1 = 0.8, o.adam_lr_ratio = 0.5, o.muon_a = 3.4,
            o.muon_b = -4.7, o.muon_c = 2, o.adam_beta_2 = 0.9, o.adam_weight_decay = 0.002;
        },
        optimizer.value());
    all.push_back(optimizer);
  }
  EXPECT_EQ(all.size(), std::variant_size_v<Optimizers>);
  return all;
}

std::vector<LearningRate> all_schedules() {
  return {0.1 + 0.2,
          ExponentialDecay{0.02, 7, 0.8, true},
          InverseTimeDecay{0.03, 5, 0.4, true},
          PolynomialDecay{0.02, 9, 1e-3, 1.5, true},
          PiecewiseConstantDecay({2, 5}, {0.1, 0.02, 0.004}),
          CosineDecay{0.001, 11, 0.1, 0.05, 3},
          CosineDecay{0.02, 11, 0.1},
          CosineDecayRestarts{0.02, 3, 1.5, 0.9, 0.1},
          OneCycle{0.05, 20, 0.4, 10, 1e3}};
}

TEST_P(ModelFile, Keeps_every_optimizer_and_schedule_in_the_middle_of_an_update) {
  const std::vector<LearningRate> schedules = all_schedules();
  std::size_t next = 0;
  for (OptimizerName optimizer : all_optimizers()) {
    SCOPED_TRACE(optimizer.name());
    std::visit([&](auto& o) { o.learning_rate = schedules[next++ % schedules.size()]; }, optimizer.value());
    Sequential model{Dense(5, "tanh", {.input_dim = 4}), Dropout(0.3), Dense(2)};
    model.compile({.optimizer = optimizer, .loss = "mse", .device = current_device()});
    for (int step = 0; step < 5; ++step) model.train_on_batch(x, y);  // five of two and two
    model.save(path);
    Model again = loaded(path);
    again.save(folder / "again");
    EXPECT_TRUE(bytes_of(folder / "again.safetensors") == bytes_of(path));
    EXPECT_EQ(again.learning_rate(), model.learning_rate());
    for (int step = 0; step < 5; ++step) again.train_on_batch(x, y), model.train_on_batch(x, y);
    EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
  }
}

TEST_P(ModelFile, Keeps_every_loss_and_metric_with_its_options) {
  const std::vector<LossNames> losses{"mse",
                                      Huber{0.7},
                                      BinaryCrossentropy{true, 0.1},
                                      BinaryFocalCrossentropy{true, 0.3, 1.5, true, 0.05},
                                      CategoricalCrossentropy{true, 0.1},
                                      CategoricalFocalCrossentropy{0.3, 1.5, true, 0.05}};
  for (const LossNames& loss : losses) {
    Sequential made{Dense(3, "sigmoid", {.input_dim = 4})};
    made.compile({.optimizer = "sgd",
                  .loss = loss,
                  .metrics = {"acc",
                              {"near", BinaryAccuracy{0.4}},
                              Precision{0.3, 1},
                              FBetaScore{Averaging::weighted, 2, 0.25},
                              {"pr", AUC{50, AUCCurve::PR, true}},
                              TopKCategoricalAccuracy{2},
                              Huber{0.3},
                              "mae"},
                  .weighted_metrics = {Recall{0.35}},
                  .device = current_device()});
    made.save(path);
    Model model = loaded(path);
    model.save(folder / "again");
    EXPECT_TRUE(bytes_of(folder / "again.safetensors") == bytes_of(path));
    EXPECT_EQ(model.metrics_names(),
              (std::vector<std::string>{"loss", "acc", "near", "precision", "fbeta_score", "pr",
                                        "top_k_categorical_accuracy", "huber", "mae", "recall"}));
  }
  Symbol in = Input({4});
  Model several({in}, {Dense(2, {.name = "one"})(in), Dense(3, "softmax", {.name = "two"})(in)});
  several.compile({.loss = {{"one", Huber{0.4}}, {"two", SparseCategoricalCrossentropy{.ignore_class = -1}}},
                   .metrics = {{"one", {"mae", {"named", Huber{0.2}}}}, {"two", "accuracy"}},
                   .loss_weights = {{"one", 0.25}},
                   .device = current_device()});
  several.save(path);
  Model again = loaded(path);
  EXPECT_EQ(again.metrics_names(), several.metrics_names());
  EXPECT_EQ(again.explain(), several.explain());
}

/// What a fit that may be broken off has.
struct Training {
  static Sequential model(const Device& device) {
    Sequential model{Dense(6, "tanh", {.input_dim = 4}), BatchNormalization(), Dropout(0.25),
                     GaussianNoise(0.1), Dense(2)};
    model.set_seed(7);
    Adam adam{.learning_rate = CosineDecay{.initial_learning_rate = 0.02, .decay_steps = 40}};
    adam.use_ema = true, adam.ema_momentum = 0.9, adam.gradient_accumulation_steps = 3;
    model.compile({.optimizer = adam, .loss = "mse", .metrics = "mae", .device = device});
    return model;
  }
};

TEST_P(ModelFile, Saved_within_a_fit_goes_on_to_the_bits_of_one_that_was_not_broken_off) {
  Sequential whole = Training::model(current_device());
  const FitOptions options{.batch_size = 3, .verbose = 0, .validation_split = 0.2};
  FitOptions uninterrupted = options;
  uninterrupted.epochs = 6;
  const History expected = whole.fit(x, y, uninterrupted);

  Sequential first = Training::model(current_device());
  FitOptions half = options;
  half.epochs = 3;
  half.callbacks = {
      ModelCheckpoint(path, {.save_weights_only = false})};  // before the averages take the weights' place
  first.fit(x, y, half);
  Model second = loaded(path);
  EXPECT_EQ(second.epoch(), 3);
  FitOptions rest = options;
  rest.epochs = 6, rest.initial_epoch = second.epoch();
  const History history = second.fit(x, y, rest);
  EXPECT_TRUE(same_bits(second.get_weights(), whole.get_weights()));
  for (const char* key : {"loss", "mae", "val_loss"})
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(history[key][i], expected[key][i + 3]) << key;
}

TEST_P(ModelFile, Saved_between_fits_goes_on_like_the_model_itself) {
  Sequential model = Training::model(current_device());
  const FitOptions options{.epochs = 2, .batch_size = 3, .verbose = 0};
  model.fit(x, y, options);
  model.save(path);
  Model again = loaded(path);
  model.fit(x, y, options), again.fit(x, y, options);
  EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
}

TEST_P(ModelFile, Keeps_the_patience_of_callbacks) {
  const auto fit = [&](Model& model, int epochs, int from, const Callbacks& more) {
    std::vector<Callbacks::Entry> callbacks(more.begin(), more.end());
    return model.fit(x, y,
                     {.epochs = epochs,
                      .batch_size = 5,
                      .verbose = 0,
                      .validation_split = 0.25,
                      .initial_epoch = from,
                      .callbacks = callbacks});
  };
  const auto make = [&] {
    Sequential model{Dense(2, {.input_dim = 4})};
    model.compile({.optimizer = SGD{.learning_rate = 0.9}, .loss = "mse", .device = current_device()});
    return model;
  };
  const auto plateau = [] { return ReduceLROnPlateau({.factor = 0.5, .patience = 2, .cooldown = 1}); };
  for (const int broken : {1, 2, 3, 4}) {
    SCOPED_TRACE(broken);
    EarlyStopping whole_stop({.patience = 5, .restore_best_weights = true}),
        stop({.patience = 5, .restore_best_weights = true});
    Sequential whole = make(), first = make();
    const History expected = fit(whole, 30, 0, {&whole_stop, plateau()});
    EarlyStopping before({.patience = 5, .restore_best_weights = true});
    fit(first, broken, 0, {&before, plateau(), ModelCheckpoint(path, {.save_weights_only = false})});
    Model second = loaded(path);
    fit(second, 30, second.epoch(), {&stop, plateau()});
    EXPECT_EQ(stop.stopped_epoch(), whole_stop.stopped_epoch());
    EXPECT_EQ(stop.best_epoch(), whole_stop.best_epoch());
    EXPECT_EQ(second.learning_rate(), whole.learning_rate());
    EXPECT_TRUE(same_bits(second.get_weights(), whole.get_weights()));
  }
}

TEST_P(ModelFile, Freezes_what_compile_found_frozen_whatever_was_wanted_since) {
  Sequential model{Dense(5, "tanh", {.input_dim = 4, .trainable = false}), Dense(2)};
  model.compile({.optimizer = "adam", .loss = "mse", .device = current_device()});
  model.train_on_batch(x, y);
  model.layer(0).set_trainable(true), model.layer(1).set_trainable(false);
  model.save(path);
  Model again = loaded(path);
  EXPECT_TRUE(again.layer(0).trainable());
  EXPECT_FALSE(again.layer(1).trainable());
  model.train_on_batch(x, y), again.train_on_batch(x, y);
  EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
}

TEST_P(ModelFile, Has_the_layers_and_weights_alone_where_that_is_asked_for) {
  Sequential model{Dense(2, {.input_dim = 4})};
  model.compile({.loss = "mse", .device = current_device()});
  model.train_on_batch(x, y);
  model.save(path, {.include_optimizer = false});
  Model again = loaded(path);
  EXPECT_THROW(again.learning_rate(), StateError);
  EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
  EXPECT_EQ(again.context().device(), current_device());
  model.save(path);
  Model uncompiled = load_model(path, {.compile = false});
  EXPECT_THROW(uncompiled.learning_rate(), StateError);
  EXPECT_TRUE(array_equal(uncompiled.get_weights()[0], model.get_weights()[0]));
}

TEST_P(ModelFile, Of_a_chain_that_knows_no_shape_has_none) {
  Sequential model{Dense(2)};
  model.compile({.loss = "mse", .device = current_device()});
  model.save(path);
  Model again = loaded(path);
  EXPECT_FALSE(again.built());
  again.fit(x, y, {.verbose = 0}), model.fit(x, y, {.verbose = 0});
  EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
}

class ModelFileErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    model.compile({.optimizer = "adam", .loss = "mse"});
    model.fit(drawn(1, {8, 4}), drawn(2, {8, 2}), {.verbose = 0});
    model.save(path);
  }
  const testing::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors", damaged = folder / "damaged.safetensors";
  Sequential model{Dense(3, "tanh", {.input_dim = 4}), Dense(2)};
};

TEST_F(ModelFileErrors, Every_changed_byte_is_seen) {
  const std::string bytes = bytes_of(path);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 7));
    write_bytes(damaged, changed);
    EXPECT_THROW(load_model(damaged), FileError) << at;
  }
  for (std::size_t length = 0; length < bytes.size(); length += 97) {
    write_bytes(damaged, bytes.substr(0, length));
    EXPECT_THROW(load_model(damaged), FileError) << length;
  }
}

/// The file with another description, and a checksum that is right.
TEST_F(ModelFileErrors, Whose_parts_do_not_go_together_are_refused_before_memory_is_asked_for) {
  io::Metadata metadata;
  const std::vector<io::NamedTensor> tensors = io::load_safetensors(path, &metadata);
  const auto with = [&](const std::string& from, const std::string& to) {
    io::Metadata changed = metadata;
    std::string& json = changed.at("glia.model");
    const std::size_t at = json.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << json;
    json.replace(at, from.size(), to);
    std::vector<io::NamedView> views;
    for (const io::NamedTensor& named : tensors) views.push_back({named.name, named.tensor});
    io::save_safetensors(damaged, views, changed, io::Checksum::sha256);
  };
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::vector<std::string>& parts) {
    SCOPED_TRACE(to);
    with(from, to);
    expect_error<FileError>([&] { load_model(damaged); }, parts);
  };
  with("\"units\":3", "\"units\":3");
  EXPECT_TRUE(same_bits(load_model(damaged).get_weights(), model.get_weights()));
  refused("\"units\":3", "\"units\":2000000000", {"dense/kernel", "(4, 2000000000)"});
  refused("\"input_shape\":[4]", "\"input_shape\":[9000000000000]", {"dense/kernel"});
  refused("\"name\":\"dense_1\"", "\"name\":\"other\"", {"other/kernel"});
  refused("\"optimizer\":\"adam\"", "\"optimizer\":\"rmsprop\"", {"tensors"});
  refused("\"optimizer\":\"adam\"", "\"optimizer\":\"adamm\"", {"adamm"});
  refused("\"format_version\":1", "\"format_version\":2", {"format 2", "later"});
  refused("\"steps\":1", "\"steps\":-1", {"below 0"});
  refused("\"graph\":", "\"grape\":", {"graph"});
}

TEST_F(ModelFileErrors, Of_weights_alone_say_what_they_are) {
  model.save_weights(path);
  expect_error<FileError>([&] { load_model(path); }, {"load_weights"});
  expect_error<FileError>([&] { load_model(folder / "none"); }, {"none.safetensors"});
}

TEST_F(ModelFileErrors, A_loss_of_the_applications_own_is_left_to_it) {
  Sequential own{Dense(2, {.input_dim = 4})};
  own.compile({.loss = CpuMse(), .device = "cpu"});
  expect_error<ValueError>([&] { own.save(path); }, {"include_optimizer", "application"});
  own.save(path, {.include_optimizer = false});
  EXPECT_TRUE(same_bits(load_model(path).get_weights(), own.get_weights()));
}

class WeightsFile : public ::testing::Test {
 protected:
  const testing::TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  Sequential saved{Dense(3, {.input_dim = 4, .name = "b"}), Dense(2, {.name = "a"})};
};

TEST_F(WeightsFile, Of_a_whole_model_are_read_as_those_of_save_weights) {
  saved.compile({.optimizer = "adam", .loss = "mse"});
  saved.train_on_batch(drawn(1, {5, 4}), drawn(2, {5, 2}));
  saved.save(path);
  Sequential model{Dense(3, {.input_dim = 4, .name = "b"}), Dense(2, {.name = "a"})};
  const LoadedWeights report = model.load_weights(path);
  EXPECT_EQ(report.loaded, saved.weight_names());
  EXPECT_TRUE(report.unused.empty() && report.missing.empty() && report.mismatched.empty());
  EXPECT_TRUE(same_bits(model.get_weights(), saved.get_weights()));
}

TEST_F(WeightsFile, Go_by_order_where_names_are_others) {
  saved.save_weights(path);
  Sequential model{Dense(3, {.input_dim = 4}), Dense(2)};
  EXPECT_THROW(model.load_weights(path), ShapeError);
  const LoadedWeights report = model.load_weights(path, {.by = MatchBy::order});
  EXPECT_EQ(report.loaded, model.weight_names());
  EXPECT_TRUE(same_bits(model.get_weights(), saved.get_weights()));
}

TEST_F(WeightsFile, That_do_not_fit_are_passed_over_where_that_is_asked_for) {
  saved.save_weights(path);
  Sequential model{Dense(3, {.input_dim = 4, .name = "b"}), Dense(5, {.name = "a"}), Dense(1, {.name = "c"})};
  const TensorList before = model.get_weights();
  EXPECT_THROW(model.load_weights(path), ShapeError);
  EXPECT_TRUE(same_bits(model.get_weights(), before));
  const LoadedWeights report = model.load_weights(path, {.skip_mismatch = true});
  using Names = std::vector<std::string>;
  EXPECT_EQ(report.loaded, (Names{"b/kernel", "b/bias"}));
  EXPECT_EQ(report.mismatched, (Names{"a/kernel", "a/bias"}));
  EXPECT_EQ(report.missing, (Names{"c/kernel", "c/bias"}));
  EXPECT_TRUE(report.unused.empty());
  EXPECT_TRUE(array_equal(model.get_weights()[0], saved.get_weights()[0]));
  EXPECT_TRUE(array_equal(model.get_weights()[2], before[2]));
  Sequential less{Dense(3, {.input_dim = 4, .name = "b"})};
  EXPECT_EQ(less.load_weights(path, {.skip_mismatch = true}).unused.size(), 2u);
}

TEST_F(WeightsFile, Stand_as_other_numbers_where_that_is_asked_for) {
  const std::vector<float> values{0,
                                  -0.0f,
                                  1,
                                  65504,
                                  65519.996f,
                                  65520,
                                  1e30f,
                                  0x1p-14f,
                                  0x1p-24f,
                                  0x1p-25f,
                                  0x1.8p-25f,
                                  0x1.8p-24f,
                                  1.00048828125f,
                                  1.00146484375f,
                                  -3.14159f,
                                  1 + 0x1p-8f,
                                  1 + 3 * 0x1p-8f};
  const float inf = std::numeric_limits<float>::infinity();
  Sequential model{Dense(1, {.use_bias = false, .input_dim = static_cast<int>(values.size())})};
  model.set_weights({Tensor(values, {static_cast<std::int64_t>(values.size()), 1})});
  const auto back = [&](StoredAs as) {
    model.save_weights(path, {.weights = as});
    const NamedTensors read = read_safetensors(path);
    EXPECT_EQ(read.size(), 1u);
    return std::vector<float>(read[0].tensor.data<float>(), read[0].tensor.data<float>() + values.size());
  };
  EXPECT_EQ(back(StoredAs::same), values);
  EXPECT_EQ(back(StoredAs::float32), values);
  EXPECT_EQ(back(StoredAs::float16),
            (std::vector<float>{0, -0.0f, 1, 65504, 65504, inf, inf, 0x1p-14f, 0x1p-24f, 0, 0x1p-24f,
                                0x1p-23f, 1, 1.001953125f, -3.140625f, 1 + 0x1p-8f, 1 + 3 * 0x1p-8f}));
  EXPECT_TRUE(std::signbit(back(StoredAs::float16)[1]));
  const std::vector<float> bfloat = back(StoredAs::bfloat16);
  EXPECT_EQ(bfloat[15], 1);                // of two as near the even one
  EXPECT_EQ(bfloat[16], 1 + 4 * 0x1p-8f);  // likewise
  EXPECT_EQ(bfloat[14], -3.140625f);
  model.save_weights(path, {.weights = StoredAs::float64});
  EXPECT_EQ(read_safetensors(path)["dense/kernel"].dtype(), DType::float64);
  model.load_weights(path);
  EXPECT_TRUE(
      array_equal(model.get_weights()[0], Tensor(values, {static_cast<std::int64_t>(values.size()), 1})));
}

}  // namespace
}  // namespace glia::test
