// The CPU backend: Ops over the thread pool.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/version.h>
#include <host/cpu/attention.h>
#include <host/cpu/backend.h>
#include <host/cpu/convolution.h>
#include <host/cpu/custom.h>
#include <host/cpu/heap.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/long_product.h>
#include <host/cpu/onednn.h>
#include <host/cpu/product_parts.h>  // defines: parts_of
#include <host/cpu/recurrent.h>
#include <host/cpu/signals.h>  // defines: SignalsBlocked
#include <host/cpu/thread_pool.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

std::string slices_in_words(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " slice" : " slices");
}

/// A descriptor that no library does: its kernels.
class KernelOp final : public Op {
 public:
  KernelOp(ThreadPool& pool, const BoundKernels& bound)
      : pool_(pool), kernels_(bound.kernels, bound.kernels + bound.count) {}

  void run() override {
    for (const BoundKernel& kernel : kernels_)
      pool_.run(kernel.slices, [&kernel](std::int64_t i, int) { kernel.run(i, kernel.slices); });
  }
  std::string algorithm() const override { return "kernel, " + slices_in_words(kernels_.front().slices); }

 private:
  ThreadPool& pool_;
  std::vector<BoundKernel> kernels_;
};

/// One that reads or writes sources, which each run gives.
class GivenKernelOp final : public Op {
 public:
  GivenKernelOp(ThreadPool& pool, const KernelTable& table, const Descriptor& descriptor, const Bindings& at)
      : pool_(pool),
        table_(table),
        descriptor_(descriptor),
        at_(at),
        bound_(table.elementary(descriptor, at)) {
    at_.given = &given_;
  }

  void give(const Given& given) override {
    given_ = given;
    bound_ = table_.elementary(descriptor_, at_);
  }
  void run() override {
    for (int k = 0; k < bound_.count; ++k) {
      const BoundKernel& kernel = bound_.kernels[k];
      pool_.run(kernel.slices, [&kernel](std::int64_t i, int) { kernel.run(i, kernel.slices); });
    }
  }
  std::string algorithm() const override { return "kernel, " + slices_in_words(bound_.kernels[0].slices); }

 private:
  ThreadPool& pool_;
  const KernelTable& table_;
  Descriptor descriptor_;
  Given given_;
  Bindings at_;
  BoundKernels bound_;
};

[[noreturn]] void refuse(const char* got) {
  throw StateError(
      detail::concat("got ", got,
                     ", but a context on the CPU has no stream to order: every call returns when "
                     "its work is done; leave it out where context.device().is_cpu()"));
}

/// A product: each slice by oneDNN (float32) or plain loops (float64), and its epilogue while it is in the
/// cache.
class MatmulOp final : public Op {
 public:
  MatmulOp(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels, const op::Matmul& d,
           const Bindings& at)
      : pool_(pool), onednn_(onednn) {
    std::set<std::array<std::int64_t, 3>> tried;  // sizes: what one does, all of its size do
    for (const auto& [product, region] : parts_of(d)) {
      Slice slice;
      if (d.out.dtype == DType::float32)
        slice.product.emplace(onednn, product, at, region);
      else
        slice.plain = kernels.product(product, at, region);
      if (d.out.shape.rank() == 2) slice.epilogue = kernels.epilogue(op::epilogue_of(d), at, region);
      if (slice.product && tried.insert({product.batch(), region.rows, region.columns}).second)
        slice.product->try_once(onednn);
      slices_.push_back(std::move(slice));
    }
    if (d.bias_gradient) bias_gradient_ = kernels.bias_gradient(d, at);
  }

  void run() override {
    const auto products = static_cast<std::int64_t>(slices_.size());
    const auto run_slice = [this, products](std::int64_t i, int worker) {
      if (i >= products)
        bias_gradient_.run(i - products, bias_gradient_.slices);
      else if (!slices_[static_cast<std::size_t>(i)].run(onednn_, worker))
        failed_.store(true, std::memory_order_relaxed);
    };
    const std::int64_t all = products + bias_gradient_.slices;
    if (products == 1 && bias_gradient_.slices == 1)  // too little to share
      pool_.run(1, [&run_slice, all](std::int64_t, int worker) {
        for (std::int64_t i = 0; i < all; ++i) run_slice(i, worker);
      });
    else
      pool_.run(all, run_slice);
    GLIA_CHECK(!failed_.exchange(false), OutOfMemoryError,
               "oneDNN could not multiply: memory ran out; use smaller batches");
  }
  bool keeps_the_stack() const {
    return std::all_of(slices_.begin(), slices_.end(),
                       [](const Slice& slice) { return !slice.product || slice.product->keeps_the_stack(); });
  }
  std::string algorithm() const override {
    const Slice& first = slices_.front();
    return (first.product ? "oneDNN " + first.product->implementation() : std::string("loops")) + ", " +
           slices_in_words(static_cast<std::int64_t>(slices_.size()));
  }

 private:
  struct Slice {
    std::optional<OneDnnProduct> product;
    BoundKernel plain, epilogue;

    bool run(const OneDnn& onednn, int worker) const {
      if (product && !product->run(onednn, worker)) return false;
      if (!product)
        for (std::int64_t i = 0; i < plain.slices; ++i) plain.run(i, plain.slices);
      if (epilogue.function) epilogue.run(0, 1);
      return true;
    }
  };

  ThreadPool& pool_;
  const OneDnn& onednn_;
  std::vector<Slice> slices_;
  BoundKernel bias_gradient_;
  std::atomic<bool> failed_{false};
};

class CpuSequence final : public Sequence {
 public:
  /// `leaves_the_stack`: whether any of the Ops may.
  CpuSequence(const ThreadPool& pool, std::vector<std::unique_ptr<Op>> ops, bool leaves_the_stack)
      : Sequence(std::move(ops)), pool_(pool), leaves_the_stack_(leaves_the_stack) {}

  void run(std::int64_t times) override {
    std::optional<SignalsBlocked> blocked;  // once a launch: it costs two calls of the system
    if (leaves_the_stack_) blocked.emplace();
    const ComputeMode mode;
    for (std::int64_t i = 0; i < times; ++i) Sequence::run_one_by_one();
  }
  void run_one_by_one() override { run(1); }
  std::vector<OpTime> run_timed() override {
    using Clock = std::chrono::steady_clock;
    std::vector<OpTime> times(ops().size());
    std::optional<SignalsBlocked> blocked;
    if (leaves_the_stack_) blocked.emplace();
    const ComputeMode mode;
    const Clock::time_point start = Clock::now();
    const auto now = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    for (std::size_t i = 0; i < times.size(); ++i) {
      const std::int64_t before = pool_.slices();
      times[i].begin = now();
      ops()[i]->run();
      times[i].end = now();
      times[i].launches = pool_.slices() - before;
    }
    return times;
  }

 private:
  const ThreadPool& pool_;
  bool leaves_the_stack_;
};

/// The state as it was at start(), since the device may go on.
class CpuReader final : public Reader {
 public:
  explicit CpuReader(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}
  void start(const void* from) override { std::memcpy(memory_->data(), from, memory_->bytes()); }
  bool is_done() override { return true; }
  const std::byte* wait() override { return memory_->data(); }

 private:
  std::unique_ptr<Memory> memory_;
};

/// Steps read what the host writes; they are over when run() returns.
class CpuStaging final : public Staging {
 public:
  explicit CpuStaging(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {
    host_ = device_ = memory_->data();
  }
  void send(std::size_t) override {}
  void reuse() override {}

 private:
  std::unique_ptr<Memory> memory_;
};

int threads_for(int asked) {
  GLIA_CHECK(asked >= 0 && asked <= 1024, ValueError, "got ", asked,
             " threads, expected 0 (one for each core) or 1 to 1024");
  return asked > 0 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, std::shared_ptr<Allocator> allocator)
      : heap_(std::move(allocator)), kernels_(choose_kernels()), pool_(threads), onednn_(threads, heap_) {}

  Device device() const override { return Device::cpu(); }
  int threads() const override { return pool_.threads(); }
  std::vector<std::pair<std::string, std::string>> versions() const override {
    return {{"glia", version}, {"oneDNN", onednn_version()}, {"instruction set", kernels_.instruction_set}};
  }

  std::unique_ptr<Memory> allocate(std::size_t bytes, MemoryUse use) override {
    ++counters_.allocations;
    return heap_.allocate(bytes, use);
  }
  MemoryReport memory() const override { return heap_.report(); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    if (bytes) std::memcpy(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    ++counters_.synchronizations;
    if (bytes) std::memcpy(to, from, bytes);
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    if (bytes) std::memmove(to, from, bytes);
  }
  void clear(void* at, std::size_t bytes) override {
    if (bytes) std::memset(at, 0, bytes);
  }
  void synchronize() override { ++counters_.synchronizations; }
  void wait_for(void*) override { refuse("an event to wait for"); }
  void record(void*) override { refuse("an event to record"); }
  std::unique_ptr<OwnedEvent> event() override { return nullptr; }
  void enqueue_on(std::optional<void*> stream) override {
    if (stream) refuse("a stream");
  }
  bool is_captured() override { return false; }
  void trim() override {}

  std::unique_ptr<Reader> reader(std::size_t bytes) override {
    return std::make_unique<CpuReader>(heap_.allocate(bytes, MemoryUse::states));
  }
  std::unique_ptr<Staging> staging(std::size_t bytes) override {
    ++counters_.allocations;
    return std::make_unique<CpuStaging>(heap_.allocate(bytes, MemoryUse::data));
  }

  bool multiplies_bfloat16(const Descriptor& product) override {
    return std::visit(
        [this](const auto& d) {
          if constexpr (requires { cpu::multiplies_bfloat16(onednn_, d); })
            return cpu::multiplies_bfloat16(onednn_, d);
          return false;
        },
        product);
  }
  std::unique_ptr<Sequence> prepare(const std::vector<Descriptor>& descriptors,
                                    const Bindings& bindings) override {
    try {
      return prepared(descriptors, bindings);
    } catch (const std::bad_alloc&) {
      throw OutOfMemoryError(
          "memory ran out while a step was prepared: use smaller batches or layers, or end other programs");
    }
  }

  BackendCounters counters() const override {
    BackendCounters counters = counters_;
    counters.launches = pool_.slices();
    return counters;
  }

 private:
  std::unique_ptr<Sequence> prepared(const std::vector<Descriptor>& descriptors, const Bindings& bindings) {
    std::vector<std::unique_ptr<Op>> ops;
    bool leaves_the_stack = false;
    for (const Descriptor& descriptor : descriptors) {
      if (const auto* matmul = std::get_if<op::Matmul>(&descriptor)) {
        auto op = prepare_long_product(pool_, onednn_, *kernels_.table, *matmul, bindings);
        leaves_the_stack = leaves_the_stack || op;
        if (!op) {
          auto product = std::make_unique<MatmulOp>(pool_, onednn_, *kernels_.table, *matmul, bindings);
          leaves_the_stack = leaves_the_stack || !product->keeps_the_stack();
          op = std::move(product);
        }
        ops.push_back(std::move(op));
      } else if (auto convolution =
                     prepare_convolution(pool_, onednn_, *kernels_.table, descriptor, bindings)) {
        ops.push_back(std::move(convolution));
        leaves_the_stack = true;
      } else if (auto recurrent = prepare_recurrent(pool_, heap_, *kernels_.table, descriptor, bindings)) {
        ops.push_back(std::move(recurrent));
      } else if (auto attention = prepare_attention(pool_, heap_, *kernels_.table, descriptor, bindings)) {
        ops.push_back(std::move(attention));
      } else if (bindings.given && has_sources(descriptor)) {
        ops.push_back(std::make_unique<GivenKernelOp>(pool_, *kernels_.table, descriptor, bindings));
      } else if (const auto* custom = std::get_if<op::Custom>(&descriptor)) {
        ops.push_back(prepare_custom(pool_, *custom, bindings));
      } else {
        ops.push_back(std::make_unique<KernelOp>(pool_, kernels_.table->elementary(descriptor, bindings)));
      }
    }
    return std::make_unique<CpuSequence>(pool_, std::move(ops), leaves_the_stack);
  }

  Heap heap_;
  const Kernels kernels_;
  ThreadPool pool_;
  OneDnn onednn_;
  BackendCounters counters_;
};

}  // namespace

std::shared_ptr<Backend> make_backend(const ContextOptions& options) {
  return std::make_shared<CpuBackend>(threads_for(options.threads), options.allocator);
}

}  // namespace glia::cpu
