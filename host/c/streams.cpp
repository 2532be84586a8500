// Predictors and learners of the C interface.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/data.h>
#include <host/c/handles.h>

#include <span>

using namespace glia;
using namespace glia::c;

namespace {

/// Throws ArgumentError for NULL that is to have `count` pointers.
template <class Pointer>
std::span<Pointer const> pointers(Pointer const* list, std::size_t count, const char* name) {
  if (count > 0) expect_given(list, name);
  return {list, count};
}

/// Gives the logs away that were read, once there is room for them.
void give(OwnedLearner& of, double* logs, std::size_t count) {
  expect_room(logs, count, of.read->size());
  put(*of.read, logs, count);
  of.read.reset();
}

}  // namespace

glia_status glia_predictor_create(const glia_model* model, const glia_predictor_options* options,
                                  glia_predictor** predictor) {
  return guarded(__func__, [&] {
    const Model& of = in(model);
    glia_predictor*& result = expect_given(predictor, "predictor");
    const glia_predictor_options given = known(options);
    PredictorOptions wanted;
    wanted.max_batch = given.max_batch == 0 ? 1 : given.max_batch;
    if (given.batch_size_count > 0) expect_given(given.batch_sizes, "options.batch_sizes");
    wanted.batch_sizes.assign(given.batch_sizes, given.batch_sizes + given.batch_size_count);
    wanted.dtype = c::dtype_of(given.dtype, "options");
    wanted.scale = given.scale == 0 ? 1 : given.scale;
    wanted.stream = stream_of(given.stream);
    wanted.threads = given.threads == 0 ? 1 : given.threads;
    wanted.deterministic = !given.nondeterministic;
    wanted.propagate_nan = !given.may_hide_nan;
    result = make<glia_predictor>(of.predictor(wanted));
  });
}

glia_status glia_predictor_destroy(glia_predictor* predictor) {
  return guarded(__func__, [&] { destroy(predictor, "predictor"); });
}

glia_status glia_predictor_enqueue(glia_predictor* predictor, const void* const* x, size_t x_count,
                                   void* const* y, size_t y_count, int64_t batch, void* const* stream) {
  return guarded(__func__, [&] {
    Predictor& of = in(predictor);
    const auto inputs = pointers(x, x_count, "x");
    of.enqueue(inputs, pointers(y, y_count, "y"), batch, stream_of(stream));
  });
}

glia_status glia_predictor_update(glia_predictor* predictor, const glia_array* weights, size_t weight_count,
                                  void* const* stream) {
  return guarded(
      __func__, [&] { in(predictor).update(views_of(weights, weight_count, "weights"), stream_of(stream)); });
}

glia_status glia_predictor_synchronize(glia_predictor* predictor) {
  return guarded(__func__, [&] { in(predictor).synchronize(); });
}

glia_status glia_predictor_explain(const glia_predictor* predictor, int64_t batch, char* text,
                                   size_t capacity, size_t* needed) {
  return guarded(__func__, [&] { put(in(predictor).explain(batch), text, capacity, needed); });
}

glia_status glia_learner_create(glia_model* model, glia_learner** learner) {
  return guarded(__func__, [&] {
    Model& of = in(model);
    glia_learner*& result = expect_given(learner, "learner");
    result = make<glia_learner>(OwnedLearner{of.learner()});
  });
}

glia_status glia_learner_destroy(glia_learner* learner) {
  return guarded(__func__, [&] { destroy(learner, "learner"); });
}

glia_status glia_learner_enqueue_train(glia_learner* learner, const glia_array* x, size_t x_count,
                                       const glia_array* y, size_t y_count, const glia_array* sample_weight,
                                       void* const* stream) {
  return guarded(__func__, [&] {
    Learner& of = in(learner);
    const Tensors inputs = tensors_of(x, x_count, "x"), targets = tensors_of(y, y_count, "y");
    of.enqueue_train(inputs, targets, tensors_of(sample_weight, y_count, "sample_weight", true),
                     stream_of(stream));
  });
}

glia_status glia_learner_enqueue_backward(glia_learner* learner, const glia_array* x, size_t x_count,
                                          const glia_array* y, size_t y_count,
                                          const glia_array* sample_weight,
                                          const glia_mutable_array* input_gradients,
                                          size_t input_gradient_count, void* const* stream) {
  return guarded(__func__, [&] {
    Learner& of = in(learner);
    const Tensors inputs = tensors_of(x, x_count, "x"), targets = tensors_of(y, y_count, "y");
    const Tensors weights = tensors_of(sample_weight, y_count, "sample_weight", true);
    of.enqueue_backward(inputs, targets, weights,
                        views_of(input_gradients, input_gradient_count, "input_gradients"),
                        stream_of(stream));
  });
}

glia_status glia_learner_enqueue_apply_gradients(glia_learner* learner, void* const* stream) {
  return guarded(__func__, [&] { in(learner).enqueue_apply_gradients(stream_of(stream)); });
}

glia_status glia_learner_weight_count(glia_learner* learner, size_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(learner).weights().size(); });
}

glia_status glia_learner_weight(glia_learner* learner, size_t number, glia_mutable_array* weight) {
  return guarded(__func__, [&] {
    const std::vector<MutableTensorView> all = in(learner).weights();
    put(at(all, number, "weight"), weight, "weight");
  });
}

glia_status glia_learner_gradient_count(glia_learner* learner, size_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(learner).gradients().size(); });
}

glia_status glia_learner_gradient(glia_learner* learner, size_t number, glia_mutable_array* gradient) {
  return guarded(__func__, [&] {
    const std::vector<MutableTensorView> all = in(learner).gradients();
    put(at(all, number, "gradient"), gradient, "gradient");
  });
}

glia_status glia_learner_enqueue_logs(glia_learner* learner, void* const* stream) {
  return guarded(__func__, [&] {
    OwnedLearner& of = object_of(learner, "learner");
    of.learner.enqueue_logs(stream_of(stream));
    of.read.reset();
  });
}

glia_status glia_learner_logs(glia_learner* learner, double* logs, size_t log_count) {
  return guarded(__func__, [&] {
    OwnedLearner& of = object_of(learner, "learner");
    if (!of.read) of.read = of.learner.logs();
    give(of, logs, log_count);
  });
}

glia_status glia_learner_logs_if_ready(glia_learner* learner, int32_t* ready, double* logs,
                                       size_t log_count) {
  return guarded(__func__, [&] {
    OwnedLearner& of = object_of(learner, "learner");
    int32_t& is_ready = expect_given(ready, "ready");
    if (!of.read) of.read = of.learner.logs_if_ready();
    const bool is_read = of.read.has_value();
    if (is_read) give(of, logs, log_count);
    is_ready = is_read ? 1 : 0;
  });
}

glia_status glia_learner_synchronize(glia_learner* learner) {
  return guarded(__func__, [&] { in(learner).synchronize(); });
}
