// Emitter: where weights and their gradients lie, and whose a descriptor is.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/emitter.h>

#include <algorithm>
#include <memory>

namespace glia {

View VariablePlaces::value(const Variable& variable) const {
  const auto block = std::find(blocks.begin(), blocks.end(), variable.block);
  View view = View::contiguous(Buffer::parameters, variable.block->dtype(), variable.shape, variable.offset);
  view.block = static_cast<std::int32_t>(block - blocks.begin());
  return view;
}

View VariablePlaces::gradient(const Variable& variable) const {
  const auto found = gradients.find(&variable);
  if (found == gradients.end()) return {};
  return View::contiguous(Buffer::gradients, variable.block->dtype(), variable.shape, found->second);
}

Emitter::Of::Of(Emitter& emitter, const std::string& layer) : emitter_(emitter), outer_(emitter.layer_) {
  emitter.layer_ = std::make_shared<const std::string>(outer_ ? *outer_ + '/' + layer : layer);
}

View Emitter::gradient(const Variable& variable) {
  const View sum = places_.gradient(variable);
  if (!sum || given_.insert(&variable).second) return sum;
  const View more = temporary(variable.shape);
  more_.push_back({layer_, sum, more});
  return more;
}

void Emitter::finish_gradients() {
  for (const auto& [layer, sum, more] : more_) {
    add(op::Combine{1, 1, sum, more, sum});
    descriptors_.back().layer = layer;
  }
  more_.clear();
}

}  // namespace glia
