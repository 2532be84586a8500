// DLPack: tensors that change hands in memory, without a copy, between Glia and NumPy, PyTorch, CuPy, JAX and other
// programs of one process. The structs are those of DLPack's own dlpack.h, which need not be included, and may be, before
// this header or after it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/macros.h>
#include <glia/mutable_tensor_view.h>
#include <glia/tensor.h>

#include <memory>
#include <optional>
#include <utility>

struct DLManagedTensor;           // DLPack before 1.0, which most still speak
struct DLManagedTensorVersioned;  // DLPack 1.x

namespace GLIA_API glia {

struct DlpackOptions {
  /// Copies what cannot be viewed as it lies: elements that are not contiguous, or not aligned. Without it that is an error.
  bool copy = false;
  /// On a GPU: the context in whose memory such a copy lies, and on whose stream it is made. Default: one is started on the
  /// tensor's device.
  std::optional<Context> context = {};
};

/// What from_dlpack returns: a view of somebody else's tensor, which is kept until this goes and then given back (its deleter
/// called, once, on the thread that destroys this). It is a TensorView, and goes wherever one does:
///
///     glia::ImportedTensor images = glia::from_dlpack(managed);
///     model.fit(images, labels);
///     model.predict(glia::from_dlpack(other));
///
/// Move-only; one that was moved from is an empty tensor, as a default one is.
class ImportedTensor : public TensorView {
 public:
  ImportedTensor() : TensorView(nullptr, Shape{0}, DType::float32, Device::cpu(), 1) {}
  ImportedTensor(ImportedTensor&& other) noexcept : ImportedTensor() { swap(other); }
  ImportedTensor& operator=(ImportedTensor&& other) noexcept {
    ImportedTensor(std::move(other)).swap(*this);
    return *this;
  }
  ImportedTensor(const ImportedTensor&) = delete;
  ImportedTensor& operator=(const ImportedTensor&) = delete;
  ~ImportedTensor() = default;

  /// The same elements, to be written. Throws ValueError where their owner says that they are read-only.
  MutableTensorView writable() const;
  bool read_only() const { return read_only_; }
  /// Whether the elements were copied: then this owns them, and what it was made of has been given back.
  bool copied() const { return copied_; }

 private:
  friend class DlpackImport;
  ImportedTensor(const TensorView& view, std::shared_ptr<const void> owner, bool read_only, bool copied)
      : TensorView(view), owner_(std::move(owner)), read_only_(read_only), copied_(copied) {}
  void swap(ImportedTensor& other) noexcept {
    std::swap(static_cast<TensorView&>(*this), static_cast<TensorView&>(other));
    owner_.swap(other.owner_);
    std::swap(read_only_, other.read_only_), std::swap(copied_, other.copied_);
  }

  std::shared_ptr<const void> owner_;
  bool read_only_ = false, copied_ = false;
};

/// Takes over a managed tensor: whatever happens, its deleter is called once, by the tensor returned or, where this throws,
/// before it does. (Of a Python capsule: rename it to "used_dltensor_versioned" or "used_dltensor" before the call.) A view
/// unless options.copy asks otherwise, which neither allocates on a device nor synchronises.
///
/// Elements are float32, float64, int32, int64, uint8 or bool (as uint8, 0 or 1); memory is the CPU's (page-locked, too) or
/// that of a CUDA device (managed, too: as its device's). Strides must be those of a contiguous row-major tensor; strides of
/// dimensions of 1 do not matter. On a GPU the caller orders the work: what writes the elements must be over, or
/// context.wait() be told an event behind it. A copy there waits until it is done.
///
/// Throws ValueError for other dtypes, vectors of lanes, another major version than 1, misaligned elements, null pointers and
/// strides that are not contiguous; DeviceError for other devices; ShapeError for more than eight dimensions, for negative
/// ones, and for more bytes than there are addresses; of a copy also OutOfMemoryError and what the device says.
ImportedTensor from_dlpack(DLManagedTensorVersioned* managed, const DlpackOptions& options = {});
ImportedTensor from_dlpack(DLManagedTensor* managed, const DlpackOptions& options = {});

/// The same elements without taking them over: the caller keeps `managed`, which must outlive the view, and no deleter is
/// called. Errors as above.
TensorView view_of_dlpack(const DLManagedTensorVersioned& managed);
TensorView view_of_dlpack(const DLManagedTensor& managed);

/// Gives a tensor away: whoever gets the result calls its deleter, once, which frees the tensor, on its device and in its
/// context; on any thread, but at no time at which another uses that context, and on a GPU when the work that reads the tensor
/// is over. On a GPU this waits for the tensor's context, so that any stream may read what it computed. Allocates a few bytes
/// of the host. Throws ValueError for a uint8 tensor with a scale, which DLPack cannot say: the tensor is unchanged then.
DLManagedTensorVersioned* to_dlpack(Tensor&& tensor);
/// Elements that `owner` keeps alive: the deleter lets go of it. A TensorView's are read-only, as the result says. Does not wait.
DLManagedTensorVersioned* to_dlpack(const TensorView& view, std::shared_ptr<const void> owner);
DLManagedTensorVersioned* to_dlpack(const MutableTensorView& view, std::shared_ptr<const void> owner);
/// A tensor that others share: to_dlpack(*tensor, tensor), of a std::shared_ptr.
inline DLManagedTensorVersioned* to_dlpack(Tensor& tensor, std::shared_ptr<const void> owner) {
  return to_dlpack(MutableTensorView(tensor), std::move(owner));
}

/// The same for who speaks DLPack before 1.0. That cannot say that elements are read-only, so a TensorView is not given.
DLManagedTensor* to_dlpack_legacy(Tensor&& tensor);
DLManagedTensor* to_dlpack_legacy(const MutableTensorView& view, std::shared_ptr<const void> owner);

}  // namespace glia
