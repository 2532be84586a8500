// Models of the C interface: made, compiled, asked what they are.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/data.h>
#include <host/c/handles.h>
#include <host/c/layers.h>

#include <sstream>

using namespace glia;
using namespace glia::c;

glia_status glia_sequential_create(const char* layers, const glia_sequential_options* options,
                                   glia_model** model) {
  return guarded(__func__, [&] {
    glia_model*& result = expect_given(model, "model");
    const std::string text = &expect_given(layers, "layers");
    const glia_sequential_options given = known(options);
    auto chain = std::make_unique<Sequential>(layers_of(text));
    if (given.name) chain->set_name(given.name);
    chain->set_seed(given.seed);
    chain->set_dtype(c::dtype_of(given.dtype, "options"));
    OwnedModel owned;
    owned.chain = chain.get();
    owned.model = std::move(chain);
    result = make<glia_model>(std::move(owned));
  });
}

glia_status glia_model_destroy(glia_model* model) {
  return guarded(__func__, [&] { destroy(model, "model"); });
}

glia_status glia_model_build(glia_model* model, const glia_shape* row) {
  return guarded(__func__, [&] {
    Sequential* const chain = object_of(model, "model").chain;
    GLIA_CHECK(chain, StateError, "the model is no chain, and knows the shapes of its inputs");
    chain->build(shape_of(row, "row"));
  });
}

glia_status glia_model_compile(glia_model* model, const glia_compile_options* options) {
  return guarded(__func__, [&] {
    Model& compiled = in(model);
    const glia_compile_options given = known(options);
    CompileOptions wanted;
    wanted.optimizer = optimizer_of(text_or(given.optimizer, "rmsprop"));
    if (given.learning_rate != 0)
      std::visit([&](auto& of) { of.learning_rate = given.learning_rate; }, wanted.optimizer.value());
    if (given.loss) wanted.loss = loss_of(given.loss);
    std::vector<MetricName> metrics;
    if (given.metric_count > 0) expect_given(given.metrics, "options.metrics");
    for (std::size_t i = 0; i < given.metric_count; ++i)
      metrics.emplace_back(
          std::string(&expect_given(given.metrics[i], detail::concat("options.metrics[", i, ']').c_str())));
    wanted.metrics = std::move(metrics);
    if (given.context) wanted.context = object_of(given.context, "options.context");
    if (given.device) wanted.device = Device(std::string(given.device));
    wanted.precision = text_or(given.precision, "float32");
    compiled.compile(wanted);
  });
}

glia_status glia_model_input_count(const glia_model* model, size_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(model).inputs().size(); });
}
glia_status glia_model_output_count(const glia_model* model, size_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(model).outputs().size(); });
}
glia_status glia_model_input_shape(const glia_model* model, size_t number, glia_shape* row) {
  return guarded(__func__, [&] {
    const std::vector<Symbol> inputs = in(model).inputs();
    put(at(inputs, number, "input").shape(), row, "row");
  });
}
glia_status glia_model_output_shape(const glia_model* model, size_t number, glia_shape* row) {
  return guarded(__func__, [&] {
    const std::vector<Symbol> outputs = in(model).outputs();
    put(at(outputs, number, "output").shape(), row, "row");
  });
}
glia_status glia_model_count_params(const glia_model* model, int64_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(model).count_params(); });
}

glia_status glia_model_summary(const glia_model* model, char* text, size_t capacity, size_t* needed) {
  return guarded(__func__, [&] {
    std::ostringstream out;
    in(model).summary(out);
    put(out.str(), text, capacity, needed);
  });
}
glia_status glia_model_explain(glia_model* model, int64_t batch_size, char* text, size_t capacity,
                               size_t* needed) {
  return guarded(__func__, [&] { put(in(model).explain(batch_size), text, capacity, needed); });
}

glia_status glia_model_metric_count(const glia_model* model, size_t* count) {
  return guarded(__func__, [&] { expect_given(count, "count") = in(model).metrics_names().size(); });
}
glia_status glia_model_metric_name(const glia_model* model, size_t number, char* text, size_t capacity,
                                   size_t* needed) {
  return guarded(__func__, [&] {
    const std::vector<std::string> names = in(model).metrics_names();
    put(at(names, number, "metric"), text, capacity, needed);
  });
}

glia_status glia_model_learning_rate(const glia_model* model, double* learning_rate) {
  return guarded(__func__, [&] { expect_given(learning_rate, "learning_rate") = in(model).learning_rate(); });
}
glia_status glia_model_set_learning_rate(glia_model* model, double learning_rate) {
  return guarded(__func__, [&] { in(model).set_learning_rate(learning_rate); });
}
glia_status glia_model_iterations(const glia_model* model, int64_t* iterations) {
  return guarded(__func__, [&] { expect_given(iterations, "iterations") = in(model).iterations(); });
}
