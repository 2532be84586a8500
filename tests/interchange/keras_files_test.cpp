// Keras's files: what Keras 2 and 3 saved predicts and trains on as it did there, what Glia saves comes back, and what either has not
// is named. Keras itself is at the other end in python/files_keras.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/keras.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/expect_error.h"
#include "tests/interchange/keras_golden.h"
#include "tests/layer_samples.h"
#include "tests/temporary_folder.h"
#include "tests/zip_bytes.h"

namespace glia {
namespace {

using test::expect_error;
using test::golden_arrays;
using test::golden_file;
using test::loaded;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;
using testing::zip_of;

std::vector<Tensor> arrays_of(const NamedTensors& arrays, const std::string& kind) {
  std::vector<Tensor> found;
  for (const NamedTensor& array : arrays)
    if (array.name.starts_with(kind)) found.push_back(array.tensor.clone());
  return found;
}

void expect_outputs(Model& model, const NamedTensors& arrays) {
  const std::vector<Tensor> inputs = arrays_of(arrays, "input_"), outputs = arrays_of(arrays, "output_");
  const NamedTensors got = model.predict_all(Tensors(inputs), {.verbose = 0});
  ASSERT_EQ(got.size(), outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    EXPECT_TRUE(test::close(got[i].tensor, outputs[i], {.relative = 1e-5, .absolute = 1e-5})) << got[i].name;
}

struct Saved {
  const char *file, *arrays;
};
constexpr Saved models[] = {{"keras_2_chain.h5", "keras_2_chain.npz"},
                            {"keras_2_graph.h5", "keras_2_graph.npz"},
                            {"keras_2_graph.keras", "keras_2_graph.npz"},
                            {"keras_3_chain.keras", "keras_3_chain.npz"},
                            {"keras_3_chain.h5", "keras_3_chain.npz"},
                            {"keras_3_graph.keras", "keras_3_graph.npz"},
                            {"keras_2_sequences.h5", "keras_2_sequences.npz"},
                            {"keras_2_sequences.keras", "keras_2_sequences.npz"},
                            {"keras_3_sequences.keras", "keras_3_sequences.npz"},
                            {"keras_3_sequences.h5", "keras_3_sequences.npz"},
                            {"keras_2_stateful.h5", "keras_2_stateful.npz"},
                            {"keras_3_stateful.keras", "keras_3_stateful.npz"},
                            {"keras_2_decoder.h5", "keras_2_decoder.npz"},
                            {"keras_3_decoder.keras", "keras_3_decoder.npz"}};

TEST(KerasFiles, What_Keras_saved_predicts_as_it_did_there) {
  for (const Saved& saved : models) {
    SCOPED_TRACE(saved.file);
    Model model = loaded(golden_file(saved.file));
    expect_outputs(model, golden_arrays(saved.arrays));
    EXPECT_GT(model.learning_rate(), 0) << "it is compiled as it was";
    EXPECT_THROW(loaded(golden_file(saved.file), false).learning_rate(), StateError);
  }
}

TEST(KerasFiles, Layers_keep_their_names_and_are_frozen_as_they_were) {
  for (const char* file : {"keras_2_graph.h5", "keras_2_graph.keras", "keras_3_graph.keras"}) {
    Model model = loaded(golden_file(file));
    EXPECT_EQ(model.name(), "graph");
    EXPECT_EQ(model.input_names(), (std::vector<std::string>{"left", "right"}));
    EXPECT_EQ(model.output_names(), (std::vector<std::string>{"class", "value"}));
    EXPECT_NE(model.to_json().find(R"("name":"frozen","trainable":false)"), std::string::npos)
        << model.to_json();
    const std::vector<Tensor> before = model.get_weights();
    const std::vector<std::string> names = model.weight_names();
    const Tensor left{{1, 2, 3, 4}, {-1, 0, 2, 1}}, right{{2, -1, 1, 3}, {0, 1, 4, 2}};
    model.train_on_batch({left, right}, {Tensor{{1, 0}, {0, 1}}, Tensor{{5}, {7}}});
    const std::vector<Tensor> after = model.get_weights();
    for (std::size_t i = 0; i < names.size(); ++i)
      EXPECT_EQ(before[i].values() == after[i].values(), names[i].find("frozen") != std::string::npos)
          << names[i];
  }
}

constexpr const char* trained[] = {"keras_3_trained", "keras_3_trained_sequences"};

TEST(KerasFiles, Training_goes_on_where_Keras_left_it) {
  for (const std::string name : trained) {
    SCOPED_TRACE(name);
    Model model = loaded(golden_file(name + ".keras"));
    const NamedTensors arrays = golden_arrays(name + ".npz");
    EXPECT_EQ(model.iterations(), 2);
    for (int step = 0; step < 2; ++step) model.train_on_batch(arrays["x"], arrays["y"]);
    const std::vector<Tensor> weights = model.get_weights(), expected = arrays_of(arrays, "weight_");
    ASSERT_EQ(weights.size(), expected.size());
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_TRUE(test::close(weights[i], expected[i].reshape(weights[i].shape()),
                              {.relative = 1e-4, .absolute = 1e-5}))
          << model.weight_names()[i];
  }
}

TEST(KerasFiles, What_Glia_saves_comes_back_to_the_bit_and_goes_on_alike) {
  TemporaryFolder folder;
  for (const Saved& saved : models) {
    SCOPED_TRACE(saved.file);
    Model model = loaded(golden_file(saved.file));
    keras::save(model, folder / "x.keras"), keras::save(model, folder / "y.keras");
    EXPECT_EQ(read_text(folder / "x.keras"), read_text(folder / "y.keras"))
        << "the same model gives the same bytes";
    Model again = keras::load(folder / "x.keras", {.device = Device::cpu()});
    EXPECT_EQ(again.weight_names().size(), model.weight_names().size());
    const NamedTensors arrays = golden_arrays(saved.arrays);
    const std::vector<Tensor> inputs = arrays_of(arrays, "input_");
    const NamedTensors one = model.predict_all(Tensors(inputs), {.verbose = 0}),
                       other = again.predict_all(Tensors(inputs), {.verbose = 0});
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].tensor.values(), other[i].tensor.values());
    EXPECT_EQ(again.metrics_names(), model.metrics_names());
  }
  for (const std::string name : trained) {
    SCOPED_TRACE(name);
    Model model = loaded(golden_file(name + ".keras"));
    const NamedTensors arrays = golden_arrays(name + ".npz");
    model.train_on_batch(arrays["x"], arrays["y"]);
    keras::save(model, folder / "on.keras");
    Model again = keras::load(folder / "on.keras", {.device = Device::cpu()});
    EXPECT_EQ(again.iterations(), 3);
    model.train_on_batch(arrays["x"], arrays["y"]), again.train_on_batch(arrays["x"], arrays["y"]);
    const std::vector<Tensor> weights = model.get_weights(), others = again.get_weights();
    for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_EQ(weights[i].values(), others[i].values());
  }
}

TEST(KerasFiles, A_file_without_the_optimizer_is_not_compiled) {
  TemporaryFolder folder;
  const Model model = loaded(golden_file("keras_3_trained.keras"));
  keras::save(model, folder / "x.keras", {.include_optimizer = false});
  Model bare = keras::load(folder / "x.keras", {.device = Device::cpu()});
  EXPECT_THROW(bare.learning_rate(), StateError);
  expect_error<FileError>([&] { keras::save(model, folder / "none/x.keras"); }, {"none"});
}

TEST(KerasFiles, Weights_come_from_every_kind_of_file) {
  TemporaryFolder folder;
  struct Case {
    const char *file, *model;
  };
  for (const auto& [file, of] :
       {Case{"keras_3_graph.weights.h5", "keras_3_graph"}, Case{"keras_3_graph.keras", "keras_3_graph"},
        Case{"keras_2_graph_weights.h5", "keras_2_graph"}, Case{"keras_2_graph.h5", "keras_2_graph"},
        Case{"keras_3_sequences.weights.h5", "keras_3_sequences"},
        Case{"keras_3_sequences.keras", "keras_3_sequences"},
        Case{"keras_2_sequences_weights.h5", "keras_2_sequences"},
        Case{"keras_2_sequences.h5", "keras_2_sequences"}}) {
    SCOPED_TRACE(file);
    Model model = loaded(golden_file(std::string(of) + ".keras"));
    std::vector<Tensor> ones;
    for (const Tensor& weight : model.get_weights()) ones.push_back(Tensor::ones(weight.shape()));
    model.set_weights(ones);
    write_text(folder / "weights.h5", golden_file(file));
    for (const MatchBy by : {MatchBy::name, MatchBy::order}) {
      model.set_weights(ones);
      const LoadedWeights report = keras::load_weights(model, folder / "weights.h5", {.by = by});
      EXPECT_EQ(report.loaded.size(), model.weight_names().size());
      EXPECT_TRUE(report.missing.empty() && report.unused.empty() && report.mismatched.empty());
      expect_outputs(model, golden_arrays(std::string(of) + ".npz"));
    }
    keras::save_weights(model, folder / "again.weights.h5");
    model.set_weights(ones);
    keras::load_weights(model, folder / "again.weights.h5");
    expect_outputs(model, golden_arrays(std::string(of) + ".npz"));
  }
}

TEST(KerasFiles, Weights_that_do_not_fit_change_nothing_or_are_passed_over) {
  TemporaryFolder folder;
  Sequential model{Dense(4, "tanh", {.input_shape = {3}}), Dense(5), Dense(2)};
  model.build({3});
  write_text(folder / "x.keras", golden_file("keras_3_trained.keras"));
  const std::vector<Tensor> before = model.get_weights();
  expect_error<ShapeError>([&] { keras::load_weights(model, folder / "x.keras"); },
                           {"another shape of \"dense_1/kernel\"", "skip_mismatch"});
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(model.get_weights()[i].values(), before[i].values());
  const LoadedWeights report = keras::load_weights(model, folder / "x.keras", {.skip_mismatch = true});
  EXPECT_EQ(report.loaded, (std::vector<std::string>{"dense/kernel", "dense/bias"}));
  EXPECT_EQ(report.mismatched, (std::vector<std::string>{"dense_1/kernel", "dense_1/bias"}));
  EXPECT_EQ(report.missing, (std::vector<std::string>{"dense_2/kernel", "dense_2/bias"}));
  EXPECT_EQ(report.unused.size(), 0u);
  Sequential small{Dense(4, "tanh", {.input_shape = {3}})};
  small.build({3});
  expect_error<ShapeError>([&] { keras::load_weights(small, folder / "x.keras"); },
                           {"layers/dense_1/vars/0"});
  Sequential unbuilt{Dense(2)};
  EXPECT_THROW(keras::load_weights(unbuilt, folder / "x.keras"), StateError);
  EXPECT_THROW(keras::save(unbuilt, folder / "y.keras"), StateError);
}

TEST(KerasFiles, Residual_blocks_and_formulas_are_said_in_Keras_s_words) {
  TemporaryFolder folder;
  Sequential chain{
      Conv2D(4, 3, "relu", {.padding = "same", .input_shape = {6, 6, 2}}),
      Residual({Conv2D(4, 3, {.padding = "same"}), BatchNormalization()}, {.shortcut = {Conv2D(4, 1)}}),
      Flatten(), Dense(2)};
  chain.build({6, 6, 2});
  Symbol a = Input({2, 3}, "a"), b = Input({2, 3}, "b");
  Symbol x = (a / (square(b) + 1.0) + exp(a) - sqrt(abs(b)) * pow(a, 2)) + mean(b, {-1}, true);
  Model formula({a, b}, {x, sum(a) + sum(b, {1, 2}), slice(x, -1, 1, 2), matmul(transpose(a, {2, 1}), b),
                         Dense(2)(stop_gradient(log(square(a) + 1.0)))});
  formula.predict_all({Tensor::ones({1, 2, 3}), Tensor::ones({1, 2, 3})}, {.verbose = 0});
  for (const Model* model : std::vector<const Model*>{&chain, &formula}) {
    keras::save(*model, folder / "x.keras");
    Model again = keras::load(folder / "x.keras", {.device = Device::cpu()});
    std::vector<Tensor> inputs;
    for (const Symbol& input : again.inputs())
      inputs.push_back(
          (Tensor::arange(2 * input.shape().elements()).reshape(input.shape().prepend(2)) - 5.0) * 0.1);
    const NamedTensors one = const_cast<Model*>(model)->predict_all(Tensors(inputs), {.verbose = 0});
    const NamedTensors other = again.predict_all(Tensors(inputs), {.verbose = 0});
    ASSERT_EQ(one.size(), other.size());
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_EQ(one[i].tensor.values(), other[i].tensor.values()) << i;
  }
}

/// A model of one layer, with weights that tell each from the others.
Model of_one_layer(const test::Sample& sample) {
  std::vector<Symbol> inputs;
  for (const Shape& rows : sample.rows) inputs.push_back(Input(rows));
  const Layer layer = sample.make();
  Model model(inputs, layer.apply(inputs), {.name = "sample"});
  TensorList weights = model.get_weights();
  for (std::size_t i = 0; i < weights.size() && sample.type != "Normalization"; ++i)
    weights[i] = test::drawn(20 + static_cast<int>(i), weights[i].shape()) * 0.3 + 0.5;
  model.set_weights(weights);
  model.reset_states();  // which no file has
  return model;
}

TEST(KerasFiles, Every_layer_that_Keras_has_comes_back_with_its_options) {
  TemporaryFolder folder;
  int travelled = 0;
  for (const test::Sample& sample : test::samples()) {
    SCOPED_TRACE(sample.type);
    Model model = of_one_layer(sample);
    const std::string json = model.to_json(),
                      mean = json.substr(std::min(json.find("\"mean\":["), json.size()));
    if (!mean.empty() && mean.find(']') < mean.find(','))
      continue;  // one for all features: nothing says how many
    if (sample.type == "Cutout" || sample.type == "PositionEmbedding" ||
        json.find(R"("gelu","config")") != std::string::npos) {
      expect_error<ValueError>([&] { keras::save(model, folder / "x.keras"); }, {"no file of Keras can say"});
      continue;
    }
    keras::save(model, folder / "x.keras");
    Model again = keras::load(folder / "x.keras", {.device = Device::cpu()});
    ++travelled;
    const bool becomes_a_model = sample.type == "Residual";
    EXPECT_TRUE(becomes_a_model || again.weight_names() == model.weight_names());
    std::vector<Tensor> inputs;
    for (const Shape& rows : sample.rows)
      inputs.push_back(sample.type == "Embedding" ? Tensor::ones(rows.prepend(7))
                                                  : test::drawn(40, rows.prepend(7)));
    const NamedTensors one = model.predict_all(Tensors(inputs), {.batch_size = 7, .verbose = 0}),
                       other = again.predict_all(Tensors(inputs), {.batch_size = 7, .verbose = 0});
    ASSERT_EQ(one.size(), other.size());
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].tensor.values(), other[i].tensor.values());
    keras::save(again, folder / "y.keras");
    EXPECT_TRUE(becomes_a_model || read_text(folder / "x.keras") == read_text(folder / "y.keras"))
        << "an option is lost";
  }
  EXPECT_GE(travelled, 60);
}

TEST(KerasFiles, What_Keras_has_not_is_named) {
  TemporaryFolder folder;
  const auto refused = [&](Model model, const std::vector<std::string>& says) {
    expect_error<ValueError>([&] { keras::save(model, folder / "x.keras"); }, says);
    EXPECT_FALSE(std::filesystem::exists(folder / "x.keras"));
  };
  const auto chain = [](const Layer& layer) {
    Sequential model{Input({4, 4, 1}), layer};
    model.build({4, 4, 1});
    return model;
  };
  refused(chain(Cutout(2)), {"Cutout"});
  refused(chain(Activation("step", {}, "jump")), {"\"jump\"", "step"});
  refused(chain(Dense(2, Gelu{.approximate = true})), {"gelu"});
  refused(chain(TimeDistributed(PositionEmbedding(4))), {"PositionEmbedding"});
  Symbol x = Input({3, 4});
  refused(Model({x}, {GroupQueryAttention(2, 2, 1, {.output_dim = 3})({x, x})}),
          {"GroupQueryAttention", "output_dim"});
  refused(chain(Lambda([](const Symbol& x) { return x * 2.0; })), {"Lambda"});
  Sequential model{Dense(3, "softmax", {.input_shape = {2}})};
  model.compile({.optimizer = "adam", .loss = "cce", .metrics = {"confusion_matrix"}, .device = "cpu"});
  refused(std::move(model), {"confusion_matrix", "include_optimizer"});
  Sequential cycle{Dense(3, {.input_shape = {2}})};
  cycle.compile({.optimizer = SGD{.learning_rate = OneCycle{.max_learning_rate = 0.1, .total_steps = 10}},
                 .loss = "mse",
                 .device = "cpu"});
  refused(std::move(cycle), {"OneCycle"});
}

/// A file of Keras 3 with one text of its config in the place of another.
std::string with_config(const std::string& from, const std::string& to,
                        const std::string& file = "keras_3_chain.keras") {
  TemporaryFolder folder;
  write_text(folder / "x.keras", golden_file(file));
  const io::ZipReader archive(folder / "x.keras");
  std::vector<testing::ZipPart> parts;
  for (std::size_t i = 0; i < archive.members().size(); ++i) {
    const auto source = archive.open(i);
    std::string bytes(source->size(), '\0');
    source->read(bytes.data(), bytes.size());
    if (archive.members()[i].name == "config.json") {
      EXPECT_NE(bytes.find(from), std::string::npos) << from;
      for (std::size_t at = 0; (at = bytes.find(from, at)) != std::string::npos; at += to.size())
        bytes.replace(at, from.size(), to);
    }
    parts.push_back({.name = archive.members()[i].name, .bytes = bytes});
  }
  return zip_of(parts);
}

TEST(KerasFiles, What_Glia_has_not_is_named) {
  const auto refused = [](const std::string& from, const std::string& to,
                          const std::vector<std::string>& says) {
    SCOPED_TRACE(to);
    expect_error<FileError>([&] { loaded(with_config(from, to)); }, says);
  };
  refused("\"class_name\": \"Conv2D\"", "\"class_name\": \"ConvLSTM2D\"", {"(ConvLSTM2D)", "unknown layer"});
  refused("\"data_format\": \"channels_last\"", "\"data_format\": \"channels_first\"",
          {"(Conv2D)", "data_format", "channels_first"});
  refused("\"groups\": 1", "\"groups\": 1, \"holes\": 7", {"holes"});
  refused("\"noise_shape\": null", "\"noise_shape\": [1]", {"(Dropout)", "noise_shape"});
  refused("\"activation\": \"relu\"", "\"activation\": \"relux\"",
          {"(Conv2D)", "relux", "did you mean \"relu\""});
  refused("\"axis\": -1", "\"axis\": 1", {"(BatchNormalization)", "axis"});
  refused("\"name\": \"float32\"", "\"name\": \"mixed_float16\"", {"dtype", "mixed_float16"});
  refused("\"padding\": \"same\"", "\"padding\": \"causal\"", {"causal"});
  refused("[null, 6, 5, 2]", "[null, null, 5, 2]", {"a size is not known"});
  refused("\"class_name\": \"Sequential\"", "\"class_name\": \"Mine\"", {"Mine"});
  refused("\"loss\": \"categorical_crossentropy\"", "\"loss\": \"dice\"", {"dice"});
  refused("\"filters\": 3", "\"filters\": 4", {"kernel"});
  EXPECT_NO_THROW(loaded(with_config("\"loss\": \"categorical_crossentropy\"", "\"loss\": \"dice\""), false));
  expect_error<FileError>([&] { loaded(golden_file("keras_3_graph.weights.h5")); },
                          {"weights alone", "load_weights"});
}

TEST(KerasFiles, What_Glia_has_not_of_layers_for_sequences_is_named) {
  const auto refused = [](const std::string& from, const std::string& to,
                          const std::vector<std::string>& says) {
    SCOPED_TRACE(to);
    expect_error<FileError>([&] { loaded(with_config(from, to, "keras_3_sequences.keras")); }, says);
  };
  refused(R"("units": 4, )", "", {"LSTM", "units"});
  refused(R"("units": 4, )", R"("units": -4, )", {"LSTM", "units"});
  refused(R"("units": 4, )", R"("units": 5, )", {"\"told\" (LSTM)", "initial state", "(5,)"});
  refused(R"("units": 4, )", R"("units": "many", )", {"LSTM", "units"});
  refused(R"("recurrent_activation": "sigmoid")", R"("recurrent_activation": "softmax")", {"softmax"});
  refused(R"("zero_output_for_mask": false)", R"("zero_output_for_mask": true)",
          {"\"told\" (LSTM)", "zero_output_for_mask"});
  refused(R"("stateful": false)", R"("stateful": true)", {"(LSTM)", "stateful", "batch_shape"});
  refused(R"("class_name": "GRU")", R"("class_name": "RNN")", {"(RNN)", "unknown layer"});
  refused(R"("merge_mode": "concat")", R"("merge_mode": "max")", {"Bidirectional", "merge_mode", "max"});
  refused(R"("backward_layer": {)", R"("backward_layer": 7, "was": {)",
          {"(Bidirectional)", "backward_layer is 7"});
  refused(R"("merge_mode": "concat", "layer")", R"("merge_mode": "concat", "lair")",
          {"(Bidirectional)", "layer is null"});
  refused(R"("attention_axes": [1])", R"("attention_axes": [1, 2])", {"\"heads\"", "attention_axes"});
  refused(R"("use_gate": false)", R"("use_gate": true)", {"\"heads\"", "use_gate"});
  refused(R"("output_shape": [5])", R"("output_shape": [5, 2])", {"\"heads\"", "output_shape"});
  refused(R"("num_heads": 2, )", "", {"MultiHeadAttention", "num_heads"});
  refused(R"("value_dim": 2)", R"("value_dim": 4)", {"heads/value/kernel", "shape"});
  refused(R"("use_causal_mask": true)", R"("use_causal_mask": 1)", {"use_causal_mask=1"});
  refused(R"("use_causal_mask": true)", R"("query_mask": true)", {"query_mask=true"});
  refused(R"("score_mode": "dot")", R"("score_mode": "cosine")", {"Attention", "cosine"});
  refused(R"("axis": [1, 2])", R"("axis": [1, 7])", {"\"norm\" (LayerNormalization)"});
  refused(R"("keras_history": ["any", 0, 0])", R"("keras_history": ["x", 0, 0])",
          {"is called with the mask", "goes along with its input"});
  refused(R"("keras_history": ["steps", 0, 0])", R"("keras_history": ["any", 0, 0])",
          {"reads what the operation \"any\" gives"});
}

}  // namespace
}  // namespace glia
