// Attention: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/attention.h>

#include <algorithm>
#include <string>

namespace glia::cpu {
namespace {

/// Multiply-adds that make a slice worth a hand-over to another thread.
constexpr std::int64_t slice_products = std::int64_t{1} << 17;

const op::Attention& forward_of(const op::Attention& d) { return d; }
const op::Attention& forward_of(const op::AttentionGradient& d) { return d.of; }

/// Kernels of one descriptor: floats that a thread needs to work in, and what is done with a head of keys of a row.
template <class D>
struct HeadKernels {
  std::int64_t (*room)(const D& d);
  void (*run)(const D& d, const Bindings& at, std::int64_t head, float* room);
};

template <class D>
class AttentionOp final : public Op {
 public:
  AttentionOp(ThreadPool& pool, Heap& heap, const HeadKernels<D>& kernels, const D& d, const Bindings& at)
      : pool_(pool), kernels_(kernels), d_(d), at_(at) {
    const op::Attention& of = forward_of(d);
    heads_ = of.rows() * of.keys.shape[1];
    const std::int64_t products =
        of.shared() * of.steps() * of.keys.shape[2] * (of.queries.shape[3] + of.values.shape[3]);
    heads_of_slice_ = std::max<std::int64_t>(1, slice_products / std::max<std::int64_t>(1, products));
    slices_ = (heads_ + heads_of_slice_ - 1) / heads_of_slice_;
    room_ = (kernels.room(d) + 15) / 16 * 16;  // whole cache lines
    memory_ = heap.allocate(static_cast<std::size_t>(room_ * pool.threads()) * sizeof(float),
                            MemoryUse::workspaces);
  }

  void run() override {
    pool_.run(slices_, [this](std::int64_t slice, int worker) {
      float* const room = reinterpret_cast<float*>(memory_->data()) + worker * room_;
      const std::int64_t first = slice * heads_of_slice_, end = std::min(first + heads_of_slice_, heads_);
      for (std::int64_t head = first; head < end; ++head) kernels_.run(d_, at_, head, room);
    });
  }
  std::string algorithm() const override {
    return detail::concat("panels, ", slices_, slices_ == 1 ? " slice" : " slices");
  }

 private:
  ThreadPool& pool_;
  HeadKernels<D> kernels_;
  D d_;
  Bindings at_;
  std::int64_t heads_, heads_of_slice_, slices_, room_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace

std::unique_ptr<Op> prepare_attention(ThreadPool& pool, Heap& heap, const KernelTable& kernels,
                                      const Descriptor& descriptor, const Bindings& at) {
  const auto prepared = [&](const auto* d, const auto& of_head) -> std::unique_ptr<Op> {
    if (!d || forward_of(*d).queries.dtype != DType::float32) return nullptr;
    return std::make_unique<AttentionOp<std::decay_t<decltype(*d)>>>(pool, heap, of_head, *d, at);
  };
  if (auto op = prepared(std::get_if<op::Attention>(&descriptor),
                         HeadKernels<op::Attention>{kernels.attention_room, kernels.attend}))
    return op;
  return prepared(std::get_if<op::AttentionGradient>(&descriptor),
                  HeadKernels<op::AttentionGradient>{kernels.attention_gradient_room, kernels.attend_back});
}

}  // namespace glia::cpu
