// Tensors: data for models with several inputs or outputs, by position or by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// A tensor with the name of an input or output.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// What predict_all returns: a vector of an output each, which gives their tensors by name, too. One that nobody keeps gives its
/// tensors away.
///
///     const glia::NamedTensors outputs = model.predict_all({images, tables});
///     const glia::Tensor& digit = outputs["digit"];  // or outputs[0].tensor
class NamedTensors : public std::vector<NamedTensor> {
 public:
  using std::vector<NamedTensor>::vector;
  NamedTensors() = default;
  NamedTensors(std::vector<NamedTensor> tensors) : std::vector<NamedTensor>(std::move(tensors)) {}

  NamedTensor& operator[](std::size_t i) & { return vector::operator[](i); }
  const NamedTensor& operator[](std::size_t i) const& { return vector::operator[](i); }
  NamedTensor operator[](std::size_t i) && { return std::move(vector::operator[](i)); }
  /// Throws ValueError, with the names that there are, for another.
  Tensor& operator[](const std::string& name) & { return at_name(name).tensor; }
  const Tensor& operator[](const std::string& name) const& { return at_name(name).tensor; }
  Tensor operator[](const std::string& name) && { return std::move(at_name(name).tensor); }

 private:
  const NamedTensor& at_name(const std::string& name) const;
  NamedTensor& at_name(const std::string& name);
};

namespace detail {
/// Whether a T that is given away takes the elements with it: tensors and what from_dlpack returns own theirs, views do not.
template <class T>
concept OwnsElements =
    std::is_convertible_v<const T&, TensorView> && !std::is_reference_v<T> && !std::is_const_v<T> &&
    !std::is_trivially_copyable_v<T> && std::is_move_constructible_v<T>;
}  // namespace detail

/// Views of tensors: one, several in the order of a model's inputs or outputs, or several by their names. What they show must
/// live as long as they do; a tensor that nobody else has, such as what a function returns, they keep.
///
///     model.fit({images, tables}, {{"digit", digits}, {"even", parities}});
class Tensors {
 public:
  struct Entry {
    std::string name;                  ///< empty: by position
    std::shared_ptr<const void> kept;  ///< the owner of elements that were given away, a tensor; else null
    TensorView view;

    template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
    Entry(const T& tensor) : view(tensor) {}
    template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
    Entry(std::string entry_name, const T& tensor) : name(std::move(entry_name)), view(tensor) {}
    template <detail::OwnsElements T>
    Entry(T&& tensor) : Entry(std::string(), std::move(tensor)) {}
    template <detail::OwnsElements T>
    Entry(std::string entry_name, T&& tensor)
        : Entry(std::move(entry_name), std::make_shared<const T>(std::move(tensor))) {}

   private:
    template <class T>
    Entry(std::string entry_name, std::shared_ptr<const T> owner)
        : name(std::move(entry_name)), kept(owner), view(*owner) {}
  };

  /// None.
  Tensors() = default;
  template <class T, std::enable_if_t<std::is_convertible_v<const T&, TensorView>, int> = 0>
  Tensors(const T& tensor) : entries_{Entry(tensor)} {}
  template <detail::OwnsElements T>
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
