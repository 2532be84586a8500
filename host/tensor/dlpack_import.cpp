// from_dlpack: what somebody else made is checked field by field, and given back once.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dlpack.h>
#include <glia/view.h>
#include <host/tensor/dlpack_layout.h>
#include <host/tensor/strided_copy.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace glia {
namespace {

using dlpack::Array;
using dlpack::Managed;
using dlpack::Versioned;

DType dtype_of_array(const Array& array) {
  const auto [code, bits, lanes] = array.type;
  GLIA_CHECK(lanes == 1, ValueError, "a DLPack tensor has elements of ", lanes,
             " lanes, expected 1: give it an axis for them instead");
  if (code == dlpack::floating && bits == 32) return DType::float32;
  if (code == dlpack::floating && bits == 64) return DType::float64;
  if (code == dlpack::integer && bits == 32) return DType::int32;
  if (code == dlpack::integer && bits == 64) return DType::int64;
  if ((code == dlpack::unsigned_integer || code == dlpack::boolean) && bits == 8) return DType::uint8;
  const char* const kind = code == dlpack::integer            ? "int"
                           : code == dlpack::unsigned_integer ? "uint"
                           : code == dlpack::floating         ? "float"
                           : code == dlpack::bfloat           ? "bfloat"
                           : code == dlpack::complex          ? "complex"
                           : code == dlpack::boolean          ? "bool"
                                                              : nullptr;
  const std::string got =
      kind ? detail::concat(kind, +bits) : detail::concat("type code ", +code, " of ", +bits, " bits");
  throw ValueError(
      detail::concat("a DLPack tensor has elements of ", got,
                     ", expected float32, float64, int32, int64, uint8 or bool: convert it first, such as "
                     "with .astype(\"float32\") in NumPy or .float() in PyTorch"));
}

/// Page-locked memory is the host's; managed memory is taken as its device's.
Device device_of_array(const Array& array) {
  const auto [type, id] = array.place;
  if (type == dlpack::cpu || type == dlpack::cuda_host) return Device::cpu();
  GLIA_CHECK(type == dlpack::cuda || type == dlpack::cuda_managed, DeviceError,
             "a DLPack tensor is on a device of type ", type, ", expected ", +dlpack::cpu, " (CPU), ",
             +dlpack::cuda, " (CUDA), ", +dlpack::cuda_host, " (page-locked) or ", +dlpack::cuda_managed,
             " (managed): copy it to the CPU first");
  GLIA_CHECK(id >= 0, DeviceError, "a DLPack tensor is on CUDA device ", id, ", expected 0 or more");
  return Device::cuda(id);
}

Shape shape_of_array(const Array& array) {
  GLIA_CHECK(array.rank >= 0 && array.rank <= Shape::max_rank, ShapeError, "a DLPack tensor has ", array.rank,
             " dimensions, expected 0 to ", Shape::max_rank, ": reshape it to fewer");
  GLIA_CHECK(array.rank == 0 || array.shape, ValueError, "a DLPack tensor of ", array.rank,
             " dimensions has a null shape");
  Shape shape;
  for (int axis = 0; axis < array.rank; ++axis) shape.push_back(array.shape[axis]);
  return shape;
}

/// The strides of a contiguous tensor; null ones mean those. Of a shape that is checked.
Shape contiguous_strides(const Shape& shape) {
  return View::contiguous(Buffer::arena, DType::uint8, shape).strides;
}

/// What is there; all but contiguity and alignment is checked.
StridedElements elements_of(const Array& array) {
  StridedElements e{nullptr, shape_of_array(array), {}, dtype_of_array(array), device_of_array(array)};
  const std::int64_t count = detail::checked_count(e.shape, e.dtype);
  e.strides = contiguous_strides(e.shape);
  if (count == 0) return e;  // null data, any strides
  if (array.strides)
    for (int axis = 0; axis < array.rank; ++axis)
      if (e.shape[axis] != 1) e.strides[axis] = array.strides[axis];
  GLIA_CHECK(array.data, ValueError, "a DLPack tensor of shape ", e.shape,
             " has null data, expected the address of its elements");
  const ByteRange range = bytes_of(e);
  std::uintptr_t first = 0, end = 0;
  const auto data = reinterpret_cast<std::uintptr_t>(array.data);
  GLIA_CHECK(!__builtin_add_overflow(data, array.byte_offset, &first) &&
                 !__builtin_add_overflow(first, range.first, &end) &&
                 !__builtin_add_overflow(first, range.last, &end),
             ShapeError, "a DLPack tensor of shape ", e.shape, " and strides ", e.strides, " at ", array.data,
             " with byte_offset ", array.byte_offset, " reaches further than there are addresses");
  e.data = static_cast<const std::byte*>(array.data) + array.byte_offset;
  return e;
}

bool is_aligned(const StridedElements& e) {
  return reinterpret_cast<std::uintptr_t>(e.data) % static_cast<std::uintptr_t>(size_of(e.dtype)) == 0;
}

TensorView view_of(const StridedElements& e) {
  const Shape contiguous = contiguous_strides(e.shape);
  GLIA_CHECK(e.strides == contiguous, ValueError, "a DLPack tensor of shape ", e.shape, " has strides ",
             e.strides, ", expected ", contiguous,
             ", those of contiguous rows: make it contiguous first (numpy.ascontiguousarray, "
             "tensor.contiguous()), or ask "
             "from_dlpack for {.copy = true}");
  GLIA_CHECK(is_aligned(e), ValueError, "a DLPack tensor of ", e.dtype, " begins at address ",
             static_cast<const void*>(e.data), ", expected a multiple of ", size_of(e.dtype),
             ": copy it first, or ask from_dlpack for {.copy = true}");
  return TensorView::of(e.data, e.shape, e.dtype, e.device);
}

const Array& array_of(const DLManagedTensor& managed) {
  return reinterpret_cast<const Managed&>(managed).array;
}
const Array& array_of(const DLManagedTensorVersioned& managed) {
  const auto& versioned = reinterpret_cast<const Versioned&>(managed);
  GLIA_CHECK(versioned.version.major == dlpack::major_version, ValueError, "a DLPack tensor is of version ",
             versioned.version.major, ".", versioned.version.minor, ", expected ", dlpack::major_version,
             ".x: ask its maker for max_version ", dlpack::major_version, ".", dlpack::minor_version);
  return versioned.array;
}

bool is_read_only(const DLManagedTensor&) { return false; }  // which it cannot say
bool is_read_only(const DLManagedTensorVersioned& managed) {
  return (reinterpret_cast<const Versioned&>(managed).flags & dlpack::read_only) != 0;
}

void give_back(DLManagedTensor* managed) {
  const auto deleter = reinterpret_cast<const Managed*>(managed)->deleter;
  if (deleter) deleter(managed);
}
/// The deleter lies where it does in every major version.
void give_back(DLManagedTensorVersioned* managed) {
  const auto deleter = reinterpret_cast<const Versioned*>(managed)->deleter;
  if (deleter) deleter(managed);
}

}  // namespace

class DlpackImport {
 public:
  template <class Struct>
  static ImportedTensor take(Struct* managed, const DlpackOptions& options) {
    GLIA_CHECK(managed, ValueError, "from_dlpack got a null pointer, expected a managed tensor");
    const std::shared_ptr<const void> owner(managed, [](Struct* kept) { give_back(kept); });
    const StridedElements elements = elements_of(array_of(*managed));
    if (options.copy && !(elements.strides == contiguous_strides(elements.shape) && is_aligned(elements))) {
      const auto copy = std::make_shared<const Tensor>(contiguous_copy(elements, options.context));
      return ImportedTensor(*copy, copy, false, true);
    }
    return ImportedTensor(view_of(elements), owner, is_read_only(*managed), false);
  }
};

MutableTensorView ImportedTensor::writable() const {
  GLIA_CHECK(!read_only_, ValueError, "a DLPack tensor of shape ", shape(),
             " is read-only, and was to be written: copy it first, where it comes from");
  return MutableTensorView(*this);
}

ImportedTensor from_dlpack(DLManagedTensorVersioned* managed, const DlpackOptions& options) {
  return DlpackImport::take(managed, options);
}
ImportedTensor from_dlpack(DLManagedTensor* managed, const DlpackOptions& options) {
  return DlpackImport::take(managed, options);
}

TensorView view_of_dlpack(const DLManagedTensorVersioned& managed) {
  return view_of(elements_of(array_of(managed)));
}
TensorView view_of_dlpack(const DLManagedTensor& managed) { return view_of(elements_of(array_of(managed))); }

}  // namespace glia
