// Training and inference on whole arrays, in C.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/data.h>
#include <host/c/handles.h>

#include <limits>

using namespace glia;
using namespace glia::c;

namespace {

/// The program's function, called after each epoch.
class EpochEnd : public Callback {
 public:
  EpochEnd(glia_epoch_end function, void* user) : function_(function), user_(user) {}
  void on_epoch_end(int epoch, Logs& logs) override {
    std::vector<double> numbers(logs.size());
    put(logs, numbers.data(), numbers.size());
    if (function_(user_, epoch, numbers.data(), numbers.size()) != 0) model().stop_training();
  }

 private:
  glia_epoch_end function_;
  void* user_;
};

/// Before the work. A model that is not compiled has no logs, and the call itself says why.
void expect_room_for_logs(const Model& model, const double* logs, std::size_t count, std::size_t times = 1) {
  const std::size_t available = model.metrics_names().size();
  if (available > 0) expect_room(logs, count, available * times);
}

/// What the last epoch of a history logged; NaN where there was none.
Logs last_of(const History& history, const Model& model) {
  Logs logs;
  for (const std::string& name : model.metrics_names())
    logs.set(name, std::numeric_limits<double>::quiet_NaN());
  for (const std::string& key : history.keys()) logs.set(key, history[key].back());
  return logs;
}

std::int64_t batch_size_of(std::int64_t given) { return given == 0 ? 32 : given; }

using OnBatch = Logs (Model::*)(const Tensors&, const Tensors&, const Tensors&);

void on_batch(OnBatch call, glia_model* handle, const glia_array* x, std::size_t x_count, const glia_array* y,
              std::size_t y_count, const glia_array* sample_weight, double* logs, std::size_t log_count) {
  Model& model = in(handle);
  expect_room_for_logs(model, logs, log_count);
  const Tensors inputs = tensors_of(x, x_count, "x"), targets = tensors_of(y, y_count, "y");
  put((model.*call)(inputs, targets, tensors_of(sample_weight, y_count, "sample_weight", true)), logs,
      log_count);
}

}  // namespace

glia_status glia_model_fit(glia_model* handle, const glia_array* x, size_t x_count, const glia_array* y,
                           size_t y_count, const glia_fit_options* options, double* logs, size_t log_count) {
  return guarded(__func__, [&] {
    Model& model = in(handle);
    const glia_fit_options given = known(options);
    FitOptions wanted;
    wanted.verbose = given.verbose;
    wanted.batch_size = batch_size_of(given.batch_size);
    wanted.epochs = given.epochs == 0 ? 1 : given.epochs;
    wanted.validation_split = given.validation_split;
    wanted.shuffle = !given.keep_order;
    wanted.initial_epoch = given.initial_epoch;
    const bool has_rows = given.validation_x || given.validation_y;
    if (has_rows)
      wanted.validation_data = {tensors_of(given.validation_x, x_count, "options.validation_x"),
                                tensors_of(given.validation_y, y_count, "options.validation_y")};
    wanted.sample_weight = tensors_of(given.sample_weight, y_count, "options.sample_weight", true);
    if (given.on_epoch_end) wanted.callbacks = {EpochEnd(given.on_epoch_end, given.user)};
    const bool validates = has_rows || given.validation_split > 0;
    expect_room_for_logs(model, logs, log_count, validates ? 2 : 1);
    const Tensors inputs = tensors_of(x, x_count, "x"), targets = tensors_of(y, y_count, "y");
    put(last_of(model.fit(inputs, targets, wanted), model), logs, log_count);
  });
}

glia_status glia_model_evaluate(glia_model* handle, const glia_array* x, size_t x_count, const glia_array* y,
                                size_t y_count, const glia_pass_options* options, double* logs,
                                size_t log_count) {
  return guarded(__func__, [&] {
    Model& model = in(handle);
    const glia_pass_options given = known(options);
    EvaluateOptions wanted;
    wanted.batch_size = batch_size_of(given.batch_size);
    wanted.verbose = given.verbose;
    wanted.sample_weight = tensors_of(given.sample_weight, y_count, "options.sample_weight", true);
    expect_room_for_logs(model, logs, log_count);
    const Tensors inputs = tensors_of(x, x_count, "x"), targets = tensors_of(y, y_count, "y");
    put(model.evaluate(inputs, targets, wanted), logs, log_count);
  });
}

glia_status glia_model_predict(glia_model* handle, const glia_array* x, size_t x_count, const glia_output* y,
                               size_t y_count, const glia_pass_options* options) {
  return guarded(__func__, [&] {
    Model& model = in(handle);
    const glia_pass_options given = known(options);
    GLIA_CHECK(!given.sample_weight, ArgumentError,
               "options.sample_weight is given, but predict has no use for it: leave it NULL");
    const glia_output* const to = &expect_given(y, "y");
    PredictOptions wanted;
    wanted.batch_size = batch_size_of(given.batch_size);
    wanted.verbose = given.verbose;
    const NamedTensors outputs = model.predict_all(tensors_of(x, x_count, "x"), wanted);
    GLIA_CHECK(outputs.size() == y_count, ArgumentError, "y_count is ", y_count, ", but the model has ",
               outputs.size(), " outputs");
    for (std::size_t i = 0; i < y_count; ++i)
      expect_room(outputs[i].tensor, to[i], detail::concat("y[", i, ']'));
    for (std::size_t i = 0; i < y_count; ++i) put(outputs[i].tensor, to[i]);
  });
}

glia_status glia_model_train_on_batch(glia_model* model, const glia_array* x, size_t x_count,
                                      const glia_array* y, size_t y_count, const glia_array* sample_weight,
                                      double* logs, size_t log_count) {
  return guarded(__func__, [&] {
    on_batch(&Model::train_on_batch, model, x, x_count, y, y_count, sample_weight, logs, log_count);
  });
}
glia_status glia_model_test_on_batch(glia_model* model, const glia_array* x, size_t x_count,
                                     const glia_array* y, size_t y_count, const glia_array* sample_weight,
                                     double* logs, size_t log_count) {
  return guarded(__func__, [&] {
    on_batch(&Model::test_on_batch, model, x, x_count, y, y_count, sample_weight, logs, log_count);
  });
}
