// Losses of the application's own: a Custom, and what weighs and sums what it wrote.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/custom_loss.h>

#include <utility>

namespace glia {
namespace {

using Role = op::Custom::Role;

/// A loss of Glia's that takes the same targets.
Losses likeness(const CustomLoss& own) {
  if (own.targets() == Targets::sparse_labels) return SparseCategoricalCrossentropy{};
  return MeanSquaredError{};
}

/// Rows (rows, ...) times their weights.
View weighed(Emitter& e, const View& rows, const View& weights) {
  const std::int64_t n = rows.shape[0];
  const Shape matrix{n, rows.elements() / n};
  const View out = e.temporary(matrix);
  e.add(op::Binary{binary::Multiply{}, rows.reshaped(matrix), weights.reshaped({n, 1}).broadcast_to(matrix),
                   out});
  return out.reshaped(rows.shape);
}

}  // namespace

std::shared_ptr<const CustomLossBody> detail::make_loss_body(std::shared_ptr<const CustomLoss> own,
                                                             const CustomFunctions<CustomLoss>& functions) {
  GLIA_CHECK(!own->type().empty(), ValueError,
             "a loss of the application's own has an empty type(), expected a name");
  GLIA_CHECK(functions.any(), ValueError, "loss ", own->type(),
             " has no body: give the class a public function void loss(const glia::CpuLoss<float>& call) "
             "const, or one of glia::CudaLoss");
  return std::make_shared<const CustomLossBody>(std::move(own), functions);
}

LossName::LossName(std::shared_ptr<const CustomLossBody> own)
    : Named(MeanSquaredError{}), own_(std::move(own)) {
  value() = likeness(own_->own());
}

std::string LossName::name() const { return own_ ? own_->own().type() : Named::name(); }

void expect_computes(const LossName& loss, const Device& device, DType dtype) {
  if (loss.own()) loss.own()->expect(op::Custom::Part::loss, device, dtype);
}

EmittedLoss emit_custom_loss(Emitter& e, const CustomLossBody& loss, const View& predictions,
                             const View& targets, const View& weights, bool wants_gradient) {
  const std::int64_t rows = predictions.shape[0];
  const View losses = e.temporary({rows});
  EmittedLoss emitted;
  if (wants_gradient) emitted.gradient = e.temporary(predictions.shape);
  op::Custom call{&loss, op::Custom::Part::loss, e.dtype(), e.trains()};
  call.add(Role::input, aligned(e, predictions)), call.add(Role::input, targets),
      call.add(Role::output, losses);
  call.add(Role::input_gradient, emitted.gradient);
  for (const Shape& shape : loss.own().scratch(predictions.shape))
    call.add(Role::scratch, e.temporary(shape));
  e.add(call);
  if (weights && wants_gradient) emitted.gradient = weighed(e, emitted.gradient, weights);
  emitted.partials = e.temporary({op::pieces_of(rows), 1}, DType::float64);
  e.add(op::Sums{weights ? weighed(e, losses, weights) : losses,
                 emitted.partials.reshaped({emitted.partials.elements()})});
  return emitted;
}

}  // namespace glia
