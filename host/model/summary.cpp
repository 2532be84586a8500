// The summary's box table: columns of fixed width, in which text wraps between words.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/number_text.h>
#include <host/model/summary.h>

#include <algorithm>
#include <string>
#include <vector>

namespace glia {
namespace {

constexpr std::size_t params_column = 2;  // whose numbers stand on the right

/// Of the columns, in characters, without a space on either side: Keras's tables of chains and of graphs.
const std::vector<std::size_t> chain_widths{31, 22, 13}, graph_widths{21, 19, 13, 19};

using Cells = std::vector<std::string>;

struct Rule {
  const char *left, *line, *between, *right;
};

/// Characters of UTF-8 text: its bytes less the continuation bytes (10xxxxxx).
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// `word`, cut to `width` characters of which the last is then an ellipsis.
std::string shortened(const std::string& word, std::size_t width) {
  if (length(word) <= width) return word;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < word.size(); ++end)
    if ((word[end] & 0xC0) != 0x80 && ++seen == width) break;
  return word.substr(0, end) + "…";
}

/// The lines that hold `text`; only a word longer than a line loses its end.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  constexpr const char* blanks = " \t\n\v\f\r";
  for (std::size_t begin = 0, end; (begin = text.find_first_not_of(blanks, begin)) < text.size();
       begin = end) {
    end = std::min(text.find_first_of(blanks, begin), text.size());
    const std::string word = shortened(text.substr(begin, end - begin), width);
    if (!lines.empty() && length(lines.back()) + 1 + length(word) <= width)
      lines.back() += ' ' + word;
    else
      lines.push_back(word);
  }
  return lines;
}

void print_rule(std::ostream& out, const std::vector<std::size_t>& widths, const Rule& rule) {
  std::string text = rule.left;
  for (std::size_t column = 0; column < widths.size(); ++column) {
    if (column > 0) text += rule.between;
    for (std::size_t i = 0; i < widths[column] + 2; ++i) text += rule.line;
  }
  out << text << rule.right << '\n';
}

void print_cells(std::ostream& out, const std::vector<std::size_t>& widths, const Cells& cells,
                 const std::string& border) {
  std::vector<std::vector<std::string>> lines(widths.size());
  std::size_t height = 1;
  for (std::size_t column = 0; column < widths.size(); ++column) {
    lines[column] = wrapped(cells[column], widths[column]);
    height = std::max(height, lines[column].size());
  }
  for (std::size_t row = 0; row < height; ++row) {
    std::string text = border;
    for (std::size_t column = 0; column < widths.size(); ++column) {
      const std::string cell = row < lines[column].size() ? lines[column][row] : "";
      const std::string padding(widths[column] - length(cell), ' ');
      text += ' ' + (column == params_column ? padding + cell : cell + padding) + ' ' + border;
    }
    out << text << '\n';
  }
}

std::string shape_text(const Shape& row) {
  std::string shape = "(None";
  for (std::int64_t dimension : row) shape += ", " + std::to_string(dimension);
  return shape + ')';
}

/// What the applications of a layer read: "dense[0][0]" is the first output of the first application of it.
std::string connections(const Network& network, const LayerNode& layer) {
  const std::vector<Graph::Node>& nodes = network.graph_of_losses().nodes();
  std::string text;
  for (const Graph::Node& node : nodes) {
    if (&node.layer.node() != &layer) continue;
    for (const Graph::Source& source : node.inputs) {
      const LayerNode& from = nodes[source.node].layer.node();
      std::size_t application = 0;
      for (std::size_t n = 0; n < source.node; ++n) application += &nodes[n].layer.node() == &from;
      text += (text.empty() ? "" : ", ") + network.name_of(from) + '[' + std::to_string(application) + "][" +
              std::to_string(source.output) + ']';
    }
  }
  return text.empty() ? "-" : text;
}

Cells cells_of(const SummaryRow& row) {
  return {row.name + " (" + row.type + ')', row.built ? shape_text(row.output_shape) : "?",
          row.built ? detail::grouped(row.params) : "0 (unbuilt)", row.connected_to};
}

/// "397.54 KB".
std::string readable_size(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"KB", "MB", "GB", "TB", "PB"}) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return detail::fixed(bytes, 2) + ' ' + unit;
}

void print_total(std::ostream& out, const char* what, std::int64_t params, DType dtype) {
  out << ' ' << what << " params: " << detail::grouped(params) << " ("
      << readable_size(static_cast<double>(params) * static_cast<double>(size_of(dtype))) << ")\n";
}

}  // namespace

Summary summary_of(const Core& model) {
  const Network& network = model.network();
  Summary summary{network.name, {}, 0, 0, -1, model.dtype, network.is_chain()};
  if (model.compiled() && model.trainer().has_memory()) summary.optimizer = model.trainer().optimizer_count();
  for (const Layer& layer : network.layers()) {
    const LayerNode& node = layer.node();
    if (!node.is_listed() && summary.is_chain) continue;
    std::int64_t params = 0;
    for (const LayerNode* each : all_nodes(node))
      for (const Variable& variable : each->variables) params += variable.shape.elements();
    summary.rows.push_back({network.name_of(node), node.type(), node.output_shape, model.built(),
                            model.built() ? params : 0, summary.is_chain ? "" : connections(network, node)});
  }
  if (model.built()) {
    summary.trainable = model.weights().trainable_count();
    summary.non_trainable = model.weights().count() - summary.trainable;
  }
  return summary;
}

void print_summary(std::ostream& out, const Summary& s) {
  const std::vector<std::size_t>& widths = s.is_chain ? chain_widths : graph_widths;
  out << "Model: \"" << s.name << "\"\n";
  print_rule(out, widths, {"┏", "━", "┳", "┓"});
  print_cells(out, widths, {"Layer (type)", "Output Shape", "Param #", "Connected to"}, "┃");
  print_rule(out, widths, {"┡", "━", "╇", "┩"});
  for (std::size_t i = 0; i < s.rows.size(); ++i) {
    if (i > 0) print_rule(out, widths, {"├", "─", "┼", "┤"});
    print_cells(out, widths, cells_of(s.rows[i]), "│");
  }
  print_rule(out, widths, {"└", "─", "┴", "┘"});

  print_total(out, "Total", s.trainable + s.non_trainable + (s.optimizer >= 0 ? s.optimizer : 0), s.dtype);
  print_total(out, "Trainable", s.trainable, s.dtype);
  print_total(out, "Non-trainable", s.non_trainable, s.dtype);
  if (s.optimizer >= 0) print_total(out, "Optimizer", s.optimizer, s.dtype);
}

}  // namespace glia
