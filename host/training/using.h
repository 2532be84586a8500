// Using: the Core of a Model, in use by the calling thread alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/model/core.h>

#include <memory>

namespace glia {

/// Throws StateError for one that was moved from.
inline Core& expect_there(const std::shared_ptr<Core>& core) {
  GLIA_CHECK(core, StateError, "this model was moved from: use the one it was moved to");
  return *core;
}

/// A Model whose Core is seen.
struct OpenedModel : Model {
  using Model::core;
  OpenedModel() = default;
};

inline const std::shared_ptr<Core>& core_of(const Model& model) {
  constexpr const std::shared_ptr<Core>& (Model::*core)() const = &OpenedModel::core;
  return (model.*core)();
}

/// Makes a Core that has nothing yet the same as another, with weights of its own to come.
inline void copy_into(const std::shared_ptr<Core>& copy, const Core& core) {
  copy->network().copy(core.network(), copy);
  copy->seed = core.seed, copy->dtype = core.dtype, copy->class_names = core.class_names;
}

/// It holds the Core: a callback may destroy the Model.
class Using {
 public:
  /// Throws StateError for one that was moved from, and where another thread uses it.
  explicit Using(const std::shared_ptr<Core>& core, Core::Stream stream = Core::Stream::home)
      : core_(core), use_(expect_there(core), stream) {}

  Core* operator->() const { return core_.get(); }
  Core& operator*() const { return *core_; }
  /// The core, built where its shapes are known. Throws StateError where they are not.
  Core& built(const char* call) const {
    core_->build_if_known();
    GLIA_CHECK(
        core_->built(), StateError, call,
        " needs a built model: give the first layer an input_shape, call build, or fit or predict first");
    return *core_;
  }
  /// The core, whose symbols are known.
  Core& known(const char* call) const { return core_->network().is_chain() ? built(call) : *core_; }

 private:
  std::shared_ptr<Core> core_;
  Core::Use use_;
};

}  // namespace glia
