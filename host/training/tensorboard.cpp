// The TensorBoard callback. Tags and steps as in keras.callbacks.TensorBoard.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/sequential.h>
#include <glia/tensorboard.h>
#include <host/io/event_file.h>

#include <algorithm>
#include <chrono>

namespace glia {
namespace {

constexpr double seconds_between_flushes = 2;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_of_validation(const std::string& name) { return name.rfind("val_", 0) == 0; }

}  // namespace

UpdateFreq::UpdateFreq(const std::string& name) : batches_(name == "batch" ? 1 : 0) {
  GLIA_CHECK(name == "batch" || name == "epoch", ValueError, "TensorBoard got update_freq \"", name,
             "\", expected \"epoch\", \"batch\", or a number of batches");
}
UpdateFreq::UpdateFreq(int batches) : batches_(batches) {
  GLIA_CHECK(batches >= 1, ValueError, "TensorBoard got update_freq ", batches,
             ", expected at least 1 batch, or \"epoch\"");
}

TensorBoard::TensorBoard(std::string log_dir, const TensorBoardOptions& options)
    : log_dir_(std::move(log_dir)), options_(options) {
  GLIA_CHECK(!log_dir_.empty(), ValueError,
             "TensorBoard got an empty log_dir, expected a folder, such as \"logs\"");
}

void TensorBoard::on_train_begin() {
  const std::vector<std::string>& keys = params().keys;
  batches_ = 0;
  flushed_ = now();
  train_ = std::make_shared<io::EventFile>(log_dir_ + "/train");
  validation_.reset();
  if (std::any_of(keys.begin(), keys.end(), is_of_validation))
    validation_ = std::make_shared<io::EventFile>(log_dir_ + "/validation");
}

void TensorBoard::on_batch_end(std::int64_t, const Logs& logs) {
  // With update_freq "epoch" there is nothing to do, however often another callback makes fit call.
  if (!watches_batches() || ++batches_ % options_.update_freq.batches() != 0) return;
  for (const auto& [name, value] : logs) train_->scalar("batch_" + name, value, batches_);
  if (now() - flushed_ < seconds_between_flushes) return;
  train_->flush();
  flushed_ = now();
}

void TensorBoard::on_epoch_end(int epoch, Logs& logs) {
  for (const auto& [name, value] : logs) {
    if (is_of_validation(name) && validation_) {
      validation_->scalar("epoch_" + name.substr(4), value, epoch);
      validation_->scalar("evaluation_" + name.substr(4) + "_vs_iterations", value, model().iterations());
    } else if (name != "learning_rate") {
      train_->scalar("epoch_" + name, value, epoch);
    }
  }
  train_->scalar("epoch_learning_rate", model().learning_rate(), epoch);
  train_->flush();
  if (validation_) validation_->flush();
}

void TensorBoard::on_train_end() { train_.reset(), validation_.reset(); }

}  // namespace glia
