// What compile was told in Keras, as Glia's files say it.
// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "interchange/keras/classes.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

const std::vector<Extra>& extras_of_compile() {
  static const std::vector<Extra> extras = {{"run_eagerly", "*", nullptr},
                                            {"steps_per_execution", "*", nullptr},
                                            {"jit_compile", "*", nullptr},
                                            {"auto_scale_loss", "*", nullptr},
                                            {"sample_weight_mode", "null", nullptr}};
  return extras;
}
const std::vector<Extra>& extras_of_optimizers() {
  static const std::vector<Extra> extras = {{"name", "*", nullptr},
                                            {"jit_compile", "*", nullptr},
                                            {"is_legacy_optimizer", "*", nullptr},
                                            {"loss_scale_factor", "null", nullptr},
                                            {"decay", "0|0.0", nullptr},
                                            {"exclude_layers", "null|[]", nullptr},
                                            {"exclude_embeddings", "true", nullptr},
                                            {"caution", "false", nullptr}};
  return extras;
}
const std::vector<Extra>& extras_of_losses() {
  static const std::vector<Extra> extras = {{"name", "*", nullptr},
                                            {"dtype", "*", nullptr},
                                            {"fn", "*", nullptr},
                                            {"axis", "-1", nullptr},
                                            {"reduction", "\"sum_over_batch_size\"|\"auto\"", nullptr}};
  return extras;
}
const std::vector<Extra>& extras_of_metrics() {
  static const std::vector<Extra> extras = {{"dtype", "*", nullptr},
                                            {"num_labels", "null", nullptr},
                                            {"multi_label", "false", nullptr},
                                            {"label_weights", "null", nullptr},
                                            {"summation_method", "\"interpolation\"", nullptr},
                                            {"top_k", "null", nullptr},
                                            {"axis", "-1", nullptr},
                                            {"class_aggregation", "\"uniform_average\"", nullptr},
                                            {"num_regressors", "0", nullptr},
                                            {"reduction", "*", nullptr}};
  return extras;
}

/// {"class_name", "config"} in its two parts; of a name alone the config is empty.
struct Object {
  std::string type;
  Json config{Kind::object};
};

Object object_in(const Json& keras, const std::string& what) {
  Object object;
  if (keras.is(Kind::text)) return {keras.text};
  GLIA_CHECK(keras.is(Kind::object), ValueError, what, " is ", shown(keras),
             ", expected a name, or {\"class_name\", \"config\"}");
  object.type = detail::escaped(expect(keras.find("class_name"), Kind::text, "class_name of " + what).text);
  const Json* const config = given(keras, "config");
  if (object.type == "function" && config && config->is(Kind::text)) return {config->text};
  const bool is_optimizer = what == "the optimizer";  // of which Keras 2 called its own custom, too
  if (const Json* const registered = given(keras, "registered_name"); registered && !is_optimizer)
    GLIA_CHECK(registered->is(Kind::text) && registered->text.find('>') == std::string::npos, ValueError,
               what, " is ", shown(*registered), ", of the application's own, which no file can hold");
  if (config) object.config = expect(config, Kind::object, "config of " + what);
  return object;
}

void drop_nulls(Json& config) {
  std::erase_if(config.members, [](const Json::Member& member) { return member.value.is(Kind::null); });
}

Json read_rate(const Json& keras) {
  if (keras.is(Kind::number)) return keras;
  Object schedule = object_in(keras, "learning_rate");
  taken(schedule.config, "name");
  drop_nulls(schedule.config);
  return object_of(schedule.type, std::move(schedule.config));
}

Json read_optimizer(const Json& keras) {
  constexpr std::string_view own = "Custom>";  // what Keras 2.11 to 2.15 wrote of its own optimizers
  Object optimizer = object_in(keras, "the optimizer");
  if (optimizer.type.starts_with(own)) optimizer.type.erase(0, own.size());
  Json& config = optimizer.config;
  Json rate = taken(config, "lr");  // Keras 2.2's
  if (rate.is(Kind::null)) rate = taken(config, "learning_rate");
  if (is_null(config.find("weight_decay")) || (config.find("weight_decay")->text == "false"))
    taken(config, "weight_decay");
  drop_nulls(config);
  take_extras(config, extras_of_optimizers(), "the optimizer " + optimizer.type);
  if (!rate.is(Kind::null)) put(config, "learning_rate", read_rate(rate));
  return object_of(optimizer.type, std::move(config));
}

Json read_loss(const Json& keras) {
  Object loss = object_in(keras, "a loss");
  take_extras(loss.config, extras_of_losses(), "the loss " + loss.type);
  if (is_null(loss.config.find("ignore_class"))) taken(loss.config, "ignore_class");
  return object_of(loss.type, std::move(loss.config));
}

/// A metric of one output, "" where the model has one.
Json read_metric(const Json& keras, const std::string& output) {
  Object metric = object_in(keras, "a metric");
  Json& config = metric.config;
  std::string label = text_or(config, "name", "");
  taken(config, "name");
  const Json function = taken(config, "fn");
  if (metric.type == "MeanMetricWrapper" && function.is(Kind::text))
    metric.type = function.text;  // Keras 2's of a function
  metric.type = metric_name(metric.type);
  if (label == metric.type) label.clear();
  const std::string said = "the metric " + metric.type;
  take_extras(config, extras_of_metrics(), said);
  if (metric.type == "auc")
    take_extras(config, {{"from_logits", "false", nullptr}, {"thresholds", "null", nullptr}}, said);
  if (Json thresholds = taken(config, "thresholds"); !thresholds.is(Kind::null)) {
    const bool is_one = thresholds.is(Kind::array) && thresholds.members.size() == 1;
    GLIA_CHECK(is_one || thresholds.is(Kind::number), ValueError, said, " has the thresholds ",
               shown(thresholds), ", expected one");
    put(config, "threshold", is_one ? thresholds.members[0].value : thresholds);
  }
  drop_nulls(config);
  Json glia = config.members.empty() ? Json::of(metric.type) : object_of(metric.type, std::move(config));
  Json labelled(Kind::object);
  labelled.add("metric", std::move(glia));
  labelled.add("label", Json::of(label)), labelled.add("output", Json::of(output));
  return labelled;
}

class CompileReader {
 public:
  explicit CompileReader(const std::vector<std::string>& outputs) : outputs_(outputs) {}

  void read_losses(const Json& keras, Json& glia) const {
    if (keras.is(Kind::null)) return;
    if (!is_by_output(keras)) {
      glia.add("loss", read_loss(keras));
    } else if (outputs_.size() == 1 && keras.members.size() == 1) {
      glia.add("loss", read_loss(keras.members[0].value));
    } else {
      Json& losses = glia.add("losses", Json(Kind::object));
      for_each(keras, "loss", [&](const std::string& output, const Json& loss) {
        if (!loss.is(Kind::null)) losses.add(output, read_loss(loss));
      });
    }
  }

  void read_weights(const Json& keras, Json& glia) const {
    if (keras.is(Kind::null)) return;
    Json& weights = glia.add("loss_weights", Json(Kind::object));
    if (keras.is(Kind::number) && outputs_.size() == 1) {
      weights.add(outputs_[0], keras);
      return;
    }
    for_each(keras, "loss_weights",
             [&](const std::string& output, const Json& weight) { weights.add(output, weight); });
  }

  Json read_metrics(const Json& keras, const char* what) const {
    Json list(Kind::array);
    if (keras.is(Kind::null)) return list;
    const bool one = outputs_.size() == 1;
    const auto put = [&](const std::string& output, const Json& metrics) {
      if (metrics.is(Kind::null)) return;
      if (!metrics.is(Kind::array))
        return static_cast<void>(list.add(read_metric(metrics, one ? "" : output)));
      for (const Json::Member& metric : metrics.members)
        list.add(read_metric(metric.value, one ? "" : output));
    };
    const bool nested =
        keras.is(Kind::array) && !keras.members.empty() && keras.members[0].value.is(Kind::array);
    if (!is_by_output(keras))
      put(outputs_[0], keras);
    else if (one && keras.is(Kind::array) && !nested)  // metrics, not outputs
      put("", keras);
    else
      for_each(keras, what, put);
    return list;
  }

 private:
  static bool is_by_output(const Json& keras) {
    return keras.is(Kind::array) || (keras.is(Kind::object) && !keras.find("class_name"));
  }
  /// Of a list in the order of the outputs, or of an object by their names.
  template <class Each>
  void for_each(const Json& keras, const char* what, const Each& each) const {
    GLIA_CHECK(keras.is(Kind::object) || (keras.is(Kind::array) && keras.members.size() <= outputs_.size()),
               ValueError, what, " is ", shown(keras), ", expected one for each of the model's ",
               outputs_.size(), " outputs");
    for (std::size_t i = 0; i < keras.members.size(); ++i)
      each(keras.is(Kind::object) ? keras.members[i].key : outputs_[i], keras.members[i].value);
  }

  const std::vector<std::string>& outputs_;
};

}  // namespace

Json read_compile(const Json& keras, const std::vector<std::string>& outputs, const Policies& policies) {
  Json told = keras;
  Json optimizer = taken(told, "optimizer"),
       older = taken(told, "optimizer_config");  // the latter in whole models in HDF5
  if (optimizer.is(Kind::null)) optimizer = std::move(older);
  if (optimizer.is(Kind::null) || outputs.empty()) return {};
  const CompileReader reader(outputs);
  Json glia(Kind::object);
  glia.add("optimizer", read_optimizer(optimizer));
  if (!policies.precision.empty()) glia.add("precision", Json::of(policies.precision));
  reader.read_losses(taken(told, "loss"), glia);
  reader.read_weights(taken(told, "loss_weights"), glia);
  glia.add("metrics", reader.read_metrics(taken(told, "metrics"), "metrics"));
  glia.add("weighted_metrics", reader.read_metrics(taken(told, "weighted_metrics"), "weighted_metrics"));
  take_extras(told, extras_of_compile(), "compile");
  for (const Json::Member& member : told.members)
    GLIA_CHECK(member.value.is(Kind::null), ValueError, "compile was told ", detail::escaped(member.key), '=',
               shown(member.value), ", which Glia has not; load the model with .compile = false");
  return glia;
}

}  // namespace glia::keras
