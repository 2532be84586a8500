// Layers of an application's own: they train as Glia's do, and are named, frozen, copied, shared and kept like them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/custom_bodies.h"
#include "tests/devices.h"  // CMake looks for it: cases of devices
#include "tests/expect_error.h"
#include "tests/slopes.h"  // defines: Draws
#include "tests/temporary_folder.h"

namespace glia::test {
namespace {

class CustomLayers : public CustomTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CustomLayers, ::testing::ValuesIn(test_devices()), device_name);

/// 53 rows of five numbers, and a smooth function of them.
Dataset data() {
  Draws draws(3);
  Dataset set(draws.tensor({53, 5}).cast(DType::float32), Tensor::zeros({53, 2}));
  for (std::int64_t row = 0; row < 53; ++row) {
    set.y.set({row, 0}, set.x.at({row, 0}) * set.x.at({row, 1}));
    set.y.set({row, 1}, set.x.at({row, 2}) - 0.5 * set.x.at({row, 3}));
  }
  return set;
}

CompileOptions options() { return {.optimizer = "adam", .loss = "mse", .device = current_device()}; }

void expect_close(const TensorList& got, const TensorList& expected, double relative, double absolute) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(all_close(got[i], expected[i], relative, absolute)) << "weight " << i;
}
void expect_equal(const TensorList& got, const TensorList& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(array_equal(got[i], expected[i])) << "weight " << i;
}

TEST_P(CustomLayers, Train_as_a_dense_layer_of_Glias_does) {
  const Dataset set = data();
  Sequential own{make_layer<OwnDense>(7), Activation("tanh"), make_layer<OwnDense>(2)};
  Sequential built_in{Dense(7, "tanh", {.kernel_regularizer = "l2"}), Dense(2, {.kernel_regularizer = "l2"})};
  for (Sequential* model : {&own, &built_in}) {
    model->set_seed(5);
    model->compile(options());
  }
  const History mine = own.fit(set, {.epochs = 6, .batch_size = 8, .verbose = 0, .validation_split = 0.2});
  const History theirs =
      built_in.fit(set, {.epochs = 6, .batch_size = 8, .verbose = 0, .validation_split = 0.2});
  EXPECT_LT(mine["loss"].back(), 0.9 * mine["loss"].front());
  for (std::size_t epoch = 0; epoch < 6; ++epoch)
    for (const char* name : {"loss", "val_loss"})
      EXPECT_NEAR(mine[name][epoch], theirs[name][epoch], 1e-4 * theirs[name][epoch]) << name << ' ' << epoch;
  expect_close(own.get_weights(), built_in.get_weights(), 1e-3, 1e-4);
  EXPECT_TRUE(all_close(own.predict(set.x), built_in.predict(set.x), 1e-3, 1e-4));
}

TEST_P(CustomLayers, Have_the_bits_of_Glias_where_the_arithmetic_is_the_same) {
  const Dataset set = data();
  Sequential own{Dense(9), make_layer<OwnRelu>(), Dense(2)}, built_in{Dense(9), ReLU(), Dense(2)};
  for (Sequential* model : {&own, &built_in}) {
    model->compile(options());
    model->fit(set, {.epochs = 3, .batch_size = 10, .verbose = 0});
  }
  if (current_device().is_cpu())
    expect_equal(own.get_weights(), built_in.get_weights());
  else  // where cuBLASLt sums a bias gradient along with the ReLU's
    expect_close(own.get_weights(), built_in.get_weights(), 1e-4, 1e-6);
}

TEST_P(CustomLayers, A_captured_step_equals_one_that_is_run_op_by_op) {
  const Dataset set = data();
  const Tensor x = set.x.to(current_device()), y = set.y.to(current_device());
  std::vector<TensorList> results;
  for (const bool eager : {false, true}) {
    Sequential model{make_layer<OwnDense>(6), make_layer<OwnRelu>(), Dense(2)};
    model.compile(options());
    model.train_on_batch(TensorView(x).rows(0, 10), TensorView(y).rows(0, 10));
    const Program& program = model.program(Mode::train, 10);
    for (int step = 0; eager && step < 3; ++step) program.run_eagerly();
    if (!eager) program.run(3);
    EXPECT_EQ(model.iterations(), 4);
    results.push_back(model.get_weights());
  }
  expect_equal(results[1], results[0]);
}

TEST_P(CustomLayers, Repeat_their_bits_for_any_number_of_threads) {
  if (!current_device().is_cpu()) GTEST_SKIP() << "threads are the CPU's";
  const Dataset set = data();
  std::vector<TensorList> results;
  for (const int threads : {1, 3}) {
    Sequential model{make_layer<OwnDense>(6), make_layer<OwnRelu>(), Dense(2)};
    CompileOptions compile = options();
    compile.context = Context({.device = "cpu", .threads = threads});
    model.compile(compile);
    model.fit(set, {.epochs = 3, .verbose = 0});
    results.push_back(model.get_weights());
  }
  expect_equal(results[1], results[0]);
}

/// Two inputs through one gate, applied twice with the same slopes.
Model gated(const Layer& gate) {
  const Symbol a = Input({4}, "a"), b = Input({4}, "b");
  const std::vector<Symbol> first = gate.apply({a, b});
  const std::vector<Symbol> second = gate.apply({first[1], first[0]});
  return Model({a, b}, {Dense(1, {.name = "end"})(second[0] + second[1])});
}

TEST_P(CustomLayers, May_have_several_inputs_and_outputs_and_be_applied_twice) {
  Layer gate = make_layer<OwnGate>({.name = "gate"});
  Model model = gated(gate);
  model.compile(options());
  Draws draws(4);
  const Tensor a = draws.tensor({6, 4}).cast(DType::float32), b = draws.tensor({6, 4}).cast(DType::float32);
  const Tensor y = draws.tensor({6, 1}).cast(DType::float32);
  const Gradients got = model.gradients({a, b}, y);
  // The slope in each weight of the shared layer: by both applications.
  std::vector<Tensor> weights = gate.get_weights();
  for (std::int64_t i = 0; i < 4; ++i) {
    const double here = weights[0].data<float>()[i], step = 0x1p-6;
    double losses[2];
    for (const int side : {0, 1}) {
      weights[0].data<float>()[i] = static_cast<float>(here + (side == 0 ? step : -step));
      gate.set_weights(weights);
      losses[side] = model.evaluate({a, b}, y, {.verbose = 0})["loss"];
    }
    weights[0].data<float>()[i] = static_cast<float>(here);
    EXPECT_NEAR(got.weights[0].at({i}), (losses[0] - losses[1]) / (2 * step), 2e-3) << i;
  }
  gate.set_weights(weights);
  EXPECT_EQ(model.weight_names()[0], "gate/slope");
  EXPECT_EQ(model.weight_names()[1], "gate/unused");
  const double before = model.evaluate({a, b}, y, {.verbose = 0})["loss"];
  model.fit({a, b}, y, {.epochs = 40, .batch_size = 6, .verbose = 0});
  EXPECT_LT(model.evaluate({a, b}, y, {.verbose = 0})["loss"], 0.9 * before);
  EXPECT_TRUE(array_equal(gate.get_weights()[1], weights[1]));  // is not trained
}

TEST_P(CustomLayers, May_have_an_output_that_nothing_depends_on) {
  const Symbol a = Input({4}), b = Input({4});
  const Symbol x = Dense(4)(a);
  Model model({a, b}, {make_layer<OwnGate>().apply({x, b})[0]});
  model.compile(options());
  Draws draws(4);
  const Tensor both = draws.tensor({6, 4}).cast(DType::float32);
  const std::vector<double> losses =
      model.fit({both, both}, both * 0.25, {.epochs = 30, .batch_size = 3, .verbose = 0})["loss"];
  EXPECT_LT(losses.back(), 0.85 * losses.front());
}

TEST_P(CustomLayers, That_are_frozen_keep_their_weights_and_pass_the_gradient_on) {
  const Dataset set = data();
  const Layer middle = make_layer<OwnDense>({.name = "middle", .trainable = false}, 6);
  Sequential model{Dense(6), middle, Dense(2)};
  model.compile(options());
  model.build({5});
  const TensorList before = model.get_weights();
  model.fit(set, {.epochs = 2, .verbose = 0});
  const TensorList after = model.get_weights();
  for (const std::size_t i : {2, 3}) EXPECT_TRUE(array_equal(after[i], before[i]));
  for (const std::size_t i : {0, 4}) EXPECT_FALSE(array_equal(after[i], before[i]));
}

TEST_P(CustomLayers, Are_copied_saved_and_loaded_with_their_model) {
  const Dataset set = data();
  const testing::TemporaryFolder folder;
  Sequential model{make_layer<OwnDense>({.name = "own"}, 6), make_layer<OwnRelu>(), Dense(2)};
  model.compile(options());
  model.fit(set, {.epochs = 1, .verbose = 0});
  const std::string path = folder / "weights";
  model.save_weights(path);

  Model copy = clone_model(model);
  copy.compile(options());
  copy.predict(set.x);  // builds
  EXPECT_FALSE(array_equal(copy.get_weights()[0], model.get_weights()[0]));
  copy.load_weights(path);
  expect_equal(copy.get_weights(), model.get_weights());
  EXPECT_TRUE(array_equal(copy.predict(set.x), model.predict(set.x)));
  EXPECT_EQ(copy.weight_names(), model.weight_names());
  EXPECT_EQ(copy.weight_names()[0], "own/kernel");
  const TensorList before = model.get_weights();
  copy.fit(set, {.epochs = 1, .verbose = 0});  // it has weights of its own
  expect_equal(model.get_weights(), before);
  EXPECT_FALSE(array_equal(copy.get_weights()[0], before[0]));
}

/// Twice its input where it does not train.
struct Told : CustomLayer {
  std::string type() const override { return "Told"; }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    for (std::int64_t i = 0; i < call.output().size(); ++i)
      call.output()[i] = call.input()[i] * (call.training() ? 1 : 2);
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    for (std::int64_t i = 0; i < call.input_gradient().size(); ++i)
      call.input_gradient()[i] = call.output_gradient()[i] * (call.training() ? 1 : 2);
  }
};

TEST_P(CustomLayers, Are_told_whether_the_step_trains) {
  const Dataset set = data();
  Layer told = make_layer<WithCuda<Told>>();
  Sequential model{Dense(2), told};
  model.compile(options());
  model.build({5});
  const double twice = model.evaluate(set, {.batch_size = 53, .verbose = 0})["loss"];
  const Gradients once = model.gradients(set.x, set.y);
  EXPECT_NE(once.loss, twice);
  Sequential plain{Dense(2)};
  plain.compile(options());
  plain.build({5});
  plain.set_weights(model.get_weights());
  EXPECT_TRUE(all_close(once.weights[0], plain.gradients(set.x, set.y).weights[0], 1e-5, 1e-7));
  told.set_trainable(false);
  model.compile(options());
  EXPECT_NEAR(model.gradients(set.x, set.y).loss, twice, 1e-6 * twice);
}

/// Calls until Failing's forward body throws.
int calls_left;

struct Failing : CpuRelu {
  std::string type() const override { return "Failing"; }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    if (calls_left-- == 0) throw std::runtime_error("the application's own words");
    CpuRelu::forward(call);
  }
  void forward(const CudaForward& call) const {
    if (calls_left-- == 0) throw std::runtime_error("the application's own words");
    run_on_host(call.raw());
  }
  using CpuRelu::backward;
  void backward(const CudaBackward& call) const { run_on_host(call.raw()); }
};

TEST_P(CustomLayers, Whose_body_throws_leave_the_model_usable) {
  const Dataset set = data();
  Sequential model{Dense(6), make_layer<Failing>(), Dense(2)};
  model.compile(options());
  model.build({5});
  const TensorList before = model.get_weights();
  // On a GPU the first call is the last before the step's graph has it; on the CPU the third step throws.
  calls_left = current_device().is_cpu() ? 2 : 0;
  try {
    model.fit(set, {.epochs = 1, .batch_size = 10, .verbose = 0, .shuffle = false});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the application's own words");
  }
  EXPECT_EQ(model.iterations(), current_device().is_cpu() ? 2 : 0);
  calls_left = 1 << 20;
  EXPECT_EQ(model.predict(set.x).shape(), (Shape{53, 2}));
  const std::vector<double> losses = model.fit(set, {.epochs = 5, .batch_size = 10, .verbose = 0})["loss"];
  EXPECT_LT(losses.back(), losses.front());

  // As one that never failed trains: what was broken off left nothing behind.
  Sequential other{Dense(6), make_layer<Failing>(), Dense(2)};
  for (Sequential* one : {&model, &other}) {
    one->compile(options());
    if (!one->built()) one->build({5});
    one->set_weights(before);
    one->fit(set, {.epochs = 2, .batch_size = 10, .verbose = 0, .shuffle = false});
  }
  expect_equal(model.get_weights(), other.get_weights());
}

TEST(CustomLayer, Shares_its_work_out_and_gathers_what_tasks_throw) {
  static std::int64_t fails_from;
  struct Parallel : CustomLayer {
    std::string type() const override { return "Parallel"; }
    void forward(const CpuForward<float>& call) const {
      const auto x = call.input();
      const auto y = call.output();
      call.parallel_for(x.size(), [&](std::int64_t i) {
        if (i >= fails_from) throw std::out_of_range(std::to_string(i));
        call.parallel_for(2, [&](std::int64_t part) {  // within a task, on its thread
          if (part == 1) y[i] = 3 * x[i];
        });
      });
    }
  };
  Sequential model{make_layer<Parallel>({.input_shape = {7}})};
  model.compile({.context = Context({.device = "cpu", .threads = 3})});
  const Tensor x = Tensor::arange(70).reshape({10, 7});
  fails_from = 1 << 20;
  EXPECT_TRUE(array_equal(model.predict(x), x * 3));
  fails_from = 11;
  for (int again = 0; again < 20; ++again) {
    try {
      model.predict(x);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "11");
    }
  }
  fails_from = 1 << 20;
  EXPECT_TRUE(array_equal(model.predict(x), x * 3));
}

TEST(CustomLayer, Is_named_and_listed_like_any_other) {
  Sequential model{make_layer<CpuDense>(3), make_layer<CpuRelu>(), make_layer<CpuDense>({.name = "last"}, 2)};
  model.compile({.loss = "mse", .device = "cpu"});
  model.build({4});
  std::ostringstream summary;
  model.summary(summary);
  for (const char* part : {"own_dense (OwnDense)", "own_relu (OwnRelu)", "last (OwnDense)", "15", "8", "23"})
    EXPECT_NE(summary.str().find(part), std::string::npos) << part << " in\n" << summary.str();
  EXPECT_EQ(model.layer("last").type(), "OwnDense");
  EXPECT_EQ(model.layer("last").count_params(), 8);
  const std::string text = model.explain(8);
  for (const char* part : {"Custom", "layer \"last\" (OwnDense), forward", "backward", "the application's"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

}  // namespace
}  // namespace glia::test
