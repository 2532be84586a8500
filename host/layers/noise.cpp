// Layers that act while a model trains: Dropout and its kin.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <glia/math/noise.h>
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/noise.h>
#include <host/layers/windows.h>  // defines: expect_image

#include <algorithm>
#include <cmath>

namespace glia {
namespace {

class NoiseNode final : public SimpleLayer {
 public:
  /// Which does nothing where its number, its rate or deviation, is 0.
  NoiseNode(const char* type, const Noises& function, double number, bool whole_channels = false)
      : type_(type), function_(function), number_(number), whole_channels_(whole_channels) {}

  const char* type() const override { return type_; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override {
    config.field(std::holds_alternative<AdditiveNoise>(function_) ? "stddev" : "rate", number_);
  }
  Shape shape_for(const Shape& input_shape) const override {
    if (whole_channels_) expect_image(*this, input_shape);
    return input_shape;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    if (!e.trains() || !(number_ > 0))
      return {x, [](Emitter&, const View& gradient, bool) { return gradient; }};
    op::Noise noise{function_, x, e.temporary(x.shape), e.noise_seed(), false};
    if (whole_channels_) {
      noise.channels = x.shape.back();
      noise.positions = x.shape[1] * x.shape[2];
    }
    e.add(noise);
    return {noise.out, [noise](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              op::Noise back = noise;
              back.in = gradient, back.out = e.temporary(gradient.shape), back.backward = true;
              e.add(back);
              return back.out;
            }};
  }

 private:
  const char* type_;
  Noises function_;
  double number_;
  bool whole_channels_;
};

std::shared_ptr<LayerNode> noise_layer(const char* type, const Noises& function, double number,
                                       const std::string& name, bool whole_channels = false) {
  auto node = make_node<NoiseNode>(type, function, number, whole_channels);
  node->name = name;
  return node;
}

/// The 32-bit numbers below it are `rate` of all.
std::uint32_t share_of_words(double rate) {
  return static_cast<std::uint32_t>(std::min(std::llround(rate * 0x1p32), 0xffffffffLL));
}

/// a x + b gives x its mean and variance back (0 and 1) after a share `rate` of it became selu's least value.
AlphaDropoutNoise alpha_dropout(double rate) {
  const double least = -Selu::alpha * Selu::scale;
  const double a = 1 / std::sqrt((1 - rate) * (1 + rate * least * least));
  return {share_of_words(rate), a, -a * least * rate, least};
}

template <class Of>
Layer read_noise(Config& config, const char* name) {
  double number = 0;
  config.needed(name, number);
  return Of(number);
}

constexpr LayerClass classes[] = {
    {"Dropout", [](Config& config) { return read_noise<Dropout>(config, "rate"); }},
    {"SpatialDropout2D", [](Config& config) { return read_noise<SpatialDropout2D>(config, "rate"); }},
    {"GaussianNoise", [](Config& config) { return read_noise<GaussianNoise>(config, "stddev"); }},
    {"GaussianDropout", [](Config& config) { return read_noise<GaussianDropout>(config, "rate"); }},
    {"AlphaDropout", [](Config& config) { return read_noise<AlphaDropout>(config, "rate"); }},
};

}  // namespace

LayerClasses noise_classes() { return classes; }

double checked_rate(const char* what, double rate, const char* name) {
  GLIA_CHECK(rate >= 0 && rate < 1, ValueError, what, " got ", name, " ", rate,
             ", expected the share of elements to drop, at least 0 and below 1");
  return rate;
}

DropoutNoise dropout_noise(double rate) { return {share_of_words(rate), 1 / (1 - rate)}; }

Dropout::Dropout(double rate, const std::string& name)
    : Layer(noise_layer("Dropout", dropout_noise(checked_rate("Dropout", rate)), rate, name)) {}

SpatialDropout2D::SpatialDropout2D(double rate, const std::string& name)
    : Layer(noise_layer("SpatialDropout2D", dropout_noise(checked_rate("SpatialDropout2D", rate)), rate, name,
                        true)) {}

GaussianNoise::GaussianNoise(double stddev, const std::string& name)
    : Layer(noise_layer("GaussianNoise", AdditiveNoise{stddev}, stddev, name)) {
  GLIA_CHECK(stddev >= 0 && std::isfinite(stddev), ValueError, "GaussianNoise got stddev ", stddev,
             ", expected a finite number of at least 0");
}

GaussianDropout::GaussianDropout(double rate, const std::string& name)
    : Layer(noise_layer("GaussianDropout",
                        MultiplicativeNoise{std::sqrt(checked_rate("GaussianDropout", rate) / (1 - rate))},
                        rate, name)) {}

AlphaDropout::AlphaDropout(double rate, const std::string& name)
    : Layer(noise_layer("AlphaDropout", alpha_dropout(checked_rate("AlphaDropout", rate)), rate, name)) {}

}  // namespace glia
