// Model: layers that are compiled, trained, evaluated and asked, as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/compile.h>
#include <glia/context.h>
#include <glia/fit.h>
#include <glia/history.h>  // defines: History, Logs
#include <glia/layers.h>
#include <glia/learner.h>
#include <glia/macros.h>
#include <glia/predictor.h>  // defines: Predictor, PredictorOptions
#include <glia/program.h>    // defines: Program, Mode
#include <glia/saving.h>
#include <glia/symbol.h>
#include <glia/tensors.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace GLIA_API glia {

class Core;

struct ModelOptions {
  std::string name = {};
};

/// A graph of layers, between symbols; Sequential is the one that is a chain.
///
///     glia::Symbol x = glia::Input({28, 28, 1});
///     glia::Symbol y = glia::Conv2D(32, 3, {.activation = "relu"})(x);
///     glia::Symbol a = glia::Flatten()(y), b = glia::GlobalAveragePooling2D()(y);
///     glia::Model model({x}, {glia::Dense(10, "softmax")(glia::concatenate({a, b}))});
///     model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
///     glia::History history = model.fit(train, {.epochs = 5, .validation_split = 0.2});
///
/// Shapes are (rows, ...): the first dimension of every tensor counts rows. All calls are synchronous: they
/// return when the device is done. Programs are built, and device memory allocated, at the first call for a
/// batch size; a step allocates nothing of Glia's. Bad input throws ShapeError, ValueError or StateError before any
/// weight changes. One thread at a time may use a model, and the models that share its context: another gets a StateError,
/// but for stop_training(), which any may call.
class Model {
 public:
  /// The graph between these symbols. Its layers keep their weights, whatever models they are in; those that have none get
  /// them when this model is first used. Throws ValueError where an output depends on an input that is not given, an input is
  /// read by no output, a symbol is given twice, or two layers have been given one name.
  Model(const Symbols& inputs, const Symbols& outputs, const ModelOptions& options = {});
  Model(Model&&) noexcept;
  /// Throws StateError where a fit of either is running, which a callback would end so, and where another thread uses it.
  Model& operator=(Model&&);
  ~Model();

  /// Governs the initial weights that this model makes (a layer that another model built keeps its own), the shuffle, and what
  /// layers draw while it trains; default 0. Throws StateError once the model is built.
  void set_seed(std::uint64_t seed);
  /// float32 (default) or float64 (CPU only, plain loops, for checks). Throws StateError once the model is
  /// built, ValueError for others and where compile's precision is for float32.
  void set_dtype(DType dtype);
  /// Whether its shapes are known and its weights made.
  bool built() const;

  /// The model applied to symbols, as a layer of another graph, on the same weights: its output. A model of several outputs
  /// throws StateError: Layer(model).apply() gives them all.
  Symbol operator()(const Symbol& input) const;
  Symbol operator()(std::initializer_list<Symbol> inputs) const;
  /// Its inputs and outputs, and those in the middle by layer(name).output(): what a model of a part of this one, on the same
  /// weights, is made of. Throws StateError where the shape of the input is not known.
  std::vector<Symbol> inputs() const;
  std::vector<Symbol> outputs() const;
  /// Of its inputs and outputs, as fit and evaluate take them: the names of their layers.
  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;

  /// Adds the mean of a value's elements to the loss: a symbol that is made of the model's inputs, such as a penalty on what a
  /// layer gives. Weights of rows do not count there. Throws StateError for a Sequential and once the model is compiled or built,
  /// ValueError for a value of inputs that the model does not have, ShapeError for one that cannot be. A model within another does not bring its added losses along.
  void add_loss(const Symbol& value);

  /// Sets optimizer, loss, metrics and device; resets the optimizer's state, keeps weights. Throws ValueError for
  /// options that cannot be, StateError in a callback of a fit, DeviceError where the device asked for cannot be had,
  /// ShapeError where the first layer says its input shape and a later one does not fit; nothing changes then. Weights go along to
  /// another device; StateError where another model computes with them too: compile that with the same context first.
  void compile(const CompileOptions& options);

  /// Trains. y: labels (rows,) or (rows, 1) of any dtype for sparse losses, else (rows, ...) as the output; a
  /// last dimension of 1 may be missing or extra. Throws StateError before compile, ShapeError and ValueError for
  /// data that do not fit the model, labels outside its classes among them, and for options that cannot be. A fit within a
  /// fit, from a callback, is a StateError too; so is a model that a callback destroys or moves, which ends its fit.
  /// Several inputs and targets are given by position or by name. An output without a loss takes no target.
  History fit(const Tensors& x, const Tensors& y, const FitOptions& options = {});
  History fit(const Dataset& data, const FitOptions& options = {});
  /// batch_size is the source's; validation_split is not possible.
  History fit(BatchSource& source, const FitOptions& options = {});

  /// Loss and metrics over all rows, each a mean. Shapes and errors as fit's.
  Logs evaluate(const Tensors& x, const Tensors& y, const EvaluateOptions& options = {});
  Logs evaluate(const Dataset& data, const EvaluateOptions& options = {});

  /// How many rows of each true class (first index) were predicted as each class (second), counted on the device:
  /// int64 (classes, classes); one output is two classes, told apart at 0.5, or at 0 where the loss takes logits or
  /// is a hinge. Throws StateError where compile's
  /// metrics have no "confusion_matrix". Shapes and other errors as fit's.
  Tensor confusion_matrix(const Tensors& x, const Tensors& y, const EvaluateOptions& options = {});
  Tensor confusion_matrix(const Dataset& data, const EvaluateOptions& options = {});

  /// The outputs, (rows, ...), in a new tensor where x lives. Needs no compile. Throws ShapeError for rows of
  /// another shape than the model's, StateError for a model of several outputs: predict_all gives them all.
  Tensor predict(const TensorView& x, const PredictOptions& options = {});
  Tensor predict(const Tensor& x, const PredictOptions& options = {});
  Tensor predict(const Tensors& x, const PredictOptions& options = {});
  /// All outputs, with their names: predict_all(x)["digit"].
  NamedTensors predict_all(const Tensors& x, const PredictOptions& options = {});
  /// model(x): the same, silent.
  Tensor operator()(const Tensor& x) { return predict(x, {.verbose = 0}); }

  /// Ends a fit that is running, for callbacks and other threads: after the launch it is in (the batch, where a callback
  /// watches_batches()); the epoch's validation, on_epoch_end and on_train_end still come.
  void stop_training();

  /// One update on all of x as one batch; returns loss and metrics of that batch. Shapes, weights of rows and errors as
  /// fit's.
  Logs train_on_batch(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {});
  /// Loss and metrics of one batch, without an update.
  Logs test_on_batch(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {});
  /// The outputs for one batch.
  Tensor predict_on_batch(const Tensors& x);
  /// Inference on an application's streams and in its memory, on the device where the weights are. Allocates what its calls need,
  /// and synchronises. Throws StateError where the shapes of the inputs are not known, ValueError for options that cannot be,
  /// OutOfMemoryError.
  Predictor predictor(const PredictorOptions& options = {}) const;
  /// Training on an application's streams and on rows in its memory. Neither synchronises nor allocates.
  Learner learner();
  /// The loss of one batch and its gradients, as tensors on the CPU, without an update.
  Gradients gradients(const Tensors& x, const Tensors& y, const GradientOptions& options = {});
  /// A training step in two halves, between which nothing leaves the device: backward() computes the gradients of one batch and
  /// returns its loss and metrics, apply_gradients() updates by them, once. Given gradients, in the order of
  /// gradients().weights, on the CPU or of the model's dtype on its device, are taken in their place. Throws StateError where none were computed since the last update
  /// or the model is not compiled, ShapeError for other shapes, DeviceError for tensors elsewhere.
  ///
  ///     for (const Batch& batch : batches) {
  ///       model.backward(batch.x, batch.y);
  ///       model.apply_gradients();
  ///     }
  Logs backward(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {});
  void apply_gradients();
  void apply_gradients(const std::vector<Tensor>& gradients);

  /// {"loss", "accuracy"}, in compile's order.
  std::vector<std::string> metrics_names() const;
  /// Keras's table, to stdout or `out`.
  void summary() const;
  void summary(std::ostream& out) const;

  /// Handles of the layers; a Sequential's Input is not among them.
  std::vector<Layer> layers() const;
  /// By position (negative from the end) or name; throws ValueError where there is none.
  Layer layer(int index) const;
  Layer layer(const std::string& name) const;
  /// The same, as Keras calls it.
  Layer get_layer(const std::string& name) const { return layer(name); }
  const std::string& name() const;
  void set_name(const std::string& name);
  /// Whether its layers are trained, by models compiled from now on: Layer::set_trainable of each.
  void set_trainable(bool trainable);
  /// Number of weights; throws StateError where the input's shape is not known.
  std::int64_t count_params() const;

  /// Copies of all weights in the order of the layers, on the CPU. Throws StateError where the input's shape is not
  /// known; so do the functions below.
  TensorList get_weights() const;
  /// Throws ShapeError where number or shapes differ; nothing changes then.
  void set_weights(const std::vector<Tensor>& weights);
  void set_weights(std::initializer_list<TensorView> weights);  ///< set_weights({kernel, bias})
  /// Makes the states of stateful layers (RecurrentOptions::stateful) zeros, with which a series begins; nothing where there are
  /// none. Throws StateError where the input's shape is not known. Synchronises.
  void reset_states();
  /// Writes a safetensors file, whole or not at all; ".safetensors" is added to a name without extension.
  /// Names are "dense/kernel", "dense/bias"; of a model within it "block/dense/kernel". Synchronises. Throws FileError, for a path that names no file ("", "folder/") too.
  void save_weights(const std::string& path, const SaveWeightsOptions& options = {}) const;
  /// By names or by order, from what save_weights or save wrote, or another program. Throws FileError for a file that is not
  /// safetensors, ShapeError for weights that do not fit and are not to be passed over; nothing changes then.
  LoadedWeights load_weights(const std::string& path, const LoadWeightsOptions& options = {});

  /// Writes the whole model into one safetensors file, whole or not at all: its layers, its weights under the names of save_weights,
  /// what compile was told, how far training and the fit's callbacks came. ".safetensors" is added to a name without extension. In a
  /// callback it writes the model as it is after the steps so far. Synchronises. Throws ValueError for a Lambda, and for a loss of the
  /// application's own unless the optimizer is left out; FileError.
  ///
  ///     model.save("fashion.safetensors");
  ///     glia::Model again = glia::load_model("fashion.safetensors");
  void save(const std::string& path, const SaveOptions& options = {}) const;
  /// The number of epochs that the last fit came to, counted from its initial_epoch: what the next fit's initial_epoch is to be, so
  /// that it goes on. A loaded model has that of the saved one.
  int epoch() const;
  /// The names of the classes that labels stand for, which files keep; none unless set.
  const std::vector<std::string>& class_names() const;
  void set_class_names(const std::vector<std::string>& names);

  /// The model in words, as JSON with Keras's names: its layers, what they were made of and are applied to, its seed and dtype;
  /// not its weights, nor what compile was told. Neither synchronises nor allocates on a device. Throws ValueError for a Lambda, which
  /// only its own code says.
  std::string to_json() const;
  /// The model that such words say, not built; a layer of the application's own is made by what register_layer was told
  /// (glia/custom_layer.h). Neither synchronises nor allocates on a device. Throws ValueError, and ShapeError, for words that say
  /// none.
  static Model from_json(const std::string& json);

  /// "dense/kernel", one for each of get_weights().
  std::vector<std::string> weight_names() const;

  /// Of compile's optimizer, at the next batch, to the bit as the step uses it; set_learning_rate replaces number or
  /// schedule. Throws StateError before compile.
  double learning_rate() const;
  void set_learning_rate(const LearningRate& learning_rate);
  /// Updates made since compile: with gradient_accumulation_steps one for every so many batches, as in Keras.
  std::int64_t iterations() const;

  /// The Program for a mode and batch size, built if need be: what explain() prints and tests read. Training
  /// and validation need compile. Valid until the model is compiled again, a learning-rate
  /// schedule is set or replaced, or sixteen others were built since. Data are taken to be float32.
  const Program& program(Mode mode, std::int64_t batch_size);
  /// The Ops of a training step: shapes, what was fused, algorithms, memory.
  std::string explain(std::int64_t batch_size = 32);
  /// The device in use; made, automatic, on first use.
  Context context() const;

 protected:
  /// A chain to which layers are added.
  Model();
  const std::shared_ptr<Core>& core() const { return core_; }

 private:
  friend class Layer;
  friend class Profiler;
  friend void plot_model(const Model& model, const std::string& path);
  friend Model clone_model(const Model& model);
  friend Model load_model(const std::string& path, const LoadOptions& options);
  std::shared_ptr<Core> core_;
};

/// The model that save wrote, on a device, with its weights, compiled where it was, and as far trained: a fit that goes on from its
/// epoch() gives the bits that an uninterrupted one would have given, callbacks of Glia's included where save was called among
/// them, behind the others. Allocates and synchronises. Throws FileError for a file that is missing, damaged, of another kind, or
/// of a later format, that has a layer which nobody registered (glia/custom_layer.h), or whose parts do not go together;
/// OutOfMemoryError, DeviceError.
Model load_model(const std::string& path, const LoadOptions& options = {});

/// A new model of layers that say the same, with the same names, seed and dtype, not compiled; its weights are drawn anew when it is
/// first used. Layers that are shared within the model are within the copy, too. Neither synchronises nor allocates on a device.
/// Throws StateError for a model that was moved from, or that another thread uses.
Model clone_model(const Model& model);

/// Draws the model for people, as an SVG file: boxes of layers with their shapes, arrows, models within it in frames. Throws
/// StateError where its shapes are not known, FileError where the file cannot be written.
void plot_model(const Model& model, const std::string& path);

}  // namespace glia
