// Convolutions by oneDNN 2.6 or 3.x.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/onednn_handles.h>

#include <algorithm>
#include <array>
#include <utility>

namespace glia::cpu {
namespace {

using dnnl::memory;

/// What a convolution's primitives are made from, as oneDNN has it.
struct Problem {
  std::int64_t x_height, x_width, channels, y_height, y_width, filters, groups;
  memory::data_type x_type, y_type, weights_type;
  memory::dims strides, dilations, before, after;
  memory::dims weights_dims;
  memory::desc weights;  ///< as they lie in the model

  static std::int64_t padding_after(std::int64_t x, std::int64_t y, std::int64_t stride, std::int64_t span,
                                    std::int64_t before) {
    return std::max<std::int64_t>((y - 1) * stride + span - x - before, 0);
  }

  Problem(const View& x, const View& weights_view, const View& y, const Window& w, std::int64_t groups)
      : x_height(x.shape[1]),
        x_width(x.shape[2]),
        channels(x.shape[3]),
        y_height(y.shape[1]),
        y_width(y.shape[2]),
        filters(y.shape[3]),
        groups(groups),
        x_type(data_type_of(x)),
        y_type(data_type_of(y)),
        weights_type(data_type_of(weights_view)),
        strides{w.stride_height, w.stride_width},
        dilations{w.dilation_height - 1, w.dilation_width - 1},
        before{w.top, w.left},
        after{padding_after(x_height, y_height, w.stride_height, w.span_height(), w.top),
              padding_after(x_width, y_width, w.stride_width, w.span_width(), w.left)},
        weights_dims{filters / groups, channels / groups, w.height, w.width} {
    const std::int64_t tap = channels / groups * filters;
    // (window height, window width, channels / groups, filters), row-major.
    memory::dims weights_strides{1, filters, w.width * tap, tap};
    if (groups > 1) {
      weights_dims.insert(weights_dims.begin(), groups);
      weights_strides.insert(weights_strides.begin(), filters / groups);
    }
    weights = memory::desc(weights_dims, weights_type, weights_strides);
  }

  explicit Problem(const op::Convolution& d) : Problem(d.x, d.weights, d.out, d.window, d.groups) {}
  explicit Problem(const op::ConvolutionTranspose& d) : Problem(d.out, d.weights, d.x, d.window, d.groups) {}
  explicit Problem(const op::ConvolutionWeights& d)
      : Problem(d.x, d.weights_gradient, d.out_gradient, d.window, d.groups) {}

  /// The same with the result in the type of the factors: what gradients are told of their forward convolution.
  Problem of_one_type(memory::data_type type) const {
    Problem p = *this;
    p.x_type = p.y_type = p.weights_type = type;
    return p;
  }

  memory::desc any_weights() const {
    return memory::desc(weights_dims, weights_type, memory::format_tag::any);
  }
  memory::desc x(std::int64_t images) const {
    return memory::desc({images, channels, x_height, x_width}, x_type, memory::format_tag::nhwc);
  }
  memory::desc y(std::int64_t images) const {
    return memory::desc({images, filters, y_height, y_width}, y_type, memory::format_tag::nhwc);
  }
};

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;
constexpr auto direct = dnnl::algorithm::convolution_direct;

Forward::primitive_desc forward_desc(const dnnl::engine& engine, const Problem& p, std::int64_t images,
                                     const memory::desc& weights) {
  const auto kind = dnnl::prop_kind::forward_training;
  const memory::desc bias;
#if DNNL_VERSION_MAJOR >= 3
  return Forward::primitive_desc(engine, kind, direct, p.x(images), weights, bias, p.y(images), p.strides,
                                 p.dilations, p.before, p.after, with_own_scratchpad());
#else
  return Forward::primitive_desc(Forward::desc(kind, direct, p.x(images), weights, bias, p.y(images),
                                               p.strides, p.dilations, p.before, p.after),
                                 with_own_scratchpad(), engine);
#endif
}

BackwardData::primitive_desc backward_data_desc(const dnnl::engine& engine, const Problem& p,
                                                std::int64_t images) {
  const Problem forward = p.of_one_type(p.y_type);
  const Forward::primitive_desc hint = forward_desc(engine, forward, images, forward.any_weights());
#if DNNL_VERSION_MAJOR >= 3
  return BackwardData::primitive_desc(engine, direct, p.x(images), p.any_weights(), p.y(images), p.strides,
                                      p.dilations, p.before, p.after, hint, with_own_scratchpad());
#else
  return BackwardData::primitive_desc(BackwardData::desc(direct, p.x(images), p.any_weights(), p.y(images),
                                                         p.strides, p.dilations, p.before, p.after),
                                      with_own_scratchpad(), engine, hint);
#endif
}

BackwardWeights::primitive_desc backward_weights_desc(const dnnl::engine& engine, const Problem& p,
                                                      std::int64_t images, const memory::desc& weights) {
  const Problem forward = p.of_one_type(p.y_type);
  const Forward::primitive_desc hint = forward_desc(engine, forward, images, forward.any_weights());
  const memory::desc bias;
#if DNNL_VERSION_MAJOR >= 3
  return BackwardWeights::primitive_desc(engine, direct, p.x(images), weights, bias, p.y(images), p.strides,
                                         p.dilations, p.before, p.after, hint, with_own_scratchpad());
#else
  return BackwardWeights::primitive_desc(
      BackwardWeights::desc(direct, p.x(images), weights, bias, p.y(images), p.strides, p.dilations, p.before,
                            p.after),
      with_own_scratchpad(), engine, hint);
#endif
}

}  // namespace

struct OneDnnConvolution::Primitives {
  /// For slices of one size: the primitive, and room for each worker.
  struct Kind {
    dnnl::primitive primitive;
    memory::desc weights;
    std::vector<OwnedMemory> scratchpads;
  };
  struct Slice {
    std::size_t kind;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  /// Weights in another layout, and the primitive that copies them. `own` is where that lies, if not in the model.
  struct Copy {
    OwnedMemory own;
    memory from, to;
    dnnl::reorder reorder;

    Copy(const memory& from, const memory& to) : from(from), to(to), reorder(from, to) {}
    Copy(const memory& from, OwnedMemory place)
        : own(std::move(place)), from(from), to(own.memory()), reorder(from, to) {}
    std::array<dnnl_exec_arg_t, 2> arguments() const {
      return {{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}}};
    }
  };

  const OneDnn& onednn;
  const dnnl::engine& engine = onednn.handles().engine;
  std::string implementation;
  std::vector<memory> memories;  ///< kept for the arguments
  std::vector<Kind> kinds;
  std::vector<Slice> slices;
  std::vector<Copy> copies;  ///< of the weights, before; or, of their gradient's sum, after
  float* sums = nullptr;     ///< of the slices, each of `stride` numbers; the first becomes the sum
  std::int64_t stride = 0;
  std::unique_ptr<Memory> sums_memory;

  explicit Primitives(const OneDnn& onednn) : onednn(onednn) {}

  dnnl_memory_t keep(const memory::desc& desc, void* data) {
    memories.emplace_back(desc, engine, data);
    return memories.back().get();
  }

  template <class Desc>
  void add_kind(const Desc& desc, const memory::desc& weights) {
    implementation = kinds.empty() ? desc.impl_info_str() : implementation;
    Kind kind{dnnl::primitive(desc.get()), weights, {}};
    for (std::size_t worker = 0; worker < onednn.handles().streams.size(); ++worker)
      kind.scratchpads.emplace_back(onednn, desc.scratchpad_desc());
    kinds.push_back(std::move(kind));
  }

  /// The primitive of a slice, once.
  void try_slice(const Slice& slice) const {
    const Kind& kind = kinds[slice.kind];
    std::vector<dnnl_exec_arg_t> arguments = slice.arguments;
    arguments.push_back({DNNL_ARG_SCRATCHPAD, kind.scratchpads.front().get()});
    try_once(onednn, kind.primitive, arguments);
  }
  /// All primitives once.
  void try_all() const {
    try_slice(slices.front());
    if (kinds.size() > 1) try_slice(slices.back());
    for (const Copy& copy : copies) try_once(onednn, copy.reorder, copy.arguments());
  }

  /// The weights at `model` as `wanted` lays them out; itself where that is how they lie.
  dnnl_memory_t packed(const memory::desc& model, const memory::desc& wanted, void* data) {
    if (wanted == model) return keep(model, data);
    for (const Copy& copy : copies)
      if (copy.to.get_desc() == wanted) return copy.to.get();
    copies.emplace_back(memory(model, engine, data), OwnedMemory(onednn, wanted));
    return copies.back().to.get();
  }
};

namespace {

/// The slices of `images` images each as (first image, how many, whether of the second size).
template <class F>
void for_each_slice(std::int64_t batch, std::int64_t images, const F& f) {
  for (std::int64_t first = 0; first < batch; first += images) {
    const std::int64_t count = std::min(images, batch - first);
    f(first, count, count < images ? std::size_t{1} : std::size_t{0});
  }
}

std::vector<std::int64_t> sizes_of_slices(std::int64_t batch, std::int64_t images) {
  std::vector<std::int64_t> sizes{images};
  if (batch % images != 0) sizes.push_back(batch % images);
  return sizes;
}

/// Runs `make`, and says what it was about where oneDNN refuses.
template <class Make>
void make_or_explain(const View& x, const View& y, const Make& make) {
  const OneThread one;
  expect_room();
  try {
    make();
  } catch (const dnnl::error& error) {
    refuse(error, "convolve images", x.shape, "to", y.shape);
  }
}

std::int64_t elements_of_image(const View& images) { return images.elements() / images.shape[0]; }

/// Whether the primitive of one image that `describe` makes is there, and none of the plain loops called "ref".
template <class Describe>
bool is_compiled(const Describe& describe) {
  if (!processor_multiplies_bfloat16()) return false;
  const OneThread one;
  try {
    return std::string(describe().impl_info_str()).rfind("ref", 0) != 0;
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace

bool multiplies_bfloat16(const OneDnn& onednn, const op::Convolution& d) {
  const Problem p(d);
  return is_compiled([&] { return forward_desc(onednn.handles().engine, p, 1, p.any_weights()); });
}
bool multiplies_bfloat16(const OneDnn& onednn, const op::ConvolutionTranspose& d) {
  return is_compiled([&] { return backward_data_desc(onednn.handles().engine, Problem(d), 1); });
}
bool multiplies_bfloat16(const OneDnn& onednn, const op::ConvolutionWeights& d) {
  const Problem p(d);
  return is_compiled([&] { return backward_weights_desc(onednn.handles().engine, p, 1, p.any_weights()); });
}

OneDnnConvolution::OneDnnConvolution(const OneDnn& onednn, const op::Convolution& d, const Bindings& at,
                                     std::int64_t images)
    : primitives_(std::make_unique<Primitives>(onednn)) {
  make_or_explain(d.x, d.out, [&] {
    Primitives& p = *primitives_;
    const Problem problem(d);
    for (const std::int64_t size : sizes_of_slices(d.x.shape[0], images)) {
      const auto desc = forward_desc(p.engine, problem, size, problem.any_weights());
      p.add_kind(desc, desc.weights_desc());
    }
    for_each_slice(d.x.shape[0], images, [&](std::int64_t first, std::int64_t count, std::size_t kind) {
      void* const x = element_at(at, d.x, first * elements_of_image(d.x));
      void* const y = element_at(at, d.out, first * elements_of_image(d.out));
      p.slices.push_back(
          {kind,
           {{DNNL_ARG_SRC, p.keep(problem.x(count), x)},
            {DNNL_ARG_WEIGHTS, p.packed(problem.weights, p.kinds[kind].weights, at.address<>(d.weights))},
            {DNNL_ARG_DST, p.keep(problem.y(count), y)}}});
    });
    p.try_all();
  });
}

OneDnnConvolution::OneDnnConvolution(const OneDnn& onednn, const op::ConvolutionTranspose& d,
                                     const Bindings& at, std::int64_t images)
    : primitives_(std::make_unique<Primitives>(onednn)) {
  make_or_explain(d.x, d.out, [&] {
    Primitives& p = *primitives_;
    const Problem problem(d);
    for (const std::int64_t size : sizes_of_slices(d.x.shape[0], images)) {
      const auto desc = backward_data_desc(p.engine, problem, size);
      p.add_kind(desc, desc.weights_desc());
    }
    for_each_slice(d.x.shape[0], images, [&](std::int64_t first, std::int64_t count, std::size_t kind) {
      void* const x = element_at(at, d.out, first * elements_of_image(d.out));
      void* const y = element_at(at, d.x, first * elements_of_image(d.x));
      p.slices.push_back(
          {kind,
           {{DNNL_ARG_DIFF_DST, p.keep(problem.y(count), y)},
            {DNNL_ARG_WEIGHTS, p.packed(problem.weights, p.kinds[kind].weights, at.address<>(d.weights))},
            {DNNL_ARG_DIFF_SRC, p.keep(problem.x(count), x)}}});
    });
    p.try_all();
  });
}

OneDnnConvolution::OneDnnConvolution(const OneDnn& onednn, const op::ConvolutionWeights& d,
                                     const Bindings& at, std::int64_t images)
    : primitives_(std::make_unique<Primitives>(onednn)) {
  make_or_explain(d.x, d.out_gradient, [&] {
    Primitives& p = *primitives_;
    const Problem problem(d);
    memory::desc layout = problem.any_weights();  // of all slices' sums the same: they are added as they lie
    for (const std::int64_t size : sizes_of_slices(d.x.shape[0], images)) {
      const auto desc = backward_weights_desc(p.engine, problem, size, layout);
      layout = desc.diff_weights_desc();
      p.add_kind(desc, layout);
    }
    const std::int64_t count = (d.x.shape[0] + images - 1) / images;
    p.stride = align_up(static_cast<std::int64_t>(layout.get_size())) / std::int64_t{sizeof(float)};
    p.sums_memory = onednn.heap().allocate(static_cast<std::size_t>(count * p.stride) * sizeof(float));
    p.sums = reinterpret_cast<float*>(p.sums_memory->data());
    for_each_slice(d.x.shape[0], images, [&](std::int64_t first, std::int64_t size, std::size_t kind) {
      const auto slice = static_cast<std::int64_t>(p.slices.size());
      void* const x = element_at(at, d.x, first * elements_of_image(d.x));
      void* const y = element_at(at, d.out_gradient, first * elements_of_image(d.out_gradient));
      p.slices.push_back({kind,
                          {{DNNL_ARG_SRC, p.keep(problem.x(size), x)},
                           {DNNL_ARG_DIFF_DST, p.keep(problem.y(size), y)},
                           {DNNL_ARG_DIFF_WEIGHTS, p.keep(layout, p.sums + slice * p.stride)}}});
    });
    p.copies.emplace_back(memory(layout, p.engine, p.sums),
                          memory(problem.weights, p.engine, at.address<float>(d.weights_gradient)));
    p.try_all();
  });
}

OneDnnConvolution::OneDnnConvolution(OneDnnConvolution&&) noexcept = default;
OneDnnConvolution::~OneDnnConvolution() = default;

std::int64_t OneDnnConvolution::slices() const {
  return static_cast<std::int64_t>(primitives_->slices.size());
}

bool OneDnnConvolution::copy_weights(const OneDnn& onednn, int worker) const {
  const std::vector<Primitives::Copy>& copies = primitives_->copies;
  return std::all_of(copies.begin(), copies.end(), [&](const Primitives::Copy& copy) {
    return execute(onednn, worker, copy.reorder, copy.arguments());
  });
}

bool OneDnnConvolution::run(const OneDnn& onednn, std::int64_t index, int worker) const {
  const Primitives::Slice& slice = primitives_->slices[static_cast<std::size_t>(index)];
  const Primitives::Kind& kind = primitives_->kinds[slice.kind];
  constexpr std::size_t most = 4;
  dnnl_exec_arg_t arguments[most];
  const auto end = std::copy(slice.arguments.begin(), slice.arguments.end(), arguments);
  *end = {DNNL_ARG_SCRATCHPAD, kind.scratchpads[static_cast<std::size_t>(worker)].get()};
  return execute(onednn, worker, kind.primitive, {arguments, slice.arguments.size() + 1});
}

void OneDnnConvolution::fold(std::int64_t part, std::int64_t parts) const {
  const Primitives& p = *primitives_;
  const std::int64_t size = (p.stride + parts - 1) / parts;
  const std::int64_t begin = std::min(part * size, p.stride), end = std::min(begin + size, p.stride);
  constexpr std::int64_t at_a_time = 512;
  double totals[at_a_time];
  for (std::int64_t first = begin; first < end; first += at_a_time) {
    const std::int64_t count = std::min(at_a_time, end - first);
    std::fill_n(totals, count, 0.0);
    for (std::int64_t slice = 0; slice < slices(); ++slice)
      for (std::int64_t i = 0; i < count; ++i)
        totals[i] += static_cast<double>(p.sums[slice * p.stride + first + i]);
    for (std::int64_t i = 0; i < count; ++i) p.sums[first + i] = static_cast<float>(totals[i]);
  }
}

bool OneDnnConvolution::store_weights(const OneDnn& onednn, int worker) const {
  const Primitives::Copy& copy = primitives_->copies.front();
  return execute(onednn, worker, copy.reorder, copy.arguments());
}

std::string OneDnnConvolution::implementation() const { return primitives_->implementation; }

}  // namespace glia::cpu
