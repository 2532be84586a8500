// Convolutions as slices over the thread pool.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/convolution.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <variant>
#include <vector>

namespace glia::cpu {
namespace {

// Slices are whole images. They are cut where one has at least this much work, two operations for each multiply-add.
constexpr std::int64_t slice_operations = 1'000'000;
constexpr std::int64_t max_slices = 64;
/// Of a weights' gradient, each of whose slices has a sum of its own: so many, and no more than fit so many bytes.
constexpr std::int64_t max_sums = 16;
constexpr std::int64_t max_sums_bytes = 16 << 20;

/// Images of a slice; `weights` are the convolution's, `y` its output or that output's gradient.
std::int64_t images_of_slice(const View& y, const View& weights, std::int64_t most) {
  const std::int64_t batch = y.shape[0], filters = weights.shape.back();
  const std::int64_t operations = 2 * weights.elements() * (y.elements() / filters);
  const std::int64_t wanted =
      std::clamp<std::int64_t>(operations / slice_operations, 1, std::min(most, batch));
  return (batch + wanted - 1) / wanted;
}

std::string in_words(const OneDnnConvolution& convolution) {
  const std::int64_t slices = convolution.slices();
  return detail::concat("oneDNN ", convolution.implementation(), ", ", slices,
                        slices == 1 ? " slice" : " slices");
}

void expect_memory(bool succeeded) {
  GLIA_CHECK(succeeded, OutOfMemoryError, "oneDNN could not convolve: memory ran out; use smaller batches");
}

/// A Convolution or ConvolutionTranspose.
template <class Convolution>
class ConvolutionOp final : public Op {
 public:
  ConvolutionOp(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels, const Convolution& d,
                const Bindings& at, std::int64_t images)
      : pool_(pool), onednn_(onednn), convolution_(onednn, d, at, images) {
    const op::Epilogue epilogue = op::epilogue_of(d);
    const std::int64_t pixels = epilogue.rows / d.out.shape[0];
    for (std::int64_t first = 0; first < d.out.shape[0]; first += images) {
      const std::int64_t count = std::min(images, d.out.shape[0] - first);
      epilogues_.push_back(
          kernels.epilogue(epilogue, at, {first * pixels, count * pixels, 0, epilogue.columns}));
    }
  }

  void run() override {
    expect_memory(convolution_.copy_weights(onednn_, 0));
    pool_.run(convolution_.slices(), [this](std::int64_t i, int worker) {
      if (!convolution_.run(onednn_, i, worker)) failed_.store(true, std::memory_order_relaxed);
      const BoundKernel& epilogue = epilogues_[static_cast<std::size_t>(i)];
      if (epilogue.function) epilogue.run(0, 1);
    });
    expect_memory(!failed_.exchange(false));
  }
  std::string algorithm() const override { return in_words(convolution_); }

 private:
  ThreadPool& pool_;
  const OneDnn& onednn_;
  OneDnnConvolution convolution_;
  std::vector<BoundKernel> epilogues_;
  std::atomic<bool> failed_{false};
};

class ConvolutionWeightsOp final : public Op {
 public:
  ConvolutionWeightsOp(ThreadPool& pool, const OneDnn& onednn, const op::ConvolutionWeights& d,
                       const Bindings& at, std::int64_t images)
      : pool_(pool), onednn_(onednn), convolution_(onednn, d, at, images) {}

  void run() override {
    pool_.run(convolution_.slices(), [this](std::int64_t i, int worker) {
      if (!convolution_.run(onednn_, i, worker)) failed_.store(true, std::memory_order_relaxed);
    });
    expect_memory(!failed_.exchange(false));
    pool_.run(fold_parts, [this](std::int64_t i, int) { convolution_.fold(i, fold_parts); });
    expect_memory(convolution_.store_weights(onednn_, 0));
  }
  std::string algorithm() const override { return in_words(convolution_); }

 private:
  static constexpr std::int64_t fold_parts = 8;

  ThreadPool& pool_;
  const OneDnn& onednn_;
  OneDnnConvolution convolution_;
  std::atomic<bool> failed_{false};
};

}  // namespace

std::unique_ptr<Op> prepare_convolution(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                        const Descriptor& descriptor, const Bindings& at) {
  if (const auto* d = std::get_if<op::Convolution>(&descriptor); d && d->out.dtype == DType::float32)
    return std::make_unique<ConvolutionOp<op::Convolution>>(pool, onednn, kernels, *d, at,
                                                            images_of_slice(d->out, d->weights, max_slices));
  if (const auto* d = std::get_if<op::ConvolutionTranspose>(&descriptor); d && d->out.dtype == DType::float32)
    return std::make_unique<ConvolutionOp<op::ConvolutionTranspose>>(
        pool, onednn, kernels, *d, at, images_of_slice(d->x, d->weights, max_slices));
  if (const auto* d = std::get_if<op::ConvolutionWeights>(&descriptor);
      d && d->weights_gradient.dtype == DType::float32) {
    const std::int64_t most =
        std::clamp<std::int64_t>(max_sums_bytes / d->weights_gradient.bytes(), 1, max_sums);
    return std::make_unique<ConvolutionWeightsOp>(
        pool, onednn, *d, at, images_of_slice(d->out_gradient, d->weights_gradient, most));
  }
  return nullptr;
}

}  // namespace glia::cpu
