// Importer: the graph of an ONNX file as symbols of Glia, operator by operator.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/image_layers.h>
#include <glia/layers.h>
#include <glia/onnx.h>
#include <glia/symbol.h>
#include <glia/tensor.h>
#include <interchange/onnx/constant.h>
#include <interchange/onnx/node.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace glia::onnx {

/// How the rows of a value of the file lie in the symbol that has its elements.
enum class Order {
  plain,      ///< as they are
  first,      ///< (c, rest...) in the file, (rest..., c) in the symbol
  flattened,  ///< (c * h * w,) in the file, (h * w * c,) in the symbol
  scalar,     ///< () in the file, (1,) in the symbol
};

/// A value of the file: a symbol, or a constant, or something on the way to what Glia has.
struct Given {
  std::optional<Symbol> symbol = {};
  Order order = Order::plain;
  Shape image = {};          ///< of one that is flattened: (h, w, c)
  bool nonnegative = false;  ///< whatever the input is
  std::shared_ptr<const Constant> constant = {};

  /// The symbol is another one times a number.
  struct Scaled {
    Symbol of;
    double factor;
  };
  std::optional<Scaled> scaled = {};
  /// factor * erf(x / sqrt(2)) + offset, which times x is GELU.
  struct Erf {
    Symbol x;
    double factor, offset;
  };
  std::optional<Erf> erf = {};
  /// 1 where a comparison holds, else 0.
  std::optional<Symbol> condition = {};

  Given() = default;
  explicit Given(Symbol of, Order in = Order::plain) : symbol(std::move(of)), order(in) {}
  explicit Given(Constant of) : constant(std::make_shared<const Constant>(std::move(of))) {}
};

class Importer {
 public:
  /// The file must live on; of its weights only until the model is made.
  Importer(format::Model& file, std::size_t bytes, const LoadOptions& options);

  /// Reads all nodes that an output needs, lets the file's weights go, and makes the model. Throws ValueError and its kin.
  Model model();

  // What operators are read with. All throw ValueError or ShapeError, to which the caller adds the node.

  std::int64_t operator_set() const { return operator_set_; }
  const Given& given(const std::string& name) const;
  /// Null where there is none yet.
  const Given* find(const std::string& name) const;
  const Given& given(const Node& node, int input) const;
  /// A value that is computed from the inputs. Throws where it is a constant, or no symbol yet.
  const Given& dynamic(const Node& node, int input) const;
  bool is_constant(const Node& node, int input) const;
  const Constant& constant(const Node& node, int input) const;
  /// Of an optional input: nothing where it is not given.
  std::optional<double> number(const Node& node, int input) const;
  /// Integers of an attribute in files of old operator sets, of an input in others.
  std::optional<Integers> list(Node& node, const char* attribute, int input) const;
  void put(const Node& node, Given value, int output = 0);

  /// Of one row, as the file has it.
  Shape row(const Given& value) const;
  /// The symbol in the file's order.
  Symbol plain(const Given& value) const;
  /// The symbol with its channels, which the file has first, behind.
  Symbol channels_last(const Given& value) const;
  /// For glia's functions: an axis of the file's batch as one of the symbol's row, counted from 1. Throws for the batch.
  int axis(const Given& value, std::int64_t of_file) const;
  /// The same elements in rows of another shape.
  Given reshaped(const Given& value, const Shape& row) const;
  /// Numbers of the file, one for each feature of a flattened image, in the symbol's order; others as they are.
  std::vector<float> features(const Given& value, std::vector<float> numbers) const;
  /// All in one order of axes.
  std::vector<Symbol> alike(const std::vector<const Given*>& values, Given& like) const;

  /// value * scale, or value + offset, with numbers that are repeated along its axes.
  Given scaled(const Given& value, const Constant& numbers, const std::function<double(double)>& change = {});
  Given moved(const Given& value, const Constant& numbers, double sign);

  /// A layer whose weights are set once the model is built.
  Symbol weighted(const Layer& layer, const Symbol& x, std::vector<Tensor> weights);
  /// What a layer with this weight is called until named() calls it so; "" leaves it to Glia.
  std::string name_for(const std::string& weight);
  /// The only node that reads a value that is no output; null where there is none.
  const format::Node* only_reader(const std::string& value) const;
  /// That node was read along with the one before it, whose output it replaces.
  void join(Node& node, const format::Node& reader);
  /// The activation that follows a layer alone, which it takes in: joined then. `axis` is the one of the features.
  ActivationName activation_after(Node& node, std::int64_t axis, std::int64_t rank);
  /// What was joined to the node gives this one's output.
  const std::string& output_of(const Node& node) const;
  /// How many rows a batch has, where the file fixes it.
  const std::optional<std::int64_t>& rows() const { return rows_; }
  /// Counts elements that are more than the file has. Throws where they are too many.
  void spend(std::int64_t elements);

 private:
  void check_file();
  void read_inputs();
  void read_node(const format::Node& node);
  std::vector<Symbol> read_outputs();
  std::vector<bool> needed_nodes() const;
  bool takes_channels_first(const std::string& input) const;
  /// The draft with the names of the file; what the draft called its layers.
  Model named(const Model& draft, std::unordered_map<std::string, std::string>& names) const;

  const format::Graph& graph_;
  format::Model& file_;
  const LoadOptions& options_;
  std::int64_t operator_set_ = 0, budget_;
  int operators_ = 0;                 // that were read as layers
  std::optional<std::int64_t> rows_;  // of a batch, where the file fixes them
  std::unordered_map<std::string, Given> values_;
  std::unordered_map<std::string, std::vector<const format::Node*>> readers_;
  std::unordered_set<std::string> outputs_, names_;
  std::unordered_set<const format::Node*> joined_;
  std::unordered_map<std::string, std::string> joined_outputs_;
  std::vector<Symbol> inputs_;
  std::vector<std::pair<Layer, std::vector<Tensor>>> weights_;
};

/// What reads an operator.
using OperatorRead = void (*)(Importer&, Node&);
using OperatorReads = std::vector<std::pair<const char*, OperatorRead>>;
OperatorReads element_reads();
OperatorReads arithmetic_reads();
OperatorReads product_reads();
OperatorReads window_reads();
OperatorReads shape_reads();

/// The activation that a node is, where it is one that layers end in; `axis` is the features', of a value of so many axes.
std::optional<ActivationName> activation_of(Node& node, const Importer& to, std::int64_t axis,
                                            std::int64_t rank);
/// min(max(x, least), most).
Symbol clipped(const Symbol& x, double least, double most);
/// The result of an operator whose inputs are all constants; nothing for one that is not computed so.
std::optional<Constant> folded(const Importer& to, Node& node);
/// A name of the file's as one of a layer.
std::string layer_name(const std::string& name);

}  // namespace glia::onnx
