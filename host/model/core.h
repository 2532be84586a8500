// Core: what stands behind a Model. It brings its Graph, the blocks of weights that this binds, its Trainer and its Passes
// together, and makes Programs of them on first use. It knows nothing of data sets or epochs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/in_use.h>
#include <glia/model.h>
#include <host/graph/graph.h>
#include <host/model/names.h>  // defines: Scope
#include <host/model/passes.h>
#include <host/model/trainer.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

  friend bool operator==(const ProgramKey&, const ProgramKey&) = default;
};

class Core final : public Builder, public std::enable_shared_from_this<Core> {
 public:
  std::string name;
  bool is_named = false;  ///< by the user
  std::uint64_t seed = 0;
  DType dtype = DType::float32;
  std::int64_t trained_epochs = 0;
  std::atomic<bool> stop_training{false};  ///< asked of a fit that is running, by any thread
  /// The Model that has this; null once that is gone, which a callback may bring about.
  std::atomic<const Model*> owner{nullptr};

  // ---- the graph: core.cpp
  /// Makes it the graph between symbols. Throws ValueError.
  void make_graph(const Symbols& inputs, const Symbols& outputs);
  /// A chain grows and shrinks at its end until it is built.
  void add(const Layer& layer);
  void pop();
  bool is_chain() const { return !symbols_; }
  /// The layers, in the graph's order, whatever they are for.
  const std::vector<Layer>& layers() const { return layers_; }
  /// Those within them, too.
  std::vector<const LayerNode*> nodes() const;
  /// The name of a layer in this model.
  const std::string& name_of(const LayerNode& layer) const;
  const Scope& scope() const { return *scope_; }
  /// This model as a layer of another; no layer is added from now on.
  Layer as_layer();
  void set_name(const std::string& wanted);
  void set_trainable(bool trainable);
  /// The graph, which a chain has once it is built.
  const Graph& graph() const { return *graph_; }
  const std::vector<Symbol>& inputs() const { return symbols_of_.first; }
  const std::vector<Symbol>& outputs() const { return symbols_of_.second; }
  const std::vector<std::string>& input_names() const { return input_names_; }
  std::vector<std::string> output_names() const;
  std::size_t output_count() const { return is_chain() ? 1 : symbols_->second.size(); }
  /// The shape of one input row of a chain, where a layer says it; else empty.
  Shape declared_input_shape() const;
  const Shapes& input_shapes() const { return input_shapes_; }
  const Shapes& output_shapes() const { return output_shapes_; }

  // ---- building and compiling: building.cpp
  /// Sets shapes, makes weights for layers that have none, and what passes need. Throws ShapeError, ValueError for layers of
  /// another dtype, StateError for those of a model on another device; nothing changes then.
  void build(const Shapes& inputs);
  bool built() const { return built_; }
  void build_if_declared() override;
  /// Builds where that is still to be done and the shapes are known; else changes nothing.
  void build_if_known();
  /// As before build.
  void discard_build();
  /// Validates and keeps the options, moves weights to the context asked for, resets slots and iterations.
  void compile(const CompileOptions& options);
  void set_dtype(DType wanted);
  bool compiled() const { return trainer_.has_value(); }
  bool has_loss() const { return trainer_ && trainer_->has_loss(); }
  const Trainer& trainer() const { return *trainer_; }
  Passes& passes() { return passes_; }
  const Context& context() const;
  Backend& backend() const { return context().backend(); }

  double learning_rate() const { return trainer_->learning_rate(steps()); }
  void set_learning_rate(const LearningRate& rate);
  /// Training steps since compile; updates are fewer where gradients are accumulated.
  std::int64_t steps() const { return built() ? passes_.iteration() : 0; }
  std::int64_t iterations() const;  ///< updates

  // ---- weights: core_weights.cpp
  std::vector<const Variable*> variables() const;
  /// "block/dense/kernel", one for each of variables().
  std::vector<std::string> weight_names() const;
  std::vector<Tensor> weights() const;
  void set_weights(const std::vector<TensorView>& values);
  TensorList gradients() const { return trainer_->gradients(backend()); }
  /// Puts the moving averages of the weights, where the optimizer keeps them, in the weights' place.
  void take_averages();
  std::int64_t parameter_count() const;
  std::int64_t trained_parameter_count() const;
  /// -1 before training memory is there.
  std::int64_t optimizer_parameter_count() const;

  // ---- programs: programs.cpp
  /// The Program for a batch of rows, from the cache or new. Shared, so that the cache may drop it.
  std::shared_ptr<const Program> program(const ProgramKey& key);
  /// What it computes, as it is emitted: neither fused nor placed.
  std::vector<Descriptor> emit(const ProgramKey& key) const;
  Bindings bindings(Mode mode) const;
  const VariablePlaces& places() const { return places_; }
  /// For data of float32.
  ProgramKey plain_key(Mode mode, std::int64_t batch) const;
  /// Where a pass finds its sources: inputs, behind them targets and weights of each head, or outputs.
  std::int64_t target_source(std::size_t head) const;
  std::int64_t weights_source(std::size_t head) const;
  std::int64_t output_source(std::size_t output) const;
  std::int64_t input_gradient_source(std::size_t input) const;
  /// Updates by the gradients that were computed last.
  void apply_gradients();
  /// Notes that gradients were computed.
  void keep_gradients() { has_gradients_ = true; }
  /// Sets them. Throws ShapeError.
  void set_gradients(const std::vector<Tensor>& gradients);

  /// While it lives, the calling thread alone uses the model and the contexts of its weights. Throws StateError where
  /// another thread does.
  class Use {
   public:
    explicit Use(Core& core);

   private:
    detail::InUse::Hold core_;
    std::vector<Context> contexts_;  // before their marks: a compile may put another in its place
    std::list<detail::InUse::Hold> marks_;
  };

  /// While it lives, a fit is running: what would pull the ground from under it is refused.
  class Fit {
   public:
    explicit Fit(Core& core);
    ~Fit() { core_.fitting_ = false; }
    Fit(const Fit&) = delete;
    Fit& operator=(const Fit&) = delete;

   private:
    Core& core_;
  };
  /// Throws StateError, saying that `call` is not for callbacks, while a fit is running.
  void expect_no_fit(const char* call) const;

  /// While it lives, a callback may make passes of its own in the middle of the fit that is running; what that has under
  /// way is kept, and put back. Does nothing where no fit runs.
  class Interlude {
   public:
    Interlude(Core& core, Mode mode);
    ~Interlude();
    Interlude(const Interlude&) = delete;
    Interlude& operator=(const Interlude&) = delete;

   private:
    Core& core_;
    std::optional<Passes::Aside> aside_;
  };

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

  std::vector<std::string> names_of(const Symbols& symbols) const;
  void expect_growing(const char* call) const;
  void add_builder(LayerNode& layer);
  class Undo;
  void apply_chain(const Shape& input);
  void expect_own_dtype() const;
  void make_weights();
  void bind_blocks();
  void move_blocks(const Context& target);
  void unbind_blocks();
  std::optional<Context> context_of_weights() const;
  Passes make_passes(const Trainer* trainer) const;
  void drop_programs();
  void reset_optimizer();
  View emit_flip_average(Emitter& emitter, const op::Gather& rows, const View& output) const;
  void emit_training(Emitter& emitter, const ProgramKey& key, const std::vector<BatchTargets>& batch,
                     const Emission& layers) const;
  void emit_step(Emitter& emitter, const ProgramKey& key) const;
  void emit_update_alone(Emitter& emitter) const;
  void leave_out_unreached();

  detail::InUse in_use_;
  bool fitting_ = false, built_ = false, sealed_ = false;
  bool has_gradients_ = false;  // that were computed and are there
  std::vector<Layer> layers_;
  std::optional<Scope> scope_;                          // the layers' names here
  std::optional<std::pair<Symbols, Symbols>> symbols_;  // that a graph was made of; none for a chain
  std::pair<std::vector<Symbol>, std::vector<Symbol>> symbols_of_;  // inputs and outputs, once they are known
  std::optional<Graph> graph_;
  std::shared_ptr<LayerNode> as_layer_;
  std::vector<LayerNode*> made_;  // whose weights the build made
  Shapes input_shapes_, output_shapes_;
  std::vector<std::string> input_names_{""};  // known along with the symbols

  mutable std::optional<Context> context_;  // made on first use where compile gives none
  VariablePlaces places_;
  std::optional<Trainer> trainer_;
  Passes passes_;
  std::shared_ptr<Memory> arena_;
  std::list<Plan> plans_;  // latest used first
};

}  // namespace glia
