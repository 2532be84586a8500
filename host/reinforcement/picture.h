// Elements of SVG that pictures of environments are made of.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/plots/svg.h>  // defines: number

#include <string>

namespace glia::plots {

inline std::string rect(double x, double y, double width, double height, const char* fill) {
  return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
         number(height) + "\" fill=\"" + fill + "\"/>";
}

inline std::string circle(double x, double y, double radius, const char* fill) {
  return "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"" + number(radius) + "\" fill=\"" +
         fill + "\"/>";
}

inline std::string line(double x1, double y1, double x2, double y2, const char* stroke, double width) {
  return "<path d=\"M" + number(x1) + ' ' + number(y1) + 'L' + number(x2) + ' ' + number(y2) +
         "\" stroke=\"" + stroke + "\" stroke-width=\"" + number(width) + "\"/>";
}

}  // namespace glia::plots
