// Handles of the C interface: what stands behind a pointer, and how one that is none is told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/learner.h>
#include <glia/model.h>
#include <glia/predictor.h>
#include <glia/sequential.h>
#include <host/c/calls.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace glia::c {

/// What the first word of a handle says: "GLIA", and of which kind it is, or was.
enum class Kind : std::uint32_t { none, context, model, predictor, learner };

struct Mark {
  static constexpr std::uint64_t live = 0x474c'4941'0001'0000, destroyed = 0x474c'4941'0002'0000;
  std::atomic<std::uint64_t> word{0};
};

/// The kind that a mark of this state names; none for another word.
inline Kind kind_of(const Mark& mark, std::uint64_t state) {
  const std::uint64_t kind = mark.word.load(std::memory_order_acquire) - state;
  return kind >= 1 && kind <= 4 ? static_cast<Kind>(kind) : Kind::none;
}

template <class T, Kind kind_>
struct Handle : Mark {
  static constexpr Kind kind = kind_;
  std::optional<T> object;
};

struct OwnedModel {
  std::unique_ptr<Model> model;
  Sequential* chain = nullptr;  ///< the model, where it is one
};

struct OwnedLearner {
  Learner learner;
  std::optional<Logs> read = {};  ///< that there was no room for
};

}  // namespace glia::c

struct glia_context : glia::c::Handle<glia::Context, glia::c::Kind::context> {};
struct glia_model : glia::c::Handle<glia::c::OwnedModel, glia::c::Kind::model> {};
struct glia_predictor : glia::c::Handle<glia::Predictor, glia::c::Kind::predictor> {};
struct glia_learner : glia::c::Handle<glia::c::OwnedLearner, glia::c::Kind::learner> {};

namespace glia::c {

/// Where handles rest that were destroyed. Their memory is never given back, so that the mark of one can always be read; the
/// longest at rest is used again, once there are many.
template <class H>
class Resting {
 public:
  static constexpr std::size_t many = 64;

  /// Lives until the process ends: a program's last destructors may still come here.
  static Resting& of_kind() {
    static Resting& resting = *new Resting;
    return resting;
  }
  H* take() {
    const std::lock_guard lock(mutex_);
    if (handles_.size() <= many) return new H;
    H* const handle = handles_.front();
    handles_.pop_front();
    return handle;
  }
  void put(H* handle) {
    const std::lock_guard lock(mutex_);
    handles_.push_back(handle);
  }

 private:
  std::mutex mutex_;
  std::deque<H*> handles_;
};

/// Throws ArgumentError, by the parameter's name, for what is no live handle of this kind.
void expect_kind(const Mark* mark, Kind kind, const char* name);

/// The first word of what may be a handle of another kind, or none.
template <class H>
const Mark* mark_of(H* handle) {
  return reinterpret_cast<const Mark*>(handle);
}

template <class H>
auto& object_of(H* handle, const char* name) {
  expect_kind(mark_of(handle), H::kind, name);
  return *handle->object;
}
inline const Context& in(const glia_context* context) { return object_of(context, "context"); }
inline Model& in(const glia_model* model) { return *object_of(model, "model").model; }
inline Predictor& in(glia_predictor* predictor) { return object_of(predictor, "predictor"); }
inline const Predictor& in(const glia_predictor* predictor) { return object_of(predictor, "predictor"); }
inline Learner& in(glia_learner* learner) { return object_of(learner, "learner").learner; }

/// Puts an object behind a new handle.
template <class H, class T>
H* make(T&& object) {
  H* const handle = Resting<H>::of_kind().take();
  handle->object.emplace(std::forward<T>(object));
  handle->word.store(Mark::live + static_cast<std::uint64_t>(H::kind), std::memory_order_release);
  return handle;
}

/// Nothing for NULL.
template <class H>
void destroy(H* handle, const char* name) {
  if (!handle) return;
  expect_kind(mark_of(handle), H::kind, name);
  std::uint64_t live = Mark::live + static_cast<std::uint64_t>(H::kind);
  if (!handle->word.compare_exchange_strong(live, Mark::destroyed + static_cast<std::uint64_t>(H::kind)))
    expect_kind(mark_of(handle), H::kind, name);  // another thread was faster
  handle->object.reset();
  Resting<H>::of_kind().put(handle);
}

}  // namespace glia::c
