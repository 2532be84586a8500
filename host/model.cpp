// Model: building, compiling, memory and weights. What a step computes is in emission.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/memory.h>  // defines: checked_bytes
#include <host/model.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <set>

namespace glia {

void Model::add(const Layer& layer) {
  GLIA_CHECK(!built(), StateError, "cannot add a layer to model \"", name,
             "\": it is built already; make a new model");
  LayerNode& node = layer.node();
  if (node.named_by_model && node.model.expired()) node.name.clear();  // another model's counter
  GLIA_CHECK(node.model.expired(), ValueError, "layer \"", node.name, "\" (", node.type(),
             ") is in a model already: make another layer, each has weights of its own");
  name_layer(node);
  node.model = weak_from_this();
  node.built = false;
  layers_.push_back(layer);
}

/// Keras's names: "dense", "dense_1", ... for those without one.
void Model::name_layer(LayerNode& node) {
  const auto taken = [this](const std::string& wanted) {
    return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& l) { return l.name() == wanted; });
  };
  GLIA_CHECK(node.name.empty() || !taken(node.name), ValueError, "two layers are named \"", node.name,
             "\": names within a model must differ");
  if (!node.name.empty()) return;
  node.named_by_model = true;
  std::string base;
  for (const char* c = node.type(); *c; ++c) {
    const bool upper = *c >= 'A' && *c <= 'Z';
    if (upper && c != node.type()) base += '_';
    base += upper ? static_cast<char>(*c - 'A' + 'a') : *c;
  }
  node.name = base;
  for (int counter = 1; taken(node.name); ++counter) node.name = base + '_' + std::to_string(counter);
}

Shape Model::declared_input_shape() const {
  return layers_.empty() ? Shape{} : layers_[0].node().declared_input_shape;
}

const Shape& Model::output_shape() const { return layers_.back().node().output_shape; }

void Model::build(const Shape& input_shape) {
  GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers: add some");
  Shape shape = input_shape;
  for (const Layer& layer : layers_) {
    LayerNode& node = layer.node();
    GLIA_CHECK(node.declared_input_shape.empty() || node.declared_input_shape == shape, ShapeError,
               "layer \"", node.name, "\" was given input_shape ", node.declared_input_shape,
               ", but its input has rows of shape ", shape, ": correct one of them");
    shape = node.output_shape = node.build(shape);
  }
  lay_out_variables();
  try {
    Weights weights = allocate_weights(backend());
    draw_initial_values(backend(), weights);
    adopt(context(), std::move(weights));
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat("memory ran out while the weights of model \"", name, "\", ",
                                          parameter_bytes_, " bytes, were drawn: make its layers smaller"));
  }
  input_shape_ = input_shape;
  for (const Layer& layer : layers_) layer.node().built = true;
}

void Model::discard_build() {
  drop_programs();
  passes_ = {};
  parameters_.reset();
  state_.reset();
  for (const Layer& layer : layers_) layer.node().built = false;
}

void Model::lay_out_variables() {
  std::int64_t offset = 0;
  for (const Layer& layer : layers_) {
    for (Variable& variable : layer.node().variables) {
      variable.value = View::contiguous(Buffer::parameters, dtype, variable.shape, offset);
      variable.gradient = View::contiguous(Buffer::gradients, dtype, variable.shape, offset);
      offset += align_up(checked_bytes(variable.shape, dtype));
    }
  }
  parameter_bytes_ = offset;
}

/// Parameters, zero, and state of a model on a backend, with what starts passes, so that an epoch allocates nothing.
Model::Weights Model::allocate_weights(Backend& backend) const {
  Weights weights{backend.allocate(std::max<std::size_t>(static_cast<std::size_t>(parameter_bytes_), 1)),
                  backend.allocate(sizeof(StepState) * 2),
                  {}};
  backend.clear(weights.parameters->data(), weights.parameters->bytes());
  const StepState initial[2];
  backend.upload(weights.state->data(), initial, sizeof initial);
  for (const Mode mode : {Mode::train, Mode::validate}) {
    Bindings at;
    at.state = state_in(*weights.state, mode);
    weights.passes.of[state_of(mode)].begin = backend.prepare({op::Begin{}}, at);
  }
  for (std::unique_ptr<Reader>& reader : weights.passes.readers) reader = backend.reader(sizeof(StepState));
  return weights;
}

void Model::draw_initial_values(Backend& backend, const Weights& weights) const {
  std::uint64_t number = 0;
  for (const LayerNode* node : nodes()) {
    for (const Variable& variable : node->variables) {
      const std::vector<float> values = initial_values(variable.initializer, variable.shape, seed, number++);
      const Tensor tensor = Tensor(values, variable.shape).cast(dtype);
      backend.upload(weights.parameters->data() + variable.value.offset, tensor.raw(),
                     static_cast<std::size_t>(tensor.bytes()));
    }
  }
}

/// Takes weights on `new_context`, which becomes the model's. What the backend before made goes before that backend.
void Model::adopt(const Context& new_context, Weights weights) {
  const Context kept = new_context;  // it may be context_ itself
  drop_programs();
  parameters_ = std::move(weights.parameters);
  state_ = std::move(weights.state);
  passes_ = std::move(weights.passes);
  context_ = kept;
  reset_optimizer();
}

void Model::drop_programs() {
  plans_.clear();
  arena_.reset();
  gradients_.reset();
  slots_.reset();
}

void Model::reset_optimizer() {
  drop_programs();
  if (built() && compiled()) write_optimizer_state(0, learning_rate());
}

namespace {

void check_optimizer(const Optimizers& optimizer) {
  std::visit(
      [](const auto& o) {
        const std::string reason = o.invalid();
        GLIA_CHECK(reason.empty(), ValueError, reason);
        const std::string rate =
            std::visit([](const auto& schedule) { return schedule.invalid(); }, o.learning_rate.schedule);
        GLIA_CHECK(rate.empty(), ValueError, "optimizer \"", o.name, "\" got learning rate ",
                   o.learning_rate.at(0), ": ", rate, "; 0.001 is a common start");
      },
      optimizer);
}

/// A metric named in full goes with targets of its own kind.
void check_metric(const MetricName& metric, Targets targets) {
  if (!metric.metric()) return;
  const bool wants_labels = std::holds_alternative<SparseCategoricalAccuracy>(*metric.metric());
  const bool sparse = targets == Targets::sparse_labels;
  GLIA_CHECK(wants_labels == sparse, ValueError, "metric \"", metric.name(), "\" is for ",
             wants_labels ? "labels" : "dense targets", ", but the loss takes ",
             sparse ? "labels" : "dense targets", ": use \"accuracy\", which fits either");
  const auto* binary = std::get_if<BinaryAccuracy>(&*metric.metric());
  GLIA_CHECK(!binary || (binary->threshold > 0 && binary->threshold < 1), ValueError,
             "binary_accuracy got threshold ", binary->threshold, ", expected one between 0 and 1");
}

std::vector<MetricName> checked_metrics(const MetricNames& names, const std::optional<LossName>& loss) {
  GLIA_CHECK(loss || names.size() == 0, ValueError,
             "compile got metrics but no loss; give .loss as well, such as \"mse\"");
  GLIA_CHECK(names.size() <= static_cast<std::size_t>(max_metrics), ValueError, "got ", names.size(),
             " metrics, at most ", max_metrics, " are possible");
  std::set<std::string> seen{"loss"};
  for (const MetricName& metric : names) {
    check_metric(metric, std::visit([](const auto& l) { return l.targets; }, loss->value()));
    GLIA_CHECK(seen.insert(metric.name()).second, ValueError, "metric \"", metric.name(),
               "\" is named twice, or like the loss: name each once");
  }
  return {names.begin(), names.end()};
}

}  // namespace

void Model::compile(const CompileOptions& options) {
  check_optimizer(options.optimizer.value());
  GLIA_CHECK(dtype == DType::float32 || std::holds_alternative<Float32>(options.precision.value()),
             ValueError, "precision \"", options.precision.name(),
             "\" is for models of float32, this one computes in ", dtype, ": leave .precision out");
  std::vector<MetricName> metrics = checked_metrics(options.metrics, options.loss);
  std::optional<Context> context = options.context;
  if (!context && options.device && (!context_ || context_->device() != *options.device))
    context.emplace(ContextOptions{.device = *options.device});
  if (context && built() && &context->backend() != &backend()) {
    std::vector<std::byte> values(static_cast<std::size_t>(parameter_bytes_));
    Weights weights = allocate_weights(context->backend());
    backend().download(values.data(), parameters_->data(), values.size());
    context->backend().upload(weights.parameters->data(), values.data(), values.size());
    adopt(*context, std::move(weights));
  } else if (context) {
    context_ = context;
  }
  optimizer_ = options.optimizer.value();
  loss_ = options.loss ? std::optional<Losses>(options.loss->value()) : std::nullopt;
  metric_names_ = std::move(metrics);
  precision_ = options.precision.value();
  reset_optimizer();
}

const Context& Model::context() const {
  if (!context_) context_.emplace();
  return *context_;
}

double Model::learning_rate() const {
  return std::visit(
      [this](const auto& o) { return o.learning_rate.at(o.learning_rate.is_constant() ? 0 : iterations()); },
      *optimizer_);
}

void Model::set_learning_rate(const LearningRate& rate) {
  Optimizers changed = *optimizer_;
  std::visit([&](auto& o) { o.learning_rate = rate; }, changed);
  check_optimizer(changed);
  const bool was_constant =
      std::visit([](const auto& o) { return o.learning_rate.is_constant(); }, *optimizer_);
  optimizer_ = changed;
  if (!was_constant || !rate.is_constant()) plans_.clear();  // a schedule is part of the step
  if (built()) write_optimizer_state(iterations(), learning_rate());
}

std::int64_t Model::iterations() const {
  std::int64_t result = 0;
  if (built())
    backend().download(&result, state_address(Mode::train) + offsetof(StepState, iteration), sizeof result);
  return result;
}

void Model::write_optimizer_state(std::int64_t iteration, double rate) const {
  std::byte* const state = state_address(Mode::train);
  backend().upload(state + offsetof(StepState, iteration), &iteration, sizeof iteration);
  backend().upload(state + offsetof(StepState, learning_rate), &rate, sizeof rate);
}

/// The feed and, beside it, a cursor of zero.
void Model::upload_feed(Mode mode, const Feed& feed) {
  StepState fresh;
  fresh.feed = feed;
  passes_.of[state_of(mode)].feed.reset();  // unknown until the upload is under way
  backend().upload(state_address(mode), &fresh, offsetof(StepState, order));
  passes_.of[state_of(mode)].feed = feed;
}

void Model::begin_pass(Mode mode, const Feed& feed) {
  Passes::OfState& pass = passes_.of[state_of(mode)];
  if (pass.feed != feed) upload_feed(mode, feed);
  pass.begin->run(1);
  pass.feed->pass += 1;  // as the device does
  passes_.reads_started = passes_.reads_taken = 0;
}

void Model::continue_pass(Mode mode, const Feed& feed) { upload_feed(mode, feed); }

void Model::request_state(Mode mode) {
  passes_.readers[passes_.reads_started++ % max_reads]->start(state_address(mode));
}

StepState Model::take_state() {
  StepState result;
  std::memcpy(&result, passes_.readers[passes_.reads_taken++ % max_reads]->wait(), sizeof result);
  return result;
}

void Model::ensure_training_memory() {
  if (gradients_) return;
  Backend& b = backend();
  const std::size_t bytes = std::max<std::size_t>(static_cast<std::size_t>(parameter_bytes_), 1);
  const int slots = std::visit([](const auto& o) { return o.slots(); }, *optimizer_);
  std::unique_ptr<Memory> gradients = b.allocate(bytes);
  if (slots > 0) {
    std::unique_ptr<Memory> memory = b.allocate(bytes * static_cast<std::size_t>(slots));
    b.clear(memory->data(), memory->bytes());
    slots_ = std::move(memory);
  }
  b.clear(gradients->data(), gradients->bytes());  // the gaps between variables are optimised along
  gradients_ = std::move(gradients);
}

std::vector<const LayerNode*> Model::nodes() const {
  std::vector<const LayerNode*> result;
  for (const Layer& layer : layers_) result.push_back(&layer.node());
  return result;
}

std::vector<Tensor> Model::read_buffer(Buffer buffer, const std::vector<const LayerNode*>& nodes) const {
  const Bindings at = bindings(Mode::train);
  std::vector<Tensor> result;
  for (const LayerNode* node : nodes) {
    for (const Variable& variable : node->variables) {
      const View& view = buffer == Buffer::gradients ? variable.gradient : variable.value;
      Tensor tensor = Tensor::uninitialized(variable.shape, dtype);
      backend().download(tensor.raw(), at.address<>(view), static_cast<std::size_t>(view.bytes()));
      result.push_back(std::move(tensor));
    }
  }
  return result;
}

std::vector<Tensor> Model::read(const std::vector<const LayerNode*>& nodes) const {
  return read_buffer(Buffer::parameters, nodes);
}
std::vector<Tensor> Model::read_gradients() const { return read_buffer(Buffer::gradients, nodes()); }

namespace {

/// The elements of a view as a tensor on the CPU, of `dtype`.
Tensor host_copy(const TensorView& view, DType dtype) {
  GLIA_CHECK(view.device().is_cpu(), DeviceError, "weights are set from the CPU, got a tensor on ",
             view.device(), ": move it with to(\"cpu\")");
  Tensor copy = Tensor::uninitialized(view.shape(), view.dtype());
  if (view.dtype() == DType::uint8) copy.set_scale(view.scale());
  if (copy.bytes() > 0) std::memcpy(copy.raw(), view.raw(), static_cast<std::size_t>(copy.bytes()));
  return copy.cast(dtype);
}

}  // namespace

void Model::write(const std::vector<const LayerNode*>& nodes, const std::vector<TensorView>& values) {
  std::vector<std::pair<const LayerNode*, const Variable*>> variables;
  for (const LayerNode* node : nodes)
    for (const Variable& variable : node->variables) variables.emplace_back(node, &variable);
  GLIA_CHECK(values.size() == variables.size(), ShapeError, "got ", values.size(), " weights, expected ",
             variables.size(), ": as many as get_weights() returns");
  std::vector<Tensor> cast;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& [node, variable] = variables[i];
    GLIA_CHECK(values[i].shape() == variable->shape, ShapeError, "weight \"", node->name, "/", variable->name,
               "\" has shape ", variable->shape, ", got ", values[i].shape());
    cast.push_back(host_copy(values[i], dtype));
  }
  const Bindings at = bindings(Mode::train);
  for (std::size_t i = 0; i < cast.size(); ++i)
    backend().upload(at.address<>(variables[i].second->value), cast[i].raw(),
                     static_cast<std::size_t>(cast[i].bytes()));
}

std::vector<std::string> Model::weight_names() const {
  std::vector<std::string> names;
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables) names.push_back(node->name + '/' + variable.name);
  return names;
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables) count += variable.shape.elements();
  return count;
}

std::int64_t Model::optimizer_parameter_count() const {
  if (!gradients_ || !compiled()) return -1;
  return std::visit([this](const auto& o) { return o.slots() * parameter_count() + 2; }, *optimizer_);
}

Bindings Model::bindings(Mode mode) const {
  Bindings result;
  result.state = state_in(*state_, mode);
  const auto bind = [&result](Buffer buffer, const std::unique_ptr<Memory>& memory) {
    if (memory) result.base[static_cast<std::size_t>(buffer)] = memory->data();
  };
  bind(Buffer::parameters, parameters_);
  bind(Buffer::gradients, gradients_);
  bind(Buffer::slots, slots_);
  bind(Buffer::state, state_);
  if (arena_) result.base[static_cast<std::size_t>(Buffer::arena)] = arena_->data();
  return result;
}

}  // namespace glia
