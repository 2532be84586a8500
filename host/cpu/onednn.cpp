// Products by oneDNN 2.6 or 3.x. Primitives are made through its C++ interface and run through the C one.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/cpu/onednn_handles.h>
#include <host/cpu/signals.h>
#include <host/cpu/thread_pool.h>  // defines: ComputeMode
#include <sys/mman.h>

#include <algorithm>
#include <iterator>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace glia::cpu {

int set_openmp_threads(int threads) {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  if (before != threads) omp_set_num_threads(threads);
  return before;
#else
  return threads;
#endif
}

std::string onednn_version() {
  const dnnl::version_t* version = dnnl::version();
  return detail::concat(version->major, '.', version->minor, '.', version->patch);
}

OneDnn::OneDnn(int workers, Heap& heap) : heap_(heap), handles_(std::make_unique<Handles>()) {
  for (int worker = 0; worker < workers; ++worker) handles_->streams.emplace_back(handles_->engine);
}
OneDnn::~OneDnn() = default;

struct OneDnnProduct::Primitive {
  dnnl::matmul primitive;
  dnnl::memory a, b, out;
  OwnedMemory scratchpad;
  std::string implementation;
  std::vector<dnnl_exec_arg_t> arguments;
};

namespace {

using dnnl::memory;

/// Of rows and columns of `view`, or of each of its matrices.
memory::desc matrix_desc(std::int64_t rows, std::int64_t columns, const View& view) {
  const View one = view.matrix_at(0);
  memory::dims shape{rows, columns}, strides{one.strides[0], one.strides[1]};
  if (view.shape.rank() == 3 && view.shape[0] > 1)
    shape.insert(shape.begin(), view.shape[0]), strides.insert(strides.begin(), view.strides[0]);
  return memory::desc(shape, data_type_of(view), strides);
}

dnnl::matmul::primitive_desc matmul_desc(const dnnl::engine& engine, const memory::desc& a,
                                         const memory::desc& b, const memory::desc& out) {
  const dnnl::primitive_attr attributes = with_own_scratchpad();
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, a, b, out, attributes);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, out), attributes, engine);
#endif
}

}  // namespace

void expect_room() {
  constexpr std::size_t room = 32 << 20;
  void* const memory = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  GLIA_CHECK(
      memory != MAP_FAILED, OutOfMemoryError, "the process cannot get ", room,
      " bytes of memory, which oneDNN may need to prepare a step: end other programs, or raise the limit "
      "(ulimit -v)");
  ::munmap(memory, room);
}

void refuse(const dnnl::error& error, const char* verb, const Shape& from, const char* preposition,
            const Shape& to) {
  const std::string what = detail::concat(verb, ' ', from, ' ', preposition, ' ', to);
  GLIA_CHECK(error.status != dnnl_out_of_memory, OutOfMemoryError,
             "memory ran out while oneDNN was prepared to ", what,
             ": use smaller batches, or end other programs");
  throw DeviceError(detail::concat("oneDNN ", onednn_version(), " cannot ", what, ": ", error.what()));
}

void try_once(const OneDnn& onednn, const dnnl::primitive& primitive,
              std::span<const dnnl_exec_arg_t> arguments) {
  expect_room();
  bool succeeded = false;
  try {
    std::vector<dnnl_exec_arg_t> redirected(arguments.begin(), arguments.end());
    std::vector<OwnedMemory> elsewhere;
    for (dnnl_exec_arg_t& argument : redirected) {
      const int results[] = {DNNL_ARG_DST, DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_WEIGHTS};
      if (std::find(std::begin(results), std::end(results), argument.arg) == std::end(results)) continue;
      const memory result(argument.memory, true);
      elsewhere.emplace_back(onednn, result.get_desc());
      argument.memory = elsewhere.back().get();
    }
    const SignalsBlocked blocked;
    const ComputeMode mode;  // the operands hold anything
    succeeded = execute(onednn, 0, primitive, redirected);
  } catch (const dnnl::error&) {
  }
  GLIA_CHECK(succeeded, OutOfMemoryError,
             "memory ran out while a step was prepared: use smaller batches, or end other programs");
}

OneDnnProduct::OneDnnProduct(const OneDnn& onednn, const op::Matmul& d, const Bindings& at, const Region& r) {
  const OneThread one;
  expect_room();
  try {
    const dnnl::engine& engine = onednn.handles().engine;
    const op::Matmul first = d.matrix_at(0);
    const memory::desc a = matrix_desc(r.rows, d.k(), d.a), b = matrix_desc(d.k(), r.columns, d.b),
                       out = matrix_desc(r.rows, r.columns, d.out);
    const dnnl::matmul::primitive_desc desc = matmul_desc(engine, a, b, out);
    primitive_ = std::make_unique<Primitive>();
    Primitive& p = *primitive_;
    p.primitive = dnnl::matmul(desc);
    p.implementation = desc.impl_info_str();
    p.a = memory(a, engine, element_at(at, d.a, r.row * first.a.strides[0]));
    p.b = memory(b, engine, element_at(at, d.b, r.column * first.b.strides[1]));
    p.out = memory(out, engine, element_at(at, d.out, r.row * first.out.strides[0] + r.column));
    p.scratchpad = OwnedMemory(onednn, desc.scratchpad_desc());
    p.arguments = {{DNNL_ARG_SRC, p.a.get()},
                   {DNNL_ARG_WEIGHTS, p.b.get()},
                   {DNNL_ARG_DST, p.out.get()},
                   {DNNL_ARG_SCRATCHPAD, p.scratchpad.get()}};
  } catch (const dnnl::error& error) {
    refuse(error, "multiply", d.a.shape, "by", d.b.shape);
  }
}

bool multiplies_bfloat16(const OneDnn&, const op::Matmul&) { return processor_multiplies_bfloat16(); }

OneDnnProduct::OneDnnProduct(OneDnnProduct&&) noexcept = default;
OneDnnProduct::~OneDnnProduct() = default;

bool OneDnnProduct::run(const OneDnn& onednn, int worker) const {
  return execute(onednn, worker, primitive_->primitive, primitive_->arguments);
}

bool OneDnnProduct::run_on(const OneDnn& onednn, int worker, const void* a, const void* b, void* out) const {
  const Primitive& p = *primitive_;
  const auto set = [](const memory& m, const void* data) {
    return dnnl_memory_set_data_handle(m.get(), const_cast<void*>(data)) == dnnl_success;
  };
  return set(p.a, a) && set(p.b, b) && set(p.out, out) && run(onednn, worker);
}

void OneDnnProduct::try_once(const OneDnn& onednn) const {
  cpu::try_once(onednn, primitive_->primitive, primitive_->arguments);
}

std::string OneDnnProduct::implementation() const { return primitive_->implementation; }

}  // namespace glia::cpu
