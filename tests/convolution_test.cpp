// Convolutions are the sums of products that define them, exactly where arithmetic is exact; and models of layers for
// images give the same bits on any number of threads, captured or not.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/image_layers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "tests/bfloat16.h"
#include "tests/close.h"
#include "tests/devices.h"

namespace glia::test {
namespace {

/// Whole numbers in [-most, most], the same with every compiler.
Tensor whole_numbers(const Shape& shape, std::int64_t most, std::uint64_t seed) {
  Tensor tensor = Tensor::zeros(shape, DType::float64);
  const Philox philox{seed, Purpose::search, 0};
  for (std::int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<double>()[i] =
        static_cast<double>(philox.word(static_cast<std::uint64_t>(i)) % (2 * most + 1)) -
        static_cast<double>(most);
  return tensor;
}

/// Where a convolution's window lies, by definition: what "same" padding lacks is shared out, the odd one last.
struct Axis {
  std::int64_t in, out, before, kernel, stride, dilation;

  Axis(std::int64_t in, int kernel, int stride, int dilation, bool same)
      : in(in), kernel(kernel), stride(stride), dilation(dilation) {
    const std::int64_t span = (std::int64_t{kernel} - 1) * dilation + 1;
    out = same ? (in + stride - 1) / stride : (in - span) / stride + 1;
    before = same ? std::max<std::int64_t>((out - 1) * stride + span - in, 0) / 2 : 0;
  }

  /// Where tap `k` of output `o` reads; outside [0, in) is padding.
  std::int64_t at(std::int64_t o, std::int64_t k) const { return o * stride + k * dilation - before; }
};

struct ConvolutionCase {
  std::string name;
  Shape image;
  int filters;
  Size2D kernel;
  Size2D strides = 1;
  std::string padding = "valid";
  Size2D dilation = 1;
  int groups = 1;

  Conv2DOptions options() const {
    return {.strides = strides, .padding = padding, .dilation_rate = dilation, .groups = groups};
  }
  Axis rows() const { return {image[0], kernel.height, strides.height, dilation.height, padding == "same"}; }
  Axis columns() const { return {image[1], kernel.width, strides.width, dilation.width, padding == "same"}; }
  Shape kernel_shape() const { return {kernel.height, kernel.width, image[2] / groups, filters}; }
  Shape output() const { return {rows().out, columns().out, filters}; }

  /// Calls f(i, k, o) for each product of image element i and kernel element k that output element o sums.
  template <class F>
  void for_each_product(std::int64_t images, F&& f) const {
    const Axis rows = this->rows(), columns = this->columns();
    const std::int64_t channels = image[2] / groups, run = filters / groups;
    for (std::int64_t o = 0; o < images * output().elements(); ++o) {
      const std::int64_t filter = o % filters, column = o / filters % columns.out;
      const std::int64_t row = o / filters / columns.out % rows.out, n = o / output().elements();
      for (std::int64_t tap = 0; tap < rows.kernel * columns.kernel; ++tap) {
        const std::int64_t i = rows.at(row, tap / columns.kernel),
                           j = columns.at(column, tap % columns.kernel);
        if (i < 0 || i >= rows.in || j < 0 || j >= columns.in) continue;
        const std::int64_t pixel = (n * rows.in + i) * columns.in + j;
        for (std::int64_t c = 0; c < channels; ++c)
          f(pixel * image[2] + filter / run * channels + c, (tap * channels + c) * filters + filter, o);
      }
    }
  }

  friend std::ostream& operator<<(std::ostream& out, const ConvolutionCase& one) { return out << one.name; }
};

/// Outputs of 2^k elements an image, so that the mean's gradient is exact.
std::vector<ConvolutionCase> convolution_cases() {
  return {
      {"one_pixel", {1, 1, 1}, 1, 1},
      {"pointwise", {4, 4, 5}, 8, 1},
      {"pointwise_by_2", {7, 8, 3}, 4, 1, 2},
      {"valid", {6, 10, 3}, 4, 3},
      {"same", {8, 4, 3}, 2, 3, 1, "same"},
      {"same_even_kernel", {4, 8, 2}, 4, {2, 4}, 1, "same"},
      {"same_by_2_of_even_size", {8, 8, 3}, 4, 3, 2, "same"},
      {"same_by_2_of_odd_size", {7, 15, 3}, 4, 3, 2, "same"},
      {"same_by_3", {6, 10, 2}, 2, 2, 3, "same"},
      {"strides_above_kernel", {7, 7, 2}, 4, {1, 2}, {2, 5}},
      {"kernel_above_image", {2, 4, 2}, 4, {5, 7}, 1, "same"},
      {"dilated", {8, 8, 2}, 4, 3, 1, "valid", {2, 3}},
      {"same_dilated", {8, 4, 2}, 2, {2, 3}, 1, "same", {3, 2}},
      {"two_groups", {4, 4, 6}, 8, 3, 1, "same", 1, 2},
      {"depthwise", {4, 4, 8}, 8, 3, 1, "same", 1, 8},
      {"depthwise_by_2_of_2", {8, 8, 4}, 8, 3, 2, "same", 1, 4},
      {"many_channels", {8, 8, 33}, 64, 3, 1, "same"},
  };
}

/// A run of the models below in one dtype, or in float32 with factors of bfloat16.
struct Computation {
  Run run;
  bool mixed = false;

  friend std::ostream& operator<<(std::ostream& out, const Computation& one) {
    return one.mixed ? out << label(one.run.device) << "_mixed" : out << one.run;
  }
};

std::vector<Computation> computations() {
  std::vector<Computation> all;
  for (const Run& run : test_runs()) all.push_back({run});
  for (const Device& device : test_devices()) all.push_back({{device, DType::float32}, true});
  return all;
}

class ConvolutionOn : public OnDevice,
                      public ::testing::WithParamInterface<std::tuple<ConvolutionCase, Computation>> {
 protected:
  const ConvolutionCase& one() const { return std::get<0>(GetParam()); }
  const Computation& computation() const { return std::get<1>(GetParam()); }
  void SetUp() override { start(computation().run.device); }

  Sequential model(const std::vector<Layer>& layers, const Shape& row) {
    Sequential model(layers);
    model.set_dtype(computation().run.dtype);
    model.compile({.loss = "mse",
                   .context = context(),
                   .precision = computation().mixed ? "mixed_bfloat16" : "float32"});
    model.build(row);
    rounds_results_ = computation().mixed && !computation().run.device.is_cpu() &&
                      model.program(Mode::gradient, 1).explain().find("kept as float32") == std::string::npos;
    return model;
  }

  /// What a product reads of a tensor.
  Tensor factor(const Tensor& tensor) const {
    return computation().mixed ? to_bfloat16(tensor) : tensor.clone();
  }
  /// What a convolution gives of a sum: cuDNN's results are of the type of the factors, if it has algorithms for them.
  Tensor result(const Tensor& sums) const { return rounds_results_ ? factor(sums) : sums.clone(); }

 private:
  bool rounds_results_ = false;
};

INSTANTIATE_TEST_SUITE_P(Windows, ConvolutionOn,
                         ::testing::Combine(::testing::ValuesIn(convolution_cases()),
                                            ::testing::ValuesIn(computations())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" +
                                  ::testing::PrintToString(std::get<1>(info.param));
                         });

/// Of whole numbers, so that every dtype on every device gives the same: float32 holds sums below 2^24.
TEST_P(ConvolutionOn, Is_the_sum_of_the_products_under_its_window) {
  const Tensor kernel = whole_numbers(one().kernel_shape(), 3, 1),
               bias = whole_numbers({one().filters}, 50, 2);
  Sequential model = this->model({Conv2D(one().filters, one().kernel, one().options())}, one().image);
  model.set_weights({kernel, bias});
  for (const std::int64_t images : {1, 2, 7}) {
    const Tensor x = whole_numbers(one().image.prepend(images), 7, 3);
    Tensor expected = Tensor::zeros(one().output().prepend(images), DType::float64);
    double* out = expected.data<double>();
    const double *in = x.data<double>(), *k = kernel.data<double>();
    one().for_each_product(images, [=](auto i, auto w, auto o) { out[o] += in[i] * k[w]; });
    expected = result(expected) + bias;
    const Tensor got = model(x);
    EXPECT_TRUE(array_equal(got.cast(DType::float64), expected)) << images << " images";
  }
}

/// The kernel before the convolution has the gradient of the convolution's input in its own.
TEST_P(ConvolutionOn, Has_gradients_that_are_sums_of_the_same_products) {
  const std::int64_t channels = one().image[2];
  const Tensor first = whole_numbers({1, 1, 1, channels}, 2, 4);
  const Tensor kernel = whole_numbers(one().kernel_shape(), 2, 5),
               bias = whole_numbers({one().filters}, 5, 6);
  Sequential model = this->model({Conv2D(static_cast<int>(channels), 1, {.use_bias = false}),
                                  Conv2D(one().filters, one().kernel, one().options())},
                                 {one().image[0], one().image[1], 1});
  model.set_weights({first, kernel, bias});
  for (const std::int64_t images : {1, 2, 8}) {
    const Tensor x = whole_numbers({images, one().image[0], one().image[1], 1}, 1, 7);
    Tensor hidden = Tensor::zeros(one().image.prepend(images), DType::float64);
    for (std::int64_t i = 0; i < hidden.size(); ++i)
      hidden.data<double>()[i] = x.data<double>()[i / channels] * first.data<double>()[i % channels];
    Tensor z = Tensor::zeros(one().output().prepend(images), DType::float64);
    double* const sums = z.data<double>();
    const double *h = hidden.data<double>(), *k = kernel.data<double>();
    one().for_each_product(images, [=](auto i, auto w, auto o) { sums[o] += h[i] * k[w]; });
    const Tensor y = whole_numbers(z.shape(), 9, 8);
    const Tensor slope = (result(z) + bias - y) * (2.0 / static_cast<double>(z.size()));
    const Tensor slope_factor = factor(slope);
    const double* const dz = slope_factor.data<double>();

    std::vector<Tensor> expected;
    for (const Tensor* weight : {&first, &kernel, &bias})
      expected.push_back(Tensor::zeros(weight->shape(), DType::float64));
    Tensor input_gradient = Tensor::zeros(hidden.shape(), DType::float64);
    double *dx = input_gradient.data<double>(), *dk = expected[1].data<double>();
    one().for_each_product(images, [=](auto i, auto w, auto o) {
      dk[w] += h[i] * dz[o];
      dx[i] += k[w] * dz[o];
    });
    for (std::int64_t o = 0; o < slope.size(); ++o)
      expected[2].data<double>()[o % one().filters] += slope.data<double>()[o];
    const Tensor input_slope = factor(result(input_gradient));
    for (std::int64_t i = 0; i < hidden.size(); ++i)
      expected[0].data<double>()[i % channels] +=
          x.data<double>()[i / channels] * input_slope.data<double>()[i];
    for (int i : {0, 1})
      expected[static_cast<std::size_t>(i)] = result(expected[static_cast<std::size_t>(i)]);

    const Gradients got = model.gradients(x, y);
    ASSERT_EQ(got.weights.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(array_equal(got.weights[i].cast(DType::float64), expected[i]))
          << "weight " << i << ", " << images
          << " images: " << close(got.weights[i], expected[i], {}).message();
  }
}

// models of layers for images

class ImagesOn : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ImagesOn, ::testing::ValuesIn(test_devices()), device_name);

constexpr std::int64_t rows = 75;
const Shape image = {9, 8, 3};

Dataset images() {
  Tensor x = whole_numbers(image.prepend(rows), 100, 9).cast(DType::float32) * 0.013;
  Tensor y = Tensor::zeros({rows}, DType::int64);
  for (std::int64_t r = 0; r < rows; ++r) y.set({r}, static_cast<double>(r * 7 % 5));
  return Dataset(x.cast(DType::float32), std::move(y));
}

/// Every kind of layer for images.
std::vector<Layer> all_kinds() {
  const std::vector<Layer> main{SeparableConv2D(12, 3, {.strides = 2, .padding = "same"}),
                                BatchNormalization(), Activation("tanh")};
  return {
      ZeroPadding2D({1, 0, 0, 1}),
      Conv2D(16, 3, {.padding = "same", .use_bias = false}),
      BatchNormalization(),
      ReLU(),
      SpatialDropout2D(0.2),
      Residual(main, {.shortcut = {AveragePooling2D(2, {.padding = "same"}), Conv2D(12, 1)}}),
      UpSampling2D(2, {.interpolation = "bilinear"}),
      Conv2D(8, 3, {.groups = 4, .activation = "gelu"}),
      MaxPooling2D(3, {.strides = 2}),
      Conv2DTranspose(6, 3, {.strides = 2, .activation = "relu"}),
      DepthwiseConv2D(2, {.depth_multiplier = 2, .activation = "tanh"}),
      Cropping2D({0, 1}),
      Residual({GlobalMaxPooling2D({.keepdims = true}), UpSampling2D({6, 4})},
               {.shortcut = {Activation("silu")}}),
      Reshape({8, 36}),
      Conv1D(7, 3, {.padding = "same", .activation = "tanh"}),
      Reshape({8, 7, 1}),
      Conv2D(5, 7, {.padding = "same"}),
      GlobalAveragePooling2D(),
      Dense(5, "softmax"),
  };
}

Sequential fresh_model(int threads, std::uint64_t seed = 1) {
  Sequential model(all_kinds());
  model.set_seed(seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = Context({.device = current_device(), .threads = threads})});
  return model;
}

std::vector<Tensor> trained(int threads, const FitOptions& options, std::uint64_t seed = 1) {
  Sequential model = fresh_model(threads, seed);
  const History history = model.fit(images(), options);
  EXPECT_TRUE(std::isfinite(history["loss"].back()));
  std::vector<Tensor> result = model.get_weights();
  result.push_back(model.predict(images().x, {.batch_size = 16, .verbose = 0}));
  return result;
}

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                      const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(array_equal(got[i], expected[i])) << what << ", " << i;
}

TEST_P(ImagesOn, One_two_and_five_threads_give_the_same_bits) {
  for (const std::int64_t batch : {16, 67}) {
    const FitOptions options{.epochs = 2, .batch_size = batch, .verbose = 0};
    const std::vector<Tensor> one = trained(1, options);
    expect_same_bits(trained(1, options), one, "again");
    if (current_device().is_cpu())
      for (const int threads : {2, 5})
        expect_same_bits(trained(threads, options), one, std::to_string(threads));
    EXPECT_FALSE(array_equal(trained(1, options, 2)[0], one[0])) << "another seed";
  }
}

TEST_P(ImagesOn, A_sequence_of_steps_equals_the_same_steps_run_op_by_op) {
  const Dataset set = images();
  const Tensor x = set.x.to(current_device()), y = set.y.cast(DType::float32).to(current_device());
  std::vector<std::vector<Tensor>> results;
  for (const bool eager : {false, true}) {
    Sequential model = fresh_model(2);
    // Leaves a feed over x and y, with the cursor at row 15.
    model.train_on_batch(TensorView(x).rows(0, 15), TensorView(y).rows(0, 15));
    const std::int64_t before = model.iterations();
    const Program* program = &model.program(Mode::train, 15);
    for (int step = 0; eager && step < 4; ++step) program->run_eagerly();
    if (!eager) program->run(4);
    EXPECT_EQ(model.iterations(), before + 4);
    results.push_back(model.get_weights());
  }
  expect_same_bits(results[1], results[0], "eager");
}

TEST_P(ImagesOn, Streamed_images_give_the_bits_of_resident_ones) {
  const FitOptions resident{.epochs = 1, .batch_size = 16, .verbose = 0};
  FitOptions streamed = resident;
  streamed.memory_budget = 1;
  expect_same_bits(trained(2, streamed), trained(2, resident), "batch by batch");
}

TEST_P(ImagesOn, An_image_does_not_see_its_neighbours_and_a_NaN_stays_in_its_own) {
  Sequential model = fresh_model(2);
  model.build(image);
  const Dataset set = images();
  const Tensor before = model.predict(set.x.rows(0, 16), {.batch_size = 16, .verbose = 0});
  Tensor others = set.x.rows(30, 46).clone();
  for (std::int64_t i = 0; i < image.elements(); ++i)  // image 5 as it was
    others.data<float>()[5 * image.elements() + i] = set.x.data<float>()[5 * image.elements() + i];
  others.set({4, 3, 3, 1}, std::numeric_limits<double>::quiet_NaN());
  const Tensor after = model.predict(others, {.batch_size = 16, .verbose = 0});
  for (std::int64_t r = 0; r < 16; ++r) {
    EXPECT_EQ(array_equal(after.row(r), before.row(r)), r == 5) << r;
    EXPECT_EQ(std::isnan(after(r, 0)), r == 4) << r;
  }
}

}  // namespace
}  // namespace glia::test
