// TensorBoard: a callback that writes what a fit comes to where TensorBoard reads it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>
#include <glia/macros.h>

#include <cstdint>
#include <memory>
#include <string>

namespace GLIA_API glia {

namespace io {
class EventFile;
}

/// How often TensorBoard gets numbers: "epoch", "batch", or after every so many batches.
class UpdateFreq {
 public:
  UpdateFreq(const char* name) : UpdateFreq(std::string(name)) {}
  /// Throw ValueError for another name, and for less than 1 batch.
  UpdateFreq(const std::string& name);
  UpdateFreq(int batches);

  /// Batches from one number to the next; 0: epochs only.
  int batches() const { return batches_; }

 private:
  int batches_ = 0;
};

struct TensorBoardOptions {
  UpdateFreq update_freq = "epoch";  ///< more often makes each batch a launch of its own
};

/// Writes event files into log_dir/train and, where fit validates, log_dir/validation: epoch_loss, epoch_ of each
/// metric and of what callbacks before this one set in the logs, epoch_learning_rate (train only), and
/// evaluation_loss_vs_iterations and its like (validation only); with another update_freq batch_loss and its like,
/// too, over batches counted from 1. They are on disk after each epoch.
///
///     model.fit(train, {.epochs = 10, .validation_data = test, .callbacks = {glia::TensorBoard("logs")}});
///     // tensorboard --logdir logs
class TensorBoard : public Callback {
 public:
  /// Throws ValueError for an empty log_dir. fit throws FileError where a file cannot be written; each fit makes files
  /// of its own.
  explicit TensorBoard(std::string log_dir = "logs", const TensorBoardOptions& options = {});

  void on_train_begin() override;
  void on_batch_end(std::int64_t batch, const Logs& logs) override;
  void on_epoch_end(int epoch, Logs& logs) override;
  void on_train_end() override;
  bool watches_batches() const override { return options_.update_freq.batches() > 0; }

 private:
  std::string log_dir_;
  TensorBoardOptions options_;
  std::shared_ptr<io::EventFile> train_, validation_;
  std::int64_t batches_ = 0;  // of this fit so far
  double flushed_ = 0;        // when the batches' numbers last were
};

}  // namespace glia
