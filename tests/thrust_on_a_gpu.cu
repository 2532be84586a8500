// glia/thrust.h as nvcc compiles it, run on a GPU: vectors of Thrust in a model's hands, tensors in Thrust's. Without one, a skip.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/thrust.h>
#include <thrust/fill.h>
#include <thrust/reduce.h>
#include <thrust/sequence.h>
#include <thrust/transform.h>

#include <cstdio>
#include <exception>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "thrust_on_a_gpu: not so: %s\n", what);
  ++failures;
}

struct Doubled {
  __host__ __device__ float operator()(float value) const { return 2 * value; }
};

void run(const glia::Context& context) {
  const glia::Device gpu = context.device();
  thrust::device_vector<float> x(6 * 3);
  thrust::sequence(x.begin(), x.end(), -4.0f);
  const glia::MutableTensorView rows = glia::as_view(x, {6, 3});
  expect(rows.device() == gpu && rows.raw() == thrust::raw_pointer_cast(x.data()),
         "a view is of the vector itself");
  expect(glia::as_view(x.cbegin() + 3, x.cend()).size() == 15, "a range is a view");

  glia::Sequential model{glia::Dense(2, "tanh")};
  model.compile({.loss = "mse", .context = context});
  glia::Tensor y = model.predict(rows, {.verbose = 0});
  expect(y.device() == gpu, "what is predicted of a device's memory lies there");
  const glia::Tensor copied = model.predict(glia::Tensor::arange(18).reshape({6, 3}) - 4.0, {.verbose = 0});
  expect(glia::array_equal(y.to("cpu"), copied.to("cpu")), "a vector's rows are predicted as a tensor's");

  thrust::device_vector<float> doubled(12);
  const glia::Tensor& read = y;
  thrust::transform(glia::begin<float>(read), glia::end<float>(read), doubled.begin(), Doubled());
  expect(static_cast<float>(doubled[11]) == 2 * static_cast<float>(y.to("cpu")(5, 1)),
         "Thrust reads a tensor");
  thrust::fill(glia::begin<float>(y), glia::end<float>(y), 0.5f);
  expect(y.to("cpu").sum() == 6, "Thrust writes a tensor");

  const glia::Tensor host = glia::Tensor::zeros({3});
  try {
    glia::begin<float>(host);
    expect(false, "a tensor on the CPU is refused");
  } catch (const glia::DeviceError&) {
  }
}

}  // namespace

int main() {
  try {
    run(glia::Context({.device = "cuda"}));
  } catch (const glia::DeviceError& error) {
    std::printf("SKIPPED: %s\n", error.what());
    return 77;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "thrust_on_a_gpu: %s\n", error.what());
    return 1;
  }
  return failures ? 1 : 0;
}
