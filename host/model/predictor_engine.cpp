// Predictor::Engine: its programs, and what a call does.
// SPDX-License-Identifier: Apache-2.0
#include <host/device/cuda_library.h>  // defines: expect_on
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
  result.allocator = options.allocator, result.workspace_limit = options.workspace_limit;
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
  GLIA_CHECK(!model.weights().has_states(), ValueError, "model \"", model.network().name,
             "\" has a stateful layer, which goes on from batch to batch: a predictor's calls come in any "
             "order. Give states as inputs and take them as outputs (return_state), or call predict");
  const std::vector<std::int64_t> sizes = sizes_of(options);
  for (const std::shared_ptr<WeightBlock>& block : places_.blocks)
    readers_.emplace_back(block->gate(), context_);
  Backend& backend = context_.backend();
  state_ = backend.allocate(sizeof(StepState), MemoryUse::states);
  backend.clear(state_->data(), state_->bytes());
  Bindings at = bind_blocks(places_);
  at.state = reinterpret_cast<StepState*>(state_->data());
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

/// The calling thread alone uses the predictor while it lives.
class Predictor::Engine::Using {
 public:
  explicit Using(const Engine& engine)
      : mark_(engine.context_.backend().in_use(), [] {
          return std::string(
              "the predictor is in use by another thread: give each thread one of its own, "
              "model.predictor(), or "
              "take turns with a std::mutex");
        }) {}

 private:
  detail::InUse::Hold mark_;
};

void Predictor::Engine::check_counts(std::size_t inputs, std::size_t outputs) const {
  GLIA_CHECK(inputs == input_shapes_.size() && outputs == output_shapes_.size(), ValueError,
             "a predictor's call got ", inputs, " inputs and ", outputs, " outputs, expected ",
             input_shapes_.size(), " and ", output_shapes_.size(), ", those of the model");
}

/// Outputs are written while inputs are read.
void Predictor::Engine::check_apart(std::int64_t batch) const {
  const auto begin = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(sources_[i].data); };
  const auto end = [&](std::size_t i) {
    const bool is_input = i < input_shapes_.size();
    const Shape& row = is_input ? input_shapes_[i] : output_shapes_[i - input_shapes_.size()];
    return begin(i) +
           static_cast<std::uintptr_t>(batch * row.elements() * size_of(is_input ? input_dtype_ : dtype_));
  };
  for (std::size_t out = input_shapes_.size(); out < sources_.size(); ++out)
    for (std::size_t other = 0; other < out; ++other)
      GLIA_CHECK(end(out) <= begin(other) || end(other) <= begin(out), ValueError, "output ",
                 out - input_shapes_.size(), " of a predictor's call lies on ",
                 other < input_shapes_.size() ? "an input" : "another output",
                 ", expected memory of its own");
}

void Predictor::Engine::run(const Program& program, std::int64_t batch, std::optional<void*> stream) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const bool is_input = i < input_shapes_.size();
    check_pointer(sources_[i].data, is_input ? input_dtype_ : dtype_, is_input ? "input" : "output",
                  is_input ? i : i - input_shapes_.size());
    if (std::find(known_.begin(), known_.end(), sources_[i].data) != known_.end()) continue;
    cuda_library::expect_on(context_.device(), sources_[i].data);
    known_[next_known_++ % known_.size()] = sources_[i].data;
  }
  check_apart(batch);
  context_.backend().enqueue_on(stream);
  const ReadingBlocks reading(places_.blocks, context_.device().is_cpu());
  run_watched(profile_, program, Given{sources_.data(), batch});
}

void Predictor::Engine::watch(std::shared_ptr<Profile> profile) {
  const Using use(*this);
  glia::watch(profile_, std::move(profile), "predictor");
}

void Predictor::Engine::enqueue(std::span<const void* const> x, std::span<void* const> y, std::int64_t batch,
                                std::optional<void*> stream) {
  const Using use(*this);
  const Program& program = program_for(batch);
  check_counts(x.size(), y.size());
  if (batch == 0) return;
  for (std::size_t i = 0; i < x.size(); ++i) sources_[i] = {const_cast<void*>(x[i]), scale_};
  for (std::size_t i = 0; i < y.size(); ++i) sources_[x.size() + i] = {y[i], 1};
  run(program, batch, stream);
}

void Predictor::Engine::check_view(const TensorView& view, const Shape& row, std::int64_t rows, DType dtype,
                                   const char* what, std::size_t number) const {
  GLIA_CHECK(view.shape() == row.prepend(rows), ShapeError, what, ' ', number,
             " of a predictor's call has shape ", view.shape(), ", expected ", row.prepend(rows));
  GLIA_CHECK(view.dtype() == dtype, ValueError, what, ' ', number, " of a predictor's call is of ",
             view.dtype(), ", expected ", dtype,
             ": cast it, or make the predictor with .dtype for its inputs");
  GLIA_CHECK(view.device() == context_.device(), DeviceError, what, ' ', number,
             " of a predictor's call is on ", view.device(), ", expected ", context_.device(),
             ", where the weights are");
}

void Predictor::Engine::enqueue(std::span<const TensorView> x, std::span<const MutableTensorView> y,
                                std::optional<void*> stream) {
  const Using use(*this);
  check_counts(x.size(), y.size());
  const std::int64_t batch = x[0].rows();
  const Program& program = program_for(batch);
  for (std::size_t i = 0; i < x.size(); ++i) {
    check_view(x[i], input_shapes_[i], batch, input_dtype_, "input", i);
    sources_[i] = {const_cast<void*>(x[i].raw()), x[i].scale()};
  }
  for (std::size_t i = 0; i < y.size(); ++i) {
    check_view(y[i], output_shapes_[i], batch, dtype_, "output", i);
    sources_[x.size() + i] = {y[i].raw(), 1};
  }
  if (batch > 0) run(program, batch, stream);
}

Tensor Predictor::Engine::predict(const TensorView& x) {
  check_counts(1, 1);
  Tensor result = Tensor::uninitialized(output_shapes_[0].prepend(x.rows()), dtype_);
  predict(x, result);
  return result;
}

void Predictor::Engine::predict(const TensorView& x, const MutableTensorView& y) {
  const Using use(*this);
  check_counts(1, 1);
  Backend& backend = context_.backend();
  const Shape &row = input_shapes_[0], &row_of_result = output_shapes_[0];
  const bool is_here = x.device() == context_.device(), is_cpu = context_.device().is_cpu();
  const std::int64_t rows = x.rows(), most = programs_.back().batch();
  check_view(is_here || !x.device().is_cpu()
                 ? x
                 : TensorView::of(x.raw(), x.shape(), x.dtype(), context_.device(), x.scale()),
             row, rows, input_dtype_, "input", 0);
  GLIA_CHECK(y.device().is_cpu(), DeviceError, "the output of a predictor's call is on ", y.device(),
             ", expected the host: enqueue writes to ", context_.device());
  check_view(MutableTensorView::of(y.raw(), y.shape(), y.dtype(), context_.device()), row_of_result, rows,
             dtype_, "output", 0);
  const auto bytes = [&](const Shape& of, DType dtype, std::int64_t count) {
    return static_cast<std::size_t>(count * of.elements() * size_of(dtype));
  };
  if (!is_here && !rows_in_) rows_in_ = backend.allocate(bytes(row, input_dtype_, most), MemoryUse::data);
  if (!is_cpu && !rows_out_)
    rows_out_ = backend.allocate(bytes(row_of_result, dtype_, most), MemoryUse::data);
  for (std::int64_t first = 0; first < rows; first += most) {
    const std::int64_t batch = std::min(most, rows - first);
    const TensorView part = x.rows(first, first + batch);
    auto* const out = static_cast<std::byte*>(y.raw()) + bytes(row_of_result, dtype_, first);
    if (!is_here) backend.upload(rows_in_->data(), part.raw(), bytes(row, input_dtype_, batch));
    sources_[0] = {is_here ? const_cast<void*>(part.raw()) : rows_in_->data(), x.scale()};
    sources_[1] = {is_cpu ? out : rows_out_->data(), 1};
    run(program_for(batch), batch, {});
    if (!is_cpu) backend.download(out, rows_out_->data(), bytes(row_of_result, dtype_, batch));
  }
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
