// Recurrent layers: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/recurrent_steps.h>
#include <host/cpu/recurrent.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

/// Rows of a slice: enough of them use a weight for its way through the caches, and few leave slices for other threads.
constexpr std::int64_t rows_of_slice = 16;
constexpr std::int64_t max_slices = 64;

BoundKernel kernel_of(const KernelTable& kernels, const op::Recurrent& d, const RecurrentStage& stage,
                      const RowRange& rows, const Bindings& at) {
  return kernels.recurrent_stage(d, stage, rows, at);
}
BoundKernel kernel_of(const KernelTable& kernels, const op::RecurrentGradient& d, const RecurrentStage& stage,
                      const RowRange& rows, const Bindings& at) {
  return kernels.recurrent_gradient_stage(d, stage, rows, at);
}

/// The stages of some rows.
class Slice {
 public:
  template <class Recurrent>
  Slice(const OneDnn& onednn, const KernelTable& kernels, const Recurrent& d, const Bindings& at,
        const RowRange& rows) {
    for (const RecurrentStage& stage : stages_of(d, rows.first, rows.count)) {
      Step step{kernel_of(kernels, d, stage, rows, at)};
      if (stage.has_product) {
        const op::Matmul& product = stage.product;
        if (d.gates.dtype == DType::float32) {
          step.product = product_like(onednn, product, at);
          step.a = at.address<>(product.a), step.b = at.address<>(product.b);
          step.out = at.address<>(product.out);
        } else {
          step.plain = kernels.product(product, at, {0, product.out.shape[0], 0, product.out.shape[1]});
        }
      }
      steps_.push_back(step);
    }
  }

  /// False where oneDNN failed.
  bool run(const OneDnn& onednn, int worker) const {
    for (const Step& step : steps_) {
      if (step.product >= 0 && !products_[static_cast<std::size_t>(step.product)].product.run_on(
                                   onednn, worker, step.a, step.b, step.out))
        return false;
      for (std::int64_t i = 0; i < step.plain.slices; ++i) step.plain.run(i, step.plain.slices);
      step.kernel.run(0, 1);
    }
    return true;
  }
  std::string implementation() const {
    return products_.empty() ? "loops" : "oneDNN " + products_.front().product.implementation();
  }

 private:
  struct Step {
    BoundKernel kernel;
    BoundKernel plain = {};  ///< the product, where no library does it
    int product = -1;
    const void *a = nullptr, *b = nullptr;
    void* out = nullptr;
  };
  /// A product, of operands that lie like these wherever they are.
  struct Product {
    op::Matmul like;
    OneDnnProduct product;
  };

  int product_like(const OneDnn& onednn, const op::Matmul& d, const Bindings& at) {
    const auto lies_like = [](const View& a, const View& b) {
      return a.shape == b.shape && a.strides == b.strides;
    };
    const auto found = std::find_if(products_.begin(), products_.end(), [&](const Product& known) {
      return lies_like(known.like.a, d.a) && lies_like(known.like.b, d.b) && lies_like(known.like.out, d.out);
    });
    const auto number = static_cast<int>(found - products_.begin());
    if (found == products_.end()) {
      products_.push_back({d, OneDnnProduct(onednn, d, at, {0, d.out.shape[0], 0, d.out.shape[1]})});
      products_.back().product.try_once(onednn);
    }
    return number;
  }

  std::vector<Product> products_;
  std::vector<Step> steps_;
};

class RecurrentOp final : public Op {
 public:
  template <class Recurrent>
  RecurrentOp(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels, const Recurrent& d,
              const Bindings& at)
      : pool_(pool), onednn_(onednn) {
    const std::int64_t wanted = std::clamp<std::int64_t>(d.rows() / rows_of_slice, 1, max_slices);
    const std::int64_t piece = (d.rows() + wanted - 1) / wanted;
    for (std::int64_t first = 0; first < d.rows(); first += piece)
      slices_.emplace_back(onednn, kernels, d, at, RowRange{first, std::min(piece, d.rows() - first)});
  }

  void run() override {
    pool_.run(static_cast<std::int64_t>(slices_.size()), [this](std::int64_t i, int worker) {
      if (!slices_[static_cast<std::size_t>(i)].run(onednn_, worker))
        failed_.store(true, std::memory_order_relaxed);
    });
    GLIA_CHECK(!failed_.exchange(false), OutOfMemoryError,
               "oneDNN could not multiply: memory ran out; use smaller batches");
  }
  std::string algorithm() const override {
    return detail::concat(slices_.front().implementation(), ", ", slices_.size(),
                          slices_.size() == 1 ? " slice" : " slices");
  }

 private:
  ThreadPool& pool_;
  const OneDnn& onednn_;
  std::vector<Slice> slices_;
  std::atomic<bool> failed_{false};
};

}  // namespace

std::unique_ptr<Op> prepare_recurrent(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                      const Descriptor& descriptor, const Bindings& at) {
  if (const auto* d = std::get_if<op::Recurrent>(&descriptor))
    return std::make_unique<RecurrentOp>(pool, onednn, kernels, *d, at);
  if (const auto* d = std::get_if<op::RecurrentGradient>(&descriptor))
    return std::make_unique<RecurrentOp>(pool, onednn, kernels, *d, at);
  return nullptr;
}

}  // namespace glia::cpu
