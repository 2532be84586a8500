// Handles: those that are none.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/handles.h>

namespace glia::c {
namespace {

const char* name_of(Kind kind) {
  constexpr const char* names[] = {"nothing", "context", "model", "predictor", "learner"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace

void expect_kind(const Mark* mark, Kind kind, const char* name) {
  GLIA_CHECK(mark, ArgumentError, name, " is NULL, expected the handle of a ", name_of(kind));
  GLIA_CHECK(reinterpret_cast<std::uintptr_t>(mark) % alignof(Mark) == 0, ArgumentError, name, " is ",
             static_cast<const void*>(mark), ", where no handle lies, expected that of a ", name_of(kind));
  const Kind live = kind_of(*mark, Mark::live), gone = kind_of(*mark, Mark::destroyed);
  GLIA_CHECK(gone == Kind::none, ArgumentError, name, " is the handle of a ", name_of(gone),
             " that was destroyed: make another");
  GLIA_CHECK(live != Kind::none, ArgumentError, name, " is no handle of Glia, expected that of a ",
             name_of(kind));
  GLIA_CHECK(live == kind, ArgumentError, name, " is the handle of a ", name_of(live),
             ", expected that of a ", name_of(kind));
}

}  // namespace glia::c
