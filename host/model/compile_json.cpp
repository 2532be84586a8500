// What compile was told, written and read.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/config.h>
#include <host/model/compile_json.h>

#include <string>
#include <utility>
#include <vector>

namespace glia {
namespace {

using Kind = Json::Kind;

void put_metrics(Json& json, const char* name, const MetricNames& metrics) {
  Json& list = json.add(name, Json(Kind::array));
  for (const MetricName& metric : metrics) list.add(json_of(metric));
}

MetricNames read_metrics(Config& config, const char* name) {
  std::vector<MetricName> metrics;
  if (const Json* const list = config.found(name))
    for (const Json::Member& metric : list->members) metrics.push_back(read_metric(metric.value));
  return metrics;
}

LossNames read_losses(Config& config) {
  const Json *const all = config.found("loss"), *const by_output = config.found("losses");
  if (all) return read_loss(*all);
  std::vector<std::pair<std::string, LossName>> losses;
  if (by_output)
    for (const Json::Member& loss : by_output->members) losses.emplace_back(loss.key, read_loss(loss.value));
  return losses;
}

void list_settings(Config& config, OptimizerName& optimizer, CompileOptions& options) {
  config.field("optimizer", optimizer), config.field("precision", options.precision);
  config.field("loss_weights", options.loss_weights);
}

}  // namespace

Json compile_json(const Core& core) {
  CompileOptions told = core.trainer().told();
  OptimizerName optimizer = told.optimizer;
  optimizer.value() = core.trainer().optimizer();
  Json json(Kind::object);
  Config config(json);
  list_settings(config, optimizer, told);
  if (told.loss.all()) json.add("loss", json_of(*told.loss.all()));
  if (!told.loss.by_output().empty()) {
    Json& losses = json.add("losses", Json(Kind::object));
    for (const auto& [output, loss] : told.loss.by_output()) losses.add(output, json_of(loss));
  }
  put_metrics(json, "metrics", told.metrics), put_metrics(json, "weighted_metrics", told.weighted_metrics);
  Json& frozen = json.add("frozen", Json(Kind::array));
  const std::vector<const LayerNode*> nodes = core.network().nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (core.trainer().is_frozen(*nodes[i])) frozen.add(Json::of(static_cast<std::int64_t>(i)));
  return json;
}

OptimizerName optimizer_in(const Json& compile) {
  Json copy = compile;
  Config config(copy, "compile");
  OptimizerName optimizer = "rmsprop";
  config.needed("optimizer", optimizer);
  return optimizer;
}

void compile_as(Core& core, const Json& json, const CompileOptions& where) {
  Json copy = json;
  Config config(copy, "compile");
  CompileOptions options;
  options.device = where.device, options.context = where.context;
  list_settings(config, options.optimizer, options);
  options.loss = read_losses(config);
  options.metrics = read_metrics(config, "metrics");
  options.weighted_metrics = read_metrics(config, "weighted_metrics");
  const bool says_frozen = config.found("frozen") != nullptr;
  std::vector<double> frozen;
  config.field("frozen", frozen);
  config.finish();
  if (!says_frozen) return core.compile(options);

  const std::vector<LayerNode*> nodes = all_nodes(core.network().layers());
  std::vector<bool> wanted;
  for (LayerNode* node : nodes) wanted.push_back(std::exchange(node->trainable, true));
  for (const double number : frozen)
    if (number >= 0 && number < static_cast<double>(nodes.size()))
      nodes[static_cast<std::size_t>(number)]->trainable = false;
  core.compile(options);
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i]->trainable = wanted[i];
}

}  // namespace glia
