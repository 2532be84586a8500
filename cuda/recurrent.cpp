// Recurrent layers: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/launch.h>
#include <cuda/recurrent.h>
#include <glia/recurrent_steps.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {
namespace {

class RecurrentOp final : public Op {
 public:
  template <class Recurrent>
  RecurrentOp(Gpu& gpu, CublasLt& lt, const Recurrent& d, const Bindings& at) : gpu_(gpu) {
    for (const RecurrentStage& stage : stages_of(d, 0, d.rows())) {
      Launches launches;
      if (stage.has_product) {
        launches.product = product_like(lt, stage.product);
        launches.a = at.address<>(stage.product.a), launches.b = at.address<>(stage.product.b);
        launches.out = at.address<>(stage.product.out);
        if (!products_[launches.product].found)
          launches.kernels.push_back(product_kernel(stage.product, at, gpu.most_blocks()));
      }
      launches.kernels.push_back(stage_kernel(d, stage, at, gpu.most_blocks()));
      stages_.push_back(std::move(launches));
    }
  }

  void run() override {
    for (const Launches& stage : stages_) {
      if (stage.product != no_product && products_[stage.product].found)
        products_[stage.product].found->run(stage.a, stage.b, stage.out);
      for (const KernelLaunch& kernel : stage.kernels) launch(kernel, gpu_);
    }
  }
  std::string algorithm() const override {
    const bool by_library = !products_.empty() && products_.front().found;
    return (by_library ? products_.front().found->name() : std::string("loops")) +
           detail::concat(" and a kernel, ", stages_.size(), " times");
  }

 private:
  static constexpr std::size_t no_product = static_cast<std::size_t>(-1);
  struct Launches {
    std::size_t product = no_product;
    const void *a = nullptr, *b = nullptr;
    void* out = nullptr;
    std::vector<KernelLaunch> kernels;
  };
  /// A product, of operands that lie like these wherever they are: its algorithm is tried once.
  struct Product {
    op::Matmul like;
    std::optional<LtProduct> found;  ///< nothing where cuBLASLt has no algorithm
  };

  std::size_t product_like(CublasLt& lt, const op::Matmul& d) {
    const auto alike = [](const View& a, const View& b) {
      return a.shape == b.shape && a.strides == b.strides && alignment_of(a) == alignment_of(b);
    };
    std::size_t i = 0;
    while (i < products_.size() && !(alike(products_[i].like.a, d.a) && alike(products_[i].like.b, d.b) &&
                                     alike(products_[i].like.out, d.out)))
      ++i;
    if (i == products_.size()) products_.push_back({d, lt.find(d, {})});
    return i;
  }

  const Gpu& gpu_;
  std::vector<Product> products_;
  std::vector<Launches> stages_;
};

}  // namespace

std::unique_ptr<Op> prepare_recurrent(Gpu& gpu, CublasLt& lt, const Descriptor& descriptor,
                                      const Bindings& at) {
  if (const auto* d = std::get_if<op::Recurrent>(&descriptor))
    return std::make_unique<RecurrentOp>(gpu, lt, *d, at);
  if (const auto* d = std::get_if<op::RecurrentGradient>(&descriptor))
    return std::make_unique<RecurrentOp>(gpu, lt, *d, at);
  return nullptr;
}

}  // namespace glia::cuda
