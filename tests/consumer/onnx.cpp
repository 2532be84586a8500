// Writes an ONNX file and reads it again.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/onnx.h>

int main() {
  glia::Sequential model{glia::Dense(3, "relu", {.input_shape = {4}}), glia::Dense(2)};
  glia::onnx::save(model, "consumer.onnx");
  glia::Model again = glia::onnx::load("consumer.onnx");
  const glia::Tensor x = glia::Tensor::ones({5, 4});
  return glia::all_close(model.predict(x), again.predict(x)) ? 0 : 1;
}
