// Config: members of closed families, by their names, or with their options.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/layers/options.h>

#include <algorithm>
#include <string_view>

namespace glia {
namespace {

using Kind = Json::Kind;

// What the members of each family have as options; those of the families that are not here have none.
template <class Family>
void list_members(Config&, Family&) {}
template <class... Function>
void list_functions(Config& config, std::variant<Function...>& family) {
  std::visit([&](auto& function) { list_function(config, function); }, family);
}
void list_members(Config& config, Activations& family) { list_functions(config, family); }
void list_members(Config& config, Initializers& family) { list_functions(config, family); }
void list_members(Config& config, Regularizers& family) { list_functions(config, family); }
void list_members(Config& config, Constraints& family) { list_functions(config, family); }
void list_members(Config& config, Losses& family) { list_functions(config, family); }
void list_members(Config& config, Metrics& family) { list_functions(config, family); }
void list_members(Config& config, Optimizers& family) {
  std::visit([&](auto& optimizer) { list_optimizer(config, optimizer); }, family);
}

template <class Family>
Json options_of(Family family) {
  Json options(Kind::object);
  Config config(options);
  list_members(config, family);
  return options;
}

/// The name alone where the options are those that it stands for.
Json with_options(std::string name, Json options, const Json& defaults) {
  if (options == defaults) return name == "none" ? Json() : Json::of(name);
  Json json(Kind::object);
  json.add("class_name", Json::of(name));
  json.add("config", std::move(options));
  return json;
}

template <class Family>
Named<Family> read_named(const std::string& name, Json options) {
  Named<Family> named(name);
  Config config(options, name);
  list_members(config, named.value());
  config.finish();
  return named;
}

/// The schedules by the names of their classes, in the order of the variant.
constexpr const char* schedule_names[] = {
    "ConstantRate",           "ExponentialDecay", "InverseTimeDecay",    "PolynomialDecay",
    "PiecewiseConstantDecay", "CosineDecay",      "CosineDecayRestarts", "OneCycle"};
static_assert(std::size(schedule_names) == std::variant_size_v<Schedules>);

template <std::size_t At = 0>
Schedules schedule_at(std::size_t index) {
  if constexpr (At + 1 < std::variant_size_v<Schedules>)
    if (index != At) return schedule_at<At + 1>(index);
  return Schedules(std::in_place_index<At>);
}

void list_schedules(Config& config, Schedules& schedules) {
  std::visit(
      [&](auto& schedule) {
        if constexpr (std::is_same_v<decltype(schedule), PiecewiseConstantDecay&>) {
          constexpr int most = PiecewiseConstantDecay::max_boundaries;
          std::vector<double> boundaries(schedule.boundaries,
                                         schedule.boundaries + std::min(schedule.boundary_count, most));
          std::vector<double> values(schedule.values,
                                     schedule.values + std::min(schedule.value_count, most + 1));
          config.field("boundaries", boundaries), config.field("values", values);
          if (config.reads()) schedule = PiecewiseConstantDecay(boundaries, values);
        } else {
          list_schedule(config, schedule);
        }
      },
      schedules);
}

}  // namespace

template <class Family>
Json json_of(const Named<Family>& named) {
  const std::string name = named.name();
  return with_options(name, options_of(named.value()), options_of(Named<Family>(name).value()));
}

std::string Config::class_of(const char* name, const Json& got, Json& config) const {
  config = Json(Kind::object);
  if (got.is(Kind::text)) return detail::escaped(got.text);
  const Json* const class_name = got.find("class_name");
  if (!got.is(Kind::object) || !class_name || !class_name->is(Kind::text))
    refuse(name, got, "a name, or {\"class_name\": a name, \"config\": its options}");
  if (const Json* const options = got.find("config")) config = *options;
  return detail::escaped(class_name->text);
}

template <class Family>
void Config::field(const char* name, Named<Family>& member) {
  if (!reads_) return put(name, json_of(member));
  if (const Json* const got = found(name)) {
    Json options;
    const std::string of = class_of(name, *got, options);
    member = read_named<Family>(of, std::move(options));
  }
}

#define GLIA_FAMILY(Family)                                             \
  template void Config::field(const char* name, Named<Family>& member); \
  template Json json_of(const Named<Family>&)
GLIA_FAMILY(Activations);
GLIA_FAMILY(Initializers);
GLIA_FAMILY(Regularizers);
GLIA_FAMILY(Constraints);
GLIA_FAMILY(Optimizers);
GLIA_FAMILY(Losses);
GLIA_FAMILY(Precisions);
GLIA_FAMILY(Paddings);
GLIA_FAMILY(Interpolations);
GLIA_FAMILY(FlipModes);
GLIA_FAMILY(FillModes);
#undef GLIA_FAMILY

Json json_of(const LossName& loss) {
  if (loss.own())
    throw ValueError("the loss " + loss.name() +
                     " is of the application's own, and no file can hold it: save without the optimizer, "
                     "{.include_optimizer = false}, and compile the loaded model");
  return json_of(static_cast<const Named<Losses>&>(loss));
}

LossName read_loss(const Json& json) {
  Json holder(Kind::object);
  holder.add("loss", json);
  Config config(holder, "compile");
  LossName loss("mse");
  config.needed("loss", static_cast<Named<Losses>&>(loss));
  return loss;
}

Json json_of(const MetricName& metric) {
  Json json = Json::of(metric.name());
  if (metric.metric())
    json = with_options(metric.name(), options_of(*metric.metric()),
                        options_of(*MetricName(metric.name()).metric()));
  if (metric.label().empty() && metric.output().empty()) return json;
  Json labelled(Kind::object);
  labelled.add("metric", std::move(json));
  labelled.add("label", Json::of(metric.label()));
  labelled.add("output", Json::of(metric.output()));
  return labelled;
}

MetricName read_metric(const Json& json) {
  Json holder = json;
  if (!json.find("metric")) {
    holder = Json(Kind::object);
    holder.add("metric", json);
  }
  Config config(holder, "compile");
  std::string label, output;
  config.field("label", label), config.field("output", output);
  config.expect("metric");
  Json options;
  MetricName metric(config.class_of("metric", *config.found("metric"), options));
  config.finish();
  if (metric.metric()) {
    Config members(options, metric.name());
    list_members(members, *metric.metric());
    members.finish();
  }
  if (!label.empty()) metric = MetricName(label, metric);
  return output.empty() ? metric : metric.of(output);
}

void Config::field(const char* name, Losses& member) {
  Named<Losses> named("mse");
  named.value() = member;
  field(name, named);
  member = named.value();
}

void Config::field(const char* name, LearningRate& member) {
  if (!reads_) {
    if (const auto* constant = std::get_if<ConstantRate>(&member.schedule))
      return put(name, Json::of(constant->value));
    Json& json = object_.add(name, Json(Kind::object));
    json.add("class_name", Json::of(schedule_names[member.schedule.index()]));
    Config options(json.add("config", Json(Kind::object)));
    return list_schedules(options, member.schedule);
  }
  const Json* const got = found(name);
  if (!got) return;
  if (got->is(Kind::number)) {
    member = number(name, *got);
    return;
  }
  Json options;
  const std::string of = class_of(name, *got, options);
  const auto* const schedule = std::find_if(std::begin(schedule_names) + 1, std::end(schedule_names),
                                            [&](std::string_view known) { return known == of; });
  if (schedule == std::end(schedule_names))
    throw ValueError(detail::unknown_name("schedule", detail::escaped(of),
                                          {std::begin(schedule_names) + 1, std::end(schedule_names)}));
  member.schedule = schedule_at(static_cast<std::size_t>(schedule - schedule_names));
  Config config(options, of);
  list_schedules(config, member.schedule);
  config.finish();
}

}  // namespace glia
