// Ops of convolutions. cuDNN wants weights as (filters, height, width, channels) where Glia, as Keras, has them the other way
// round: they are transposed before or after. Where padding differs an image is copied into one that holds it.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/convolution_problem.h>
#include <cuda/convolutions.h>
#include <cuda/faults.h>
#include <cuda/kernels.h>
#include <cuda/launch.h>
#include <cuda/sums_of_rows.h>

#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {
namespace {

using Kernels = std::vector<KernelLaunch>;

void append(Kernels& kernels, const Kernels& more) {
  kernels.insert(kernels.end(), more.begin(), more.end());
}

class ConvolutionOp final : public Op {
 public:
  explicit ConvolutionOp(const Gpu& gpu) : gpu_(gpu) {}

  void run() override {
    for (const KernelLaunch& kernel : before) launch(kernel, gpu_);
    if (convolution) convolution->run(operands);
    for (const KernelLaunch& kernel : after) launch(kernel, gpu_);
  }
  std::string algorithm() const override {
    if (!convolution) return "loops (" + why_loops + ')';
    const std::size_t kernels = before.size() + after.size();
    return detail::concat(convolution->name(), " and ", kernels, kernels == 1 ? " kernel" : " kernels");
  }

  std::string warning() const override {
    if (convolution) return {};
    return detail::concat("convolutions run as plain loops on GPU ", gpu_.index(),
                          ", many times slower than by cuDNN (", why_loops,
                          "): explain() shows which; cuDNN 9 must be where the loader finds it");
  }

  std::shared_ptr<const CudnnConvolution> convolution;
  ConvolutionOperands operands = {};
  std::shared_ptr<Memory> scratch, sums;  // of the operands; of a bias's gradient
  Kernels before, after;
  std::string why_loops;

 private:
  const Gpu& gpu_;
};

/// Hands out views of the scratch memory, in a buffer where no operand of a convolution lies.
class ScratchViews {
 public:
  static constexpr Buffer buffer = Buffer::slots;

  View add(DType dtype, const Shape& shape) {
    const View view = View::contiguous(buffer, dtype, shape, bytes_);
    bytes_ += align_up(view.bytes());
    return view;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_ = 0;
};

/// The product itself; null where cuDNN has none.
std::unique_ptr<ConvolutionOp> prepare_product(Gpu& gpu, Cudnn& cudnn, Convolved c,
                                               const Bindings& bindings) {
  const ConvolutionProblem problem = problem_of(c);
  auto op = std::make_unique<ConvolutionOp>(gpu);
  op->convolution = cudnn.find(problem);
  if (!op->convolution) return nullptr;

  ScratchViews scratch;
  // cuDNN's result is of the type of its factors.
  const View result = c.result_view();
  const bool widens = result.dtype != problem.dtype;
  if (widens) c.result_view() = scratch.add(problem.dtype, result.shape);
  const bool copies = !is_padded_alike(c);
  const View matrix = c.weights.matrix();
  const View transposed = scratch.add(matrix.dtype, {matrix.shape[1], matrix.shape[0]});
  const View covered = copies ? scratch.add(c.x.dtype, problem.x_shape) : c.x;
  const auto workspace = static_cast<std::size_t>(scratch.bytes());
  op->scratch = cudnn.scratch(workspace + op->convolution->workspace_bytes());
  Bindings at = bindings;
  at.base[static_cast<int>(ScratchViews::buffer)] = op->scratch->data();

  const bool transposes = !planted("untransposed_filter");
  op->operands = {at.address<>(covered), at.address<>(transposes ? transposed : matrix), at.address<>(c.y),
                  op->scratch->data() + workspace, at.address<>(c.bias)};
  const unsigned most = gpu.most_blocks();
  if (transposes && c.result == ConvolutionProblem::weights)
    op->after.push_back(transpose_kernel(transposed, matrix, at, most));
  else if (transposes)
    op->before.push_back(transpose_kernel(matrix, transposed, at, most));
  const Window& w = c.window;
  if (copies && c.result == ConvolutionProblem::x)
    append(op->after, elementary_kernels(op::Shift{covered, c.x, -w.top, -w.left}, at, most));
  else if (copies)
    append(op->before, elementary_kernels(op::Shift{c.x, covered, w.top, w.left}, at, most));
  if (widens) append(op->after, elementary_kernels(op::Round{c.result_view(), result}, at, most));
  return op;
}

/// All of it by kernels.
template <class D>
std::unique_ptr<ConvolutionOp> prepare_loops(const Gpu& gpu, const Cudnn& cudnn, const D& d,
                                             const Bindings& at) {
  GLIA_CHECK(convolved(d).type_of_factors() != DType::bfloat16, DeviceError, cudnn.why_not(),
             " for a convolution ", d.x.shape, " of bfloat16: compile without .precision");
  auto op = std::make_unique<ConvolutionOp>(gpu);
  op->after = elementary_kernels(d, at, gpu.most_blocks());
  op->why_loops = cudnn.why_not();
  return op;
}

}  // namespace

template <class D>
bool multiplies_bfloat16(Cudnn& cudnn, const D& d) {
  return cudnn.find(problem_of(convolved(d))) != nullptr;
}
template bool multiplies_bfloat16(Cudnn&, const op::Convolution&);
template bool multiplies_bfloat16(Cudnn&, const op::ConvolutionTranspose&);
template bool multiplies_bfloat16(Cudnn&, const op::ConvolutionWeights&);

std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::Convolution& d,
                                        const Bindings& at) {
  auto op = prepare_product(gpu, cudnn, convolved(d), at);
  if (!op) return prepare_loops(gpu, cudnn, d, at);
  if (op->convolution->fused() == ConvolutionProblem::nothing)
    append(op->after, epilogue_kernels(op::epilogue_of(d), at, gpu.most_blocks()));
  return op;
}

std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::ConvolutionTranspose& d,
                                        const Bindings& at) {
  auto op = prepare_product(gpu, cudnn, convolved(d), at);
  if (!op) return prepare_loops(gpu, cudnn, d, at);
  append(op->after, epilogue_kernels(op::epilogue_of(d), at, gpu.most_blocks()));
  return op;
}

/// The bias gradient is a kernel's: cuDNN does not promise that cudnnConvolutionBackwardBias adds in one order.
std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::ConvolutionWeights& d,
                                        const Bindings& at) {
  auto op = prepare_product(gpu, cudnn, convolved(d), at);
  if (!op) return prepare_loops(gpu, cudnn, d, at);
  if (d.bias_gradient)
    op->sums = append_sums_of_rows(op->after, gpu, d.out_gradient.matrix(), d.bias_gradient, at);
  return op;
}

}  // namespace glia::cuda
