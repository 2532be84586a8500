// Model: layers with their memory. It owns the flat buffers, builds Programs on first use, and knows nothing
// of data sets or epochs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/in_use.h>
#include <glia/layers.h>
#include <glia/program.h>
#include <glia/sequential.h>  // defines: CompileOptions, MetricName
#include <host/layers/layer_node.h>
#include <host/model/metrics.h>  // defines: ResolvedMetric

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

/// What a pass left behind: totals, and the counters of metrics.
struct PassState {
  StepState state;
  std::vector<double> counters;
};

/// Whether targets are labels or dense, and of which shape a batch's are.
struct TargetSpec {
  Targets kind = Targets::dense;
  Shape row;  ///< of one row: () or (positions,) for labels, else the output's
};

/// What a Program is built for.
struct ProgramKey {
  Mode mode;
  std::int64_t batch;
  DType x_from, y_from;
  bool weighted = false;
  bool flip_average = false;  ///< outputs are means over images and mirrored images

  friend bool operator==(const ProgramKey&, const ProgramKey&) = default;
};

class Model : public std::enable_shared_from_this<Model> {
 public:
  std::string name = "sequential";
  std::uint64_t seed = 0;
  DType dtype = DType::float32;
  std::atomic<bool> stop_training{false};  ///< asked of a fit that is running, by any thread
  /// The Sequential that has this model; null once that is gone, which a callback may bring about.
  std::atomic<const Sequential*> owner{nullptr};

  void add(const Layer& layer);
  const std::vector<Layer>& layers() const { return layers_; }
  /// The shape of one input row, where a layer says it; else empty.
  Shape declared_input_shape() const;

  /// Sets shapes, allocates parameters and state, draws initial weights. Throws ShapeError; nothing changes
  /// then.
  void build(const Shape& input_shape);
  bool built() const { return parameters_ != nullptr; }
  /// Builds where that is still to be done and a layer says the shape; else changes nothing.
  void build_if_declared();
  /// As before build.
  void discard_build();
  const Shape& input_shape() const { return input_shape_; }
  const Shape& output_shape() const;

  /// Validates and keeps the options, moves weights to the context asked for, resets slots and iterations.
  void set_dtype(DType wanted);
  void compile(const CompileOptions& options);
  bool compiled() const { return optimizer_.has_value(); }
  bool has_loss() const { return loss_.has_value(); }
  const Losses& loss() const { return *loss_; }
  /// Names of the metrics, the weighted ones behind the others.
  std::vector<std::string> metric_names() const;
  /// Names of those that are better the greater they are.
  std::vector<std::string> rising_metrics() const;
  /// Loss and metrics as a pass ended, each a mean where it is one.
  Logs logs(const PassState& pass) const;
  /// The name of the confusion_matrix among the metrics, or nothing.
  std::string metric_that_counts_classes() const;
  /// The counters of the metric of this name, as a pass ended.
  std::vector<double> counters(const PassState& pass, const std::string& metric) const;
  TargetSpec target_spec() const;

  double learning_rate() const;
  void set_learning_rate(const LearningRate& rate);
  /// Training steps since compile; updates are fewer where gradients are accumulated.
  std::int64_t steps() const;
  std::int64_t iterations() const;  ///< updates

  /// Weights of these layers, in order, as tensors on the CPU.
  std::vector<Tensor> read(const std::vector<const LayerNode*>& nodes) const;
  /// The same from the gradients' buffer.
  std::vector<Tensor> read_gradients() const;
  /// Throws ShapeError where number or shapes differ, before anything changes.
  void write(const std::vector<const LayerNode*>& nodes, const std::vector<TensorView>& values);
  /// Of all layers, those within layers among them.
  std::vector<const LayerNode*> nodes() const;
  /// "dense/kernel", one for each of all weights.
  std::vector<std::string> weight_names() const;

  /// The Program for a batch of rows, from the cache or new. Shared, so that the cache may drop it.
  std::shared_ptr<const Program> program(const ProgramKey& key);

  Backend& backend() const { return context().backend(); }
  const Context& context() const;

  /// While it lives, the calling thread alone uses the model and its context. Throws StateError where another thread
  /// does.
  class Use {
   public:
    explicit Use(Model& model);

   private:
    detail::InUse::Hold model_;
    std::optional<Context> context_;  // before its mark: a compile may put another in its place
    std::optional<detail::InUse::Hold> context_mark_;
  };

  /// While it lives, a fit is running: what would pull the ground from under it is refused.
  class Fit {
   public:
    explicit Fit(Model& model);
    ~Fit() { model_.fitting_ = false; }
    Fit(const Fit&) = delete;
    Fit& operator=(const Fit&) = delete;

   private:
    Model& model_;
  };
  /// Throws StateError, saying that `call` is not for callbacks, while a fit is running.
  void expect_no_fit(const char* call) const;

  /// While it lives, a callback may make passes of its own in the middle of the fit that is running; what that has under
  /// way is kept, and put back. Does nothing where no fit runs.
  class Interlude {
   public:
    Interlude(Model& model, Mode mode);
    ~Interlude();
    Interlude(const Interlude&) = delete;
    Interlude& operator=(const Interlude&) = delete;

   private:
    Model& model_;
    std::vector<PassState> reads_;  // that were under way
    std::vector<std::byte> state_;  // of the training pass, where that is disturbed
    std::optional<Feed> feed_;
  };

  /// Starts a pass over the feed's rows with the step state of `mode`: totals and cursor to zero, the next order.
  /// Uploads nothing where the device has this feed already, its number of passes counted along.
  void begin_pass(Mode mode, const Feed& feed);
  /// Goes on with other rows in the same pass: the totals stay.
  void continue_pass(Mode mode, const Feed& feed);
  /// Starts reading the step state of `mode` as it is after the work enqueued so far. At most two reads are
  /// under way.
  void request_state(Mode mode);
  /// What the oldest read under way found; waits for it.
  PassState take_state();
  /// Puts the moving averages of the weights, where the optimizer keeps them, in the weights' place.
  void take_averages();

  std::int64_t parameter_count() const;
  std::int64_t trained_parameter_count() const;
  /// Numbers the optimizer keeps, its iteration and learning rate among them as Keras counts; -1 before
  /// training memory is there.
  std::int64_t optimizer_parameter_count() const;

 private:
  /// A Program with what it was built for and the arena it computes in.
  struct Plan {
    struct Built {
      std::shared_ptr<Memory> arena;
      Program program;
    };
    ProgramKey key;
    std::shared_ptr<Built> built;
  };

  static void name_layer(LayerNode& node, std::vector<std::string>& names);
  void lay_out_variables();
  static constexpr int max_reads = 2;
  /// The two step states, what starts passes with each, and what reads them.
  struct Passes {
    struct OfState {
      std::unique_ptr<Sequence> begin;
      std::optional<Feed> feed;  // that the device has
    };
    std::unique_ptr<Memory> state;
    std::int64_t counters = 0;  // of metrics, behind each state
    OfState of[2];
    std::unique_ptr<Reader> readers[max_reads];
    std::vector<PassState> read_early;  // before an Interlude; they come first
    int reads_started = 0, reads_taken = 0;

    std::size_t stride() const;
    StepState* of_mode(Mode mode) const;
  };
  std::unique_ptr<Memory> allocate_parameters(Backend& backend) const;
  Passes make_passes(Backend& backend, const std::vector<ResolvedMetric>& metrics) const;
  void draw_initial_values(Backend& backend, const Memory& parameters) const;
  void adopt(const Context& new_context, std::unique_ptr<Memory> parameters, Passes passes);
  void drop_programs();
  void ensure_training_memory();
  void reset_optimizer();
  void write_optimizer_state(std::int64_t iteration, double rate) const;
  void upload_feed(Mode mode, const Feed& feed);
  std::vector<Tensor> read_buffer(Buffer buffer, const std::vector<const LayerNode*>& nodes) const;
  std::vector<ResolvedMetric> resolve_metrics(const Losses& loss, const std::vector<MetricName>& names,
                                              std::size_t weighted_from) const;
  std::vector<Descriptor> emit(const ProgramKey& key) const;
  View emit_flip_average(Emitter& emitter, const op::Gather& rows, const View& output) const;
  void emit_loss(Emitter& emitter, Mode mode, const op::Gather& rows, const Emitted& layers) const;
  void emit_metrics(Emitter& emitter, const op::Loss& loss) const;
  View emit_penalties(Emitter& emitter, bool wants_gradients) const;
  void emit_update(Emitter& emitter) const;
  View trained(Buffer buffer, std::int64_t row = 0) const;
  /// Which of the two step states a mode uses: training its own, so that nothing else disturbs it.
  static int state_of(Mode mode) { return mode == Mode::train ? 0 : 1; }
  std::byte* state_address(Mode mode) const { return reinterpret_cast<std::byte*>(passes_.of_mode(mode)); }
  Bindings bindings(Mode mode) const;

  detail::InUse in_use_;
  bool fitting_ = false;
  std::vector<Layer> layers_;
  Shape input_shape_;
  std::int64_t parameter_bytes_ = 0;  // trained weights and, behind them, the others
  std::int64_t trained_bytes_ = 0;

  mutable std::optional<Context> context_;  // made on first use where compile gives none
  std::optional<Optimizers> optimizer_;
  std::optional<Losses> loss_;
  std::vector<MetricName> metric_names_;
  std::size_t weighted_from_ = 0;        // metric_names_ from here on are weighted
  std::vector<ResolvedMetric> metrics_;  // once built
  Precisions precision_;

  std::unique_ptr<Memory> parameters_, gradients_, slots_;
  std::shared_ptr<Memory> arena_;
  std::list<Plan> plans_;  // latest used first
  Passes passes_;
};

}  // namespace glia
