// Products by oneDNN: single-threaded primitives on slices that the shape alone fixes. All calls of oneDNN,
// and of the OpenMP runtime it brings, are in onednn.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/kernel_table.h>  // defines: Region

#include <memory>
#include <string>

namespace glia::cpu {

/// Sets the number of OpenMP threads of the calling thread and returns what it was; does nothing where there
/// is no OpenMP.
int set_openmp_threads(int threads);

/// "2.6.3".
std::string onednn_version();

/// oneDNN's engine and one stream for each worker.
class OneDnn {
 public:
  explicit OneDnn(int workers);
  ~OneDnn();

  struct Handles;
  const Handles& handles() const { return *handles_; }

 private:
  std::unique_ptr<Handles> handles_;
};

/// A prepared float32 product of one region of a Matmul's output, without its epilogue.
class OneDnnProduct {
 public:
  OneDnnProduct(const OneDnn& onednn, const op::Matmul& matmul, const Bindings& bindings,
                const Region& region);
  OneDnnProduct(OneDnnProduct&&) noexcept;
  ~OneDnnProduct();

  /// Computes on the calling thread. False where oneDNN failed, which it does only when memory is exhausted.
  bool run(const OneDnn& onednn, int worker) const;
  /// oneDNN's name of its implementation, e.g. "brgemm:avx512_core".
  std::string implementation() const;

 private:
  struct Primitive;
  std::unique_ptr<Primitive> primitive_;
};

}  // namespace glia::cpu
