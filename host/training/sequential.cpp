// Sequential: the public face of a Model and its loops.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <host/base/escaped.h>
#include <host/io/safetensors.h>
#include <host/model/model.h>
#include <host/model/summary.h>
#include <host/training/training.h>

#include <iostream>
#include <map>
#include <utility>

namespace glia {

struct Sequential::State {
  std::shared_ptr<Model> model = std::make_shared<Model>();
  std::int64_t trained_epochs = 0;

  explicit State(const Sequential* owner) { model->owner = owner; }

  /// The model, built where a layer says the input's shape.
  Model& built_model(const char* call) {
    model->build_if_declared();
    GLIA_CHECK(
        model->built(), StateError, call,
        " needs a built model: give the first layer an input_shape, call build, or fit or predict first");
    return *model;
  }
};

/// The state of a Sequential, in use by the calling thread alone. It holds it: a callback may destroy the Sequential.
class Sequential::Using {
 public:
  /// Throws StateError for one that was moved from, and where another thread uses it.
  explicit Using(const Sequential& model) : state_(model.state_), use_(model_of(state_)) {}
  State* operator->() const { return state_.get(); }

 private:
  static Model& model_of(const std::shared_ptr<State>& state) {
    GLIA_CHECK(state, StateError, "this Sequential was moved from: use the one it was moved to");
    return *state->model;
  }

  std::shared_ptr<State> state_;
  Model::Use use_;
};

namespace {

/// ".safetensors" goes to a file name without extension. Throws FileError where there is no name: with it, a folder would
/// become a hidden file.
std::string with_extension(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  GLIA_CHECK(!name.empty() && name != "." && name != "..", FileError, "weights got ",
             path.empty() ? "an empty path" : "'" + path + "', which names a folder",
             ", expected the path of a file, such as '", path, path.empty() || name.empty() ? "" : "/",
             "model.safetensors'");
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && dot > 0 ? path : path + ".safetensors";
}

std::string names_in(const std::vector<io::NamedTensor>& tensors) {
  std::string names = tensors.empty() ? "it has none" : "it has ";
  for (std::size_t i = 0; i < tensors.size() && i < 12; ++i)
    names += (i ? ", " : "") + detail::escaped(tensors[i].name);
  return names + (tensors.size() > 12 ? ", ..." : "");
}

}  // namespace

Sequential::Sequential() : state_(std::make_shared<State>(this)) {}
Sequential::Sequential(std::initializer_list<Layer> layers) : Sequential(std::vector<Layer>(layers)) {}
Sequential::Sequential(const std::vector<Layer>& layers) : Sequential() {
  for (const Layer& layer : layers) add(layer);
}
Sequential::Sequential(Sequential&& other) noexcept : state_(std::move(other.state_)) {
  if (state_) state_->model->owner = this;
}

Sequential& Sequential::operator=(Sequential&& other) {
  if (this == &other) return *this;
  for (const Sequential* model : {this, &other}) {
    if (!model->state_) continue;
    const Using use(*model);
    use->model->expect_no_fit("an assignment of models");
  }
  if (state_) state_->model->owner = nullptr;
  state_ = std::move(other.state_);
  if (state_) state_->model->owner = this;
  return *this;
}

Sequential::~Sequential() {
  if (state_) state_->model->owner = nullptr;
}

void Sequential::add(const Layer& layer) {
  const Using use(*this);
  use->model->add(layer);
}

void Sequential::set_seed(std::uint64_t seed) {
  const Using use(*this);
  GLIA_CHECK(!built(), StateError,
             "set_seed came after the initial weights were drawn: call it right after making the model");
  use->model->seed = seed;
}

void Sequential::set_dtype(DType dtype) {
  const Using use(*this);
  GLIA_CHECK(!built(), StateError,
             "set_dtype came after the weights were made: call it right after making the model");
  GLIA_CHECK(
      is_floating(dtype), ValueError, "a model cannot compute in ", dtype,
      ", expected float32 or float64; products in bfloat16 are .precision = \"mixed_bfloat16\" at compile");
  use->model->set_dtype(dtype);
}

void Sequential::build(const Shape& input_shape) {
  const Using use(*this);
  GLIA_CHECK(!built() || use->model->input_shape() == input_shape, StateError,
             "the model is built for rows of shape ", use->model->input_shape(), " already, got ",
             input_shape, ": make a new model");
  for (std::int64_t dimension : input_shape)
    GLIA_CHECK(dimension >= 1, ShapeError, "build got rows of shape ", input_shape,
               ", expected dimensions of at least 1");
  GLIA_CHECK(!input_shape.empty(), ShapeError,
             "build got the shape (), expected that of one row, such as (784,)");
  if (!built()) use->model->build(input_shape);
}

bool Sequential::built() const {
  const Using use(*this);
  return use->model->built();
}

void Sequential::compile(const CompileOptions& options) {
  const Using use(*this);
  use->model->compile(options);
}

History Sequential::fit(const TensorView& x, const TensorView& y, const FitOptions& options) {
  const Using use(*this);
  return training::fit(*this, *use->model, x, y, options, use->trained_epochs);
}
History Sequential::fit(const Dataset& data, const FitOptions& options) {
  if (data.sample_weight.empty() || options.sample_weight) return fit(data.x, data.y, options);
  FitOptions weighted = options;
  weighted.sample_weight = data.sample_weight;
  return fit(data.x, data.y, weighted);
}
History Sequential::fit(BatchSource& source, const FitOptions& options) {
  const Using use(*this);
  return training::fit(*this, *use->model, source, options, use->trained_epochs);
}

void Sequential::stop_training() {
  GLIA_CHECK(state_, StateError, "this Sequential was moved from: use the one it was moved to");
  state_->model->stop_training = true;
}

Logs Sequential::evaluate(const TensorView& x, const TensorView& y, const EvaluateOptions& options) {
  const Using use(*this);
  return training::evaluate(*use->model, x, y, options);
}
namespace {

/// The options with the data set's weights, unless others are given.
EvaluateOptions with_weights(const Dataset& data, EvaluateOptions options) {
  if (!data.sample_weight.empty() && !options.sample_weight) options.sample_weight = data.sample_weight;
  return options;
}

}  // namespace

Logs Sequential::evaluate(const Dataset& data, const EvaluateOptions& options) {
  return evaluate(data.x, data.y, with_weights(data, options));
}

Tensor Sequential::confusion_matrix(const TensorView& x, const TensorView& y,
                                    const EvaluateOptions& options) {
  const Using use(*this);
  return training::confusion_matrix(*use->model, x, y, options);
}
Tensor Sequential::confusion_matrix(const Dataset& data, const EvaluateOptions& options) {
  return confusion_matrix(data.x, data.y, with_weights(data, options));
}

Tensor Sequential::predict(const TensorView& x, const PredictOptions& options) {
  const Using use(*this);
  return training::predict(*use->model, x, options);
}
Tensor Sequential::predict(const Tensor& x, const PredictOptions& options) {
  return predict(TensorView(x), options);
}

Logs Sequential::train_on_batch(const TensorView& x, const TensorView& y) {
  const Using use(*this);
  return training::train_on_batch(*use->model, x, y);
}
Gradients Sequential::gradients(const TensorView& x, const TensorView& y) {
  const Using use(*this);
  return training::gradients(*use->model, x, y);
}

std::vector<std::string> Sequential::metrics_names() const {
  const Using use(*this);
  return training::metrics_names(*use->model);
}

void Sequential::summary() const { summary(std::cout); }

void Sequential::summary(std::ostream& out) const {
  const Using use(*this);
  Model& model = *use->model;
  model.build_if_declared();
  std::vector<SummaryRow> rows;
  for (const Layer& layer : model.layers()) {
    const LayerNode& node = layer.node();
    if (!node.is_listed()) continue;
    rows.push_back(
        {node.name, node.type(), node.output_shape, model.built(), model.built() ? layer.count_params() : 0});
  }
  const std::int64_t trained = model.built() ? model.trained_parameter_count() : 0;
  print_summary(out, model.name, rows, trained, model.built() ? model.parameter_count() - trained : 0,
                model.optimizer_parameter_count(), model.dtype);
}

std::vector<Layer> Sequential::layers() const {
  const Using use(*this);
  std::vector<Layer> listed;
  for (const Layer& layer : use->model->layers())
    if (layer.node().is_listed()) listed.push_back(layer);
  return listed;
}

Layer Sequential::layer(int index) const {
  const std::vector<Layer> all = layers();
  const int count = static_cast<int>(all.size());
  const int position = index < 0 ? index + count : index;
  GLIA_CHECK(position >= 0 && position < count, ValueError, "there is no layer ", index, ": the model has ",
             count, ", numbered from 0");
  return all[static_cast<std::size_t>(position)];
}

Layer Sequential::layer(const std::string& name) const {
  std::vector<std::string> names;
  for (const Layer& layer : layers()) {
    if (layer.name() == name) return layer;
    names.push_back(layer.name());
  }
  throw ValueError(detail::unknown_name("layer", name, names));
}

const std::string& Sequential::name() const {
  const Using use(*this);
  return use->model->name;
}
void Sequential::set_name(const std::string& name) {
  const Using use(*this);
  use->model->name = name;
}
std::int64_t Sequential::count_params() const {
  const Using use(*this);
  return use->built_model("count_params").parameter_count();
}

TensorList Sequential::get_weights() const {
  const Using use(*this);
  Model& model = use->built_model("get_weights");
  return model.read(model.nodes());
}

void Sequential::set_weights(const std::vector<Tensor>& weights) {
  const Using use(*this);
  Model& model = use->built_model("set_weights");
  model.write(model.nodes(), {weights.begin(), weights.end()});
}
void Sequential::set_weights(std::initializer_list<TensorView> weights) {
  const Using use(*this);
  Model& model = use->built_model("set_weights");
  model.write(model.nodes(), weights);
}

void Sequential::save_weights(const std::string& path) const {
  const Using use(*this);
  Model& model = use->built_model("save_weights");
  const std::vector<std::string> names = model.weight_names();
  const std::vector<Tensor> weights = model.read(model.nodes());
  std::vector<io::NamedView> named;
  for (std::size_t i = 0; i < weights.size(); ++i) named.push_back({names[i], weights[i]});
  io::save_safetensors(with_extension(path), named, {{"format", "glia"}});
}

void Sequential::load_weights(const std::string& path) {
  const Using use(*this);
  Model& model = use->built_model("load_weights");
  const std::string file = with_extension(path);
  const std::vector<io::NamedTensor> loaded = io::load_safetensors(file);
  std::map<std::string, const Tensor*> by_name;
  for (const io::NamedTensor& weight : loaded) by_name[weight.name] = &weight.tensor;
  std::vector<TensorView> values;
  const std::vector<std::string> names = model.weight_names();
  for (const std::string& name : names) {
    const auto found = by_name.find(name);
    GLIA_CHECK(found != by_name.end(), ShapeError, file, " has no weight \"", name, "\"; ", names_in(loaded),
               ": load it into a model with the layers it was saved from");
    values.push_back(*found->second);
  }
  GLIA_CHECK(loaded.size() == names.size(), ShapeError, file, " has ", loaded.size(), " weights, the model ",
             names.size(), "; ", names_in(loaded),
             ": load it into a model with the layers it was saved from");
  model.write(model.nodes(), values);
}

double Sequential::learning_rate() const {
  const Using use(*this);
  GLIA_CHECK(use->model->compiled(), StateError, "learning_rate needs a compiled model: call compile first");
  return use->model->learning_rate();
}
void Sequential::set_learning_rate(const LearningRate& learning_rate) {
  const Using use(*this);
  GLIA_CHECK(use->model->compiled(), StateError,
             "set_learning_rate needs a compiled model: call compile first");
  use->model->set_learning_rate(learning_rate);
}
std::int64_t Sequential::iterations() const {
  const Using use(*this);
  return use->model->iterations();
}

const Program& Sequential::program(Mode mode, std::int64_t batch_size) {
  const Using use(*this);
  GLIA_CHECK(batch_size >= 1, ValueError, "got batch size ", batch_size, ", expected at least 1");
  Model& model = use->built_model("program");
  GLIA_CHECK(mode == Mode::infer || model.has_loss(), StateError,
             "a program that computes a loss needs one: call compile first");
  return *model.program({mode, batch_size, DType::float32, DType::float32});
}

std::string Sequential::explain(std::int64_t batch_size) {
  return program(Mode::train, batch_size).explain();
}

Context Sequential::context() const {
  const Using use(*this);
  return use->model->context();
}

}  // namespace glia
