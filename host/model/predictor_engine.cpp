// Predictor::Engine: its programs, and what a call does.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/predictor_engine.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace glia {
namespace {

/// Ascending, each once.
std::vector<std::int64_t> sizes_of(const PredictorOptions& options) {
  GLIA_CHECK(options.max_batch >= 1, ValueError, "a predictor got max_batch ", options.max_batch,
             ", expected at least 1");
  std::vector<std::int64_t> sizes = options.batch_sizes;
  if (sizes.empty())
    for (std::int64_t size = 1; size < options.max_batch; size *= 2) sizes.push_back(size);
  for (const std::int64_t size : sizes)
    GLIA_CHECK(size >= 1 && size <= options.max_batch, ValueError, "a predictor got ", size,
               " among its batch_sizes, expected 1 to max_batch, which is ", options.max_batch);
  sizes.push_back(options.max_batch);
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

ContextOptions context_options(const Device& device, const PredictorOptions& options) {
  GLIA_CHECK(
      !options.stream || device.is_cuda(), StateError,
      "a predictor got a stream, but the model's weights are on the CPU, which has none: leave it out, or "
      "compile for a GPU");
  ContextOptions result;
  result.device = device, result.threads = options.threads, result.stream = options.stream;
  result.deterministic = options.deterministic, result.propagate_nan = options.propagate_nan;
  return result;
}

/// New weights are put in order behind what is under way, which a graph cannot be told.
void expect_no_capture(Backend& backend) {
  GLIA_CHECK(!backend.is_captured(), StateError,
             "update was called while a stream that computes with the weights is being captured: call it "
             "before or after; "
             "what was captured sees the new weights");
}

void check_pointer(const void* pointer, DType dtype, const char* what, std::size_t number) {
  GLIA_CHECK(pointer, ValueError, what, ' ', number,
             " of a predictor's call is a null pointer, expected rows of ", dtype);
  GLIA_CHECK(reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::size_t>(size_of(dtype)) == 0,
             ValueError, what, ' ', number, " of a predictor's call is at ", pointer,
             ", which is no multiple of ", size_of(dtype), ", as ", dtype,
             " must be: give the address of an element");
}

}  // namespace

Predictor::Engine::Engine(const Core& model, const PredictorOptions& options)
    : layers_(model.network().layers()),
      variables_(model.weights().variables()),
      names_(model.weights().names()),
      places_(model.weights().places()),
      input_shapes_(model.network().input_shapes()),
      output_shapes_(model.network().output_shapes()),
      dtype_(model.dtype),
      input_dtype_(options.dtype),
      scale_(options.scale),
      context_(context_options(model.context().device(), options)) {
  visit_dtype(options.dtype, [](auto) {});  // throws for one that tensors do not hold
  GLIA_CHECK(scale_ == 1 || (options.dtype == DType::uint8 && scale_ * 0 == 0 && scale_ != 0), ValueError,
             "a predictor of ", options.dtype, " got scale ", scale_,
             ", expected 1, or for uint8 a finite number other than 0");
  const std::vector<std::int64_t> sizes = sizes_of(options);
  for (const std::shared_ptr<WeightBlock>& block : places_.blocks)
    readers_.emplace_back(block->gate(), context_);
  Backend& backend = context_.backend();
  state_ = backend.allocate(sizeof(StepState));
  backend.clear(state_->data(), state_->bytes());
  const Given none;
  Bindings at = bind_blocks(places_);
  at.state = reinterpret_cast<StepState*>(state_->data());
  at.given = &none;
  const StepParts parts = model.parts();
  ProgramKey key = plain_key(parts, Mode::infer, 0);
  key.x_from.assign(input_shapes_.size(), input_dtype_);
  key.given = true;
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {  // the largest makes the arena
    key.batch = *size;
    programs_.push_back(make_program(key, emit_step(parts, key), backend, at, arena_));
  }
  std::reverse(programs_.begin(), programs_.end());
  sources_.resize(input_shapes_.size() + output_shapes_.size());
  backend.synchronize();  // what was tried is over
}

std::vector<std::int64_t> Predictor::Engine::batch_sizes() const {
  std::vector<std::int64_t> sizes;
  for (const Program& program : programs_) sizes.push_back(program.batch());
  return sizes;
}

const Program& Predictor::Engine::program_for(std::int64_t batch) const {
  GLIA_CHECK(batch >= 0 && batch <= programs_.back().batch(), ValueError, "a predictor got a batch of ",
             batch, " rows, expected 0 to ", programs_.back().batch(),
             ", its max_batch: make it with a larger one, or call it for parts");
  return *std::find_if(programs_.begin(), programs_.end(),
                       [&](const Program& program) { return program.batch() >= batch; });
}

void Predictor::Engine::check_rows(std::span<const void* const> x, std::span<void* const> y) const {
  GLIA_CHECK(x.size() == input_shapes_.size() && y.size() == output_shapes_.size(), ValueError,
             "a predictor's call got ", x.size(), " inputs and ", y.size(), " outputs, expected ",
             input_shapes_.size(), " and ", output_shapes_.size(), ", those of the model");
  for (std::size_t i = 0; i < x.size(); ++i) check_pointer(x[i], input_dtype_, "input", i);
  for (std::size_t i = 0; i < y.size(); ++i) check_pointer(y[i], dtype_, "output", i);
}

void Predictor::Engine::enqueue(std::span<const void* const> x, std::span<void* const> y, std::int64_t batch,
                                std::optional<void*> stream) {
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), [] {
    return std::string(
        "the predictor is in use by another thread: give each thread one of its own, model.predictor(), or "
        "take "
        "turns with a std::mutex");
  });
  const Program& program = program_for(batch);
  if (batch == 0) return;
  check_rows(x, y);
  backend.enqueue_on(stream);
  for (std::size_t i = 0; i < x.size(); ++i) sources_[i] = {const_cast<void*>(x[i]), scale_};
  for (std::size_t i = 0; i < y.size(); ++i) sources_[x.size() + i] = {y[i], 1};
  const ReadingBlocks reading(places_.blocks, context_.device().is_cpu());
  run_watched(profile_, program, Given{sources_.data(), batch});
}

void Predictor::Engine::watch(std::shared_ptr<Profile> profile) {
  const detail::InUse::Hold mark(context_.backend().in_use(), Backend::in_use_elsewhere);
  glia::watch(profile_, std::move(profile), "predictor");
}

/// Those on the CPU of another dtype, converted; empty ones for those that are right.
std::vector<Tensor> Predictor::Engine::converted(const std::vector<TensorView>& weights) const {
  GLIA_CHECK(weights.size() == variables_.size(), ShapeError, "update got ", weights.size(),
             " weights, expected ", variables_.size(), ": as many as the model's get_weights() returns");
  std::vector<Tensor> result(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const TensorView& given = weights[i];
    GLIA_CHECK(given.shape() == variables_[i]->shape, ShapeError, "update: weight \"", names_[i],
               "\" has shape ", variables_[i]->shape, ", got ", given.shape());
    GLIA_CHECK(given.device().is_cpu() || given.device() == context_.device(), DeviceError,
               "update: weight \"", names_[i], "\" is on ", given.device(), ", expected the CPU or ",
               context_.device());
    const bool is_right = given.dtype() == dtype_;
    GLIA_CHECK(is_right || given.device().is_cpu(), ValueError, "update: weight \"", names_[i], "\" is of ",
               given.dtype(), ", expected ", dtype_, ", which alone is copied on a GPU: cast it first");
    if (is_right) continue;
    Tensor copy = Tensor::uninitialized(given.shape(), given.dtype());
    if (given.dtype() == DType::uint8) copy.set_scale(given.scale());
    if (copy.bytes() > 0) std::memcpy(copy.raw(), given.raw(), static_cast<std::size_t>(copy.bytes()));
    result[i] = copy.cast(dtype_);
  }
  return result;
}

void Predictor::Engine::update(const std::vector<TensorView>& weights, std::optional<void*> stream) {
  Backend& backend = context_.backend();
  const std::vector<Tensor> cast = converted(weights);
  std::list<detail::InUse::Hold> marks;
  std::vector<Context> models;  // whose calls are over; what they enqueued may not be
  for (const std::shared_ptr<WeightBlock>& block : places_.blocks)
    for (const Context& context : block->contexts()) models.push_back(context);
  for (const Context& context : models)
    marks.emplace_back(context.backend().in_use(), Backend::in_use_elsewhere);
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  backend.enqueue_on(stream);
  for (const Context& context : models) expect_no_capture(context.backend());
  expect_no_capture(backend);
  const std::unique_ptr<OwnedEvent> event = backend.event();
  const WritingBlocks writing(places_.blocks, backend, WeightGate::IfRead::refuse);
  const auto order = [&](Backend& first, Backend& second) {
    if (!event) return;
    first.record(event->get());
    second.wait_for(event->get());
  };
  for (const Context& context : models) order(context.backend(), backend);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Variable& variable = *variables_[i];
    std::byte* const to = variable.block->data() + variable.offset;
    const auto bytes = static_cast<std::size_t>(variable.shape.elements() * size_of(dtype_));
    if (weights[i].device().is_cpu())
      backend.upload(to, cast[i].empty() ? weights[i].raw() : cast[i].raw(), bytes);
    else
      backend.copy(to, weights[i].raw(), bytes);
  }
  for (const Context& context : models) order(backend, context.backend());
}

void Predictor::Engine::synchronize() {
  const detail::InUse::Hold mark(context_.backend().in_use(), Backend::in_use_elsewhere);
  context_.backend().synchronize();
}

}  // namespace glia
