// Learner: steps over given rows.
// SPDX-License-Identifier: Apache-2.0
#include <glia/learner.h>
#include <host/data/checks.h>
#include <host/device/cuda_library.h>  // defines: expect_on
#include <host/training/learner_engine.h>
#include <host/training/rows.h>
#include <host/training/using.h>

#include <utility>

namespace glia {

Learner::Engine::Engine(std::shared_ptr<Core> core) : core_(std::move(core)) {}

/// Rows that a step can read where they are.
void Learner::Engine::expect_here(const Core& model, const TensorView& view, const char* what,
                                  const char* call) {
  GLIA_CHECK(view.device() == model.context().device(), DeviceError, call, " got ", what, " on ",
             view.device(), ", expected ", model.context().device(),
             ", where the weights are: fit and train_on_batch bring rows there, this does not");
  cuda_library::expect_on(view.device(), view.raw());
}

void Learner::Engine::step(Mode mode, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                           const std::vector<MutableTensorView>& input_gradients, std::optional<void*> stream,
                           const char* call) {
  const Using core(core_, Core::Stream::stays);
  check_compiled(*core, call);
  const Core::Interlude interlude(*core, mode);
  training::BuildGuard build(*core);
  training::build_for(*core, x, call);
  const Rows rows = given_rows(*core, x, y, sample_weight, call);
  training::Pass pass = training::pass_over(*core, mode, rows_of(rows), rows);
  pass.given = true, pass.of_inputs = !input_gradients.empty();
  check_input_gradients(*core, pass.batch, input_gradients);
  const std::shared_ptr<const Program> program = core->program(pass);
  build.keep();
  sources_.clear();
  for (const std::optional<TensorView>& view : rows)
    sources_.push_back(view ? Source{const_cast<void*>(view->raw()), view->scale()} : Source{});
  for (const MutableTensorView& view : input_gradients) sources_.push_back({view.raw(), 1});
  core->backend().enqueue_on(stream);
  if ((mode != Mode::train || !counts_) && !core->backend().is_captured()) core->passes().begin_given(mode);
  counts_ = mode == Mode::train, counted_ = mode;
  core->run_given(*program, {sources_.data(), pass.batch});
  if (mode == Mode::gradient) core->keep_gradients();
}

/// Inputs, targets, and weights as they are.
Rows Learner::Engine::given_rows(const Core& model, const Tensors& x, const Tensors& y,
                                 const Tensors& sample_weight, const char* call) {
  Rows rows = checked_data(model, x, y, call);
  for (const std::optional<TensorView>& view : rows) expect_here(model, *view, "rows", call);
  const std::size_t first = rows.size();
  add_in_order(rows, sample_weight, model.trainer().heads().names, false, "sample_weight", call);
  for (std::size_t i = first; i < rows.size(); ++i) {
    if (!rows[i]) continue;
    expect_here(model, *rows[i], "sample_weight", call);
    GLIA_CHECK(rows[i]->shape() == Shape{rows[0]->rows()} && rows[i]->dtype() == DType::float32, ShapeError,
               call, " got sample_weight of shape ", rows[i]->shape(), " and ", rows[i]->dtype(),
               ", expected float32 (", rows[0]->rows(), ",): a number a row");
  }
  return rows;
}

void Learner::Engine::check_input_gradients(const Core& model, std::int64_t rows,
                                            const std::vector<MutableTensorView>& gradients) {
  if (gradients.empty()) return;
  const Shapes& shapes = model.network().input_shapes();
  GLIA_CHECK(gradients.size() == shapes.size(), ValueError, "enqueue_backward got room for the gradients of ",
             gradients.size(), " inputs, expected ", shapes.size(), ", one for each");
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Shape wanted = shapes[i].prepend(rows);
    expect_here(model, gradients[i], "room for gradients", "enqueue_backward");
    GLIA_CHECK(gradients[i].shape() == wanted && gradients[i].dtype() == model.dtype, ShapeError,
               "enqueue_backward got room for the gradient of input ", i, " of shape ", gradients[i].shape(),
               " and ", gradients[i].dtype(), ", expected ", model.dtype, ' ', wanted);
  }
}

void Learner::Engine::apply_gradients(std::optional<void*> stream) {
  const Using core(core_, Core::Stream::stays);
  check_compiled(core.built("enqueue_apply_gradients"), "enqueue_apply_gradients");
  core->gradient_views();  // which are there from now on
  core->keep_gradients();
  core->backend().enqueue_on(stream);
  core->enqueue_apply_gradients();
}

std::vector<MutableTensorView> Learner::Engine::weights() {
  const Using core(core_, Core::Stream::stays);
  std::vector<MutableTensorView> views;
  for (const Variable* variable : core.built("weights").weights().variables())
    views.push_back(MutableTensorView::of(variable->block->data() + variable->offset, variable->shape,
                                          variable->block->dtype(), core->context().device()));
  return views;
}

std::vector<MutableTensorView> Learner::Engine::gradients() {
  const Using core(core_, Core::Stream::stays);
  check_compiled(core.built("gradients"), "gradients");
  return core->gradient_views();
}

bool Learner::Engine::reads_from(const Core& core) const {
  return reader_ && &read_on_->backend() == &core.backend() && reads_ == core.passes().bytes_of_read();
}

void Learner::Engine::enqueue_logs(std::optional<void*> stream) {
  const Using core(core_, Core::Stream::stays);
  check_compiled(core.built("enqueue_logs"), "enqueue_logs");
  GLIA_CHECK(counted_, StateError,
             "enqueue_logs has nothing to read: call enqueue_train or enqueue_backward first");
  if (!reads_from(*core)) {
    asked_ = false;
    reader_.reset();  // before its context
    read_on_ = core->context();
    reads_ = core->passes().bytes_of_read();
    reader_ = core->backend().reader(reads_);
  }
  core->backend().enqueue_on(stream);
  core->passes().start(*reader_, *counted_);
  counts_ = false;  // the next step begins anew
  asked_ = true;
}

std::optional<Logs> Learner::Engine::logs(bool waits) {
  const Using core(core_, Core::Stream::stays);
  GLIA_CHECK(asked_ && core->compiled() && core->built() && reads_from(*core), StateError,
             "there are no logs to come: call enqueue_logs first, and after a compile again");
  if (!waits && !reader_->is_done()) return std::nullopt;
  asked_ = false;
  return core->trainer().logs(core->passes().parsed(reader_->wait()));
}

void Learner::Engine::synchronize() {
  const Using core(core_, Core::Stream::stays);
  core->backend().synchronize();
}

Learner::Learner(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Learner::Learner(Learner&&) noexcept = default;
Learner& Learner::operator=(Learner&&) noexcept = default;
Learner::~Learner() = default;

Learner::Engine& Learner::engine() const {
  GLIA_CHECK(engine_, StateError, "this learner was moved from: use the one it was moved to");
  return *engine_;
}
void Learner::enqueue_train(const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                            std::optional<void*> stream) {
  engine().step(Mode::train, x, y, sample_weight, {}, stream, "enqueue_train");
}
void Learner::enqueue_backward(const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                               const std::vector<MutableTensorView>& input_gradients,
                               std::optional<void*> stream) {
  engine().step(Mode::gradient, x, y, sample_weight, input_gradients, stream, "enqueue_backward");
}
void Learner::enqueue_apply_gradients(std::optional<void*> stream) { engine().apply_gradients(stream); }
std::vector<MutableTensorView> Learner::weights() { return engine().weights(); }
std::vector<MutableTensorView> Learner::gradients() { return engine().gradients(); }
void Learner::enqueue_logs(std::optional<void*> stream) { engine().enqueue_logs(stream); }
std::optional<Logs> Learner::logs_if_ready() { return engine().logs(false); }
Logs Learner::logs() { return *engine().logs(true); }
void Learner::synchronize() { engine().synchronize(); }

}  // namespace glia
