// What optimizers keep: Keras lists it variable by variable, Glia by rows of a slot each.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/optimizer_state.h"

#include <cstdlib>
#include <utility>

#include "interchange/keras/classes.h"

namespace glia::keras {
namespace {

double number_in(const Json& config, const char* name, double otherwise) {
  const Json* const found = given(config, name);
  if (!found) return otherwise;
  if (found->is(Kind::boolean)) return found->text == "true";
  return found->is(Kind::number) && found->text.find_first_not_of("0.") != std::string::npos
             ? 1
             : 0;  // whether it is not 0
}

struct Layout {
  bool known = false;
  bool keeps_rate = true;  ///< a number, not a schedule
  std::vector<std::vector<int>> groups =
      {};                       ///< of Glia's rows: for each group, for each weight, one after the other
  std::vector<int> zeros = {};  ///< rows that Keras does not keep, and which are 0
  bool starts_at_zero = true;
};

Layout layout_of(const Json& compile) {
  const Json& optimizer = *compile.find("optimizer");
  const std::string given_name =
      optimizer.is(Kind::text) ? optimizer.text : text_or(optimizer, "class_name", "");
  const std::string name = given_name == "RMSprop" ? "rmsprop"
                           : given_name == "SGD"   ? "sgd"
                           : given_name == "AdamW" ? "adamw"
                                                   : snake_case(given_name);
  const Json none(Kind::object);
  const Json& config = optimizer.find("config") ? *optimizer.find("config") : none;
  Layout layout;
  const Json* const rate = given(config, "learning_rate");
  layout.keeps_rate = !rate || rate->is(Kind::number);
  const Json* const steps = given(config, "gradient_accumulation_steps");
  if (number_in(config, "use_ema", 0) != 0 || (steps && steps->text != "1")) return layout;
  const bool has_momentum = number_in(config, "momentum", 0) != 0;
  layout.known = true;
  if (name == "sgd") {
    if (has_momentum) layout.groups = {{0}};
  } else if (name == "rmsprop") {
    const bool is_centered = number_in(config, "centered", 0) != 0;
    layout.groups = {{0}};
    if (has_momentum) layout.groups.push_back({1});
    if (is_centered) layout.groups.push_back({2});
    if (is_centered && !has_momentum) layout.zeros = {1};
  } else if (name == "adam" || name == "adamw") {
    layout.groups = {{0, 1}};
    if (number_in(config, "amsgrad", 0) != 0) layout.groups.push_back({2});
  } else if (name == "adamax" || name == "adadelta") {
    layout.groups = {{0, 1}};
  } else if (name == "lion") {
    layout.groups = {{0}};
  } else if (name == "adagrad") {
    layout.groups = {{0}}, layout.starts_at_zero = false;
  } else {
    layout.known = false;
  }
  return layout;
}

std::string kept_name(int row, const std::string& weight) {
  return "glia.optimizer/" + std::to_string(row) + '/' + weight;
}

}  // namespace

OptimizerState read_state(const Hdf5Reader& file, const std::vector<std::string>& paths, const Json& compile,
                          const std::vector<std::string>& trained, const std::map<std::string, Shape>& shapes,
                          DType dtype, std::string& why) {
  const Layout layout = layout_of(compile);
  std::size_t next = layout.keeps_rate ? 2 : 1, expected = next;
  for (const std::vector<int>& group : layout.groups) expected += group.size() * trained.size();
  if (!layout.known) return why = "its optimizer keeps other numbers than Glia's", OptimizerState{};
  if (paths.size() <= next && paths.size() < expected) return {};  // before the first step
  if (paths.size() != expected)
    return why = detail::concat("it has ", paths.size(), " variables of the optimizer, expected ", expected),
           OptimizerState{};
  OptimizerState state;
  state.steps = file.read_whole(paths[0]);
  if (state.steps < 0) return why = "its optimizer made a number of steps below 0", OptimizerState{};
  for (const std::vector<int>& group : layout.groups)
    for (const std::string& weight : trained)
      for (const int row : group) {
        const Shape shape = file.shape(paths[next]), &expected_shape = shapes.at(weight);
        if (shape != expected_shape && !(shape.rank() == 0 && expected_shape == Shape{1}))
          return why = "variables of the optimizer have other shapes than the weights", OptimizerState{};
        state.tensors.push_back(
            {kept_name(row, weight), file.read(paths[next++], dtype).reshape(expected_shape)});
      }
  for (const int row : layout.zeros)
    for (const std::string& weight : trained)
      state.tensors.push_back({kept_name(row, weight), Tensor::zeros(shapes.at(weight), dtype)});
  return state;
}

void write_state(Hdf5Writer& file, const Json& compile, double learning_rate, const OptimizerState& state,
                 const std::vector<std::string>& trained, const std::map<std::string, Shape>& shapes,
                 DType dtype) {
  const Layout layout = layout_of(compile);
  if (!layout.known || (state.tensors.empty() && !layout.starts_at_zero) || state.steps > INT32_MAX) return;
  std::map<std::string, const Tensor*> kept;
  for (const NamedTensor& named : state.tensors) kept[named.name] = &named.tensor;
  const auto path = [next = 0]() mutable { return "optimizer/vars/" + std::to_string(next++); };
  file.group("optimizer/vars");
  auto place = path;
  file.dataset(place(), static_cast<std::int32_t>(state.steps));
  if (layout.keeps_rate) file.dataset(place(), Tensor::full({}, learning_rate));
  for (const std::vector<int>& group : layout.groups)
    for (const std::string& weight : trained)
      for (const int row : group) {
        const auto found = kept.find(kept_name(row, weight));
        if (found != kept.end())
          file.dataset(place(), found->second->reshape(shapes.at(weight)));
        else
          file.dataset(place(), Tensor::zeros(shapes.at(weight), dtype));
      }
}

}  // namespace glia::keras
