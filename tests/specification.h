// What a list of descriptors may hold, after each of the passes that make a Program of what layers emit: an executable
// specification. It reads every element that a descriptor names, so it is for small models.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/specification_shapes.h"  // defines: shape_faults

namespace glia::test {

enum class Stage { emitted, fused, rounded };

/// What a list is in.
struct Surroundings {
  std::vector<std::int64_t> blocks;  ///< bytes of each
  std::vector<View> weights;         ///< of all layers
  std::vector<View> states;          ///< of these, what a batch leaves to the next
  struct Trained {
    View value, gradient;
  };
  std::vector<Trained> trained;
  std::int64_t gradients = 0, slots = 0, spans = 0;  ///< bytes
  bool trains = false, wants_gradients = false;
  bool infers = false;
};

/// Calls f(byte) for the first byte of each element of a view, counted from where offsets are.
template <class F>
void for_each_element(const View& view, F&& f) {
  const std::int64_t count = view.elements();
  Shape index = view.shape;
  for (int axis = 0; axis < index.rank(); ++axis) index[axis] = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = 0;
    for (int axis = 0; axis < index.rank(); ++axis) at += index[axis] * view.strides[axis];
    f(view.offset + at * size_of(view.dtype));
    for (int axis = index.rank() - 1; axis >= 0 && ++index[axis] == view.shape[axis]; --axis) index[axis] = 0;
  }
}

/// A view and what is done with it, of a Penalty only the piece of the sums that it writes.
template <class F>
void for_each_use(const Descriptor& descriptor, F&& f) {
  const auto* penalty = std::get_if<op::Penalty>(&descriptor);
  for_each_operand(descriptor, [&](const View& view, Access access) {
    if (penalty && &view == &penalty->partials) {
      const std::int64_t pieces = op::pieces_of(penalty->parameter.elements());
      if (penalty->first_partial < 0 || penalty->first_partial + pieces > view.elements()) return;
      f(view.reshaped({view.elements()}).part(0, penalty->first_partial, pieces), Access::write);
    } else {
      f(view, access);
    }
  });
}

inline std::string name_of(const Descriptor& descriptor) {
  return std::visit([](const auto& d) { return std::string(d.name); }, descriptor);
}

/// A walk over a list, which notes what is written.
class Specification {
 public:
  Specification(const std::vector<Descriptor>& list, Stage stage, const Surroundings& around)
      : list_(list), stage_(stage), around_(around) {}

  /// What is wrong, a line each.
  std::vector<std::string> faults() {
    for (at_ = 0; at_ < list_.size(); ++at_) {
      shape_faults(list_[at_], stage_ == Stage::rounded, [this](const std::string& what) { fault(what); });
      // A read of what the same descriptor writes is of what was there before.
      for_each_use(list_[at_], [&](const View& view, Access access) {
        bounds(view, access);
        if (access != Access::write) read(view);
      });
      for_each_use(list_[at_], [&](const View& view, Access access) {
        if (access != Access::read) write(view, access);
      });
    }
    at_ = list_.size();
    order();
    gradients_at_the_end();
    return faults_;
  }

 private:
  void fault(const std::string& what) {
    const std::string where =
        at_ < list_.size() ? std::to_string(at_) + " (" + name_of(list_[at_]) + "): " : "the whole: ";
    if (faults_.size() < 20) faults_.push_back(where + what);
  }
  void require(bool ok, const std::string& what) {
    if (!ok) fault(what);
  }

  static std::string text(const View& view) {
    return std::string(glia::name_of(view.buffer)) + ' ' + detail::concat(view.shape) + " at " +
           std::to_string(view.offset) +
           (view.temporary < 0 ? "" : " of temporary " + std::to_string(view.temporary));
  }

  /// Bytes of the buffer that a view is of; -1 for what grows as it needs.
  std::int64_t bytes_of(const View& view) const {
    switch (view.buffer) {
      case Buffer::parameters:
        return view.block >= 0 && view.block < static_cast<std::int32_t>(around_.blocks.size())
                   ? around_.blocks[static_cast<std::size_t>(view.block)]
                   : 0;
      case Buffer::gradients:
        return around_.gradients;
      case Buffer::slots:
        return around_.slots;
      case Buffer::spans:
        return around_.spans;
      case Buffer::arena:
        return -1;
      default:
        return 0;
    }
  }

  void bounds(const View& view, Access access) {
    const std::int64_t size = size_of(view.dtype), bytes = bytes_of(view);
    require(view.offset >= 0 && view.offset % size == 0, text(view) + " is not aligned to its dtype");
    require(view.shape.rank() == view.strides.rank(), text(view) + " has strides of another rank");
    require(bytes < 0 || view.offset + view.span() * size <= bytes, text(view) + " goes beyond its buffer");
    require((view.buffer == Buffer::arena) == (view.temporary >= 0),
            text(view) + ": a temporary, and nothing else, has a number");
    require(view.block == 0 || view.buffer == Buffer::parameters,
            text(view) + ": blocks are of parameters alone");
    if (access == Access::read) return;
    for (int axis = 0; axis < view.shape.rank(); ++axis)
      require(view.strides[axis] > 0 || view.shape[axis] <= 1,
              text(view) + ", which is written, repeats elements");
    if (view.buffer == Buffer::parameters) written_parameters(view);
    require(view.buffer != Buffer::slots || around_.trains, "slots are written outside training");
    require(view.buffer != Buffer::spans, "the table of spans is written");
  }

  /// Weights change where they are trained, or are statistics of layers that train; states wherever a batch is not only asked for
  /// gradients.
  void written_parameters(const View& view) {
    for (const View& state : around_.states)
      if (state.same_elements(view) && (around_.trains || !around_.wants_gradients)) return;
    require(around_.trains, "weights are written outside training");
    const bool statistics = std::holds_alternative<op::BatchNorm>(list_[at_]);
    const auto lies_in = [&](const View& weight) { return weight.overlaps(view); };
    for (const View& weight : around_.weights) {
      if (!lies_in(weight) || statistics) continue;
      const bool trained =
          std::any_of(around_.trained.begin(), around_.trained.end(),
                      [&](const Surroundings::Trained& one) { return one.value.same_elements(weight); });
      require(trained, text(view) + " writes the weight " + text(weight) + ", which is not trained");
    }
  }

  /// Whether an element of a temporary (-1: of the gradients) was written, by its first byte, and as what.
  static constexpr std::int8_t never = -1;
  std::vector<std::int8_t>& bytes_of(std::int32_t temporary) { return written_[temporary]; }
  static std::int8_t& at(std::vector<std::int8_t>& bytes, std::int64_t byte) {
    const auto index = static_cast<std::size_t>(byte);
    if (index >= bytes.size()) bytes.resize(index + 1, never);
    return bytes[index];
  }

  void read(const View& view) {
    if (view.buffer == Buffer::gradients) return read_gradients(view);
    if (view.buffer != Buffer::arena) return;
    bool all = true;
    std::vector<std::int8_t>& bytes = bytes_of(view.temporary);
    for_each_element(view, [&](std::int64_t byte) {
      all = all && at(bytes, byte) == static_cast<std::int8_t>(view.dtype);
    });
    require(all, text(view) + " is read, but not all of it was written before, in its dtype");
  }

  void read_gradients(const View& view) {
    for (const Surroundings::Trained& one : around_.trained) {
      bool all = true;
      if (!one.gradient.overlaps(view)) continue;
      for_each_element(one.gradient, [&](std::int64_t byte) {
        const bool asked = byte >= view.offset && byte < view.offset + view.span() * size_of(view.dtype);
        all = all && (!asked || at(bytes_of(-1), byte) != never);
      });
      require(all, "the gradient " + text(one.gradient) + " is read before it was written");
    }
  }

  void write(const View& view, Access access) {
    const bool gradient = view.buffer == Buffer::gradients;
    if (view.buffer != Buffer::arena && !gradient) return;
    require(!gradient || around_.wants_gradients, "gradients are written that nobody wants");
    bool replaces = false;  // what this descriptor reads element by element
    for_each_use(list_[at_], [&](const View& other, Access with) {
      replaces = replaces || (with != Access::write && other.same_elements(view));
    });
    bool twice = false;
    std::vector<std::int8_t>& bytes = bytes_of(gradient ? -1 : view.temporary);
    for_each_element(view, [&](std::int64_t byte) {
      std::int8_t& as = at(bytes, byte);
      twice = twice || as != never;
      as = static_cast<std::int8_t>(view.dtype);
    });
    require(!twice || access == Access::update || replaces, text(view) + " is written twice");
  }

  void order() {
    int advances = 0, first_gathers = 0, gathers = 0, schedules = 0;
    std::size_t last_advance = 0;
    for (std::size_t i = 0; i < list_.size(); ++i) {
      const auto* optimize = std::get_if<op::Optimize>(&list_[i]);
      const auto* few = std::get_if<op::FewRows>(&list_[i]);
      if (std::holds_alternative<op::Advance>(list_[i]) || (optimize && optimize->advance.batch > 0) ||
          (few && few->advance.batch > 0))
        ++advances, last_advance = i;
      if (few) {
        gathers += few->x_source >= 0;
        require(around_.infers, "few rows are made so where it is no inference");
      }
      if (const auto* gather = std::get_if<op::Gather>(&list_[i])) {
        require(!gather->advance_iteration || gathers == 0, "a Gather behind the first counts the update");
        ++gathers, first_gathers += gather->advance_iteration;
        require(gather->updates == around_.trains, "a Gather says wrongly whether the step updates");
      }
      if (std::holds_alternative<op::Schedule>(list_[i]))
        ++schedules,
            require(i == 0 && around_.trains, "the learning rate is set late, or where none is used");
      require(!std::holds_alternative<op::Begin>(list_[i]), "a pass begins within a step");
      require(std::holds_alternative<op::Scatter>(list_[i]) ? around_.infers : true,
              "outputs are stored where nobody asked for them");
    }
    require(advances == 1 && last_advance + 1 == list_.size(), "the step does not end with one Advance");
    require(gathers >= 1, "nothing is gathered");
    require(first_gathers == (around_.trains ? 1 : 0), "the update is not counted once");
    require(schedules <= 1, "the learning rate is set twice");
  }

  void gradients_at_the_end() {
    if (!around_.wants_gradients) return;
    for (const Surroundings::Trained& one : around_.trained) {
      bool all = true;
      for_each_element(one.gradient,
                       [&](std::int64_t byte) { all = all && at(bytes_of(-1), byte) != never; });
      require(all, "the gradient " + text(one.gradient) + " was not written");
    }
  }

  const std::vector<Descriptor>& list_;
  Stage stage_;
  const Surroundings& around_;
  std::size_t at_ = 0;
  std::map<std::int32_t, std::vector<std::int8_t>> written_;
  std::vector<std::string> faults_;
};

inline std::vector<std::string> faults_of(const std::vector<Descriptor>& list, Stage stage,
                                          const Surroundings& around) {
  return Specification(list, stage, around).faults();
}

/// Of a list that was placed: temporaries moved as a whole, aligned, within the arena, and what is read is what its own temporary
/// has written there last.
inline std::vector<std::string> placement_faults(const std::vector<Descriptor>& before,
                                                 const std::vector<Descriptor>& after,
                                                 std::int64_t arena_bytes) {
  std::vector<std::string> faults;
  const auto fault = [&](std::size_t i, const std::string& what) {
    if (faults.size() < 20) faults.push_back(std::to_string(i) + " (" + name_of(after[i]) + "): " + what);
  };
  if (before.size() != after.size()) return {"a descriptor was lost"};
  std::map<std::int32_t, std::int64_t> moved;                                  // of each temporary
  std::vector<std::int32_t> owner(static_cast<std::size_t>(arena_bytes), -1);  // of each byte
  std::vector<std::pair<std::size_t, std::int32_t>> named(
      owner.size());  // of each, in which descriptor, by whom
  for (std::size_t i = 0; i < after.size(); ++i) {
    std::vector<View> old, now;
    std::vector<Access> uses;
    for_each_use(before[i], [&](const View& view, Access) { old.push_back(view); });
    for_each_use(after[i],
                 [&](const View& view, Access access) { now.push_back(view), uses.push_back(access); });
    for (std::size_t v = 0; v < now.size(); ++v) {
      const View& view = now[v];
      const std::int64_t by = view.offset - old[v].offset;
      if (view.buffer != Buffer::arena) {
        if (by != 0) fault(i, "what is no temporary was moved");
        continue;
      }
      if (moved.try_emplace(view.temporary, by).first->second != by)
        fault(i, "temporary " + std::to_string(view.temporary) + " was moved apart");
      if (by % tensor_alignment != 0)
        fault(i, "temporary " + std::to_string(view.temporary) + " is not aligned");
      if (view.offset < 0 || view.offset + view.span() * size_of(view.dtype) > arena_bytes)
        fault(i, "temporary " + std::to_string(view.temporary) + " goes beyond the arena");
    }
    const auto each_byte = [&](const View& view, const std::function<void(std::int64_t)>& f) {
      for_each_element(view, [&](std::int64_t byte) {
        for (std::int64_t b = 0; b < size_of(view.dtype); ++b)
          if (byte + b >= 0 && byte + b < arena_bytes) f(byte + b);
      });
    };
    // All that one descriptor names is in use at once.
    for (std::size_t v = 0; v < now.size(); ++v) {
      if (now[v].buffer != Buffer::arena) continue;
      bool meets = false, lost = false;
      each_byte(now[v], [&](std::int64_t byte) {
        auto& [descriptor, temporary] = named[static_cast<std::size_t>(byte)];
        meets = meets || (descriptor == i + 1 && temporary != now[v].temporary);
        descriptor = i + 1, temporary = now[v].temporary;
        lost =
            lost || (uses[v] != Access::write && owner[static_cast<std::size_t>(byte)] != now[v].temporary);
      });
      if (meets) fault(i, "two of its temporaries overlap");
      if (lost)
        fault(i,
              "temporary " + std::to_string(now[v].temporary) + " was overwritten by another while it lived");
    }
    for (std::size_t v = 0; v < now.size(); ++v)
      if (now[v].buffer == Buffer::arena && uses[v] != Access::read)
        each_byte(now[v],
                  [&](std::int64_t byte) { owner[static_cast<std::size_t>(byte)] = now[v].temporary; });
  }
  return faults;
}

}  // namespace glia::test
