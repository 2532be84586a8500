// Products by cuBLASLt: algorithms found once, then only launched. All of its calls are in cublaslt.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <glia/descriptors.h>  // defines: op::Matmul

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace glia::cuda {

/// What a product does beside multiplying, in the one call. The pointers are those that its epilogue wants.
struct Epilogue {
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;    ///< read by BIAS, written by BGRADA and DRELU_BGRAD
  void* relu_bits = nullptr;     ///< written by RELU_AUX, read by DRELU
  std::int64_t relu_stride = 0;  ///< bits from one row of out to the next
};

/// Bits from row to row of a mask for rows of n elements, as cuBLASLt wants it.
constexpr std::int64_t relu_stride_for(std::int64_t n) { return (n + 127) / 128 * 128; }

/// Elements from one piece of k's product to the next: so that all are aligned as the first.
constexpr std::int64_t elements_of_piece(std::int64_t m, std::int64_t n) { return (m * n + 63) / 64 * 64; }

class LtProduct;

/// What a place is aligned to, up to what cuBLASLt takes for granted: buffers and tensors start at such multiples.
inline std::uint32_t alignment_of(const View& view) {
  return static_cast<std::uint32_t>(view.offset % tensor_alignment ? view.offset & -view.offset
                                                                   : tensor_alignment);
}

/// cuBLASLt's handle and the workspace of a context, which its products share: they run one after another. Both
/// are made at the first product.
class CublasLt {
 public:
  CublasLt(Gpu& gpu, bool propagate_nan) : gpu_(gpu), propagate_nan_(propagate_nan) {}

  /// The heuristics' first algorithm for out = a b with this epilogue that works when it is tried; nothing where there is
  /// none. What the epilogue writes is written; a batch has none.
  std::optional<LtProduct> find(const op::Matmul& matmul, const Epilogue& epilogue);
  /// Whether a product with a ReLU epilogue passes NaN on as far as the context promises. cuBLASLt leaves that open: tries
  /// it, and waits.
  bool keeps_nan(const LtProduct& product, const op::Matmul& matmul);

 private:
  friend class LtProduct;
  class Trial;
  void start();

  Gpu& gpu_;
  bool propagate_nan_;
  LtHandle handle_;
  std::unique_ptr<Memory> workspace_;
};

/// A prepared product.
class LtProduct {
 public:
  /// Launches out = a b, with its epilogue.
  void run(const void* a, const void* b, void* out) const;
  /// The same on a stream, and what the call answers.
  cublasStatus_t launch(const void* a, const void* b, void* out, cudaStream_t stream) const;
  /// "cuBLASLt RELU_AUX_BIAS".
  std::string name() const;

 private:
  friend class CublasLt;
  explicit LtProduct(CublasLt& owner) : owner_(&owner) {}

  CublasLt* owner_;
  cublasLtEpilogue_t epilogue_ = CUBLASLT_EPILOGUE_DEFAULT;
  bool is_double_ = false;
  LtOperation operation_;
  LtLayout left_, right_, out_;
  cublasLtMatmulAlgo_t algorithm_ = {};
};

}  // namespace glia::cuda
