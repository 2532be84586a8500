// `glia`, the command line: models and data without a line of C++.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include "commands.h"

namespace {

constexpr auto footer = R"(Examples:
  glia train --data fashion_mnist --hidden 128 --epochs 5 --out fashion.safetensors
  glia train --data iris.csv --target species --out iris.safetensors
  glia predict fashion.safetensors shoe.png
  glia evaluate fashion.safetensors --data fashion_mnist
  glia convert fashion.safetensors fashion.onnx

Exit codes: 0 done, 1 a fault of this program, 2 a wrong command line or values that do not fit, 3 a file,
4 a device or its memory, 130 ended by Ctrl-C.
`glia COMMAND --help` says more.)";

int fail(int status, const std::string& message) {
  std::cerr << "glia: " << message << '\n';
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `glia ... | head -1` ends quietly
  const glia::InterruptGuard interrupts;
  CLI::App app("Trains, judges, converts and asks neural networks.", "glia");
  app.set_version_flag("--version", std::string("glia ") + glia::version);
  app.footer(footer);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  for (const auto add :
       {cli::add_train, cli::add_evaluate, cli::add_predict, cli::add_inspect, cli::add_convert,
        cli::add_report, cli::add_devices, cli::add_datasets, cli::add_completion})
    add(app);
  try {
    app.parse(argc, argv);
    std::cout.flush();
    return std::cout ? 0 : fail(3, "cannot write to stdout");
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
  } catch (const CLI::CallForAllHelp&) {
    std::cout << app.help("", CLI::AppFormatMode::All);
  } catch (const CLI::CallForVersion&) {
    std::cout << app.version() << '\n';
  } catch (const CLI::ParseError& error) {
    return fail(2,
                std::string(error.what()) + "\n`glia --help` and `glia COMMAND --help` say what there is.");
  } catch (const glia::Interrupted& interrupted) {
    return fail(interrupted.exit_code(), interrupted.what());
  } catch (const glia::FileError& error) {
    return fail(3, error.what());
  } catch (const glia::DeviceError& error) {
    return fail(4, error.what());
  } catch (const glia::OutOfMemoryError& error) {
    return fail(4, error.what());
  } catch (const glia::Error& error) {
    return fail(2, error.what());
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
  return 0;
}
