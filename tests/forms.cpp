// Forms in which the Functional API may be written, and memory of others given. It is only compiled, by the build's compiler
// and by clang++ where there is one: overloads that one of them finds ambiguous, or takes otherwise, show here.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace glia::test {

Sequential make_chain() { return Sequential{Dense(2)}; }

void graphs(const Tensor& images, const Tensor& labels, const Tensor& parity) {
  glia::Symbol x = glia::Input({28, 28, 1});
  glia::Symbol y = glia::Conv2D(32, 3, "relu")(x);
  glia::Symbol a = glia::Flatten()(y), b = glia::GlobalAveragePooling2D()(y);
  glia::Model model({x}, {glia::Dense(10, "softmax", {.name = "digit"})(glia::concatenate({a, b})),
                          glia::Dense(1, "sigmoid", {.name = "even"})(a)});
  model.compile({.optimizer = "adam",
                 .loss = {{"digit", "sparse_categorical_crossentropy"}, {"even", "binary_crossentropy"}},
                 .metrics = {{"digit", "accuracy"}},
                 .loss_weights = {{"even", 0.2}}});
  model.fit({images}, {{"digit", labels}, {"even", parity}}, {.epochs = 3});
}

void compiled() {
  Sequential m{make_chain()};
  m.compile({.loss = "mse"});
  m.compile({.loss = "mse", .metrics = "accuracy"});
  m.compile({.loss = MeanSquaredError{}, .metrics = {"accuracy", AUC{}, {"pr", AUC{.curve = AUCCurve::PR}}}});
  m.compile({.loss = std::string("mse"), .metrics = {"mae"}, .weighted_metrics = {"accuracy"}});
  m.compile({.loss = LossName("mse"), .metrics = {std::string("accuracy")}});
  m.compile({.loss = {{"a", MeanSquaredError{}}},
             .metrics = {{"a", AUC{}}, {"a", {"accuracy", "mae"}}, {"b", {"mae"}}}});
}

struct OwnLayer : CustomLayer {
  explicit OwnLayer(double factor = 1) : factor(factor) {}
  std::string type() const override { return "OwnLayer"; }
  template <class T>
  void forward(const CpuForward<T>& call) const {
    for (const T& x : call.input()) call.output()[0] = x * static_cast<T>(factor);
  }
  template <class T>
  void backward(const CpuBackward<T>& call) const {
    if (const auto dx = call.input_gradient()) dx[0] = call.output_gradient()[0];
  }
  void forward(const CudaForward& call) const { static_cast<void>(call.stream()); }
  double factor;
};
struct OwnLoss : CustomLoss {
  std::string type() const override { return "own"; }
  template <class T>
  void loss(const CpuLoss<T>& call) const {
    call.losses()[0] = call.predictions()[0] - call.targets()[0];
  }
};

void of_ones_own() {
  Layer layer = make_layer<OwnLayer>(), half = make_layer<OwnLayer>(0.5);
  Sequential m{layer, half, make_layer<OwnLayer>({.name = "own", .input_shape = {3}}, 2), Dense(1)};
  m.compile({.loss = OwnLoss()});
  m.compile({.loss = OwnLoss{}, .metrics = "mae"});
  m.compile({.loss = {{"a", OwnLoss()}, {"b", "mse"}, {"c", Huber{.delta = 2}}}});
  const LossName loss = OwnLoss();
  m.compile({.loss = loss});
  if (testing::check_gradients(layer, {{5}}) && testing::check_gradients(OwnLoss(), {5}, {.batch = 2}))
    testing::check_gradients("mse", {5}, {.device = "cuda"});
}

void data(const Tensor& images, const Tensor& labels, const Tensor& w) {
  Sequential m{make_chain()};
  m.fit(images, labels);
  m.fit(images, labels, {.epochs = 2, .validation_data = {images, labels}, .sample_weight = w});
  m.fit(images, labels, {.validation_data = {images, labels, w}});
  m.fit({images}, {labels});
  m.fit({{"x", images}}, {{"y", labels}},
        {.validation_data = {{{"x", images}}, {{"y", labels}}}, .sample_weight = {{"y", w}}});
  Dataset d;
  m.fit(d, {.validation_data = d});
  m.evaluate(d);
  m.evaluate(images, labels, {.verbose = 0});
  m.predict(images);
  m.predict({{10}});
  m.predict({{1, 2}, {3, 4}});
  m.predict({images, images});
  m.predict(TensorView(images));
  m(images);
  m.predict_all({images});
  const Tensor by_name = m.predict_all({images})["digit"], by_place = m.predict_all({images})[0].tensor;
  m.predict_all({{"x", images}});
  m.train_on_batch(images, labels);
  m.gradients(images, labels);
}

void memory_of_others(std::vector<float>& numbers, float* device_pointer, DLManagedTensorVersioned* managed,
                      DLManagedTensor* older, const Tensor& y) {
  Sequential m{make_chain()};
  m.predict(TensorView::of(std::span(numbers), {10, 4}));
  m.predict(TensorView::of(numbers.data(), {10, 4}));
  m.predict(TensorView::of(device_pointer, {10, 4}, "cuda"));
  m.predict(TensorView::of(device_pointer, {10, 4}, Device::cuda(1)), {.verbose = 0});
  m.predict(MutableTensorView::of(device_pointer, {10, 4}, "cuda:1"));
  m.predict({TensorView::of(device_pointer, {10, 4}), MutableTensorView::of(std::span(numbers))});
  m.fit(MutableTensorView::of(std::span(numbers), {10, 4}), y);
  ImportedTensor x = from_dlpack(managed), other = from_dlpack(older, {.copy = true});
  m.fit(x, y);
  m.fit({{"x", x}}, {{"y", from_dlpack(older)}});
  m.fit({x, other}, {y}, {.validation_data = {x, y}});
  m.predict(x);
  m.predict(from_dlpack(managed));
  m.predict_all({from_dlpack(managed), y});
  m.set_weights({x, y});
  const Tensors kept = from_dlpack(managed);
  managed = to_dlpack(m.predict(x));
  older = to_dlpack_legacy(m.predict(x));
  const auto shared = std::make_shared<Tensor>(y.clone());
  managed = to_dlpack(*shared, shared);
  managed = to_dlpack(x, std::make_shared<ImportedTensor>(std::move(other)));
}

void symbols(const Symbol& x, const Symbol& y, const Symbol& a, const Symbol& b) {
  Model one(x, y), two({x}, {y}), three({x}, {y, a}, {.name = "three"});
  Symbol of_one = one(x), as_layer = glia::Layer(one)(x), of_two = two({x});
  Sequential with{Layer(one), Dense(2)};
  Symbol f = 0.5 * glia::sum(glia::square(x) + glia::exp(x) - x - 1.0) / 2.0;
  Symbol g = glia::Add()({x, x}), h = glia::add({x, x}), i = Dot({.axes = {1, 1}})({a, a}),
         j = Dot(1)({a, a}), k = Concatenate()({a, b}), l = Concatenate(1)({a, b});
  Symbol given = glia::Dense(2)(glia::Input({3})), named = glia::Input({3}, "named");
  Model({given}, {given});
}

}  // namespace glia::test
