// Programs: how many Ops, what was fused, where temporaries lie, and that a step allocates nothing and waits
// for nothing.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <execinfo.h>
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "host/program/placement.h"
#include "tests/counted_new.h"
#include "tests/devices.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<long> own_allocations{0}, library_allocations{0};

/// oneDNN builds a small table of arguments on the heap in every call; what counts is what Glia itself does.
bool called_by_onednn() {
  void* frames[12];
  const int depth = backtrace(frames, 12);
  for (int i = 0; i < depth; ++i) {
    Dl_info info{};
    if (dladdr(frames[i], &info) && info.dli_fname && std::strstr(info.dli_fname, "libdnnl")) return true;
  }
  return false;
}

}  // namespace

void glia::test::note_new(void*, std::size_t) {
  if (!counting.exchange(false)) return;  // off while backtrace itself allocates
  ++(called_by_onednn() ? library_allocations : own_allocations);
  counting = true;
}
void glia::test::note_delete(void*, std::size_t) {}

namespace glia {
namespace {

class ProgramOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ProgramOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

/// Where steps read it, so that a feed over it outlives the call that made it.
Tensor resident(const Tensor& tensor) { return tensor.to(test::current_device()); }

Sequential fashion_model() {
  Sequential model{Flatten({28, 28}), Dense(128, "relu"), Dense(10, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = test::current_device()});
  return model;
}

template <class Kind>
int count_of(const Program& program) {
  int count = 0;
  for (const Descriptor& descriptor : program.descriptors())
    count += std::holds_alternative<Kind>(descriptor);
  return count;
}

TEST_P(ProgramOn, A_training_step_of_784_128_10_is_eight_ops) {
  Sequential model = fashion_model();
  const Program& program = model.program(Mode::train, 32);
  EXPECT_EQ(program.size(), 8u);
  EXPECT_EQ(count_of<op::Gather>(program), 1);
  EXPECT_EQ(count_of<op::Matmul>(program), 5);
  EXPECT_EQ(count_of<op::Loss>(program), 1);
  EXPECT_EQ(count_of<op::Optimize>(program), 1);
  EXPECT_EQ(model.program(Mode::validate, 32).size(), 5u);
  EXPECT_EQ(model.program(Mode::infer, 32).size(), 6u);
}

TEST(Program, Activations_are_fused_into_products_and_softmax_into_the_loss) {
  Sequential model = fashion_model();
  const Program& program = model.program(Mode::train, 32);
  EXPECT_EQ(count_of<op::Map>(program) + count_of<op::MapGradient>(program), 0);
  EXPECT_EQ(count_of<op::SoftmaxRows>(program) + count_of<op::SoftmaxGradient>(program), 0);
  const std::string text = program.explain();
  EXPECT_NE(text.find("(32, 784) x (784, 128) + bias, relu"), std::string::npos) << text;
  EXPECT_NE(text.find("gradient of relu"), std::string::npos) << text;
  EXPECT_NE(text.find("sparse_categorical_crossentropy of logits"), std::string::npos) << text;
  EXPECT_NE(text.find("bias gradient"), std::string::npos) << text;
}

TEST_P(ProgramOn, An_activation_layer_compiles_to_the_same_program_as_an_activation_argument) {
  Sequential one{Dense(16, "sigmoid", {.input_dim = 7}), Dense(1, "sigmoid")};
  Sequential two{Dense(16, {.input_dim = 7}), Activation("sigmoid"), Dense(1), Activation("sigmoid")};
  for (Sequential* model : {&one, &two})
    model->compile({.loss = "binary_crossentropy", .metrics = "accuracy", .device = test::current_device()});
  EXPECT_EQ(one.explain(5), two.explain(5));
  EXPECT_NE(one.explain(5).find("binary_crossentropy of logits"), std::string::npos);
}

TEST_P(ProgramOn, What_cannot_be_fused_stays_and_agrees_with_what_can) {
  // mean_squared_error on a softmax: the softmax and its gradient are Ops of their own.
  Sequential model{Dense(5, "softmax", {.input_dim = 3})};
  model.compile({.loss = "mse", .device = test::current_device()});
  const Program& program = model.program(Mode::train, 4);
  EXPECT_EQ(count_of<op::SoftmaxRows>(program), 1);
  EXPECT_EQ(count_of<op::SoftmaxGradient>(program), 1);
}

TEST_P(ProgramOn, Fused_and_unfused_crossentropy_give_the_same_loss_and_gradients) {
  const Tensor x = Tensor::arange(6 * 3).reshape({6, 3}) * 0.1;
  const Tensor y(std::vector<std::int64_t>{0, 1, 2, 3, 4, 0});
  Sequential fused{Dense(5, "softmax", {.input_dim = 3})};
  // A linear layer between softmax and loss, the identity, keeps them apart.
  Sequential apart{Dense(5, "softmax", {.input_dim = 3}),
                   Dense(5, {.use_bias = false, .kernel_initializer = "zeros"})};
  for (Sequential* model : {&fused, &apart})
    model->compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
  std::vector<Tensor> weights = fused.get_weights();
  Tensor identity = Tensor::zeros({5, 5});
  for (int i = 0; i < 5; ++i) identity.set({i, i}, 1);
  weights.push_back(std::move(identity));
  apart.set_weights(weights);
  const Gradients a = fused.gradients(x, y), b = apart.gradients(x, y);
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  EXPECT_TRUE(all_close(a.weights[0], b.weights[0], 1e-4, 1e-6));
  EXPECT_TRUE(all_close(a.weights[1], b.weights[1], 1e-4, 1e-6));
}

/// Loss as evaluate gives it, against the mean over rows of -sum(y log p) of what predict gives.
TEST_P(ProgramOn, A_reshape_between_activation_and_loss_keeps_the_losss_rows) {
  const std::int64_t rows = 40, positions = 5, units = 3;
  const Tensor x = Tensor::arange(rows * positions * 4).reshape({rows, positions, 4}) * 0.001;
  Tensor y = Tensor::zeros({rows, positions * units});
  for (std::int64_t r = 0; r < rows; ++r) y.set({r, r % (positions * units)}, 1);
  for (const char* activation : {"softmax", "sigmoid"}) {
    for (const char* loss : {"categorical_crossentropy", "binary_crossentropy"}) {
      SCOPED_TRACE(std::string(activation) + ", " + loss);
      Sequential model{Dense(3, activation, {.input_shape = {positions, 4}}), Flatten()};
      model.compile({.loss = loss, .device = test::current_device()});
      const Tensor p = model(x);
      double expected = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0, categorical = 0, binary = 0;
        for (std::int64_t c = 0; c < positions * units; ++c) sum += p(r, c);
        for (std::int64_t c = 0; c < positions * units; ++c) {
          categorical -= y(r, c) * std::log(p(r, c) / sum);
          binary -= y(r, c) * std::log(p(r, c)) + (1 - y(r, c)) * std::log(1 - p(r, c));
        }
        expected += (std::string(loss)[0] == 'c' ? categorical : binary / (positions * units)) / rows;
      }
      EXPECT_NEAR(model.evaluate(x, y, {.verbose = 0})["loss"], expected, 1e-5 * expected);
      EXPECT_NEAR(model.gradients(x, y).loss, expected, 1e-5 * expected);
    }
  }
}

TEST(Placement, Temporaries_that_live_together_do_not_overlap_and_others_share) {
  std::vector<Descriptor> chain;
  std::vector<View> views;
  for (int i = 0; i < 6; ++i) {
    View view = View::contiguous(Buffer::arena, DType::float32, {1000 + 64 * i});
    view.temporary = i;
    views.push_back(view);
  }
  for (int i = 0; i + 1 < 6; ++i) chain.push_back(op::Map{Relu{}, views[i], views[i + 1]});
  const std::int64_t bytes = place(chain);
  std::int64_t sum = 0;
  for (const View& view : views) sum += align_up(view.bytes());
  EXPECT_LT(bytes, sum);
  EXPECT_GE(bytes, align_up(views[5].bytes()) + align_up(views[4].bytes()));
  for (const Descriptor& descriptor : chain) {
    const auto& map = std::get<op::Map>(descriptor);
    EXPECT_EQ(map.in.offset % tensor_alignment, 0);
    EXPECT_TRUE(map.in.offset + map.in.bytes() <= map.out.offset ||
                map.out.offset + map.out.bytes() <= map.in.offset);
  }
}

TEST_P(ProgramOn, A_step_allocates_nothing_and_never_synchronises) {
  Sequential model = fashion_model();
  const Tensor x = resident(Tensor::zeros({96, 28, 28})), y = resident(Tensor::zeros({96}));
  model.fit(x, y, {.epochs = 1, .batch_size = 32, .verbose = 0});
  Backend& backend = model.context().backend();
  for (const Mode mode : {Mode::train, Mode::validate}) {
    // Leaves a feed over x and y, with the cursor at row 32.
    const TensorView first_x = TensorView(x).rows(0, 32), first_y = TensorView(y).rows(0, 32);
    if (mode == Mode::train)
      model.train_on_batch(first_x, first_y);
    else
      model.evaluate(first_x, first_y, {.verbose = 0});
    const Program& program = model.program(mode, 32);
    const BackendCounters before = backend.counters();
    own_allocations = library_allocations = 0;
    counting = true;
    program.run_eagerly();
    counting = false;
    // The double of CUDA keeps its queue on the heap.
    if (test::current_device().is_cpu()) {
      EXPECT_EQ(own_allocations.load(), 0);
    }
    EXPECT_EQ(backend.counters().allocations, before.allocations);
    EXPECT_EQ(backend.counters().synchronizations, before.synchronizations);
    backend.synchronize();  // x and y go before the model
  }
}

TEST(Program, The_counting_allocator_counts) {
  own_allocations = 0;
  counting = true;
  ::operator delete(::operator new(1));  // an expression with new and delete might be left out
  counting = false;
  EXPECT_EQ(own_allocations.load(), 1);
}

TEST_P(ProgramOn, A_sequence_of_steps_equals_the_same_steps_run_op_by_op) {
  const Tensor x = Tensor::arange(70 * 6).reshape({70, 6}) * 0.01;
  Tensor y = Tensor::zeros({70});
  for (int i = 0; i < 70; ++i) y.set({i}, i % 3);
  const Tensor resident_x = resident(x), resident_y = resident(y);
  std::vector<std::vector<Tensor>> results;
  for (const bool eager : {false, true}) {
    Sequential model{Dense(9, "tanh", {.input_dim = 6}), Dense(3, "softmax")};
    model.compile(
        {.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .device = test::current_device()});
    model.fit(x, y, {.epochs = 1, .batch_size = 10, .verbose = 0, .shuffle = false});
    // Leaves a feed over x and y, with the cursor at row 10.
    model.train_on_batch(TensorView(resident_x).rows(0, 10), TensorView(resident_y).rows(0, 10));
    const Program& program = model.program(Mode::train, 10);
    const std::int64_t before = model.iterations();
    if (eager)
      for (int i = 0; i < 3; ++i) program.run_eagerly();
    else
      program.run(3);
    EXPECT_EQ(model.iterations(), before + 3);
    results.push_back(model.get_weights());
  }
  for (std::size_t w = 0; w < results[0].size(); ++w) EXPECT_TRUE(array_equal(results[0][w], results[1][w]));
}

TEST_P(ProgramOn, Old_programs_leave_the_cache_and_come_back) {
  Sequential model{Dense(2, {.input_dim = 3})};
  for (int rows = 1; rows <= 40; ++rows) {
    const Tensor out = model.predict(Tensor::ones({rows, 3}));
    EXPECT_EQ(out.shape(), (Shape{rows, 2}));
  }
  EXPECT_EQ(model.predict(Tensor::ones({1, 3})).shape(), (Shape{1, 2}));
}

}  // namespace
}  // namespace glia
