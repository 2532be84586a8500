// Models in words: to_json and from_json.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/custom_bodies.h"  // defines: CpuDense
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"
#include "tests/layer_samples.h"  // defines: Sample, samples
#include "tests/random_graphs.h"  // defines: RandomGraphMaker

namespace glia::test {
namespace {

using Names = std::set<std::string>;

/// The classes of layers that the public headers have.
Names public_classes() {
  Names names;
  const std::regex regex("\\nclass ([A-Za-z0-9]+) : public Layer \\{");
  for (const auto& header : std::filesystem::directory_iterator(GLIA_GOLDEN_DIR "/../../include/glia")) {
    if (!header.is_regular_file()) continue;
    std::ifstream file(header.path());
    std::stringstream text;
    text << file.rdbuf();
    const std::string all = text.str();
    for (std::sregex_iterator match(all.begin(), all.end(), regex), end; match != end; ++match)
      names.insert((*match)[1]);
  }
  return names;
}

/// The layer alone between inputs and, so that there is something to train, a Dense.
Model model_of(const Sample& sample) {
  std::vector<Symbol> inputs;
  for (const Shape& rows : sample.rows) inputs.push_back(Input(rows));
  const Symbol value = sample.make().apply(inputs)[0];
  return Model(inputs, {Dense(2, {.name = "end"})(value)});
}

std::vector<Tensor> rows_for(const Sample& sample) {
  std::vector<Tensor> x;
  for (const Shape& rows : sample.rows)
    x.push_back(sample.type == "Embedding" ? Tensor::ones(rows.prepend(7))
                                           : drawn(x.size() + 3, rows.prepend(7)));
  return x;
}

class ModelJson : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ModelJson, ::testing::ValuesIn(test_devices()), device_name);

TEST(ModelJsonClasses, Say_all_that_they_were_told) {
  for (const Sample& sample : samples()) {
    SCOPED_TRACE(sample.type);
    Model model = model_of(sample);
    model.set_seed(18446744073709551615u);
    const CompileOptions options{.optimizer = "sgd", .loss = "mse", .device = "cpu"};
    model.compile(options);
    const std::string json = model.to_json();
    Model again = Model::from_json(json);
    EXPECT_EQ(again.to_json(), json);
    again.compile(options);
    EXPECT_EQ(again.explain(7), model.explain(7));
    EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));  // by seed and initializers
    const std::vector<Tensor> x = rows_for(sample);
    const Tensor y = Tensor::zeros(model.outputs()[0].shape().prepend(7));
    for (int step = 0; step < 2; ++step)  // regularizers, constraints, and what is drawn
      EXPECT_EQ(again.train_on_batch(x, y)["loss"], model.train_on_batch(x, y)["loss"]);
    EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
    EXPECT_TRUE(array_equal(again.predict(x, {.verbose = 0}), model.predict(x, {.verbose = 0})));
  }
}

TEST(ModelJsonClasses, Are_all_that_the_headers_have) {
  Names known;
  for (const Sample& sample : samples()) known.insert(sample.type);
  Names all = public_classes();
  EXPECT_EQ(all.erase("Lambda"), 1u);  // which is refused
  EXPECT_EQ(known, all);
}

TEST_P(ModelJson, Says_any_graph) {
  for (std::uint64_t seed = 0; seed < random_graphs_on(current_device()) / 2; ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph graph = RandomGraphMaker(seed).make();
    if (has_lambda(graph.model)) continue;
    graph.options.device = current_device();
    const std::string json = graph.model.to_json();
    Model again = Model::from_json(json);
    EXPECT_EQ(again.to_json(), json);
    EXPECT_EQ(again.weight_names(), graph.model.weight_names());
    EXPECT_EQ(again.input_names(), graph.model.input_names());
    EXPECT_EQ(again.output_names(), graph.model.output_names());
    graph.model.compile(graph.options), again.compile(graph.options);
    EXPECT_EQ(again.explain(RandomGraphMaker::rows), graph.model.explain(RandomGraphMaker::rows));
    for (int step = 0; step < 2; ++step)
      EXPECT_EQ(again.train_on_batch(graph.x, graph.y, graph.weights)["loss"],
                graph.model.train_on_batch(graph.x, graph.y, graph.weights)["loss"]);
    EXPECT_TRUE(same_bits(again.get_weights(), graph.model.get_weights()));
  }
}

TEST(ModelJsonText, Of_a_chain_is_a_chain_with_Keras_names) {
  Sequential model{Dense(4, "relu", {.input_dim = 3}), Dropout(0.5), Dense(2)};
  model.set_name("small"), model.set_dtype(DType::float64);
  const std::string json = model.to_json();
  for (const char* part :
       {"\"class_name\":\"Sequential\"", "\"name\":\"small\"", "\"class_name\":\"Dense\"", "\"units\":4",
        "\"activation\":\"relu\"", "\"kernel_initializer\":\"glorot_uniform\"", "\"kernel_regularizer\":null",
        "\"build_input_shape\":[null,3]", "\"rate\":0.5", "\"dtype\":\"float64\""})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  Model again = Model::from_json(json);
  EXPECT_EQ(again.name(), "small");
  EXPECT_EQ(again.get_weights()[0].dtype(), DType::float64);
  EXPECT_EQ(again.weight_names(), model.weight_names());
  std::ostringstream a, b;
  again.summary(a), model.summary(b);
  EXPECT_EQ(a.str(), b.str());
}

TEST(ModelJsonText, Keeps_what_is_shared_frozen_nested_and_added) {
  const Dense shared(4, "tanh", {.name = "shared"});
  Sequential inner{Dense(4), shared};  // the shared layer within another model
  Symbol a = Input({4}, "a"), b = Input({4}, "b");
  const Symbol x = shared(a), y = inner(shared(b));
  Model model({b, a}, {y, Add()({x, y})}, {.name = "whole"});
  model.add_loss(square(x - y));
  inner.layer(0).set_trainable(false);
  Model again = Model::from_json(model.to_json());
  EXPECT_EQ(again.to_json(), model.to_json());
  EXPECT_EQ(again.weight_names(), model.weight_names());
  EXPECT_EQ(again.count_params(), model.count_params());  // shared still
  EXPECT_EQ(again.input_names(), (std::vector<std::string>{"b", "a"}));
  const CompileOptions options{.optimizer = "sgd", .loss = "mse"};
  again.compile(options), model.compile(options);
  EXPECT_EQ(again.explain(), model.explain());
}

TEST(ModelJsonText, Keeps_names_that_layers_have_from_a_larger_model) {
  Sequential whole{Dense(6, "tanh", {.input_dim = 4}), Dense(5, "tanh"), Dense(4)};
  whole.build({4});
  const Symbol code = Input({6});
  Model part({code}, {whole.layer(2)(whole.layer(1)(code))});
  Model rest({whole.layer(0).output()}, {whole.layer(2).output(0)});  // whose input another graph computes
  for (Model* model : {&part, &rest}) {
    const Model again = Model::from_json(model->to_json());
    EXPECT_EQ(again.weight_names(), model->weight_names());
    EXPECT_EQ(again.input_names(), model->input_names());
    EXPECT_EQ(again.output_names(), model->output_names());
  }
}

TEST(ModelJsonText, Has_layers_of_the_application_through_what_it_registered) {
  class Scaled : public CpuDense {
   public:
    explicit Scaled(int units) : CpuDense(units), units_(units) {}
    std::string type() const override { return "Scaled"; }
    LayerConfig config() const override {
      return {.numbers = {{"units", units_}, {"tenth", 0.1}}, .words = {{"kind", "\"x\""}}};
    }

   private:
    double units_;
  };
  Sequential model{make_layer<Scaled>({.name = "mine", .input_shape = {4}, .trainable = false}, 3), Dense(2)};
  const std::string json = model.to_json();
  expect_error<ValueError>([&] { Model::from_json(json); }, {"Scaled", "register_layer"});
  register_layer("Scaled", [](const LayerConfig& config) {
    EXPECT_EQ(config.number("tenth"), 0.1);
    EXPECT_EQ(config.word("kind"), "\"x\"");
    EXPECT_THROW(config.number("kind"), ValueError);
    return make_layer<Scaled>(static_cast<int>(config.number("units")));
  });
  Model again = Model::from_json(json);
  EXPECT_EQ(again.to_json(), json);
  EXPECT_EQ(again.layer(0).name(), "mine");
  EXPECT_FALSE(again.layer(0).trainable());
  model.compile({.loss = "mse", .device = "cpu"}), again.compile({.loss = "mse", .device = "cpu"});
  EXPECT_TRUE(same_bits(again.get_weights(), model.get_weights()));
}

TEST(ModelJsonText, Is_refused_for_what_only_code_says) {
  Symbol x = Input({3});
  const Model model({x}, {Lambda([](const Symbol& s) { return s * s; }, "squares")(Dense(2)(x))});
  expect_error<ValueError>([&] { model.to_json(); }, {"squares", "Lambda", "Model"});
}

TEST(ModelJsonText, That_says_no_model_is_refused_with_the_reason) {
  const auto chain = [](const std::string& layer) {
    return "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"m\",\"layers\":[" + layer + "]}}";
  };
  const auto refused = [](const std::string& json, const std::vector<std::string>& parts) {
    expect_error<ValueError>([&] { Model::from_json(json); }, parts);
  };
  refused("", {"not JSON"});
  refused("{\"class_name\":", {"not JSON", "byte"});
  refused("[]", {"class_name"});
  refused("{\"class_name\":\"Tree\",\"config\":{}}", {"\"Tree\"", "Sequential"});
  refused(chain("{\"class_name\":\"Dens\",\"config\":{}}"), {"unknown layer \"Dens\"", "\"Dense\""});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{}}"), {"Dense got no units"});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":0}}"), {"0 units"});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":1.5}}"), {"units is 1.5", "whole number"});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":99999999999}}"), {"99999999999"});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":2,\"unit\":2}}"),
          {"\"unit\"", "did you mean \"units\""});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":2,\"activation\":\"relux\"}}"),
          {"\"relux\"", "\"relu\""});
  refused(chain("{\"class_name\":\"Dense\",\"config\":{\"units\":2,\"use_bias\":1}}"),
          {"use_bias is 1", "true or false"});
  refused(chain("{\"class_name\":\"Dropout\",\"config\":{\"rate\":\"much\"}}"), {"rate", "a number"});
  refused(chain("{\"shared_layer\":0}"), {"shared_layer 0"});
  refused(std::string(300, '['), {"levels"});
  refused("{\"a\":" + std::string(1, '\0') + "1}", {"zero byte"});
  const std::string graph =
      "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\",\"layers\":[{\"class_name\":\"InputLayer\","
      "\"config\":"
      "{\"name\":\"x\",\"batch_shape\":[null,3]},\"name\":\"x\",\"inbound_nodes\":[]},{\"class_name\":"
      "\"Flatten\","
      "\"config\":{\"name\":\"y\"},\"name\":\"y\",\"inbound_nodes\":[[[\"IN\",0,0]]]}],\"input_layers\":[["
      "\"x\",0,0]],"
      "\"output_layers\":[[\"OUT\",0,0]]}}";
  const auto with = [&](const std::string& in, const std::string& out) {
    std::string json = graph;
    json.replace(json.find("\"IN\""), 4, in);
    json.replace(json.find("\"OUT\""), 5, out);
    return json;
  };
  EXPECT_EQ(Model::from_json(with("\"x\"", "\"y\"")).layers().size(), 2u);
  refused(with("\"y\"", "\"y\""), {"\"y\"", "gives itself"});
  refused(with("\"z\"", "\"y\""), {"place", "z"});
  refused(with("\"x\"", "\"z\""), {"place", "z"});
  refused(with("7", "\"y\""), {"layer is 7", "a text"});
}

TEST(ModelJsonText, That_was_damaged_anywhere_gives_a_model_or_an_error_of_Glia) {
  RandomGraph graph = RandomGraphMaker(3).make();
  const std::string json = graph.model.to_json();
  Draws draw(1);
  int refused = 0;
  for (int turn = 0; turn < 400; ++turn) {
    std::string damaged = json;
    const auto at = static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(json.size())));
    if (turn % 3 == 0)
      damaged.resize(at);
    else if (turn % 3 == 1)
      damaged[at] = static_cast<char>(draw.below(256));
    else
      damaged.erase(at, static_cast<std::size_t>(draw.below(20)));
    try {
      Model::from_json(damaged);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 130);  // all that were cut short
}

}  // namespace
}  // namespace glia::test
