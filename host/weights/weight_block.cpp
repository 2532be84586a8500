// WeightBlock: allocation, the copy to another device, and who uses it.
// SPDX-License-Identifier: Apache-2.0
#include <host/weights/weight_block.h>

#include <algorithm>
#include <utility>

namespace glia {
namespace {

std::unique_ptr<Memory> zeros(const Context& context, std::size_t bytes) {
  std::unique_ptr<Memory> memory = context.backend().allocate(bytes);
  context.backend().clear(memory->data(), memory->bytes());
  return memory;
}

}  // namespace

WeightBlock::WeightBlock(const Context& context, DType dtype, std::int64_t bytes)
    : context_(context),
      dtype_(dtype),
      memory_(zeros(context, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)))) {}

void WeightBlock::move_to(const Context& context) {
  std::unique_ptr<Memory> moved = zeros(context, memory_->bytes());
  std::vector<std::byte> values(memory_->bytes());
  context_.backend().download(values.data(), memory_->data(), values.size());
  context.backend().upload(moved->data(), values.data(), values.size());
  memory_ = std::move(moved);  // goes before the context it came from
  context_ = context;
}

void WeightBlock::add_user(const std::shared_ptr<const void>& user) {
  users_.erase(std::remove_if(users_.begin(), users_.end(),
                              [&](const auto& other) { return other.expired() || other.lock() == user; }),
               users_.end());
  users_.push_back(user);
}

bool WeightBlock::has_users_beside(const std::shared_ptr<const void>& user) const {
  return std::any_of(users_.begin(), users_.end(), [&](const std::weak_ptr<const void>& other) {
    const std::shared_ptr<const void> alive = other.lock();
    return alive && alive != user;
  });
}

}  // namespace glia
