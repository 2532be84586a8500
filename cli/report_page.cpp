// Pieces of a report's page.
// SPDX-License-Identifier: Apache-2.0
#include "report_page.h"

#include <glia/glia.h>

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace cli {

namespace fs = std::filesystem;

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

std::string in_short(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

std::string table(const Row& head, const std::vector<Row>& rows) {
  std::string html = "<div class=\"wide\"><table>\n";
  const auto add = [&](const Row& row, const char* cell) {
    html += "<tr>";
    for (const std::string& text : row)
      html += std::string("<") + cell + '>' + escaped(text) + "</" + cell + '>';
    html += "</tr>\n";
  };
  if (!head.empty()) add(head, "th");
  for (const Row& row : rows) add(row, "td");
  return html + "</table></div>\n";
}

std::string drawing(const std::function<void(const std::string& path)>& draw) {
  std::string folder = (fs::temp_directory_path() / "glia-report-XXXXXX").string();
  GLIA_CHECK(::mkdtemp(folder.data()), glia::FileError, "cannot make a folder in ",
             fs::temp_directory_path().string());
  struct Removed {
    fs::path path;
    ~Removed() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  } const removed{folder};
  const std::string path = folder + "/drawing.svg";
  draw(path);
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string svg = text.str();
  svg.erase(0, svg.find("<svg"));  // the XML declaration
  return "<div class=\"wide\">" + svg + "</div>\n";
}

std::string page(const std::string& title, const std::string& body) {
  return R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>)" +
         escaped(title) + R"(</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
h1, h2 { font-weight: 600; } h1, h2, p { overflow-wrap: anywhere; }
svg { display: block; max-width: 100%; height: auto; margin: 1em 0; } .wide { overflow-x: auto; }
@media (max-width: 700px) { svg { max-width: none; } }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 12px 2px 0; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
td { max-width: min(60ch, 60vw); overflow-wrap: break-word; }
</style>
</head>
<body>
<h1>)" + escaped(title) +
         "</h1>\n" + body + "</body>\n</html>\n";
}

}  // namespace cli
