// to_dlpack: a tensor, or elements with an owner, with what DLPack says of them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/dlpack.h>
#include <host/device/context_memory.h>
#include <host/tensor/dlpack_layout.h>

#include <memory>
#include <utility>

namespace glia {
namespace {

using dlpack::Managed;
using dlpack::Versioned;

dlpack::Type type_of(DType dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * size_of(dtype));
  if (is_floating(dtype)) return {dlpack::floating, bits, 1};
  return {dtype == DType::uint8 ? dlpack::unsigned_integer : dlpack::integer, bits, 1};
}

/// What a consumer gets, and what it keeps alive.
template <class Layout, class Official>
struct Exported {
  Layout managed;
  Shape shape, strides;
  std::shared_ptr<const void> owner;
  Tensor tensor;

  /// Throws nothing once it is made, so that a tensor is taken from its owner last.
  static std::unique_ptr<Exported> of(const TensorView& view, bool read_only) {
    GLIA_CHECK(view.scale() == 1, ValueError, "a uint8 tensor of shape ", view.shape(), " has scale ",
               view.scale(),
               ", which DLPack cannot say: tensor.cast(glia::DType::float32) has the scaled values, and "
               "set_scale(1) "
               "gives the bytes as they are");
    auto made = std::make_unique<Exported>();
    made->shape = view.shape();
    made->strides = View::contiguous(Buffer::arena, view.dtype(), view.shape()).strides;
    dlpack::Array& array = made->managed.array;
    array.data = const_cast<void*>(view.raw());
    array.place = {view.device().is_cpu() ? dlpack::cpu : dlpack::cuda, view.device().index()};
    array.rank = view.shape().rank();
    array.type = type_of(view.dtype());
    array.shape = &made->shape[0];
    array.strides = &made->strides[0];
    array.byte_offset = 0;
    made->managed.context = made.get();
    made->managed.deleter = [](Official* managed) {
      delete static_cast<Exported*>(reinterpret_cast<Layout*>(managed)->context);
    };
    if constexpr (std::is_same_v<Layout, Versioned>) {
      made->managed.version = {dlpack::major_version, dlpack::minor_version};
      made->managed.flags = read_only ? std::uint64_t{dlpack::read_only} : 0;
    }
    return made;
  }
};

template <class Layout, class Official>
Official* given(std::unique_ptr<Exported<Layout, Official>> made) {
  return reinterpret_cast<Official*>(&made.release()->managed);
}

using ExportedVersioned = Exported<Versioned, DLManagedTensorVersioned>;
using ExportedManaged = Exported<Managed, DLManagedTensor>;

template <class Kind>
auto* lent(const TensorView& view, std::shared_ptr<const void> owner, bool read_only) {
  auto made = Kind::of(view, read_only);
  made->owner = std::move(owner);
  return given(std::move(made));
}

}  // namespace

class DlpackExport {
 public:
  template <class Kind>
  static auto* give(Tensor&& tensor) {
    auto made = Kind::of(tensor, false);
    if (const auto* memory = dynamic_cast<const ContextMemory*>(tensor.memory_.get())) {
      Backend& backend = memory->context().backend();
      const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
      backend.synchronize();
    }
    made->tensor = std::move(tensor);
    return given(std::move(made));
  }
};

DLManagedTensorVersioned* to_dlpack(Tensor&& tensor) {
  return DlpackExport::give<ExportedVersioned>(std::move(tensor));
}
DLManagedTensorVersioned* to_dlpack(const TensorView& view, std::shared_ptr<const void> owner) {
  return lent<ExportedVersioned>(view, std::move(owner), true);
}
DLManagedTensorVersioned* to_dlpack(const MutableTensorView& view, std::shared_ptr<const void> owner) {
  return lent<ExportedVersioned>(view, std::move(owner), false);
}
DLManagedTensor* to_dlpack_legacy(Tensor&& tensor) {
  return DlpackExport::give<ExportedManaged>(std::move(tensor));
}
DLManagedTensor* to_dlpack_legacy(const MutableTensorView& view, std::shared_ptr<const void> owner) {
  return lent<ExportedManaged>(view, std::move(owner), false);
}

}  // namespace glia
