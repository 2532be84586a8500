// The rows of a call: checked, weighed, and brought to the device.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensors.h>
#include <host/data/feeder.h>
#include <host/model/core.h>
#include <host/training/launcher.h>  // defines: Pass

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace glia::training {

/// Undoes a build where the call that made it fails before its first step, so that a mistake in the data or options
/// does not fix the model's shape. Made before all that uses the build.
class BuildGuard {
 public:
  explicit BuildGuard(Core& model) : model_(model), kept_(model.built()) {}
  BuildGuard(const BuildGuard&) = delete;
  ~BuildGuard() {
    if (!kept_ && model_.built()) model_.discard_build();
  }
  void keep() { kept_ = true; }

 private:
  Core& model_;
  bool kept_;
};

/// Builds the model where that is still to be done: a chain that does not know its shape for rows like x's.
void build_for(Core& model, const Tensors& x, const char* call);

/// What a pass over these rows runs. `data` are inputs, targets and weights.
Pass pass_over(const Core& model, Mode mode, std::int64_t batch, const Rows& data);

/// Throws what a layer that keeps states throws for the last batch of so many rows, before anything is computed.
void expect_batches(Core& model, const Pass& pass, std::int64_t rows);

/// Rows held on the device, or streamed where they are more than the budget, or than a GPU has memory for beside
/// what the steps need.
std::unique_ptr<Feeder> make_feeder(Core& model, const Rows& data, const Pass& pass, std::int64_t budget);

/// Checked inputs and targets of a call, and the weights of their rows, which `rows` shows too.
struct Data {
  std::vector<std::optional<Tensor>> weights;
  Rows rows;
};
Data data_of(const Core& model, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
             const std::map<int, double>& class_weight, const char* call);

std::int64_t steps_for(std::int64_t rows, std::int64_t batch_size);

/// Throw ValueError, and ShapeError where images are to be mirrored and there are none.
void check_batch_size(std::int64_t batch_size);
void check_verbose(int verbose);
void check_flip_average(const Core& model, bool flip_average);

}  // namespace glia::training
