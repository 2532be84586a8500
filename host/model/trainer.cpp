// Trainer: what is trained, and the memory for that. Its losses and metrics are in trainer_logs.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/model/compile_checks.h>
#include <host/model/trainer.h>

#include <algorithm>

namespace glia {

void note_frozen(const std::vector<Layer>& layers, bool within_frozen,
                 std::unordered_map<const LayerNode*, bool>& frozen) {
  for (const Layer& layer : layers) {
    const LayerNode& node = layer.node();
    const bool is_frozen = within_frozen || !node.trainable;
    const auto [noted, is_new] = frozen.try_emplace(&node, is_frozen);
    note_frozen(node.children, is_new ? is_frozen : noted->second, frozen);
  }
}

bool Trainer::has_constant_rate() const {
  return std::visit([](const auto& o) { return o.learning_rate.is_constant(); }, optimizer_);
}

double Trainer::learning_rate(std::int64_t step) const {
  return std::visit(
      [step](const auto& o) { return o.learning_rate.at(o.learning_rate.is_constant() ? 0 : step); },
      optimizer_);
}

void Trainer::set_learning_rate(const LearningRate& rate) {
  Optimizers changed = optimizer_;
  std::visit([&](auto& o) { o.learning_rate = rate; }, changed);
  check_optimizer(changed);
  optimizer_ = changed;
}

int Trainer::steps_of_an_update() const {
  return std::visit([](const auto& o) { return static_cast<int>(o.gradient_accumulation_steps); },
                    optimizer_);
}

void Trainer::bind(const std::vector<Layer>& layers, DType dtype, VariablePlaces& places,
                   const std::unordered_set<const Variable*>& left_out) {
  dtype_ = dtype;
  trained_.clear(), listed_.clear(), spans_.clear();
  places.gradients.clear(), places.frozen.clear();
  bytes_ = 0;
  note_frozen(layers, false, frozen_);
  for (const LayerNode* layer : all_nodes(layers)) {
    if (frozen_.at(layer)) {
      places.frozen.insert(layer);
      continue;
    }
    for (const Variable& variable : layer->variables) {
      if (!variable.trainable) continue;
      listed_.emplace_back(layer, &variable);
      if (left_out.count(&variable) != 0) continue;
      const std::int64_t bytes = align_up(checked_bytes(variable.shape, dtype_));
      const std::int32_t block = places.value(variable).block;
      trained_.emplace_back(layer, &variable);
      places.gradients[&variable] = bytes_;
      const bool goes_on = !spans_.empty() && spans_.back().block == block &&
                           spans_.back().weights + spans_.back().bytes == variable.offset;
      if (goes_on)
        spans_.back().bytes += bytes;
      else
        spans_.push_back({block, variable.offset, bytes_, bytes});
      bytes_ += bytes;
    }
  }
}

std::int64_t Trainer::trained_count() const {
  std::int64_t count = 0;
  for (const auto& [layer, variable] : trained_) count += variable->shape.elements();
  return count;
}

View Trainer::first_piece() const {
  if (spans_.empty()) return View::contiguous(Buffer::parameters, dtype_, {0});
  const Span& first = spans_[0];
  View view = View::contiguous(Buffer::parameters, dtype_, {first.bytes / size_of(dtype_)}, first.weights);
  view.block = first.block;
  return view;
}

View Trainer::spans() const {
  const auto count = static_cast<std::int64_t>(spans_.size());
  return count > 1 ? View::contiguous(Buffer::spans, DType::int64, {count, 3}) : View{};
}

void Trainer::ensure_memory(Backend& b, const VariablePlaces& places) {
  if (gradients_) return;
  const std::size_t bytes = std::max<std::size_t>(static_cast<std::size_t>(bytes_), 1);
  const int rows = kept_rows(optimizer_).count();
  std::unique_ptr<Memory> gradients = b.allocate(bytes, MemoryUse::gradients), slots, table;
  if (rows > 0) {
    slots = b.allocate(bytes * static_cast<std::size_t>(rows), MemoryUse::optimizer);
    b.clear(slots->data(), slots->bytes());
    const double first = std::visit([](const auto& o) { return first_slot_of(o); }, optimizer_);
    if (first != 0) {
      const Tensor values = Tensor::full({bytes_ / size_of(dtype_)}, first, dtype_);
      b.upload(slots->data(), values.raw(), static_cast<std::size_t>(values.bytes()));
    }
  }
  if (spans_.size() > 1) {
    std::vector<WeightSpan> entries;
    for (const Span& span : spans_)
      entries.push_back({places.blocks[static_cast<std::size_t>(span.block)]->data() + span.weights,
                         span.gradients / size_of(dtype_), span.bytes / size_of(dtype_)});
    table = b.allocate(entries.size() * sizeof(WeightSpan), MemoryUse::optimizer);
    b.upload(table->data(), entries.data(), entries.size() * sizeof(WeightSpan));
  }
  b.clear(gradients->data(), gradients->bytes());  // the gaps between variables are optimised along
  gradients_ = std::move(gradients), slots_ = std::move(slots), table_ = std::move(table);
}

void Trainer::release_memory() { gradients_.reset(), slots_.reset(), table_.reset(); }

void Trainer::bind_memory(Bindings& bindings) const {
  const auto bind = [&bindings](Buffer buffer, const std::unique_ptr<Memory>& memory) {
    if (memory) bindings.base[static_cast<std::size_t>(buffer)] = memory->data();
  };
  bind(Buffer::gradients, gradients_), bind(Buffer::slots, slots_), bind(Buffer::spans, table_);
}

UpdateOf Trainer::update(const VariablePlaces& places) const {
  UpdateOf update{optimizer_, dtype_, bytes_ / size_of(dtype_), first_piece(), spans(), {}};
  for (const auto& [layer, variable] : trained_)
    update.weights.push_back({layer, variable, places.value(*variable), places.gradient(*variable)});
  return update;
}

bool Trainer::is_frozen(const LayerNode& layer) const {
  const auto noted = frozen_.find(&layer);
  return noted != frozen_.end() && noted->second;
}

std::vector<Trainer::Kept> Trainer::listed_kept() const {
  std::vector<Kept> kept;
  for (int row = 0; row < kept_rows(optimizer_).count(); ++row)
    for (const auto& [layer, variable] : trained_) kept.push_back({row, variable, {}});
  return kept;
}

std::byte* Trainer::address_of(const Kept& kept) const {
  std::int64_t offset = kept.row * bytes_;
  for (const auto& [layer, variable] : trained_) {
    if (variable == kept.variable) break;
    offset += align_up(checked_bytes(variable->shape, dtype_));
  }
  return slots_->data() + offset;
}

void Trainer::read_kept(Backend& backend, std::vector<Kept>& kept) const {
  for (Kept& one : kept) {
    one.values = Tensor::uninitialized(one.variable->shape, dtype_);
    backend.download(one.values.raw(), address_of(one), static_cast<std::size_t>(one.values.bytes()));
  }
}

void Trainer::write_kept(Backend& backend, const std::vector<Kept>& kept) const {
  for (const Kept& one : kept)
    backend.upload(address_of(one), one.values.raw(), static_cast<std::size_t>(one.values.bytes()));
}

std::vector<MutableTensorView> Trainer::gradient_views(const Device& device) const {
  std::vector<MutableTensorView> views;
  std::int64_t offset = 0;
  std::size_t next = 0;  // of trained_
  for (const auto& [layer, variable] : listed_) {
    const bool is_left_out = next == trained_.size() || trained_[next].second != variable;
    const Shape shape = is_left_out ? Shape{0} : variable->shape;
    views.push_back(MutableTensorView::of(gradients_->data() + offset, shape, dtype_, device));
    if (is_left_out) continue;
    offset += align_up(shape.elements() * size_of(dtype_)), ++next;
  }
  return views;
}

TensorList Trainer::gradients(Backend& backend) const {
  TensorList result;
  const std::vector<MutableTensorView> views = gradient_views(backend.device());
  for (std::size_t i = 0; i < views.size(); ++i) {
    const Variable& variable = *listed_[i].second;
    const bool is_left_out = views[i].shape() != variable.shape;
    result.push_back(is_left_out ? Tensor::zeros(variable.shape, dtype_)
                                 : Tensor::uninitialized(variable.shape, dtype_));
    if (!is_left_out)
      backend.download(result.back().raw(), views[i].raw(), static_cast<std::size_t>(result.back().bytes()));
  }
  return result;
}

void Trainer::set_gradients(Backend& backend, const std::vector<Tensor>& gradients) const {
  GLIA_CHECK(gradients.size() == listed_.size(), ShapeError, "got ", gradients.size(),
             " gradients, expected ", listed_.size(), ": one for each weight that is trained");
  std::vector<Tensor> cast;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const auto& [layer, variable] = listed_[i];
    GLIA_CHECK(gradients[i].shape() == variable->shape, ShapeError, "the gradient of \"", layer->name, "/",
               variable->name, "\" has shape ", variable->shape, ", got ", gradients[i].shape());
    const bool is_here = gradients[i].device() == backend.device() && gradients[i].dtype() == dtype_;
    GLIA_CHECK(is_here || gradients[i].device().is_cpu(), DeviceError, "the gradient of \"", layer->name, "/",
               variable->name, "\" is of ", gradients[i].dtype(), " on ", gradients[i].device(),
               ", expected ", dtype_, " on ", backend.device(),
               ", or any on the CPU: move it with to(\"cpu\")");
    cast.push_back(is_here ? Tensor() : gradients[i].cast(dtype_));
  }
  const std::vector<MutableTensorView> places = gradient_views(backend.device());
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].shape() != gradients[i].shape()) continue;  // no loss depends on it
    if (cast[i].empty())
      backend.copy(places[i].raw(), gradients[i].raw(),
                   static_cast<std::size_t>(places[i].shape().elements() * size_of(dtype_)));
    else
      backend.upload(places[i].raw(), cast[i].raw(), static_cast<std::size_t>(cast[i].bytes()));
  }
}

std::vector<Descriptor> Trainer::averages_to_weights(const VariablePlaces& places) const {
  const KeptRows kept = kept_rows(optimizer_);
  std::vector<Descriptor> copies;
  if (!kept.averaged || !gradients_) return copies;
  const UpdateOf all = update(places);
  const View averages = all.flat(Buffer::slots, kept.slots + kept.accumulated);
  for (const Span& span : spans_) {
    const std::int64_t elements = span.bytes / size_of(dtype_);
    View to = View::contiguous(Buffer::parameters, dtype_, {elements}, span.weights);
    to.block = span.block;
    copies.push_back(op::Map{
        Linear{}, View::contiguous(Buffer::slots, dtype_, {elements}, averages.offset + span.gradients), to});
  }
  return copies;
}

std::int64_t Trainer::optimizer_count() const { return kept_rows(optimizer_).count() * trained_count() + 2; }

}  // namespace glia
