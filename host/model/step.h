// What a step computes: rows are gathered, layers, losses and the update emitted, and rows are written back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/program.h>  // defines: Mode
#include <host/model/network.h>
#include <host/model/trainer.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace glia {

/// What a Program is built for: the dtypes of what it reads, and whether rows have weights, of each input and head.
struct ProgramKey {
  Mode mode;
  std::int64_t batch;
  std::vector<DType> x_from, y_from;
  std::vector<bool> weighted = {};
  bool flip_average = false;  ///< outputs are means over images and mirrored images
  bool of_inputs = false;     ///< gradients of the inputs too
  bool given = false;         ///< rows are given to each run, in place of a pass over rows

  friend bool operator==(const ProgramKey&, const ProgramKey&) = default;
};

/// Where a pass finds its sources: those of the inputs, behind them targets and weights of each head and gradients of the inputs, or
/// outputs.
struct SourceNumbers {
  std::int64_t inputs, heads, outputs;

  std::int64_t target(std::size_t head) const { return inputs + static_cast<std::int64_t>(head); }
  std::int64_t weights(std::size_t head) const { return inputs + heads + static_cast<std::int64_t>(head); }
  std::int64_t input_gradient(std::size_t input) const {
    return inputs + 2 * heads + static_cast<std::int64_t>(input);
  }
  std::int64_t output(std::size_t output) const { return inputs + static_cast<std::int64_t>(output); }
  std::int64_t count() const;
};

/// Of what a step is made. The trainer may be null where it infers.
struct StepParts {
  const Network& network;
  const Trainer* trainer;
  const VariablePlaces& places;
  DType dtype;
  std::uint64_t seed;

  SourceNumbers sources() const;
};

/// The step for data of float32.
ProgramKey plain_key(const StepParts& parts, Mode mode, std::int64_t batch);

/// What it computes, neither fused nor placed.
std::vector<Descriptor> emit_step(const StepParts& parts, const ProgramKey& key);

/// Of each output the shape of a row of its mask, or an empty one where nothing masks it. What is emitted tells.
Shapes masks_of_outputs(const StepParts& parts);

/// Weights that no loss depends on. They are not trained, as in Keras: not decayed either. What is emitted tells which.
std::unordered_set<const Variable*> unreached_weights(const StepParts& parts);

}  // namespace glia
