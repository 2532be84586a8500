// What the kernels of one training step move, as the watched double counts it: of the networks of benchmarks/networks.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstdint>
#include <vector>

#include "benchmarks/networks.h"
#include "benchmarks/random_bytes.h"
#include "tests/cuda_double/controls.h"  // defines: Controls, Traffic

namespace glia::test {

/// Launch by launch, on a device as large as an H100. The controls' settings are changed.
inline std::vector<cuda_double::Traffic> traffic_of_step(const Network& network, std::int64_t batch,
                                                         cuda_double::Controls& controls) {
  controls.settings().multiprocessors = 132;
  controls.settings().counts_traffic = false;
  const Context context({.device = "cuda"});
  const std::int64_t rows = 3 * batch;
  const Tensor x = Tensor(random_bytes(rows * 784, 256, 1), {rows, 28, 28, 1})
                       .set_scale(1.0 / 255)
                       .cast(DType::float32)
                       .to(context);
  const Tensor y = Tensor(random_bytes(rows, 10, 2)).cast(DType::float32).to(context);
  Sequential model = make(network, "float32", context);
  // Prepares everything, and leaves a feed over x and y, with the cursor after the first batch.
  model.train_on_batch(TensorView(x).rows(0, batch), TensorView(y).rows(0, batch));
  const Program& program = model.program(Mode::train, batch);
  static_cast<void>(model.get_weights());  // waits
  controls.settings().counts_traffic = true;
  controls.clear_traffic();
  program.run_eagerly();
  static_cast<void>(model.get_weights());
  controls.settings().counts_traffic = false;
  return controls.traffic();
}

/// The same of inference of `batch` rows of float32, by the captured program.
inline std::vector<cuda_double::Traffic> traffic_of_inference(const Network& network, std::int64_t batch,
                                                              cuda_double::Controls& controls) {
  controls.settings().multiprocessors = 132;
  controls.settings().counts_traffic = false;
  const Context context({.device = "cuda"});
  const Tensor x = Tensor(random_bytes(batch * 784, 256, 1), {batch, 28, 28, 1})
                       .set_scale(1.0 / 255)
                       .cast(DType::float32)
                       .to(context);
  Sequential model = make(network, "float32", context);
  // The first time prepares everything.
  static_cast<void>(model.predict(x, {.batch_size = batch, .verbose = 0}));
  controls.clear_traffic();
  controls.settings().counts_traffic = true;
  static_cast<void>(model.predict(x, {.batch_size = batch, .verbose = 0}));
  static_cast<void>(model.get_weights());
  controls.settings().counts_traffic = false;
  return controls.traffic();
}

}  // namespace glia::test
