// The kinds of recurrent layers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequence_layers.h>

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace glia::test {

/// A kind of layer; all four, as some options ask for it.
struct Kind {
  std::string name;
  Layer (*make)(int units, const RecurrentOptions& options);
  std::size_t states = 1;

  friend std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }
};
inline std::vector<Kind> kinds() {
  return {{"SimpleRNN", [](int u, const RecurrentOptions& o) -> Layer { return SimpleRNN(u, o); }},
          {"LSTM", [](int u, const RecurrentOptions& o) -> Layer { return LSTM(u, o); }, 2},
          {"GRU", [](int u, const RecurrentOptions& o) -> Layer { return GRU(u, o); }},
          {"GRU_reset_before", [](int u, const RecurrentOptions& o) -> Layer {
             RecurrentOptions options = o;
             options.reset_after = false;
             return GRU(u, options);
           }}};
}

}  // namespace glia::test
