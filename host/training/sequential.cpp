// Sequential: a chain that grows.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <host/training/using.h>

namespace glia {

Sequential::Sequential() = default;
Sequential::Sequential(std::initializer_list<Layer> layers) : Sequential(std::vector<Layer>(layers)) {}
Sequential::Sequential(const std::vector<Layer>& layers) {
  for (const Layer& layer : layers) add(layer);
}

void Sequential::add(const Layer& layer) { Using(core())->network().add(layer, core()); }
void Sequential::pop() { Using(core())->pop(); }

void Sequential::build(const Shape& input_shape) {
  const Using core(this->core());
  GLIA_CHECK(!core->built() || core->network().input_shapes()[0] == input_shape, StateError,
             "the model is built for rows of shape ",
             core->built() ? core->network().input_shapes()[0] : Shape{}, " already, got ", input_shape,
             ": make a new model");
  for (std::int64_t dimension : input_shape)
    GLIA_CHECK(dimension >= 1, ShapeError, "build got rows of shape ", input_shape,
               ", expected dimensions of at least 1");
  GLIA_CHECK(!input_shape.empty(), ShapeError,
             "build got the shape (), expected that of one row, such as (784,)");
  if (!core->built()) core->build({input_shape});
}

Sequential clone_model(const Sequential& model) {
  const Using core(model.core());
  Sequential copy;
  copy_into(copy.core(), *core);
  return copy;
}

}  // namespace glia
