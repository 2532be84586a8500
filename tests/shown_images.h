// A model that shows what augmentation makes of the images of a batch, each of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstdint>
#include <vector>

namespace glia::test {

/// Images whose pixels are all different small whole numbers, image by image.
inline Tensor numbered_images(std::int64_t n, const Shape& image, DType dtype = DType::float32) {
  return (Tensor::arange(static_cast<double>(n * image.elements())) + 1.0)
      .reshape(image.prepend(n))
      .cast(dtype);
}

/// Layers in front of a unit for each image of the batch. The weights are 0, and an image's own unit alone has an error,
/// of slope -1: SGD with a rate of 1 moves that unit's weights by the image as it came, exactly.
class ShownImages {
 public:
  /// `batch` a power of two, so that the mean's factors are exact.
  ShownImages(const std::vector<Layer>& layers, const Shape& image, std::int64_t batch, const Device& device,
              std::uint64_t seed = 0)
      : model_(layers),
        unit_(static_cast<int>(batch), {.use_bias = false, .kernel_initializer = "zeros"}),
        image_(image),
        batch_(batch),
        targets_(Tensor::zeros({batch, batch})) {
    model_.add(Flatten());
    model_.add(unit_);
    model_.set_seed(seed);
    model_.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "mse", .device = device});
    model_.build(image);
    for (std::int64_t i = 0; i < batch; ++i) targets_.set({i, i}, static_cast<double>(batch * batch) / 2);
  }

  /// The images of the next step of training, (batch, height, width, channels).
  Tensor next(const Tensor& images) {
    unit_.set_weights({Tensor::zeros({image_.elements(), batch_})});
    model_.train_on_batch(images, targets_);
    const std::vector<Tensor> weights = unit_.get_weights();
    Tensor rows = Tensor::zeros({batch_, image_.elements()});
    const float* const from = weights[0].data<float>();
    for (std::int64_t e = 0; e < image_.elements(); ++e)
      for (std::int64_t i = 0; i < batch_; ++i)
        rows.data<float>()[i * image_.elements() + e] = from[e * batch_ + i];
    return rows.reshape(image_.prepend(batch_));
  }
  Sequential& model() { return model_; }

 private:
  Sequential model_;
  Dense unit_;
  Shape image_;
  std::int64_t batch_;
  Tensor targets_;
};

}  // namespace glia::test
