// Arrays in NumPy's format: the magic number, a version, the header's size, the header, and the elements.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/npy.h"

#include <glia/error.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "host/base/escaped.h"  // defines: escaped

namespace glia::io {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t start_bytes = magic.size() + 2;  // and the version
constexpr std::size_t alignment = 64;                  // of the elements in what NumPy and Glia write
constexpr std::uint32_t max_header = 65'535;           // the most of version 1; NumPy itself reads 10,000
constexpr std::size_t piece_bytes = 64 << 10;

/// One element after the other of an array in the order of a file, as places in row-major order.
struct Walk {
  Shape shape;    // the axis that moves fastest comes first
  Shape strides;  // in elements
  Shape index;
  std::int64_t place = 0;

  Walk(const Shape& array, bool fortran_order) {
    if (!fortran_order) shape = {array.elements()}, strides = {1}, index = {0};
    for (int axis = 0; fortran_order && axis < array.rank(); ++axis) {
      shape.push_back(array[axis]), index.push_back(0);
      strides.push_back(array.slice(axis + 1, array.rank()).elements());
    }
  }
  void next() {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      place += strides[axis];
      if (++index[axis] < shape[axis]) return;
      place -= index[axis] * strides[axis];
      index[axis] = 0;
    }
  }
};

struct Bool {
  std::uint8_t bits;
  explicit operator std::uint8_t() const { return bits != 0; }
};

/// IEEE 754 binary16.
struct Half {
  std::uint16_t bits;
  explicit operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FFu;
    if (exponent == 0)  // zero and what is too small for an exponent of its own: multiples of 2^-24
      return std::copysign(static_cast<float>(fraction) * 0x1p-24f, sign ? -1.0f : 1.0f);
    const std::uint32_t wide = exponent == 31 ? 255 : exponent + 127 - 15;  // infinity, NaN with its bits
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};

template <class Stored, class Element>
void convert(const std::byte* from, std::size_t count, void* tensor, Walk& walk) {
  for (std::size_t i = 0; i < count; ++i, walk.next()) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof(Stored), sizeof(Stored));
    static_cast<Element*>(tensor)[walk.place] = static_cast<Element>(stored);
  }
}

struct ElementType {
  std::string_view code;  // without the byte order
  std::size_t bytes;
  DType dtype;
  bool as_it_is;  // in little endian and C order, the elements of the tensor
  void (*convert)(const std::byte*, std::size_t, void*, Walk&);
};

constexpr ElementType element_types[] = {
    {"f4", 4, DType::float32, true, convert<float, float>},
    {"f8", 8, DType::float64, true, convert<double, double>},
    {"u1", 1, DType::uint8, true, convert<std::uint8_t, std::uint8_t>},
    {"i4", 4, DType::int32, true, convert<std::int32_t, std::int32_t>},
    {"i8", 8, DType::int64, true, convert<std::int64_t, std::int64_t>},
    {"b1", 1, DType::uint8, false, convert<Bool, std::uint8_t>},
    {"i1", 1, DType::int32, false, convert<std::int8_t, std::int32_t>},
    {"i2", 2, DType::int32, false, convert<std::int16_t, std::int32_t>},
    {"u2", 2, DType::int32, false, convert<std::uint16_t, std::int32_t>},
    {"u4", 4, DType::int64, false, convert<std::uint32_t, std::int64_t>},
    {"f2", 2, DType::float32, false, convert<Half, float>},
};

bool has_byte_order(std::string_view descr) {
  return !descr.empty() && std::string_view("<>=|").find(descr.front()) != descr.npos;
}

const ElementType& element_type(const std::string& name, std::string_view descr) {
  const std::string_view code = has_byte_order(descr) ? descr.substr(1) : descr;
  for (const ElementType& type : element_types)
    if (type.code == code) return type;
  const char kind = code.empty() ? '?' : code.front();
  GLIA_CHECK(kind != 'O', FileError, name,
             " holds Python objects, which are pickles and are never read; save an array of numbers");
  const char* const what = code == "u8"                 ? "uint64"
                           : kind == 'c'                ? "complex numbers"
                           : kind == 'S' || kind == 'U' ? "text"
                           : kind == 'M' || kind == 'm' ? "dates or times"
                           : kind == 'V'                ? "records or raw bytes"
                                                        : "elements";
  throw FileError(
      detail::concat(name, " holds ", what, " of dtype '", detail::escaped(descr),
                     "', which no tensor does; convert the array with astype to float32, float64, uint8, "
                     "int32 or int64, and save it again"));
}

[[noreturn]] void fail(const ByteSource& source, const std::string& problem) {
  throw FileError(detail::concat(source.name(), " is not a sound .npy file: ", problem,
                                 "; get the file, or save it, again"));
}

/// The header's text; `end` is where the elements begin.
std::string header_text(ByteSource& source, std::uint64_t& end) {
  unsigned char start[start_bytes + 4] = {};
  if (source.size() < start_bytes + 2) fail(source, detail::concat("it has ", source.size(), " bytes"));
  source.read(start, start_bytes + 2);
  if (std::memcmp(start, magic.data(), magic.size()) != 0) fail(source, "it does not begin with \\x93NUMPY");
  const unsigned version = start[magic.size()];
  const unsigned minor = start[magic.size() + 1];
  if (version < 1 || version > 3 || minor != 0)
    fail(source, detail::concat("its version is ", version, '.', minor, ", expected 1.0, 2.0 or 3.0"));
  end = start_bytes + (version == 1 ? 2 : 4);
  if (source.size() < end) fail(source, "it ends within its first bytes");
  source.read(start + start_bytes + 2, end - start_bytes - 2);
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, start + start_bytes, sizeof(bytes));
  if (bytes > max_header || bytes > source.size() - end)
    fail(source, detail::concat("its header would have ", bytes, " bytes, of ", source.size() - end,
                                " that follow and at most ", max_header));
  std::string text(bytes, '\0');
  source.read(text.data(), bytes);
  end += bytes;
  return text;
}

/// The bytes of the elements in the file, and in the tensor no more than can be counted.
std::uint64_t stored_bytes(const ByteSource& source, const NpyHeader& header, const ElementType& type) {
  // Zeros count as one: parts of a shape are multiplied elsewhere, without checks.
  std::int64_t bytes = size_of(type.dtype);
  for (const std::int64_t dimension : header.shape)
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(dimension, 1), &bytes))
      fail(source, detail::concat("its shape ", header.shape, " is more than 63 bits can count"));
  return static_cast<std::uint64_t>(header.shape.elements()) * type.bytes;
}

void read_converted(ByteSource& source, const NpyHeader& header, const ElementType& type, Tensor& tensor) {
  std::string piece(piece_bytes, '\0');
  Walk walk(header.shape, header.fortran_order);
  auto left = static_cast<std::uint64_t>(tensor.size());
  while (left > 0) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_bytes / type.bytes));
    source.read(piece.data(), count * type.bytes);
    for (std::size_t i = 0; header.descr.front() == '>' && i < count * type.bytes; i += type.bytes)
      std::reverse(&piece[i], &piece[i] + type.bytes);
    type.convert(reinterpret_cast<const std::byte*>(piece.data()), count, tensor.raw(), walk);
    left -= count;
  }
}

}  // namespace

Tensor read_npy(ByteSource& source) {
  std::uint64_t start = 0;
  const std::string text = header_text(source, start);
  const NpyHeader header = parse_npy_header(source.name(), text);
  const ElementType& type = element_type(source.name(), header.descr);
  const std::uint64_t bytes = stored_bytes(source, header, type), left = source.size() - start;
  if (bytes != left)
    fail(source, detail::concat("an array of shape ", header.shape, " and dtype ", header.descr, " has ",
                                bytes, " bytes, and ", left, " follow the header"));
  Tensor tensor = Tensor::uninitialized(header.shape, type.dtype);
  if (type.as_it_is && header.descr.front() != '>' && (!header.fortran_order || header.shape.rank() < 2))
    source.read(tensor.raw(), bytes);
  else
    read_converted(source, header, type, tensor);
  source.finish();
  return tensor;
}

std::string npy_header_of(const TensorView& tensor) {
  const ElementType* type = element_types;
  while (type->dtype != tensor.dtype()) ++type;  // the first of its dtype is the dtype itself
  std::string text = detail::concat("{'descr': '", type->bytes == 1 ? '|' : '<', type->code,
                                    "', 'fortran_order': False, 'shape': ", tensor.shape(), ", }");
  const std::size_t used = start_bytes + 2 + text.size() + 1;
  text.append((alignment - used % alignment) % alignment, ' ') += '\n';
  std::string header(magic);
  header += {'\1', '\0', static_cast<char>(text.size() & 0xFF), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace glia::io
