// The header of a safetensors file: a JSON object of {"dtype", "shape", "data_offsets"}, one a tensor.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/safetensors_header.h"

#include <glia/error.h>  // defines: FileError, ValueError, detail::concat

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace glia::io {
namespace {

using Json = nlohmann::json;

/// Text of a file, fit for a message: quoted, control characters escaped, at most 60 bytes of it.
std::string shown(const std::string& text) {
  const std::string start = text.size() <= 60 ? text : text.substr(0, 60) + "...";
  return Json(start).dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class... Parts>
[[noreturn]] void fail(const std::string& path, const Parts&... parts) {
  throw FileError(detail::concat("'", path, "' is not a sound safetensors file: ", parts...,
                                 "; get the file, or save it, again"));
}

/// Takes the header's JSON as a stream of events: no tree is built, so that nesting costs nothing, and a key
/// that comes twice is seen.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, std::uint64_t max_entries) : path_(path), max_entries_(max_entries) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) {
    if (place_ == Place::start) {
      place_ = Place::file;
    } else if (place_ == Place::file && key_ == safetensors_metadata_key) {
      if (std::exchange(has_metadata_, true))
        fail(path_, "its header has ", safetensors_metadata_key, " twice");
      place_ = Place::metadata;
    } else if (place_ == Place::file) {
      count_entry();
      entry_ = {};
      entry_.name = std::move(key_);
      dtype_.reset();
      shape_.reset();
      offsets_.reset();
      place_ = Place::tensor;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::tensor) finish_tensor();
    place_ = Place::file;  // the file's own object is the last: what follows it is a parse error
    return true;
  }

  bool key(std::string& text) {
    key_ = std::move(text);
    return true;
  }

  bool string(std::string& text) {
    if (place_ == Place::metadata) {
      count_entry();
      const auto [pair, is_new] = header_.metadata.try_emplace(std::move(key_), std::move(text));
      if (!is_new) fail(path_, "its metadata has the key ", shown(pair->first), " twice");
    } else if (place_ == Place::tensor && key_ == "dtype") {
      once(dtype_) = std::move(text);
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ == Place::tensor && key_ == "shape")
      once(shape_), place_ = Place::shape;
    else if (place_ == Place::tensor && key_ == "data_offsets")
      once(offsets_), place_ = Place::offsets;
    else
      unexpected("an array");
    return true;
  }

  bool end_array() {
    if (place_ == Place::offsets && offsets_->count != 2)
      fail(path_, "tensor ", shown(entry_.name), " has ", offsets_->count, " data_offsets where there are 2");
    place_ = Place::tensor;
    return true;
  }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::shape) {
      if (shape_->rank() == Shape::max_rank)
        fail(path_, "tensor ", shown(entry_.name), " has more than ", Shape::max_rank, " dimensions");
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) too_large();
      shape_->push_back(static_cast<std::int64_t>(value));
    } else if (place_ == Place::offsets) {
      if (offsets_->count < 2) offsets_->value[offsets_->count] = value;
      ++offsets_->count;
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool number_integer(std::int64_t) { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) {
    return unexpected("a number that is not an unsigned 64-bit integer");
  }
  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool binary(Json::binary_t&) { return unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    fail(path_, "its header is not JSON at offset ", sizeof(std::uint64_t) + position - (position > 0));
  }

 private:
  enum class Place { start, file, metadata, tensor, shape, offsets };
  struct Offsets {
    std::array<std::uint64_t, 2> value = {};
    std::uint64_t count = 0;
  };

  template <class Value>
  Value& once(std::optional<Value>& value) {
    if (value) fail(path_, "tensor ", shown(entry_.name), " has ", shown(key_), " twice");
    return value.emplace(Value());
  }

  void count_entry() {
    if (++entries_ > max_entries_) fail(path_, "its header has more than ", max_entries_, " entries");
  }

  [[noreturn]] void too_large() const {
    fail(path_, "the shape of tensor ", shown(entry_.name), " is more than 64 bits can count");
  }

  bool unexpected(const char* what) const {
    switch (place_) {
      case Place::start:
        fail(path_, "its header is ", what, " where an object of tensors was expected");
      case Place::file:
        fail(path_, "its header has ", what, " at ", shown(key_), " where an object was expected");
      case Place::metadata:
        fail(path_, "its metadata has ", what, " at ", shown(key_), " where a string was expected");
      default:
        fail(path_, "tensor ", shown(entry_.name), " has ", what, " at ", shown(key_),
             " where \"dtype\" (a string), \"shape\" and \"data_offsets\" (arrays of unsigned integers) were "
             "expected");
    }
  }

  void finish_tensor() {
    const std::string name = shown(entry_.name);
    if (!dtype_ || !shape_ || !offsets_)
      fail(path_, "tensor ", name, " has no \"",
           !dtype_   ? "dtype"
           : !shape_ ? "shape"
                     : "data_offsets",
           "\"");
    const auto dtype = std::find_if(stored_dtypes.begin(), stored_dtypes.end(),
                                    [&](const StoredDType& known) { return *dtype_ == known.name; });
    if (dtype == stored_dtypes.end())
      throw FileError(
          detail::concat("'", path_, "': tensor ", name, " is of dtype ", shown(*dtype_),
                         "; Glia reads F32, F64, F16, BF16, U8, I32 and I64: convert it to one of these "
                         "where the file was made, and save it again"));
    entry_.stored = &*dtype;
    entry_.shape = *shape_;
    std::tie(entry_.begin, entry_.end) = std::tie(offsets_->value[0], offsets_->value[1]);
    const std::uint64_t bytes = bytes_of_shape();
    if (entry_.begin > entry_.end || entry_.end - entry_.begin != bytes)
      fail(path_, "tensor ", name, " of shape ", entry_.shape, " and dtype ", *dtype_, " takes ", bytes,
           " bytes, but its data_offsets are [", entry_.begin, ", ", entry_.end, "]");
    header_.tensors.push_back(std::move(entry_));
  }

  std::uint64_t bytes_of_shape() const {
    // Zeros are left out of the checked product: parts of a shape are multiplied elsewhere, without checks.
    std::int64_t bytes = entry_.stored->bytes;
    bool is_empty = false;
    for (std::int64_t dimension : entry_.shape) {
      if (dimension == 0)
        is_empty = true;
      else if (__builtin_mul_overflow(bytes, dimension, &bytes))
        too_large();
    }
    return is_empty ? 0 : static_cast<std::uint64_t>(bytes);
  }

  const std::string& path_;
  const std::uint64_t max_entries_;
  SafetensorsHeader header_;
  Place place_ = Place::start;
  std::uint64_t entries_ = 0;
  bool has_metadata_ = false;
  std::string key_;
  TensorEntry entry_;
  std::optional<std::string> dtype_;
  std::optional<Shape> shape_;
  std::optional<Offsets> offsets_;
};

/// No string or number is very long: the JSON library copies each several times, into its error message too.
void check_tokens(const std::string& path, std::string_view json) {
  constexpr std::string_view between = "{}[]:,";
  bool in_string = false;
  std::size_t start = 0;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (in_string && c == '\\')
      ++at;
    else if (c == '"')
      in_string = !in_string, start = at;
    else if (!in_string && between.find(c) != between.npos)
      start = at;
    if (at - start > max_safetensors_token)
      fail(path, "its header has a value of more than ", max_safetensors_token, " bytes at offset ",
           sizeof(std::uint64_t) + start);
  }
}

void check_names(const std::string& path, std::vector<TensorEntry>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                        [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != tensors.end()) fail(path, "it has two tensors named ", shown(twice->name));
}

/// One tensor begins where the one before ends, from the end of the header to the end of the file.
void check_layout(const std::string& path, std::vector<TensorEntry>& tensors, std::uint64_t data_start,
                  std::uint64_t file_bytes) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  const std::uint64_t data_bytes = file_bytes - data_start;
  std::uint64_t expected = 0;
  for (const TensorEntry& entry : tensors) {
    if (entry.begin != expected)
      fail(
          path, "tensor ", shown(entry.name), " begins at byte ", entry.begin, " of the data, ",
          entry.begin > expected ? "leaving a hole after" : "overlapping the tensor before it, which ends at",
          " byte ", expected);
    if (entry.end > data_bytes)
      fail(path, "tensor ", shown(entry.name), " ends at byte ", entry.end, " of the data, which is ",
           data_bytes, " bytes, from offset ", data_start,
           " to the end of the file: it is truncated, or its header is wrong");
    expected = entry.end;
  }
  if (expected != data_bytes)
    fail(path, data_bytes - expected, " bytes from offset ", data_start + expected,
         " on belong to no tensor");
}

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json,
                                           std::uint64_t file_bytes) {
  if (json.empty() || json.front() != '{') fail(path, "its header, at offset 8, does not start with {");
  check_tokens(path, json);
  // The JSON library takes a zero byte for the end of the text.
  if (const std::size_t zero = json.find('\0'); zero != json.npos)
    fail(path, "its header has a zero byte at offset ", sizeof(std::uint64_t) + zero);
  HeaderReader reader(path, max_safetensors_entries(file_bytes));
  Json::sax_parse(json.begin(), json.end(), &reader);
  SafetensorsHeader header = reader.take();
  check_names(path, header.tensors);
  check_layout(path, header.tensors, sizeof(std::uint64_t) + json.size(), file_bytes);
  return header;
}

}  // namespace glia::io
