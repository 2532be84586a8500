// Products of the double's cuBLASLt, by plain loops: what they read and write, where they may, and with which rounding.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/cublaslt_product.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda_double/rounding.h"

namespace glia::cuda_double {
namespace {

float rounded(float x, cublasComputeType_t compute) {
  return compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? to_tf32(x)
         : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? to_bf16(x)
                                                   : x;
}
double rounded(double x, cublasComputeType_t) { return x; }

/// Element (i, j) of op(X): of X or of its transpose.
template <class T, class Factor>
T element(const Factor* x, const Layout& layout, cublasOperation_t operation, std::uint64_t i,
          std::uint64_t j) {
  return static_cast<T>(x[operation == CUBLAS_OP_N ? layout.at(i, j) : layout.at(j, i)]);
}

/// A product with its operands, at its turn in the queue; A and B may be of another type than the rest.
template <class T, class Factor>
struct Run {
  Problem p;
  T alpha, beta;
  const Factor *a, *b;
  const T* c;
  T* d;

  bool reads_c() const { return beta != T(0); }

  /// All that it reads must have been written, but not what lies between columns.
  void expect_operands() const {
    const Operation& o = p.operation;
    const auto expect = [](const char* what) {
      return [what](const auto* at, std::size_t n) { expect_written(at, n * sizeof *at, what); };
    };
    each_column(p.a, a, expect("a product's A"));
    each_column(p.b, b, expect("a product's B"));
    if (reads_c()) each_column(p.c, c, expect("a product's C"));
    if (adds_bias(o.epilogue)) expect("a product's bias")(static_cast<const T*>(o.bias), p.bias_elements());
    if (reads_mask(o.epilogue)) each_column_of_mask(expect("a product's mask"));
  }
  void mark_results() const {
    const Operation& o = p.operation;
    each_column(p.d, d, [](const T* at, std::size_t n) { mark_written(at, n * sizeof *at); });
    if (sums_gradient(o.epilogue)) mark_written(o.bias, p.bias_elements() * sizeof(T));
    if (writes_mask(o.epilogue)) each_column_of_mask(mark_written);
  }

  void operator()() const {
    for (std::int32_t batch = 0; batch < p.d.batches; ++batch)
      one(a + batch * p.a.batch_stride, b + batch * p.b.batch_stride,
          reads_c() ? c + batch * p.c.batch_stride : nullptr, d + batch * p.d.batch_stride);
  }

 private:
  /// Calls visit(address, elements) for what lies together.
  template <class Element, class Visit>
  static void each_column(const Layout& layout, const Element* x, const Visit& visit) {
    const bool by_row = layout.order == CUBLASLT_ORDER_ROW;
    const std::uint64_t columns = by_row ? layout.rows : layout.columns,
                        rows = by_row ? layout.columns : layout.rows;
    for (std::int32_t batch = 0; batch < layout.batches; ++batch)
      for (std::uint64_t j = 0; j < columns; ++j)
        visit(x + batch * layout.batch_stride + static_cast<std::int64_t>(j) * layout.stride, rows);
  }
  /// The same of bytes.
  template <class Visit>
  void each_column_of_mask(const Visit& visit) const {
    const auto* const aux = static_cast<const std::byte*>(p.operation.aux);
    for (std::uint64_t j = 0; j < p.d.columns; ++j)
      visit(aux + j * static_cast<std::uint64_t>(p.operation.aux_stride) / 8, (p.d.rows + 7) / 8);
  }

  void one(const Factor* a, const Factor* b, const T* c, T* d) const {
    const std::uint64_t m = p.d.rows, n = p.d.columns, k = p.k();
    // op(A) once, rounded, its columns contiguous.
    std::vector<T> left(m * k);
    for (std::uint64_t i = 0; i < m; ++i)
      for (std::uint64_t l = 0; l < k; ++l)
        left[l * m + i] = rounded(element<T>(a, p.a, p.operation.transpose_a, i, l), p.operation.compute);
    std::vector<T> column(m);
    for (std::uint64_t j = 0; j < n; ++j) {
      std::fill(column.begin(), column.end(), T(0));
      for (std::uint64_t l = 0; l < k; ++l) {
        const T x = rounded(element<T>(b, p.b, p.operation.transpose_b, l, j), p.operation.compute);
        const T* const from = &left[l * m];
        for (std::uint64_t i = 0; i < m; ++i) column[i] += from[i] * x;
      }
      for (std::uint64_t i = 0; i < m; ++i) {
        T value = alpha * column[i];
        if (reads_c()) value += beta * c[p.c.at(i, j)];
        d[p.d.at(i, j)] = finished(value, i, j);
      }
    }
    sum_gradients(a, b, d);
  }

  T finished(T value, std::uint64_t i, std::uint64_t j) const {
    const Operation& o = p.operation;
    if (adds_bias(o.epilogue)) value += static_cast<const T*>(o.bias)[i];
    if (has_relu(o.epilogue)) {
      if (writes_mask(o.epilogue)) set_bit(i, j, value > T(0));
      if (settings().relu_hides_nan) return value > T(0) ? value : T(0);
      return value < T(0) ? T(0) : value;
    }
    if (reads_mask(o.epilogue) && !bit(i, j)) return T(0);
    return value;
  }

  // The mask: a bit for each element, columns of aux_stride bits, the lowest bit of a byte first.
  std::size_t bit_at(std::uint64_t i, std::uint64_t j) const {
    return i + j * static_cast<std::uint64_t>(p.operation.aux_stride);
  }
  bool bit(std::uint64_t i, std::uint64_t j) const {
    const std::size_t at = bit_at(i, j);
    return (static_cast<const unsigned char*>(p.operation.aux)[at / 8] >> (at % 8)) & 1;
  }
  void set_bit(std::uint64_t i, std::uint64_t j, bool value) const {
    const std::size_t at = bit_at(i, j);
    unsigned char& byte = static_cast<unsigned char*>(p.operation.aux)[at / 8];
    byte = static_cast<unsigned char>((byte & ~(1u << (at % 8))) | (unsigned{value} << (at % 8)));
  }

  /// DRELU_BGRAD: of each row of D; BGRADA: of each row of op(A), over k; BGRADB: of each column of op(B), over k.
  void sum_gradients(const Factor* a, const Factor* b, const T* d) const {
    const Operation& o = p.operation;
    if (!sums_gradient(o.epilogue)) return;
    const bool of_d = o.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD;
    for (std::uint64_t i = 0; i < p.bias_elements(); ++i) {
      T sum = 0;
      for (std::uint64_t l = 0; l < (of_d ? p.d.columns : p.k()); ++l)
        sum += of_d                                     ? d[p.d.at(i, l)]
               : o.epilogue == CUBLASLT_EPILOGUE_BGRADA ? element<T>(a, p.a, o.transpose_a, i, l)
                                                        : element<T>(b, p.b, o.transpose_b, l, i);
      static_cast<T*>(o.bias)[i] = sum;
    }
  }
};

/// At its turn: the first of what the product touches that is not there, by name; null if all is.
template <class T, class Factor>
const char* missing(const Run<T, Factor>& run, const void* workspace, std::size_t workspace_bytes) {
  const Problem& p = run.p;
  const Operation& o = p.operation;
  const std::size_t bias = adds_bias(o.epilogue) || sums_gradient(o.epilogue) ? p.bias_elements() : 0;
  const std::size_t mask_bits =
      has_mask(o.epilogue) ? (p.d.columns - 1) * static_cast<std::uint64_t>(o.aux_stride) + p.d.rows : 0;
  const struct {
    const char* name;
    const void* address;
    std::size_t bytes;
  } operands[] = {{"A", run.a, p.a.elements() * sizeof(Factor)},
                  {"B", run.b, p.b.elements() * sizeof(Factor)},
                  {"C", run.c, run.reads_c() ? p.c.elements() * sizeof(T) : 0},
                  {"D", run.d, p.d.elements() * sizeof(T)},
                  {"the bias", o.bias, bias * sizeof(T)},
                  {"the mask", o.aux, (mask_bits + 7) / 8},
                  {"the workspace", workspace, workspace_bytes}};
  for (const auto& operand : operands)
    if (operand.bytes > 0 && !is_device_memory(operand.address, operand.bytes)) return operand.name;
  return nullptr;
}

template <class T, class Factor = T>
cudaError_t enqueue_typed(const Problem& p, const void* alpha, const void* beta, const void* a, const void* b,
                          const void* c, void* d, void* workspace, std::size_t workspace_bytes,
                          cudaStream_t stream) {
  const auto matrix = [](const void* x) { return static_cast<const T*>(x); };
  const auto factor = [](const void* x) { return static_cast<const Factor*>(x); };
  const Run<T, Factor> run{p,         *matrix(alpha), *matrix(beta),     factor(a),
                           factor(b), matrix(c),      static_cast<T*>(d)};
  return enqueue(stream, Kind::kernel, "cublasLtMatmul", [=] {
    if (launch_fails()) return;
    if (const char* name = missing(run, workspace, workspace_bytes))
      return trap(cudaErrorIllegalAddress,
                  std::string("a product: ") + name + " does not lie in the device's memory");
    run.expect_operands();
    if (workspace_bytes > 0) {  // its contents are the product's alone
      std::memset(workspace, 0xFF, workspace_bytes);
      mark_fresh(workspace, workspace_bytes);
    }
    run();
    run.mark_results();
  });
}

}  // namespace

cudaError_t enqueue_product(const Problem& p, const void* alpha, const void* beta, const void* a,
                            const void* b, const void* c, void* d, void* workspace,
                            std::size_t workspace_bytes, cudaStream_t stream) {
  const auto typed = p.d.type == CUDA_R_64F    ? enqueue_typed<double>
                     : p.a.type == CUDA_R_16BF ? enqueue_typed<float, Bf16>
                                               : enqueue_typed<float>;
  return typed(p, alpha, beta, a, b, c, d, workspace, workspace_bytes, stream);
}

}  // namespace glia::cuda_double
