// Tensor: storage, construction, copies between devices, and access to single elements.
// SPDX-License-Identifier: Apache-2.0
#include <glia/context.h>
#include <glia/tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/base/memory.h"  // defines: HostMemory, checked_bytes
#include "host/device/context_memory.h"
#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context, read_element
#include "host/tensor/tensor_support.h"  // defines: resolve_index, convert

namespace glia {
namespace {

using detail::Nested;

/// The shape that a braced list has if every item is like the first.
void append_dimensions(const std::vector<Nested>& items, Shape& shape) {
  shape.push_back(static_cast<std::int64_t>(items.size()));
  if (!items.empty() && items.front().is_list()) append_dimensions(items.front().items(), shape);
}

/// Writes the numbers of `items` at `out`, and returns where it stopped; throws where `items` does not have
/// the shape from `axis` on.
float* write_nested(const std::vector<Nested>& items, const Shape& shape, int axis, float* out) {
  const auto length = static_cast<std::int64_t>(items.size());
  GLIA_CHECK(length == shape[axis], ShapeError,
             "the rows of a braced list must be of one length: got a list of ", length,
             " items where the first has ", shape[axis], " (dimension ", axis, " of shape ", shape,
             "); fill the short rows");
  const bool innermost = axis + 1 == shape.rank();
  for (const Nested& item : items) {
    GLIA_CHECK(
        item.is_list() != innermost, ShapeError, "a braced list must be nested evenly: got a ",
        item.is_list() ? "list where the first item is a number" : "number where the first item is a list",
        " (dimension ", axis, " of shape ", shape, "); brace all items alike");
    if (innermost)
      *out++ = static_cast<float>(item.value());
    else
      out = write_nested(item.items(), shape, axis + 1, out);
  }
  return out;
}

/// Contents of a tensor on the host, in new memory of the context's device. Its stream has finished, so that others
/// may read.
std::unique_ptr<Memory> upload(const Tensor& tensor, const Context& context) {
  const detail::InUse::Hold mark(context.backend().in_use(), Backend::in_use_elsewhere);
  auto memory =
      std::make_unique<ContextMemory>(context, static_cast<std::size_t>(tensor.bytes()), MemoryUse::tensors);
  if (tensor.empty()) return memory;  // which knows its context
  context.backend().upload(memory->data(), tensor.raw(), memory->bytes());
  context.backend().synchronize();
  return memory;
}

/// The context that `memory` came from, where it remembers one, so that a download waits for its stream.
Context context_of(const Memory* memory, const Device& device) {
  if (const auto* owned = dynamic_cast<const ContextMemory*>(memory)) return owned->context();
  return Context(ContextOptions{.device = device});
}

}  // namespace

Tensor::Tensor() = default;

Tensor::Tensor(std::initializer_list<Nested> values) {
  const std::vector<Nested> items(values);
  Shape shape;
  append_dimensions(items, shape);
  *this = uninitialized(shape, DType::float32);
  write_nested(items, shape, 0, data<float>());
}

Tensor::Tensor(const void* values, std::size_t count, DType dtype, const Shape& shape)
    : Tensor(uninitialized(shape, dtype)) {
  GLIA_CHECK(static_cast<std::int64_t>(count) == size(), ShapeError, count,
             " values do not fill a tensor of shape ", shape, ", which has ", size(),
             " elements; give as many values, or another shape");
  detail::copy_bytes(data_, values, bytes());
}

Tensor::Tensor(Tensor&& other) noexcept { *this = std::move(other); }

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this == &other) return *this;
  shape_ = std::exchange(other.shape_, Shape{0});
  dtype_ = std::exchange(other.dtype_, DType::float32);
  device_ = std::exchange(other.device_, Device());
  scale_ = std::exchange(other.scale_, 1.0);
  data_ = std::exchange(other.data_, nullptr);
  memory_ = std::move(other.memory_);
  return *this;
}

Tensor::~Tensor() = default;

Tensor Tensor::zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }

Tensor Tensor::ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor result = uninitialized(shape, dtype);
  visit_dtype(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    std::fill_n(result.data<T>(), result.size(), detail::convert<T>(value));
  });
  return result;
}

Tensor Tensor::arange(std::int64_t count, DType dtype) {
  Tensor result = uninitialized({count}, dtype);
  visit_dtype(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* out = result.data<T>();
    for (std::int64_t i = 0; i < count; ++i) out[i] = detail::convert<T>(i);
  });
  return result;
}

Tensor Tensor::uninitialized(const Shape& shape, DType dtype) {
  const std::int64_t bytes = checked_bytes(shape, dtype);
  return adopt(std::make_unique<HostMemory>(static_cast<std::size_t>(bytes)), shape, dtype, Device::cpu());
}

Tensor Tensor::adopt(std::unique_ptr<Memory> memory, const Shape& shape, DType dtype, Device device) {
  visit_dtype(dtype, [](auto) {});  // throws for one that tensors do not hold
  const std::int64_t wanted = checked_bytes(shape, dtype);
  const std::int64_t got = memory ? static_cast<std::int64_t>(memory->bytes()) : 0;
  GLIA_CHECK(got >= wanted, ShapeError, "a ", dtype, " tensor of shape ", shape, " needs ", wanted,
             " bytes, but the memory to adopt has ", got, "; allocate more, or give another shape");
  Tensor result;
  result.shape_ = shape;
  result.dtype_ = dtype;
  result.device_ = device;
  result.data_ = wanted > 0 ? memory->data() : nullptr;
  result.memory_ = std::move(memory);
  return result;
}

Tensor& Tensor::set_scale(double scale) {
  GLIA_CHECK(dtype_ == DType::uint8, ValueError, "only a uint8 tensor carries a scale, and this one is ",
             dtype_, "; multiply it instead: tensor * ", scale);
  GLIA_CHECK(std::isfinite(scale) && scale != 0, ValueError, "got a scale of ", scale,
             "; expected a finite factor other than 0, such as 1.0 / 255");
  scale_ = scale;
  return *this;
}

void Tensor::expect_dtype(DType wanted) const {
  GLIA_CHECK(dtype_ == wanted, ValueError, "data<T>() was asked for ", wanted, ", but this tensor of shape ",
             shape_, " is ", dtype_,
             "; ask for that type, or convert it first: tensor.cast(glia::DType::", wanted, ")");
}

Tensor Tensor::clone() const { return to(device_); }

Tensor Tensor::to(const Device& device) const {
  if (device.is_cpu()) return to_cpu();
  const auto* owned = dynamic_cast<const ContextMemory*>(memory_.get());
  if (owned && device == device_) return to(owned->context());
  return to(Context(ContextOptions{.device = device}));
}

Tensor Tensor::to(const Context& context) const {
  if (context.device().is_cpu()) return to_cpu();
  if (context.device() == device_ && dynamic_cast<const ContextMemory*>(memory_.get())) {
    detail::OnDevice call(context);
    call.also_reads(*this);
    Tensor copy = call.make_like(*this, shape_);
    call.copy(copy.data_, data_, size(), dtype_);
    return copy;
  }
  // From one GPU to another by way of the host: simple, and no step of training does it.
  if (!device_.is_cpu()) return to_cpu().to(context);
  Tensor copy = adopt(upload(*this, context), shape_, dtype_, context.device());
  copy.scale_ = scale_;
  return copy;
}

Tensor Tensor::to_cpu() const {
  Tensor copy = uninitialized(shape_, dtype_);
  if (device_.is_cpu()) {
    detail::copy_bytes(copy.data_, data_, bytes());
  } else if (!empty()) {
    const Context context = context_of(memory_.get(), device_);
    const detail::InUse::Hold mark(context.backend().in_use(), Backend::in_use_elsewhere);
    context.backend().download(copy.data_, data_, static_cast<std::size_t>(bytes()));
  }
  copy.scale_ = scale_;
  return copy;
}

const void* Tensor::finished() const {
  if (const auto* owned = device_.is_cpu() ? nullptr : dynamic_cast<const ContextMemory*>(memory_.get()))
    owned->finish();
  return data_;
}

std::vector<double> Tensor::values() const {
  detail::expect_context(*this, "values()");
  if (!device_.is_cpu()) return to_cpu().values();
  std::vector<double> result(static_cast<std::size_t>(size()));
  visit_dtype(dtype_, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* from = data<T>();
    const double scale = scale_;
    std::transform(from, from + size(), result.begin(),
                   [scale](T value) { return static_cast<double>(value) * scale; });
  });
  return result;
}

namespace {

/// Position in row-major order of the element with that index.
std::int64_t offset_of(std::initializer_list<std::int64_t> index, const Shape& shape) {
  GLIA_CHECK(static_cast<int>(index.size()) == shape.rank(), ShapeError, "got ", index.size(),
             " indices for a tensor of shape ", shape, "; expected one for each of its ", shape.rank(),
             " dimensions");
  std::int64_t offset = 0;
  int axis = 0;
  for (std::int64_t i : index) {
    offset = offset * shape[axis] + detail::resolve_index(i, shape[axis], axis, shape);
    ++axis;
  }
  return offset;
}

/// The element at that position, which alone comes from a GPU.
double number_at(const Tensor& tensor, std::int64_t offset) {
  return visit_dtype(tensor.dtype(), [&](auto type) {
    typename decltype(type)::type element;
    detail::read_element(tensor, offset, &element);
    return static_cast<double>(element) * tensor.scale();
  });
}

}  // namespace

double Tensor::at(std::initializer_list<std::int64_t> index) const {
  detail::expect_context(*this, "at()");
  return number_at(*this, offset_of(index, shape_));
}

void Tensor::set(std::initializer_list<std::int64_t> index, double value) {
  detail::expect_context(*this, "set()");
  const std::int64_t offset = offset_of(index, shape_);
  // A scaled value is seldom a whole multiple of the scale in binary: the nearest one is meant.
  if (scale_ != 1) value = std::nearbyint(value / scale_);
  visit_dtype(dtype_, [&](auto type) {
    using T = typename decltype(type)::type;
    const T element = detail::convert<T>(value);
    detail::write_element(*this, offset, &element);
  });
}

double Tensor::item() const {
  detail::expect_context(*this, "item()");
  GLIA_CHECK(size() == 1, ShapeError, "item() needs a tensor of one element, but this one of shape ", shape_,
             " has ", size(), "; name the element by its indices: tensor(i, j)");
  return number_at(*this, 0);
}

}  // namespace glia
