// Programs: from the descriptors of a step to what a backend runs.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/programs.h>
#include <host/program/fusion.h>
#include <host/program/mixed_precision.h>
#include <host/program/placement.h>

#include <utility>

namespace glia {

/// The one used longest ago goes first.
constexpr std::size_t max_plans = 16;

std::shared_ptr<const Program> Programs::find(const ProgramKey& key) {
  for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
    if (plan->key != key) continue;
    plans_.splice(plans_.begin(), plans_, plan);
    return {plan->built, &plan->built->program};
  }
  return nullptr;
}

Program make_program(const ProgramKey& key, std::vector<Descriptor> step, Backend& backend, Bindings bindings,
                     std::shared_ptr<Memory>& arena) {
  fuse(step);
  round_factors(step, backend);
  const std::int64_t bytes = place(step);
  if (!arena || static_cast<std::int64_t>(arena->bytes()) < bytes)
    arena = backend.allocate(static_cast<std::size_t>(bytes));
  bindings.base[static_cast<std::size_t>(Buffer::arena)] = arena->data();
  const Given none_yet;
  if (key.given) bindings.given = &none_yet;
  return Program(backend, key.mode, key.batch, std::move(step), bindings, bytes);
}

std::shared_ptr<const Program> Programs::add(const ProgramKey& key, std::vector<Descriptor> step,
                                             Backend& backend, Bindings bindings) {
  Program program = make_program(key, std::move(step), backend, std::move(bindings), arena_);
  auto built = std::make_shared<Plan::Built>(Plan::Built{arena_, std::move(program)});
  plans_.push_front({key, built});
  if (plans_.size() > max_plans) plans_.pop_back();
  return {built, &built->program};
}

void Programs::release() {
  plans_.clear();
  arena_.reset();
}

}  // namespace glia
