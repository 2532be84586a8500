// The wire format of protobuf (https://protobuf.dev/programming-guides/encoding/), walked without making anything of it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <interchange/onnx/messages.h>

#include <cstdint>

namespace glia::onnx {
namespace {

/// The messages of format.proto.
enum class Message {
  none,
  model,
  graph,
  node,
  attribute,
  tensor,
  value,
  type,
  tensor_type,
  dimensions,
  dimension,
  set
};

/// What a field of a message holds, by its number.
Message within(Message message, std::uint64_t field) {
  switch (message) {
    case Message::model:
      return field == 7 ? Message::graph : field == 8 ? Message::set : Message::none;
    case Message::graph:
      return field == 1                   ? Message::node
             : field == 5                 ? Message::tensor
             : field == 11 || field == 12 ? Message::value
                                          : Message::none;
    case Message::node:
      return field == 5 ? Message::attribute : Message::none;
    case Message::attribute:
      return field == 5 ? Message::tensor : Message::none;
    case Message::value:
      return field == 2 ? Message::type : Message::none;
    case Message::type:
      return field == 1 ? Message::tensor_type : Message::none;
    case Message::tensor_type:
      return field == 2 ? Message::dimensions : Message::none;
    case Message::dimensions:
      return field == 1 ? Message::dimension : Message::none;
    default:
      return Message::none;
  }
}

/// Fields that hold a list of texts, of which each takes the memory of a string.
bool is_text_list(Message message, std::uint64_t field) {
  return (message == Message::node && field <= 2) || (message == Message::attribute && field == 9);
}

/// Fields that hold a list of numbers, of a byte or more each.
bool is_number_list(Message message, std::uint64_t field) {
  return (message == Message::tensor && (field == 1 || field == 5 || field == 7)) ||
         (message == Message::attribute && field == 8);
}

class Walk {
 public:
  explicit Walk(std::string_view file) : file_(file) {}

  void message(Message kind, std::size_t from, std::size_t until) {
    std::size_t at = from;
    while (at < until) {
      const std::uint64_t tag = number(at, until), field = tag >> 3;
      expect(field != 0, at);
      switch (tag & 7) {
        case 0:
          number(at, until);
          ++small_;  // a number of one byte is eight in a list
          break;
        case 1:
        case 5:
          expect(until - at >= ((tag & 7) == 1 ? 8u : 4u), at);
          at += (tag & 7) == 1 ? 8 : 4;
          break;
        case 2: {
          const std::uint64_t length = number(at, until);
          expect(length <= until - at, at);
          const Message part = within(kind, field);
          if (part != Message::none)
            ++messages_, message(part, at, at + static_cast<std::size_t>(length));
          else if (is_text_list(kind, field))
            ++texts_;
          else if (is_number_list(kind, field))
            small_ += length;
          at += static_cast<std::size_t>(length);
          break;
        }
        default:
          expect(false, at);
      }
    }
  }

  void check() const {
    constexpr std::uint64_t of_message = 200, of_text = 48, of_number = 8, free = 16'000'000;
    const std::uint64_t bytes = messages_ * of_message + texts_ * of_text + small_ * of_number;
    GLIA_CHECK(bytes <= free + 3 * file_.size(), ValueError, "it has ", messages_, " messages in ",
               file_.size(), " bytes, which is more than any graph has");
  }

 private:
  void expect(bool holds, std::size_t at) const {
    GLIA_CHECK(holds, ValueError, "its bytes at offset ", at,
               " are no message of protobuf: get the file again");
  }
  /// Seven bits a byte, the lowest first.
  std::uint64_t number(std::size_t& at, std::size_t until) const {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      expect(at < until, at);
      const auto byte = static_cast<unsigned char>(file_[at++]);
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    expect(false, at);
    return 0;
  }

  std::string_view file_;
  std::uint64_t messages_ = 0, texts_ = 0, small_ = 0;
};

}  // namespace

void check_messages(std::string_view file) {
  Walk walk(file);
  walk.message(Message::model, 0, file.size());
  walk.check();
}

}  // namespace glia::onnx
