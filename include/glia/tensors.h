// Tensors: data for models with several inputs or outputs, by position or by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace glia {

/// A tensor with the name of an input or output.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Views of tensors: one, several in the order of a model's inputs or outputs, or several by their names. What they show must
/// live as long as they do; a tensor that nobody else has, such as what a function returns, they keep.
///
///     model.fit({images, tables}, {{"digit", digits}, {"even", parities}});
class Tensors {
 public:
  struct Entry {
    std::string name;                    ///< empty: by position
    std::shared_ptr<const Tensor> kept;  ///< a tensor that was given away; else null
    TensorView view;

    template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
    Entry(const T& tensor) : view(tensor) {}
    template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
    Entry(std::string entry_name, const T& tensor) : name(std::move(entry_name)), view(tensor) {}
    template <class T, std::enable_if_t<std::is_same_v<T, Tensor>, int> = 0>
    Entry(T&& tensor) : Entry(std::string(), std::move(tensor)) {}
    template <class T, std::enable_if_t<std::is_same_v<T, Tensor>, int> = 0>
    Entry(std::string entry_name, T&& tensor)
        : name(std::move(entry_name)), kept(std::make_shared<const Tensor>(std::move(tensor))), view(*kept) {}
  };

  /// None.
  Tensors() = default;
  template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
  Tensors(const T& tensor) : entries_{Entry(tensor)} {}
  template <class T, std::enable_if_t<std::is_same_v<T, Tensor>, int> = 0>
  Tensors(T&& tensor) : entries_{Entry(std::move(tensor))} {}
  Tensors(std::initializer_list<Entry> entries) : entries_(entries) {}
  /// Templates, so that braces never mean a vector, which {10} could be.
  template <class T, std::enable_if_t<std::is_same_v<T, Entry> || std::is_same_v<T, Tensor>, int> = 0>
  Tensors(const std::vector<T>& tensors) : entries_(tensors.begin(), tensors.end()) {}
  template <class T, std::enable_if_t<std::is_same_v<T, NamedTensor>, int> = 0, class = void>
  Tensors(const std::vector<T>& tensors) {
    for (const NamedTensor& named : tensors) entries_.emplace_back(named.name, named.tensor);
  }

  explicit operator bool() const { return !entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  const Entry& operator[](std::size_t i) const { return entries_[i]; }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace glia
