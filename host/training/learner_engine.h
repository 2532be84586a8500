// Learner::Engine: what stands behind a Learner. It has no programs of its own: those of the model, made for given rows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/learner.h>
#include <host/data/feeder.h>  // defines: Rows
#include <host/model/core.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace glia {

class Learner::Engine {
 public:
  explicit Engine(std::shared_ptr<Core> core);

  void step(Mode mode, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
            const std::vector<MutableTensorView>& input_gradients, std::optional<void*> stream,
            const char* call);
  void apply_gradients(std::optional<void*> stream);
  std::vector<MutableTensorView> weights();
  std::vector<MutableTensorView> gradients();
  void enqueue_logs(std::optional<void*> stream);
  /// Nothing where they are not there yet and it does not wait.
  std::optional<Logs> logs(bool waits);
  void synchronize();

 private:
  static void expect_here(const Core& model, const TensorView& view, const char* what, const char* call);
  static Rows given_rows(const Core& model, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                         const char* call);
  static void check_input_gradients(const Core& model, std::int64_t rows,
                                    const std::vector<MutableTensorView>& gradients);

  /// Whether what was asked for, or is to be read, is the model's as it is compiled now.
  bool reads_from(const Core& core) const;

  std::shared_ptr<Core> core_;
  std::optional<Context> read_on_;  // the reader's, which a compile may take from the model: before it
  std::unique_ptr<Reader> reader_;
  std::size_t reads_ = 0;  // bytes
  std::vector<Source> sources_;
  bool counts_ = false;          // whether the totals of training go on
  std::optional<Mode> counted_;  // of which totals are read
  bool asked_ = false;
};

}  // namespace glia
