// Predictor: the handle of its Engine.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/predictor_engine.h>

#include <utility>

namespace glia {

Predictor::Predictor(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

Predictor::Engine& Predictor::engine() const {
  GLIA_CHECK(engine_, StateError, "this predictor was moved from: use the one it was moved to");
  return *engine_;
}

void Predictor::enqueue(const void* x, void* y, std::int64_t batch, std::optional<void*> stream) {
  engine().enqueue({&x, 1}, {&y, 1}, batch, stream);
}
void Predictor::enqueue(std::span<const void* const> x, std::span<void* const> y, std::int64_t batch,
                        std::optional<void*> stream) {
  engine().enqueue(x, y, batch, stream);
}
void Predictor::enqueue(const TensorView& x, const MutableTensorView& y, std::optional<void*> stream) {
  engine().enqueue({&x, 1}, {&y, 1}, stream);
}
void Predictor::enqueue(const std::vector<TensorView>& x, const std::vector<MutableTensorView>& y,
                        std::optional<void*> stream) {
  engine().enqueue(x, y, stream);
}
Tensor Predictor::predict(const TensorView& x) { return engine().predict(x); }
void Predictor::predict(const TensorView& x, const MutableTensorView& y) { engine().predict(x, y); }
void Predictor::update(const std::vector<TensorView>& weights, std::optional<void*> stream) {
  engine().update(weights, stream);
}
void Predictor::update(const std::vector<Tensor>& weights, std::optional<void*> stream) {
  engine().update({weights.begin(), weights.end()}, stream);
}
void Predictor::synchronize() { engine().synchronize(); }

Device Predictor::device() const { return engine().context().device(); }
MemoryReport Predictor::memory() const { return engine().context().memory(); }
const std::vector<Shape>& Predictor::input_shapes() const { return engine().input_shapes(); }
const std::vector<Shape>& Predictor::output_shapes() const { return engine().output_shapes(); }
DType Predictor::output_dtype() const { return engine().dtype(); }
std::int64_t Predictor::max_batch() const { return engine().batch_sizes().back(); }
std::vector<std::int64_t> Predictor::batch_sizes() const { return engine().batch_sizes(); }
std::string Predictor::explain(std::int64_t batch) const { return engine().program_for(batch).explain(); }

}  // namespace glia
