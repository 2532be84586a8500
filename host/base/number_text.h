// Numbers as text: like Python's formats, and the same whatever locale the application has set.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace glia::detail {

/// With `decimals` digits after the point: 0.4976. NaN is "nan", infinity "inf"; nothing is "-0.00".
std::string fixed(double value, int decimals);
/// With `decimals` digits and an exponent: 4.9760e-04.
std::string scientific(double value, int decimals);
/// The fewest digits that read back as the same double, as Python's repr: 0.1, 1.0, 1e-05.
std::string shortest(double value);
/// With commas between the thousands: 101,770.
std::string grouped(std::int64_t value);

}  // namespace glia::detail
