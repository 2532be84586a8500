// Weights of models of the C interface, one by one, and files of weights and models.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/data.h>
#include <host/c/handles.h>
#include <host/training/using.h>

using namespace glia;
using namespace glia::c;

namespace {

const Variable& variable(const Using& core, std::size_t number) {
  const std::vector<const Variable*> all = core.built("a weight").weights().variables();
  return *at(all, number, "weight");
}

}  // namespace

glia_status glia_model_weight_count(const glia_model* model, size_t* count) {
  return guarded(__func__, [&] {
    std::size_t& result = expect_given(count, "count");
    const Using core(core_of(in(model)));
    result = core.built("a count of weights").weights().variables().size();
  });
}

glia_status glia_model_weight_name(const glia_model* model, size_t number, char* text, size_t capacity,
                                   size_t* needed) {
  return guarded(__func__, [&] {
    const std::vector<std::string> names = in(model).weight_names();
    put(at(names, number, "weight"), text, capacity, needed);
  });
}

glia_status glia_model_weight_shape(const glia_model* model, size_t number, glia_shape* shape) {
  return guarded(__func__, [&] {
    const Using core(core_of(in(model)));
    put(variable(core, number).shape, shape, "shape");
  });
}

glia_status glia_model_get_weight(const glia_model* model, size_t number, const glia_output* weight) {
  return guarded(__func__, [&] {
    const glia_output& to = expect_given(weight, "weight");
    const Using core(core_of(in(model)));
    const Tensor value = read(variable(core, number));
    expect_room(value, to, "weight");
    put(value, to);
  });
}

glia_status glia_model_set_weight(glia_model* model, size_t number, const glia_array* weight) {
  return guarded(__func__, [&] {
    const Using core(core_of(in(model)));
    const Variable& variable = ::variable(core, number);
    write({&variable}, {view_of(weight, "weight")},
          [&](std::size_t) { return core->weights().names()[number]; });
  });
}

glia_status glia_model_save_weights(const glia_model* model, const char* path) {
  return guarded(__func__, [&] { in(model).save_weights(&expect_given(path, "path")); });
}
glia_status glia_model_load_weights(glia_model* model, const char* path) {
  return guarded(__func__, [&] { in(model).load_weights(&expect_given(path, "path")); });
}

glia_status glia_model_save(const glia_model* model, const char* path) {
  return guarded(__func__, [&] { in(model).save(&expect_given(path, "path")); });
}
glia_status glia_model_load(const char* path, const glia_load_options* options, glia_model** model) {
  return guarded(__func__, [&] {
    glia_model*& result = expect_given(model, "model");
    const std::string file = &expect_given(path, "path");
    const glia_load_options given = known(options);
    GLIA_CHECK(given.reserved == 0, ArgumentError, "options got reserved ", given.reserved,
               ", expected 0: fill the struct with zeros first");
    LoadOptions wanted;
    wanted.compile = !given.without_training;
    if (given.context) wanted.context = object_of(given.context, "options.context");
    if (given.device) wanted.device = Device(std::string(given.device));
    OwnedModel owned;
    owned.model = std::make_unique<Model>(load_model(file, wanted));
    result = make<glia_model>(std::move(owned));
  });
}
