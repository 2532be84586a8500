// Zip archives by libzip.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/zip.h"

#include <glia/error.h>  // defines: FileError, ValueError, OutOfMemoryError, detail::concat

#include <algorithm>
#include <string_view>
#include <utility>

#include "host/base/escaped.h"  // defines: escaped, utf8_length

#if GLIA_HAS_LIBZIP

#include <zip.h>

#include <cstring>
#include <new>

namespace glia::io {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw FileError(detail::concat("'", path, "' is not a sound zip archive: ", problem,
                                 "; get the file, or save it, again"));
}

/// The first of the names that are given twice, in byte order; empty where none is.
std::string_view given_twice(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::string_view() : *twice;
}

class MemberSource final : public ByteSource {
 public:
  MemberSource(const std::string& path, const ZipMember& member, zip* archive, zip_uint64_t index)
      : path_(path), member_(member), file_(::zip_fopen_index(archive, index, 0)) {
    if (!file_) fail(::zip_strerror(archive));
  }
  ~MemberSource() override { ::zip_fclose(file_); }

  std::string name() const override {
    return detail::concat("'", path_, "', member '", detail::escaped(member_.name), "'");
  }
  std::uint64_t size() const override { return member_.bytes; }

  void read(void* destination, std::size_t bytes) override {
    auto* next = static_cast<char*>(destination);
    while (bytes > 0) {
      const zip_int64_t got = ::zip_fread(file_, next, bytes);
      if (got < 0) fail(::zip_file_strerror(file_));
      if (got == 0) fail(detail::concat("it ends ", bytes, " bytes before its end"));
      next += got;
      bytes -= static_cast<std::size_t>(got);
    }
  }

  void finish() override {  // libzip compares the checksum when it meets the end
    char more = 0;
    const zip_int64_t got = ::zip_fread(file_, &more, 1);
    if (got < 0) fail(::zip_file_strerror(file_));
    if (got > 0) fail(detail::concat("it has more than the ", member_.bytes, " bytes that are listed"));
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    io::fail(path_, detail::concat("member '", detail::escaped(member_.name), "': ", problem));
  }

  const std::string& path_;
  const ZipMember& member_;
  zip_file_t* file_;
};

/// Where libzip writes: its source of an archive, which keeps the bytes in memory.
struct Sink {
  std::string bytes;
  zip_uint64_t at = 0;
  zip_error_t error = {};

  zip_int64_t write(const void* data, zip_uint64_t count) {
    try {
      bytes.resize(std::max<std::size_t>(bytes.size(), at + count));
    } catch (const std::exception&) {  // which may not pass through C
      ::zip_error_set(&error, ZIP_ER_MEMORY, 0);
      return -1;
    }
    std::memcpy(bytes.data() + at, data, count);
    at += count;
    return static_cast<zip_int64_t>(count);
  }

  static zip_int64_t call(void* state, void* data, zip_uint64_t count, zip_source_cmd_t command) {
    Sink& sink = *static_cast<Sink*>(state);
    switch (command) {
      case ZIP_SOURCE_SUPPORTS:
        return ::zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE,
            ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE,
            ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, ZIP_SOURCE_SUPPORTS, -1);
      case ZIP_SOURCE_STAT:
        ::zip_stat_init(static_cast<zip_stat_t*>(data));
        return sizeof(zip_stat_t);
      case ZIP_SOURCE_ERROR:
        return ::zip_error_to_data(&sink.error, data, count);
      case ZIP_SOURCE_WRITE:
        return sink.write(data, count);
      case ZIP_SOURCE_TELL_WRITE:
        return static_cast<zip_int64_t>(sink.at);
      case ZIP_SOURCE_SEEK_WRITE: {
        const zip_int64_t to =
            ::zip_source_seek_compute_offset(sink.at, sink.bytes.size(), data, count, &sink.error);
        if (to < 0) return -1;
        sink.at = static_cast<zip_uint64_t>(to);
        return 0;
      }
      default:  // opened, begun, closed: there is nothing to do; it is never read
        return 0;
    }
  }
};

/// An archive that is being put together; thrown away unless it is closed.
class Archive {
 public:
  Archive(const std::string& path, Sink& sink) : path_(path) {
    zip_source_t* const source = ::zip_source_function_create(&Sink::call, &sink, nullptr);
    archive_ = source ? ::zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, nullptr) : nullptr;
    if (archive_) return;
    ::zip_source_free(source);
    throw OutOfMemoryError(detail::concat("no memory to put '", path, "' together"));
  }
  ~Archive() {
    if (archive_) ::zip_discard(archive_);
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  void add(const ZipContent& content, ZipPacking packing) {
    std::vector<zip_buffer_fragment_t> fragments;
    for (const Bytes& part : content.parts)  // libzip takes them as not const, and only reads them
      fragments.push_back({reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(part.data())), part.size()});
    zip_source_t* const source =
        ::zip_source_buffer_fragment(archive_, fragments.data(), fragments.size(), 0);
    const zip_int64_t index =
        source ? ::zip_file_add(archive_, content.name.c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) ::zip_source_free(source), fail();
    constexpr zip_uint16_t first_day =
        1 << 5 | 1;  // the first of January 1980, where the format's time begins
    const auto at = static_cast<zip_uint64_t>(index);
    const int method = packing == ZipPacking::deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    if (::zip_set_file_compression(archive_, at, method, 0) < 0 ||
        ::zip_file_set_dostime(archive_, at, 0, first_day, 0) < 0)
      fail();
  }

  void close() {
    if (::zip_close(archive_) < 0) fail();
    archive_ = nullptr;
  }

 private:
  [[noreturn]] void fail() const {
    const std::string problem = ::zip_strerror(archive_);
    if (::zip_error_code_zip(::zip_get_error(archive_)) == ZIP_ER_MEMORY)
      throw OutOfMemoryError(detail::concat("no memory to put '", path_, "' together"));
    throw FileError(detail::concat("cannot put the zip archive '", path_, "' together: ", problem,
                                   "; save fewer or smaller members"));
  }

  const std::string& path_;
  zip* archive_ = nullptr;
};

void check_names(std::span<const ZipContent> contents) {
  std::vector<std::string_view> names;
  for (const ZipContent& content : contents) {
    const std::string& name = content.name;
    std::size_t at = 0, length = 1;
    for (; at < name.size() && length > 0; at += length)
      length = name[at] == '\0' ? 0 : detail::utf8_length(name, at);
    GLIA_CHECK(length > 0 && !name.empty() && name.size() <= max_zip_name, ValueError, "'",
               detail::escaped(name), "' of ", name.size(),
               " bytes cannot be the name of a member of a zip archive, which has 1 to ", max_zip_name,
               " bytes of UTF-8 and no zero byte; choose another");
    names.push_back(name);
  }
  const std::string_view twice = given_twice(std::move(names));
  GLIA_CHECK(twice.empty(), ValueError, "two members of a zip archive are named '", detail::escaped(twice),
             "'; give each a name of its own");
}

}  // namespace

ZipReader::ZipReader(const std::string& path) : path_(path) {
  const std::uint64_t file_bytes =
      InputFile(path).size();  // throws where it is no file, which libzip would wait for
  int code = 0;
  archive_ = ::zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (!archive_) {
    zip_error_t error;
    ::zip_error_init_with_code(&error, code);
    const std::string problem = ::zip_error_strerror(&error);
    ::zip_error_fini(&error);
    if (code == ZIP_ER_MEMORY) throw OutOfMemoryError(detail::concat("no memory to open '", path, "'"));
    fail(path, problem);
  }
  try {
    list(file_bytes);
  } catch (...) {
    ::zip_discard(archive_);
    throw;
  }
}

ZipReader::~ZipReader() { ::zip_discard(archive_); }

void ZipReader::list(std::uint64_t file_bytes) {
  const auto count = static_cast<zip_uint64_t>(::zip_get_num_entries(archive_, 0));
  std::uint64_t packed = 0, unpacked = 0;
  std::vector<std::string_view> names;
  for (zip_uint64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (::zip_stat_index(archive_, i, 0, &stat) < 0 || (stat.valid & needed) != needed || !*stat.name)
      fail(path_, detail::concat("its list of members is broken at member ", i));
    const std::string name = detail::escaped(stat.name);
    GLIA_CHECK(stat.encryption_method == ZIP_EM_NONE, FileError, "'", path_, "': member '", name,
               "' is encrypted; save the file without a password");
    GLIA_CHECK(stat.comp_method == ZIP_CM_STORE || stat.comp_method == ZIP_CM_DEFLATE, FileError, "'", path_,
               "': member '", name, "' is packed by method ", stat.comp_method,
               " of zip archives, expected 0 (stored) or 8 (deflated); save the file so");
    if (__builtin_add_overflow(packed, stat.comp_size, &packed) || packed > file_bytes)
      fail(path_, detail::concat("the first ", i + 1, " members take more than its ", file_bytes, " bytes"));
    if (__builtin_add_overflow(unpacked, stat.size, &unpacked) || unpacked > max_unpacked_bytes(file_bytes))
      throw FileError(detail::concat("'", path_, "' of ", file_bytes, " bytes would unpack to more than ",
                                     max_unpacked_bytes(file_bytes),
                                     ", the most that is taken from such a file; if you"
                                     " trust it, save its contents without compression"));
    members_.push_back({stat.name, stat.size, stat.comp_size});
  }
  for (const ZipMember& member : members_) names.push_back(member.name);
  const std::string_view twice = given_twice(std::move(names));
  if (!twice.empty()) fail(path_, detail::concat("two members are named '", detail::escaped(twice), "'"));
}

std::unique_ptr<ByteSource> ZipReader::open(std::size_t member) const {
  return std::make_unique<MemberSource>(path_, members_.at(member), archive_, member);
}

void write_zip(const std::string& path, std::span<const ZipContent> contents, ZipPacking packing) {
  check_names(contents);
  Sink sink;
  if (contents.empty()) {  // of which libzip writes nothing: the record of the end, of which the rest is 0
    sink.bytes.assign("PK\5\6").resize(22);
  } else {
    Archive archive(path, sink);
    for (const ZipContent& content : contents) archive.add(content, packing);
    archive.close();
  }
  write_file_atomically(path, sink.bytes);
}

}  // namespace glia::io

#else

namespace glia::io {
namespace {

[[noreturn]] void fail_without_libzip(const std::string& path) {
  throw FileError(detail::concat("'", path,
                                 "' is a zip archive, and this Glia was built without libzip; install it "
                                 "(Debian: libzip-dev) and build Glia again"));
}

}  // namespace

ZipReader::ZipReader(const std::string& path) { fail_without_libzip(path); }
ZipReader::~ZipReader() = default;
std::unique_ptr<ByteSource> ZipReader::open(std::size_t) const { return nullptr; }
void write_zip(const std::string& path, std::span<const ZipContent>, ZipPacking) {
  fail_without_libzip(path);
}

}  // namespace glia::io

#endif
