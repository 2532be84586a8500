// evaluate, predict, and what is done with one batch.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/data/checks.h>
#include <host/device/context_memory.h>
#include <host/training/rows.h>
#include <host/training/training.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <utility>

namespace glia::training {
namespace {

/// A validation pass over all rows.
PassState judge(Model& owner, Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options,
                const char* call) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  check_compiled(model, call);
  const Core::Run run(model, call);
  const Core::Interlude interlude(model, Mode::validate);
  BuildGuard build(model);
  build_for(model, x, call);
  check_flip_average(model, options.flip_average);
  const Data data = data_of(model, x, y, options.sample_weight, {}, call);
  const std::int64_t rows = rows_of(data.rows), batch = std::min(options.batch_size, rows);
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(rows, batch));
  Pass pass = pass_over(model, Mode::validate, batch, data.rows);
  pass.flip_average = options.flip_average;
  const auto feeder = make_feeder(model, data.rows, pass, 0);
  feeder->begin(std::nullopt, 0);
  build.keep();
  const CallbackList callbacks(owner, model, options.callbacks,
                               {.steps = steps_for(rows, batch), .verbose = options.verbose});
  LaunchSize size(callbacks.watches_batches(Mode::validate));
  callbacks.each([](Callback& callback) { callback.on_test_begin(); });
  PassState result = run_pass(model, pass, *feeder, size, progress, &callbacks);
  const Logs logs = model.trainer().logs(result);
  progress.end(logs);
  callbacks.each([&](Callback& callback) { callback.on_test_end(logs); });
  return result;
}

}  // namespace

Logs evaluate(Model& owner, Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options) {
  const PassState pass = judge(owner, model, x, y, options, "evaluate");
  return model.trainer().logs(pass);
}

Tensor confusion_matrix(Model& owner, Core& model, const Tensors& x, const Tensors& y,
                        const EvaluateOptions& options) {
  check_compiled(model, "confusion_matrix");
  BuildGuard build(model);
  build_for(model, x, "confusion_matrix");
  checked_data(model, x, y, "confusion_matrix");
  build.keep();
  const ResolvedMetric* const metric = model.trainer().metric_that_counts_classes();
  GLIA_CHECK(metric, StateError,
             "confusion_matrix needs the metric of that name, which counts on the device: compile with "
             ".metrics = {..., \"confusion_matrix\"}");
  const PassState pass = judge(owner, model, x, y, options, "confusion_matrix");
  const std::vector<double> counts(pass.counters.begin() + metric->first_counter,
                                   pass.counters.begin() + metric->first_counter + metric->counters);
  const auto classes = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(counts.size()))));
  return Tensor(counts, {classes, classes}).cast(DType::int64);
}

std::vector<NamedTensor> predict(Model& owner, Core& model, const Tensors& x, const PredictOptions& options) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  const Core::Run run(model, "predict");
  const Core::Interlude interlude(model, Mode::infer);
  build_for(model, x, "predict");
  const Rows inputs = checked_inputs(model, x, "predict");
  check_flip_average(model, options.flip_average);
  const std::int64_t rows = rows_of(inputs), batch = std::min(options.batch_size, rows);
  const std::vector<std::string> names = model.network().output_names();
  std::vector<std::unique_ptr<ContextMemory>> memories;
  std::vector<void*> places;
  std::vector<NamedTensor> results;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Shape shape = model.network().output_shapes()[i].prepend(rows);
    if (rows == 0) {
      results.push_back({names[i], Tensor::zeros(shape, model.dtype)});
      continue;
    }
    memories.push_back(std::make_unique<ContextMemory>(
        model.context(), static_cast<std::size_t>(checked_bytes(shape, model.dtype)), MemoryUse::tensors));
    places.push_back(memories.back()->data());
  }
  Pass pass = pass_over(model, Mode::infer, batch, inputs);
  pass.flip_average = options.flip_average;
  if (rows > 0) expect_batches(model, pass, rows);
  const CallbackList callbacks(owner, model, options.callbacks,
                               {.steps = steps_for(rows, options.batch_size), .verbose = options.verbose});
  callbacks.each([](Callback& callback) { callback.on_predict_begin(); });
  const auto end = [&] {
    callbacks.each([](Callback& callback) { callback.on_predict_end(); });
    return std::move(results);
  };
  if (rows == 0) return end();
  const auto feeder = resident_feeder(model.context(), inputs, places);
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(rows, batch));
  feeder->begin(std::nullopt, 0);
  LaunchSize size(callbacks.watches_batches(Mode::infer));
  run_pass(model, pass, *feeder, size, progress, &callbacks);
  progress.end(Logs());
  for (std::size_t i = 0; i < names.size(); ++i) {
    Tensor result = Tensor::adopt(std::move(memories[i]), model.network().output_shapes()[i].prepend(rows),
                                  model.dtype, model.context().device());
    const bool stays = inputs[0]->device() == result.device();
    results.push_back({names[i], stays ? std::move(result) : result.to(inputs[0]->device())});
  }
  return end();
}

Logs run_on_batch(Core& model, Mode mode, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                  const char* call, TensorList* input_gradients) {
  check_compiled(model, call);
  if (mode == Mode::train) InterruptGuard::check(call);
  const Core::Interlude interlude(model, mode);
  BuildGuard build(model);
  build_for(model, x, call);
  const Data data = data_of(model, x, y, sample_weight, {}, call);
  Pass pass = pass_over(model, mode, rows_of(data.rows), data.rows);
  std::vector<std::unique_ptr<ContextMemory>> memories;
  std::vector<void*> places;
  for (std::size_t i = 0; input_gradients && i < model.network().input_shapes().size(); ++i) {
    const Shape shape = model.network().input_shapes()[i].prepend(pass.batch);
    const auto bytes = static_cast<std::size_t>(checked_bytes(shape, model.dtype));
    memories.push_back(std::make_unique<ContextMemory>(model.context(), bytes, MemoryUse::tensors));
    model.backend().clear(memories.back()->data(), bytes);  // of what no loss depends on
    places.push_back(memories.back()->data());
  }
  pass.of_inputs = input_gradients != nullptr;
  const auto feeder = resident_feeder(model.context(), data.rows, places);
  feeder->begin(std::nullopt, 0);
  const std::shared_ptr<const Program> program = model.program(pass);
  build.keep();
  const Passes::End end(model.passes(), mode);
  model.passes().begin(mode, feeder->next()->fed);
  model.run(*program, 1);
  model.passes().request(mode);
  Logs logs = model.trainer().logs(model.passes().take());
  for (std::size_t i = 0; i < memories.size(); ++i)
    input_gradients->push_back(Tensor::adopt(std::move(memories[i]),
                                             model.network().input_shapes()[i].prepend(pass.batch),
                                             model.dtype, model.context().device())
                                   .to("cpu"));
  return logs;
}

}  // namespace glia::training
