// Importer: values of the file in the orders of axes that layers want, and with numbers that are repeated along them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <interchange/onnx/importer.h>

#include <algorithm>
#include <numeric>

namespace glia::onnx {
namespace {

/// The last axis in front; or the first behind.
std::vector<int> moved_axes(int rank, bool to_front) {
  std::vector<int> axes;
  if (to_front) axes.push_back(rank);
  for (int axis = to_front ? 1 : 2; axis <= (to_front ? rank - 1 : rank); ++axis) axes.push_back(axis);
  if (!to_front) axes.push_back(1);
  return axes;
}

Shape with_channels_first(const Shape& row) {
  Shape result{row.back()};
  for (int axis = 0; axis + 1 < row.rank(); ++axis) result.push_back(row[axis]);
  return result;
}
Shape with_channels_last(const Shape& row) {
  Shape result = row.row();
  result.push_back(row.front());
  return result;
}

bool is_flat(const Shape& image) { return image.elements() == image.back(); }

/// Epsilon and variance of a batch normalisation that divides by 1 to the bit.
constexpr double epsilon = 0x1p-10;

/// x times numbers, or with them added, one for each of the last axis.
Symbol with_features(Importer& to, const Symbol& x, const std::vector<float>& numbers, bool multiplies) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  std::vector<Tensor> weights;
  if (!multiplies) {
    std::vector<float> minus(numbers);
    for (float& number : minus) number = -number;
    weights.emplace_back(minus), weights.push_back(Tensor::ones({count}));
    return to.weighted(Normalization(), x, std::move(weights));
  }
  weights.emplace_back(numbers), weights.push_back(Tensor::zeros({count}));
  weights.push_back(Tensor::full({count}, 1 - epsilon));
  return to.weighted(BatchNormalization({.epsilon = epsilon, .center = false, .trainable = false}), x,
                     std::move(weights));
}

}  // namespace

Shape Importer::row(const Given& value) const {
  if (value.order == Order::scalar) return {};
  const Shape& shape = value.symbol->shape();
  return value.order == Order::first ? with_channels_first(shape) : shape;
}

Symbol Importer::plain(const Given& value) const {
  if (value.order == Order::first)
    return transpose(*value.symbol, moved_axes(value.symbol->shape().rank(), true));
  if (value.order != Order::flattened) return *value.symbol;
  const Symbol image = Reshape(value.image)(*value.symbol);
  return Flatten()(transpose(image, moved_axes(value.image.rank(), true)));
}

Symbol Importer::channels_last(const Given& value) const {
  if (value.order == Order::first) return *value.symbol;
  const Symbol symbol = plain(value);
  GLIA_CHECK(value.order != Order::scalar && symbol.shape().rank() >= 2, ShapeError, "it got rows of shape ",
             row(value), ", expected channels and at least one axis more");
  return transpose(symbol, moved_axes(symbol.shape().rank(), false));
}

int Importer::axis(const Given& value, std::int64_t of_file) const {
  const int rank = row(value).rank();
  const std::int64_t counted = of_file < 0 ? of_file + rank + 1 : of_file;
  GLIA_CHECK(counted >= 1 && counted <= rank, ValueError, "it works along axis ", of_file, " of ", rank + 1,
             " axes, expected one of a row: the first counts the rows, which stay apart");
  if (value.order != Order::first) return static_cast<int>(counted);
  return counted == 1 ? rank : static_cast<int>(counted) - 1;
}

Given Importer::reshaped(const Given& value, const Shape& to) const {
  const Shape from = row(value);
  GLIA_CHECK(to.elements() == from.elements(), ShapeError, "rows of shape ", from,
             " do not become rows of shape ", to, ", which have another number of elements");
  const auto same_as = [&](Symbol symbol, Order order, const Shape& image = {}) {
    Given result(std::move(symbol), order);
    result.image = image, result.nonnegative = value.nonnegative;
    return result;
  };
  if (to == from) return same_as(*value.symbol, value.order, value.image);
  if (to.empty()) return same_as(Reshape({1})(plain(value)), Order::scalar);
  if (value.order == Order::first) {
    if (to.rank() == 1) {
      const Shape image = value.symbol->shape();
      const Symbol flat = Flatten()(*value.symbol);
      return is_flat(image) ? same_as(flat, Order::plain) : same_as(flat, Order::flattened, image);
    }
    if (to.front() == from.front())
      return same_as(Reshape(with_channels_last(to))(*value.symbol), Order::first);
  }
  if (value.order == Order::flattened && to.rank() >= 2 && to.front() == value.image.back())
    return same_as(Reshape(with_channels_last(to))(*value.symbol), Order::first);
  const Symbol symbol = plain(value);
  return same_as(to.rank() == 1 && symbol.shape().rank() > 1 ? Flatten()(symbol) : Reshape(to)(symbol),
                 Order::plain);
}

std::vector<float> Importer::features(const Given& value, std::vector<float> numbers) const {
  if (value.order != Order::flattened) return numbers;
  const Shape dims = with_channels_first(value.image);
  std::vector<int> order(static_cast<std::size_t>(dims.rank()));
  std::iota(order.begin(), order.end(), 1);
  order.back() = 0;
  return permuted(numbers, {dims.begin(), dims.end()}, order);
}

std::vector<Symbol> Importer::alike(const std::vector<const Given*>& values, Given& like) const {
  bool same = true, any_first = false;
  for (const Given* const value : values) {
    same = same && value->order == values[0]->order && value->image == values[0]->image &&
           row(*value).rank() == row(*values[0]).rank();
    any_first = any_first || value->order == Order::first;
    GLIA_CHECK(row(*value).rank() == row(*values[0]).rank(), ShapeError, "it joins rows of shapes ",
               row(*values[0]), " and ", row(*value), ", expected as many axes of both");
  }
  like.order = same ? values[0]->order : any_first ? Order::first : Order::plain;
  like.image = same ? values[0]->image : Shape{};
  std::vector<Symbol> symbols;
  for (const Given* const value : values)
    symbols.push_back(same ? *value->symbol : any_first ? channels_last(*value) : plain(*value));
  return symbols;
}

namespace {

/// Numbers along the axes of a row, as a function of its elements.
class Along {
 public:
  /// `dims` are the numbers', aligned with a batch of such rows from behind.
  Along(const Shape& row, const Integers& dims) : row_(row), dims_(static_cast<std::size_t>(row.rank()), 1) {
    const auto rank = static_cast<std::size_t>(row.rank());
    GLIA_CHECK(dims.size() <= rank + 1 && (dims.size() <= rank || dims[0] == 1), ShapeError,
               "it has a constant with the dimensions ", text_of(dims), " beside rows of shape ", row,
               ", expected one that is the same for all rows");
    for (std::size_t i = 1; i <= std::min(rank, dims.size()); ++i) dims_[rank - i] = dims[dims.size() - i];
    for (std::size_t i = 0; i < rank; ++i)
      GLIA_CHECK(dims_[i] == 1 || dims_[i] == row[static_cast<int>(i)], ShapeError,
                 "it has a constant with the dimensions ", text_of(dims), " beside rows of shape ", row,
                 ", expected 1 or the row's length along each axis");
  }
  /// Whether they differ along this axis of the row alone, or along none.
  bool only_along(int axis) const {
    for (int i = 0; i < row_.rank(); ++i)
      if (i != axis && dims_[static_cast<std::size_t>(i)] != 1) return false;
    return true;
  }
  std::vector<float> along(int axis, const std::vector<float>& numbers) const {
    const auto count = static_cast<std::size_t>(row_[axis]);
    return numbers.size() == count ? numbers : std::vector<float>(count, numbers[0]);
  }
  /// One for each element, in the file's order.
  std::vector<float> everywhere(const std::vector<float>& numbers) const {
    std::vector<float> result;
    result.reserve(static_cast<std::size_t>(row_.elements()));
    for (std::int64_t at = 0; at < row_.elements(); ++at) {
      std::int64_t rest = at, place = 0, step = 1;
      for (int axis = row_.rank() - 1; axis >= 0; --axis) {
        const std::int64_t dim = dims_[static_cast<std::size_t>(axis)];
        if (dim != 1) place += rest % row_[axis] * step;
        step *= dim, rest /= row_[axis];
      }
      result.push_back(numbers[static_cast<std::size_t>(place)]);
    }
    return result;
  }

 private:
  Shape row_;
  Integers dims_;
};

/// value * numbers, or value + numbers.
Given with_numbers(Importer& to, const Given& value, const Integers& dims, const std::vector<float>& numbers,
                   bool multiplies) {
  const Shape row = to.row(value);
  const Along numbers_along(row, dims);
  Given result = value;
  result.nonnegative = false, result.scaled = {};
  const int features = value.order == Order::first ? 0 : row.rank() - 1;
  if (value.order != Order::flattened && row.rank() > 0 && numbers_along.only_along(features)) {
    result.symbol = with_features(to, *value.symbol, numbers_along.along(features, numbers), multiplies);
    return result;
  }
  to.spend(2 * row.elements());
  std::vector<float> all = numbers_along.everywhere(numbers);
  const Shape shape = value.symbol->shape();
  if (value.order == Order::first) {
    std::vector<int> order(static_cast<std::size_t>(row.rank()));
    std::iota(order.begin(), order.end(), 1);
    order.back() = 0;
    all = permuted(all, {row.begin(), row.end()}, order);
  }
  all = to.features(value, std::move(all));
  const Symbol flat = shape.rank() == 1 ? *value.symbol : Flatten()(*value.symbol);
  const Symbol y = with_features(to, flat, all, multiplies);
  result.symbol = shape.rank() == 1 ? y : Reshape(shape)(y);
  return result;
}

}  // namespace

Given Importer::scaled(const Given& value, const Constant& numbers,
                       const std::function<double(double)>& change) {
  const auto changed = [&](double number) { return change ? change(number) : number; };
  if (!numbers.is_number()) {
    std::vector<float> floats = numbers.floats();
    for (float& number : floats) number = static_cast<float>(changed(static_cast<double>(number)));
    return with_numbers(*this, value, numbers.dims(), floats, true);
  }
  const double factor = changed(numbers.number());
  Given result = value;
  result.symbol = Rescaling(factor)(*value.symbol);
  result.nonnegative = value.nonnegative && factor >= 0;
  result.scaled = Given::Scaled{*value.symbol, factor};
  if (value.scaled) result.scaled = Given::Scaled{value.scaled->of, value.scaled->factor * factor};
  return result;
}

Given Importer::moved(const Given& value, const Constant& numbers, double sign) {
  if (!numbers.is_number()) {
    std::vector<float> floats = numbers.floats();
    for (float& number : floats) number *= static_cast<float>(sign);
    return with_numbers(*this, value, numbers.dims(), floats, false);
  }
  Given result = value;
  const double offset = sign * numbers.number();
  result.symbol = Rescaling(1, offset)(*value.symbol);
  result.nonnegative = value.nonnegative && offset >= 0, result.scaled = {};
  return result;
}

}  // namespace glia::onnx
