// Products over long k: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/long_product.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

/// Of k, summed by oneDNN in float32: 64 equal products have a relative error of 1e-6 at worst.
constexpr std::int64_t slice_k = 64;
/// Slices that are multiplied in one call: as many as have so many results, and at most so many.
constexpr std::int64_t results_of_call = 8192, max_slices_of_call = 16;
/// Runs of slices that are multiplied at the same time: so many, of at least this much of k each.
constexpr std::int64_t max_parts = 16;
constexpr std::int64_t max_totals_bytes = 64 << 20;
constexpr std::int64_t least_k_of_part = 1024;
/// Regions of the output: of at least this much work a slice, two operations for each multiply-add, which an addition to
/// the totals is small beside; and at most so many, parts included.
constexpr std::int64_t slice_operations = 4'000'000;
constexpr std::int64_t max_tasks = 64;

/// The longer side of out in multiples of 16.
std::vector<Region> regions_of(const op::Matmul& d) {
  const std::int64_t m = d.out.shape[0], n = d.out.shape[1], length = std::max(m, n);
  const std::int64_t wanted = std::clamp<std::int64_t>(2 * m * n * slice_k / slice_operations, 1, max_tasks);
  const std::int64_t piece = ((length + wanted - 1) / wanted + 15) / 16 * 16;
  std::vector<Region> regions;
  for (std::int64_t first = 0; first < length; first += piece) {
    const std::int64_t count = std::min(piece, length - first);
    regions.push_back(m >= n ? Region{first, count, 0, n} : Region{0, m, first, count});
  }
  return regions;
}

/// A matrix as a batch of `count`, a `step` apart.
View batch_of(const View& matrix, std::int64_t count, std::int64_t step) {
  View batch = matrix;
  batch.shape = matrix.shape.prepend(count), batch.strides = matrix.strides.prepend(step);
  return batch;
}

/// An operand from the element (row, column) on, of another shape.
View part_of(const View& matrix, std::int64_t row, std::int64_t column, const Shape& shape) {
  View part = matrix;
  part.offset += (row * matrix.strides[0] + column * matrix.strides[1]) * size_of(matrix.dtype);
  part.shape = shape;
  return part;
}

/// For a convolution, the gradient of whose weights is a product with patches of its images: the patches of a call, for each
/// worker.
struct Patches {
  static constexpr std::int64_t max_k = slice_k * max_slices_of_call;
  op::ConvolutionWeights convolution;
  const float* x;
  std::int64_t elements;  ///< of a patch
  std::unique_ptr<Memory> memory;

  Patches(const op::ConvolutionWeights& d, const Bindings& at, int workers, Heap& heap)
      : convolution(d),
        x(at.address<float>(d.x)),
        elements(d.weights_gradient.matrix().shape[0]),
        memory(heap.allocate(static_cast<std::size_t>(workers * elements * max_k) * sizeof(float))) {
    std::memset(memory->data(), 0, memory->bytes());
  }

  float* of(int worker) { return reinterpret_cast<float*>(memory->data()) + worker * elements * max_k; }

  /// The product, whose first factor is what lies in the memory, and where that is.
  op::Matmul product() const {
    op::Matmul d;
    d.a = View::contiguous(Buffer::slots, DType::float32, {max_k, elements});
    d.a.shape = {elements, convolution.out_gradient.matrix().shape[0]};
    d.a.strides = {1, elements};
    d.b = convolution.out_gradient.matrix();
    d.out = convolution.weights_gradient.matrix();
    d.bias_gradient = convolution.bias_gradient;
    return d;
  }
  Bindings bindings(const Bindings& at) {
    Bindings result = at;
    result.base[static_cast<std::size_t>(Buffer::slots)] = memory->data();
    return result;
  }
};

class LongProductOp final : public Op {
 public:
  LongProductOp(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels, const op::Matmul& all,
                const Bindings& at, std::unique_ptr<Patches> patches = nullptr)
      : pool_(pool), onednn_(onednn), kernels_(kernels), patches_(std::move(patches)), batch_(all.batch()) {
    const op::Matmul d = all.matrix_at(0);
    if (batch_ > 1)
      a_batch_ = all.a.strides[0] * size_of(all.a.dtype), b_batch_ = all.b.strides[0] * size_of(all.b.dtype),
      out_batch_ = all.out.strides[0];
    const std::int64_t k = d.k();
    const std::vector<Region> regions =
        patches_ ? std::vector<Region>{{0, d.out.shape[0], 0, d.out.shape[1]}} : regions_of(d);
    const std::int64_t fit = max_totals_bytes / (d.out.elements() * std::int64_t{sizeof(double)});
    const std::int64_t most =
        std::min({max_parts, max_tasks / static_cast<std::int64_t>(regions.size()), fit});
    const std::int64_t wanted =
        std::clamp<std::int64_t>(k / least_k_of_part, 1, std::max<std::int64_t>(most, 1));
    const std::int64_t k_of_part = ((k + wanted - 1) / wanted + slice_k - 1) / slice_k * slice_k;
    parts_ = (k + k_of_part - 1) / k_of_part;

    std::int64_t totals = 0;
    for (const Region& region : regions) {
      Output output{region, totals, at.address<float>(d.out) + region.row * d.out.strides[0] + region.column,
                    d.out.strides[0], kernels.epilogue(op::epilogue_of(d), at, region)};
      const std::int64_t slices =
          std::clamp<std::int64_t>(results_of_call / output.elements(), 1, max_slices_of_call);
      for (std::int64_t first = 0; first < k; first += k_of_part)
        tasks_.push_back(task(d, at, region, first, std::min(k_of_part, k - first), slices));
      totals += output.elements() * parts_;
      room_ = std::max(room_, (slices * output.elements() + 15) / 16 * 16);
      outputs_.push_back(std::move(output));
    }
    totals_ = onednn.heap().allocate(static_cast<std::size_t>(totals) * sizeof(double));
    results_ = onednn.heap().allocate(static_cast<std::size_t>(room_ * pool.threads()) * sizeof(float));
    if (d.bias_gradient) bias_gradient_ = kernels.bias_gradient(d, at);
  }

  void run() override {
    for (std::int64_t matrix = 0; matrix < batch_; ++matrix) run_matrix(matrix);
  }
  std::string algorithm() const override {
    return detail::concat("oneDNN ", tasks_.front().calls.front().product.implementation(), ", ",
                          tasks_.size(), tasks_.size() == 1 ? " slice" : " slices", ", ", slice_k,
                          " of k at a time");
  }

 private:
  struct Output {
    Region region;
    std::int64_t totals;  ///< where those of its parts begin
    float* out;
    std::int64_t stride;
    BoundKernel epilogue;

    std::int64_t elements() const { return region.rows * region.columns; }
  };

  /// Calls of oneDNN that follow each other: each multiplies `slices` slices of `k`.
  struct Calls {
    OneDnnProduct product;
    std::int64_t count, slices, k;
  };
  /// A part of k for a region.
  struct Task {
    std::int64_t first;  ///< of k
    const std::byte *a, *b;
    std::int64_t a_step, b_step;  ///< bytes from one of k to the next
    std::vector<Calls> calls;
  };

  Task task(const op::Matmul& d, const Bindings& at, const Region& r, std::int64_t first, std::int64_t k,
            std::int64_t slices) const {
    // Patches are always those of one call.
    Task task{first,
              at.address<std::byte>(part_of(d.a, r.row, patches_ ? 0 : first, {r.rows, k})),
              at.address<std::byte>(part_of(d.b, first, r.column, {k, r.columns})),
              d.a.strides[1] * size_of(d.a.dtype),
              d.b.strides[0] * size_of(d.b.dtype),
              {}};
    const auto add = [&](std::int64_t count, std::int64_t slices_of_call, std::int64_t slice) {
      if (count == 0 || slices_of_call == 0 || slice == 0) return;
      task.calls.push_back({product(d, at, r, slices_of_call, slice), count, slices_of_call, slice});
    };
    const std::int64_t whole = k / slice_k;
    add(whole / slices, slices, slice_k);
    add(1, whole % slices, slice_k);
    add(1, 1, k % slice_k);
    return task;
  }

  OneDnnProduct product(const op::Matmul& d, const Bindings& at, const Region& r, std::int64_t slices,
                        std::int64_t k) const {
    op::Matmul call = d;
    call.a = batch_of(part_of(d.a, r.row, 0, {r.rows, k}), slices, k * d.a.strides[1]);
    call.b = batch_of(part_of(d.b, 0, r.column, {k, r.columns}), slices, k * d.b.strides[0]);
    call.out = View::contiguous(d.out.buffer, DType::float32,
                                {slices, r.rows, r.columns});  // run() is given a place
    OneDnnProduct result(onednn_, call, at, {0, r.rows, 0, r.columns});
    result.try_once(onednn_);
    return result;
  }

  double* totals_of(const Output& output, std::int64_t part) const {
    return reinterpret_cast<double*>(totals_->data()) + output.totals + part * output.elements();
  }

  void run_matrix(std::int64_t matrix) {
    const auto tasks = static_cast<std::int64_t>(tasks_.size());
    pool_.run(tasks + bias_gradient_.slices, [this, tasks, matrix](std::int64_t i, int worker) {
      if (i >= tasks)
        bias_gradient_.run(i - tasks, bias_gradient_.slices);
      else if (!run_task(i, matrix, worker))
        failed_.store(true, std::memory_order_relaxed);
    });
    GLIA_CHECK(!failed_.exchange(false), OutOfMemoryError,
               "oneDNN could not multiply: memory ran out; use smaller batches");
    pool_.run(static_cast<std::int64_t>(outputs_.size()),
              [this, matrix](std::int64_t i, int) { finish(i, matrix); });
  }

  bool run_task(std::int64_t i, std::int64_t matrix, int worker) const {
    const Task& task = tasks_[static_cast<std::size_t>(i)];
    const Output& output = outputs_[static_cast<std::size_t>(i / parts_)];
    double* const totals = totals_of(output, i % parts_);
    float* const results = reinterpret_cast<float*>(results_->data()) + worker * room_;
    std::int64_t done = 0;
    for (const Calls& calls : task.calls)
      for (std::int64_t call = 0; call < calls.count; ++call) {
        const void* a = task.a + matrix * a_batch_ + done * task.a_step;
        const std::int64_t k = calls.slices * calls.k;
        if (patches_) {
          kernels_.copy_patches(patches_->convolution, patches_->x, task.first + done, k,
                                patches_->of(worker));
          a = patches_->of(worker);
        }
        if (!calls.product.run_on(onednn_, worker, a, task.b + matrix * b_batch_ + done * task.b_step,
                                  results))
          return false;
        for (std::int64_t s = 0; s < calls.slices; ++s)
          kernels_.add_to_totals(totals, results + s * output.elements(), output.elements(),
                                 done == 0 && s == 0);
        done += k;
      }
    return true;
  }

  void finish(std::int64_t i, std::int64_t matrix) const {
    const Output& output = outputs_[static_cast<std::size_t>(i)];
    const Region& r = output.region;
    kernels_.store_totals(totals_of(output, 0), parts_, output.elements(), r.columns,
                          output.out + matrix * out_batch_, output.stride);
    if (output.epilogue.function) output.epilogue.run(0, 1);
  }

  ThreadPool& pool_;
  const OneDnn& onednn_;
  const KernelTable& kernels_;
  std::unique_ptr<Patches> patches_;
  std::vector<Output> outputs_;
  std::vector<Task> tasks_;  ///< of the first output all parts, of the next, ...
  std::int64_t parts_ = 1, room_ = 0;
  std::int64_t batch_, a_batch_ = 0, b_batch_ = 0,
                       out_batch_ = 0;        ///< products, and from one to the next: bytes, elements
  std::unique_ptr<Memory> totals_, results_;  ///< of the parts; of a call, `room_` for each worker
  BoundKernel bias_gradient_;
  std::atomic<bool> failed_{false};
};

}  // namespace

std::unique_ptr<Op> prepare_long_product(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                         const op::Matmul& d, const Bindings& at) {
  if (d.out.dtype != DType::float32 || d.k() <= op::longest_plain_k) return nullptr;
  return std::make_unique<LongProductOp>(pool, onednn, kernels, d, at);
}

std::unique_ptr<Op> prepare_long_product(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                         const op::ConvolutionWeights& d, const Bindings& at) {
  if (d.groups != 1 || d.x.dtype != DType::float32 || d.out_gradient.dtype != DType::float32) return nullptr;
  auto patches = std::make_unique<Patches>(d, at, pool.threads(), onednn.heap());
  const op::Matmul product = patches->product();
  const Bindings with_patches = patches->bindings(at);
  return std::make_unique<LongProductOp>(pool, onednn, kernels, product, with_patches, std::move(patches));
}

}  // namespace glia::cpu
