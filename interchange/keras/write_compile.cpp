// What compile was told, in Keras 3's words.
// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "interchange/keras/classes.h"  // defines: metric_name
#include "interchange/keras/write.h"

namespace glia::keras {
namespace {

struct Object {
  std::string name;
  Json config{Kind::object};
};
Object object_in(const Json& glia) {
  if (glia.is(Kind::text)) return {glia.text};
  return {text_or(glia, "class_name", ""), *glia.find("config")};
}

std::string optimizer_class(const std::string& name) {
  if (name == "sgd") return "SGD";
  if (name == "rmsprop") return "RMSprop";
  if (name == "adamw") return "AdamW";
  return pascal_case(name);
}

/// What Glia says by 0 (or 1, of steps), and Keras by None.
void write_nothing(Json& config, const std::string& name) {
  for (const char* option : {"clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency",
                             "gradient_accumulation_steps", "weight_decay"}) {
    Json* const found = config.find(option);
    const bool decays = name == "adamw" || name == "lion" || name == "muon";  // these want a number
    if (!found || (decays && std::string(option) == "weight_decay")) continue;
    const std::string none = std::string(option) == "gradient_accumulation_steps" ? "1" : "0";
    if (found->text == none || found->text == none + ".0") *found = Json();
  }
}

Json write_rate(const Json& glia) {
  if (!glia.is(Kind::object)) return glia;
  Object schedule = object_in(glia);
  GLIA_CHECK(schedule.name != "OneCycle", ValueError,
             "the learning rate follows a OneCycle, which Keras has not; save without the optimizer, "
             "{.include_optimizer = false}");
  if (Json* const target = schedule.config.find("warmup_target"); target && is_null(target))
    taken(schedule.config, "warmup_target");
  return keras_object("keras.optimizers.schedules", schedule.name, std::move(schedule.config));
}

Json write_optimizer(const Json& glia) {
  Object optimizer = object_in(glia);
  if (glia.is(Kind::text)) return Json::of(optimizer_class(optimizer.name));
  Json& config = optimizer.config;
  if (Json* const rate = config.find("learning_rate")) *rate = write_rate(*rate);
  write_nothing(config, optimizer.name);
  return keras_object("keras.optimizers", optimizer_class(optimizer.name), std::move(config));
}

Json write_loss(const Json& glia) {
  Object loss = object_in(glia);
  if (glia.is(Kind::text)) return glia;
  if (loss.name == "sparse_categorical_crossentropy")
    if (Json* const ignored = loss.config.find("ignore_class"); ignored && ignored->text.size() > 12)
      *ignored = Json();
  return keras_object("keras.losses", loss.name == "kl_divergence" ? "KLDivergence" : pascal_case(loss.name),
                      std::move(loss.config));
}

/// Classes of metrics whose names Keras does not make as others'.
std::string metric_class(const std::string& name) {
  if (name == "auc") return "AUC";
  if (name == "top_k_categorical_accuracy") return "TopKCategoricalAccuracy";
  if (name == "fbeta_score") return "FBetaScore";
  return pascal_case(name);
}

Json write_metric(const Json& glia) {
  const Json& metric = glia.find("metric") ? *glia.find("metric") : glia;
  const std::string label = text_or(glia, "label", "");
  Object object = object_in(metric);
  object.name = metric_name(object.name);
  GLIA_CHECK(object.name != "confusion_matrix", ValueError,
             "the metric confusion_matrix is one that Keras has not; save without the optimizer, "
             "{.include_optimizer = false}");
  const bool is_score = object.name == "f1_score" || object.name == "fbeta_score";
  if (metric.is(Kind::text) && label.empty() && !is_score) return Json::of(object.name);
  Json& config = object.config;
  if (is_score && !config.find("average")) config.add("average", Json::of("macro"));
  if (Json threshold = taken(config, "threshold"); !threshold.is(Kind::null)) {
    const bool is_none = is_score && (threshold.text == "0" || threshold.text == "0.0");
    const bool is_single = is_score || object.name == "binary_accuracy";
    if (!is_none) config.add(is_single ? "threshold" : "thresholds", std::move(threshold));
  }
  if (const Json* const id = config.find("class_id"); id && id->text.starts_with('-'))
    taken(config, "class_id");
  if (!label.empty()) put(config, "name", Json::of(label));
  if (object.name == "accuracy" || object.name == "acc" || config.find("loss"))  // Keras finds out by shapes
    throw ValueError(detail::concat(
        "the metric ", object.name, " has a label or options, ", shown(glia),
        ", which Keras's files cannot say; save without the optimizer, {.include_optimizer = false}"));
  return keras_object("keras.metrics", metric_class(object.name), std::move(config));
}

/// A list where there is one output, else one for each that has metrics.
Json write_metrics(const Json* glia, const std::vector<std::string>& outputs) {
  if (!glia || glia->members.empty()) return {};
  Json metrics(outputs.size() == 1 ? Kind::array : Kind::object);
  for (const Json::Member& member : glia->members) {
    Json metric = member.value;
    if (outputs.size() == 1) {
      metrics.add(write_metric(metric));
      continue;
    }
    std::string output = text_or(metric, "output", "");
    for (const std::string& name : outputs)
      if (output.empty() && text_or(metric, "label", "") == name) output = name, taken(metric, "label");
    GLIA_CHECK(!output.empty(), ValueError, "the metric ", shown(metric), " says of none of ", outputs.size(),
               " outputs that it is its; compile with {\"output\", metric}");
    Json* const list = metrics.find(output);
    (list ? *list : metrics.add(output, Json(Kind::array))).add(write_metric(metric));
  }
  return metrics;
}

}  // namespace

Json write_compile(const Json& compile, const std::vector<std::string>& outputs) {
  Json keras(Kind::object);
  keras.add("optimizer", write_optimizer(*compile.find("optimizer")));
  if (const Json* const loss = compile.find("loss")) keras.add("loss", write_loss(*loss));
  if (const Json* const losses = compile.find("losses")) {
    Json& by_output = keras.add("loss", Json(Kind::object));
    for (const auto& [output, loss] : losses->members) by_output.add(output, write_loss(loss));
  }
  if (const Json* const weights = compile.find("loss_weights"); weights && !weights->members.empty()) {
    Json all = *weights;  // Keras wants one of each output
    for (const std::string& output : outputs)
      if (!all.find(output)) all.add(output, Json::of(1.0));
    keras.add("loss_weights", outputs.size() == 1 ? all.members[0].value : std::move(all));
  }
  keras.add("metrics", write_metrics(compile.find("metrics"), outputs));
  keras.add("weighted_metrics", write_metrics(compile.find("weighted_metrics"), outputs));
  return keras;
}

}  // namespace glia::keras
