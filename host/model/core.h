// Core: what stands behind a Model. It brings its Network, the weights of that, its Trainer and its Passes together, and makes
// Programs of them on first use. It knows nothing of data sets or epochs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>  // defines: Callback, CallbackState
#include <glia/context.h>
#include <glia/in_use.h>
#include <glia/model.h>
#include <glia/mutable_tensor_view.h>
#include <host/base/hidden.h>
#include <host/model/model_weights.h>
#include <host/model/network.h>
#include <host/model/passes.h>
#include <host/model/profile.h>
#include <host/model/programs.h>
#include <host/model/step.h>
#include <host/model/trainer.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

/// The blocks in which variables lie, bound; nothing else yet.
Bindings bind_blocks(const VariablePlaces& places);

class GLIA_HIDDEN Core final : public Builder, public std::enable_shared_from_this<Core> {
 public:
  std::uint64_t seed = 0;
  DType dtype = DType::float32;
  std::int64_t trained_epochs = 0;  ///< times that fits went over their rows, each in an order of its own
  int epoch = 0;                    ///< that the last fit came to
  std::vector<std::string> class_names;
  std::vector<Callback*> fit_callbacks;  ///< of a fit that is running
  struct KeptCallback {
    std::string type;
    CallbackState state;
  };
  std::vector<KeptCallback>
      kept_callbacks;  ///< of the fit within which the file was saved, for the one that goes on
  std::atomic<bool> stop_training{false};  ///< asked of a fit that is running, by any thread
  /// The Model that has this; null once that is gone, which a callback may bring about.
  std::atomic<const Model*> owner{nullptr};

  const Network& network() const { return network_; }
  Network& network() { return network_; }
  const ModelWeights& weights() const { return weights_; }
  /// Takes the last layer from a chain, and what compile noted of it.
  void pop();

  // ---- building and compiling: core.cpp
  /// Sets shapes, makes weights for layers that have none, and what passes need. Throws ShapeError, ValueError for layers of
  /// another dtype, StateError for those of a model on another device; nothing changes then. `check` sees the weights before they
  /// are made, and may throw.
  class WeightsCheck {
   public:
    virtual void check(const ModelWeights& weights) = 0;

   protected:
    ~WeightsCheck() = default;
  };
  void build(const Shapes& inputs, WeightsCheck* check = nullptr);
  bool built() const { return built_; }
  void build_if_declared() override;
  /// Builds where that is still to be done and the shapes are known; else changes nothing.
  void build_if_known();
  /// As before build.
  void discard_build();
  /// Validates and keeps the options, moves weights to the context asked for, resets slots and iterations.
  void compile(const CompileOptions& options);
  /// Before it is built: computes on this device from now on, where one is given.
  void compute_on(const CompileOptions& where);
  void set_dtype(DType wanted);
  bool compiled() const { return trainer_.has_value(); }
  const Trainer& trainer() const { return *trainer_; }
  Passes& passes() { return passes_; }
  const Passes& passes() const { return passes_; }
  const Context& context() const;
  Backend& backend() const { return context().backend(); }

  // ---- steps: core_steps.cpp
  /// Runs steps of a Program of this model. Where they change weights, waits for predictors that are just now reading those on
  /// the CPU; on a GPU they are put in order by events.
  void run(const Program& program, std::int64_t steps);
  void run_given(const Program& program, const Given& given);
  /// Has them recorded from now on. Throws StateError where another profiler watches.
  void watch(std::shared_ptr<Profile> profile);
  /// The Program for a batch of rows, from the cache or new. Shared, so that the cache may drop it.
  std::shared_ptr<const Program> program(const ProgramKey& key);
  /// What the descriptors of its steps are made of.
  StepParts parts() const {
    return {network_, trainer_ ? &*trainer_ : nullptr, weights_.places(), dtype, seed};
  }
  /// The memory that a step computes in, but for the arena.
  Bindings bindings(Mode mode) const;
  /// Training steps since compile; updates are fewer where gradients are accumulated.
  std::int64_t steps() const { return built() ? passes_.iteration() : 0; }
  void set_learning_rate(const LearningRate& rate);
  /// Finds the weights that no loss depends on, which are not trained.
  void find_unreached();
  /// What the optimizer keeps, where training has its memory, or what it would, without values.
  std::vector<Trainer::Kept> kept() const;
  /// As after so many training steps, which kept these; none: the optimizer begins anew.
  void restore(std::int64_t steps, const std::vector<Trainer::Kept>& kept);
  /// Updates by the gradients that were computed last; the second waits for that.
  void enqueue_apply_gradients();
  void apply_gradients();
  /// Where they lie, one a weight that is not frozen, once training has its memory; of shape (0,) where no loss depends on it.
  std::vector<MutableTensorView> gradient_views();
  /// Notes that gradients were computed.
  void keep_gradients() { has_gradients_ = true; }
  /// Sets them. Throws ShapeError.
  void set_gradients(const std::vector<Tensor>& gradients);
  /// Puts the moving averages of the weights, where the optimizer keeps them, in the weights' place.
  void take_averages();

  /// While it lives, the calling thread alone uses the model and the contexts of its weights. Throws StateError where
  /// another thread does.
  /// What is enqueued goes to the contexts' own streams, or stays on that of the last call.
  enum class Stream { home, stays };
  class Use {
   public:
    explicit Use(Core& core, Stream stream = Stream::home);

   private:
    /// A context, which a compile may put another in the place of, and its mark.
    struct Held {
      explicit Held(const Context& held)
          : context(held), mark(context.backend().in_use(), Backend::in_use_elsewhere) {}
      Context context;
      detail::InUse::Hold mark;
    };
    void hold(const Context& context);

    detail::InUse::Hold core_;
    std::optional<Held> first_;  // mostly the only one
    std::list<Held> others_;
  };

  /// While it lives, a call is running that callbacks are told of: what would pull the ground from under it is refused.
  class Run {
   public:
    Run(Core& core, const char* call) : core_(core), outer_(core.running_) { core.running_ = call; }
    ~Run() { core_.running_ = outer_; }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

   private:
    Core& core_;
    const char* outer_;
  };
  /// Throws StateError, saying that `call` is not for callbacks, while another is running.
  void expect_no_run(const char* call) const;

  /// While it lives, a callback may make passes of its own in the middle of one that is under way; what that has under
  /// way is kept, and put back. Does nothing where none is.
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
  class Undo;
  Passes make_passes(const Trainer* trainer) const;
  void find_context() const;
  void expect_computes(const Device& device, const Trainer* trainer) const;
  void drop_programs();
  void reset_optimizer();
  void make_training_memory();

  detail::InUse in_use_;
  const char* running_ = nullptr;  // fit, evaluate or predict, the innermost
  bool built_ = false;
  bool has_gradients_ = false;  // that were computed and are there
  Network network_;
  std::vector<LayerNode*> specified_;       // by the build
  mutable std::optional<Context> context_;  // made on first use where compile gives none
  ModelWeights weights_{network_};
  std::optional<Trainer> trainer_;
  Passes passes_;
  Programs programs_;
  std::shared_ptr<Profile> profile_;  // where a profiler watches
};

}  // namespace glia
