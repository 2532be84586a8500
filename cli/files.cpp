// What a file is, told by its bytes, and models of whatever format.
// SPDX-License-Identifier: Apache-2.0
#include "files.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>

#ifdef GLIA_HAS_KERAS
#include <glia/keras.h>
#endif
#ifdef GLIA_HAS_ONNX
#include <glia/onnx.h>
#endif

namespace cli {
namespace {

std::ifstream opened(const std::string& path) {
  std::error_code ignored;
  GLIA_CHECK(!std::filesystem::is_directory(path, ignored), glia::FileError, "'", path,
             "' is a folder, expected a file");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  GLIA_CHECK(file, glia::FileError, "cannot open '", path, "': ", std::strerror(errno));
  return file;
}

/// Whether the header of a safetensors file says that there is a model.
bool describes_a_model(const std::string& path) {
  std::ifstream file = opened(path);
  std::array<unsigned char, 8> length{};
  file.read(reinterpret_cast<char*>(length.data()), length.size());
  std::uint64_t bytes = 0;
  for (int i = 7; i >= 0; --i) bytes = bytes << 8 | length[static_cast<std::size_t>(i)];
  std::string header(
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes, std::filesystem::file_size(path))), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  return header.find("\"glia.model\"") != header.npos;
}

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return extension;
}

[[noreturn, maybe_unused]] void lacks(const std::string& path, const char* what, const char* library) {
  throw glia::FileError("'" + path + "' is " + what + ", and this program was built without " + library +
                        ": docs/building.md says how to add it");
}

}  // namespace

const char* name_of(FileKind kind) {
  switch (kind) {
    case FileKind::model:
      return "Glia model (safetensors)";
    case FileKind::tensors:
      return "tensors (safetensors)";
    case FileKind::keras:
      return "Keras";
    case FileKind::onnx:
      return "ONNX";
    case FileKind::npy:
      return "NumPy array";
    case FileKind::npz:
      return "NumPy arrays (zip)";
    case FileKind::image:
      return "image";
    case FileKind::csv:
      return "table (CSV)";
    case FileKind::idx:
      return "IDX array";
    default:
      return "JSON";
  }
}

FileKind kind_of(const std::string& path) {
  std::ifstream file = opened(path);
  std::string head(16, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  const std::string extension = extension_of(path);
  const auto begins = [&](std::string_view mark) { return std::string_view(head).starts_with(mark); };
  if (begins("\x93NUMPY")) return FileKind::npy;
  if (begins("PK\x03\x04")) return extension == ".keras" ? FileKind::keras : FileKind::npz;
  if (begins("\x89HDF\r\n\x1a\n")) return FileKind::keras;
  if (begins("\x89PNG")) return FileKind::image;
  if (head.size() > 2 && head[0] == 'P' && std::strchr("2356", head[1]) && std::strchr(" \t\r\n#", head[2]))
    return FileKind::image;
  if (begins("\x1f\x8b") || (head.size() >= 4 && head[0] == 0 && head[1] == 0)) return FileKind::idx;
  if (head.size() > 8 && head[8] == '{' && extension == ".safetensors")
    return describes_a_model(path) ? FileKind::model : FileKind::tensors;
  if (extension == ".safetensors") return FileKind::tensors;
  if (extension == ".onnx") return FileKind::onnx;
  if (extension == ".json") return FileKind::json;
  return FileKind::csv;
}

bool is_model(FileKind kind) {
  return kind == FileKind::model || kind == FileKind::keras || kind == FileKind::onnx ||
         kind == FileKind::json;
}

glia::Model open_model(const std::string& path, const std::optional<glia::Device>& device) {
  switch (const FileKind kind = kind_of(path)) {
    case FileKind::model:
      return glia::load_model(path, {.device = device});
    case FileKind::json: {
      std::ifstream file = opened(path);
      return glia::Model::from_json({std::istreambuf_iterator<char>(file), {}});
    }
    case FileKind::keras:
#ifdef GLIA_HAS_KERAS
      return glia::keras::load(path, {.device = device});
#else
      lacks(path, "a file of Keras's", "glia::keras");
#endif
    case FileKind::onnx:
#ifdef GLIA_HAS_ONNX
      return glia::onnx::load(path, {.device = device});
#else
      lacks(path, "an ONNX file", "glia::onnx");
#endif
    default:
      throw glia::FileError(
          "'" + path + "' is no model (" + name_of(kind) +
          "): expected one that Model::save, Keras or an ONNX exporter wrote, or the JSON of Model::to_json");
  }
}

void save_model(const glia::Model& model, const std::string& path) {
  const std::string extension = extension_of(path);
  if (path.ends_with(".weights.safetensors")) return model.save_weights(path);
  if (extension == ".safetensors") return model.save(path);
#ifdef GLIA_HAS_KERAS
  if (path.ends_with(".weights.h5")) return glia::keras::save_weights(model, path);
  if (extension == ".keras") return glia::keras::save(model, path);
#else
  if (extension == ".h5" || extension == ".keras") lacks(path, "a file of Keras's", "glia::keras");
#endif
#ifdef GLIA_HAS_ONNX
  if (extension == ".onnx") return glia::onnx::save(model, path);
#else
  if (extension == ".onnx") lacks(path, "an ONNX file", "glia::onnx");
#endif
  throw glia::ValueError("cannot tell a format from the name '" + path +
                         "', expected one of .safetensors, .weights.safetensors, .keras, .weights.h5, .onnx");
}

bool is_compiled(const glia::Model& model) {
  try {
    return !model.metrics_names().empty();
  } catch (const glia::StateError&) {
    return false;
  }
}

std::string sha256_of(const std::string& path) {
  std::ifstream file = opened(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::string block(1 << 20, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0)
    EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(file.gcount()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int bytes = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &bytes);
  std::string text;
  for (unsigned int i = 0; i < bytes; ++i)
    text += "0123456789abcdef"[digest[i] >> 4], text += "0123456789abcdef"[digest[i] & 15];
  return text;
}

}  // namespace cli
