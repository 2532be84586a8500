// Products and convolutions by oneDNN: single-threaded primitives on slices that the shape alone fixes. All calls of
// oneDNN, and of the OpenMP runtime it brings, are in onednn.cpp and onednn_convolution.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/heap.h>
#include <host/cpu/kernel_table.h>  // defines: Region

#include <memory>
#include <string>

namespace glia::cpu {

/// Sets the number of OpenMP threads of the calling thread and returns what it was; does nothing where there
/// is no OpenMP.
int set_openmp_threads(int threads);

/// "2.6.3".
std::string onednn_version();

/// oneDNN's engine and one stream for each worker, and where memory for its primitives comes from.
class OneDnn {
 public:
  OneDnn(int workers, Heap& heap);
  ~OneDnn();

  Heap& heap() const { return heap_; }

  struct Handles;
  const Handles& handles() const { return *handles_; }

 private:
  Heap& heap_;
  std::unique_ptr<Handles> handles_;
};

/// Whether the processor multiplies bfloat16, so that oneDNN need not imitate it, and, for a convolution, oneDNN has more
/// than plain loops.
bool multiplies_bfloat16(const OneDnn& onednn, const op::Matmul& d);
bool multiplies_bfloat16(const OneDnn& onednn, const op::Convolution& d);
bool multiplies_bfloat16(const OneDnn& onednn, const op::ConvolutionTranspose& d);
bool multiplies_bfloat16(const OneDnn& onednn, const op::ConvolutionWeights& d);

/// A prepared product of one region of a Matmul's output, or of that of each of a batch, float32 of float32 or bfloat16,
/// without its epilogue.
class OneDnnProduct {
 public:
  OneDnnProduct(const OneDnn& onednn, const op::Matmul& matmul, const Bindings& bindings,
                const Region& region);
  OneDnnProduct(OneDnnProduct&&) noexcept;
  ~OneDnnProduct();

  /// Runs once, its results going nowhere: gemm:jit makes its machine code when a product of a kind and shape first runs,
  /// which is not to be in a step, where memory may have run out. Throws OutOfMemoryError.
  void try_once(const OneDnn& onednn) const;
  /// Computes on the calling thread. False where oneDNN failed, which it does only when memory is exhausted.
  bool run(const OneDnn& onednn, int worker) const;
  /// The same of other operands, which lie as those it was prepared for; on one thread at a time.
  bool run_on(const OneDnn& onednn, int worker, const void* a, const void* b, void* out) const;
  /// oneDNN's name of its implementation, e.g. "brgemm:avx512_core".
  std::string implementation() const;
  /// Whether its code works on the thread's own stack all the time, as brgemm's does (signals.h).
  bool keeps_the_stack() const { return implementation().rfind("brg", 0) == 0; }

 private:
  struct Primitive;
  std::unique_ptr<Primitive> primitive_;
};

/// A prepared convolution of a batch (as above), or its transpose, or the gradient of its weights, in slices of whole images.
/// Images lie as they are; weights are copied to the layout that oneDNN wants, or from it.
class OneDnnConvolution {
 public:
  /// `images` in a slice; the last may have fewer. The epilogue is not part of it.
  OneDnnConvolution(const OneDnn& onednn, const op::Convolution& d, const Bindings& at, std::int64_t images);
  OneDnnConvolution(const OneDnn& onednn, const op::ConvolutionTranspose& d, const Bindings& at,
                    std::int64_t images);
  OneDnnConvolution(const OneDnn& onednn, const op::ConvolutionWeights& d, const Bindings& at,
                    std::int64_t images);
  OneDnnConvolution(OneDnnConvolution&&) noexcept;
  ~OneDnnConvolution();

  std::int64_t slices() const;
  /// Before the slices: brings the weights into oneDNN's layout. As all of these, false where oneDNN failed.
  bool copy_weights(const OneDnn& onednn, int worker) const;
  bool run(const OneDnn& onednn, std::int64_t slice, int worker) const;
  /// After the slices of a weights' gradient: adds what the slices found, in their order, in `parts` parts that do not
  /// depend on each other; and after that brings the sum into its place.
  void fold(std::int64_t part, std::int64_t parts) const;
  bool store_weights(const OneDnn& onednn, int worker) const;
  /// oneDNN's name of its implementation.
  std::string implementation() const;

 private:
  struct Primitives;
  std::unique_ptr<Primitives> primitives_;
};

}  // namespace glia::cpu
