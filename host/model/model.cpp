// Model: building, compiling, memory and weights. What a step computes is in host/program/emission.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/layers/chain.h>
#include <host/model/compile_checks.h>
#include <host/model/model.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

namespace glia {

void Model::add(const Layer& layer) {
  GLIA_CHECK(!built(), StateError, "cannot add a layer to model \"", name,
             "\": it is built already; make a new model");
  const std::vector<Layer> added{layer};
  std::vector<const LayerNode*> seen;
  for_each_node(added, [&](LayerNode& node) {
    if (node.named_by_model && node.model.expired()) node.name.clear();  // another model's counter
    GLIA_CHECK(node.model.expired() && std::find(seen.begin(), seen.end(), &node) == seen.end(), ValueError,
               "layer \"", node.name, "\" (", node.type(),
               ") is in a model already: make another layer, each has weights of its own");
    seen.push_back(&node);
  });
  std::vector<std::string> names;
  for (const LayerNode* node : nodes()) names.push_back(node->name);
  for_each_node(added, [&](LayerNode& node) { name_layer(node, names); });
  for_each_node(added, [&](LayerNode& node) {
    node.model = weak_from_this();
    node.built = false;
  });
  layers_.push_back(layer);
}

namespace {

/// As Keras makes names of classes: "max_pooling2d" of MaxPooling2D, "p_re_lu" of PReLU.
std::string snake_case(const std::string& type) {
  using detail::is_lower, detail::is_upper;
  std::string result;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const bool starts_word =
        i > 0 && (is_lower(type[i - 1]) || (i + 1 < type.size() && is_lower(type[i + 1])));
    if (is_upper(type[i]) && starts_word) result += '_';
    result += detail::to_lower(type[i]);
  }
  return result;
}

}  // namespace

/// Keras's names: "dense", "dense_1", ... for those without one.
void Model::name_layer(LayerNode& node, std::vector<std::string>& names) {
  const auto taken = [&names](const std::string& wanted) {
    return std::find(names.begin(), names.end(), wanted) != names.end();
  };
  GLIA_CHECK(node.name.empty() || !taken(node.name), ValueError, "two layers are named \"", node.name,
             "\": names within a model must differ");
  if (!node.name.empty()) return names.push_back(node.name);
  node.named_by_model = true;
  const std::string base = snake_case(node.type());
  node.name = base;
  for (int counter = 1; taken(node.name); ++counter) node.name = base + '_' + std::to_string(counter);
  names.push_back(node.name);
}

Shape Model::declared_input_shape() const {
  return layers_.empty() ? Shape{} : layers_[0].node().declared_input_shape;
}

const Shape& Model::output_shape() const { return layers_.back().node().output_shape; }

void Model::build(const Shape& input_shape) {
  GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers: add some");
  bool trained = false;
  build_layers(layers_, input_shape, trained);
  lay_out_variables();
  std::vector<ResolvedMetric> metrics;
  if (has_loss()) metrics = resolve_metrics(*loss_, metric_names_, weighted_from_);
  try {
    std::unique_ptr<Memory> parameters = allocate_parameters(backend());
    draw_initial_values(backend(), *parameters);
    adopt(context(), std::move(parameters), make_passes(backend(), metrics));
    metrics_ = std::move(metrics);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat("memory ran out while the weights of model \"", name, "\", ",
                                          parameter_bytes_, " bytes, were drawn: make its layers smaller"));
  }
  input_shape_ = input_shape;
  for_each_node(layers_, [](LayerNode& node) { node.built = true; });
}

void Model::build_if_declared() {
  if (const Shape declared = declared_input_shape(); !built() && !declared.empty()) build(declared);
}

void Model::discard_build() {
  drop_programs();
  passes_ = {};
  parameters_.reset();
  for_each_node(layers_, [](LayerNode& node) { node.built = false; });
}

void Model::lay_out_variables() {
  std::int64_t offset = 0;
  for (const bool trainable : {true, false}) {
    for_each_node(layers_, [&](LayerNode& node) {
      for (Variable& variable : node.variables) {
        if (variable.trainable != trainable) continue;
        variable.value = View::contiguous(Buffer::parameters, dtype, variable.shape, offset);
        if (trainable) variable.gradient = View::contiguous(Buffer::gradients, dtype, variable.shape, offset);
        offset += align_up(checked_bytes(variable.shape, dtype));
      }
    });
    if (trainable) trained_bytes_ = offset;
  }
  parameter_bytes_ = offset;
}

std::unique_ptr<Memory> Model::allocate_parameters(Backend& backend) const {
  std::unique_ptr<Memory> parameters =
      backend.allocate(std::max<std::size_t>(static_cast<std::size_t>(parameter_bytes_), 1));
  backend.clear(parameters->data(), parameters->bytes());
  return parameters;
}

/// From one state to the other.
std::size_t Model::Passes::stride() const {
  const auto bytes = sizeof(StepState) + sizeof(double) * static_cast<std::size_t>(counters);
  return static_cast<std::size_t>(align_up(static_cast<std::int64_t>(bytes)));
}

StepState* Model::Passes::of_mode(Mode mode) const {
  return reinterpret_cast<StepState*>(state->data() + stride() * static_cast<std::size_t>(state_of(mode)));
}

/// Step states with room for the metrics' counters, with what starts passes, so that an epoch allocates nothing.
Model::Passes Model::make_passes(Backend& backend, const std::vector<ResolvedMetric>& metrics) const {
  Passes passes;
  for (const ResolvedMetric& metric : metrics) passes.counters += metric.counters;
  passes.state = backend.allocate(passes.stride() * 2);
  backend.clear(passes.state->data(), passes.state->bytes());
  for (const Mode mode : {Mode::train, Mode::validate}) {
    const StepState initial;
    backend.upload(passes.of_mode(mode), &initial, sizeof initial);
    Bindings at;
    at.state = passes.of_mode(mode);
    passes.of[state_of(mode)].begin = backend.prepare({op::Begin{passes.counters}}, at);
  }
  for (std::unique_ptr<Reader>& reader : passes.readers)
    reader = backend.reader(sizeof(StepState) + sizeof(double) * static_cast<std::size_t>(passes.counters));
  return passes;
}

void Model::draw_initial_values(Backend& backend, const Memory& parameters) const {
  std::uint64_t number = 0;
  for (const LayerNode* node : nodes()) {
    for (const Variable& variable : node->variables) {
      const std::vector<float> values =
          variable.given.empty() ? initial_values(variable.initializer, variable.shape, seed, number)
                                 : variable.given;
      ++number;
      const Tensor tensor = Tensor(values, variable.shape).cast(dtype);
      backend.upload(parameters.data() + variable.value.offset, tensor.raw(),
                     static_cast<std::size_t>(tensor.bytes()));
    }
  }
}

/// Takes weights on `new_context`, which becomes the model's. What the backend before made goes before that backend.
void Model::adopt(const Context& new_context, std::unique_ptr<Memory> parameters, Passes passes) {
  const Context kept = new_context;  // it may be context_ itself
  drop_programs();
  if (parameters) parameters_ = std::move(parameters);
  passes_ = std::move(passes);
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

void check_precision(const Precisions& precision, DType dtype) {
  const char* const name = std::visit([](const auto& member) { return member.name; }, precision);
  GLIA_CHECK(dtype == DType::float32 || std::holds_alternative<Float32>(precision), ValueError,
             "precision \"", name, "\" is for models of float32, this one computes in ", dtype,
             ": leave .precision out");
}

}  // namespace

void Model::set_dtype(DType wanted) {
  check_precision(precision_, wanted);
  dtype = wanted;
}

void Model::compile(const CompileOptions& options) {
  expect_no_fit("compile");
  check_optimizer(options.optimizer.value());
  if (options.loss) check_options(*options.loss);
  check_precision(options.precision.value(), dtype);
  std::vector<MetricName> names = checked_metrics(options);
  if (const Shape declared = declared_input_shape(); !built() && !declared.empty()) {
    bool trained = false;
    build_layers(layers_, declared, trained);  // for what it throws; shapes only, no memory
  }
  std::vector<ResolvedMetric> metrics;
  if (built() && options.loss)
    metrics = resolve_metrics(options.loss->value(), names, options.metrics.size());
  std::optional<Context> context = options.context;
  if (!context && options.device && (!context_ || context_->device() != *options.device))
    context.emplace(ContextOptions{.device = *options.device});
  std::optional<detail::InUse::Hold> mark;
  if (context) mark.emplace(context->backend().in_use(), Backend::in_use_elsewhere);
  if (built()) {
    const Context target = context ? *context : this->context();
    std::unique_ptr<Memory> moved;
    if (&target.backend() != &backend()) {
      std::vector<std::byte> values(static_cast<std::size_t>(parameter_bytes_));
      moved = allocate_parameters(target.backend());
      backend().download(values.data(), parameters_->data(), values.size());
      target.backend().upload(moved->data(), values.data(), values.size());
    }
    adopt(target, std::move(moved), make_passes(target.backend(), metrics));
  } else if (context) {
    context_ = context;
  }
  optimizer_ = options.optimizer.value();
  loss_ = options.loss ? std::optional<Losses>(options.loss->value()) : std::nullopt;
  metric_names_ = std::move(names);
  weighted_from_ = options.metrics.size();
  metrics_ = std::move(metrics);
  precision_ = options.precision.value();
  reset_optimizer();
}

const Context& Model::context() const {
  if (!context_) context_.emplace();
  return *context_;
}

double Model::learning_rate() const {
  return std::visit(
      [this](const auto& o) { return o.learning_rate.at(o.learning_rate.is_constant() ? 0 : steps()); },
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
  if (built()) write_optimizer_state(steps(), learning_rate());
}

std::int64_t Model::steps() const {
  std::int64_t result = 0;
  if (built())
    backend().download(&result, state_address(Mode::train) + offsetof(StepState, iteration), sizeof result);
  return result;
}

std::int64_t Model::iterations() const {
  if (!compiled()) return 0;
  return steps() /
         std::visit([](const auto& o) { return std::int64_t{o.gradient_accumulation_steps}; }, *optimizer_);
}

void Model::write_optimizer_state(std::int64_t iteration, double rate) const {
  std::byte* const state = state_address(Mode::train);
  backend().upload(state + offsetof(StepState, iteration), &iteration, sizeof iteration);
  backend().upload(state + offsetof(StepState, finished), &iteration, sizeof iteration);
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

Model::Use::Use(Model& model)
    : model_(model.in_use_,
             [&model] {
               return detail::concat(
                   "model \"", model.name,
                   "\" is in use by another thread: one thread at a time may use a model; take turns with a "
                   "std::mutex, or give each thread a model of its own");
             }),
      context_(model.context_) {
  if (context_) context_mark_.emplace(context_->backend().in_use(), Backend::in_use_elsewhere);
}

void Model::expect_no_fit(const char* call) const {
  GLIA_CHECK(!fitting_, StateError, call, " was called while fit trains model \"", name,
             "\", from a callback: end the fit first, with stop_training(), or leave this to after it; "
             "evaluate, predict, train_on_batch, gradients and set_weights may be called meanwhile");
}

Model::Fit::Fit(Model& model) : model_(model) {
  model.expect_no_fit("fit");
  model.fitting_ = true;
}

Model::Interlude::Interlude(Model& model, Mode mode) : model_(model) {
  if (!model.fitting_ || !model.built()) return;
  while (!model.passes_.read_early.empty() || model.passes_.reads_taken < model.passes_.reads_started)
    reads_.push_back(model.take_state());
  model.passes_.reads_started = model.passes_.reads_taken = 0;
  if (mode != Mode::train) return;  // the other state is between two passes
  state_.resize(model.passes_.stride());
  model.backend().download(state_.data(), model.state_address(mode), state_.size());
  feed_ = model.passes_.of[state_of(mode)].feed;
}

/// A device that fails now fails at the fit's next step, too, and is reported there.
Model::Interlude::~Interlude() {
  if (!model_.fitting_) return;
  Passes& passes = model_.passes_;
  passes.reads_started = passes.reads_taken = 0;
  passes.read_early = std::move(reads_);
  if (state_.empty()) return;
  try {
    // All but what counts updates: those of the interlude were made.
    std::byte* const at = model_.state_address(Mode::train);
    constexpr std::size_t counts = offsetof(StepState, iteration);
    constexpr std::size_t behind = offsetof(StepState, learning_rate) + sizeof(StepState::learning_rate);
    model_.backend().upload(at, state_.data(), counts);
    model_.backend().upload(at + behind, state_.data() + behind, state_.size() - behind);
    passes.of[state_of(Mode::train)].feed = feed_;
  } catch (const Error&) {
    passes.of[state_of(Mode::train)].feed.reset();
  }
}

void Model::begin_pass(Mode mode, const Feed& feed) {
  Passes::OfState& pass = passes_.of[state_of(mode)];
  if (pass.feed != feed) upload_feed(mode, feed);
  pass.begin->run(1);
  pass.feed->pass += 1;  // as the device does
  passes_.reads_started = passes_.reads_taken = 0;
  passes_.read_early.clear();
}

void Model::continue_pass(Mode mode, const Feed& feed) { upload_feed(mode, feed); }

void Model::request_state(Mode mode) {
  passes_.readers[passes_.reads_started++ % max_reads]->start(state_address(mode));
}

/// Where each metric keeps its numbers. "accuracy" is resolved by shape, as in Keras.
std::vector<ResolvedMetric> Model::resolve_metrics(const Losses& loss, const std::vector<MetricName>& names,
                                                   std::size_t weighted_from) const {
  const bool sparse = std::visit([](const auto& l) { return l.targets; }, loss) == Targets::sparse_labels;
  const std::int64_t columns = output_shape().back();
  const Metrics accuracy = sparse         ? Metrics(SparseCategoricalAccuracy{})
                           : columns == 1 ? Metrics(BinaryAccuracy{})
                                          : Metrics(CategoricalAccuracy{});
  std::vector<ResolvedMetric> metrics;
  int row_totals = 0;
  std::int64_t counters = 0;
  for (const MetricName& name : names) {
    ResolvedMetric metric{name.name(), name.metric().value_or(accuracy), metrics.size() >= weighted_from, {}};
    std::visit(
        [&](const auto& m) {
          if constexpr (requires { m.class_id; })
            GLIA_CHECK(m.class_id >= all_classes && m.class_id < columns, ValueError, "metric \"",
                       metric.name, "\" got class_id ", m.class_id, ", expected 0 to ", columns - 1,
                       ", or -1 for all");
        },
        metric.metric);
    metric.row = row_metric(metric.metric);
    if (metric.row) {
      metric.row_total = row_totals++;
    } else {
      metric.first_counter = counters;
      counters += metric.counters = counter_count(metric.metric, columns);
    }
    metrics.push_back(metric);
  }
  for (ResolvedMetric& metric : metrics)
    if (metric.row && metric.weighted) metric.weight_total = row_totals;
  return metrics;
}

PassState Model::take_state() {
  if (!passes_.read_early.empty()) {
    PassState pass = std::move(passes_.read_early.front());
    passes_.read_early.erase(passes_.read_early.begin());
    return pass;
  }
  const std::byte* const read = passes_.readers[passes_.reads_taken++ % max_reads]->wait();
  PassState pass{{}, std::vector<double>(static_cast<std::size_t>(passes_.counters))};
  std::memcpy(&pass.state, read, sizeof pass.state);
  if (!pass.counters.empty())
    std::memcpy(pass.counters.data(), read + sizeof pass.state, pass.counters.size() * sizeof(double));
  return pass;
}

std::vector<std::string> Model::metric_names() const {
  std::vector<std::string> names;
  for (const MetricName& metric : metric_names_) names.push_back(metric.name());
  return names;
}

std::vector<std::string> Model::rising_metrics() const {
  std::vector<std::string> names;
  for (const MetricName& metric : metric_names_)
    if (!metric.metric() || greater_is_better(name_of(*metric.metric()))) names.push_back(metric.name());
  return names;  // one without an object is "accuracy"
}

namespace {

/// Without the signs that print as "-0" (of cosines) and "-nan" (of 0 / 0 on x86).
double without_odd_sign(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value == 0 ? 0 : value;
}

}  // namespace

Logs Model::logs(const PassState& pass) const {
  const StepState& state = pass.state;
  const double rows = state.rows > 0 ? static_cast<double>(state.rows) : 1;
  std::vector<std::pair<std::string, double>> values{{"loss", state.loss / rows}};
  for (const ResolvedMetric& metric : metrics_) {
    if (!metric.row) {
      values.emplace_back(metric.name, result_of(metric.metric, pass.counters.data() + metric.first_counter,
                                                 output_shape().back()));
      continue;
    }
    const double counted = metric.weight_total < 0 ? rows : state.metrics[metric.weight_total];
    values.emplace_back(metric.name, counted == 0 ? 0 : state.metrics[metric.row_total] / counted);
  }
  for (auto& [name, value] : values) value = without_odd_sign(value);
  return Logs(std::move(values));
}

std::string Model::metric_that_counts_classes() const {
  for (const ResolvedMetric& metric : metrics_)
    if (std::holds_alternative<ConfusionMatrix>(metric.metric)) return metric.name;
  return {};
}

std::vector<double> Model::counters(const PassState& pass, const std::string& name) const {
  for (const ResolvedMetric& metric : metrics_)
    if (metric.name == name)
      return {pass.counters.begin() + metric.first_counter,
              pass.counters.begin() + metric.first_counter + metric.counters};
  return {};
}

namespace {

/// Rows of n numbers that training keeps beside the parameters, in the order of their places in the slots' buffer.
struct KeptRows {
  int slots, accumulated, averaged;
  int count() const { return slots + accumulated + averaged; }
};

KeptRows kept_rows(const Optimizers& optimizer) {
  return std::visit(
      [](const auto& o) {
        return KeptRows{o.slots(), o.gradient_accumulation_steps > 1, o.use_ema};
      },
      optimizer);
}

}  // namespace

/// Row `row` of a buffer that has a number for each trained weight.
View Model::trained(Buffer buffer, std::int64_t row) const {
  return View::contiguous(buffer, dtype, {trained_bytes_ / size_of(dtype)}, row * trained_bytes_);
}

void Model::ensure_training_memory() {
  if (gradients_) return;
  Backend& b = backend();
  const std::size_t bytes = std::max<std::size_t>(static_cast<std::size_t>(trained_bytes_), 1);
  const int rows = kept_rows(*optimizer_).count();
  std::unique_ptr<Memory> gradients = b.allocate(bytes);
  if (rows > 0) {
    std::unique_ptr<Memory> memory = b.allocate(bytes * static_cast<std::size_t>(rows));
    b.clear(memory->data(), memory->bytes());
    const double first = std::visit([](const auto& o) { return first_slot_of(o); }, *optimizer_);
    if (first != 0) {
      const Tensor values = Tensor::full({trained_bytes_ / size_of(dtype)}, first, dtype);
      b.upload(memory->data(), values.raw(), static_cast<std::size_t>(values.bytes()));
    }
    slots_ = std::move(memory);
  }
  b.clear(gradients->data(), gradients->bytes());  // the gaps between variables are optimised along
  gradients_ = std::move(gradients);
}

void Model::take_averages() {
  const KeptRows kept = kept_rows(*optimizer_);
  if (!kept.averaged || !gradients_ || steps() == 0) return;
  const op::Map copy{Linear{}, trained(Buffer::slots, kept.slots + kept.accumulated),
                     trained(Buffer::parameters)};
  backend().prepare({copy}, bindings(Mode::train))->run(1);
  backend().synchronize();
}

std::vector<const LayerNode*> Model::nodes() const {
  std::vector<const LayerNode*> result;
  for_each_node(layers_, [&](const LayerNode& node) { result.push_back(&node); });
  return result;
}

std::vector<Tensor> Model::read_buffer(Buffer buffer, const std::vector<const LayerNode*>& nodes) const {
  const Bindings at = bindings(Mode::train);
  std::vector<Tensor> result;
  for (const LayerNode* node : nodes) {
    for (const Variable& variable : node->variables) {
      const View& view = buffer == Buffer::gradients ? variable.gradient : variable.value;
      if (!view) continue;
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

std::int64_t Model::trained_parameter_count() const {
  std::int64_t count = 0;
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables)
      if (variable.trainable) count += variable.shape.elements();
  return count;
}

std::int64_t Model::optimizer_parameter_count() const {
  if (!gradients_ || !compiled()) return -1;
  return kept_rows(*optimizer_).count() * trained_parameter_count() + 2;
}

Bindings Model::bindings(Mode mode) const {
  Bindings result;
  result.state = passes_.of_mode(mode);
  const auto bind = [&result](Buffer buffer, const std::unique_ptr<Memory>& memory) {
    if (memory) result.base[static_cast<std::size_t>(buffer)] = memory->data();
  };
  bind(Buffer::parameters, parameters_);
  bind(Buffer::gradients, gradients_);
  bind(Buffer::slots, slots_);
  if (arena_) result.base[static_cast<std::size_t>(Buffer::arena)] = arena_->data();
  return result;
}

}  // namespace glia
