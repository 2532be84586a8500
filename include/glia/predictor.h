// Predictor: inference inside an application, on its streams and in its memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/dtype.h>
#include <glia/macros.h>
#include <glia/mutable_tensor_view.h>
#include <glia/shape.h>
#include <glia/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace GLIA_API glia {

class Model;

struct PredictorOptions {
  std::int64_t max_batch = 1;
  /// For which a program is made; a call with fewer rows takes the next larger. Unless given the powers of two up to max_batch,
  /// and that.
  std::vector<std::int64_t> batch_sizes = {};
  DType dtype = DType::float32;  ///< of the inputs' elements
  double scale = 1;              ///< by which those are multiplied, where they are uint8: 1.0 / 255
  /// CUDA: the application's cudaStream_t, as ContextOptions has it; unless given one of the predictor's own.
  std::optional<void*> stream = {};
  int threads = 1;  ///< CPU threads that compute one call, the caller's among them
  // As ContextOptions has them.
  bool deterministic = true;
  bool propagate_nan = true;
  std::shared_ptr<Allocator> allocator = {};
  std::size_t workspace_limit = 0;
};

/// A model's graph and weights at work, and nothing of its training. What a call needs is made when the predictor is: a call
/// allocates nothing, waits for nothing, and on a GPU makes no other call of CUDA than launches, but for asking whether the stream is
/// being captured where there is a graph to launch, and on a machine with several GPUs which of them is current.
///
///     glia::Predictor predictor = model.predictor({.max_batch = 64, .stream = stream});
///     make_input<<<blocks, threads, 0, stream>>>(x);    // (batch, 784) float32, on the device
///     predictor.enqueue(x, y, batch);                   // y (batch, 10) float32
///     consume_output<<<blocks, threads, 0, stream>>>(y);
///
/// Weights are shared with the model, and with its other predictors: who trains the model further, or calls set_weights, changes
/// what they compute. The model itself may go. Each predictor has a context of its own, so that many threads predict at the same
/// time with one each; one predictor is for one thread at a time, another gets a StateError. It may be moved, not while in use.
///
/// **Streams.** Calls on one stream are in order with all that the application enqueues there. A call on another stream than the
/// call before waits, on the device, for that. So a stream that was given must live until a call was given another, or the
/// predictor is gone. The host never waits, but in synchronize() and the destructor.
///
/// **Capture.** A call on a stream that the application captures becomes part of its graph: kernels alone. The graph keeps the
/// addresses of x and y: to change them, capture the call again with others and give that to cudaGraphExecUpdate, which finds the
/// same nodes. It computes in the predictor's memory: the application sees to it that the graph does not run while the predictor, or the
/// graph itself, is at work on another stream, and that the predictor outlives it. update() it sees.
///
/// **On the CPU** the same call computes, on the caller's thread, and returns.
class Predictor {
 public:
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  /// Waits for its work.
  ~Predictor();

  /// y = what the model makes of x, `batch` rows of each, for a model of one input and one output. x (batch, ...) of the options'
  /// dtype, y (batch, ...) of the model's; both row-major on device(), aligned as their elements are, and apart. Enqueues on the
  /// predictor's stream, or on this one of CUDA. Throws ValueError for a batch above max_batch or below 0, for a pointer that is null
  /// or misaligned, for outputs that lie on inputs, and for a model of several inputs or outputs; StateError for a predictor that was
  /// moved from or that another thread uses, for a stream on the CPU, and on the CPU while another thread changes the weights;
  /// DeviceError for a stream of another device, and, at the first call with it, for a pointer that CUDA knows to be elsewhere.
  void enqueue(const void* x, void* y, std::int64_t batch, std::optional<void*> stream = {});
  /// The same for several inputs and outputs, in the order of the model's.
  void enqueue(std::span<const void* const> x, std::span<void* const> y, std::int64_t batch,
               std::optional<void*> stream = {});

  /// The same for views, whose rows are the batch, and whose scale counts in place of the options'. Throws, too, ShapeError for rows
  /// of other shapes or numbers, ValueError for other dtypes, DeviceError for views elsewhere than device().
  void enqueue(const TensorView& x, const MutableTensorView& y, std::optional<void*> stream = {});
  void enqueue(const std::vector<TensorView>& x, const std::vector<MutableTensorView>& y,
               std::optional<void*> stream = {});
  /// The output for rows on the host or on device(), any number of them, in a new tensor on the host; waits for it. For a model of
  /// one input and one output. Allocates the result and, at its first call on a GPU, room there for max_batch rows of each. Throws
  /// as the others.
  Tensor predict(const TensorView& x);
  /// The same into y (rows, ...), on the host, of the output's shape and dtype: returns when it is written, and allocates nothing but,
  /// at its first call on a GPU, that room. Throws as the others, also where y is another.
  void predict(const TensorView& x, const MutableTensorView& y);

  /// New weights, in the order of Model::get_weights(), in the old ones' place, for the model and all of its predictors: at once
  /// for those, and no call sees some old and some new. Enqueued on the predictor's stream, or on this one; weights of another
  /// type or elsewhere are converted by the host, those on device() copied there. On a GPU what other predictors have under way
  /// comes before, and what they do from now on after, without the host waiting. Throws ShapeError for other numbers or shapes,
  /// DeviceError for weights on another GPU, StateError while another thread uses the model's context or, on the CPU, a predictor;
  /// nothing changes then.
  void update(const std::vector<TensorView>& weights, std::optional<void*> stream = {});
  void update(const std::vector<Tensor>& weights, std::optional<void*> stream = {});

  /// Waits for what was enqueued.
  void synchronize();

  Device device() const;
  /// What it holds beside the weights that it shares, and for what.
  MemoryReport memory() const;
  /// Of one row.
  const std::vector<Shape>& input_shapes() const;
  const std::vector<Shape>& output_shapes() const;
  /// Of the outputs' elements.
  DType output_dtype() const;
  std::int64_t max_batch() const;
  /// Ascending.
  std::vector<std::int64_t> batch_sizes() const;
  /// What a call with so many rows runs: Ops, shapes, algorithms, memory.
  std::string explain(std::int64_t batch) const;

 private:
  friend class Model;
  friend class Profiler;
  class Engine;
  explicit Predictor(std::unique_ptr<Engine> engine);
  Engine& engine() const;
  std::unique_ptr<Engine> engine_;
};

}  // namespace glia
