// The CUDA backend: the parts of cuda/ behind glia's interface, and the graphs that a step is captured in.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/backend.h>
#include <cuda/check.h>
#include <cuda/gpu_sequence.h>
#include <cuda/kernels.h>
#include <cuda/log.h>
#include <cuda/lost.h>
#include <cuda/pointers.h>
#include <cuda/prepare.h>
#include <cuda/tensor_work.h>
#include <cuda/transfer.h>
#include <glia/version.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {
namespace {

/// Steps in the larger graph: enough that launching it costs nothing beside running it.
constexpr std::int64_t steps_in_graph = 16;

class CudaSequence final : public GpuSequence {
 public:
  CudaSequence(Gpu& gpu, std::vector<std::unique_ptr<Op>> all, const std::vector<Descriptor>& descriptors)
      : GpuSequence(gpu, std::move(all), descriptors) {
    if (!in_ranges_) one_ = captured(1);
  }

  void run(std::int64_t times) override {
    const CurrentDevice current(gpu_.index());
    if (in_ranges_ || gpu_.application_captures()) {  // the steps become part of its graph
      for (; times > 0; --times) run_step();
      return;
    }
    if (times >= steps_in_graph && !many_) many_ = captured(steps_in_graph);
    for (; times >= steps_in_graph; times -= steps_in_graph) GLIA_CUDA(cudaGraphLaunch(many_, gpu_.stream()));
    for (; times > 0; --times) GLIA_CUDA(cudaGraphLaunch(one_, gpu_.stream()));
  }

 private:
  ExecutableGraph captured(std::int64_t times) {
    log(LogLevel::debug, "captured ", times, " of a step of ", ops().size(), " Ops as a graph");
    return GpuSequence::captured([&] {
      for (; times > 0; --times) run_step();
    });
  }

  ExecutableGraph one_, many_;
};

/// A list whose rows each run gives. What reads or writes them is launched by itself, with their addresses as arguments: an
/// application that captures a run can change them as those of any kernel. What lies between is launched as graphs.
class GivenSequence final : public GpuSequence {
 public:
  GivenSequence(Gpu& gpu, std::vector<std::unique_ptr<Op>> all, const std::vector<Descriptor>& descriptors)
      : GpuSequence(gpu, std::move(all), descriptors) {
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
      if (!has_sources(descriptors[i])) {
        if (pieces_.empty() || pieces_.back().given) pieces_.push_back({i, i, false, {}});
        pieces_.back().end = i + 1;
      } else {
        pieces_.push_back({i, i + 1, true, {}});
      }
    }
    for (Piece& piece : pieces_)
      if (!in_ranges_ && piece.end - piece.begin > 1) piece.graph = captured(piece);
  }

  void run(std::int64_t times) override {
    for (; times > 0; --times) run_one_by_one();
  }
  void run_given(const Given& given) override {
    std::optional<CurrentDevice> current;  // which asks CUDA
    if (!gpu_.is_only_device()) current.emplace(gpu_.index());
    for (const Piece& piece : pieces_)
      if (piece.given) ops()[piece.begin]->give(given);
    const Range step(in_ranges_ ? "glia step" : nullptr);
    std::optional<bool> captures;  // asked once, and only where it matters
    for (const Piece& piece : pieces_) {
      if (piece.graph && !captures) captures = gpu_.is_captured();
      if (piece.graph && !*captures)
        GLIA_CUDA(cudaGraphLaunch(piece.graph, gpu_.stream()));
      else
        run_ops(piece.begin, piece.end);
    }
  }

 private:
  struct Piece {
    std::size_t begin, end;  // of the Ops
    bool given;
    ExecutableGraph graph;  // of two Ops and more between those that are given rows
  };
  ExecutableGraph captured(const Piece& piece) {
    log(LogLevel::debug, "captured ", piece.end - piece.begin, " Ops of a step over given rows as a graph");
    return GpuSequence::captured([&] { run_ops(piece.begin, piece.end); });
  }

  std::vector<Piece> pieces_;
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

class CudaEvent final : public OwnedEvent {
 public:
  explicit CudaEvent(Event event) : owner_(std::move(event)) { event_ = static_cast<cudaEvent_t>(owner_); }

 private:
  Event owner_;
};

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
  void copy(void* to, const void* from, std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    if (bytes > 0) GLIA_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, gpu_.stream()));
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
  std::unique_ptr<OwnedEvent> event() override {
    const CurrentDevice current(gpu_.index());
    return std::make_unique<CudaEvent>(gpu_.event());
  }
  void enqueue_on(std::optional<void*> stream) override {
    if (gpu_.is_on(stream)) return;
    const CurrentDevice current(gpu_.index());
    gpu_.enqueue_on(stream);
  }
  bool is_captured() override {
    const CurrentDevice current(gpu_.index());
    return gpu_.is_captured();
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
    std::vector<std::unique_ptr<Op>> ops = prepare_ops(gpu_, lt_, cudnn_, descriptors, bindings);
    if (bindings.given) return std::make_unique<GivenSequence>(gpu_, std::move(ops), descriptors);
    return std::make_unique<CudaSequence>(gpu_, std::move(ops), descriptors);
  }

  void compute(const TensorWork& work) override {
    const CurrentDevice current(gpu_.index());
    gpu_.expect_no_capture("a tensor was computed");
    cuda::compute(gpu_, work);
  }
  void follow(Backend& other) override {
    const CurrentDevice current(gpu_.index());
    for (const Gpu* gpu : {&gpu_, &static_cast<CudaBackend&>(other).gpu_})
      gpu->expect_no_capture("tensors of two contexts met");
    const Event event = gpu_.event();
    other.record(event);
    wait_for(event);
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
  note_used(index);
  return new CudaBackend(options);
}

}  // namespace glia::cuda
