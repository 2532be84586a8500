// How far masks reach in a Functional model, and the operations that Keras 3 makes of them: which it lists among the layers, though no
// weight is in them, and nobody asked for them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "interchange/keras/json.h"

namespace glia::keras {

/// [layer, application, output], to be compared.
using PlaceKey = std::tuple<std::string, long long, long long>;
PlaceKey key_of_place(const Json& place);

/// Numbers for masks by what they are made of, so that two are equal where their numbers are: what Masking and Embedding layers are applied
/// to, and what counts in either of two.
class MaskNumbers {
 public:
  static constexpr int none = 0;
  int of(const PlaceKey& masked) { return numbers_.emplace(masked, next()).first->second; }
  int either(int a, int b) {
    if (a == b || b == none) return a;
    return a == none ? b : pairs_.emplace(std::pair(a, b), next()).first->second;
  }

 private:
  int next() const { return 1 + static_cast<int>(numbers_.size() + pairs_.size()); }

  std::map<PlaceKey, int> numbers_;
  std::map<std::pair<int, int>, int> pairs_;
};

/// Masks of what the layers of a graph give, its inputs being unmasked.
class Masks {
 public:
  /// One of Keras's operations, and what it reads.
  struct Operation {
    std::string name, type;  ///< type: "NotEqual"
    Json config;
    std::vector<Json> reads;  ///< places of layers or of other such operations
    Json number = {};         ///< what it compares them with, where it does
  };
  struct Mask {
    Json place = {};  ///< of the operation that gives it; null where there is none
    int number = MaskNumbers::none;
  };

  /// `layers`: a Functional's, in Glia's words. They and the numbers must outlive this.
  Masks(const Json& layers, MaskNumbers& numbers);

  /// The mask that goes along with a place.
  const Mask& of(const Json& place);
  /// All that `of` has made till now.
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  Mask made(const Json& layer, const Json& place);
  Mask merged(const Json& layer, const Json& inputs);
  Json any_feature(Json counts);
  Json operation(const char* type, std::vector<Json> reads, Json config = Json(Json::Kind::object),
                 Json number = {});

  MaskNumbers& numbers_;
  std::map<std::string, const Json*> layers_;
  std::map<PlaceKey, Mask> masks_;
  std::vector<Operation> operations_;
};

/// What a file of Keras 3 has of such operations.
class ReadMasks {
 public:
  explicit ReadMasks(MaskNumbers& numbers) : numbers_(numbers) {}

  /// Takes an operation that only masks are made of; false for any other.
  bool take(const Json& keras);
  bool has(const std::string& name) const { return read_.count(name) != 0; }
  /// Of the mask that such an operation gives, or any other place.
  int number_of(const Json& place) const;

 private:
  MaskNumbers& numbers_;
  std::map<std::string, int> read_;
};

}  // namespace glia::keras
