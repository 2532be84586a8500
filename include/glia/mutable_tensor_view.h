// MutableTensorView: elements somebody else owns, to be written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace GLIA_API glia {

/// What a TensorView is, and writable: memory of an application that is written, or lent to somebody who may. It serves wherever
/// a TensorView does.
///
///     float* device_pointer = ...;
///     auto out = glia::MutableTensorView::of(device_pointer, {1000, 10}, "cuda");
class MutableTensorView : public TensorView {
 public:
  /// Of a tensor that has a name; it must outlive the view.
  template <class T, std::enable_if_t<std::is_same_v<T, Tensor>, int> = 0>
  MutableTensorView(T& tensor) : TensorView(tensor) {}

  /// Arguments and errors as TensorView::of.
  static MutableTensorView of(void* data, const Shape& shape, DType dtype = DType::float32,
                              Device device = Device::cpu(), double scale = 1) {
    return MutableTensorView(TensorView::of(data, shape, dtype, device, scale));
  }
  template <detail::Element T>
  requires(!std::is_const_v<T>) static MutableTensorView
      of(T* data, const Shape& shape, Device device = Device::cpu(), double scale = 1) {
    return MutableTensorView(TensorView::of(data, shape, device, scale));
  }
  template <detail::Element T, std::size_t extent>
  requires(!std::is_const_v<T>) static MutableTensorView of(std::span<T, extent> values) {
    return MutableTensorView(TensorView::of(values));
  }
  template <detail::Element T, std::size_t extent>
  requires(!std::is_const_v<T>) static MutableTensorView
      of(std::span<T, extent> values, const Shape& shape, Device device = Device::cpu(), double scale = 1) {
    return MutableTensorView(TensorView::of(values, shape, device, scale));
  }
  static MutableTensorView of(Tensor& tensor) { return tensor; }
  template <detail::OtherNumber T>
  static MutableTensorView of(T* data, const Shape& shape) = delete;
  template <detail::OtherNumber T>
  static MutableTensorView of(T* data, const Shape& shape, Device device) = delete;

  /// The elements, on device().
  void* raw() const { return const_cast<void*>(TensorView::raw()); }
  /// The same, typed. Throws ValueError for another dtype.
  template <class T>
  T* data() const {
    expect_dtype(dtype_of<T>);
    return static_cast<T*>(raw());
  }
  /// Rows first..last-1, not copied. Unchecked.
  MutableTensorView rows(std::int64_t first, std::int64_t last) const {
    return MutableTensorView(TensorView::rows(first, last));
  }
  using TensorView::rows;

 private:
  friend class ImportedTensor;
  explicit MutableTensorView(const TensorView& view) : TensorView(view) {}
};

}  // namespace glia
