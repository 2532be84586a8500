// Recurrent layers: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/recurrent_steps.h>
#include <host/cpu/recurrent.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

/// Rows of a slice: enough of them use a weight for its way through the caches, and few leave slices for other threads.
constexpr std::int64_t rows_of_slice = 16;
constexpr std::int64_t max_slices = 64;
/// With fewer rows the weights are not packed, which takes as long as some products.
constexpr std::int64_t least_packed_rows = 8;
/// Products of those are as fast as weights come through the caches: large ones are cut into columns of so much memory, and no more
/// of them, which threads share out.
constexpr std::int64_t bytes_of_part = 64 << 10;
constexpr int most_parts = 4;

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
    if (factors_.empty() || (d.rows() < least_packed_rows && !transposed)) return;
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
    if (slices_.size() == 1)
      run_alone(slices_.front());
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
      if (stage.factor >= 0) {
        const Factor& factor = factors_[static_cast<std::size_t>(stage.factor)];
        kernels_.multiply_rows(stage.a, stage.a_stride, stage.rows, factor.weights,
                               packed_ ? packed_of(factor) : nullptr, stage.out, stage.out_stride);
      }
      finish(stage);
    }
  }
  /// The only slice: threads share its products where the weights are many.
  void run_alone(const std::vector<Stage>& slice) const {
    if (packed_) return run_slice(slice);
    for (const Stage& stage : slice) {
      if (stage.factor >= 0) {
        const Weights& all = factors_[static_cast<std::size_t>(stage.factor)].weights;
        const std::int64_t bytes = all.k * all.n * std::int64_t{sizeof(float)};
        const std::int64_t parts =
            std::clamp<std::int64_t>(bytes / bytes_of_part, 1, std::min(most_parts, pool_.threads()));
        const std::int64_t columns = ((all.n + parts - 1) / parts + 15) / 16 * 16;
        pool_.run((all.n + columns - 1) / columns, [this, &stage, &all, columns](std::int64_t i, int) {
          Weights part = all;
          part.data += i * columns, part.n = std::min(columns, all.n - i * columns);
          kernels_.multiply_rows(stage.a, stage.a_stride, stage.rows, part, nullptr, stage.out + i * columns,
                                 stage.out_stride);
        });
      }
      finish(stage);
    }
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
