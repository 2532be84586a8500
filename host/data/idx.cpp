// The IDX format: two zero bytes, a type code, the rank, big-endian 32-bit dimensions, big-endian elements.
// SPDX-License-Identifier: Apache-2.0
#include "host/data/idx.h"

#include <glia/datasets.h>
#include <glia/error.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace glia {

Tensor read_idx(const std::string& path) {
  detail::IdxFile file(path);
  Tensor tensor = file.allocate();
  file.read_into(tensor);
  return tensor;
}

namespace detail {

namespace {

struct ElementType {
  int code;
  std::int64_t bytes;  // in the file
  DType dtype;         // in memory
};

constexpr ElementType element_types[] = {
    {0x08, 1, DType::uint8}, {0x09, 1, DType::int32},   {0x0b, 2, DType::int32},
    {0x0c, 4, DType::int32}, {0x0d, 4, DType::float32}, {0x0e, 8, DType::float64},
};

constexpr std::size_t piece_bytes = 1 << 20;

template <class Bits>
Bits load_big_endian(const std::byte* bytes) {
  Bits bits = 0;
  for (std::size_t i = 0; i < sizeof(Bits); ++i)
    bits = static_cast<Bits>(bits << 8 | static_cast<Bits>(bytes[i]));
  return bits;
}

/// Elements at the end of `memory`, as they are in the file, become Element at its front, in place: no
/// element is written over before it is read, since the file's are never the wider ones.
template <class Bits, class Stored, class Element>
void convert(std::byte* memory, std::int64_t count) {
  static_assert(sizeof(Stored) <= sizeof(Element));
  const std::byte* from = memory + count * static_cast<std::int64_t>(sizeof(Element) - sizeof(Stored));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto element =
        static_cast<Element>(std::bit_cast<Stored>(load_big_endian<Bits>(from + i * sizeof(Stored))));
    std::memcpy(memory + i * sizeof(Element), &element, sizeof(Element));
  }
}

void convert(int type_code, std::byte* memory, std::int64_t count) {
  switch (type_code) {
    case 0x09:
      return convert<std::uint8_t, std::int8_t, std::int32_t>(memory, count);
    case 0x0b:
      return convert<std::uint16_t, std::int16_t, std::int32_t>(memory, count);
    case 0x0c:
      return convert<std::uint32_t, std::int32_t, std::int32_t>(memory, count);
    case 0x0d:
      return convert<std::uint32_t, float, float>(memory, count);
    case 0x0e:
      return convert<std::uint64_t, double, double>(memory, count);
  }
}

/// The body's bytes in the file; throws where an element count or the size of the tensor leaves 63 bits.
std::int64_t checked_bytes(const Shape& shape, const ElementType& type, const GzipFile& file) {
  // Zeros count as one, so that no partial product overflows either, in whatever order it is taken.
  std::int64_t bytes = std::max(type.bytes, size_of(type.dtype));
  for (std::int64_t dimension : shape)
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(dimension, 1), &bytes))
      file.fail(
          concat("expected dimensions whose product fits 63 bits, got ", shape, "; this is not an IDX file"));
  return shape.elements() * type.bytes;
}

}  // namespace

IdxFile::IdxFile(const std::string& path, GzipCheck check) : file_(path, check) {
  read_header();
  if (!file_.compressed()) check_plain_size();
}

void IdxFile::read_header() {
  file_.read_exactly(header_.data(), 4, "the IDX magic number");
  type_code_ = static_cast<int>(header_[2]);
  const int rank = static_cast<int>(header_[3]);
  const auto* type =
      std::find_if(std::begin(element_types), std::end(element_types),
                   [this](const ElementType& candidate) { return candidate.code == type_code_; });
  if (header_[0] != std::byte{0} || header_[1] != std::byte{0} || type == std::end(element_types))
    file_.fail(concat("expected an IDX magic number (0, 0, a type of 8, 9, 11, 12, 13 or 14, the rank), got ",
                      static_cast<int>(header_[0]), ", ", static_cast<int>(header_[1]), ", ", type_code_,
                      ", ", rank, "; this is not an IDX file"));
  if (rank < 1 || rank > Shape::max_rank)
    file_.fail(concat("expected 1 to ", Shape::max_rank, " dimensions, got ", rank));

  file_.read_exactly(header_.data() + 4, 4 * static_cast<std::size_t>(rank), "IDX dimensions");
  for (int axis = 0; axis < rank; ++axis)
    shape_.push_back(load_big_endian<std::uint32_t>(&header_[4 + 4 * axis]));
  header_bytes_ = 4 + 4 * static_cast<std::size_t>(rank);
  dtype_ = type->dtype;
  body_bytes_ = checked_bytes(shape_, *type, file_);
}

void IdxFile::check_plain_size() const {
  const std::uint64_t got = file_.size() - header_bytes_;
  const auto expected = static_cast<std::uint64_t>(body_bytes_);
  if (got != expected)
    file_.fail(concat("expected ", expected, " bytes of elements for shape ", shape_, ", got ", got,
                      "; the file ", got < expected ? "is truncated" : "has trailing bytes",
                      ": fetch it again"));
}

Tensor IdxFile::allocate() const {
  // What little costs little, and ratios of images and labels, are believed; a file may well be zeros alone
  // (deflate reaches 1:1032), but then it has to prove it.
  constexpr std::uint64_t always = 1 << 20;
  constexpr std::uint64_t usual_ratio = 32;
  const auto body = static_cast<std::uint64_t>(body_bytes_);
  if (file_.compressed() && body > always && body / usual_ratio > file_.size()) {
    GzipFile probe(file_.path());
    probe.skip(header_bytes_, "the IDX header");
    probe.skip(body, "elements");
  }
  return Tensor::uninitialized(shape_, dtype_);
}

void IdxFile::read_into(Tensor& tensor, const std::function<void(std::size_t)>& on_progress) {
  auto* const memory = static_cast<std::byte*>(tensor.raw());
  // Elements that widen are put at the end, from where convert takes them.
  std::byte* const to = memory + (tensor.bytes() - body_bytes_);
  const auto total = static_cast<std::size_t>(body_bytes_);
  for (std::size_t done = 0; done < total;) {
    const std::size_t got = file_.read(to + done, std::min(piece_bytes, total - done));
    if (got == 0)
      file_.fail(concat("expected ", total, " bytes of elements for shape ", shape_, ", got ", done,
                        "; the file is truncated: fetch it again"));
    done += got;
    if (on_progress) on_progress(done);
  }
  file_.expect_end();
  convert(type_code_, memory, tensor.size());
}

}  // namespace detail
}  // namespace glia
