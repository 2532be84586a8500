// Model: the public face of a Core and its loops. Its files are in model_files.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <glia/model.h>
#include <host/data/checks.h>  // defines: check_compiled
#include <host/model/core.h>
#include <host/model/predictor_engine.h>
#include <host/model/summary.h>
#include <host/training/learner_engine.h>
#include <host/training/training.h>
#include <host/training/using.h>

#include <algorithm>
#include <iostream>
#include <utility>

namespace glia {

Model::Model() : core_(std::make_shared<Core>()) {
  core_->network().name = "sequential", core_->owner = this;
}

Model::Model(const Symbols& inputs, const Symbols& outputs, const ModelOptions& options) : Model() {
  Network& network = core_->network();
  network.is_named = !options.name.empty();
  network.name = network.is_named ? options.name : "functional";
  network.connect(inputs, outputs, core_);
}

Model::Model(Model&& other) noexcept : core_(std::move(other.core_)) {
  if (core_) core_->owner = this;
}

Model& Model::operator=(Model&& other) {
  if (this == &other) return *this;
  for (const Model* model : {this, &other}) {
    if (!model->core_) continue;
    const Using core(model->core_);
    core->expect_no_run("an assignment of models");
  }
  if (core_) core_->owner = nullptr;
  core_ = std::move(other.core_);
  if (core_) core_->owner = this;
  return *this;
}

Model::~Model() {
  if (core_) core_->owner = nullptr;
}

Layer::Layer(const Model& model) : Layer(Using(model.core_)->network().as_layer().shared_node()) {}

Symbol Model::operator()(const Symbol& input) const { return Layer(*this)(input); }
Symbol Model::operator()(std::initializer_list<Symbol> inputs) const { return Layer(*this)(inputs); }

std::vector<Symbol> Model::inputs() const {
  const Using core(core_);
  return core.known("inputs").network().inputs();
}
std::vector<Symbol> Model::outputs() const {
  const Using core(core_);
  return core.known("outputs").network().outputs();
}
std::vector<std::string> Model::input_names() const {
  const Using core(core_);
  return core.known("input_names").network().input_names();
}
std::vector<std::string> Model::output_names() const {
  const Using core(core_);
  return core->network().output_names();
}

void Model::set_seed(std::uint64_t seed) {
  const Using core(core_);
  GLIA_CHECK(!core->built(), StateError,
             "set_seed came after the initial weights were drawn: call it right after making the model");
  core->seed = seed;
}

void Model::set_dtype(DType dtype) {
  const Using core(core_);
  GLIA_CHECK(!core->built(), StateError,
             "set_dtype came after the weights were made: call it right after making the model");
  GLIA_CHECK(
      is_floating(dtype), ValueError, "a model cannot compute in ", dtype,
      ", expected float32 or float64; products in bfloat16 are .precision = \"mixed_bfloat16\" at compile");
  core->set_dtype(dtype);
}

bool Model::built() const { return Using(core_)->built(); }

void Model::add_loss(const Symbol& value) {
  const Using core(core_);
  GLIA_CHECK(!core->compiled() && !core->built(), StateError, "add_loss came after model \"",
             core->network().name, "\" was compiled or built: call it right after making the model");
  core->network().add_loss(value, core->weak_from_this());
}

void Model::compile(const CompileOptions& options) { Using(core_)->compile(options); }

History Model::fit(const Tensors& x, const Tensors& y, const FitOptions& options) {
  const Using core(core_);
  return training::fit(*this, *core, x, y, options);
}
History Model::fit(const Dataset& data, const FitOptions& options) {
  if (!data.weights() || options.sample_weight) return fit(data.inputs(), data.targets(), options);
  FitOptions weighted = options;
  weighted.sample_weight = data.weights();
  return fit(data.inputs(), data.targets(), weighted);
}
History Model::fit(BatchSource& source, const FitOptions& options) {
  const Using core(core_);
  return training::fit(*this, *core, source, options);
}

void Model::stop_training() { expect_there(core_).stop_training = true; }

Logs Model::evaluate(const Tensors& x, const Tensors& y, const EvaluateOptions& options) {
  const Using core(core_);
  return training::evaluate(*this, *core, x, y, options);
}

namespace {

/// The options with the data set's weights, unless others are given.
EvaluateOptions with_weights(const Dataset& data, EvaluateOptions options) {
  if (!options.sample_weight) options.sample_weight = data.weights();
  return options;
}

}  // namespace

Logs Model::evaluate(const Dataset& data, const EvaluateOptions& options) {
  return evaluate(data.inputs(), data.targets(), with_weights(data, options));
}

Tensor Model::confusion_matrix(const Tensors& x, const Tensors& y, const EvaluateOptions& options) {
  const Using core(core_);
  return training::confusion_matrix(*this, *core, x, y, options);
}
Tensor Model::confusion_matrix(const Dataset& data, const EvaluateOptions& options) {
  return confusion_matrix(data.inputs(), data.targets(), with_weights(data, options));
}

NamedTensors Model::predict_all(const Tensors& x, const PredictOptions& options) {
  const Using core(core_);
  return training::predict(*this, *core, x, options);
}
Tensor Model::predict(const Tensors& x, const PredictOptions& options) {
  const Using core(core_);
  GLIA_CHECK(core->network().output_count() == 1, StateError,
             "predict gives the output of a model that has one, this one has ",
             core->network().output_count(), ": predict_all gives them all");
  return std::move(training::predict(*this, *core, x, options)[0].tensor);
}
Tensor Model::predict(const TensorView& x, const PredictOptions& options) {
  return predict(Tensors(x), options);
}
Tensor Model::predict(const Tensor& x, const PredictOptions& options) { return predict(Tensors(x), options); }

Logs Model::train_on_batch(const Tensors& x, const Tensors& y, const Tensors& sample_weight) {
  const Using core(core_);
  return training::run_on_batch(*core, Mode::train, x, y, sample_weight, "train_on_batch");
}
Logs Model::test_on_batch(const Tensors& x, const Tensors& y, const Tensors& sample_weight) {
  const Using core(core_);
  return training::run_on_batch(*core, Mode::validate, x, y, sample_weight, "test_on_batch");
}
Tensor Model::predict_on_batch(const Tensors& x) {
  const std::int64_t rows = x ? std::max<std::int64_t>(x[0].view.rows(), 1) : 1;
  return predict(x, {.batch_size = rows, .verbose = 0});
}
Predictor Model::predictor(const PredictorOptions& options) const {
  const Using core(core_);
  const Core& built = core.built("predictor");
  built.backend().synchronize();  // what was last written to the weights is there
  return Predictor(std::make_unique<Predictor::Engine>(built, options));
}
Learner Model::learner() {
  const Using core(core_);
  return Learner(std::make_unique<Learner::Engine>(core_));
}
Gradients Model::gradients(const Tensors& x, const Tensors& y, const GradientOptions& options) {
  const Using core(core_);
  Gradients result;
  result.loss = training::run_on_batch(*core, Mode::gradient, x, y, options.sample_weight, "gradients",
                                       options.inputs ? &result.inputs : nullptr)["loss"];
  result.weights = core->trainer().gradients(core->backend());
  return result;
}
Logs Model::backward(const Tensors& x, const Tensors& y, const Tensors& sample_weight) {
  const Using core(core_);
  Logs logs = training::run_on_batch(*core, Mode::gradient, x, y, sample_weight, "backward");
  core->keep_gradients();
  return logs;
}
void Model::apply_gradients() {
  const Using core(core_);
  check_compiled(*core, "apply_gradients");
  core->apply_gradients();
}
void Model::apply_gradients(const std::vector<Tensor>& gradients) {
  const Using core(core_);
  check_compiled(core.built("apply_gradients"), "apply_gradients");
  core->set_gradients(gradients);
  core->apply_gradients();
}

std::vector<std::string> Model::metrics_names() const {
  const Using core(core_);
  return core->compiled() ? core->trainer().names() : std::vector<std::string>();
}

void Model::summary() const { summary(std::cout); }
void Model::summary(std::ostream& out) const {
  const Using core(core_);
  core->build_if_known();
  print_summary(out, summary_of(*core));
}

std::vector<Layer> Model::layers() const {
  const Using core(core_);
  std::vector<Layer> listed;
  for (const Layer& layer : core->network().layers())
    if (layer.node().is_listed() || !core->network().is_chain()) listed.push_back(layer);
  return listed;
}

Layer Model::layer(int index) const {
  const std::vector<Layer> all = layers();
  const int count = static_cast<int>(all.size());
  const int position = index < 0 ? index + count : index;
  GLIA_CHECK(position >= 0 && position < count, ValueError, "there is no layer ", index, ": the model has ",
             count, ", numbered from 0");
  return all[static_cast<std::size_t>(position)];
}

Layer Model::layer(const std::string& name) const {
  const Using core(core_);
  std::vector<std::string> names;
  for (const Layer& layer : layers()) {
    names.push_back(core->network().name_of(layer.node()));
    if (names.back() == name) return layer;
  }
  throw ValueError(detail::unknown_name("layer", name, names));
}

const std::string& Model::name() const { return Using(core_)->network().name; }
void Model::set_name(const std::string& name) {
  const Using core(core_);
  core->network().set_name(name);
}
void Model::set_trainable(bool trainable) {
  const Using core(core_);
  core->network().set_trainable(trainable);
}
std::int64_t Model::count_params() const {
  const Using core(core_);
  return core.built("count_params").weights().count();
}

TensorList Model::get_weights() const {
  const Using core(core_);
  return core.built("get_weights").weights().values();
}
void Model::set_weights(const std::vector<Tensor>& weights) {
  const Using core(core_);
  core.built("set_weights").weights().set({weights.begin(), weights.end()});
}
void Model::set_weights(std::initializer_list<TensorView> weights) {
  const Using core(core_);
  core.built("set_weights").weights().set(weights);
}
void Model::reset_states() {
  const Using core(core_);
  core.built("reset_states").weights().reset_states();
}
std::vector<std::string> Model::weight_names() const {
  const Using core(core_);
  return core.built("weight_names").weights().names();
}

double Model::learning_rate() const {
  const Using core(core_);
  GLIA_CHECK(core->compiled(), StateError, "learning_rate needs a compiled model: call compile first");
  return core->trainer().learning_rate(core->steps());
}
void Model::set_learning_rate(const LearningRate& learning_rate) {
  const Using core(core_);
  GLIA_CHECK(core->compiled(), StateError, "set_learning_rate needs a compiled model: call compile first");
  core->set_learning_rate(learning_rate);
}
std::int64_t Model::iterations() const {
  const Using core(core_);
  return core->compiled() ? core->steps() / core->trainer().steps_of_an_update() : 0;
}

const Program& Model::program(Mode mode, std::int64_t batch_size) {
  const Using core(core_);
  GLIA_CHECK(batch_size >= 1, ValueError, "got batch size ", batch_size, ", expected at least 1");
  Core& built = core.built("program");
  GLIA_CHECK(mode == Mode::infer || (built.compiled() && built.trainer().has_loss()), StateError,
             "a program that computes a loss needs one: call compile first");
  return *built.program(plain_key(built.parts(), mode, batch_size));
}

std::string Model::explain(std::int64_t batch_size) { return program(Mode::train, batch_size).explain(); }

Model clone_model(const Model& model) {
  const Using core(model.core_);
  Model copy;
  copy_into(copy.core_, *core);
  return copy;
}

Context Model::context() const { return Using(core_)->context(); }

}  // namespace glia
