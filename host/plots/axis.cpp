// Ticks at round numbers.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/axis.h"

#include "host/base/number_text.h"

#include <algorithm>
#include <cmath>

namespace glia::plots {
namespace {

int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9)); }

/// The least of 1, 2, 5, 10, ... times a power of ten that is `step` or more.
double round_step(double step) {
  const double power = std::pow(10.0, exponent_of(step));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::string with_minus(std::string text) {
  if (text[0] == '-') text.replace(0, 1, "\xE2\x88\x92");
  return text;
}

/// 2.5e-7 as 2.5e-07 would be written by people.
std::string scientific(double value, int decimals) {
  std::string text = detail::scientific(value, decimals);
  const std::size_t digits = text.find_first_of("+-", text.find('e')) + 1;
  while (text[digits] == '0' && digits + 1 < text.size()) text.erase(digits, 1);
  if (text[digits - 1] == '+') text.erase(digits - 1, 1);
  return text;
}

/// Multiples of `step`, all with as many digits as tell them apart.
std::vector<std::string> labels_of(const std::vector<double>& ticks, double step) {
  double greatest = step;
  for (double tick : ticks) greatest = std::max(greatest, std::abs(tick));
  const bool is_plain = greatest < 1e6 && step > 9e-6;
  std::vector<std::string> labels;
  for (double tick : ticks) {
    if (tick == 0)
      labels.push_back(is_plain ? detail::fixed(0, std::max(0, -exponent_of(step))) : "0");
    else if (is_plain)
      labels.push_back(with_minus(detail::fixed(tick, std::max(0, -exponent_of(step)))));
    else
      labels.push_back(with_minus(scientific(tick, std::max(0, exponent_of(tick) - exponent_of(step)))));
  }
  return labels;
}

}  // namespace

Axis axis_between(double min, double max, int wanted, Ticks kind) {
  Axis axis{min, max};
  double step = round_step((max - min) / wanted);
  if (kind == Ticks::integer) step = std::max(step, 1.0);
  const double tolerance = 1e-9 * (max - min);
  const double first = std::ceil((min - tolerance) / step);
  for (int i = 0; i <= 4 * wanted;
       ++i) {  // doubles far from 0 may be too coarse for steps: an end of its own
    const double tick = (first + i) * step;
    if (tick > max + tolerance) break;
    if (axis.ticks.empty() || tick > axis.ticks.back()) axis.ticks.push_back(tick);
  }
  // Counts begin at 1, not at a multiple of the step: 1, 5, 10, ...
  const double start = std::ceil(min - tolerance);
  if (kind == Ticks::integer && start >= 1 && (axis.ticks.empty() || axis.ticks.front() - start > step / 2))
    axis.ticks.insert(axis.ticks.begin(), start);
  axis.labels = labels_of(axis.ticks, step);
  return axis;
}

Axis axis_around(double least, double greatest, int wanted, Ticks kind) {
  if (least > greatest) return axis_between(0, 1, wanted, kind);
  double size = std::max(std::abs(least), std::abs(greatest));
  if (size < 1e-300) least = greatest = size = 0;
  double room = 0.05 * (greatest - least);
  if (greatest - least <= 1e-9 * size || size == 0)  // as good as one number
    room = kind == Ticks::integer ? 0.5 : size == 0 ? 1 : 0.1 * size;
  const bool is_positive = least >= 0 && size > 0;
  const double left = kind == Ticks::integer ? std::min(room, 0.5) : room;  // no tick 0 beside an epoch 1
  return axis_between(is_positive ? std::max(0.0, least - left) : least - left, greatest + room, wanted,
                      kind);
}

}  // namespace glia::plots
