// What onednn.cpp and onednn_convolution.cpp share: the engine, and primitives run through the C interface.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/cpu/onednn.h>

#include <dnnl.hpp>
#include <memory>
#include <span>
#include <vector>

namespace glia::cpu {

struct OneDnn::Handles {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<dnnl::stream> streams;
};

/// Memory of oneDNN's in a layout of its own, from the context's heap: oneDNN itself would take the host's. It goes before the heap.
class OwnedMemory {
 public:
  OwnedMemory() = default;
  /// Throws OutOfMemoryError.
  OwnedMemory(const OneDnn& onednn, const dnnl::memory::desc& desc)
      : bytes_(onednn.heap().allocate(desc.get_size())),
        memory_(desc, onednn.handles().engine, bytes_->data()) {}

  dnnl_memory_t get() const { return memory_.get(); }
  const dnnl::memory& memory() const { return memory_; }

 private:
  std::unique_ptr<Memory> bytes_;
  dnnl::memory memory_;
};

inline dnnl::memory::data_type data_type_of(const View& view) {
  return view.dtype == DType::bfloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

/// The address of element `i`.
inline void* element_at(const Bindings& at, const View& view, std::int64_t i) {
  return view ? at.address<std::byte>(view) + i * size_of(view.dtype) : nullptr;
}

inline bool processor_multiplies_bfloat16() {
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

/// False where oneDNN failed, which it does only when memory is exhausted. The C interface takes a fixed list of
/// arguments.
inline bool execute(const OneDnn& onednn, int worker, const dnnl::primitive& primitive,
                    std::span<const dnnl_exec_arg_t> arguments) {
  return dnnl_primitive_execute(primitive.get(),
                                onednn.handles().streams[static_cast<std::size_t>(worker)].get(),
                                static_cast<int>(arguments.size()), arguments.data()) == dnnl_success;
}

/// Runs a primitive once at prepare, its results put elsewhere: the machine code that oneDNN makes at a first run is made
/// here, and not in a step. Throws OutOfMemoryError.
void try_once(const OneDnn& onednn, const dnnl::primitive& primitive,
              std::span<const dnnl_exec_arg_t> arguments);

/// Throws OutOfMemoryError where the system would not give the memory that making a primitive, or its first run, takes
/// (10 MB were seen): oneDNN writes its machine code without a look at whether it got any.
void expect_room();

/// Throws OutOfMemoryError where memory ran out, else DeviceError: oneDNN cannot <verb> <from> <preposition> <to>.
[[noreturn]] void refuse(const dnnl::error& error, const char* verb, const Shape& from,
                         const char* preposition, const Shape& to);

/// While it lives, oneDNN chooses its blocking for the one thread that it finds here.
class OneThread {
 public:
  OneThread() : before_(set_openmp_threads(1)) {}
  ~OneThread() { set_openmp_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Scratchpads are ours, so that nothing is allocated in a step.
inline dnnl::primitive_attr with_own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

}  // namespace glia::cpu
