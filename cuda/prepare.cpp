// Ops of a list of descriptors. cuBLASLt's epilogues reach across descriptors: the forward product of a ReLU
// leaves a mask of bits, and the backward product that multiplies by ReLU's derivative reads it and sums the bias
// gradient on the way. Each of that is asked for, best first; what has no algorithm is left to kernels.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/convolutions.h>
#include <cuda/custom.h>
#include <cuda/launch.h>
#include <cuda/prepare.h>
#include <cuda/recurrent.h>
#include <cuda/sums_of_rows.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace glia::cuda {
namespace {

std::string in_words(const KernelLaunch& kernel) {
  return detail::concat(kernel.blocks, kernel.blocks == 1 ? " block of " : " blocks of ", kernel.threads);
}

/// A descriptor that no library does.
class KernelOp final : public Op {
 public:
  KernelOp(const Gpu& gpu, std::vector<KernelLaunch> kernels) : gpu_(gpu), kernels_(std::move(kernels)) {}
  void run() override {
    for (const KernelLaunch& kernel : kernels_) launch(kernel, gpu_);
  }
  std::string algorithm() const override { return "kernel, " + in_words(kernels_.front()); }

 private:
  const Gpu& gpu_;
  std::vector<KernelLaunch> kernels_;
};

/// One that reads or writes sources, which each run gives: its kernels are made anew with those, in the same memory.
class GivenKernelOp final : public Op {
 public:
  GivenKernelOp(const Gpu& gpu, const Descriptor& descriptor, const Bindings& at)
      : gpu_(gpu), descriptor_(descriptor), at_(at) {
    at_.given = &given_;
    give(*at.given);
  }
  void give(const Given& given) override {
    given_ = given;
    kernels_.clear();
    append_elementary_kernels(descriptor_, at_, gpu_.most_blocks(), kernels_);
  }
  void run() override {
    for (const KernelLaunch& kernel : kernels_) launch(kernel, gpu_);
  }
  std::string algorithm() const override { return "kernel, " + in_words(kernels_.front()); }

 private:
  const Gpu& gpu_;
  Descriptor descriptor_;
  Given given_;
  Bindings at_;
  std::vector<KernelLaunch> kernels_;
};

/// A call of cuBLASLt, out = a b.
struct LtCall {
  LtProduct product;
  const void *a, *b;
  void* out;
};

/// A product: by cuBLASLt or by a kernel, and after it whatever the product did not do on the way.
class ProductOp final : public Op {
 public:
  /// `memory` is what it works in; `batch` says of what a call is a batch, if it is.
  ProductOp(const Gpu& gpu, std::vector<LtCall> calls, std::vector<KernelLaunch> kernels,
            std::vector<std::shared_ptr<Memory>> memory, std::string batch)
      : gpu_(gpu),
        calls_(std::move(calls)),
        kernels_(std::move(kernels)),
        memory_(std::move(memory)),
        batch_(std::move(batch)) {}

  void run() override {
    for (const LtCall& call : calls_) call.product.run(call.a, call.b, call.out);
    for (const KernelLaunch& kernel : kernels_) launch(kernel, gpu_);
  }
  std::string algorithm() const override {
    std::string words = (calls_.empty() ? std::string("loops") : calls_.front().product.name()) + batch_;
    const std::size_t kernels = kernels_.size() - (calls_.empty() ? 1 : 0);
    if (kernels > 0) words += detail::concat(" and ", kernels, kernels == 1 ? " kernel" : " kernels");
    return words;
  }

 private:
  const Gpu& gpu_;
  std::vector<LtCall> calls_;
  std::vector<KernelLaunch> kernels_;
  std::vector<std::shared_ptr<Memory>> memory_;
  std::string batch_;
};

/// Products of a batch, one after another.
class BatchOp final : public Op {
 public:
  explicit BatchOp(std::vector<std::unique_ptr<Op>> products) : products_(std::move(products)) {}
  void run() override {
    for (const std::unique_ptr<Op>& product : products_) product->run();
  }
  std::string algorithm() const override {
    return detail::concat(products_.size(), " times ", products_.front()->algorithm());
  }

 private:
  std::vector<std::unique_ptr<Op>> products_;
};

/// An epilogue, and the product without what it does.
struct Choice {
  Epilogue epilogue;
  op::Matmul rest;
};

class Preparation {
 public:
  Preparation(Gpu& gpu, CublasLt& lt, Cudnn& cudnn, const std::vector<Descriptor>& descriptors,
              const Bindings& at)
      : gpu_(gpu), lt_(lt), cudnn_(cudnn), descriptors_(descriptors), at_(at), ops_(descriptors.size()) {}

  std::vector<std::unique_ptr<Op>> ops() {
    for (std::size_t i = 0; i < descriptors_.size(); ++i) {
      if (ops_[i]) continue;  // prepared along with one before
      const op::Matmul* matmul = std::get_if<op::Matmul>(&descriptors_[i]);
      if (!matmul)
        ops_[i] = prepare_other(descriptors_[i]);
      else if (!prepare_relu_pair(i))
        ops_[i] = prepare_product(*matmul);
    }
    return std::move(ops_);
  }

 private:
  const op::Matmul* matmul_at(std::size_t i) const { return std::get_if<op::Matmul>(&descriptors_[i]); }

  /// The first product from `first` on for which `wanted` holds, or the number of descriptors.
  template <class Wanted>
  std::size_t find(std::size_t first, const Wanted& wanted) const {
    std::size_t i = first;
    while (i < descriptors_.size() && !(matmul_at(i) && wanted(*matmul_at(i)))) ++i;
    return i;
  }

  static bool is_relu(const ElementwiseActivation& function) {
    return std::holds_alternative<Relu>(function);
  }
  const void* bias_of(const op::Matmul& d) const { return at_.address<>(d.bias); }

  /// Forward and backward of a ReLU with its bits between them, and the bias gradient that goes with it. False,
  /// and nothing prepared, where the list has no such pair or cuBLASLt lacks an algorithm for it.
  bool prepare_relu_pair(std::size_t forward) {
    const op::Matmul& f = *matmul_at(forward);
    if (!is_relu(f.activation)) return false;
    const std::size_t backward = find(forward + 1, [&](const op::Matmul& d) {
      return is_relu(d.derivative) && d.saved.same_place(f.out) && d.out.shape == f.out.shape;
    });
    if (backward == descriptors_.size()) return false;
    const op::Matmul& b = *matmul_at(backward);
    if (is_long(f) || is_long(b) || b.k() == 1) return false;  // cuBLAS has no DRELU at k = 1

    const std::int64_t stride = relu_stride_for(f.out.shape[1]);
    const std::shared_ptr<Memory> mask = gpu_.allocate(static_cast<std::size_t>(f.out.shape[0] * stride / 8));
    GLIA_CUDA(cudaMemsetAsync(mask->data(), 0, mask->bytes(), gpu_.stream()));  // what is tried reads it
    op::Matmul forward_rest = f;
    forward_rest.bias = {}, forward_rest.activation = Linear{};
    std::optional<LtProduct> forward_product =
        lt_.find(f, {f.bias ? CUBLASLT_EPILOGUE_RELU_AUX_BIAS : CUBLASLT_EPILOGUE_RELU_AUX, bias_of(f),
                     mask->data(), stride});
    if (!forward_product || !lt_.keeps_nan(*forward_product, f)) return false;

    op::Matmul backward_rest = b;
    backward_rest.saved = {}, backward_rest.derivative = Linear{};
    const std::size_t weights = find(backward + 1, [&](const op::Matmul& d) {
      return d.bias_gradient && d.b.same_place(b.out) && d.b.shape == b.out.shape;
    });
    // A temporary has its memory from the product that names it on, not from this one.
    const auto waits = [](const op::Matmul& d) { return d.bias_gradient.buffer == Buffer::arena; };
    std::optional<LtProduct> backward_product;
    if (weights < descriptors_.size() && !is_long(*matmul_at(weights)) && !waits(*matmul_at(weights))) {
      op::Matmul weights_rest = *matmul_at(weights);
      const void* gradient = at_.address<>(std::exchange(weights_rest.bias_gradient, {}));
      backward_product = lt_.find(b, {CUBLASLT_EPILOGUE_DRELU_BGRAD, gradient, mask->data(), stride});
      if (backward_product) ops_[weights] = prepare_product(weights_rest);
    }
    if (!backward_product)
      backward_product = lt_.find(b, {CUBLASLT_EPILOGUE_DRELU, nullptr, mask->data(), stride});
    if (!backward_product) return false;

    ops_[forward] = product_op(std::move(forward_product), forward_rest, mask);
    ops_[backward] = product_op(std::move(backward_product), backward_rest, mask);
    return true;
  }

  /// `rest` is what is still to be done when `product`, if there is one, has run.
  std::unique_ptr<Op> product_op(std::optional<LtProduct> product, const op::Matmul& rest,
                                 std::shared_ptr<Memory> memory = nullptr) const {
    std::vector<LtCall> calls;
    std::vector<KernelLaunch> kernels;
    if (product)
      calls.push_back(
          {std::move(*product), at_.address<>(rest.a), at_.address<>(rest.b), at_.address<>(rest.out)});
    else
      kernels.push_back(product_kernel(rest, at_, gpu_.most_blocks()));
    if (rest.out.shape.rank() == 2) append_epilogue(kernels, rest);
    std::vector<std::shared_ptr<Memory>> memories{std::move(memory)};
    if (rest.bias_gradient && rest.b.is_contiguous())
      memories.push_back(append_sums_of_rows(kernels, gpu_, rest.b, rest.bias_gradient, at_));
    else if (rest.bias_gradient)
      kernels.push_back(bias_gradient_kernel(rest, at_, gpu_.most_blocks()));
    return std::make_unique<ProductOp>(gpu_, std::move(calls), std::move(kernels), std::move(memories),
                                       rest.batch() == 1 ? "" : detail::concat(", batch of ", rest.batch()));
  }
  void append_epilogue(std::vector<KernelLaunch>& kernels, const op::Matmul& d) const {
    for (const KernelLaunch& kernel : epilogue_kernels(op::epilogue_of(d), at_, gpu_.most_blocks()))
      kernels.push_back(kernel);
  }

  std::unique_ptr<Op> prepare_other(const Descriptor& descriptor) {
    if (const auto* d = std::get_if<op::Convolution>(&descriptor))
      return prepare_convolution(gpu_, cudnn_, *d, at_);
    if (const auto* d = std::get_if<op::ConvolutionTranspose>(&descriptor))
      return prepare_convolution(gpu_, cudnn_, *d, at_);
    if (const auto* d = std::get_if<op::ConvolutionWeights>(&descriptor))
      return prepare_convolution(gpu_, cudnn_, *d, at_);
    if (auto recurrent = prepare_recurrent(gpu_, lt_, descriptor, at_)) return recurrent;
    if (at_.given && has_sources(descriptor)) return std::make_unique<GivenKernelOp>(gpu_, descriptor, at_);
    if (const auto* d = std::get_if<op::Custom>(&descriptor)) return prepare_custom(gpu_, *d, at_);
    return std::make_unique<KernelOp>(gpu_, elementary_kernels(descriptor, at_, gpu_.most_blocks()));
  }

  /// The ways to do a product alone, the most in one call first.
  std::vector<Choice> choices(const op::Matmul& d) const {
    std::vector<Choice> result;
    const auto add = [&](cublasLtEpilogue_t kind, const void* bias) -> op::Matmul& {
      result.push_back({{kind, bias, nullptr, 0}, d});
      return result.back().rest;
    };
    if (is_relu(d.activation)) {
      op::Matmul& rest = add(d.bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU, bias_of(d));
      rest.bias = {}, rest.activation = Linear{};
    }
    if (d.bias) add(CUBLASLT_EPILOGUE_BIAS, bias_of(d)).bias = {};
    if (d.bias_gradient) add(CUBLASLT_EPILOGUE_BGRADA, at_.address<>(d.bias_gradient)).bias_gradient = {};
    add(CUBLASLT_EPILOGUE_DEFAULT, nullptr);
    return result;
  }

  /// Of float32, over a k that it is not to sum at once.
  static bool is_long(const op::Matmul& d) {
    return d.out.dtype == DType::float32 && d.k() > op::longest_plain_k;
  }

  /// The first of `count` pieces of an operand as a batch of them, `step` elements apart.
  static View in_pieces(const View& first, std::int64_t count, std::int64_t step) {
    View batch = first;
    batch.shape = first.shape.prepend(count), batch.strides = first.strides.prepend(step);
    return batch;
  }

  /// Pieces of k multiplied as a batch in one call, what is left of k in another, and all those products added by a kernel.
  /// Null where cuBLASLt does not do that, or one piece is all there is room for.
  std::unique_ptr<Op> prepare_long_product(const op::Matmul& d) {
    constexpr std::int64_t k_of_piece = 1024, alignment = 64;
    const auto most_bytes =
        static_cast<std::int64_t>(std::min(std::size_t{32} << 20, gpu_.workspace_limit()));
    const std::int64_t m = d.out.shape[0], n = d.out.shape[1], k = d.a.shape[1];
    const std::int64_t step = elements_of_piece(m, n), bytes = step * size_of(d.out.dtype);
    const std::int64_t wanted = std::min(k / k_of_piece, most_bytes / bytes - 1);  // one is for what is left
    if (wanted < 2 || !d.out.is_contiguous() || (d.bias_gradient && !d.b.is_contiguous())) return nullptr;
    const std::int64_t piece = k / wanted / alignment * alignment, pieces = k / piece, left = k % piece;

    View products = View::contiguous(Buffer::slots, d.out.dtype, {pieces + (left > 0 ? 1 : 0), step});
    const std::shared_ptr<Memory> memory = gpu_.allocate(static_cast<std::size_t>(products.bytes()));
    products.shape[1] = m * n;
    Bindings at = at_;
    at.base[static_cast<std::size_t>(products.buffer)] = memory->data();
    std::vector<LtCall> calls;
    const auto multiply = [&](std::int64_t first, std::int64_t length, std::int64_t parts) {
      op::Matmul part = d;
      part.a = in_pieces(d.a.part(1, first, length), parts, length * d.a.strides[1]);
      part.b = in_pieces(d.b.part(0, first, length), parts, length * d.b.strides[0]);
      part.out = View::contiguous(products.buffer, d.out.dtype, {m, n}, first / piece * bytes);
      part.out = in_pieces(part.out, parts, step);
      std::optional<LtProduct> product = lt_.find(part, {});
      if (!product) return false;
      calls.push_back(
          {std::move(*product), at_.address<>(part.a), at_.address<>(part.b), at.address<>(part.out)});
      return true;
    };
    if (!multiply(0, piece, pieces) || (left > 0 && !multiply(pieces * piece, left, 1))) return nullptr;

    op::Matmul sum;  // of the products, as a bias gradient is one of rows
    sum.out = sum.b = products;
    sum.bias_gradient = d.out.reshaped({m * n});
    std::vector<KernelLaunch> kernels{bias_gradient_kernel(sum, at, gpu_.most_blocks())};
    append_epilogue(kernels, d);
    std::vector<std::shared_ptr<Memory>> memories{memory};
    if (d.bias_gradient) memories.push_back(append_sums_of_rows(kernels, gpu_, d.b, d.bias_gradient, at_));
    return std::make_unique<ProductOp>(gpu_, std::move(calls), std::move(kernels), std::move(memories),
                                       detail::concat(", ", pieces, " pieces of k"));
  }

  /// A batch over a k that it is not to sum at once: one after another. Null where one of them is not to be had.
  std::unique_ptr<Op> prepare_long_batch(const op::Matmul& d) {
    std::vector<std::unique_ptr<Op>> products;
    for (std::int64_t i = 0; i < d.batch(); ++i) {
      products.push_back(prepare_long_product(d.matrix_at(i)));
      if (!products.back()) return nullptr;
    }
    return std::make_unique<BatchOp>(std::move(products));
  }

  std::unique_ptr<Op> prepare_product(const op::Matmul& d) {
    if (is_long(d))
      if (auto op = d.out.shape.rank() == 2 ? prepare_long_product(d) : prepare_long_batch(d)) return op;
    for (const Choice& choice : choices(d)) {
      std::optional<LtProduct> product = lt_.find(d, choice.epilogue);
      if (!product) continue;
      const bool fused_relu = is_relu(d.activation) && !is_relu(choice.rest.activation);
      if (fused_relu && !lt_.keeps_nan(*product, d)) continue;
      return product_op(std::move(product), choice.rest);
    }
    GLIA_CHECK(d.a.dtype != DType::bfloat16, DeviceError, "cuBLASLt has no algorithm for ", d.a.shape, " x ",
               d.b.shape, " of bfloat16: compile without .precision");
    return product_op(std::nullopt, d);
  }

  Gpu& gpu_;
  CublasLt& lt_;
  Cudnn& cudnn_;
  const std::vector<Descriptor>& descriptors_;
  const Bindings& at_;
  std::vector<std::unique_ptr<Op>> ops_;
};

}  // namespace

bool multiplies_bfloat16(const Gpu& gpu, CublasLt& lt, Cudnn& cudnn, const Descriptor& product) {
  if (gpu.compute_capability() < 80) return false;
  if (const auto* d = std::get_if<op::Matmul>(&product)) return lt.find(*d, {}).has_value();
  return std::visit(
      [&](const auto& d) {
        if constexpr (requires { d.groups; }) return multiplies_bfloat16(cudnn, d);
        return false;
      },
      product);
}

std::vector<std::unique_ptr<Op>> prepare_ops(Gpu& gpu, CublasLt& lt, Cudnn& cudnn,
                                             const std::vector<Descriptor>& descriptors,
                                             const Bindings& bindings) {
  return Preparation(gpu, lt, cudnn, descriptors, bindings).ops();
}

}  // namespace glia::cuda
