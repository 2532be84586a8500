// The file that a fit goes on from: the newest whole one.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/log.h>
#include <host/base/errno_text.h>
#include <host/io/atomic_file.h>  // defines: is_temporary_name
#include <host/training/files.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <tuple>
#include <utility>

namespace glia {
namespace {

namespace fs = std::filesystem;

struct Candidate {
  fs::file_time_type written;
  std::string path;
};

/// Whether the file begins as safetensors files do, whatever its name.
bool begins_as_one(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  char head[10] = {};
  return file.read(head, sizeof head) && head[7] == 0 && head[8] == '{' && head[9] == '"';
}

/// The safetensors files of a folder, the newest first.
std::vector<Candidate> candidates(const std::string& folder) {
  std::vector<Candidate> all;
  std::error_code code;
  fs::directory_iterator entry(folder, code);
  for (const fs::directory_iterator end; !code && entry != end; entry.increment(code)) {
    std::error_code of_file;
    const fs::file_time_type written = entry->last_write_time(of_file);
    if (!of_file && entry->is_regular_file(of_file) &&
        !io::is_temporary_name(entry->path().filename().native()) &&
        (entry->path().extension() == ".safetensors" || begins_as_one(entry->path())))
      all.push_back({written, entry->path().string()});
  }
  GLIA_CHECK(!code, FileError, "cannot look through the folder '", folder,
             "' for a model to go on from: ", detail::errno_text(code), "; check its permissions");
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(b.written, b.path) < std::tie(a.written, a.path);
  });
  return all;
}

/// The model that the file has, if it is whole and was trained.
std::optional<Checkpoint> trained(const std::string& path) {
  try {
    Checkpoint checkpoint(path);
    if (checkpoint.epoch()) return checkpoint;
    detail::tell(LogLevel::info, "'", path, "' has no training to go on with");
  } catch (const NoModelError& error) {
    detail::tell(LogLevel::info, error.what());
  } catch (const FileError& error) {
    detail::tell(LogLevel::warning,
                 "a file is passed over where fit looks for one to go on from: ", error.what());
  }
  return std::nullopt;
}

}  // namespace

std::optional<Checkpoint> Checkpoint::newest(const std::string& place) {
  std::error_code code;
  const fs::file_status status = fs::status(place, code);
  if (status.type() == fs::file_type::not_found) {
    const std::string named = place.back() == '/' ? place : with_extension(place);  // as save writes it
    return named == place ? std::nullopt : newest(named);
  }
  GLIA_CHECK(status.type() != fs::file_type::none, FileError, "cannot look for a model to go on from at '",
             place, "': ", detail::errno_text(code), "; check the path and its permissions");
  if (!fs::is_directory(status)) {
    Checkpoint file(place);
    GLIA_CHECK(
        file.epoch(), FileError, "'", place,
        "' has a model without its training: save it without include_optimizer = false, or load its weights");
    return file;
  }
  std::optional<Checkpoint> best;
  std::optional<fs::file_time_type> written;
  const std::vector<Candidate> all = candidates(place);
  for (const Candidate& candidate : all) {
    if (best && candidate.written != *written)
      break;  // of several that a clock cannot tell apart the farthest
    std::optional<Checkpoint> found = trained(candidate.path);
    if (!found || (best && *found->epoch() <= *best->epoch())) continue;
    best = std::move(found), written = candidate.written;
  }
  if (!best && !all.empty())
    detail::tell(LogLevel::warning, "fit begins anew: of the ", all.size(), " safetensors files in '", place,
                 "' none has a model with its training");
  return best;
}

}  // namespace glia
