// Layers and losses as an application writes them, for tests. Their bodies for CUDA compute on the host, by those for the CPU: copies
// to page-locked memory, a function of the host and copies back, all on the stream that a body is given. So they are captured
// and replayed like kernels, on the double and on a GPU, without nvcc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_layer.h>
#include <glia/custom_loss.h>

#include <cmath>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/double_library.h"  // defines: backend_library

namespace glia::test {

/// The few functions of the CUDA runtime that these bodies call, as the double has them or the runtime's shared library, so that a
/// test needs no header of CUDA: enumerators and errors are ints. Null where there is no such library.
struct ApplicationRuntime {
  using CopyAsync = int(void* to, const void* from, std::size_t bytes, int kind, void* stream);
  using LaunchHost = int(void* stream, void (*function)(void*), void* data);
  using MallocHost = int(void** address, std::size_t bytes);
  using FreeHost = int(void* address);
  using Synchronize = int(void* stream);
  static constexpr int to_device = 1, to_host = 2;  // of cudaMemcpyKind

  CopyAsync* copy;
  LaunchHost* launch_host;
  MallocHost* malloc_host;
  FreeHost* free_host;
  Synchronize* synchronize;

  static const ApplicationRuntime* get() {
    static const std::unique_ptr<const ApplicationRuntime> found = find();
    return found.get();
  }

 private:
  static std::unique_ptr<const ApplicationRuntime> find() {
    std::vector<void*> libraries{backend_library()};
    for (const char* name : {static_cast<const char*>(std::getenv("GLIA_CUDA_RUNTIME")), "libcudart.so.13",
                             "libcudart.so.12", "libcudart.so"})
      if (name) libraries.push_back(dlopen(name, RTLD_NOW | RTLD_LOCAL));
    for (void* library : libraries) {
      const auto function = [&](const char* name) { return library ? dlsym(library, name) : nullptr; };
      if (!function("cudaLaunchHostFunc")) continue;
      return std::make_unique<const ApplicationRuntime>(
          ApplicationRuntime{reinterpret_cast<CopyAsync*>(function("cudaMemcpyAsync")),
                             reinterpret_cast<LaunchHost*>(function("cudaLaunchHostFunc")),
                             reinterpret_cast<MallocHost*>(function("cudaMallocHost")),
                             reinterpret_cast<FreeHost*>(function("cudaFreeHost")),
                             reinterpret_cast<Synchronize*>(function("cudaStreamSynchronize"))});
    }
    return nullptr;
  }
};

/// As an application checks its calls.
inline void expect_success(int error, const char* call) {
  GLIA_CHECK(error == 0, DeviceError, call, " failed with error ", error);
}

/// Page-locked memory of the application, taken before a capture, in which it must not be.
class HostRoom {
 public:
  explicit HostRoom(std::size_t bytes) : bytes_(bytes) {
    void* data = nullptr;
    expect_success(ApplicationRuntime::get()->malloc_host(&data, bytes), "cudaMallocHost");
    data_ = static_cast<std::byte*>(data);
    current() = this;
  }
  ~HostRoom() {
    current() = nullptr;
    static_cast<void>(ApplicationRuntime::get()->free_host(data_));
  }
  HostRoom(const HostRoom&) = delete;
  HostRoom& operator=(const HostRoom&) = delete;

  /// The one of the test that runs.
  static HostRoom*& current() {
    static HostRoom* room = nullptr;
    return room;
  }
  void* take(std::size_t bytes) {
    void* const at = data_ + used_;
    used_ += (bytes + 255) / 256 * 256;
    GLIA_CHECK(used_ <= bytes_, OutOfMemoryError, "the test's page-locked memory is used up");
    return at;
  }
  /// What host functions of graphs read, for as long as they may run.
  template <class T>
  T& keep(T value) {
    auto kept = std::make_shared<T>(std::move(value));
    kept_.push_back(kept);
    return *kept;
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_, used_ = 0;
  std::list<std::shared_ptr<void>> kept_;
};

class SerialThreads final : public CustomThreads {
 public:
  void run(std::int64_t count, void (*task)(const void*, std::int64_t), const void* data) const override {
    for (std::int64_t i = 0; i < count; ++i) task(data, i);
  }
};

/// What a call on a GPU is on the host.
struct CallOnHost {
  op::Custom descriptor;
  std::vector<CustomMemory> memory;
  std::shared_ptr<const CustomBody> body;
};

/// Enqueues a call's copies to the host, the CPU body there, and the copies of what it wrote.
inline void run_on_host(const CustomCall& call) {
  const ApplicationRuntime& cuda = *ApplicationRuntime::get();
  HostRoom& room = *HostRoom::current();
  CallOnHost& on_host = room.keep(CallOnHost{call.descriptor, {}, call.descriptor.body->shared_from_this()});
  const auto bytes = [&](int i) { return static_cast<std::size_t>(call.descriptor.list[i].view.bytes()); };
  const auto reads = [&](int i) {
    return on_host.descriptor.access(call.descriptor.list[i].role) == Access::read;
  };
  for (int i = 0; i < call.descriptor.count; ++i) {
    CustomMemory memory = call.memory[i];
    if (memory.data) memory.data = room.take(bytes(i));
    on_host.memory.push_back(memory);
    if (memory.data && reads(i))
      expect_success(
          cuda.copy(memory.data, call.memory[i].data, bytes(i), ApplicationRuntime::to_host, call.stream),
          "cudaMemcpyAsync");
  }
  const auto run = [](void* data) {
    const auto& one = *static_cast<const CallOnHost*>(data);
    const SerialThreads threads;
    one.body->run(Device::cpu(), {one.descriptor, one.memory.data(), nullptr, &threads});
  };
  expect_success(cuda.launch_host(call.stream, run, &on_host), "cudaLaunchHostFunc");
  for (int i = 0; i < call.descriptor.count; ++i) {
    const void* const written = on_host.memory[static_cast<std::size_t>(i)].data;
    if (written && !reads(i))
      expect_success(
          cuda.copy(call.memory[i].data, written, bytes(i), ApplicationRuntime::to_device, call.stream),
          "cudaMemcpyAsync");
  }
}

/// A layer with bodies for the CPU, and with those for CUDA.
template <class Own>
class WithCuda : public Own {
 public:
  using Own::backward;
  using Own::forward;
  using Own::Own;
  void forward(const CudaForward& call) const { run_on_host(call.raw()); }
  void backward(const CudaBackward& call) const { run_on_host(call.raw()); }
};
template <class Own>
class LossWithCuda : public Own {
 public:
  using Own::loss;
  using Own::Own;
  void loss(const CudaLoss& call) const { run_on_host(call.raw()); }
};

/// y = x kernel + bias, as Glia's.
class CpuDense : public CustomLayer {
 public:
  explicit CpuDense(int units) : units_(units) {}
  std::string type() const override { return "OwnDense"; }
  std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
    GLIA_CHECK(inputs.size() == 1 && inputs[0].rank() == 1, ShapeError, "OwnDense takes vectors");
    return {{units_}};
  }
  std::vector<CustomVariable> variables(const std::vector<Shape>& inputs) const override {
    return {{"kernel", {inputs[0][0], units_}, "glorot_uniform", "l2"}, {"bias", {units_}, "zeros"}};
  }
  BackwardNeeds backward_needs() const override { return {.outputs = false}; }

  template <class T>
  void forward(const CpuForward<T>& call) const {
    const auto x = call.input();
    const auto kernel = call.variable(0), bias = call.variable(1);
    const auto y = call.output();
    const std::int64_t in = x.shape[1], out = y.shape[1];
    call.parallel_for(x.shape[0], [&](std::int64_t row) {
      for (std::int64_t j = 0; j < out; ++j) {
        T sum = bias[j];
        for (std::int64_t i = 0; i < in; ++i) sum += x[row * in + i] * kernel[i * out + j];
        y[row * out + j] = sum;
      }
    });
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    const auto x = call.input(), kernel = call.variable(0), dy = call.output_gradient();
    const auto dx = call.input_gradient(), dkernel = call.variable_gradient(0),
               dbias = call.variable_gradient(1);
    const std::int64_t rows = x.shape[0], in = x.shape[1], out = dy.shape[1];
    call.parallel_for(dx ? rows : 0, [&](std::int64_t row) {
      for (std::int64_t i = 0; i < in; ++i) {
        T sum = 0;
        for (std::int64_t j = 0; j < out; ++j) sum += dy[row * out + j] * kernel[i * out + j];
        dx[row * in + i] = sum;
      }
    });
    for (std::int64_t j = 0; j < out && dbias; ++j) {
      T sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += dy[row * out + j];
      dbias[j] = sum;
    }
    call.parallel_for(dkernel ? in : 0, [&](std::int64_t i) {
      for (std::int64_t j = 0; j < out; ++j) {
        T sum = 0;
        for (std::int64_t row = 0; row < rows; ++row) sum += x[row * in + i] * dy[row * out + j];
        dkernel[i * out + j] = sum;
      }
    });
  }

 private:
  std::int64_t units_;
};
using OwnDense = WithCuda<CpuDense>;

/// max(x, 0). Backward it reads its output alone.
class CpuRelu : public CustomLayer {
 public:
  std::string type() const override { return "OwnRelu"; }
  BackwardNeeds backward_needs() const override { return {.inputs = false}; }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    const auto x = call.input();
    const auto y = call.output();
    for (std::int64_t i = 0; i < x.size(); ++i) y[i] = x[i] > 0 ? x[i] : T(0);
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    const auto y = call.output(), dy = call.output_gradient();
    const auto dx = call.input_gradient();
    for (std::int64_t i = 0; i < dx.size(); ++i) dx[i] = y[i] > 0 ? dy[i] : T(0);
  }
};
using OwnRelu = WithCuda<CpuRelu>;

/// Of a and b: a s and a + b, s = sigmoid(slope b) saved, worked out in scratch; the slopes (features,) are learned.
class CpuGate : public CustomLayer {
 public:
  std::string type() const override { return "OwnGate"; }
  std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const override {
    GLIA_CHECK(inputs.size() == 2 && inputs[0] == inputs[1] && inputs[0].rank() >= 1, ShapeError,
               "OwnGate takes two inputs alike");
    return inputs;
  }
  std::vector<CustomVariable> variables(const std::vector<Shape>& inputs) const override {
    return {{"slope", {inputs[0].back()}, "ones"}, {"unused", {3}, "ones", "none", "none", false}};
  }
  std::vector<Shape> saved(const std::vector<Shape>& batches) const override { return {batches[0]}; }
  std::vector<Shape> scratch(const std::vector<Shape>& batches) const override { return {batches[0], {1}}; }
  BackwardNeeds backward_needs() const override { return {.outputs = false}; }

  template <class T>
  void forward(const CpuForward<T>& call) const {
    const auto a = call.input(0), b = call.input(1), slope = call.variable(0);
    const auto product = call.output(0), sum = call.output(1), s = call.saved(), scaled = call.scratch();
    const std::int64_t features = slope.size();
    for (std::int64_t i = 0; i < a.size(); ++i) scaled[i] = slope[i % features] * b[i];
    for (std::int64_t i = 0; i < a.size(); ++i) {
      s[i] = 1 / (1 + std::exp(-scaled[i]));
      product[i] = a[i] * s[i], sum[i] = a[i] + b[i];
    }
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    const auto a = call.input(0), b = call.input(1), slope = call.variable(0), s = call.saved();
    const auto dproduct = call.output_gradient(0), dsum = call.output_gradient(1);
    const auto da = call.input_gradient(0), db = call.input_gradient(1), dslope = call.variable_gradient(0);
    const std::int64_t features = slope.size();
    for (std::int64_t j = 0; j < dslope.size(); ++j) dslope[j] = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      const T d = dproduct ? dproduct[i] : T(0), added = dsum ? dsum[i] : T(0);
      const T scaled = d * a[i] * s[i] * (1 - s[i]);
      if (da) da[i] = d * s[i] + added;
      if (db) db[i] = scaled * slope[i % features] + added;
      if (dslope) dslope[i % features] += scaled * b[i];
    }
  }
};
using OwnGate = WithCuda<CpuGate>;

/// The mean over a row of (p - y)^2.
class CpuMse : public CustomLoss {
 public:
  std::string type() const override { return "own_mse"; }
  template <class T>
  void loss(const CpuLoss<T>& call) const {
    const auto p = call.predictions(), y = call.targets();
    const auto losses = call.losses(), gradient = call.gradient();
    const std::int64_t rows = p.shape[0], columns = p.size() / rows;
    for (std::int64_t row = 0; row < rows; ++row) {
      T sum = 0;
      for (std::int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        const T error = p[i] - y[i];
        sum += error * error;
        if (gradient) gradient[i] = 2 * error / static_cast<T>(columns * rows);
      }
      losses[row] = sum / static_cast<T>(columns);
    }
  }
};
using OwnMse = LossWithCuda<CpuMse>;

/// -log softmax(p) of the label, with room to work in.
class CpuCrossentropy : public CustomLoss {
 public:
  std::string type() const override { return "own_crossentropy"; }
  Targets targets() const override { return Targets::sparse_labels; }
  std::vector<Shape> scratch(const Shape& predictions) const override { return {predictions}; }
  template <class T>
  void loss(const CpuLoss<T>& call) const {
    const auto z = call.predictions();
    const auto labels = call.labels();
    const auto losses = call.losses(), gradient = call.gradient(), e = call.scratch();
    const std::int64_t rows = z.shape[0], n = z.shape[1];
    for (std::int64_t row = 0; row < rows; ++row) {
      T sum = 0;
      for (std::int64_t i = row * n; i < (row + 1) * n; ++i) sum += e[i] = std::exp(z[i]);
      losses[row] = std::log(sum) - z[row * n + labels[row]];
      for (std::int64_t i = 0; i < n && gradient; ++i)
        gradient[row * n + i] =
            (e[row * n + i] / sum - (labels[row] == i ? T(1) : T(0))) / static_cast<T>(rows);
    }
  }
};
using OwnCrossentropy = LossWithCuda<CpuCrossentropy>;

/// A suite over devices whose layers have a body for each.
class CustomTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped() || GetParam().is_cpu()) return;
    if (!ApplicationRuntime::get()) GTEST_SKIP() << "needs the CUDA runtime that an application has";
    room_ = std::make_unique<HostRoom>(std::size_t{16} << 20);
  }
  void TearDown() override {
    if (room_) context().backend().synchronize();
    room_.reset();
    DeviceTest::TearDown();
  }

 private:
  std::unique_ptr<HostRoom> room_;
};

}  // namespace glia::test
