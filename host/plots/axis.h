// One axis of a drawing: the numbers it shows, and where its ticks are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace glia::plots {

enum class Ticks { real, integer };

struct Axis {
  double min = 0;
  double max = 1;
  std::vector<double> ticks = {};        // ascending, within [min, max]
  std::vector<std::string> labels = {};  // one for each tick

  /// Where `value` lies between min (0) and max (1).
  double share(double value) const { return (value - min) / (max - min); }
};

/// From min to max, which are finite, with min < max; about `wanted` ticks at multiples of 1, 2 or 5 times a power of
/// ten.
Axis axis_between(double min, double max, int wanted, Ticks kind);
/// Around numbers from `least` to `greatest`, with some room at the ends; 0 to 1 where there are none (least >
/// greatest).
Axis axis_around(double least, double greatest, int wanted, Ticks kind);

}  // namespace glia::plots
