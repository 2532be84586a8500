// The callbacks that write files: ModelCheckpoint and CSVLogger. Rules as in keras.callbacks.
// SPDX-License-Identifier: Apache-2.0
#include <glia/callbacks.h>
#include <glia/error.h>
#include <glia/log.h>
#include <glia/named.h>  // defines: unknown_name
#include <glia/sequential.h>
#include <host/base/csv_field.h>
#include <host/base/errno_text.h>
#include <host/base/escaped.h>
#include <host/base/number_text.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>

namespace glia {
namespace {

/// A part of a ModelCheckpoint's path: text, or the field {name:0width.precisiontype}.
struct Piece {
  std::string text;  // or the field as it stands there
  std::string name;  // empty: text
  bool zeros = false;
  int width = 0;
  int precision = -1;  // -1: not given
  char type = '\0';    // '\0': not given
};

constexpr std::string_view extension = ".safetensors";
constexpr int most_digits = 40;  // of a width or precision: a file's name has at most 255 bytes

/// Reads a number at `at`, and moves behind it; -1 where there is none.
int number_at(const std::string& text, std::size_t& at) {
  int number = -1;
  for (; at < text.size() && detail::is_digit(text[at]); ++at)
    number = std::min(std::max(number, 0) * 10 + (text[at] - '0'), most_digits + 1);
  return number;
}

Piece field_of(const std::string& inside, const std::string& filepath) {
  const std::size_t colon = inside.find(':');
  Piece piece{.text = "{" + inside + "}", .name = inside.substr(0, colon)};
  GLIA_CHECK(!piece.name.empty() && inside.find('{') == std::string::npos, ValueError,
             "ModelCheckpoint got the filepath \"", filepath, "\" with the field ", piece.text,
             ", expected a name in it, such as {epoch:02d}; {{ is a brace");
  if (colon == std::string::npos) return piece;
  const std::string format = inside.substr(colon + 1);
  std::size_t at = 0;
  piece.zeros = !format.empty() && format[0] == '0';
  piece.width = std::max(number_at(format, at), 0);
  bool valid = true;
  if (at < format.size() && format[at] == '.') valid = (piece.precision = number_at(format, ++at)) >= 0;
  if (at < format.size()) piece.type = format[at++];
  valid = valid && at == format.size();
  if (piece.name == "epoch")
    valid = valid && piece.precision < 0 && (piece.type == '\0' || piece.type == 'd');
  else
    valid = valid && (piece.type == 'f' || piece.type == 'e' || (piece.type == '\0' && piece.precision < 0));
  GLIA_CHECK(valid, ValueError, "ModelCheckpoint got the field ", piece.text,
             ", expected one such as {epoch:02d}, {val_loss:.2f} or {val_loss:.3e}");
  GLIA_CHECK(piece.width <= most_digits && piece.precision <= most_digits, ValueError,
             "ModelCheckpoint got the field ", piece.text, ", expected a width and a precision of at most ",
             most_digits);
  return piece;
}

/// Throws ValueError for braces that do not match, and for formats that are not known.
std::vector<Piece> pieces_of(const std::string& filepath) {
  std::vector<Piece> pieces;
  std::string text;
  for (std::size_t i = 0; i < filepath.size(); ++i) {
    const char c = filepath[i];
    if (c != '{' && c != '}') {
      text += c;
      continue;
    }
    if (i + 1 < filepath.size() && filepath[i + 1] == c) {  // {{ or }}
      text += c, ++i;
      continue;
    }
    const std::size_t close = c == '{' ? filepath.find('}', i) : std::string::npos;
    GLIA_CHECK(close != std::string::npos, ValueError, "ModelCheckpoint got the filepath \"", filepath,
               "\" with a ", c, " that has no other half; write ", c, c, " for the character itself");
    pieces.push_back({.text = std::exchange(text, {}), .name = {}});
    pieces.push_back(field_of(filepath.substr(i + 1, close - i - 1), filepath));
    i = close;
  }
  pieces.push_back({.text = text, .name = {}});
  return pieces;
}

/// Those of the file's name, where the folder has no field; else none.
std::vector<Piece> name_of(std::vector<Piece> pieces) {
  const auto in_name = [](const Piece& piece) {
    return piece.name.empty() && piece.text.find('/') != piece.text.npos;
  };
  const auto last = std::find_if(pieces.rbegin(), pieces.rend(), in_name);
  if (last == pieces.rend()) return pieces;
  const auto first = last.base() - 1;
  if (std::any_of(pieces.begin(), first, [](const Piece& piece) { return !piece.name.empty(); })) return {};
  first->text.erase(0, first->text.rfind('/') + 1);
  return {first, pieces.end()};
}

/// The epoch of a file whose name the pieces from `at` on stand for; none of another.
std::optional<long> epoch_in(std::string_view name, const std::vector<Piece>& pieces, std::size_t at = 0) {
  if (at == pieces.size()) return name.empty() ? std::optional(0L) : std::nullopt;
  const Piece& piece = pieces[at];
  if (piece.name.empty()) {
    if (!name.starts_with(piece.text)) return std::nullopt;
    return epoch_in(name.substr(piece.text.size()), pieces, at + 1);
  }
  const bool is_epoch = piece.name == "epoch";
  const std::string_view digits = is_epoch ? " 0123456789" : " 0123456789+-.einfa";
  const std::size_t longest =
      std::min({name.find_first_not_of(digits), name.size(), std::size_t{most_digits}});
  for (std::size_t length = longest; length > 0; --length) {
    const std::optional<long> rest = epoch_in(name.substr(length), pieces, at + 1);
    if (!rest) continue;
    return is_epoch ? std::strtol(std::string(name.substr(0, length)).c_str(), nullptr, 10) : *rest;
  }
  return std::nullopt;
}

void make_folder(const std::filesystem::path& folder, const char* callback) {
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  GLIA_CHECK(!failed, FileError, callback, " could not make the folder ", folder.string(), ": ",
             detail::errno_text(failed));
}

/// As Python: zeros go behind a sign, blanks before it.
std::string padded(std::string number, const Piece& piece) {
  const auto width = static_cast<std::size_t>(piece.width);
  if (number.size() >= width) return number;
  const std::size_t at = piece.zeros && number[0] == '-' ? 1 : 0;
  number.insert(at, width - number.size(), piece.zeros ? '0' : ' ');
  return number;
}

std::string formatted(double value, const Piece& piece) {
  const int precision = piece.precision < 0 ? 6 : piece.precision;
  if (piece.type == 'f') return padded(detail::fixed(value, precision), piece);
  if (piece.type == 'e') return padded(detail::scientific(value, precision), piece);
  return padded(detail::shortest(value), piece);
}

}  // namespace

ModelCheckpoint::ModelCheckpoint(std::string filepath, const ModelCheckpointOptions& options)
    : filepath_(std::move(filepath)),
      options_(options),
      watched_(options.monitor, options.mode, 0),
      best_(options.initial_value_threshold) {
  GLIA_CHECK(!filepath_.empty() && filepath_.back() != '/', ValueError, "ModelCheckpoint got ",
             filepath_.empty() ? "an empty filepath" : "the folder \"" + filepath_ + "\" as filepath",
             ", expected that of a file");
  GLIA_CHECK(!best_ || !std::isnan(*best_), ValueError,
             "ModelCheckpoint got NaN as initial_value_threshold, expected a number that can be beaten");
  const std::vector<Piece> pieces = pieces_of(filepath_);
  GLIA_CHECK(options_.keep_last >= 0, ValueError, "ModelCheckpoint got keep_last ", options_.keep_last,
             ", expected at least 1, or 0 to keep all");
  const auto is_epoch = [](const Piece& piece) { return piece.name == "epoch"; };
  GLIA_CHECK(options_.keep_last == 0 || std::ranges::any_of(name_of(pieces), is_epoch), ValueError,
             "ModelCheckpoint got keep_last ", options_.keep_last, " and the filepath \"", filepath_,
             "\", expected one with {epoch} in the file's name: that tells which files are older");
}

void ModelCheckpoint::on_train_begin() {
  if (options_.save_best_only) watched_.expect_in(params(), "ModelCheckpoint");
  std::vector<std::string> names = params().keys;
  names.insert(names.end(), {"epoch", "learning_rate"});  // the latter from a callback before this one
  for (const Piece& piece : pieces_of(filepath_))
    GLIA_CHECK(piece.name.empty() || std::find(names.begin(), names.end(), piece.name) != names.end(),
               ValueError,
               "ModelCheckpoint's filepath: ", detail::unknown_name("name in braces", piece.name, names),
               " Metrics are named in compile, and val_ ones need validation data in fit.");
}

CallbackState ModelCheckpoint::state() const {
  CallbackState state;
  if (best_) state.numbers["best"] = *best_;
  return state;
}

void ModelCheckpoint::set_state(CallbackState state) {
  if (const auto best = state.numbers.find("best"); best != state.numbers.end()) best_ = best->second;
}

namespace {

/// Whose last number's point would else be taken for that of an extension.
bool ends_with_a_field(const std::string& filepath) {
  const std::vector<Piece> pieces = pieces_of(filepath);
  return pieces.back().text.empty() && pieces.size() > 1;
}

}  // namespace

std::string ModelCheckpoint::path_of(int epoch, const Logs& logs) const {
  std::string path;
  for (const Piece& piece : pieces_of(filepath_)) {
    if (piece.name.empty()) {
      path += piece.text;
    } else if (piece.name == "epoch") {
      path += padded(std::to_string(epoch + 1), piece);
    } else {
      GLIA_CHECK(logs.contains(piece.name), ValueError, "ModelCheckpoint's filepath has ", piece.text,
                 ", and epoch ", epoch + 1, " has no ", piece.name,
                 ": validation_freq above 1 skips it, and a callback that sets it must stand before");
      path += formatted(logs[piece.name], piece);
    }
  }
  return path.ends_with(extension) || !ends_with_a_field(filepath_) ? path : path + std::string(extension);
}

/// Of this epoch and those before it the last so many stay.
void ModelCheckpoint::delete_older(const std::string& written, int epoch) const {
  namespace fs = std::filesystem;
  const std::vector<Piece> pieces = name_of(pieces_of(filepath_));
  const fs::path folder = fs::path(written).parent_path();
  std::multimap<long, fs::path, std::greater<>> files;  // of each epoch, the last first
  std::error_code failed;
  fs::directory_iterator entry(folder.empty() ? "." : folder, failed);
  for (const fs::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    std::optional<long> found = epoch_in(name, pieces);
    if (!found && name.ends_with(extension))  // as a file without one is named
      found = epoch_in(std::string_view(name).substr(0, name.size() - extension.size()), pieces);
    std::error_code of_file;
    if (found && *found >= 1 && *found <= epoch + 1 && entry->is_regular_file(of_file))
      files.emplace(*found, entry->path());
  }
  int epochs = 0;
  for (auto next = files.begin(); next != files.end();) {
    const auto end = files.upper_bound(next->first);
    for (++epochs; next != end; ++next) {
      if (epochs <= options_.keep_last) continue;
      fs::remove(next->second, failed);
      if (failed)
        detail::tell(LogLevel::warning, "ModelCheckpoint could not delete '", next->second.string(),
                     "': ", detail::errno_text(failed));
    }
  }
}

void ModelCheckpoint::on_epoch_end(int epoch, Logs& logs) {
  std::string why;
  if (options_.save_best_only) {
    const std::optional<double> value = watched_.in(logs);
    if (!value) return;
    const std::string before = best_ ? detail::fixed(*best_, 5) : "none";
    if (!watched_.improves(*value, best_)) {
      if (options_.verbose > 0)
        std::cout << detail::concat("Epoch ", epoch + 1, ": ", watched_.name(), " did not improve from ",
                                    before, '\n');
      return;
    }
    best_ = value;
    why = watched_.name() + " improved from " + before + " to " + detail::fixed(*value, 5) + ", ";
  }
  const std::string path = path_of(epoch, logs);
  if (options_.verbose > 0)
    std::cout << detail::concat("Epoch ", epoch + 1, ": ", why,
                                options_.save_weights_only ? "saving weights to " : "saving the model to ",
                                path, '\n');
  make_folder(std::filesystem::path(path).parent_path(), "ModelCheckpoint");
  if (options_.save_weights_only)
    model().save_weights(path);
  else
    model().save(path);
  if (options_.keep_last > 0) delete_older(path, epoch);
}

BackupAndRestore::BackupAndRestore(std::string backup_dir, const BackupAndRestoreOptions& options)
    : backup_dir_(std::move(backup_dir)), options_(options) {
  GLIA_CHECK(!backup_dir_.empty(), ValueError, "BackupAndRestore got an empty backup_dir, expected a folder");
  GLIA_CHECK(options_.save_freq >= 1, ValueError, "BackupAndRestore got save_freq ", options_.save_freq,
             ", expected at least 1, the epochs from one file to the next");
}

std::string BackupAndRestore::path() const {
  return (std::filesystem::path(backup_dir_) / "backup.safetensors").string();
}

std::string BackupAndRestore::resumes_from() const { return path(); }

void BackupAndRestore::on_epoch_end(int epoch, Logs&) {
  if ((epoch + 1) % options_.save_freq != 0) return;
  make_folder(backup_dir_, "BackupAndRestore");
  model().save(path());
}

void BackupAndRestore::on_train_end() {
  std::error_code failed;
  if (options_.delete_checkpoint) std::filesystem::remove(path(), failed);
  GLIA_CHECK(!failed, FileError, "BackupAndRestore could not delete '", path(),
             "': ", detail::errno_text(failed), "; delete it, or the next fit goes on from it");
}

CSVLogger::CSVLogger(std::string filename, char separator, bool append)
    : filename_(std::move(filename)), separator_(separator), append_(append) {
  const bool usable = !detail::is_digit(separator) && !detail::is_lower(separator) &&
                      !detail::is_upper(separator) &&
                      std::strchr("+-._\"\r\n", separator) == nullptr;  // '\0' is found, too
  GLIA_CHECK(usable, ValueError, "CSVLogger got the separator '", separator,
             "', which numbers or names may have in them, expected one such as ',' or ';'");
}

void CSVLogger::write(const std::string& text, std::ios::openmode how) {
  errno = 0;
  std::ofstream file(filename_, how | std::ios::binary);
  if (file) file << text << std::flush;
  GLIA_CHECK(file, FileError, "CSVLogger could not write ", filename_, ": ", detail::errno_text(errno),
             "; check the folder, its permissions and the disk's space");
}

/// A file that cannot be written is found before the first epoch, not after it.
void CSVLogger::on_train_begin() {
  write("", append_ ? std::ios::app : std::ios::trunc);
  keys_ = params().keys;
  begun_ = false;
}

namespace {

std::string without_return(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();  // Keras ends lines so
  return line;
}

/// How much of a log's text to keep, so that a line can follow. One that does not end is what a killed process left of it:
/// its last number may lack digits. A header alone tells whether it is whole.
std::size_t length_to_keep(const std::string& text, const std::string& header) {
  const std::size_t line = text.rfind('\n') + 1;  // where the last one begins; npos + 1 is 0
  return line == 0 && without_return(text) == header ? text.size() : line;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

/// The header, where there is none yet.
void CSVLogger::begin(const Logs& logs) {
  for (const auto& [name, value] : logs)  // such as the learning rate, which a callback before this one adds
    if (std::find(keys_.begin(), keys_.end(), name) == keys_.end()) keys_.push_back(name);
  std::sort(keys_.begin(), keys_.end());
  std::string header = "epoch";
  for (const std::string& key : keys_) header += separator_ + detail::csv_field(key, separator_);
  begun_ = true;
  const std::string text = append_ ? text_of(filename_) : std::string();
  const std::string there = without_return(text.substr(0, text.find('\n')));
  const bool torn = text.find('\n') == text.npos && header.starts_with(there);
  GLIA_CHECK(torn || there == header, FileError, "CSVLogger cannot append to ", filename_,
             ", whose columns are \"", detail::escaped(there, 200), "\": this fit's are \"", header,
             "\"; give it another file");
  const std::size_t kept = length_to_keep(text, header);
  if (kept < text.size()) {
    std::error_code failed;
    std::filesystem::resize_file(filename_, kept, failed);
    GLIA_CHECK(!failed, FileError, "CSVLogger could not cut off the unfinished last line of ", filename_,
               ": ", detail::errno_text(failed), "; correct the file, or give another");
  }
  if (kept == 0)
    write(header + '\n', std::ios::app);
  else if (text[kept - 1] != '\n')
    write("\n", std::ios::app);
}

void CSVLogger::on_epoch_end(int epoch, Logs& logs) {
  if (!begun_) begin(logs);
  std::string line = std::to_string(epoch);
  for (const std::string& key : keys_)
    line += separator_ + (logs.contains(key) ? detail::shortest(logs[key]) : std::string("NA"));
  write(line + '\n', std::ios::app);
}

}  // namespace glia
