// What graphs, and calls of models with several inputs and outputs, refuse: each says what and where, and changes nothing.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia::test {
namespace {

TEST(GraphErrors, An_output_that_depends_on_an_input_that_is_not_given) {
  Symbol a = Input({3}, "left"), b = Input({3}, "right");
  Symbol y = Dense(2, {.name = "head"})(add({a, b}));
  expect_error<ValueError>([&] { Model({a}, {y}); }, {"\"head\"", "\"right\"", "not among the inputs"});
}

TEST(GraphErrors, An_input_that_nobody_reads) {
  Symbol a = Input({3}, "left"), b = Input({3}, "right");
  Symbol y = Dense(2)(a);
  expect_error<ValueError>([&] { Model({a, b}, {y}); }, {"no output depends on", "\"right\""});
}

TEST(GraphErrors, An_input_or_an_output_twice_and_none) {
  Symbol a = Input({3}, "left");
  Symbol y = Dense(2, {.name = "head"})(a);
  expect_error<ValueError>([&] { Model({a, a}, {y}); }, {"\"left\"", "an input twice", "0 and 1"});
  expect_error<ValueError>([&] { Model({a}, {y, a, y}); }, {"\"head\"", "an output twice", "0 and 2"});
  expect_error<ValueError>([&] { Model(Symbols{a}, Symbols(std::vector<Symbol>{})); },
                           {"1 inputs and 0 outputs"});
  expect_error<ValueError>([&] { Model(Symbols(std::vector<Symbol>{}), Symbols{y}); },
                           {"0 inputs and 1 outputs"});
}

TEST(GraphErrors, Two_layers_of_one_name) {
  Symbol x = Input({3});
  Symbol y = Dense(2, {.name = "twin"})(Dense(4, {.name = "twin"})(x));
  expect_error<ValueError>([&] { Model({x}, {y}); }, {"two layers are named \"twin\"", "must differ"});
  Symbol a = Input({3}, "x"), b = Input({3}, "x");
  expect_error<ValueError>([&] { Model({a, b}, {add({a, b})}); }, {"two layers are named \"x\""});
  // Within a model of its own a name is another.
  Sequential block{Dense(3, {.name = "twin"})};
  EXPECT_NO_THROW(Model({x}, {Dense(2, {.name = "twin"})(block(x))}));
}

TEST(GraphErrors, Shapes_that_do_not_merge) {
  Symbol three = Input({3}), four = Input({4}), rows = Input({2, 3}), images = Input({4, 4, 1});
  expect_error<ShapeError>([&] { Add("sum")({three, four}); }, {"\"sum\" (Add)", "(3,)", "(4,)"});
  expect_error<ShapeError>([&] { three* four; }, {"Multiply", "(3,)", "(4,)"});
  expect_error<ShapeError>([&] { add({three}); }, {"(Add)", "at least two", "got 1"});
  expect_error<ShapeError>([&] { subtract({three, three, three}); }, {"(Subtract)", "merges two", "got 3"});
  expect_error<ShapeError>([&] { concatenate({three, rows}); }, {"(Concatenate)", "(2, 3)", "(3,)"});
  expect_error<ValueError>([&] { concatenate({three, four}, 0); }, {"axis 0", "counts the rows"});
  expect_error<ValueError>([&] { concatenate({three, four}, 2); }, {"axis 2", "expected 1 to 1"});
  expect_error<ShapeError>([&] { dot({three, four}); }, {"(Dot)", "(3,)", "(4,)", "equally long"});
  expect_error<ShapeError>([&] { matmul(rows, rows); }, {"(2, 3)", "(..., m, k)"});
  expect_error<ValueError>([&] { sum(rows, {0}); }, {"axis 0", "counts the rows"});
  expect_error<ValueError>([&] { sum(rows, {3}); }, {"axis 3"});
  expect_error<ShapeError>([&] { reshape(rows, {4}); }, {"(2, 3)", "(4,)"});
  EXPECT_THROW(transpose(rows, {1, 1}), Error);
  EXPECT_THROW(slice(rows, 2, 2, 2), Error);
  expect_error<ValueError>([&] { rows / 0.0; }, {"divided by 0"});
  expect_error<ShapeError>([&] { Dense(2)({three, four}); }, {"(Dense)", "takes one input, got 2"});
  expect_error<ShapeError>([&] { Conv2D(2, 3)(three); }, {"(3,)"});
}

TEST(GraphErrors, A_layer_that_is_shared_wants_rows_such_as_it_was_built_for) {
  Symbol three = Input({3}), four = Input({4});
  Dense shared(2, {.name = "shared"});
  shared(three);
  expect_error<ShapeError>([&] { shared(four); },
                           {"\"shared\" (Dense)", "kernel", "(3, 2)", "(4,)", "(4, 2)"});
}

TEST(GraphErrors, A_layer_without_a_gradient_behind_one_that_is_trained) {
  Symbol x = Input({3});
  expect_error<ShapeError>([&] { Model({x}, {Embedding(5, 2)(Dense(3)(x))}); },
                           {"(Embedding)", "no gradient"});
}

TEST(GraphErrors, A_model_that_would_contain_itself) {
  Sequential loop{Dense(3)};
  expect_error<StateError>([&] { loop.add(Layer(loop)); }, {"is a layer of another model", "contain itself"});
  Sequential inner{Dense(3)}, outer{Layer(inner)};
  Symbol x = Input({3});
  outer(x);
  expect_error<StateError>([&] { inner.add(Layer(outer)); }, {"contain itself"});
  expect_error<StateError>([&] { inner.pop(); }, {"contain itself"});
  Sequential empty;
  expect_error<StateError>([&] { Layer layer(empty); }, {"no layers"});
}

TEST(GraphErrors, Layers_that_were_applied_nowhere_or_often) {
  Symbol x = Input({3});
  Dense layer(3, {.name = "often"});
  expect_error<StateError>([&] { layer.output(); }, {"applied to no symbol"});
  Symbol once = layer(x), twice = layer(once);
  EXPECT_EQ(layer.output(1), twice);
  expect_error<StateError>([&] { layer.output(); },
                           {"\"often\"", "applied 2 times", "output(0) to output(1)"});
  expect_error<StateError>([&] { layer.input(); }, {"applied 2 times"});
  expect_error<ValueError>([&] { layer.output(2); }, {"application 2", "0 to 1"});
  expect_error<ValueError>([&] { layer.output(-1); }, {"application -1"});
  Add sum("sum");
  Symbol of_both = sum({x, once});
  expect_error<StateError>([&] { sum.input(); }, {"\"sum\"", "2 inputs"});
  Model two({x}, {once, twice});
  expect_error<StateError>([&] { two(x); }, {"2 outputs", "apply()"});
  EXPECT_EQ(Layer(two).apply(x).size(), 2u);
}

class FunctionalErrors : public DeviceTest {
 protected:
  static Model two_heads() {
    Symbol a = Input({3}, "left"), b = Input({2}, "right");
    Symbol y = Dense(4, "tanh")(concatenate({a, b}));
    return Model({a, b}, {Dense(3, "softmax", {.name = "digit"})(y), Dense(1, {.name = "size"})(y)});
  }
  static CompileOptions losses() {
    return {.optimizer = "sgd",
            .loss = {{"digit", "sparse_categorical_crossentropy"}, {"size", "mse"}},
            .device = current_device()};
  }
  Model compiled() {
    Model model = two_heads();
    model.compile(losses());
    return model;
  }
  const Tensor a = Tensor::ones({6, 3}), b = Tensor::ones({6, 2}), digits = Tensor::zeros({6}),
               sizes = Tensor::ones({6, 1});
};

INSTANTIATE_TEST_SUITE_P(Devices, FunctionalErrors, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(FunctionalErrors, Losses_weights_and_metrics_of_unknown_outputs) {
  const auto refuse = [&](const std::function<void(CompileOptions&)>& change,
                          const std::vector<std::string>& parts) {
    Model model = two_heads();
    CompileOptions options = losses();
    change(options);
    expect_error<ValueError>([&] { model.compile(options); }, parts);
    EXPECT_TRUE(model.metrics_names().empty()) << "nothing was compiled";
  };
  refuse([](auto& o) { o.loss = {{"digits", "mse"}}; }, {"digits", "digit", "size"});
  refuse([](auto& o) { o.loss = {{"digit", "mse"}, {"digit", "mae"}}; }, {"two losses", "\"digit\""});
  refuse([](auto& o) { o.loss_weights = {{"sizes", 2}}; }, {"sizes", "loss weight"});
  refuse([](auto& o) { o.loss_weights = {{"size", NAN}}; }, {"\"size\"", "nan"});
  refuse(
      [](auto& o) {
        o.loss = {{"digit", "mse"}}, o.loss_weights = {{"size", 2}};
      },
      {"\"size\"", "has no loss"});
  refuse([](auto& o) { o.metrics = {{"sizes", "mae"}}; }, {"sizes", "digit"});
  refuse([](auto& o) { o.metrics = {"accuracy"}; }, {"\"accuracy\"", "2 outputs", "say which"});
  refuse(
      [](auto& o) {
        o.loss = {{"digit", "mse"}}, o.metrics = {{"size", "mae"}};
      },
      {"\"size\"", "no loss"});
  refuse([](auto& o) { o.loss = {}, o.metrics = {{"size", "mae"}}; }, {"no loss"});
  refuse([](auto& o) { o.metrics = {{"size", {"mae", "mae"}}}; }, {"\"size_mae\"", "twice"});
}

TEST_P(FunctionalErrors, Wrong_numbers_and_names_of_inputs_and_targets) {
  Model model = compiled();
  const std::vector<Tensor> before = model.get_weights();
  const auto refuse = [&](const Tensors& x, const Tensors& y, const std::vector<std::string>& parts) {
    const FitOptions silent{.verbose = 0};
    expect_error<ValueError>([&] { model.fit(x, y, silent); }, parts);
    expect_error<ValueError>([&] { model.evaluate(x, y, {.verbose = 0}); }, parts);
    expect_error<ValueError>([&] { model.train_on_batch(x, y); }, parts);
    expect_error<ValueError>([&] { model.gradients(x, y); }, parts);
    expect_error<ValueError>(
        [&] {
          model.fit({a, b}, {digits, sizes}, {.verbose = 0, .validation_data = {x, y}});
        },
        parts);
  };
  refuse({a}, {digits, sizes}, {"1 inputs, expected 2", "\"left\", \"right\""});
  refuse({a, b, b}, {digits, sizes}, {"3 inputs, expected 2"});
  refuse({{"left", a}}, {digits, sizes}, {"no inputs for \"right\""});
  refuse({{"left", a}, {"rigth", b}}, {digits, sizes}, {"rigth", "right"});
  refuse({{"left", a}, {"left", a}}, {digits, sizes}, {"\"left\" twice"});
  refuse({{"left", a}, b}, {digits, sizes}, {"with and without names"});
  refuse({a, b}, {digits}, {"1 targets, expected 2", "\"digit\", \"size\""});
  refuse({a, b}, {{"digit", digits}, {"sizes", sizes}}, {"sizes", "size"});
  refuse({a, b}, {{"digit", digits}}, {"no targets for \"size\""});
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(array_equal(before[i], model.get_weights()[i]));
  EXPECT_NO_THROW(
      model.fit({{"right", b}, {"left", a}}, {{"size", sizes}, {"digit", digits}}, {.verbose = 0}));
}

TEST_P(FunctionalErrors, Data_of_other_shapes_or_numbers_of_rows) {
  Model model = compiled();
  const Tensor five = Tensor::ones({5, 2}), five_sizes = Tensor::ones({5, 1}), wide = Tensor::ones({6, 4}),
               bad = Tensor::full({6}, 3);
  const auto refuse = [&](const Tensors& x, const Tensors& y, const std::vector<std::string>& parts) {
    expect_error<ShapeError>([&] { model.fit(x, y, {.verbose = 0}); }, parts);
    expect_error<ShapeError>([&] { model.evaluate(x, y, {.verbose = 0}); }, parts);
  };
  refuse({a, five}, {digits, sizes}, {"inputs of 6 and 5 rows"});
  refuse({wide, b}, {digits, sizes}, {"(6, 4)", "\"left\"", "(3,)"});
  refuse({a, b}, {digits, five_sizes}, {"6 rows of x", "(5, 1)", "\"size\""});
  refuse({a, b}, {digits, wide}, {"(6, 4)"});
  expect_error<ValueError>([&] { model.fit({a, b}, {bad, sizes}, {.verbose = 0}); }, {"label 3", "0 to 2"});
  expect_error<ShapeError>([&] { model.predict_all({a, five}, {.verbose = 0}); }, {"inputs of 6 and 5 rows"});
}

TEST_P(FunctionalErrors, Weights_of_rows_and_classes) {
  Model model = compiled();
  const Tensor six = Tensor::ones({6}), five = Tensor::ones({5});
  const auto fit = [&](const FitOptions& options) { model.fit({a, b}, {digits, sizes}, options); };
  expect_error<ValueError>(
      [&] {
        fit({.verbose = 0, .class_weight = {{0, 2.0}}});
      },
      {"class_weight", "2 outputs", "sample_weight"});
  expect_error<ValueError>([&] { fit({.verbose = 0, .sample_weight = six}); },
                           {"1 sample_weight, expected 2"});
  expect_error<ValueError>(
      [&] {
        fit({.verbose = 0, .sample_weight = {{"sizes", six}}});
      },
      {"sizes", "size"});
  expect_error<ShapeError>([&] { fit({.verbose = 0, .sample_weight = {{"size", five}}}); }, {"(5,)", "(6,)"});
  EXPECT_NO_THROW(fit({.verbose = 0, .sample_weight = {{"size", six}}}));
}

TEST_P(FunctionalErrors, Calls_for_models_of_one_output) {
  Model model = compiled();
  expect_error<StateError>([&] { model.predict({a, b}, {.verbose = 0}); }, {"2", "predict_all"});
  expect_error<StateError>([&] { model.predict_on_batch({a, b}); }, {"predict_all"});
  expect_error<ValueError>(
      [&] {
        model.evaluate({a, b}, {digits, sizes}, {.verbose = 0, .flip_average = true});
      },
      {"flip_average", "2 and 2"});
  expect_error<ValueError>([&] { model.layer("hidden"); }, {"hidden", "digit"});
}

TEST_P(FunctionalErrors, A_source_whose_batches_have_another_number_of_inputs) {
  struct Bad final : BatchSource {
    std::int64_t batches() const override { return 2; }
    Dataset batch(std::int64_t, std::int64_t index) override {
      Dataset data;
      data.xs.push_back({"left", Tensor::ones({4, 3})});
      if (index == 0) data.xs.push_back({"right", Tensor::ones({4, 2})});
      data.ys.push_back({"digit", Tensor::zeros({4})});
      data.ys.push_back({"size", Tensor::zeros({4, 1})});
      return data;
    }
  } source;
  Model model = compiled();
  expect_error<ValueError>([&] { model.fit(source, {.verbose = 0}); }, {"no inputs for \"right\""});
  expect_error<ValueError>([&] { model.fit(source, {.verbose = 0, .validation_split = 0.5}); },
                           {"validation_split"});
}

TEST_P(FunctionalErrors, A_build_that_fails_leaves_layers_as_they_were) {
  Symbol x = Input({3});
  Dense shared(4, {.name = "shared"}), fresh(2, {.name = "fresh"});
  Model narrow({x}, {shared(x)});
  narrow.compile({.loss = "mse", .device = current_device()});
  narrow.count_params();
  Model wide({x}, {fresh(shared(x))});
  wide.set_dtype(DType::float64);
  expect_error<ValueError>([&] { wide.count_params(); }, {"float64", "float32", "set_dtype"});
  EXPECT_FALSE(wide.built());
  wide.set_dtype(DType::float32);
  EXPECT_EQ(wide.count_params(), 26);
  EXPECT_EQ(fresh.get_weights()[0].dtype(), DType::float32);
}

TEST(GraphErrors, Splits_of_data_for_several_inputs) {
  Dataset data;
  data.xs.push_back({"a", Tensor::ones({4, 2})});
  expect_error<ValueError>([&] { train_test_split(data, {}); }, {"1 xs", "x and y alone"});
}

}  // namespace
}  // namespace glia::test
