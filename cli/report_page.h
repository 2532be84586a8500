// Pieces of a report's page: texts, tables and drawings as HTML.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cli {

/// As it is read, whatever HTML would make of it.
std::string escaped(const std::string& text);

/// Six digits.
std::string in_short(double value);

using Row = std::vector<std::string>;
/// Of texts, which it escapes. What is wider than the page, tables and on a phone drawings, scrolls by itself.
std::string table(const Row& head, const std::vector<Row>& rows);

/// The SVG that `draw(path)` writes, as an element of the page.
std::string drawing(const std::function<void(const std::string& path)>& draw);

/// A whole document, which may fetch nothing: styles and pictures are within it.
std::string page(const std::string& title, const std::string& body);

}  // namespace cli
