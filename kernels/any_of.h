// AnyOf: a function of a closed list that is chosen while a kernel runs. Where little is mapped a choice a thread costs nothing,
// and there is one kernel instead of one for every function.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/lowering.h>  // defines: select

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <variant>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class List>
class AnyOf;

/// What the variant holds, as bytes that a device can read.
template <class... Members>
class AnyOf<std::variant<Members...>> {
 public:
  explicit AnyOf(const std::variant<Members...>& function) : index_(static_cast<int>(function.index())) {
    static_assert((std::is_trivially_copyable_v<Members> && ...));
    select([&](const auto& member) { std::memcpy(bytes_, &member, sizeof member); }, function);
  }

  /// Calls f(member).
  template <class F>
  GLIA_HD void visit(const F& f) const {
    visit(f, std::index_sequence_for<Members...>{});
  }

 private:
  template <class F, std::size_t... i>
  GLIA_HD void visit(const F& f, std::index_sequence<i...>) const {
    static_cast<void>(((index_ == static_cast<int>(i) && (f(as<Members>()), true)) || ...));
  }
  template <class Member>
  GLIA_HD const Member& as() const {
    return *reinterpret_cast<const Member*>(bytes_);
  }

  alignas(std::max_align_t) std::byte bytes_[std::max({sizeof(Members)...})];
  int index_;
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
