// Event files: the wire format of protobuf as far as scalars need it, and the framing of TFRecord.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/event_file.h"

#include <fcntl.h>
#include <glia/error.h>
#include <host/base/errno_text.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

namespace glia::io {
namespace {

/// CRC-32C (Castagnoli, RFC 3720): bits reflected, so that the polynomial reads 0x82f63b78.
constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[byte] = value;
  }
  return table;
}();

/// As TFRecord has it: rotated and moved, since a CRC of data with CRCs in it says little.
std::uint32_t masked_crc(const std::string& data) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : data) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return std::rotr(~crc, 15) + 0xa282ead8;
}

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}
std::string bytes_field(int field, const std::string& bytes) {
  return key(field, Wire::bytes) + varint(bytes.size()) + bytes;
}

std::string wall_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return key(1, Wire::fixed64) +
         little_endian(std::bit_cast<std::uint64_t>(std::chrono::duration<double>(now).count()));
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = name.data();
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string file_name(int number) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (seconds.size() < 10) seconds.insert(0, 10 - seconds.size(), '0');  // files are read in order of names
  return detail::concat("events.out.tfevents.", seconds, '.', host_name(), '.', ::getpid(), '.', number);
}

}  // namespace

EventFile::EventFile(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  GLIA_CHECK(!failed, FileError, "could not make the folder ", folder,
             " for event files: ", detail::errno_text(failed));
  for (int number = 0; descriptor_ < 0; ++number) {
    path_ = (std::filesystem::path(folder) / file_name(number)).string();
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    GLIA_CHECK(descriptor_ >= 0 || errno == EEXIST || errno == EINTR, FileError, "could not make ", path_,
               ": ", detail::errno_text(errno), "; check the folder's permissions and the disk's space");
  }
  record(wall_time() + bytes_field(3, "brain.Event:2"));
  try {
    flush();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

EventFile::~EventFile() {
  write();
  ::close(descriptor_);
}

void EventFile::record(const std::string& message) {
  const std::string length = little_endian(static_cast<std::uint64_t>(message.size()));
  waiting_ += length + little_endian(masked_crc(length)) + message + little_endian(masked_crc(message));
}

void EventFile::scalar(const std::string& tag, double value, std::int64_t step) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::string number = bytes_field(1, tag) + key(2, Wire::fixed32) + little_endian(bits);
  record(wall_time() + key(2, Wire::varint) + varint(static_cast<std::uint64_t>(step)) +
         bytes_field(5, bytes_field(1, number)));
}

/// False where the system refused; what was written is no longer waiting.
bool EventFile::write() {
  while (!waiting_.empty()) {
    const ssize_t written = ::write(descriptor_, waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

void EventFile::flush() {
  GLIA_CHECK(write(), FileError, "could not write to ", path_, ": ", detail::errno_text(errno),
             "; check the disk's space");
}

}  // namespace glia::io
