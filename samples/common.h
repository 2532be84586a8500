// What the samples share: options, where data are looked for, whether results can be written, and how a program ends.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/interrupt.h>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

namespace samples {

struct Options {
  std::string device = "auto";
  std::uint64_t seed = 0;
  std::string data;  // as given with --data; empty: find_data() looks for it
};

/// --device and --seed.
inline void add_options(CLI::App& app, Options& options) {
  app.option_defaults()->always_capture_default();
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N");
  app.add_option("--seed", options.seed, "Of all that is random")->check(CLI::NonNegativeNumber);
}

/// --epochs; 0 trains nothing and shows what an untrained network makes of the data.
inline void add_epochs_option(CLI::App& app, int& epochs, const std::string& description) {
  app.add_option("--epochs", epochs, description)->check(CLI::NonNegativeNumber);
}

/// --data for a sample that reads `name`, a file or a folder.
inline void add_data_option(CLI::App& app, Options& options, const std::string& name) {
  app.add_option("--data", options.data, "Default: " + name + " in samples/data, $GLIA_DATA_DIR or ./data");
}

/// Where `name` lies: as `given`, or in the first of the usual folders that has it. Throws FileError that says where
/// it was looked for and where it comes from.
inline std::string find_data(const std::string& given, const std::string& name, const std::string& source) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::vector<fs::path> places = {given};
  if (given.empty()) {
    // Beside the program lies samples/data: a build puts a link to it there, and so does an installation.
    places = {fs::read_symlink("/proc/self/exe", ignored).parent_path() / "data" / name};
    const char* folder = std::getenv("GLIA_DATA_DIR");
    if (folder && *folder) places.push_back(fs::path(folder) / name);
    places.push_back(fs::path("data") / name);
  }
  std::string tried;
  for (const fs::path& place : places) {
    if (fs::exists(place, ignored)) return place.string();
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  throw glia::FileError("cannot find " + name + ": tried " + tried + ". It is " + source +
                        "; name its place with --data");
}

/// Why no file can be written as `path`, found out by trying, for permissions do not say it all; empty where one can.
/// An option's check, so that it is told before the training and not after it.
inline std::string unwritable(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  fs::path file(path);
  if (fs::exists(file, ignored)) {
    file = fs::canonical(file, ignored);  // past links
    if (fs::is_directory(file, ignored)) return path + " is a folder";
    if (!fs::is_regular_file(file, ignored)) return path + " is there, and no regular file";
    if (::access(file.c_str(), W_OK) != 0) return "cannot write to " + path + ": " + std::strerror(errno);
  }
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (!fs::is_directory(folder, ignored)) return "there is no folder " + folder.string();
  std::string probe = (folder / ".glia-XXXXXX").string();
  const int descriptor = ::mkstemp(probe.data());
  if (descriptor < 0) return "cannot write to the folder " + folder.string() + ": " + std::strerror(errno);
  ::close(descriptor);
  ::unlink(probe.c_str());
  return "";
}

/// --out, the folder that gets `files`; also where it is not given, each of them must be writable. Takes app.callback.
inline void add_out_option(CLI::App& app, std::string& folder, const std::vector<std::string>& files) {
  app.add_option("--out", folder, "Folder to write to");
  app.callback([&folder, files] {
    for (const std::string& file : files)
      if (const std::string why = unwritable((std::filesystem::path(folder) / file).string()); !why.empty())
        throw CLI::ValidationError("--out", why);
  });
}

/// False where the command line asks for help, which is then printed.
inline bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return false;
  }
}

/// Parses the command line and calls `body()`. Exit status 0; 2 and a message on stderr for a wrong command line, where
/// the body threw, and where stdout cannot be written; 130 where Ctrl-C ended what was trained, after its step. `sample | head -1`
/// ends by SIGPIPE, and quietly.
template <class Body>
int run(CLI::App& app, int argc, char** argv, const Body& body) {
  std::signal(SIGPIPE, SIG_DFL);  // whoever started it may ignore it
  const glia::InterruptGuard interrupts;
  std::string message;
  int status = 2;
  try {
    std::cout.exceptions(std::ios_base::badbit);  // what is not shown need not be computed
    if (parse(app, argc, argv)) body();
    std::cout.flush();
    return 0;
  } catch (const CLI::ParseError& error) {
    message = std::string(error.what()) + "\nRun with --help for the options.";
  } catch (const glia::Interrupted& interrupted) {
    message = interrupted.what();
    status = interrupted.exit_code();
  } catch (const std::exception& error) {
    message = std::cout.bad() ? "cannot write to stdout: free some space where it goes, or send it elsewhere"
                              : error.what();
  }
  std::cout.exceptions(std::ios_base::goodbit);  // cerr flushes it
  std::cerr << message << '\n';
  return status;
}

}  // namespace samples
