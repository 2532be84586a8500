// Layers: handles that models and their user share. Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/named.h>  // defines: ActivationName, InitializerName
#include <glia/shape.h>
#include <glia/symbol.h>
#include <glia/tensor.h>

#include <cmath>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace GLIA_API glia {

class LayerNode;  // what a layer does when a model is built; host/layers/layer_node.h
class Model;

/// Base of all layers: a handle, so that a layer kept in a variable is the one in the model. In several models, or applied
/// several times, it has the same weights everywhere. The first model that is built with it makes and draws them, on its
/// device and by its seed.
///
/// `input_shape` among a layer's options is the shape of one row that it takes. A Sequential whose first layer says it can be
/// built before it sees data; what any other layer says is only compared with the rows that it gets, a ShapeError where they
/// differ.
///
///     glia::Dense hidden(128, "relu");
///     glia::Sequential model{hidden, glia::Dense(10, "softmax")};
///     ... fit ...
///     std::vector<glia::Tensor> kernel_and_bias = hidden.get_weights();
class Layer {
 public:
  explicit Layer(std::shared_ptr<LayerNode> node) : node_(std::move(node)) {}
  /// A model as a layer of another, on the same weights.
  explicit Layer(const Model& model);

  /// The layer applied to these symbols: its output, which joins a graph when a Model is made of it. Throws ShapeError for
  /// inputs that it cannot take, StateError for a layer of several outputs: apply() gives them all.
  Symbol operator()(const Symbols& inputs) const;
  std::vector<Symbol> apply(const Symbols& inputs) const;
  /// What it was applied to, and what it gave, in its only application, or in the one of this number. Throws StateError
  /// where there is none, or several and none is named.
  Symbol input() const;
  Symbol output() const;
  Symbol output(int application) const;

  /// Whether its weights, and those of layers within it, are trained: by models compiled from now on. A batch
  /// normalisation that is not normalises by its moving averages while others train, as in Keras.
  void set_trainable(bool trainable);
  bool trainable() const;

  /// The name given. Of a layer that was given none: empty until a model has it, then the class's in snake case with that
  /// model's counter ("dense", "dense_1"). In a further model where that is taken it goes by another, which summary() and
  /// weight_names() say.
  const std::string& name() const;
  /// "Dense".
  std::string type() const;
  /// Number of parameters. This and the functions below build the model where that is still to be done and one of its
  /// layers says the input's shape; else they throw StateError before the layer is built.
  std::int64_t count_params() const;
  /// Shape of one row of its first output, as of its first application: where it was also applied to rows of other sizes, the
  /// symbols that it gave know theirs.
  Shape output_shape() const;
  /// Copies of the weights, in the layer's order (kernel (in, out), bias (out,)), on the CPU. Synchronises their
  /// device.
  TensorList get_weights() const;
  /// Sets them; throws ShapeError where number or shapes differ from get_weights()'s, and changes nothing
  /// then.
  void set_weights(const std::vector<Tensor>& weights);
  void set_weights(std::initializer_list<TensorView> weights);  ///< set_weights({kernel, bias})

  LayerNode& node() const { return *node_; }
  const std::shared_ptr<LayerNode>& shared_node() const { return node_; }

 private:
  std::shared_ptr<LayerNode> node_;
};

/// What stands for an activation: "relu", a std::string, glia::LeakyRelu{0.1}, an ActivationName.
template <class Argument>
concept ActivationLike = std::is_convertible_v<const Argument&, ActivationName>;

namespace detail {
/// A layer's options with this activation, whatever they say of it: Conv2D(32, 3, "relu", {.padding = "same"}).
template <class Options>
Options with_activation(Options options, const ActivationName& activation) {
  options.activation = activation;
  return options;
}
}  // namespace detail

struct DenseOptions {
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName kernel_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";  ///< along the first axis: the weights into each unit
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< of one row; see Layer
  int input_dim = 0;       ///< Keras 2's short form of input_shape = {input_dim}
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// y = activation(x kernel + bias) along the last axis: (..., in) -> (..., units). kernel (in, units), bias
/// (units,). Throws ValueError where units < 1, ShapeError for an input without a last axis of fixed length.
class Dense : public Layer {
 public:
  explicit Dense(int units, const DenseOptions& options = {});
  Dense(int units, const ActivationLike auto& activation, const DenseOptions& options = {})
      : Dense(units, detail::with_activation(options, activation)) {}
};

/// (a, b, ...) -> (a * b * ...,) for each row; no arithmetic. `input_shape` as of Layer.
class Flatten : public Layer {
 public:
  explicit Flatten(const Shape& input_shape = {}, const std::string& name = {});
};

/// An activation as a layer of its own. `input_shape` as of Layer.
class Activation : public Layer {
 public:
  explicit Activation(const ActivationName& function, const Shape& input_shape = {},
                      const std::string& name = {});
};

struct ReLUOptions {
  double max_value = HUGE_VAL;
  double negative_slope = 0;
  double threshold = 0;
  std::string name = {};
};

/// max_value from there on, x from threshold on, below it negative_slope * (x - threshold). Throws ValueError for
/// options below 0.
class ReLU : public Layer {
 public:
  explicit ReLU(const ReLUOptions& options = {});
};

/// x above 0, else negative_slope x; Keras's layer has 0.3 where its function has 0.2.
class LeakyReLU : public Layer {
 public:
  explicit LeakyReLU(double negative_slope = 0.3, const std::string& name = {});
};

/// x above 0, else alpha (e^x - 1).
class ELU : public Layer {
 public:
  explicit ELU(double alpha = 1, const std::string& name = {});
};

struct PReLUOptions {
  InitializerName alpha_initializer = "zeros";
  RegularizerName alpha_regularizer = "none";
  ConstraintName alpha_constraint = "none";
  bool trainable = true;  ///< as set_trainable
  std::string name = {};
};

/// x above 0, else alpha x, alpha (the row's shape) learned (He et al. 2015).
class PReLU : public Layer {
 public:
  explicit PReLU(const PReLUOptions& options = {});
};

/// While training, zeroes each element with probability `rate` and divides the others by 1 - rate; else does
/// nothing. The draws follow the model's seed, the update's number and the layer's place, the same on every
/// device. Throws ValueError for a rate outside [0, 1).
class Dropout : public Layer {
 public:
  explicit Dropout(double rate, const std::string& name = {});
};

/// While training, adds normal noise of deviation `stddev`. Throws ValueError for one below 0.
class GaussianNoise : public Layer {
 public:
  explicit GaussianNoise(double stddev, const std::string& name = {});
};

/// While training, multiplies by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)). Throws ValueError
/// for a rate outside [0, 1).
class GaussianDropout : public Layer {
 public:
  explicit GaussianDropout(double rate, const std::string& name = {});
};

/// Dropout for selu: dropped elements become selu's least value, and mean and variance stay (Klambauer et al.
/// 2017). Throws ValueError for a rate outside [0, 1).
class AlphaDropout : public Layer {
 public:
  explicit AlphaDropout(double rate, const std::string& name = {});
};

struct BatchNormalizationOptions {
  double momentum = 0.99;  ///< of the moving mean and variance
  double epsilon = 1e-3;
  bool center = true;  ///< learn beta
  bool scale = true;   ///< learn gamma
  InitializerName beta_initializer = "zeros";
  InitializerName gamma_initializer = "ones";
  InitializerName moving_mean_initializer = "zeros";
  InitializerName moving_variance_initializer = "ones";
  RegularizerName beta_regularizer = "none";
  RegularizerName gamma_regularizer = "none";
  ConstraintName beta_constraint = "none";
  ConstraintName gamma_constraint = "none";
  bool trainable = true;  ///< as set_trainable
  std::string name = {};
};

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta of each feature (the last axis): by the batch while training,
/// by moving averages else. Masked steps (docs/sequences.md) have no say in the batch's mean and variance. Weights: gamma,
/// beta, moving_mean, moving_variance; the last two are not trained. Throws ShapeError where rows have more axes between the
/// mask's and the features.
class BatchNormalization : public Layer {
 public:
  explicit BatchNormalization(const BatchNormalizationOptions& options = {});
};

struct LayerNormalizationOptions {
  std::vector<int> axis = {-1};  ///< as Keras counts them: 1 is the first of a row, -1 the last
  double epsilon = 1e-3;
  bool center = true;  ///< learn beta
  bool scale = true;   ///< learn gamma
  InitializerName beta_initializer = "zeros";
  InitializerName gamma_initializer = "ones";
  bool trainable = true;  ///< as set_trainable
  std::string name = {};
};

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta within each row, over the last axis or the axes that are named: gamma and beta
/// have their shape. Throws ValueError for axes that there are not, or that are named twice.
class LayerNormalization : public Layer {
 public:
  explicit LayerNormalization(const LayerNormalizationOptions& options = {});
};

/// x / sqrt(mean x^2 + epsilon) * scale within each row, along the last axis.
class RMSNormalization : public Layer {
 public:
  explicit RMSNormalization(double epsilon = 1e-6, const std::string& name = {});
};

/// Rows of another shape with as many elements; one dimension may be -1. Throws ShapeError where they do not fit.
class Reshape : public Layer {
 public:
  explicit Reshape(const Shape& target_shape, const std::string& name = {});
};

/// x * scale + offset: Rescaling(1.0 / 255).
class Rescaling : public Layer {
 public:
  explicit Rescaling(double scale, double offset = 0, const std::string& name = {});
};

struct NormalizationOptions {
  std::vector<double> mean = {};      ///< one for each feature, or one for all
  std::vector<double> variance = {};  ///< likewise; given along with the mean
  std::string name = {};
};

/// (x - mean) / deviation of each feature (the last axis), as adapt() measured them or as given:
///
///     glia::Normalization normalization;
///     normalization.adapt(x_train);
///     glia::Sequential model{normalization, glia::Dense(1)};
///
///     glia::Normalization cifar({.mean = {0.491, 0.482, 0.447}, .variance = {0.061, 0.059, 0.068}});
///
/// Weights: mean, variance; not trained.
class Normalization : public Layer {
 public:
  /// Throws ValueError where only one of the two is given, where they are not as many, or not finite, or where a
  /// variance is below 0; when built ShapeError for another number of features.
  explicit Normalization(const NormalizationOptions& options = {});
  /// A template, since g++ 12 takes the braces of options for a string's.
  template <class Name, std::enable_if_t<std::is_convertible_v<Name, std::string>, int> = 0>
  explicit Normalization(const Name& name) : Normalization(NormalizationOptions{.name = name}) {}
  /// Measures mean and variance of data (rows, ..., features) on the CPU. In a model that is built, sets its
  /// weights. Throws ShapeError for data without a last axis or of another number of features, ValueError for none,
  /// StateError where mean and variance were given.
  void adapt(const TensorView& data);
};

struct EmbeddingOptions {
  InitializerName embeddings_initializer = "uniform";
  RegularizerName embeddings_regularizer = "none";
  ConstraintName embeddings_constraint = "none";
  bool mask_zero = false;  ///< the number 0 is padding: its steps are masked, as those of Masking are
  int input_length = 0;    ///< of one row; see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// Rows of a table (input_dim, output_dim), one for each whole number of the input: (n,) -> (n, output_dim). A number
/// outside 0 .. input_dim - 1 gives NaN. Only before layers that are trained, since there is no gradient for numbers.
/// Throws ValueError for dimensions below 1.
class Embedding : public Layer {
 public:
  Embedding(int input_dim, int output_dim, const EmbeddingOptions& options = {});
};

/// Says the shape of one input row; computes nothing and is not listed in a Sequential's summary(). Alone, it is an input
/// of a graph: `glia::Symbol x = glia::Input({28, 28, 1})`.
class Input : public Layer {
 public:
  explicit Input(const Shape& shape, const std::string& name = {});
  operator Symbol() const;
};

}  // namespace glia
