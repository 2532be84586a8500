// Prints what Glia finds to compute on, and for each GPU that it cannot use, why.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

int main(int argc, char** argv) {
  std::string device = "auto";
  CLI::App app("Prints what Glia finds to compute on, and starts a device.");
  app.add_option("--device", device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  return samples::run(app, argc, argv, [&] {
    std::cout << glia::device_report();
    const glia::Context context({.device = device});
    std::cout << context.device() << " computes with";
    const char* separator = " ";
    for (const auto& [name, version] : context.versions()) {
      std::cout << separator << name << ' ' << version;
      separator = ", ";
    }
    std::cout << '\n';
  });
}
