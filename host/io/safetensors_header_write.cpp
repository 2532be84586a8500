// Writing the header of a safetensors file.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>  // defines: ValueError, detail::concat

#include <nlohmann/json.hpp>
#include <utility>

#include "host/io/safetensors_header.h"

namespace glia::io {
namespace {

using Json = nlohmann::json;

void append_json(std::string& out, const std::string& text, const char* what) {
  try {
    const std::string json = Json(text).dump();
    GLIA_CHECK(json.size() <= max_safetensors_token, ValueError, what, " is of ", json.size(),
               " bytes, where a safetensors file has at most ", max_safetensors_token, "; shorten it");
    out += json;
  } catch (const Json::exception&) {
    const std::string shown = Json(text.substr(0, 60)).dump(-1, ' ', false, Json::error_handler_t::replace);
    throw ValueError(detail::concat(what, " ", shown, " is not UTF-8, as safetensors files want; change it"));
  }
}

}  // namespace

std::string make_safetensors_header(const SafetensorsHeader& header) {
  std::string json = "{";
  if (!header.metadata.empty()) {
    json += detail::concat('"', safetensors_metadata_key, "\":");
    char before = '{';
    for (const auto& [key, value] : header.metadata) {
      json += std::exchange(before, ',');
      append_json(json, key, "the metadata key");
      json += ':';
      append_json(json, value, "the metadata value");
    }
    json += header.tensors.empty() ? "}" : "},";
  }
  const char* before = "";
  for (const TensorEntry& entry : header.tensors) {
    GLIA_CHECK(entry.name != safetensors_metadata_key, ValueError, "a tensor cannot be named ",
               safetensors_metadata_key, " in a safetensors file, where that is the metadata; rename it");
    json += std::exchange(before, ",");
    append_json(json, entry.name, "the tensor name");
    json += detail::concat(":{\"dtype\":\"", entry.stored->name, "\",\"shape\":[");
    for (int axis = 0; axis < entry.shape.rank(); ++axis)
      json += (axis ? "," : "") + std::to_string(entry.shape[axis]);
    json += detail::concat("],\"data_offsets\":[", entry.begin, ',', entry.end, "]}");
  }
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');  // the tensors that follow start aligned
  return json;
}

}  // namespace glia::io
