// Zip archives as bytes, sound or with any of their numbers wrong, for tests of who reads them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace glia::testing {

/// A member. What it says of itself may be wrong by so much.
struct ZipPart {
  std::string name;
  std::string bytes = {};
  int method = 0;  ///< 0: stored; 8: deflated; of others the bytes are stored
  int flags = 0;
  bool wide = false;  ///< sizes of 64 bits
  std::int64_t checksum_change = 0, size_change = 0, packed_size_change = 0;
};

inline std::string little_endian(std::int64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// `bytes` as a zip archive holds them, without zlib's header and checksum.
inline std::string raw_deflated(const std::string& bytes) {
  uLongf size = ::compressBound(static_cast<uLong>(bytes.size()));
  std::string packed(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
             static_cast<uLong>(bytes.size()));
  return packed.substr(2, size - 6);
}

/// Local headers and members, the list of them, and its end. `overlap`: every entry of the list names the first
/// member's bytes.
inline std::string zip_of(const std::vector<ZipPart>& parts, bool overlap = false) {
  std::string members, list;
  for (const ZipPart& part : parts) {
    const std::string packed = part.method == 8 ? raw_deflated(part.bytes) : part.bytes;
    const auto checksum = static_cast<std::int64_t>(
        ::crc32_z(0, reinterpret_cast<const Bytef*>(part.bytes.data()), part.bytes.size()));
    const auto packed_size = static_cast<std::int64_t>(packed.size()) + part.packed_size_change;
    const auto size = static_cast<std::int64_t>(part.bytes.size()) + part.size_change;
    const std::string wide = !part.wide ? std::string()
                                        : little_endian(1, 2) + little_endian(16, 2) +
                                              little_endian(size, 8) + little_endian(packed_size, 8);
    const std::string common =
        little_endian(part.wide ? 45 : 20, 2) + little_endian(part.flags, 2) + little_endian(part.method, 2) +
        little_endian(0, 2) + little_endian(33, 2) + little_endian(checksum + part.checksum_change, 4) +
        little_endian(part.wide ? -1 : packed_size, 4) + little_endian(part.wide ? -1 : size, 4) +
        little_endian(static_cast<std::int64_t>(part.name.size()), 2) +
        little_endian(static_cast<std::int64_t>(wide.size()), 2);
    const auto start = static_cast<std::int64_t>(overlap ? 0 : members.size());
    list += "PK\1\2" + little_endian(20, 2) + common + std::string(10, '\0') + little_endian(start, 4) +
            part.name + wide;
    if (!overlap || members.empty()) members += "PK\3\4" + common + part.name + wide + packed;
  }
  const std::string count = little_endian(static_cast<std::int64_t>(parts.size()), 2);
  return members + list + "PK\5\6" + little_endian(0, 4) + count + count +
         little_endian(static_cast<std::int64_t>(list.size()), 4) +
         little_endian(static_cast<std::int64_t>(members.size()), 4) + little_endian(0, 2);
}

}  // namespace glia::testing
