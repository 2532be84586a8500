// Symbol: what flows from layer to layer in a graph that is being made. Models with several inputs, outputs or ways are said
// in symbols, as in Keras's Functional API.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/shape.h>

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace GLIA_API glia {

struct Application;  // a layer applied to symbols; host/layers/application.h
class Input;
class Layer;

/// An output of a layer applied to symbols, or an input of a graph. A handle: copies are the same value.
///
///     glia::Symbol x = glia::Input({28, 28, 1});
///     glia::Symbol y = glia::Dense(10, "softmax")(glia::Flatten()(x));
///     glia::Model model({x}, {y});
class Symbol {
 public:
  Symbol(std::shared_ptr<const Application> application, int output)
      : application_(std::move(application)), output_(output) {}

  /// Of one row.
  const Shape& shape() const;
  /// The layer whose output it is.
  Layer layer() const;
  /// Which of that layer's outputs, from 0.
  int output_index() const { return output_; }
  const Application& application() const { return *application_; }
  const std::shared_ptr<const Application>& shared_application() const { return application_; }

  friend bool operator==(const Symbol& a, const Symbol& b) {
    return a.application_ == b.application_ && a.output_ == b.output_;
  }

 private:
  std::shared_ptr<const Application> application_;
  int output_;
};

/// One symbol, or several: what a layer is applied to and a model is made of.
class Symbols {
 public:
  Symbols(const Symbol& symbol) : symbols_{symbol} {}
  Symbols(const Input& input);
  Symbols(std::initializer_list<Symbol> symbols) : symbols_(symbols) {}
  Symbols(std::vector<Symbol> symbols) : symbols_(std::move(symbols)) {}

  auto begin() const { return symbols_.begin(); }
  auto end() const { return symbols_.end(); }
  std::size_t size() const { return symbols_.size(); }
  const Symbol& operator[](std::size_t i) const { return symbols_[i]; }

 private:
  std::vector<Symbol> symbols_;
};

}  // namespace glia
