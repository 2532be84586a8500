// WeightBlock: allocation, the copy to another device, and who uses it.
// SPDX-License-Identifier: Apache-2.0
#include <host/weights/weight_block.h>

#include <algorithm>
#include <utility>

namespace glia {
namespace {

std::unique_ptr<Memory> zeros(const Context& context, std::size_t bytes) {
  std::unique_ptr<Memory> memory = context.backend().allocate(bytes, MemoryUse::weights);
  context.backend().clear(memory->data(), memory->bytes());
  return memory;
}

}  // namespace

WeightBlock::WeightBlock(const Context& context, DType dtype, std::int64_t bytes)
    : context_(context),
      dtype_(dtype),
      memory_(zeros(context, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)))) {}

std::unique_ptr<Memory> WeightBlock::copy_for(const Context& context) const {
  std::unique_ptr<Memory> copy = zeros(context, memory_->bytes());
  std::vector<std::byte> values(memory_->bytes());
  context_.backend().download(values.data(), memory_->data(), values.size());
  context.backend().upload(copy->data(), values.data(), values.size());
  return copy;
}

void WeightBlock::move_to(const Context& context, std::unique_ptr<Memory> copy) noexcept {
  memory_ = std::move(copy);  // what was goes before the context it came from
  context_ = context;
}

void WeightBlock::add_user(const std::shared_ptr<const void>& user, const Context& context) {
  remove_user(user);
  users_.push_back({user, context});
}

/// And those that are gone.
void WeightBlock::remove_user(const std::shared_ptr<const void>& user) {
  users_.erase(
      std::remove_if(users_.begin(), users_.end(),
                     [&](const User& other) { return other.who.expired() || other.who.lock() == user; }),
      users_.end());
}

bool WeightBlock::has_users_beside(const std::shared_ptr<const void>& user) const {
  return gate_->has_readers() || std::any_of(users_.begin(), users_.end(), [&](const User& other) {
           const std::shared_ptr<const void> alive = other.who.lock();
           return alive && alive != user;
         });
}

std::vector<Context> WeightBlock::contexts() const {
  std::vector<Context> all{context_};
  for (const User& user : users_) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Context& context) {
      return &context.backend() == &user.context.backend();
    });
    if (!known && !user.who.expired()) all.push_back(user.context);
  }
  return all;
}

}  // namespace glia
