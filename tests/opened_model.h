// A model whose Core tests can see: its descriptors before and after each pass, and steps made of lists of their own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/model/core.h"
#include "host/program/few_rows.h"
#include "host/program/fusion.h"
#include "host/program/mixed_precision.h"
#include "host/program/placement.h"
#include "tests/specification.h"  // defines: Surroundings

namespace glia::test {

class Opened : public Model {
 public:
  using Model::Model;
  Opened(Model&& model) : Model(std::move(model)) {}
  Core& core() const { return *Model::core(); }
};

/// What the lists of a model in a mode are in. The model must have been asked for a Program of that mode.
inline Surroundings surroundings(const Core& core, Mode mode) {
  Surroundings around;
  around.trains = mode == Mode::train;
  around.wants_gradients = around.trains || mode == Mode::gradient;
  around.infers = mode == Mode::infer;
  for (const Variable* variable : core.weights().variables()) {
    const View weight = core.weights().places().value(*variable);
    around.weights.push_back(weight);
    if (variable->is_state) around.states.push_back(weight);
    auto& blocks = around.blocks;
    blocks.resize(std::max(blocks.size(), static_cast<std::size_t>(weight.block) + 1));
    std::int64_t& bytes = blocks[static_cast<std::size_t>(weight.block)];
    bytes = std::max(bytes, align_up(weight.offset + weight.bytes()));
  }
  if (!core.compiled()) return around;
  const UpdateOf update = core.trainer().update(core.weights().places());
  for (const Trained& one : update.weights) around.trained.push_back({one.value, one.gradient});
  around.gradients = update.elements * size_of(update.dtype);
  around.slots = around.gradients * kept_rows(update.optimizer).count();
  around.spans = update.spans ? update.spans.bytes() : 0;
  return around;
}

/// Memory on a model's device with what tensors hold, and how steps read it: as fit feeds rows.
class FedRows {
 public:
  /// Rows of inputs, targets and weights, in the order of the step's sources; nothing for one that is not there.
  FedRows(const Core& core, const std::vector<const Tensor*>& tensors) : backend_(core.backend()) {
    for (const Tensor* tensor : tensors) {
      sources_.push_back({});
      if (!tensor || tensor->empty()) continue;
      memory_.push_back(backend_.allocate(static_cast<std::size_t>(tensor->bytes())));
      backend_.upload(memory_.back()->data(), tensor->raw(), static_cast<std::size_t>(tensor->bytes()));
      sources_.back() = {memory_.back()->data(), 1};
      rows_ = tensor->rows();
    }
  }
  Fed fed() const {
    Feed feed;
    feed.count = static_cast<std::uint64_t>(rows_);
    return {feed, sources_};
  }
  /// What lies there now.
  Tensor read(std::size_t source, const Shape& shape, DType dtype) const {
    Tensor tensor = Tensor::uninitialized(shape, dtype);
    backend_.download(tensor.raw(), sources_[source].data, static_cast<std::size_t>(tensor.bytes()));
    return tensor;
  }

 private:
  Backend& backend_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<Source> sources_;
  std::int64_t rows_ = 0;
};

/// Each temporary behind the one before, where no other ever lies; returns the bytes needed.
inline std::int64_t place_apart(std::vector<Descriptor>& list) {
  std::map<std::int32_t, std::int64_t> bytes, offsets;
  for (const Descriptor& descriptor : list)
    for_each_operand(descriptor, [&](const View& view, Access) {
      if (view.buffer != Buffer::arena) return;
      std::int64_t& most = bytes[view.temporary];
      most = std::max(most, align_up(view.offset + view.span() * size_of(view.dtype)));
    });
  std::int64_t total = 0;
  for (const auto& [temporary, size] : bytes) offsets[temporary] = total, total += size;
  for (Descriptor& descriptor : list)
    for_each_operand(descriptor, [&](View& view, Access) {
      if (view.buffer == Buffer::arena) view.offset += offsets.at(view.temporary);
    });
  return total;
}

/// A Program of a list of one's own, with the arena it has for itself.
class OwnProgram {
 public:
  OwnProgram(Core& core, const ProgramKey& key, std::vector<Descriptor> list, std::int64_t arena_bytes)
      : arena_(core.backend().allocate(static_cast<std::size_t>(std::max<std::int64_t>(arena_bytes, 1)))) {
    Bindings bindings = core.bindings(key.mode);
    bindings.base[static_cast<std::size_t>(Buffer::arena)] = arena_->data();
    program_.emplace(core.backend(), key.mode, key.batch, std::move(list), bindings, arena_bytes);
  }
  const Program& operator*() const { return *program_; }

 private:
  std::unique_ptr<Memory> arena_;
  std::optional<Program> program_;
};

}  // namespace glia::test
