// Fits of a model of one weight, in which the callbacks under test see numbers that a script has written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"  // defines: current_device

namespace glia::test {

/// Falls, with setbacks; its best epochs are 0, 1, 3 and 7.
inline const std::vector<double> falling{1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.69, 0.7, 0.7, 0.7, 0.7};
/// Falls in steps that last.
inline const std::vector<double> stairs{1, .9, .9, .9, .9, .8, .8, .8, .8, .8, .8, .8};

inline Dataset points() { return Dataset(Tensor{{0}, {1}, {2}, {3}}, Tensor{{0}, {1}, {0}, {1}}); }

inline Sequential line(double rate = 1.0) {
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.optimizer = SGD{.learning_rate = rate},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .device = current_device()});
  return model;
}

/// Puts the next of `values` in the logs of each epoch that validates, and makes the kernel's weight the epoch.
inline LambdaCallback script(Sequential& model, const std::string& name, std::vector<double> values) {
  return LambdaCallback({.on_epoch_end = [&model, name, values](int epoch, Logs& logs) {
    if (logs.contains("val_loss")) logs.set(name, values.at(static_cast<std::size_t>(epoch)));
    model.set_weights({Tensor{{static_cast<float>(epoch)}}, Tensor{0}});
  }});
}

inline FitOptions silent(std::size_t epochs, Callbacks callbacks, const Dataset& data) {
  return {.epochs = static_cast<int>(epochs),
          .verbose = 0,
          .validation_data = data,
          .callbacks = std::move(callbacks)};
}

/// Of each epoch of a fit, and after it, with a ReduceLROnPlateau.
inline std::vector<double> rates(const std::vector<double>& values, const ReduceLROnPlateauOptions& options) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback play = script(model, options.monitor, values);
  ReduceLROnPlateau reduce(options);
  const History history = model.fit(data, silent(values.size(), {&play, &reduce}, data));
  std::vector<double> result = history["learning_rate"];
  result.push_back(model.learning_rate());
  return result;
}

}  // namespace glia::test
