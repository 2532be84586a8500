// The watched double: that reads of memory which nothing wrote are told, by whoever reads, and that what was written is not;
// and that libm's functions differ a little from the host's.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/device.h"
// after it, since it stands in for nvcc
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cuda/launch.cuh>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tests/cuda_double/lt_calls.h"
#include "tests/cuda_double/told.h"

namespace glia::cuda_double {

// Not in an unnamed namespace, so that they have names where they are told.

struct Sixteen {
  std::uint64_t words[2];
};
struct Twelve {
  std::uint32_t words[3];
};

/// out = in, n elements.
template <class T>
struct CopyKernel {
  const T* in;
  T* out;
  std::int64_t n;
  template <class Block>
  void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) out[i] = in[i];
  }
};

namespace {

using ::testing::HasSubstr;

/// out += in where `wanted`.
struct AddKernel {
  const float* in;
  float* out;
  std::int64_t n;
  bool wanted;
  template <class Block>
  void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) out[i] += wanted ? in[i] : 0;
  }
};

/// out = in^2 - less, one element.
struct SquareKernel {
  const float* in;
  const float* less;
  float* out;
  template <class Block>
  void operator()(Block& block) const {
    if (block.index() == 0 && block.rank() == 0) *out = *in * *in - *less;
  }
};

/// out = the logarithm and a power of in, n elements each.
template <class T>
struct FunctionsKernel {
  const T* in;
  T* out;
  std::int64_t n;
  template <class Block>
  void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      out[i] = std::log(in[i]);
      out[n + i] = std::pow(in[i], T(0.3));
    }
  }
};

class CudaDoubleWatched : public CublasLtDouble {
 protected:
  static Controls& controls() { return *glia_cuda_double(); }

  template <class T>
  T* unwritten(std::int64_t count) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, static_cast<std::size_t>(count) * sizeof(T)), cudaSuccess);
    allocated_.push_back(memory);
    return static_cast<T*>(memory);
  }
  template <class T>
  T* written(std::int64_t count) {
    T* const memory = unwritten<T>(count);
    cudaMemsetAsync(memory, 0, static_cast<std::size_t>(count) * sizeof(T), nullptr);
    return memory;
  }
  template <class Kernel>
  void launch(const Kernel& kernel) {
    cuda::KernelParameter parameter = {};
    std::memcpy(parameter.bytes, &kernel, sizeof kernel);
    void* arguments[] = {&parameter};
    cudaLaunchKernel(reinterpret_cast<const void*>(&cuda::run<Kernel>), dim3(2), dim3(64), arguments, 0,
                     nullptr);
  }
  void TearDown() override {
    controls().reset();
    for (void* memory : allocated_) cudaFree(memory);
    CublasLtDouble::TearDown();
  }

 private:
  std::vector<void*> allocated_;
};

template <class T>
class CudaDoubleWatchedElements : public CudaDoubleWatched {};
using Elements = ::testing::Types<std::uint8_t, std::uint16_t, float, double, Twelve, Sixteen>;
TYPED_TEST_SUITE(CudaDoubleWatchedElements, Elements);

TYPED_TEST(CudaDoubleWatchedElements, A_kernel_reads_what_was_written_and_writes) {
  using T = TypeParam;
  constexpr std::int64_t n = 100;
  T* const out = this->template unwritten<T>(n);
  this->launch(CopyKernel<T>{this->template written<T>(n), out, n});
  EXPECT_EQ(told(), "");
  EXPECT_EQ(told_of_copy(out, n * sizeof(T)), "");
  this->launch(CopyKernel<T>{this->template unwritten<T>(n), out, n});
  EXPECT_THAT(told(), HasSubstr("CopyKernel<"));
  T* const almost = this->template unwritten<T>(n);
  cudaMemsetAsync(almost, 0, n * sizeof(T) - 1, nullptr);
  this->launch(CopyKernel<T>{almost, out, n});
  EXPECT_THAT(told(), HasSubstr("never written: byte " + std::to_string(n * sizeof(T) - 1) +
                                " of an allocation of " + std::to_string(n * sizeof(T))));
}

TEST_F(CudaDoubleWatched, Reads_beside_an_allocation_are_told) {
  float* const out = unwritten<float>(11);
  launch(CopyKernel<float>{written<float>(10), out, 11});
  EXPECT_THAT(told(), HasSubstr("byte 40 of an allocation of 40"));
  launch(CopyKernel<float>{written<float>(10) - 1, out, 10});
  EXPECT_THAT(told(), HasSubstr("byte -4 of an allocation of 40"));
}

TEST_F(CudaDoubleWatched, What_is_added_to_is_read_and_what_is_not_wanted_is_not) {
  launch(AddKernel{written<float>(70), unwritten<float>(70), 70, true});
  EXPECT_THAT(told(), HasSubstr("never written"));
  launch(AddKernel{unwritten<float>(70), written<float>(70), 70, true});
  EXPECT_THAT(told(), HasSubstr("never written"));
  launch(AddKernel{unwritten<float>(70), written<float>(70), 70, false});
  EXPECT_EQ(told(), "");
}

TEST_F(CudaDoubleWatched, Copies_to_the_host_read) {
  const void* const half = unwritten<float>(10);
  EXPECT_THAT(told_of_copy(half, 40), HasSubstr("a copy to the host"));
  cudaMemsetAsync(const_cast<void*>(half), 0, 20, nullptr);
  EXPECT_EQ(told_of_copy(half, 20), "");
  EXPECT_THAT(told_of_copy(half, 21), HasSubstr("byte 20 of an allocation of 40"));
  const std::vector<float> values(10);
  EXPECT_EQ(told_of_copy(on_device(values), 40), "");
}

TEST_F(CudaDoubleWatched, Memory_is_new_each_time_that_it_is_allocated) {
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, {0}};
  cudaMemPool_t pool = nullptr;
  cudaMemPoolCreate(&pool, &properties);
  for (int time = 0; time < 3; ++time) {
    void* memory = nullptr;
    cudaMallocFromPoolAsync(&memory, 40, pool, nullptr);
    EXPECT_THAT(told_of_copy(memory, 40), HasSubstr("byte 0 of an allocation of 40"));
    cudaMemsetAsync(memory, 0, 40, nullptr);
    EXPECT_EQ(told_of_copy(memory, 40), "");
    cudaFreeAsync(memory, nullptr);
  }
  cudaMemPoolDestroy(pool);
}

TEST_F(CudaDoubleWatched, Products_read_their_operands_and_write_their_results) {
  struct Case {
    const char* name;
    cublasLtEpilogue_t epilogue;
    float beta;
    void (*replace)(Call&, void*);  // an operand, by memory that nothing wrote
  };
  const auto bias = [](Call& call, void* memory) { call.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, memory); };
  const auto mask = [](Call& call, void* memory) {
    call.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, memory);
  };
  const auto c = [](Call& call, void* memory) { call.c = memory; };
  const Case cases[] = {
      {"A", CUBLASLT_EPILOGUE_DEFAULT, 0, [](Call& call, void* memory) { call.a = memory; }},
      {"B", CUBLASLT_EPILOGUE_DEFAULT, 0, [](Call& call, void* memory) { call.b = memory; }},
      {"C", CUBLASLT_EPILOGUE_DEFAULT, 1, c},
      {"bias", CUBLASLT_EPILOGUE_BIAS, 0, bias},
      {"mask", CUBLASLT_EPILOGUE_DRELU, 0, mask},
      {"", CUBLASLT_EPILOGUE_DEFAULT, 0, c},
      {"", CUBLASLT_EPILOGUE_DEFAULT, 0, [](Call& call, void* memory) { call.d = memory; }},
      {"", CUBLASLT_EPILOGUE_DRELU_BGRAD, 0, bias},
      {"", CUBLASLT_EPILOGUE_RELU_AUX, 0, mask}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name + std::to_string(one.epilogue));
    const bool writes = one.replace != +c;
    Matrix a(7, 5, 0, 1), b(5, 3, 0, 2), d(7, 3, 0, 3);
    auto* const memory = unwritten<std::uint8_t>(256);
    Ask ask;
    ask.epilogue = one.epilogue;
    ask.beta = one.beta;
    ask.traps = *one.name != 0;
    ask.before_product = [&](Call& call) { one.replace(call, memory); };
    ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
    const std::string trap = told();
    if (ask.traps)
      EXPECT_THAT(trap, HasSubstr(std::string("a product's ") + one.name + " reads memory that was never"));
    else
      EXPECT_EQ(trap, "");
    if (!ask.traps && writes) {
      // Seven rows of D, or of the bias gradient; a byte of the mask for each column.
      const std::size_t bytes = one.epilogue == CUBLASLT_EPILOGUE_RELU_AUX ? 1 : 7 * sizeof(float);
      EXPECT_EQ(told_of_copy(memory, bytes), "");
    }
  }
}

TEST_F(CudaDoubleWatched, What_lies_between_columns_is_not_read_and_the_workspace_is_nobody_elses) {
  Matrix a(7, 600, 1, 1), b(600, 3, 0, 2), d(7, 3, 0, 3);
  auto* const columns = unwritten<float>(8 * 600);
  const void* workspace = nullptr;
  for (std::int64_t j = 0; j < 600; ++j) cudaMemsetAsync(columns + 8 * j, 0, 7 * sizeof(float), nullptr);
  Ask ask;
  ask.before_product = [&](Call& call) {
    call.a = columns;
    call.workspace = written<float>(7 * 3 + 1);
    call.workspace_bytes = 22 * sizeof(float);
    workspace = call.workspace;
    cudaStreamSynchronize(nullptr);  // the product is on a stream of its own
  };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(told(), "");
  EXPECT_THAT(told_of_copy(workspace, 4), HasSubstr("byte 0 of an allocation of 88"));
}

/// Differences in units in the last place of the functions' values from the host's.
template <class T>
std::vector<std::int64_t> differences(const std::vector<T>& values, const std::vector<T>& of_host) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Bits a, b;
    std::memcpy(&a, &values[i], sizeof a);
    std::memcpy(&b, &of_host[i], sizeof b);
    result.push_back(std::int64_t{a} - b);
  }
  return result;
}

template <class T>
class CudaDoubleFunctions : public CudaDoubleWatched {
 protected:
  std::vector<T> values_with(int ulps, const std::vector<T>& arguments) {
    const auto n = static_cast<std::int64_t>(arguments.size());
    T* const out = this->template unwritten<T>(2 * n);
    const T* const in = static_cast<const T*>(this->on_device(arguments));
    this->controls().settings().ulps = ulps;
    this->launch(FunctionsKernel<T>{in, out, n});
    EXPECT_EQ(told(), "");
    std::vector<T> values(static_cast<std::size_t>(2 * n));
    this->from_device(values, out);
    return values;
  }
};
using FloatingTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CudaDoubleFunctions, FloatingTypes);

TYPED_TEST(CudaDoubleFunctions, Differ_from_the_hosts_by_some_units_the_same_each_time) {
  using T = TypeParam;
  EXPECT_EQ(this->controls().settings().ulps, 4);
  std::vector<T> arguments;
  for (int i = 0; i < 300; ++i) arguments.push_back(T(2) + T(i) / 7);
  const std::vector<T> of_host = this->values_with(0, arguments);
  for (const int ulps : {0, 1, 4}) {
    const std::vector<T> values = this->values_with(ulps, arguments);
    EXPECT_EQ(values, this->values_with(ulps, arguments));
    const std::vector<std::int64_t> all = differences(values, of_host);
    for (const std::size_t half : {0, 1}) {  // logarithms, powers
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(half * arguments.size());
      const std::set<std::int64_t> met(begin, begin + static_cast<std::ptrdiff_t>(arguments.size()));
      const int bound = std::min(ulps, half == 0 ? 1 : sizeof(T) == 4 ? 4 : 2);  // as CUDA documents
      EXPECT_EQ(met.size(), static_cast<std::size_t>(2 * bound + 1));
      EXPECT_EQ(*met.begin(), -bound);
    }
  }
}

TYPED_TEST(CudaDoubleFunctions, Have_their_special_values) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> arguments{0, 1, infinity, std::numeric_limits<T>::quiet_NaN()};
  const std::vector<T> values = this->values_with(4, arguments);
  EXPECT_EQ(std::vector<T>(values.begin(), values.begin() + 3), (std::vector<T>{-infinity, 0, infinity}));
  EXPECT_TRUE(std::isnan(values[3]));
  EXPECT_EQ(std::vector<T>(values.begin() + 4, values.begin() + 7), (std::vector<T>{0, 1, infinity}));
  EXPECT_TRUE(std::isnan(values[7]));
}

#if defined(__FMA__) && defined(__OPTIMIZE__)
TEST_F(CudaDoubleWatched, A_product_and_a_sum_are_one_instruction) {
  const std::vector<float> in{1 + 0x1p-12f},
      less{1 + 0x1p-11f};  // the square has 2^-24 more, which is rounded away
  float* const out = unwritten<float>(1);
  launch(SquareKernel{static_cast<const float*>(on_device(in)), static_cast<const float*>(on_device(less)),
                      out});
  EXPECT_EQ(told(), "");
  std::vector<float> value(1);
  from_device(value, out);
  EXPECT_EQ(value[0], 0x1p-24f);
}
#endif

}  // namespace
}  // namespace glia::cuda_double
