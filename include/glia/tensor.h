// Tensor: an owned n-dimensional array on a device. TensorView: the same, not owned.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/device.h>
#include <glia/dtype.h>
#include <glia/macros.h>
#include <glia/shape.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace GLIA_API glia {

class Context;  // a device in use; <glia/context.h>
class Memory;   // an owned allocation on a device; <glia/backend.h>

namespace detail {
/// A number, or a braced list of such: the elements of Tensor{{1, 2}, {3, 4}}.
class Nested {
 public:
  template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
  Nested(Number value) : value_(static_cast<double>(value)) {}
  Nested(std::initializer_list<Nested> items) : items_(items), is_list_(true) {}

  bool is_list() const { return is_list_; }
  double value() const { return value_; }
  const std::vector<Nested>& items() const { return items_; }

 private:
  double value_ = 0;
  std::vector<Nested> items_;
  bool is_list_ = false;
};
}  // namespace detail

class TensorView;
struct Unique;

/// An owned, contiguous, row-major array: move-only, tagged with its device and dtype.
///
///     glia::Tensor x{{0, 0}, {0, 1}, {1, 0}, {1, 1}};   // float32, (4, 2)
///     glia::Tensor y = (x.column(0) + x.column(1)) > 0; // OR, uint8 0/1, (4,)
///     std::cout << x.mean() << x.argmax(1) << x;
///
/// A uint8 tensor carries a `scale` (1 unless set) by which every consumer multiplies: elements read as
/// doubles, the functions below, printing, and training all see value * scale; `data<T>()` is the raw
/// storage. Functions that read elements need the tensor on the CPU and throw DeviceError otherwise (say
/// `.to("cpu")`). All of them allocate their result and are synchronous. Out-of-range rows, columns and axes
/// throw ShapeError.
class Tensor {
 public:
  /// An empty float32 tensor of shape (0,).
  Tensor();
  /// From nested braces: float32, as many dimensions as braces. Throws ShapeError where rows differ in
  /// length.
  Tensor(std::initializer_list<detail::Nested> values);
  /// One dimension, of the vector's type (float, double, uint8, int32, int64).
  template <class T>
  explicit Tensor(const std::vector<T>& values)
      : Tensor(values, Shape{static_cast<std::int64_t>(values.size())}) {}
  /// Copies `values` into `shape`; throws ShapeError where their counts differ.
  template <class T>
  Tensor(const std::vector<T>& values, const Shape& shape)
      : Tensor(values.data(), values.size(), dtype_of<T>, shape) {}

  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  Tensor(const Tensor&) = delete;             // copies are asked for: write .clone()
  Tensor& operator=(const Tensor&) = delete;  // copies are asked for: write .clone()
  ~Tensor();

  static Tensor zeros(const Shape& shape, DType dtype = DType::float32);
  static Tensor ones(const Shape& shape, DType dtype = DType::float32);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
  /// 0, 1, ..., count - 1.
  static Tensor arange(std::int64_t count, DType dtype = DType::float32);
  /// Unspecified contents, 256-byte aligned, on the CPU. Throws OutOfMemoryError.
  static Tensor uninitialized(const Shape& shape, DType dtype = DType::float32);
  /// Takes over `memory`, which lies on `device` and holds shape.elements() elements of `dtype`.
  static Tensor adopt(std::unique_ptr<Memory> memory, const Shape& shape, DType dtype, Device device);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  const Device& device() const { return device_; }
  int rank() const { return shape_.rank(); }
  /// Number of elements.
  std::int64_t size() const { return shape_.elements(); }
  /// Length of the first dimension; 1 for a scalar.
  std::int64_t rows() const { return shape_.rank() ? shape_[0] : 1; }
  std::int64_t bytes() const { return size() * size_of(dtype_); }
  bool empty() const { return size() == 0; }

  double scale() const { return scale_; }
  /// Sets the factor consumers apply; throws ValueError on a tensor that is not uint8, or for a factor that
  /// is 0 or not finite.
  Tensor& set_scale(double scale);

  /// Raw storage (null when empty), on device(). The typed form throws ValueError for another dtype.
  void* raw() { return data_; }
  const void* raw() const { return data_; }
  template <class T>
  T* data() {
    expect_dtype(dtype_of<T>);
    return static_cast<T*>(data_);
  }
  template <class T>
  const T* data() const {
    expect_dtype(dtype_of<T>);
    return static_cast<const T*>(data_);
  }

  /// A deep copy on the same device.
  Tensor clone() const;
  /// A copy on `device` (a clone where it lies there already).
  Tensor to(const Device& device) const;
  /// A copy on the context's device, in its memory: tensors that go with a model best lie in its context,
  /// x.to(model.context()), since to(device) starts a context for each.
  Tensor to(const Context& context) const;
  /// A copy of another dtype; scale is applied to the values, and is 1 afterwards (it is kept where dtype is
  /// uint8 both ways). Throws ValueError for a value that `dtype` cannot hold: 300 in uint8, NaN in int32.
  Tensor cast(DType dtype) const;
  /// All elements as doubles, scaled.
  std::vector<double> values() const;

  /// One element: t(3), t(1, 2), ... as many indices as dimensions; negative ones count from the end.
  template <class... Index>
  double operator()(Index... index) const {
    return at({static_cast<std::int64_t>(index)...});
  }
  double at(std::initializer_list<std::int64_t> index) const;
  /// Writes one element, converted to the dtype (and divided by scale).
  void set(std::initializer_list<std::int64_t> index, double value);
  /// The only element; throws ShapeError where there is not just one.
  double item() const;

  /// Rows first..last-1 (a copy), negative counts from the end as in NumPy's t[first:last].
  Tensor rows(std::int64_t first, std::int64_t last) const;
  /// The rows named by `indices`, in that order.
  Tensor rows(const std::vector<std::int64_t>& indices) const;
  /// Row i without its first dimension: NumPy's t[i].
  Tensor row(std::int64_t i) const;
  /// The rows where `mask` (uint8, one element a row) is not 0.
  Tensor where(const Tensor& mask) const;
  /// Along the last axis: NumPy's t[..., first:last], t[..., indices] and t[..., j].
  Tensor columns(std::int64_t first, std::int64_t last) const;
  Tensor columns(const std::vector<std::int64_t>& indices) const;
  Tensor column(std::int64_t j) const;
  /// The same elements in another shape; one dimension may be -1. The rvalue form moves and does not copy.
  Tensor reshape(const Shape& shape) const&;
  Tensor reshape(const Shape& shape) &&;
  /// Two-dimensional transpose.
  Tensor transpose() const;

  double min() const;
  double max() const;
  double sum() const;
  double mean() const;
  /// Along one axis (negative: from the end), which disappears. argmax gives int64, the others float64.
  Tensor min(int axis) const;
  Tensor max(int axis) const;
  Tensor sum(int axis) const;
  Tensor mean(int axis) const;
  Tensor argmax(int axis) const;
  std::int64_t argmax() const;
  /// To the nearest integer, ties to even (as NumPy), or to `decimals` places; floating dtypes only change.
  Tensor round(int decimals = 0) const;
  Tensor abs() const;
  /// Sorted distinct values (same dtype) and how often each occurs (int64).
  Unique unique() const;

 private:
  friend class DlpackExport;  // waits for the context that memory_ comes from
  Tensor(const void* values, std::size_t count, DType dtype, const Shape& shape);
  Tensor to_cpu() const;
  void expect_dtype(DType wanted) const;

  Shape shape_{0};
  DType dtype_ = DType::float32;
  Device device_;
  double scale_ = 1;
  void* data_ = nullptr;
  std::unique_ptr<Memory> memory_;
};

/// The tensors that a call returns. Like any vector of them, but that a list which nobody keeps gives its tensors away:
///
///     glia::Tensor kernel = model.get_weights()[0];
class TensorList : public std::vector<Tensor> {
 public:
  using std::vector<Tensor>::vector;
  TensorList() = default;
  TensorList(std::vector<Tensor> tensors) : std::vector<Tensor>(std::move(tensors)) {}

  Tensor& operator[](std::size_t i) & { return vector::operator[](i); }
  const Tensor& operator[](std::size_t i) const& { return vector::operator[](i); }
  Tensor operator[](std::size_t i) && { return std::move(vector::operator[](i)); }
  Tensor& at(std::size_t i) & { return vector::at(i); }
  const Tensor& at(std::size_t i) const& { return vector::at(i); }
  Tensor at(std::size_t i) && { return std::move(vector::at(i)); }
  Tensor& front() & { return vector::front(); }
  const Tensor& front() const& { return vector::front(); }
  Tensor front() && { return std::move(vector::front()); }
  Tensor& back() & { return vector::back(); }
  const Tensor& back() const& { return vector::back(); }
  Tensor back() && { return std::move(vector::back()); }
};

struct Unique {
  Tensor values;
  Tensor counts;
};

/// Element-wise arithmetic: tensors of one shape, a tensor and a number, or a (rows, n) tensor and an (n,)
/// one. float64 where either is float64, else float32. Throws ShapeError where shapes do not fit.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);
Tensor operator-(const Tensor& a);

/// Element-wise comparison: uint8 0 or 1. Shapes as for arithmetic.
Tensor operator==(const Tensor& a, const Tensor& b);
Tensor operator!=(const Tensor& a, const Tensor& b);
Tensor operator<(const Tensor& a, const Tensor& b);
Tensor operator<=(const Tensor& a, const Tensor& b);
Tensor operator>(const Tensor& a, const Tensor& b);
Tensor operator>=(const Tensor& a, const Tensor& b);
Tensor operator==(const Tensor& a, double b);
Tensor operator!=(const Tensor& a, double b);
Tensor operator<(const Tensor& a, double b);
Tensor operator<=(const Tensor& a, double b);
Tensor operator>(const Tensor& a, double b);
Tensor operator>=(const Tensor& a, double b);

/// True where shapes are equal and every element is exactly the same number (NaN equals NaN).
bool array_equal(const Tensor& a, const Tensor& b);
/// True where shapes are equal and |a - b| <= atol + rtol * |b| everywhere.
bool all_close(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);
/// Tensors of the same dtype and row shape, one below the other.
Tensor concatenate(const std::vector<const Tensor*>& parts);

/// Prints as NumPy's print(array) does: brackets, aligned columns, 8 digits, and "..." beyond 1000 elements.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
std::string to_string(const Tensor& tensor);

namespace detail {
/// Types that tensors hold, const or not.
template <class T>
concept Element = requires {
  DTypeOf<std::remove_cv_t<T>>::value;
};
/// Numbers of another type, which must not be taken for float32. A char may be any byte.
template <class T>
concept OtherNumber = std::is_arithmetic_v<T> && !Element<T> && !std::is_same_v<std::remove_cv_t<T>, char>;

/// The number of elements. Throws ShapeError for a negative dimension, and for more bytes than there are addresses, those of 0
/// aside.
inline std::int64_t checked_count(const Shape& shape, DType dtype) {
  std::int64_t bytes = size_of(dtype);
  bool empty = false, fits = true;
  for (const std::int64_t dimension : shape) {
    GLIA_CHECK(dimension >= 0, ShapeError, "a view got shape ", shape, ", expected dimensions of at least 0");
    empty = empty || dimension == 0;
    if (dimension > 0) fits = !__builtin_mul_overflow(bytes, dimension, &bytes) && fits;
  }
  GLIA_CHECK(fits, ShapeError, "a view got shape ", shape,
             ", which has more bytes than a computer can address: check its dimensions");
  return empty ? 0 : bytes / size_of(dtype);
}

/// What a view is told: throws as TensorView::of says. `count` is that of a span.
inline void check_view(const void* data, const Shape& shape, DType dtype, double scale,
                       std::int64_t count = -1) {
  GLIA_CHECK(scale == 1 || (dtype == DType::uint8 && scale * 0 == 0 && scale != 0), ValueError, "a view of ",
             dtype, " got scale ", scale, ", expected 1, or for uint8 a finite number other than 0");
  visit_dtype(dtype, [](auto) {});  // throws for one that tensors do not hold
  const std::int64_t elements = checked_count(shape, dtype), size = size_of(dtype);
  GLIA_CHECK(count < 0 || count == elements, ShapeError, "a view of shape ", shape, " got a span of ", count,
             " elements, expected ", elements, ": give as many, or another shape");
  if (elements == 0) return;
  GLIA_CHECK(
      data != nullptr, ValueError, "a view of shape ", shape,
      " got a null pointer, expected the address of its first element: allocate or load the data first");
  GLIA_CHECK(reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(size) == 0, ValueError,
             "a view of ", dtype, " got address ", data, ", expected a multiple of ", size,
             ": name the dtype that lies there, or copy the elements to where they are aligned");
}
}  // namespace detail

/// Elements somebody else owns: what an application that has its own memory hands to predict, evaluate and
/// fit. The memory must stay valid and unchanged while a call uses it. Contiguous, row-major.
///
///     std::vector<float> rows = ...;
///     model.predict(glia::TensorView::of(std::span(rows), {1000, 784}));
///     model.predict(glia::TensorView::of(device_pointer, {1000, 784}, "cuda"));  // of a float*
///
/// Making one neither allocates nor synchronises, nor asks CUDA anything. Elements on a GPU are read on the stream of the
/// context that uses them: where another stream writes them, have it record an event, and context.wait() for that.
class TensorView {
 public:
  /// A template so that braces, which could mean a Tensor, never mean a view of one that is gone at once.
  template <class T, std::enable_if_t<std::is_same_v<T, Tensor>, int> = 0>
  TensorView(const T& tensor)
      : data_(tensor.raw()),
        shape_(tensor.shape()),
        dtype_(tensor.dtype()),
        device_(tensor.device()),
        scale_(tensor.scale()) {}
  /// `data` points to shape.elements() elements of `dtype` on `device`. Throws ValueError for a null pointer
  /// to any elements, for one that is not a multiple of an element's bytes, for a scale other than 1 on a dtype that is not
  /// uint8, or one that is 0 or not finite, and for bfloat16; ShapeError for a negative dimension, and for more bytes than
  /// there are addresses. Whether the memory is where `device` says is found out when a model or a copy first uses it:
  /// DeviceError then, where CUDA knows otherwise.
  static TensorView of(const void* data, const Shape& shape, DType dtype = DType::float32,
                       Device device = Device::cpu(), double scale = 1) {
    detail::check_view(data, shape, dtype, scale);
    return TensorView(data, shape, dtype, device, scale);
  }
  /// The same, where the pointer's type says the dtype (float, double, uint8, int32, int64).
  template <detail::Element T>
  static TensorView of(const T* data, const Shape& shape, Device device = Device::cpu(), double scale = 1) {
    return of(static_cast<const void*>(data), shape, dtype_of<T>, device, scale);
  }
  /// One dimension, of all elements of the span. Of memory of a GPU, give the shape and the device.
  template <detail::Element T, std::size_t extent>
  static TensorView of(std::span<T, extent> values) {
    return of(values, Shape{static_cast<std::int64_t>(values.size())});
  }
  /// Throws ShapeError where the shape has not as many elements as the span.
  template <detail::Element T, std::size_t extent>
  static TensorView of(std::span<T, extent> values, const Shape& shape, Device device = Device::cpu(),
                       double scale = 1) {
    detail::check_view(values.data(), shape, dtype_of<T>, scale, static_cast<std::int64_t>(values.size()));
    return TensorView(values.data(), shape, dtype_of<T>, device, scale);
  }
  /// Tensors hold no such numbers: convert them, or name the dtype that they stand for.
  template <detail::OtherNumber T>
  static TensorView of(const T* data, const Shape& shape) = delete;
  template <detail::OtherNumber T>
  static TensorView of(const T* data, const Shape& shape, Device device) = delete;

  const void* raw() const { return data_; }
  /// The raw elements, on device(). Throws ValueError for another dtype.
  template <class T>
  const T* data() const {
    expect_dtype(dtype_of<T>);
    return static_cast<const T*>(data_);
  }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  const Device& device() const { return device_; }
  double scale() const { return scale_; }
  std::int64_t size() const { return shape_.elements(); }
  std::int64_t bytes() const { return size() * size_of(dtype_); }
  std::int64_t rows() const { return shape_.rank() ? shape_[0] : 1; }
  std::int64_t row_elements() const { return shape_.rank() ? shape_.row().elements() : 1; }
  std::int64_t row_bytes() const { return row_elements() * size_of(dtype_); }
  /// Rows first..last-1, not copied. Unchecked.
  TensorView rows(std::int64_t first, std::int64_t last) const {
    return TensorView(static_cast<const char*>(data_) + first * row_bytes(),
                      shape_.row().prepend(last - first), dtype_, device_, scale_);
  }

 protected:
  TensorView(const void* data, const Shape& shape, DType dtype, Device device, double scale)
      : data_(data), shape_(shape), dtype_(dtype), device_(device), scale_(scale) {}

  void expect_dtype(DType wanted) const {
    GLIA_CHECK(dtype_ == wanted, ValueError, "elements of ", wanted,
               " were asked for, but this view of shape ", shape_, " is of ", dtype_,
               ": ask for that type, or convert it first");
  }

 private:
  const void* data_;
  Shape shape_;
  DType dtype_;
  Device device_;
  double scale_;
};

}  // namespace glia
