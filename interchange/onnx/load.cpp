// glia::onnx::load: the file, whose sizes are checked before protobuf sees it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/onnx.h>
#include <host/io/input_file.h>
#include <interchange/onnx/importer.h>
#include <interchange/onnx/messages.h>

#include <limits>
#include <new>

namespace glia::onnx {
namespace {

std::string bytes_of(const std::string& path) {
  const io::InputFile file(path);
  GLIA_CHECK(file.size() > 0 && file.size() <= std::numeric_limits<std::int32_t>::max(), FileError, "'", path,
             "' has ", file.size(), " bytes, expected an ONNX file, which has 1 to 2^31 - 1: get it again");
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, bytes.data(), bytes.size());
  return bytes;
}

void parse(format::Model& model, const std::string& path) {
  const std::string bytes = bytes_of(path);
  check_messages(bytes);
  GLIA_CHECK(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())), ValueError,
             "its bytes are no messages of protobuf");
  GLIA_CHECK(model.ir_version() >= 1 && model.has_graph(), ValueError, "it has ",
             model.has_graph() ? "no version" : "no graph");
}

}  // namespace

Model load(const std::string& path, const LoadOptions& options) {
  try {
    format::Model file;
    parse(file, path);
    return Importer(file, file.ByteSizeLong(), options).model();
  } catch (const FileError&) {
    throw;
  } catch (const ValueError& error) {
    throw FileError(detail::concat("'", path, "' is no ONNX file that Glia can read: ", error.what()));
  } catch (const ShapeError& error) {
    throw FileError(detail::concat("'", path, "' is no ONNX file that Glia can read: ", error.what()));
  } catch (const StateError& error) {
    throw FileError(detail::concat("'", path, "' is no ONNX file that Glia can read: ", error.what()));
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("out of memory while reading '" + path + "': close other programs");
  } catch (const std::length_error&) {
    throw OutOfMemoryError("out of memory while reading '" + path + "': close other programs");
  }
}

}  // namespace glia::onnx
