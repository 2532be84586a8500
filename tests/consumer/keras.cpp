// Writes a file of Keras's and reads it again.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/keras.h>

int main() {
  glia::Sequential model{glia::Dense(3, "relu", {.input_shape = {4}}), glia::Dense(2)};
  glia::keras::save(model, "consumer.keras");
  glia::Model again = glia::keras::load("consumer.keras");
  const glia::Tensor x = glia::Tensor::ones({5, 4});
  return glia::all_close(model.predict(x), again.predict(x)) ? 0 : 1;
}
