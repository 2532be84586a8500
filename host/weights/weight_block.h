// WeightBlock: flat memory that holds the variables of layers, on one device. Layers hold it, and so does whoever computes
// with them: it stays where it is whatever graphs its layers join.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/context.h>
#include <glia/dtype.h>
#include <host/weights/weight_gate.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace glia {

class WeightBlock {
 public:
  /// Zeros. Throws OutOfMemoryError.
  WeightBlock(const Context& context, DType dtype, std::int64_t bytes);

  const Context& context() const { return context_; }
  DType dtype() const { return dtype_; }
  std::byte* data() const { return memory_->data(); }

  /// A copy of it for another context. Throws OutOfMemoryError.
  std::unique_ptr<Memory> copy_for(const Context& context) const;
  /// Lies in that copy from now on.
  void move_to(const Context& context, std::unique_ptr<Memory> copy) noexcept;

  /// Notes that `user`, which lives as long as somebody computes with the block, does so on this context.
  void add_user(const std::shared_ptr<const void>& user, const Context& context);
  void remove_user(const std::shared_ptr<const void>& user);
  /// Whether anybody but `user` computes with it, or reads it.
  bool has_users_beside(const std::shared_ptr<const void>& user) const;
  /// Its own context and those of its users: all whose work may read or write it.
  std::vector<Context> contexts() const;
  const std::shared_ptr<WeightGate>& gate() const { return gate_; }

 private:
  Context context_;  // before memory_: memory goes first
  DType dtype_;
  std::unique_ptr<Memory> memory_;
  std::shared_ptr<WeightGate> gate_ = std::make_shared<WeightGate>();
  struct User {
    std::weak_ptr<const void> who;
    Context context;
  };
  std::vector<User> users_;
};

/// WeightGate::Reading of all these blocks.
class ReadingBlocks {
 public:
  ReadingBlocks(const std::vector<std::shared_ptr<WeightBlock>>& blocks, bool is_cpu) {
    for (const std::shared_ptr<WeightBlock>& block : blocks) {
      if (!first_)
        first_.emplace(*block->gate(), is_cpu);
      else
        others_.emplace_back(*block->gate(), is_cpu);
    }
  }

 private:
  std::optional<WeightGate::Reading> first_;  // mostly the only one
  std::list<WeightGate::Reading> others_;
};

/// WeightGate::Writing of all these blocks.
class WritingBlocks {
 public:
  WritingBlocks(const std::vector<std::shared_ptr<WeightBlock>>& blocks, Backend& writer,
                WeightGate::IfRead if_read) {
    for (const std::shared_ptr<WeightBlock>& block : blocks) {
      if (!first_)
        first_.emplace(block->gate(), writer, if_read);
      else
        others_.emplace_back(block->gate(), writer, if_read);
    }
  }

 private:
  std::optional<WeightGate::Writing> first_;  // mostly the only one
  std::list<WeightGate::Writing> others_;
};

}  // namespace glia
