// CustomLayer: a layer of the application's own, with bodies for the CPU and for CUDA that it writes itself. For a loss see
// glia/custom_loss.h; glia::testing::check_gradients (glia/testing.h) tells whether a backward body is right.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_calls.h>  // defines: CpuForward, CpuBackward, CudaForward, CudaBackward
#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// A weight of a layer.
struct CustomVariable {
  std::string name;
  Shape shape;
  InitializerName initializer = "glorot_uniform";
  RegularizerName regularizer = "none";
  ConstraintName constraint = "none";
  bool trainable = true;  ///< false for what only set_weights changes
};

/// What a backward body reads of what its forward body was given and wrote. What it does not read need not be kept.
struct BackwardNeeds {
  bool inputs = true;
  bool outputs = true;
};

/// What a layer was made of, for files: numbers and words by their names.
struct LayerConfig {
  std::map<std::string, double> numbers = {};
  std::map<std::string, std::string> words = {};

  /// Throw ValueError where there is none of that name.
  double number(const std::string& name) const;
  const std::string& word(const std::string& name) const;
};

/// The base of a layer of the application's own. The class says shapes and variables; its bodies are functions forward and
/// backward, one for each device that it is to run on, which are found by their arguments:
///
///     class LearnedSwish : public glia::CustomLayer {  // y = x sigmoid(b x), b learned
///      public:
///       std::string type() const override { return "LearnedSwish"; }
///       std::vector<glia::CustomVariable> variables(const std::vector<glia::Shape>&) const override {
///         return {{"slope", {1}, "ones"}};
///       }
///       template <class T>  // float, and double for gradient checks; or plain functions for float alone
///       void forward(const glia::CpuForward<T>& call) const {
///         const auto x = call.input();
///         const auto y = call.output();
///         const T b = call.variable()[0];
///         for (std::int64_t i = 0; i < x.size(); ++i) y[i] = x[i] / (1 + std::exp(-b * x[i]));
///       }
///       template <class T>
///       void backward(const glia::CpuBackward<T>& call) const { ... call.input_gradient() ... }
///       void forward(const glia::CudaForward& call) const;  // launches kernels on call.stream()
///       void backward(const glia::CudaBackward& call) const;
///     };
///
///     glia::Layer swish = glia::make_layer<LearnedSwish>();
///     glia::Sequential model{glia::Dense(32), swish, glia::Dense(10)};
///
/// All are const and public: one layer may be applied several times, in several models, and keeps nothing of a call. A device
/// without a forward body is refused where a model is built for it, one without a backward body where it is to train; DeviceErrors
/// both. Inputs and outputs are float32, whatever the precision of products is; on the CPU float64 in a model of that dtype.
///
/// Bodies are called by the thread that fits or predicts. What a body throws reaches the caller of fit or predict, and the model
/// may be used as before; an update that was broken off is not made.
class CustomLayer {
 public:
  virtual ~CustomLayer() = default;

  /// The class, for summary() and names: "LearnedSwish".
  virtual std::string type() const = 0;
  /// Of one row of each output, for rows of these inputs. Unless overridden: one output, shaped as the one input. To throw
  /// ShapeError for inputs that it cannot take.
  virtual std::vector<Shape> output_shapes(const std::vector<Shape>& inputs) const {
    GLIA_CHECK(inputs.size() == 1, ShapeError, type(), " takes one input, got ", inputs.size());
    return inputs;
  }
  /// The weights, for rows of these inputs; none unless overridden.
  virtual std::vector<CustomVariable> variables(const std::vector<Shape>&) const { return {}; }
  /// Of tensors that the forward body writes for the backward body, and of those that either works in. Here `batches` are the
  /// inputs' shapes with the rows in front, and what is returned is whole shapes. None unless overridden.
  virtual std::vector<Shape> saved(const std::vector<Shape>& batches) const {
    static_cast<void>(batches);
    return {};
  }
  virtual std::vector<Shape> scratch(const std::vector<Shape>& batches) const {
    static_cast<void>(batches);
    return {};
  }
  virtual BackwardNeeds backward_needs() const { return {}; }
  /// What a file of a model keeps of the layer beside its weights, for the function that register_layer is given. Nothing unless
  /// overridden.
  virtual LayerConfig config() const { return {}; }

 protected:
  CustomLayer() = default;
  CustomLayer(const CustomLayer&) = default;
  CustomLayer& operator=(const CustomLayer&) = default;
};

/// What every layer is given.
struct CustomLayerOptions {
  std::string name = {};
  Shape input_shape = {};  ///< of one row; see Layer
  bool trainable = true;   ///< as set_trainable
};

namespace detail {

struct CustomLayerClass {
  CustomFunctions<CustomLayer> forward, backward;
  std::shared_ptr<const CustomLayer> (*copy)(const CustomLayer& own) = nullptr;  ///< null: cannot be copied
};

template <class Own, class Call>
CustomFunction<CustomLayer> forward_of() {
  if constexpr (requires(const Own& own, const Call& call) { own.forward(call); })
    return [](const CustomLayer& own, const CustomCall& call) {
      static_cast<const Own&>(own).forward(Call(call));
    };
  return nullptr;
}
template <class Own, class Call>
CustomFunction<CustomLayer> backward_of() {
  if constexpr (requires(const Own& own, const Call& call) { own.backward(call); })
    return [](const CustomLayer& own, const CustomCall& call) {
      static_cast<const Own&>(own).backward(Call(call));
    };
  return nullptr;
}

template <class Own>
CustomLayerClass layer_class() {
  CustomLayerClass all;
  all.forward = {forward_of<Own, CpuForward<float>>(), forward_of<Own, CpuForward<double>>(),
                 forward_of<Own, CudaForward>()};
  all.backward = {backward_of<Own, CpuBackward<float>>(), backward_of<Own, CpuBackward<double>>(),
                  backward_of<Own, CudaBackward>()};
  if constexpr (std::is_copy_constructible_v<Own>)
    all.copy = [](const CustomLayer& own) -> std::shared_ptr<const CustomLayer> {
      return std::make_shared<const Own>(static_cast<const Own&>(own));
    };
  return all;
}

Layer make_layer(std::shared_ptr<const CustomLayer> own, const CustomLayerClass& of_class,
                 const CustomLayerOptions& options);

}  // namespace detail

/// A layer of the class, whose constructor gets the arguments: make_layer<LearnedSwish>({.name = "swish"}, 0.5). clone_model copies
/// the object by its copy constructor, and throws StateError where it has none. Throws ValueError for a class without a forward
/// body, or with an empty type(); ShapeError for an input_shape with dimensions below 1.
template <class Own, class... Arguments>
Layer make_layer(const CustomLayerOptions& options, Arguments&&... arguments) {
  static_assert(std::is_base_of_v<CustomLayer, Own>, "a layer of the application's own is a CustomLayer");
  return detail::make_layer(std::make_shared<const Own>(std::forward<Arguments>(arguments)...),
                            detail::layer_class<Own>(), options);
}
template <class Own, class... Arguments>
requires std::is_constructible_v<Own, Arguments...> Layer make_layer(Arguments&&... arguments) {
  return make_layer<Own>(CustomLayerOptions{}, std::forward<Arguments>(arguments)...);
}

/// Says how layers of a class are made when a model is read that has them: by its type(), from what its config() gave. Name,
/// input_shape and trainable are set afterwards. A later call replaces an earlier one. Any thread may call it.
///
///     glia::register_layer("LearnedSwish", [](const glia::LayerConfig&) { return glia::make_layer<LearnedSwish>(); });
void register_layer(const std::string& type, Layer (*make)(const LayerConfig& config));

}  // namespace glia
