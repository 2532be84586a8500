// Learner: training inside an application, on its streams and on rows in its memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/history.h>  // defines: Logs
#include <glia/macros.h>
#include <glia/mutable_tensor_view.h>
#include <glia/tensors.h>

#include <memory>
#include <optional>
#include <vector>

namespace GLIA_API glia {

class Model;

/// A model's training as steps that are enqueued one by one. Nothing is waited for: neither the host for the device, nor the
/// device for the host; loss and metrics are read when the application asks for them. Rows lie where the model's weights are: a
/// GPU's memory is read when the step runs, not before.
///
///     glia::Learner learner = model.learner();            // a compiled model
///     while (simulating) {
///       simulate<<<blocks, threads, 0, stream>>>(x, y);
///       learner.enqueue_train(x_view, y_view, {}, stream);
///       if (++steps % 100 == 0) learner.enqueue_logs(stream);
///       if (const std::optional<glia::Logs> logs = learner.logs_if_ready()) show((*logs)["loss"]);
///     }
///
/// Shapes, dtypes and scales of x, y and sample_weight are as Model::fit takes them, all rows of a call being one batch; labels on
/// a GPU are not checked. A program is built, and memory allocated, at the first call for a number of rows and dtypes, and after a
/// compile; else a call allocates nothing on the device. Calls on one stream are in order with all that the application enqueues
/// there; a call on another than the call before waits, on the device, for that, and a stream must live until then. The functions of
/// Model go on where calls here ended.
///
/// On a stream that the application captures a call becomes part of its graph, which is then a training step of the same rows'
/// memory each time it runs; its program must have been built before. The application keeps such a graph from running beside
/// anything else of the model.
/// On the CPU a call computes and returns.
///
/// One thread at a time uses it, and its model: another gets a StateError. It keeps the model's weights alive, not the Model.
class Learner {
 public:
  Learner(Learner&&) noexcept;
  Learner& operator=(Learner&&) noexcept;
  ~Learner();

  /// One update. Throws StateError where the model is not compiled with a loss, ShapeError and ValueError for rows that do not
  /// fit it, DeviceError for rows elsewhere than its weights; nothing changes then.
  void enqueue_train(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {},
                     std::optional<void*> stream = {});
  /// The gradients of a batch, in gradients(), and where `input_gradients` are given, one for each input, those of the inputs,
  /// (rows, ...) of the model's dtype, in place of what lies there; those of an input that no loss depends on are left as they are.
  /// Throws as enqueue_train.
  void enqueue_backward(const Tensors& x, const Tensors& y, const Tensors& sample_weight = {},
                        const std::vector<MutableTensorView>& input_gradients = {},
                        std::optional<void*> stream = {});
  /// An update by what lies in gradients(): what enqueue_backward put there, and the application made of it. Clipping and
  /// accumulation, which work there, leave it changed.
  void enqueue_apply_gradients(std::optional<void*> stream = {});

  /// Views of the weights, in the order of Model::get_weights(), and of the gradients of those that are trained, as
  /// Model::gradients() lists them; where no loss depends on one that has no gradient, its view has shape (0,). In the device's
  /// memory, to be read and written on the stream of the calls here, or with events between. Valid until the model is compiled
  /// again, the views of weights as long as this lives. Builds what a training step needs.
  std::vector<MutableTensorView> weights();
  std::vector<MutableTensorView> gradients();

  /// Starts reading loss and metrics: means over all that was trained on since the last call, or of the last enqueue_backward where
  /// that came after the last enqueue_train. One read is under way at a time: another drops what was not asked for. Not while
  /// the stream is captured.
  void enqueue_logs(std::optional<void*> stream = {});
  /// What the last enqueue_logs read: nothing while the device is not yet there. Throws StateError where none was asked for since.
  std::optional<Logs> logs_if_ready();
  /// Waits for it.
  Logs logs();

  /// Waits for all that was enqueued.
  void synchronize();

 private:
  friend class Model;
  class Engine;
  explicit Learner(std::unique_ptr<Engine> engine);
  Engine& engine() const;
  std::unique_ptr<Engine> engine_;
};

}  // namespace glia
