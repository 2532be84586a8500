// GraphWriter: an ONNX graph that is being made: operators, constants, and values in the two orders of axes that images have.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <format.pb.h>
#include <glia/shape.h>
#include <interchange/onnx/constant.h>  // defines: Integers

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace glia::onnx {

using Strings = std::vector<std::string>;

/// What a layer gave. Rows of an image, (h, w, c), or of a sequence, (n, c), may stand there with the channels first, last, or, once
/// somebody has asked for the other order, in both.
struct Value {
  Shape row;          ///< as Glia has it, channels last
  std::string last;   ///< name of (batch, row...); empty: not there
  std::string first;  ///< name of (batch, channels, the rest...)

  bool has_channels() const { return row.rank() >= 2; }
};
using ValuePtr = std::shared_ptr<Value>;

class GraphWriter {
 public:
  using Option = std::variant<std::int64_t, double, std::string, Integers>;
  using Options = std::vector<std::pair<std::string, Option>>;

  explicit GraphWriter(format::Graph& graph) : graph_(graph) {}

  /// Names that values within the graph must not have.
  void reserve(const std::string& name) { taken_.insert(name); }
  /// What the operators that come now are called after.
  void set_path(const std::string& path) { path_ = path; }
  const std::string& path() const { return path_; }

  /// The output of a new operator.
  std::string add(const char* op, const Strings& inputs, const Options& options = {});
  /// Constants; of equal ones there is one. Scalars are float32, integers int64.
  std::string scalar(double value);
  std::string integers(const Integers& values);
  std::string floats(const std::string& wanted, const Shape& shape, std::span<const float> values);

  /// The value with its channels last, or first: transposed where it is not there so.
  const std::string& last(const ValuePtr& value);
  const std::string& first(const ValuePtr& value);

  /// Gives a value the name of an output of the graph; one that is an input, or an output already, by an operator that copies it.
  void name_output(const std::string& value, const std::string& name);
  /// Puts the names of outputs where values are made and read.
  void finish();

 private:
  std::string unique(const std::string& wanted);

  format::Graph& graph_;
  std::unordered_set<std::string> taken_;
  std::unordered_set<std::string> made_;  // by operators
  std::unordered_map<std::string, std::string> constants_, renamed_;
  std::string path_;
};

}  // namespace glia::onnx
