// Tensors that lie on a GPU: their context, results in its memory, and what of both comes to the host.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory, InUse
#include <glia/context.h>
#include <glia/tensor.h>
#include <glia/tensor_work.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace glia::detail {

/// Throws DeviceError, with the remedy, where `tensor` lies on a GPU, in memory that knows no context to compute in; `what` names the
/// call: "mean()".
void expect_context(const Tensor& tensor, const char* what);
/// The same of both, and where they lie on different devices.
void expect_one_device(const Tensor& a, const Tensor& b, const char* what);

/// A call that runs on a tensor's device. It holds the contexts' marks while it lives.
class OnDevice {
 public:
  /// In the context of `tensor`, which expect_context found to have one.
  explicit OnDevice(const Tensor& tensor);
  explicit OnDevice(const Context& context);
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  /// Work of this call reads `tensor` as well, which may be of another context of the device.
  void also_reads(const Tensor& tensor);

  /// Unspecified contents; not marked as finished, so that whoever views it waits.
  Tensor make(const Shape& shape, DType dtype) const;
  /// With the dtype and scale of `tensor`.
  Tensor make_like(const Tensor& tensor, const Shape& shape) const;
  /// For the time of the call.
  template <class T>
  T* scratch(std::int64_t count) {
    return static_cast<T*>(scratch_bytes(count * static_cast<std::int64_t>(sizeof(T))));
  }
  /// Scratch that holds `indices`.
  const std::int64_t* send(const std::vector<std::int64_t>& indices);

  void run(const TensorWork& work) const;
  /// The elements at `from`, contiguous, become those at `to`.
  void copy(void* to, const void* from, std::int64_t count, DType dtype) const;
  /// Waits for the work so far.
  template <class T>
  T read(const T* at) const {
    T value;
    read_bytes(&value, at, sizeof value);
    return value;
  }

 private:
  void* scratch_bytes(std::int64_t bytes);
  void read_bytes(void* to, const void* from, std::size_t bytes) const;

  Context context_;
  InUse::Hold hold_;
  std::vector<Context> others_;
  std::deque<InUse::Hold> holds_of_others_;
  std::vector<std::unique_ptr<Memory>> scratch_;
};

/// The tensor as what an element-by-element function reads.
tensor_work::Operand operand_of(const Tensor& tensor);

/// One element, on the host: as it is stored in its dtype's type, at the front of `to`.
void read_element(const Tensor& tensor, std::int64_t offset, void* to);
void write_element(Tensor& tensor, std::int64_t offset, const void* from);
/// Those elements of a tensor on a GPU, on the host, with its dtype and scale: (offsets,).
Tensor elements_at(const Tensor& tensor, const std::vector<std::int64_t>& offsets);

}  // namespace glia::detail
