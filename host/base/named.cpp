// Look-up by name, folded over the members of each family: a new activation, loss or optimizer is found here
// without a line of its own.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>

#include <glia/error.h>
#include <glia/sequential.h>  // defines: MetricName

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace glia {
namespace {

template <class Family>
struct Members;
template <class... Member>
struct Members<std::variant<Member...>> {
  template <class F>
  static void for_each(F&& f) {
    (f(Member{}), ...);
  }
};

template <class Family>
constexpr const char* kind = nullptr;
template <>
constexpr const char* kind<Activations> = "activation";
template <>
constexpr const char* kind<Initializers> = "initializer";
template <>
constexpr const char* kind<Regularizers> = "regularizer";
template <>
constexpr const char* kind<Constraints> = "constraint";
template <>
constexpr const char* kind<Optimizers> = "optimizer";
template <>
constexpr const char* kind<Losses> = "loss";
template <>
constexpr const char* kind<Metrics> = "metric";
template <>
constexpr const char* kind<Precisions> = "precision";
template <>
constexpr const char* kind<Paddings> = "padding";
template <>
constexpr const char* kind<Interpolations> = "interpolation";
template <>
constexpr const char* kind<FlipModes> = "flip mode";
template <>
constexpr const char* kind<FillModes> = "fill_mode";

/// "RMSprop" for glia::RMSprop: the structs are called as Keras's classes are, and Keras takes those names
/// too.
template <class Member>
constexpr std::string_view class_name() {
  std::string_view signature = __PRETTY_FUNCTION__;  // ... [with Member = glia::RMSprop; ...]
  signature.remove_prefix(signature.find("Member = ") + 9);
  signature = signature.substr(0, signature.find_first_of(";]"));
  return signature.substr(signature.rfind(':') + 1);
}
static_assert(class_name<RMSprop>() == "RMSprop", "this compiler prints a function's signature differently");

std::string mapped(std::string text, char (*function)(char)) {
  for (char& c : text) c = function(c);
  return text;
}

/// Whether Keras would take `name` for this member. Its activations are functions and have no class names.
template <class Family, class Member>
bool answers_to(const std::string& name) {
  if (name == Member::name) return true;
  if constexpr (requires { Member::short_name; }) {
    if (name == Member::short_name || name == mapped(Member::short_name, detail::to_upper)) return true;
  }
  return !std::is_same_v<Family, Activations> && name == class_name<Member>();
}

template <class Family>
std::vector<std::string> known_names() {
  std::vector<std::string> names;
  Members<Family>::for_each([&]<class Member>(const Member&) {
    names.push_back(Member::name);
    if constexpr (requires { Member::short_name; }) names.push_back(Member::short_name);
  });
  return names;
}

template <class Family>
Family member_named(const std::string& name) {
  std::vector<Family> found;  // g++ 12 takes an optional's member for uninitialised
  Members<Family>::for_each([&]<class Member>(const Member& member) {
    if (answers_to<Family, Member>(name)) found.emplace_back(member);
  });
  if (found.empty()) throw ValueError(detail::unknown_name(kind<Family>, name, known_names<Family>()));
  return found.front();
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` ("optimal string
/// alignment").
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> two_back(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    two_back.swap(previous);
    previous.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_back[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

namespace detail {

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string wanted = mapped(name, detail::to_lower);
  std::string nearest;
  std::size_t least = 0;
  for (const std::string& candidate : candidates) {
    const std::size_t shorter = std::min(wanted.size(), candidate.size());
    const std::size_t longer = std::max(wanted.size(), candidate.size());
    const std::size_t limit = std::clamp<std::size_t>(longer / 3, 1, 3);
    if (longer - shorter > limit) continue;  // spares the work for a name of a megabyte
    const std::size_t distance = edit_distance(wanted, mapped(candidate, detail::to_lower));
    if (distance > limit || distance >= shorter) continue;
    if (nearest.empty() || distance < least) nearest = candidate, least = distance;
  }
  return nearest;
}

std::string unknown_name(const std::string& kind, const std::string& name,
                         const std::vector<std::string>& candidates) {
  std::string message = concat("unknown ", kind, " \"", name, '"');
  const std::string nearest = nearest_name(name, candidates);
  message += nearest.empty() ? "." : concat(": did you mean \"", nearest, "\"?");
  message += " Known: ";
  for (const std::string& candidate : candidates) {
    message += candidate;
    message += &candidate == &candidates.back() ? "." : ", ";
  }
  return message;
}

}  // namespace detail

template <class Family>
Named<Family>::Named(const std::string& name) : value_(member_named<Family>(name)) {}

template class Named<Activations>;
template class Named<Initializers>;
template class Named<Regularizers>;
template class Named<Constraints>;
template class Named<Optimizers>;
template class Named<Losses>;
template class Named<Precisions>;
template class Named<Paddings>;
template class Named<Interpolations>;
template class Named<FlipModes>;
template class Named<FillModes>;

namespace {

/// A loss by its name: a metric of its kind.
std::optional<Metrics> loss_metric_named(const std::string& name, std::vector<std::string>& known) {
  std::optional<Metrics> found;
  Members<Losses>::for_each([&]<class Member>(const Member& member) {
    if (answers_to<Losses, Member>(name)) found = LossMetric{member};
  });
  for (const std::string& loss : known_names<Losses>()) known.push_back(loss);
  return found;
}

}  // namespace

std::string name_of(const Metrics& metric) {
  const auto* loss = std::get_if<LossMetric>(&metric);
  return std::visit(
             [](const auto& member) -> std::string {
               if constexpr (requires { member.name; }) return member.name;
               return {};
             },
             metric) +
         (loss ? std::visit([](const auto& l) { return l.name; }, loss->loss) : "");
}

MetricName::MetricName(const std::string& name) : name_(name) {
  if (name == "accuracy" || name == "acc") return;  // shapes resolve it
  std::vector<std::string> known{"accuracy", "acc"};
  Members<Metrics>::for_each([&]<class Member>(const Member& member) {
    if constexpr (!std::is_same_v<Member, LossMetric>) {
      if (answers_to<Metrics, Member>(name)) metric_ = member;
      known.push_back(Member::name);
      if constexpr (requires { Member::short_name; }) known.push_back(Member::short_name);
    }
  });
  if (!metric_) metric_ = loss_metric_named(name, known);
  if (!metric_) throw ValueError(detail::unknown_name(kind<Metrics>, name, known));
}

}  // namespace glia
