// Constants: elements of every type that ONNX stores numbers in, and of both ways in which it stores them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <interchange/onnx/constant.h>

#include <bit>
#include <cmath>
#include <cstring>

namespace glia::onnx {
namespace {

constexpr std::int64_t most_integers = 100'000;  // of a shape, or of a list of indices

std::int64_t bytes_of(ElementType type) {
  switch (type) {
    case ElementType::uint8:
    case ElementType::int8:
    case ElementType::boolean:
      return 1;
    case ElementType::uint16:
    case ElementType::int16:
    case ElementType::float16:
    case ElementType::bfloat16:
      return 2;
    case ElementType::float32:
    case ElementType::int32:
    case ElementType::uint32:
      return 4;
    case ElementType::float64:
    case ElementType::int64:
    case ElementType::uint64:
      return 8;
    default:
      return 0;
  }
}

float of_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
/// IEEE 754 binary16: 1 sign, 5 of exponent, 10 of fraction.
float of_float16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = std::ldexp(static_cast<float>(exponent == 0 ? fraction : fraction | 1024),
                           exponent == 0 ? -24 : exponent - 25);
  if (exponent == 31) value = fraction == 0 ? HUGE_VALF : NAN;
  return bits >> 15 ? -value : value;
}

}  // namespace

std::int64_t elements_of(const Integers& dims) {
  std::int64_t product = 1;
  bool fits = true, empty = false;
  for (const std::int64_t dimension : dims) {
    GLIA_CHECK(dimension >= 0, ValueError, "it has the dimensions ", text_of(dims),
               ", expected numbers of at least 0");
    empty = empty || dimension == 0;
    if (dimension > 0) fits = fits && !__builtin_mul_overflow(product, dimension, &product);
  }
  GLIA_CHECK(fits && product < std::int64_t{1} << 48, ValueError, "it has the dimensions ", text_of(dims),
             ", which is more than any file holds");
  return empty ? 0 : product;
}

std::string text_of(const Integers& dims) {
  std::string text = "(";
  for (std::size_t i = 0; i < dims.size() && i < 12; ++i)
    text += (i ? ", " : "") + (dims[i] == any_rows ? "any" : std::to_string(dims[i]));
  return text + (dims.size() > 12 ? ", ...)" : ")");
}

Constant::Constant(const format::Tensor& tensor)
    : dims_(tensor.dims().begin(), tensor.dims().end()), tensor_(&tensor) {
  GLIA_CHECK(tensor.data_location() == 0, ValueError,
             "its elements are in another file, which is not read: write the model into one file (PyTorch: "
             "external_data=False; onnx.save: save_as_external_data=False)");
  elements_ = elements_of(dims_);
  const auto type = static_cast<ElementType>(tensor.data_type());
  GLIA_CHECK(bytes_of(type) != 0, ValueError, "its elements are of ONNX's type ", tensor.data_type(),
             ", expected numbers: float, float16, bfloat16, double, an integer type or bool");
  GLIA_CHECK(stored() == elements_, ValueError, "its dimensions ", text_of(dims_), " are ", elements_,
             " elements, but the file has ", stored(), " of them");
  is_integer_ = !(type == ElementType::float32 || type == ElementType::float64 ||
                  type == ElementType::float16 || type == ElementType::bfloat16);
  GLIA_CHECK(type != ElementType::uint64, ValueError,
             "its elements are uint64, expected a type that int64 holds");
}

/// How many elements the file holds; -1 where a number of bytes is no multiple.
std::int64_t Constant::stored() const {
  const auto type = static_cast<ElementType>(tensor_->data_type());
  if (!tensor_->raw_data().empty()) {
    const auto bytes = static_cast<std::int64_t>(tensor_->raw_data().size());
    return bytes % bytes_of(type) == 0 ? bytes / bytes_of(type) : -1;
  }
  switch (type) {
    case ElementType::float32:
      return tensor_->float_data_size();
    case ElementType::float64:
      return tensor_->double_data_size();
    case ElementType::int64:
      return tensor_->int64_data_size();
    default:
      return tensor_->int32_data_size();
  }
}

Constant::Constant(const Integers& dims, const Integers& integers)
    : dims_(dims), elements_(elements_of(dims)), integers_(integers), is_integer_(true) {
  GLIA_CHECK(elements_ == static_cast<std::int64_t>(integers.size()), ValueError, "dimensions ",
             text_of(dims), " got ", integers.size(), " elements");
}

Constant::Constant(const Integers& dims, std::vector<double> reals)
    : dims_(dims), elements_(elements_of(dims)), reals_(std::move(reals)) {
  GLIA_CHECK(elements_ == static_cast<std::int64_t>(reals_.size()), ValueError, "dimensions ", text_of(dims),
             " got ", reals_.size(), " elements");
}

bool Constant::is_integer() const { return is_integer_; }

template <class T, class Put>
void Constant::each(Put&& put) const {
  if (!tensor_) {
    if (is_integer_)
      for (const std::int64_t value : integers_) put(static_cast<T>(value));
    else
      for (const double value : reals_) put(static_cast<T>(value));
    return;
  }
  const format::Tensor& t = *tensor_;
  const auto type = static_cast<ElementType>(t.data_type());
  const std::string& raw = t.raw_data();
  const auto from_raw = [&]<class Stored>(Stored, auto&& value_of) {
    for (std::size_t at = 0; at < raw.size(); at += sizeof(Stored)) {
      Stored stored;
      std::memcpy(&stored, raw.data() + at, sizeof stored);
      put(static_cast<T>(value_of(stored)));
    }
  };
  const auto as_it_is = [](auto value) { return value; };
  if (raw.empty()) {
    const auto half = [&](std::int32_t bits) {
      const auto low = static_cast<std::uint16_t>(bits);
      return type == ElementType::float16 ? of_float16(low) : of_bfloat16(low);
    };
    if (type == ElementType::float32)
      for (const float value : t.float_data()) put(static_cast<T>(value));
    else if (type == ElementType::float64)
      for (const double value : t.double_data()) put(static_cast<T>(value));
    else if (type == ElementType::int64)
      for (const std::int64_t value : t.int64_data()) put(static_cast<T>(value));
    else if (type == ElementType::float16 || type == ElementType::bfloat16)
      for (const std::int32_t bits : t.int32_data()) put(static_cast<T>(half(bits)));
    else if (type == ElementType::uint32)
      for (const std::int32_t value : t.int32_data()) put(static_cast<T>(static_cast<std::uint32_t>(value)));
    else
      for (const std::int32_t value : t.int32_data()) put(static_cast<T>(value));
    return;
  }
  switch (type) {
    case ElementType::float32:
      return from_raw(float{}, as_it_is);
    case ElementType::float64:
      return from_raw(double{}, as_it_is);
    case ElementType::float16:
      return from_raw(std::uint16_t{}, of_float16);
    case ElementType::bfloat16:
      return from_raw(std::uint16_t{}, of_bfloat16);
    case ElementType::int8:
      return from_raw(std::int8_t{}, as_it_is);
    case ElementType::int16:
      return from_raw(std::int16_t{}, as_it_is);
    case ElementType::uint16:
      return from_raw(std::uint16_t{}, as_it_is);
    case ElementType::int32:
      return from_raw(std::int32_t{}, as_it_is);
    case ElementType::uint32:
      return from_raw(std::uint32_t{}, as_it_is);
    case ElementType::int64:
      return from_raw(std::int64_t{}, as_it_is);
    default:
      return from_raw(std::uint8_t{}, as_it_is);
  }
}

Integers Constant::integers() const {
  GLIA_CHECK(is_integer_ && elements_ <= most_integers, ValueError, "it has ", elements_,
             is_integer_ ? " integers, expected a list" : " numbers that are no integers, expected integers");
  Integers result;
  result.reserve(static_cast<std::size_t>(elements_));
  each<std::int64_t>([&](std::int64_t value) { result.push_back(value); });
  return result;
}

std::vector<double> Constant::reals() const {
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(elements_));
  each<double>([&](double value) { result.push_back(value); });
  return result;
}

std::vector<float> Constant::floats() const {
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(elements_));
  each<float>([&](float value) { result.push_back(value); });
  return result;
}

double Constant::number() const {
  GLIA_CHECK(elements_ == 1, ValueError, "it has the dimensions ", text_of(dims_), ", expected one number");
  return reals()[0];
}

Constant Constant::with_dims(const Integers& dims) const {
  GLIA_CHECK(elements_of(dims) == elements_, ValueError, "it has ", elements_,
             " elements, which the dimensions ", text_of(dims), " do not hold");
  Constant result = *this;
  result.dims_ = dims;
  return result;
}

std::vector<float> permuted(const std::vector<float>& values, const Integers& dims,
                            const std::vector<int>& order) {
  Integers steps(dims.size(), 1), place(dims.size(), 0);
  for (std::size_t axis = dims.size(); axis-- > 1;) steps[axis - 1] = steps[axis] * dims[axis];
  std::vector<float> result;
  result.reserve(values.size());
  std::int64_t at = 0;
  while (result.size() < values.size()) {
    result.push_back(values[static_cast<std::size_t>(at)]);
    for (std::size_t axis = order.size(); axis-- > 0;) {
      const auto source = static_cast<std::size_t>(order[axis]);
      at += steps[source];
      if (++place[axis] < dims[source]) break;
      at -= steps[source] * place[axis];
      place[axis] = 0;
    }
  }
  return result;
}

std::vector<float> permuted(const Constant& constant, const Integers& dims, const std::vector<int>& order) {
  return permuted(constant.floats(), dims, order);
}

}  // namespace glia::onnx
