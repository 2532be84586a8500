// Arguments that take a name or an object: activation "relu" or glia::Relu{}, optimizer "adam" or
// glia::Adam{...}.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/initializers.h>
#include <glia/macros.h>
#include <glia/math/activations.h>
#include <glia/math/augmentation.h>
#include <glia/math/losses.h>
#include <glia/math/metrics.h>
#include <glia/math/optimizers.h>
#include <glia/math/padding.h>
#include <glia/math/penalties.h>
#include <glia/math/precision.h>

#include <memory>
#include <string>
#include <type_traits>
#include <variant>

namespace GLIA_API glia {

/// A member of a closed family (a std::variant), given as an object or by its name. The constructors from a
/// name throw ValueError for one that is not known, with the nearest that is: unknown activation "relux": did
/// you mean "relu"?
template <class Family>
class Named {
 public:
  Named(const char* name) : Named(std::string(name)) {}
  Named(const std::string& name);  // defined in host/base/named.cpp for the families below
  template <class Member,
            std::enable_if_t<std::is_constructible_v<Family, std::in_place_type_t<Member>, Member>, int> = 0>
  Named(const Member& member) : value_(member) {}

  const Family& value() const { return value_; }
  Family& value() { return value_; }
  /// The member's name, e.g. "relu".
  std::string name() const {
    return std::visit([](const auto& member) { return std::string(member.name); }, value_);
  }

 private:
  Family value_;
};

using ActivationName = Named<Activations>;    ///< "linear", "relu", "sigmoid", "softmax", "gelu", ...
using InitializerName = Named<Initializers>;  ///< "zeros", "glorot_uniform", "he_normal", "orthogonal", ...
using RegularizerName = Named<Regularizers>;  ///< "none", "l1", "l2", "l1_l2"
using ConstraintName = Named<Constraints>;    ///< "none", "max_norm", "non_neg", "unit_norm", "min_max_norm"
using OptimizerName = Named<Optimizers>;      ///< "sgd", "rmsprop", "adam", "adamw", "lion", "muon", ...
using PaddingName = Named<Paddings>;          ///< "valid", "same"
using InterpolationName = Named<Interpolations>;  ///< "nearest", "bilinear"
using FlipModeName = Named<FlipModes>;            ///< "horizontal", "vertical", "horizontal_and_vertical"
using FillModeName = Named<FillModes>;            ///< "reflect", "constant", "nearest", "wrap"
using PrecisionName = Named<Precisions>;          ///< "float32", "tf32", "mixed_bfloat16"
using Policy = PrecisionName;                     ///< Keras's name for it: Policy("mixed_bfloat16")

class CustomLoss;      // of the application's own: glia/custom_loss.h
class CustomLossBody;  // what is kept of one; host/program/custom_loss.h

/// "mse", "mean_squared_error", "binary_crossentropy", ..., glia::Huber{.delta = 2}, or an object of a class of the application's
/// own.
class LossName : public Named<Losses> {
 public:
  LossName(const char* name) : Named(name) {}
  LossName(const std::string& name) : Named(name) {}
  template <class Member,
            std::enable_if_t<std::is_constructible_v<Losses, std::in_place_type_t<Member>, Member>, int> = 0>
  LossName(const Member& member) : Named(member) {}
  /// body_of_loss is found where the class's base is defined.
  template <class Own, std::enable_if_t<std::is_base_of_v<CustomLoss, Own>, bool> = true>
  LossName(const Own& loss) : LossName(body_of_loss(loss)) {}
  explicit LossName(std::shared_ptr<const CustomLossBody> own);

  /// Null for a loss of Glia's. Of one of the application's own value() is a loss that takes the same targets.
  const std::shared_ptr<const CustomLossBody>& own() const { return own_; }
  std::string name() const;

 private:
  std::shared_ptr<const CustomLossBody> own_;
};

extern template class Named<Activations>;
extern template class Named<Initializers>;
extern template class Named<Regularizers>;
extern template class Named<Constraints>;
extern template class Named<Optimizers>;
extern template class Named<Losses>;
extern template class Named<Precisions>;
extern template class Named<Paddings>;
extern template class Named<Interpolations>;
extern template class Named<FlipModes>;
extern template class Named<FillModes>;

/// Throws ValueError where the member's options cannot be taken; its invalid() says why.
template <class Family>
void check_options(const Named<Family>& named) {
  std::visit(
      [](const auto& member) {
        if constexpr (requires { member.invalid(); }) {
          const std::string reason = member.invalid();
          GLIA_CHECK(reason.empty(), ValueError, reason);
        }
      },
      named.value());
}

namespace detail {
/// The candidate nearest to `name` in edit distance, if it is near enough to be meant; else nothing.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);
/// ValueError's text: unknown KIND "NAME": did you mean "X"? Known: a, b, c.
std::string unknown_name(const std::string& kind, const std::string& name,
                         const std::vector<std::string>& candidates);
}  // namespace detail

}  // namespace glia
