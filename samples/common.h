// What the samples share: options, where to look for data, and how an error ends a program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdlib>
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

/// --data for a sample that reads `name`, a file or a folder.
inline void add_data_option(CLI::App& app, Options& options, const std::string& name) {
  app.add_option("--data", options.data, "Default: " + name + " in $GLIA_DATA_DIR, ../shared/data or ./data");
}

/// Where `name` lies: as `given`, or in the first of the usual folders that has it. Throws FileError that says where
/// it was looked for and where it comes from.
inline std::string find_data(const std::string& given, const std::string& name, const std::string& source) {
  std::vector<std::string> places = {"../shared/data/" + name, "data/" + name};
  const char* folder = std::getenv("GLIA_DATA_DIR");
  if (folder && *folder) places.insert(places.begin(), std::string(folder) + "/" + name);
  if (!given.empty()) places = {given};
  std::string tried;
  for (const std::string& place : places) {
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return place;
    tried += (tried.empty() ? "" : ", ") + place;
  }
  throw glia::FileError("cannot find " + name + ": tried " + tried + ". It is " + source +
                        "; name its place with --data");
}

/// Parses the command line and calls `body()`. Exit status 0; 1 where the body threw; 2 for a wrong command line.
template <class Body>
int run(CLI::App& app, int argc, char** argv, const Body& body) {
  try {
    app.parse(argc, argv);
    body();
    return 0;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    std::cerr << error.what() << "\nRun with --help for the options.\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

}  // namespace samples
