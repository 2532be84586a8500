// Convolutions as slices over the thread pool.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/convolution.h>
#include <host/cpu/long_product.h>

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
/// Of a weights' gradient, each of whose slices has a sum of its own: so many, and no more than fit so many bytes, unless
/// they would sum too many pixels each.
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
  ConvolutionWeightsOp(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                       const op::ConvolutionWeights& d, const Bindings& at, std::int64_t images)
      : pool_(pool), onednn_(onednn), convolution_(onednn, d, at, images) {
    if (d.bias_gradient) prepare_bias(kernels, d, at, images);
  }

  void run() override {
    pool_.run(convolution_.slices(), [this](std::int64_t i, int worker) {
      if (!convolution_.run(onednn_, i, worker)) failed_.store(true, std::memory_order_relaxed);
      if (bias_sums_) bias_of_slices_[static_cast<std::size_t>(i)].run(0, 1);
    });
    expect_memory(!failed_.exchange(false));
    pool_.run(fold_parts + (bias_sums_ ? 1 : 0), [this](std::int64_t i, int) {
      if (i == fold_parts)
        bias_.run(0, 1);
      else
        convolution_.fold(i, fold_parts);
    });
    expect_memory(convolution_.store_weights(onednn_, 0));
  }
  std::string algorithm() const override { return in_words(convolution_); }

 private:
  static constexpr std::int64_t fold_parts = 8;

  /// Sums the pixels of each slice while they are in the cache, and then those sums.
  void prepare_bias(const KernelTable& kernels, const op::ConvolutionWeights& d, const Bindings& at,
                    std::int64_t images) {
    const View pixels = d.out_gradient.matrix();
    const std::int64_t filters = pixels.shape[1], batch = d.out_gradient.shape[0];
    const View sums = View::contiguous(Buffer::slots, DType::float32, {convolution_.slices(), filters});
    bias_sums_ = onednn_.heap().allocate(static_cast<std::size_t>(sums.bytes()));
    Bindings with_sums = at;
    with_sums.base[static_cast<std::size_t>(Buffer::slots)] = bias_sums_->data();
    const auto sum_of_rows = [&](const View& rows, const View& sum) {
      const auto no_room = [](const Shape&) { return View{}; };
      return kernels.elementary(op::Reduce::of_rows(rows, sum, no_room), with_sums).kernels[0];
    };
    for (std::int64_t slice = 0; slice < convolution_.slices(); ++slice) {
      const std::int64_t count = std::min(images, batch - slice * images);
      View rows = pixels, sum = sums;
      rows.shape[0] = count * (pixels.shape[0] / batch);
      rows.offset += slice * images * (pixels.shape[0] / batch) * filters * size_of(rows.dtype);
      sum.shape = {filters}, sum.strides = {1};
      sum.offset += slice * filters * size_of(sum.dtype);
      bias_of_slices_.push_back(sum_of_rows(rows, sum));
    }
    bias_ = sum_of_rows(sums, d.bias_gradient);
  }

  ThreadPool& pool_;
  const OneDnn& onednn_;
  OneDnnConvolution convolution_;
  std::unique_ptr<Memory> bias_sums_;  ///< of the slices
  std::vector<BoundKernel> bias_of_slices_;
  BoundKernel bias_;
  std::atomic<bool> failed_{false};
};

/// A weights' gradient: its sums are of as many pixels as a slice has.
std::unique_ptr<Op> prepare_weights(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                    const op::ConvolutionWeights& d, const Bindings& at) {
  const std::int64_t most =
      std::clamp<std::int64_t>(max_sums_bytes / d.weights_gradient.bytes(), 1, max_sums);
  const std::int64_t pixels_of_image = d.out_gradient.shape[1] * d.out_gradient.shape[2];
  const std::int64_t few = std::max<std::int64_t>(most_plain_pixels(d) / pixels_of_image, 1);
  const std::int64_t images = std::min(images_of_slice(d.out_gradient, d.weights_gradient, most), few);
  if (images * pixels_of_image > most_plain_pixels(d))
    if (auto op = prepare_long_product(pool, onednn, kernels, d, at)) return op;
  return std::make_unique<ConvolutionWeightsOp>(pool, onednn, kernels, d, at, images);
}

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
      d && d->weights_gradient.dtype == DType::float32)
    return prepare_weights(pool, onednn, kernels, *d, at);
  return nullptr;
}

}  // namespace glia::cpu
