// Every call of cuBLASLt (cuBLAS Library documentation, chapter "Using the cuBLASLt API").
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/cublaslt.h>
#include <cuda/faults.h>
#include <cuda/log.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace glia::cuda {
namespace {

/// As NVIDIA recommends, 32 MiB on Hopper and later, 4 MiB before, unless the context allows less.
std::size_t workspace_bytes(const Gpu& gpu) {
  return std::min(std::size_t{gpu.compute_capability() >= 90 ? 32u : 4u} << 20, gpu.workspace_limit());
}

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  GLIA_CUDA(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value));
}
template <class T>
void set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
  GLIA_CUDA(cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value));
}

/// A row-major matrix as cuBLASLt, which is column-major, sees it: its transpose, or, where its columns are
/// contiguous, itself to be transposed.
struct ColumnMajor {
  std::int64_t rows, columns, stride;
  cublasOperation_t operation;
};

ColumnMajor column_major(const View& matrix_or_batch) {
  const View view = matrix_or_batch.matrix_at(0);
  const std::int64_t m = view.shape[0], n = view.shape[1];
  const bool transposed = view.strides[1] != 1 && n > 1;
  ColumnMajor seen = transposed ? ColumnMajor{m, n, std::max(view.strides[1], m), CUBLAS_OP_T}
                                : ColumnMajor{n, m, std::max(view.strides[0], n), CUBLAS_OP_N};
  if (planted("swapped_leading_dimension")) seen.stride = std::max(seen.rows, seen.columns);
  return seen;
}

/// Of such a matrix, or of those of a batch.
LtLayout layout(cudaDataType_t type, const ColumnMajor& matrix, const View& view) {
  LtLayout result;
  GLIA_CUDA(cublasLtMatrixLayoutCreate(result.made_here(), type, static_cast<std::uint64_t>(matrix.rows),
                                       static_cast<std::uint64_t>(matrix.columns), matrix.stride));
  if (view.shape.rank() == 2 || view.shape[0] == 1) return result;
  const auto count = static_cast<std::int32_t>(view.shape[0]);
  set(result, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count);
  set(result, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, view.strides[0]);
  return result;
}

cudaDataType_t type_of(const View& view) {
  return view.dtype == DType::float64 ? CUDA_R_64F : view.dtype == DType::bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

cublasComputeType_t compute_type(const op::Matmul& matmul, const Gpu& gpu) {
  if (matmul.out.dtype == DType::float64) return CUBLAS_COMPUTE_64F;
  // TF32 keeps all of a float32 that was rounded to bfloat16.
  const bool allows_tf32 = matmul.a.dtype == DType::float32 && gpu.compute_capability() >= 80 &&
                           !std::holds_alternative<Float32>(matmul.precision);
  return allows_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

void set_epilogue(cublasLtMatmulDesc_t operation, const Epilogue& epilogue) {
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue.kind);
  if (epilogue.bias) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue.bias);
  if (!epilogue.relu_bits) return;
  const bool wrong = planted("wrong_aux_stride") && epilogue.kind == CUBLASLT_EPILOGUE_DRELU_BGRAD;
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue.relu_bits);
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, epilogue.relu_stride + (wrong ? 128 : 0));
}

const char* name_of(cublasLtEpilogue_t epilogue) {
  switch (epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT:
      return "";
    case CUBLASLT_EPILOGUE_BIAS:
      return " BIAS";
    case CUBLASLT_EPILOGUE_RELU:
      return " RELU";
    case CUBLASLT_EPILOGUE_RELU_BIAS:
      return " RELU_BIAS";
    case CUBLASLT_EPILOGUE_RELU_AUX:
      return " RELU_AUX";
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
      return " RELU_AUX_BIAS";
    case CUBLASLT_EPILOGUE_DRELU:
      return " DRELU";
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
      return " DRELU_BGRAD";
    default:
      return " BGRADA";
  }
}

}  // namespace

/// Operands of a product to try it on: its own may hold what is still wanted.
class CublasLt::Trial {
 public:
  /// Without memory for them nothing is tried.
  Trial(Gpu& gpu, const op::Matmul& matmul) : gpu_(gpu), dtype_(matmul.out.dtype) {
    const auto room = [](const View& view) { return align_up(view.span() * size_of(view.dtype)); };
    const std::int64_t a = room(matmul.a), b = room(matmul.b);
    factors_ = static_cast<std::size_t>(a + b);
    try {
      memory_ = gpu.allocate(factors_ + static_cast<std::size_t>(room(matmul.out)));
    } catch (const OutOfMemoryError&) {
      return;
    }
    b_ = memory_->data() + a, out_ = memory_->data() + factors_;
  }

  /// False where cuBLASLt, asked to run what it offered, refuses. It also loads the kernels, which is not to be in a capture.
  bool works(const LtProduct& product) const {
    if (!memory_) return true;
    fill(0);
    if (product.launch(memory_->data(), b_, out_, gpu_.stream()) == CUBLAS_STATUS_SUCCESS) return true;
    fail_if_lost("cublasLtMatmul", SourceLocation::here());
    return false;
  }

  /// Whether NaN comes out where NaN goes in. Waits.
  bool keeps_nan(const LtProduct& product) const {
    if (!memory_) return false;
    fill(0xFF);
    product.run(memory_->data(), b_, out_);
    const std::size_t element = static_cast<std::size_t>(size_of(dtype_));
    const PageLocked seen = gpu_.page_locked(element);
    GLIA_CUDA(cudaMemcpyAsync(seen.data(), out_, element, cudaMemcpyDeviceToHost, gpu_.stream()));
    gpu_.wait();
    return dtype_ == DType::float64 ? is_nan<double>(seen) : is_nan<float>(seen);
  }

 private:
  /// All bits set is a NaN.
  void fill(int byte) const { GLIA_CUDA(cudaMemsetAsync(memory_->data(), byte, factors_, gpu_.stream())); }
  template <class T>
  static bool is_nan(const PageLocked& at) {
    T value;
    std::memcpy(&value, at.data(), sizeof value);
    return value != value;
  }

  Gpu& gpu_;
  DType dtype_;
  std::size_t factors_ = 0;  ///< bytes of a and b, which lie before out
  std::unique_ptr<Memory> memory_;
  std::byte *b_ = nullptr, *out_ = nullptr;
};

void CublasLt::start() {
  if (!handle_) GLIA_CUDA(cublasLtCreate(handle_.made_here()));
  if (!workspace_) workspace_ = gpu_.allocate(workspace_bytes(gpu_));
}

std::optional<LtProduct> CublasLt::find(const op::Matmul& matmul, const Epilogue& epilogue) {
  start();
  LtProduct product(*this);
  product.epilogue_ = epilogue.kind;
  product.is_double_ = matmul.out.dtype == DType::float64;
  // out^T (n, m) = b^T (n, k) a^T (k, m): cuBLASLt's A is our b, its B our a.
  const View &a = matmul.a, &b = matmul.b, one = matmul.out.matrix_at(0);
  const ColumnMajor left = column_major(b), right = column_major(a);
  const ColumnMajor out{one.shape[1], one.shape[0], one.strides[0], CUBLAS_OP_N};
  product.left_ = layout(type_of(b), left, b);
  product.right_ = layout(type_of(a), right, a);
  product.out_ = layout(type_of(one), out, matmul.out);
  GLIA_CUDA(cublasLtMatmulDescCreate(product.operation_.made_here(), compute_type(matmul, gpu_),
                                     type_of(matmul.out)));
  set(product.operation_, CUBLASLT_MATMUL_DESC_TRANSA, left.operation);
  set(product.operation_, CUBLASLT_MATMUL_DESC_TRANSB, right.operation);
  set_epilogue(product.operation_, epilogue);

  LtPreference preference;
  GLIA_CUDA(cublasLtMatmulPreferenceCreate(preference.made_here()));
  const std::size_t most = workspace_->bytes();
  GLIA_CUDA(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most,
                                                 sizeof most));
  const std::pair<cublasLtMatmulPreferenceAttributes_t, std::uint32_t> alignments[] = {
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(b)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(a)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(matmul.out)},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(matmul.out)}};
  for (const auto& [attribute, bytes] : alignments)
    if (bytes < tensor_alignment)
      GLIA_CUDA(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes));
  std::array<cublasLtMatmulHeuristicResult_t, 8> candidates = {};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_, product.operation_, product.left_, product.right_, product.out_, product.out_, preference,
      static_cast<int>(candidates.size()), candidates.data(), &found);
  // What cannot be done for an epilogue, type or shape is told in either way.
  const bool may_be_refused = epilogue.kind != CUBLASLT_EPILOGUE_DEFAULT || matmul.a.dtype == DType::bfloat16;
  const bool refused =
      status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_INVALID_VALUE && may_be_refused);
  if (refused || (status == CUBLAS_STATUS_SUCCESS && found == 0)) {
    log(LogLevel::debug, product.name(), " has no algorithm for ", a.shape, " x ", b.shape);
    return {};
  }
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  const Trial trial(gpu_, matmul);
  for (int i = 0; i < found; ++i) {
    if (candidates[i].state != CUBLAS_STATUS_SUCCESS) continue;
    product.algorithm_ = candidates[i].algo;
    if (trial.works(product)) return product;
    log(LogLevel::debug, product.name(), ": algorithm ", i, " of ", found, " for ", a.shape, " x ", b.shape,
        " refused to run");
  }
  log(LogLevel::debug, product.name(), " has no algorithm for ", a.shape, " x ", b.shape, " that runs");
  return {};
}

bool CublasLt::keeps_nan(const LtProduct& product, const op::Matmul& matmul) {
  const bool keeps = !propagate_nan_ || Trial(gpu_, matmul).keeps_nan(product);
  if (!keeps) log(LogLevel::info, product.name(), " hides NaN: a kernel does what it would do on the way");
  return keeps;
}

cublasStatus_t LtProduct::launch(const void* a, const void* b, void* out, cudaStream_t stream) const {
  const double one = 1, beta = planted("missing_beta") ? 1 : 0;
  const float one_float = 1, beta_float = static_cast<float>(beta);
  const void* alpha = is_double_ ? static_cast<const void*>(&one) : &one_float;
  const void* nothing = is_double_ ? static_cast<const void*>(&beta) : &beta_float;
  return cublasLtMatmul(owner_->handle_, operation_, alpha, b, left_, a, right_, nothing, out, out_, out,
                        out_, &algorithm_, owner_->workspace_->data(), owner_->workspace_->bytes(), stream);
}

void LtProduct::run(const void* a, const void* b, void* out) const {
  owner_->gpu_.count_launch();
  check(launch(a, b, out, owner_->gpu_.target()), "cublasLtMatmul");
}

std::string LtProduct::name() const { return std::string("cuBLASLt") + name_of(epilogue_); }

}  // namespace glia::cuda
