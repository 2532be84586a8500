// WeightBlock: flat memory that holds the variables of layers, on one device. Layers hold it, and so does whoever computes
// with them: it stays where it is whatever graphs its layers join.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/context.h>
#include <glia/dtype.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace glia {

class WeightBlock {
 public:
  /// Zeros. Throws OutOfMemoryError.
  WeightBlock(const Context& context, DType dtype, std::int64_t bytes);

  const Context& context() const { return context_; }
  DType dtype() const { return dtype_; }
  std::byte* data() const { return memory_->data(); }

  /// Copies the block to another context; throws OutOfMemoryError, and nothing changes then.
  void move_to(const Context& context);

  /// Notes that `user`, which lives as long as somebody computes with the block, does.
  void add_user(const std::shared_ptr<const void>& user);
  /// Whether anybody but `user` computes with it.
  bool has_users_beside(const std::shared_ptr<const void>& user) const;

 private:
  Context context_;  // before memory_: memory goes first
  DType dtype_;
  std::unique_ptr<Memory> memory_;
  std::vector<std::weak_ptr<const void>> users_;
};

}  // namespace glia
