// Arrays, outputs, shapes and logs of the C interface.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/calls.h>
#include <host/c/data.h>

#include <cstring>

namespace glia::c {

DType dtype_of(glia_dtype dtype, const char* name) {
  switch (dtype) {
    case GLIA_FLOAT32:
      return DType::float32;
    case GLIA_FLOAT64:
      return DType::float64;
    case GLIA_UINT8:
      return DType::uint8;
    case GLIA_INT32:
      return DType::int32;
    case GLIA_INT64:
      return DType::int64;
    default:
      throw ArgumentError(
          detail::concat(name, " got dtype ", dtype, ", expected GLIA_FLOAT32 to GLIA_INT64, 0 to 4"));
  }
}

Shape shape_of(const glia_shape* shape, const std::string& name) {
  const glia_shape& given = expect_given(shape, name.c_str());
  GLIA_CHECK(given.rank >= 0 && given.rank <= GLIA_MAX_RANK, ArgumentError, name, " got rank ", given.rank,
             ", expected 0 to ", GLIA_MAX_RANK);
  Shape result;
  for (std::int64_t axis = 0; axis < given.rank; ++axis) result.push_back(given.dims[axis]);
  return result;
}

void put(const Shape& shape, glia_shape* to, const char* name) {
  glia_shape& result = expect_given(to, name);
  result = {};
  result.rank = shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) result.dims[axis] = shape[axis];
}

void put(const MutableTensorView& view, glia_mutable_array* to, const char* name) {
  glia_mutable_array& result = expect_given(to, name);
  result = {};
  result.data = view.raw();
  put(view.shape(), &result.shape, name);
  result.device = {view.device().is_cuda() ? 1 : 0, view.device().index()};
  result.dtype = view.dtype() == DType::float64 ? GLIA_FLOAT64 : GLIA_FLOAT32;
}

TensorView view_of(const glia_array* array, const std::string& name) {
  const glia_array& given = expect_given(array, name.c_str());
  const glia_device& device = given.device;
  GLIA_CHECK((device.is_cuda == 0 || device.is_cuda == 1) && device.index >= 0, ArgumentError, name,
             " got device {", device.is_cuda, ", ", device.index,
             "}, expected {0} for the host's memory, or {1, number} for that of a CUDA device");
  GLIA_CHECK(given.reserved == 0, ArgumentError, name, " got reserved ", given.reserved,
             ", expected 0: fill the struct with zeros first");
  const Shape shape = shape_of(&given.shape, name);
  const DType dtype = dtype_of(given.dtype, name.c_str());
  try {
    return TensorView::of(given.data, shape, dtype,
                          device.is_cuda ? Device::cuda(device.index) : Device::cpu(),
                          given.scale == 0 ? 1 : given.scale);
  } catch (const ShapeError& error) {
    throw ShapeError(name + ": " + error.what());
  } catch (const ValueError& error) {
    throw ValueError(name + ": " + error.what());
  }
}

std::vector<TensorView> views_of(const glia_array* arrays, std::size_t count, const char* name) {
  if (count > 0) expect_given(arrays, name);
  std::vector<TensorView> views;
  for (std::size_t i = 0; i < count; ++i)
    views.push_back(view_of(arrays + i, detail::concat(name, '[', i, ']')));
  return views;
}

std::vector<MutableTensorView> views_of(const glia_mutable_array* arrays, std::size_t count,
                                        const char* name) {
  if (count > 0) expect_given(arrays, name);
  std::vector<MutableTensorView> views;
  for (std::size_t i = 0; i < count; ++i) {
    const glia_mutable_array& given = arrays[i];
    const glia_array read{given.data, given.shape, 0, given.device, given.dtype, given.reserved};
    const TensorView view = view_of(&read, detail::concat(name, '[', i, ']'));
    views.push_back(MutableTensorView::of(given.data, view.shape(), view.dtype(), view.device()));
  }
  return views;
}

Tensors tensors_of(const glia_array* arrays, std::size_t count, const char* name, bool optional) {
  if (!arrays && optional) return {};
  std::vector<Tensors::Entry> entries;
  for (const TensorView& view : views_of(arrays, count, name)) entries.emplace_back(view);
  return entries;
}

void expect_room(const Tensor& tensor, const glia_output& to, const std::string& name) {
  const auto bytes = static_cast<std::size_t>(tensor.bytes());
  if (bytes > 0) expect_given(static_cast<const char*>(to.data), (name + ".data").c_str());
  GLIA_CHECK(to.bytes >= bytes, ArgumentError, name, " has room for ", to.bytes, " bytes, expected ", bytes,
             ": those of ", tensor.dtype(), ' ', tensor.shape());
}

void put(const Tensor& tensor, const glia_output& to) {
  if (tensor.empty()) return;
  const auto bytes = static_cast<std::size_t>(tensor.bytes());
  if (tensor.device().is_cpu())
    std::memcpy(to.data, tensor.raw(), bytes);
  else
    std::memcpy(to.data, tensor.to("cpu").raw(), bytes);
}

void expect_room(const double* logs, std::size_t count, std::size_t available) {
  if (count > 0) expect_given(logs, "logs");
  GLIA_CHECK(count <= available, ArgumentError, "log_count is ", count, ", but there are ", available,
             " of loss and metrics: ask glia_model_metric_count");
}

void put(const Logs& logs, double* to, std::size_t count) {
  for (const auto& [name, value] : logs) {
    if (count == 0) break;
    *to++ = value, --count;
  }
}

}  // namespace glia::c
