// Recurrent layers: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/recurrent_steps.h>
#include <host/cpu/recurrent.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

/// Rows of a slice: enough of them use a weight for its way through the caches, and few leave slices for other threads.
constexpr std::int64_t rows_of_slice = 16;
constexpr std::int64_t max_slices = 64;
/// With fewer rows the weights are not packed, which takes as long as some products.
constexpr std::int64_t least_packed_rows = 8;
/// Products of those are as fast as weights come through the caches: of at least so many bytes two threads have half of them each.
constexpr std::int64_t shared_bytes = 128 << 10;

/// Stages that two threads go through together. One leads; the other helps from when it comes on, and nobody waits for it until then.
/// They meet twice a stage, in less time than a launch of the pool takes.
class Pair {
 public:
  void reset() { asked_ = 0, done_ = 0, has_come_ = false; }

  /// The leader's: half(0) and half(1) of a stage, numbered from 1 on, the other of them at the same time where it is there.
  template <class Half>
  void share(std::int64_t stage, const Half& half) {
    const bool shares = has_come_.load(std::memory_order_acquire);
    if (shares) asked_.store(stage, std::memory_order_release);
    half(0);
    if (!shares) return half(1);
    wait_while([&] { return done_.load(std::memory_order_acquire) != stage; });
  }
  /// The leader's at the end.
  void end() { asked_.store(over, std::memory_order_release); }

  /// The other's: help(stage) for each that it is asked for, until the end.
  template <class Help>
  void help(const Help& help) {
    has_come_.store(true, std::memory_order_release);
    for (std::int64_t last = 0;;) {
      std::int64_t stage = 0;
      wait_while([&] { return (stage = asked_.load(std::memory_order_acquire)) == last; });
      if (stage == over) return;
      help(stage);
      done_.store(stage, std::memory_order_release);
      last = stage;
    }
  }

 private:
  static constexpr std::int64_t over = -1;

  template <class Condition>
  static void wait_while(const Condition& condition) {
    constexpr int spins = 4000;
    for (int spin = 0; condition(); ++spin)
      if (spin < spins)
        pause();
      else
        std::this_thread::yield();
  }

  alignas(64) std::atomic<std::int64_t> asked_{0};
  std::atomic<bool> has_come_{false};
  alignas(64) std::atomic<std::int64_t> done_{0};
};

BoundKernel kernel_of(const KernelTable& kernels, const op::Recurrent& d, const RecurrentStage& stage,
                      const RowRange& rows, const Bindings& at) {
  return kernels.recurrent_stage(d, stage, rows, at);
}
BoundKernel kernel_of(const KernelTable& kernels, const op::RecurrentGradient& d, const RecurrentStage& stage,
                      const RowRange& rows, const Bindings& at) {
  return kernels.recurrent_gradient_stage(d, stage, rows, at);
}

/// What the products of all steps multiply by.
struct Factor {
  Weights weights;
  std::int64_t packed = 0;  ///< where it begins, in floats
};

class RecurrentOp final : public Op {
 public:
  template <class Recurrent>
  RecurrentOp(ThreadPool& pool, Heap& heap, const KernelTable& kernels, const Recurrent& d,
              const Bindings& at)
      : pool_(pool), kernels_(kernels) {
    const std::int64_t wanted = std::clamp<std::int64_t>(d.rows() / rows_of_slice, 1, max_slices);
    const std::int64_t piece = (d.rows() + wanted - 1) / wanted;
    for (std::int64_t first = 0; first < d.rows(); first += piece)
      slices_.push_back(stages(d, at, {first, std::min(piece, d.rows() - first)}));
    const bool transposed = std::any_of(factors_.begin(), factors_.end(), [](const Factor& factor) {
      return factor.weights.column_stride != 1;
    });
    if (factors_.empty()) return;
    if (d.rows() < least_packed_rows && !transposed) {
      const Weights& weights = factors_.front().weights;
      shares_ = pool.threads() > 1 && slices_.size() == 1 &&
                weights.k * weights.n * std::int64_t{sizeof(float)} >= shared_bytes;
      return;
    }
    std::int64_t size = 0;
    for (Factor& factor : factors_) {
      factor.packed = size;
      size += kernels.packed_size(factor.weights.k, factor.weights.n);
    }
    packed_ = heap.allocate(static_cast<std::size_t>(size) * sizeof(float), MemoryUse::workspaces);
  }

  void run() override {
    constexpr std::int64_t parts = 8;
    if (packed_)
      pool_.run(parts * static_cast<std::int64_t>(factors_.size()), [this](std::int64_t i, int) {
        const Factor& factor = factors_[static_cast<std::size_t>(i / parts)];
        kernels_.pack_weights(factor.weights, i % parts, parts, packed_of(factor));
      });
    if (shares_)
      run_shared(slices_.front());
    else
      pool_.run(static_cast<std::int64_t>(slices_.size()),
                [this](std::int64_t i, int) { run_slice(slices_[static_cast<std::size_t>(i)]); });
  }
  std::string algorithm() const override {
    return detail::concat(factors_.empty() ? "loops"
                          : packed_        ? "panels"
                                           : "rows",
                          ", ", slices_.size(), slices_.size() == 1 ? " slice" : " slices");
  }

 private:
  struct Stage {
    BoundKernel kernel;
    BoundKernel plain = {};    ///< the product, in float64
    std::int64_t factor = -1;  ///< or, in float32, of a matrix (rows, k) and this one
    std::int64_t rows = 0, a_stride = 0, out_stride = 0;
    const float* a = nullptr;
    float* out = nullptr;
  };

  template <class Recurrent>
  std::vector<Stage> stages(const Recurrent& d, const Bindings& at, const RowRange& rows) {
    std::vector<Stage> result;
    for (const RecurrentStage& stage : stages_of(d, rows.first, rows.count)) {
      Stage one{kernel_of(kernels_, d, stage, rows, at)};
      const op::Matmul& product = stage.product;
      if (stage.has_product && d.gates.dtype == DType::float32) {
        one.factor = factor_of(product.b, at), one.rows = rows.count;
        one.a = at.address<float>(product.a), one.a_stride = product.a.strides[0];
        one.out = at.address<float>(product.out), one.out_stride = product.out.strides[0];
      } else if (stage.has_product) {
        one.plain = kernels_.product(product, at, {0, product.out.shape[0], 0, product.out.shape[1]});
      }
      result.push_back(one);
    }
    return result;
  }

  std::int64_t factor_of(const View& b, const Bindings& at) {
    const Weights weights{at.address<float>(b), b.strides[0], b.strides[1], b.shape[0], b.shape[1]};
    const auto found = std::find_if(factors_.begin(), factors_.end(), [&](const Factor& factor) {
      return factor.weights.data == weights.data && factor.weights.n == weights.n &&
             factor.weights.k == weights.k;
    });
    const std::int64_t number = found - factors_.begin();
    if (found == factors_.end()) factors_.push_back({weights});
    return number;
  }
  float* packed_of(const Factor& factor) const {
    return reinterpret_cast<float*>(packed_->data()) + factor.packed;
  }

  void run_slice(const std::vector<Stage>& slice) const {
    for (const Stage& stage : slice) {
      if (stage.factor >= 0) multiply(stage, 0, 1);
      finish(stage);
    }
  }
  /// A part, of so many, of a stage's columns.
  void multiply(const Stage& stage, std::int64_t index, std::int64_t parts) const {
    const Factor& factor = factors_[static_cast<std::size_t>(stage.factor)];
    Weights part = factor.weights;
    const std::int64_t columns = (part.n / parts + 15) / 16 * 16, first = index * columns;
    if (parts > 1) {
      part.n = std::min(columns, part.n - first);
      part.data += first;
    }
    kernels_.multiply_rows(stage.a, stage.a_stride, stage.rows, part, packed_ ? packed_of(factor) : nullptr,
                           stage.out + first, stage.out_stride);
  }
  /// The only slice, whose products two threads share.
  void run_shared(const std::vector<Stage>& slice) {
    pair_.reset();
    const auto stage_at = [&](std::int64_t number) -> const Stage& {
      return slice[static_cast<std::size_t>(number - 1)];
    };
    pool_.run(2, [&](std::int64_t role, int) {
      if (role == 1) return pair_.help([&](std::int64_t number) { multiply(stage_at(number), 1, 2); });
      for (std::int64_t number = 1; number <= static_cast<std::int64_t>(slice.size()); ++number) {
        const Stage& stage = stage_at(number);
        if (stage.factor >= 0) pair_.share(number, [&](std::int64_t half) { multiply(stage, half, 2); });
        finish(stage);
      }
      pair_.end();
    });
  }
  static void finish(const Stage& stage) {
    for (std::int64_t i = 0; i < stage.plain.slices; ++i) stage.plain.run(i, stage.plain.slices);
    stage.kernel.run(0, 1);
  }

  ThreadPool& pool_;
  const KernelTable& kernels_;
  std::vector<Factor> factors_;
  std::vector<std::vector<Stage>> slices_;
  std::unique_ptr<Memory> packed_;
  bool shares_ = false;
  Pair pair_;
};

}  // namespace

std::unique_ptr<Op> prepare_recurrent(ThreadPool& pool, Heap& heap, const KernelTable& kernels,
                                      const Descriptor& descriptor, const Bindings& at) {
  if (const auto* d = std::get_if<op::Recurrent>(&descriptor))
    return std::make_unique<RecurrentOp>(pool, heap, kernels, *d, at);
  if (const auto* d = std::get_if<op::RecurrentGradient>(&descriptor))
    return std::make_unique<RecurrentOp>(pool, heap, kernels, *d, at);
  return nullptr;
}

}  // namespace glia::cpu
