// The CUDA backend: the parts of cuda/ behind glia's interface, and the graphs that a step is captured in.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/backend.h>
#include <cuda/check.h>
#include <cuda/kernels.h>
#include <cuda/lost.h>
#include <cuda/prepare.h>
#include <cuda/transfer.h>
#include <glia/version.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace glia::cuda {
namespace {

/// Steps in the larger graph: enough that launching it costs nothing beside running it.
constexpr std::int64_t steps_in_graph = 16;

class CudaSequence final : public Sequence {
 public:
  CudaSequence(Gpu& gpu, std::vector<std::unique_ptr<Op>> ops)
      : Sequence(std::move(ops)), gpu_(gpu), one_(captured(1)) {}

  void run(std::int64_t times) override {
    const CurrentDevice current(gpu_.index());
    if (gpu_.application_captures()) {  // the steps become part of its graph
      for (; times > 0; --times) Sequence::run_one_by_one();
      return;
    }
    if (times >= steps_in_graph && !many_) many_ = captured(steps_in_graph);
    for (; times >= steps_in_graph; times -= steps_in_graph) GLIA_CUDA(cudaGraphLaunch(many_, gpu_.stream()));
    for (; times > 0; --times) GLIA_CUDA(cudaGraphLaunch(one_, gpu_.stream()));
  }
  void run_one_by_one() override {
    const CurrentDevice current(gpu_.index());
    Sequence::run_one_by_one();
  }

 private:
  ExecutableGraph captured(std::int64_t times) {
    Gpu::Recording recording(gpu_);
    for (; times > 0; --times) Sequence::run_one_by_one();
    const Graph graph = recording.finish();
    ExecutableGraph executable;
    GLIA_CUDA(cudaGraphInstantiate(executable.made_here(), graph, 0));
    return executable;
  }

  Gpu& gpu_;
  ExecutableGraph one_, many_;
};

/// "13.0" of 13000.
std::string version_in_words(int version) {
  return std::to_string(version / 1000) + '.' + std::to_string(version % 1000 / 10);
}

std::string cublaslt_version() {
  const std::size_t version = cublasLtGetVersion();  // major * 10000 + minor * 100 + patch
  return detail::concat(version / 10000, '.', version / 100 % 100, '.', version % 100);
}

std::string device_in_words(int index) {
  cudaDeviceProp properties;
  GLIA_CUDA(cudaGetDeviceProperties(&properties, index));
  return detail::concat(properties.name, ", sm_", properties.major, properties.minor, ", ",
                        properties.multiProcessorCount, " multiprocessors, ", properties.totalGlobalMem >> 20,
                        " MiB");
}

int driver_version() {
  int version = 0;
  GLIA_CUDA(cudaDriverGetVersion(&version));
  return version;
}

int runtime_version() {
  int version = 0;
  GLIA_CUDA(cudaRuntimeGetVersion(&version));
  return version;
}

/// Throws where the device cannot run this library's kernels.
void expect_kernel_image(int index) {
  const CurrentDevice current(index);
  cudaFuncAttributes attributes;
  GLIA_CUDA(cudaFuncGetAttributes(&attributes, elementary_kernels(op::Begin{}, {}, 1).front().function));
}

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const ContextOptions& options)
      : gpu_(options),
        lt_(gpu_, options.propagate_nan),
        cudnn_(gpu_, {options.deterministic, options.propagate_nan}),
        transfer_(gpu_) {}

  Device device() const override { return Device::cuda(gpu_.index()); }
  int threads() const override { return 1; }
  std::vector<std::pair<std::string, std::string>> versions() const override {
    const CurrentDevice current(gpu_.index());
    std::vector<std::pair<std::string, std::string>> all{
        {"glia", version},
        {"CUDA runtime", version_in_words(runtime_version())},
        {"CUDA driver", version_in_words(driver_version())},
        {"cuBLASLt", cublaslt_version()},
        {"GPU", device_in_words(gpu_.index())}};
    if (const std::string cudnn = cudnn_.version(); !cudnn.empty()) all.push_back({"cuDNN", cudnn});
    return all;
  }

  std::unique_ptr<Memory> allocate(std::size_t bytes, MemoryUse use) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("memory was asked for");
    return gpu_.allocate(bytes, use);
  }
  MemoryReport memory() const override {
    const CurrentDevice current(gpu_.index());
    return gpu_.memory();
  }
  void upload(void* to, const void* from, std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("data were sent");
    transfer_.upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("results were read");
    transfer_.download(to, from, bytes);
  }
  void clear(void* at, std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    if (bytes > 0) GLIA_CUDA(cudaMemsetAsync(at, 0, bytes, gpu_.stream()));
  }
  void synchronize() override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("work was waited for");
    gpu_.wait();
  }
  void wait_for(void* event) override {
    const CurrentDevice current(gpu_.index());
    GLIA_CUDA(cudaStreamWaitEvent(gpu_.stream(), static_cast<cudaEvent_t>(event), cudaEventWaitDefault));
  }
  void record(void* event) override {
    const CurrentDevice current(gpu_.index());
    GLIA_CUDA(cudaEventRecord(static_cast<cudaEvent_t>(event), gpu_.stream()));
  }
  void trim() override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("memory was given back");
    gpu_.trim();
  }
  std::unique_ptr<Reader> reader(std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("a model was prepared");
    return make_reader(gpu_, bytes);
  }
  std::unique_ptr<Staging> staging(std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("a model was prepared");
    return make_staging(gpu_, bytes);
  }

  bool multiplies_bfloat16(const Descriptor& product) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("a model was prepared");
    return cuda::multiplies_bfloat16(gpu_, lt_, cudnn_, product);
  }
  std::unique_ptr<Sequence> prepare(const std::vector<Descriptor>& descriptors,
                                    const Bindings& bindings) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("a model was prepared");
    return std::make_unique<CudaSequence>(gpu_, prepare_ops(gpu_, lt_, cudnn_, descriptors, bindings));
  }

  BackendCounters counters() const override { return gpu_.counters(); }

 private:
  Gpu gpu_;
  CublasLt lt_;
  Cudnn cudnn_;
  Transfer transfer_;
};

/// Why cudaGetDeviceCount found nothing, in the user's words.
std::string reason_of(cudaError_t error) {
  if (error == cudaErrorNoDevice) return "there is no CUDA device";
  if (error != cudaErrorInsufficientDriver) return "CUDA cannot start: " + in_words(error);
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "there is no NVIDIA driver";
  return detail::concat("the NVIDIA driver is too old: it serves CUDA ", version_in_words(driver),
                        ", this build needs ", version_in_words(CUDART_VERSION), "; update the driver");
}

Devices look_for_devices() {
  Devices devices;
  const cudaError_t error = cudaGetDeviceCount(&devices.count);
  if (error != cudaSuccess || devices.count == 0) {
    devices = {0, reason_of(error == cudaSuccess ? cudaErrorNoDevice : error), {}};
    static_cast<void>(cudaGetLastError());
    return devices;
  }
  try {
    for (int i = 0; i < devices.count; ++i)
      devices.description += detail::concat(i ? "; " : "", "cuda:", i, ' ', device_in_words(i));
    devices.description +=
        detail::concat("; CUDA ", version_in_words(runtime_version()), ", driver for ",
                       version_in_words(driver_version()), ", cuBLASLt ", cublaslt_version());
  } catch (const Error& failure) {
    devices = {0, failure.what(), {}};
  }
  return devices;
}

}  // namespace

/// Where one is lost CUDA may answer nothing any more, but the others are there: as they were found before.
Devices find_devices() {
  static std::mutex mutex;
  static Devices& found_before = *new Devices;
  const std::lock_guard lock(mutex);
  if (LostDevices::any()) return found_before;
  return found_before = look_for_devices();
}

std::string why_unusable(int index) {
  try {
    expect_kernel_image(index);
    return {};
  } catch (const Error& failure) {
    return failure.what();
  }
}

Backend* make_backend(const ContextOptions& options) {
  const int index = options.device.index();
  expect_kernel_image(index);
  const CurrentDevice current(index);
  return new CudaBackend(options);
}

}  // namespace glia::cuda
