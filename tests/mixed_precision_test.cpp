// Models compiled with precision "mixed_bfloat16": their products are those of rounded factors, whatever multiplies them,
// and everything else is float32.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/image_layers.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "tests/bfloat16.h"
#include "tests/close.h"
#include "tests/count_of.h"
#include "tests/double_controls.h"
#include "tests/expect_error.h"

namespace glia::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MixedPrecisionOn : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, MixedPrecisionOn, ::testing::ValuesIn(test_devices()), device_name);

class CudaMixedPrecision : public CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaMixedPrecision, only_cuda(), device_name);

class CudaMixedPrecisionOnTheDouble : public DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaMixedPrecisionOnTheDouble, only_cuda(), device_name);

/// Numbers between -1 and 1 that bfloat16 does not have.
Tensor numbers(const Shape& shape, std::uint64_t seed) {
  Tensor tensor = Tensor::zeros(shape);
  const Philox philox{seed, Purpose::search, 0};
  for (std::int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] = static_cast<float>(philox.word(static_cast<std::uint64_t>(i))) * 0x1p-31f - 1;
  return tensor;
}

void compile_mixed(Sequential& model, const OptimizerName& optimizer = "sgd", int threads = 2) {
  model.compile({.optimizer = optimizer,
                 .loss = "mse",
                 .context = Context({.device = current_device(), .threads = threads}),
                 .precision = "mixed_bfloat16"});
}

/// x (n, k) y (k, m), and the same of transposed factors, in float64.
Tensor product(const Tensor& x, const Tensor& y, bool transpose_x = false, bool transpose_y = false) {
  const std::int64_t n = x.shape()[transpose_x ? 1 : 0], k = x.shape()[transpose_x ? 0 : 1];
  const std::int64_t m = y.shape()[transpose_y ? 0 : 1];
  Tensor out = Tensor::zeros({n, m}, DType::float64);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < m; ++j)
      for (std::int64_t l = 0; l < k; ++l)
        out.data<double>()[i * m + j] +=
            (transpose_x ? x(l, i) : x(i, l)) * (transpose_y ? y(j, l) : y(l, j));
  return out;
}

/// Of sums in float32 in any order.
constexpr Tolerance sums{.relative = 1e-5, .absolute = 1e-5};

TEST_P(MixedPrecisionOn, Dense_multiplies_rounded_factors_and_sums_in_float32) {
  const Tensor x = numbers({37, 53}, 1), y = numbers({37, 3}, 2);
  Sequential model{Dense(29, {.use_bias = false, .input_dim = 53}), Dense(3)};
  compile_mixed(model);
  const Tensor first = numbers({53, 29}, 3), second = numbers({29, 3}, 4), bias = numbers({3}, 5);
  model.set_weights({first, second, bias});

  const Tensor hidden = product(to_bfloat16(x), to_bfloat16(first));
  Tensor out = product(to_bfloat16(hidden.cast(DType::float32)), to_bfloat16(second));
  for (std::int64_t i = 0; i < out.size(); ++i) out.data<double>()[i] += bias(i % 3);
  const Tensor got = model.predict(x, {.verbose = 0});
  // A hidden number's own rounding in float32 may move it across a half of bfloat16's steps: one step of one of 29.
  const Tolerance steps{.relative = 0, .absolute = 0.02};
  EXPECT_TRUE(close(got, out, steps));
  const Tensor unrounded = product(product(x, first), second);
  EXPECT_FALSE(close(got - bias, unrounded, sums)) << "factors are rounded";

  Sequential one{Dense(3, {.input_dim = 29})};
  compile_mixed(one);
  one.set_weights({second, bias});
  const Tensor h = hidden.cast(DType::float32);
  Tensor one_out = product(to_bfloat16(h), to_bfloat16(second));
  for (std::int64_t i = 0; i < one_out.size(); ++i) one_out.data<double>()[i] += bias(i % 3);
  const Tensor one_got = one.predict(h, {.verbose = 0});
  EXPECT_TRUE(close(one_got, one_out, sums));

  const Tensor slope = (one_got - y) * static_cast<float>(2.0 / static_cast<double>(y.size()));
  const Gradients gradients = one.gradients(h, y);
  EXPECT_TRUE(close(gradients.weights[0], product(to_bfloat16(h), to_bfloat16(slope), true), sums));
  Tensor of_bias = Tensor::zeros({3}, DType::float64);
  for (std::int64_t i = 0; i < slope.size(); ++i)
    of_bias.data<double>()[i % 3] += slope.cast(DType::float64).data<double>()[i];
  EXPECT_TRUE(close(gradients.weights[1], of_bias, {.relative = 1e-5, .absolute = 1e-7}))
      << "no product, so not rounded";
}

TEST_P(MixedPrecisionOn, Weights_are_float32_and_small_steps_add_up) {
  Sequential model{Dense(1, {.use_bias = false, .kernel_initializer = "ones", .input_dim = 1})};
  compile_mixed(model, SGD{.learning_rate = 1e-4});
  const Tensor x = Tensor::ones({1, 1}), y = Tensor::zeros({1, 1});
  // 1 - 2e-4 is 1 in bfloat16, so the gradient stays 2 until 1 - 2^-9, half way to the next, is passed.
  for (int step = 1; step <= 9; ++step) {
    model.train_on_batch(x, y);
    EXPECT_NEAR(model.get_weights()[0](0, 0), 1 - 2e-4 * step, 1e-6) << step;
    EXPECT_EQ(model.predict(x, {.verbose = 0})(0, 0), 1);
  }
  model.train_on_batch(x, y);
  EXPECT_EQ(model.predict(x, {.verbose = 0})(0, 0), 1 - 1.0 / 256);
  EXPECT_EQ(model.get_weights()[0].dtype(), DType::float32);
}

TEST_P(MixedPrecisionOn, NaN_and_infinity_pass_and_what_bfloat16_cannot_hold_becomes_infinite) {
  Sequential model{Dense(1, {.use_bias = false, .kernel_initializer = "ones", .input_dim = 1})};
  compile_mixed(model);
  const double infinity = std::numeric_limits<double>::infinity();
  Tensor x({{std::nan("")}, {infinity}, {-infinity}, {3.4e38}, {3.3e38}, {0}});
  const Tensor out = model.predict(x, {.verbose = 0});
  EXPECT_TRUE(std::isnan(out(0, 0)));
  EXPECT_EQ(out(1, 0), infinity);
  EXPECT_EQ(out(2, 0), -infinity);
  EXPECT_EQ(out(3, 0), infinity) << "above bfloat16's largest, 3.39e38";
  EXPECT_NEAR(out(4, 0) / 3.3e38, 1, 1.0 / 256);
  EXPECT_EQ(out(5, 0), 0);
}

/// Whether this processor multiplies bfloat16 and oneDNN may know it.
bool cpu_multiplies_bfloat16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") && !std::getenv("ONEDNN_MAX_CPU_ISA");
#else
  return false;
#endif
}

TEST_P(MixedPrecisionOn, Each_factor_is_rounded_once_a_step) {
  Sequential model{Conv2D(4, 3, {.use_bias = false, .input_shape = {6, 6, 2}}),
                   BatchNormalization(),
                   Activation("relu"),
                   Flatten(),
                   Dense(5, "relu"),
                   Dense(2)};
  compile_mixed(model);
  const std::string train = model.program(Mode::train, 4).explain();
  const std::string infer = model.program(Mode::infer, 4).explain();
  const int kept = count_of("kept as float32", train);
  if (current_device().is_cpu()) {
    const bool multiplies = cpu_multiplies_bfloat16();
    EXPECT_EQ(kept, multiplies ? 0 : 9) << train;
    EXPECT_EQ(count_of("_bf16, ", train) > 0, multiplies) << train;
  }
  if (kept != 0 && kept != 9) GTEST_SKIP() << "this device has algorithms for some products alone\n" << train;
  // Images, what the layers between give, three layers' weights, and the gradients of what those give. The statistics
  // of the batch normalisation, which are written between, lie beside the weights.
  EXPECT_EQ(count_of("Round ", train), 3 + 3 + 3) << train;
  // Three products forward, three of weights' gradients, two of gradients of what lies between layers.
  EXPECT_EQ(count_of("mixed_bfloat16", train), 3 + 3 + 2) << train;
  EXPECT_EQ(count_of("bias gradient", train), 0) << train;
  EXPECT_EQ(count_of("Reduce ", train), 2) << train;
  EXPECT_EQ(count_of("Round ", infer), 3 + 3) << infer;
}

std::vector<Layer> small_network() {
  return {Conv2D(8, 3, {.padding = "same", .use_bias = false, .input_shape = {8, 8, 3}}),
          BatchNormalization(),
          Activation("relu"),
          SeparableConv2D(12, 3, {.strides = 2, .padding = "same", .activation = "gelu"}),
          Conv2DTranspose(6, 3, {.strides = 2, .activation = "relu"}),
          MaxPooling2D(2),
          Conv2D(6, 3, {.groups = 2}),
          Flatten(),
          Dense(16, "tanh"),
          Dense(3, "softmax")};
}

/// Which of three corners of an image is bright, in noise.
Dataset corners(std::int64_t count) {
  Tensor x = numbers({count, 8, 8, 3}, 6), y = Tensor::zeros({count}, DType::int32);
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t corner = n * 7 % 3;
    y.data<std::int32_t>()[n] = static_cast<std::int32_t>(corner);
    for (std::int64_t i = 0; i < 3; ++i)
      for (std::int64_t j = 0; j < 9; ++j)
        x.data<float>()[n * 192 + (corner == 1 ? i + 5 : i) * 24 + (corner == 2 ? j + 15 : j)] += 0.8f;
  }
  return Dataset(std::move(x), std::move(y));
}

std::vector<Tensor> trained(const char* precision, int threads, int epochs = 2, History* history = nullptr) {
  Sequential model(small_network());
  model.compile({.optimizer = Adam{.learning_rate = 0.005},
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = Context({.device = current_device(), .threads = threads}),
                 .precision = precision});
  const History fitted = model.fit(corners(150), {.epochs = epochs, .batch_size = 16, .verbose = 0});
  if (history) *history = fitted;
  return model.get_weights();
}

TEST_P(MixedPrecisionOn, A_network_learns_as_in_float32) {
  History mixed, single;
  const std::vector<Tensor> weights = trained("mixed_bfloat16", 2, 12, &mixed),
                            others = trained("float32", 2, 12, &single);
  EXPECT_GT(mixed["accuracy"].back(), 0.95);
  EXPECT_GT(single["accuracy"].back(), 0.95);
  for (std::size_t epoch = 0; epoch < 12; ++epoch)
    EXPECT_NEAR(mixed["loss"][epoch] / single["loss"][epoch], 1, epoch < 4 ? 0.02 : 0.5) << epoch;
  EXPECT_FALSE(array_equal(weights[0], others[0]));
}

TEST_P(MixedPrecisionOn, The_same_seed_gives_the_same_bits_on_any_number_of_threads) {
  const std::vector<Tensor> once = trained("mixed_bfloat16", 1);
  for (const int threads : {1, 2, 5}) {
    const std::vector<Tensor> again = trained("mixed_bfloat16", threads);
    for (std::size_t i = 0; i < once.size(); ++i)
      EXPECT_TRUE(array_equal(again[i], once[i])) << threads << ' ' << i;
  }
}

TEST_P(MixedPrecisionOn, A_sequence_of_steps_equals_the_same_steps_run_op_by_op) {
  const Dataset set = corners(80);
  const Tensor x = set.x.to(current_device()), y = set.y.cast(DType::float32).to(current_device());
  std::vector<std::vector<Tensor>> results;
  for (const bool eager : {false, true}) {
    Sequential model(small_network());
    model.compile({.optimizer = Muon{},
                   .loss = "sparse_categorical_crossentropy",
                   .context = context(),
                   .precision = Policy("mixed_bfloat16")});
    model.train_on_batch(TensorView(x).rows(0, 16), TensorView(y).rows(0, 16));
    const Program* program = &model.program(Mode::train, 16);
    for (int step = 0; eager && step < 3; ++step) program->run_eagerly();
    if (!eager) program->run(3);
    results.push_back(model.get_weights());
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    EXPECT_TRUE(array_equal(results[1][i], results[0][i])) << i;
    EXPECT_TRUE(std::isfinite(results[0][i].mean())) << i;
  }
}

std::string explained(const char* precision) {
  Sequential model(small_network());
  model.compile({.loss = "sparse_categorical_crossentropy", .device = "cuda", .precision = precision});
  return model.program(Mode::train, 8).explain();
}

/// For how many of the products a GPU has an algorithm is its affair.
TEST_P(CudaMixedPrecision, Cublaslt_and_cudnn_multiply_bfloat16) {
  EXPECT_THAT(explained("float32"), Not(HasSubstr("Round")));
  const std::string text = explained("mixed_bfloat16");
  EXPECT_THAT(text, HasSubstr("Round "));
  if (!on_the_double()) return;
  EXPECT_THAT(text, Not(HasSubstr("kept as float32")));
  EXPECT_THAT(text, Not(HasSubstr("loops")));
}

/// What has no algorithm for bfloat16 multiplies the same rounded numbers in float32.
TEST_P(CudaMixedPrecisionOnTheDouble, What_does_not_multiply_bfloat16_is_given_rounded_float32) {
  const Tensor x = numbers({5, 8, 8, 3}, 8);
  const auto predicted = [&](const char* precision = "mixed_bfloat16") {
    std::vector<Layer> layers = small_network();
    layers.back() = Dense(3);  // logits, which differ more than probabilities
    Sequential model(layers);
    model.compile({.loss = "mse", .device = "cuda", .precision = precision});
    return model.predict(x, {.verbose = 0});
  };
  const Tensor wanted = predicted();
  const auto same = [&](const std::string& what) {
    // cuDNN's result, where it multiplies bfloat16, is rounded too.
    EXPECT_TRUE(close(predicted(), wanted, {.scaled = 0.02})) << what;
  };
  EXPECT_FALSE(close(predicted("float32"), wanted, {.scaled = 1e-4}));

  controls().settings().compute_capability = 75;
  std::string text = explained("mixed_bfloat16");
  EXPECT_EQ(count_of("kept as float32", text), count_of("Round ", text)) << text;
  EXPECT_THAT(text, Not(HasSubstr("loops")));
  same("a GPU without bfloat16");
  controls().settings().compute_capability = 90;

  controls().settings().refuses_products = true;
  text = explained("mixed_bfloat16");
  EXPECT_THAT(text, HasSubstr("kept as float32"));
  EXPECT_THAT(text, HasSubstr("loops"));
  same("no products");
  controls().settings().refuses_products = false;

  controls().settings().refused_convolutions = {"forward"};
  text = explained("mixed_bfloat16");
  EXPECT_THAT(text, HasSubstr("kept as float32"));
  EXPECT_THAT(text, HasSubstr("cuDNN has no algorithm"));
  same("no forward convolution");
  controls().settings().refused_convolutions = {};

  controls().settings().has_cudnn = false;
  same("no cuDNN");
}

TEST_P(CudaMixedPrecisionOnTheDouble,
       What_is_given_rounded_float32_is_multiplied_in_tf32_where_there_is_one) {
  constexpr int compute_32f = 68, compute_32f_fast_tf32 = 77;  // cublasComputeType_t
  controls().settings().refused_computes = {compute_32f};      // of bfloat16 and of float32, but not in TF32
  const std::string text = explained("mixed_bfloat16");
  EXPECT_THAT(text, HasSubstr("kept as float32"));
  EXPECT_THAT(text, Not(HasSubstr("[loops")));
  EXPECT_THAT(explained("float32"), HasSubstr("[loops"));
  controls().settings().refused_computes = {compute_32f_fast_tf32};
  EXPECT_THAT(explained("mixed_bfloat16"), Not(HasSubstr("[loops")));
  controls().settings().compute_capability = 75;
  EXPECT_THAT(explained("mixed_bfloat16"), Not(HasSubstr("[loops")));
}

TEST(MixedPrecision, Is_for_models_of_float32) {
  Sequential model{Dense(1, {.input_dim = 1})};
  model.set_dtype(DType::float64);
  expect_error<ValueError>([&] { model.compile({.loss = "mse", .precision = "mixed_bfloat16"}); },
                           {"mixed_bfloat16", "float64", "leave .precision out"});
  Sequential later{Dense(1, {.input_dim = 1})};
  later.compile({.loss = "mse", .precision = "mixed_bfloat16"});
  expect_error<ValueError>([&] { later.set_dtype(DType::float64); },
                           {"mixed_bfloat16", "float64", "leave .precision out"});
  EXPECT_EQ(later.predict(Tensor::ones({1, 1}), {.verbose = 0}).dtype(), DType::float32);
  expect_error<ValueError>([] { Policy("mixed_float16"); },
                           {"mixed_float16", "did you mean \"mixed_bfloat16\""});
  Sequential other{Dense(1)};
  expect_error<ValueError>([&] { other.set_dtype(DType::bfloat16); }, {"bfloat16", "mixed_bfloat16"});
  expect_error<ValueError>([] { Tensor::zeros({2}, DType::bfloat16); }, {"bfloat16", "mixed_bfloat16"});
  expect_error<ValueError>([] { Tensor::zeros({2}).cast(DType::bfloat16); }, {"bfloat16", "mixed_bfloat16"});
  expect_error<ValueError>([] { TensorView::of(nullptr, {2}, DType::bfloat16); },
                           {"bfloat16", "mixed_bfloat16"});
}

}  // namespace
}  // namespace glia::test
