// Attributes that are texts: object headers, attribute messages, global heaps. Every offset is compared with the file's length.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/hdf5_attributes.h"

#include <glia/error.h>

#include <algorithm>

namespace glia::keras {
namespace {

[[noreturn]] void damaged(const char* what) { throw ValueError(std::string("is damaged: ") + what); }

/// The bytes of a part of the file.
std::string_view part(std::string_view bytes, std::uint64_t offset, std::uint64_t length) {
  if (offset > bytes.size() || length > bytes.size() - offset) damaged("it lies beyond the end of the file");
  return bytes.substr(offset, length);
}

/// Little-endian, of 1 to 8 bytes.
std::uint64_t number(std::string_view bytes, std::uint64_t offset, int length) {
  const std::string_view digits = part(bytes, offset, static_cast<std::uint64_t>(length));
  std::uint64_t value = 0;
  for (int i = length; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(digits[static_cast<std::size_t>(i)]);
  return value;
}

std::uint64_t padded(std::uint64_t length) { return (length + 7) / 8 * 8; }

constexpr int continuation = 0x10, attribute = 0x0C, attribute_info = 0x15;
constexpr int most_messages = 100'000;
constexpr std::uint64_t most_steps = 20'000'000;  // through heaps, for one attribute

/// Goes through the messages of an object's header, wherever they lie.
class Header {
 public:
  Header(std::string_view file, std::uint64_t at) : file_(file) {
    if (part(file, at, 4) == "OHDR") {
      const auto flags = number(file, at + 5, 1);
      std::uint64_t start = at + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
      const int width = 1 << (flags & 3);
      has_order_ = (flags & 4) != 0, is_new_ = true;
      blocks_.push_back(part(file, start + static_cast<std::uint64_t>(width), number(file, start, width)));
    } else {
      if (number(file, at, 1) != 1) damaged("its object has a header of an unknown version");
      blocks_.push_back(part(file, at + 16, number(file, at + 8, 4)));
    }
  }

  /// The attribute message that has this name.
  std::optional<std::string_view> find(std::string_view name) {
    int count = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const std::string_view block = blocks_[i];
      const std::uint64_t before = is_new_ ? (has_order_ ? 6 : 4) : 8;
      for (std::uint64_t at = 0; at + before <= block.size();) {
        const auto type = static_cast<int>(number(block, at, is_new_ ? 1 : 2));
        const std::uint64_t size = number(block, at + (is_new_ ? 1 : 2), 2);
        const std::uint64_t flags = number(block, at + (is_new_ ? 3 : 4), 1);
        const std::string_view message = part(block, at + before, size);
        at += before + size;
        if (++count > most_messages) damaged("its object has a header without an end");
        if (type == continuation) add_block(message);
        if (type == attribute_info)
          throw ValueError("lies among very many attributes, as Keras's files have not");
        if (type == attribute && name_of(message) == name) {
          if (flags & 2) throw ValueError("is shared with other objects, as Keras's files have not");
          return message;
        }
      }
    }
    return std::nullopt;
  }

 private:
  void add_block(std::string_view message) {
    std::string_view block = part(file_, number(message, 0, 8), number(message, 8, 8));
    if (is_new_) {
      if (block.size() < 8 || block.substr(0, 4) != "OCHK") damaged("a part of its object's header is none");
      block = block.substr(4, block.size() - 8);
    }
    blocks_.push_back(block);
  }
  static std::string_view name_of(std::string_view message) {
    const std::string_view name = part(message, number(message, 0, 1) == 3 ? 9 : 8, number(message, 2, 2));
    return name.substr(0, name.find('\0'));
  }

  std::string_view file_;
  std::vector<std::string_view> blocks_;
  bool is_new_ = false, has_order_ = false;
};

/// The object of this number in the global heap at an address.
std::string_view heap_object(std::string_view file, std::uint64_t address, std::uint64_t index,
                             std::uint64_t& steps) {
  if (part(file, address, 4) != "GCOL") damaged("a text lies in no heap");
  const std::string_view heap = part(file, address, number(file, address + 8, 8));
  for (std::uint64_t at = 16; at + 16 <= heap.size();) {
    const std::uint64_t found = number(heap, at, 2), size = number(heap, at + 8, 8);
    if (++steps > most_steps) damaged("its texts lie in heaps that are too long");
    if (found == 0) break;  // what is free
    const std::string_view object = part(heap, at + 16, size);
    if (found == index) return object;
    at += 16 + padded(size);
  }
  damaged("a text is not in its heap");
}

/// How many elements a dataspace has.
std::uint64_t elements(std::string_view space) {
  const std::uint64_t version = number(space, 0, 1), rank = number(space, 1, 1);
  if (version == 2 && number(space, 3, 1) == 2) return 0;
  std::uint64_t count = 1;
  for (std::uint64_t axis = 0; axis < rank; ++axis)
    if (__builtin_mul_overflow(count, number(space, (version == 1 ? 8 : 4) + 8 * axis, 8), &count))
      damaged("it has too many elements");
  return count;
}

std::string until_zero(std::string_view text) { return std::string(text.substr(0, text.find('\0'))); }

/// Elements of a length of their own, each (length, address of a heap, number in it).
std::vector<std::string> varying_texts(std::string_view file, std::string_view data, std::uint64_t count) {
  if (count > data.size() / 16) damaged("it has fewer texts than it says");
  std::vector<std::string> texts;
  std::uint64_t bytes = 0, steps = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t length = number(data, 16 * i, 4), address = number(data, 16 * i + 4, 8);
    const std::string_view object =
        length == 0 ? std::string_view() : heap_object(file, address, number(data, 16 * i + 12, 4), steps);
    if ((bytes += length) > file.size()) damaged("its texts are longer than the file");
    texts.push_back(until_zero(part(object, 0, length)));
  }
  return texts;
}

void expect_offsets_of_8_bytes(std::string_view file) {
  const std::uint64_t version = number(file, 8, 1);
  const std::uint64_t at = version < 2 ? 13 : 9;
  if (version > 3 || number(file, at, 1) != 8 || number(file, at + 1, 1) != 8)
    throw ValueError("lies in a file whose offsets are not of 8 bytes, as Keras's are");
}

}  // namespace

std::optional<std::vector<std::string>> text_attribute(std::string_view file, std::uint64_t header,
                                                       std::string_view name) {
  expect_offsets_of_8_bytes(file);
  const std::optional<std::string_view> found = Header(file, header).find(name);
  if (!found) return std::nullopt;
  const std::string_view message = *found;
  const std::uint64_t version = number(message, 0, 1);
  if (version < 1 || version > 3 || (version > 1 && number(message, 1, 1) != 0))
    throw ValueError("has a form that Keras's attributes have not");
  const auto length = [&](std::uint64_t at) {
    const std::uint64_t bytes = number(message, at, 2);
    return version == 1 ? padded(bytes) : bytes;
  };
  const std::uint64_t type_at = (version == 3 ? 9 : 8) + length(2), space_at = type_at + length(4),
                      data_at = space_at + length(6);
  const std::string_view type = part(message, type_at, length(4)), space = part(message, space_at, length(6));
  const std::string_view data =
      part(message, data_at, message.size() - std::min<std::uint64_t>(data_at, message.size()));
  const std::uint64_t kind = number(type, 0, 1) & 15, size = number(type, 4, 4), count = elements(space);
  if (count == 0) return std::vector<std::string>();
  if (kind == 9 && (number(type, 1, 1) & 15) == 1) return varying_texts(file, data, count);
  if (kind != 3) throw ValueError("is no text");
  if (size == 0 || count > data.size() / size) damaged("it has fewer texts than it says");
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < count; ++i) texts.push_back(until_zero(part(data, i * size, size)));
  return texts;
}

}  // namespace glia::keras
