// Event files as TensorBoard reads them: TFRecords of Event messages with scalars, written without protobuf.
// SPDX-License-Identifier: Apache-2.0
//
// A TFRecord is length (uint64), masked CRC32C of the length (uint32), the message, masked CRC32C of the message; all
// little endian. The message is tensorflow.Event: wall_time = 1 (double), step = 2 (varint), and file_version = 3 in
// the first record or summary = 5 { value = 1 { tag = 1 (text), simple_value = 2 (float) } } in the others.
#pragma once

#include <host/base/hidden.h>

#include <cstdint>
#include <string>

namespace glia::io {

class GLIA_HIDDEN EventFile {
 public:
  /// Makes `folder`, and in it a new file events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER, which no other writer has.
  /// Throws FileError.
  explicit EventFile(const std::string& folder);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  /// Writes what is left; a failure is silent here.
  ~EventFile();

  /// Adds a scalar of the present time; TensorBoard keeps a float of it.
  void scalar(const std::string& tag, double value, std::int64_t step);
  /// Writes the scalars added since, so that a TensorBoard that is running sees them. Throws FileError.
  void flush();
  const std::string& path() const { return path_; }

 private:
  void record(const std::string& message);
  bool write();

  std::string path_;
  int descriptor_ = -1;
  std::string waiting_;  // whole records
};

}  // namespace glia::io
