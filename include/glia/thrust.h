// Views of Thrust's vectors and ranges for Glia, and Thrust's pointers into Glia's tensors; nothing is copied. For code that
// nvcc compiles, or g++ with another of Thrust's device systems (THRUST_DEVICE_SYSTEM), whose device is the CPU. The one
// header of Glia that includes CUDA's: glia.h does not include it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/mutable_tensor_view.h>
#include <glia/tensor.h>
#include <thrust/device_ptr.h>
#include <thrust/device_vector.h>
#include <thrust/type_traits/is_contiguous_iterator.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
#include <cuda_runtime_api.h>
#endif

namespace GLIA_API glia {

namespace detail {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
inline constexpr bool thrust_is_on_a_gpu = true;

/// Where memory of Thrust's device system lies: that of nothing, and managed memory, on the current device.
inline Device device_of_thrust(const void* data) {
  int current = 0;
  cudaPointerAttributes known = {};
  cudaError_t error = cudaGetDevice(&current);
  if (error == cudaSuccess && data) error = cudaPointerGetAttributes(&known, data);
  GLIA_CHECK(error == cudaSuccess, DeviceError,
             "a view of Thrust's memory asked CUDA where it lies, which failed: ", cudaGetErrorString(error));
  if (known.type == cudaMemoryTypeDevice) return Device::cuda(known.device);
  GLIA_CHECK(!data || known.type == cudaMemoryTypeManaged, DeviceError,
             "a view of Thrust's memory got address ", data,
             ", which is the host's: expected memory of a device; use TensorView::of for the host's");
  return Device::cuda(current);
}
#else
inline constexpr bool thrust_is_on_a_gpu = false;

inline Device device_of_thrust(const void*) { return Device::cpu(); }
#endif

/// Throws DeviceError where Thrust's algorithms cannot reach the elements.
inline void expect_in_reach_of_thrust(const TensorView& view) {
  GLIA_CHECK(view.device().is_cuda() == thrust_is_on_a_gpu, DeviceError, "elements of shape ", view.shape(),
             " lie on ", view.device(), ", but Thrust's device system computes on ",
             thrust_is_on_a_gpu ? "GPUs" : "the CPU", ": copy them over first, such as with tensor.to(\"",
             thrust_is_on_a_gpu ? "cuda" : "cpu", "\")");
}

/// Iterators whose elements lie behind one another: device_ptr, those of device_vector, plain pointers.
template <class Iterator>
concept ContiguousOfThrust = thrust::is_contiguous_iterator<Iterator>::value;
}  // namespace detail

/// The elements of a range, of two device_ptr or a vector's iterators: as below.
template <detail::ContiguousOfThrust Iterator>
auto as_view(Iterator first, Iterator last, const Shape& shape) {
  auto* const data = thrust::raw_pointer_cast(&*first);
  using T = std::remove_pointer_t<decltype(data)>;
  using View = std::conditional_t<std::is_const_v<T>, TensorView, MutableTensorView>;
  const std::span<T> values(data, static_cast<std::size_t>(last - first));
  return View::of(values, shape, detail::device_of_thrust(values.empty() ? nullptr : data));
}
template <detail::ContiguousOfThrust Iterator>
auto as_view(Iterator first, Iterator last) {
  return as_view(first, last, Shape{static_cast<std::int64_t>(last - first)});
}

/// The elements of a vector, as one dimension or in a shape; of a const vector, to be read. The vector must outlive the view,
/// and not be resized. Throws ShapeError where the shape has not as many elements, DeviceError where CUDA fails. Neither
/// allocates nor synchronises: Thrust's algorithms wait for their work unless they are told not to.
///
///     thrust::device_vector<float> rows(1000 * 784);
///     model.predict(glia::as_view(rows, {1000, 784}));
template <detail::Element T, class Allocator>
TensorView as_view(const thrust::device_vector<T, Allocator>& vector, const Shape& shape) {
  return as_view(vector.begin(), vector.end(), shape);
}
template <detail::Element T, class Allocator>
MutableTensorView as_view(thrust::device_vector<T, Allocator>& vector, const Shape& shape) {
  return as_view(vector.begin(), vector.end(), shape);
}
template <detail::Element T, class Allocator>
TensorView as_view(const thrust::device_vector<T, Allocator>& vector) {
  return as_view(vector, Shape{static_cast<std::int64_t>(vector.size())});
}
template <detail::Element T, class Allocator>
MutableTensorView as_view(thrust::device_vector<T, Allocator>& vector) {
  return as_view(vector, Shape{static_cast<std::int64_t>(vector.size())});
}
/// A vector that nobody has would be gone before its view.
template <detail::Element T, class Allocator>
void as_view(const thrust::device_vector<T, Allocator>&& vector) = delete;
template <detail::Element T, class Allocator>
void as_view(const thrust::device_vector<T, Allocator>&& vector, const Shape& shape) = delete;

/// Where a tensor's or a view's elements begin and end, as Thrust's algorithms take them: raw storage, without a scale. Throws
/// ValueError for another dtype than T, DeviceError where Thrust's device system computes elsewhere. Neither allocates nor
/// synchronises; what Glia returned is computed already.
///
///     glia::Tensor y = model.predict(x);
///     float most = thrust::reduce(glia::begin<float>(y), glia::end<float>(y), 0.0f, thrust::maximum<float>());
template <detail::Element T>
thrust::device_ptr<const T> begin(const TensorView& view) {
  detail::expect_in_reach_of_thrust(view);
  return thrust::device_pointer_cast(view.template data<T>());
}
template <detail::Element T>
thrust::device_ptr<T> begin(const MutableTensorView& view) {
  detail::expect_in_reach_of_thrust(view);
  return thrust::device_pointer_cast(view.template data<T>());
}
template <detail::Element T>
thrust::device_ptr<T> begin(Tensor& tensor) {
  return begin<T>(MutableTensorView(tensor));
}
/// Of a tensor that nobody has they would lead nowhere.
template <detail::Element T>
void begin(const Tensor&& tensor) = delete;
template <detail::Element T>
void end(const Tensor&& tensor) = delete;

template <detail::Element T>
thrust::device_ptr<const T> end(const TensorView& view) {
  return begin<T>(view) + view.size();
}
template <detail::Element T>
thrust::device_ptr<T> end(const MutableTensorView& view) {
  return begin<T>(view) + view.size();
}
template <detail::Element T>
thrust::device_ptr<T> end(Tensor& tensor) {
  return begin<T>(tensor) + tensor.size();
}

}  // namespace glia
