// Calls as text, as Keras writes them: Conv2D(32, (3, 3), activation='relu', use_bias=False).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>
#include <glia/image_layers.h>  // defines: Size2D, Border2D
#include <glia/math/schedules.h>
#include <glia/named.h>
#include <glia/shape.h>

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace glia::c {

using Numbers = std::vector<double>;  // of a tuple

struct Argument {
  std::string key;  ///< empty: by position
  std::variant<double, bool, std::string, Numbers> value;
  std::string text;  ///< as it was written
};

struct Call {
  std::string name;
  std::vector<Argument> arguments;
};

/// Calls, divided by spaces, commas or semicolons. A name without parentheses is one, too. Throws ValueError, with the place, for
/// what is none. `what` says whose text it is.
std::vector<Call> parse_calls(const std::string& text, const char* what);
/// The only one.
Call parse_call(const std::string& text, const char* what);

/// The arguments of a call, taken one by one. Those by position stand first and are called `positional`.
class Arguments {
 public:
  /// Throws ValueError for too many, one that is given twice, and one by position behind one by name.
  Arguments(const Call& call, const std::vector<const char*>& positional);

  /// Sets `member` where the argument was given. Throws ValueError where it is nothing that the member can be.
  template <class T>
  void take(const char* key, T& member) {
    if (const Argument* given = find(key)) set(*given, member);
  }
  /// Throws ValueError where it was not given.
  template <class T>
  T required(const char* key) {
    T value{};
    set(expect(key), value);
    return value;
  }
  Size2D required_size(const char* key) {
    Size2D value = 0;
    set(expect(key), value);
    return value;
  }
  std::string required_text(const char* key) { return required<std::string>(key); }
  /// Throws ValueError, by its name, for an argument that nobody took.
  void finish() const;

 private:
  const Argument* find(const char* key);
  const Argument& expect(const char* key);
  [[noreturn]] void refuse(const Argument& given, const char* wanted) const;
  /// Whole ones, `fewest` to `most` of them.
  std::vector<int> whole(const Argument& given, std::size_t fewest, std::size_t most,
                         const char* wanted) const;

  void set(const Argument& given, int& member) const;
  void set(const Argument& given, double& member) const;
  void set(const Argument& given, bool& member) const;
  void set(const Argument& given, std::string& member) const;
  void set(const Argument& given, Size2D& member) const;
  void set(const Argument& given, Border2D& member) const;
  void set(const Argument& given, Shape& member) const;
  void set(const Argument& given, Numbers& member) const;
  void set(const Argument& given, LearningRate& member) const;
  template <class Family>
  void set(const Argument& given, Named<Family>& member) const {
    std::string name;
    set(given, name);
    member = Named<Family>(name);
  }

  const Call& call_;
  std::vector<std::pair<std::string, const Argument*>> given_;
  std::vector<std::string> known_;
};

}  // namespace glia::c
