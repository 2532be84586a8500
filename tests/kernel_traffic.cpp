// Prints what the kernels of one training step move, and an estimate of what that takes on an H100, as tables of Markdown: runs on
// the watched double, which $GLIA_CUDA_LIBRARY names. scripts/kernel_traffic.sh runs it.
// SPDX-License-Identifier: Apache-2.0
//
//     kernel_traffic NETWORK BATCH ...     (mlp, cnn or resnet, each with its batch)
//
// Ends with 1 where it could not run, and with 2 on wrong usage.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "tests/double_library.h"  // defines: double_controls
#include "tests/step_traffic.h"

namespace {

using glia::cuda_double::Traffic;

// The estimate's numbers, which docs/kernels.md explains. Microseconds, and bytes in them.
constexpr double launch_us = 1.5, wait_for_cache_us = 0.25, wait_us = 0.6, cache_bytes = 50e6;
constexpr double bytes_per_us = 3.0e6, bytes_per_us_of_multiprocessor = 0.1e6;
constexpr double multiprocessors = 132, sector_bytes = 32;

double estimate(const Traffic& launch) {
  const double busy = std::min<double>(launch.blocks, multiprocessors);
  const double moving = sector_bytes * static_cast<double>(launch.sectors) /
                        std::min(bytes_per_us, busy * bytes_per_us_of_multiprocessor);
  const double held_blocks = multiprocessors * launch.held_threads / launch.threads;
  const double waves = std::max(1.0, launch.blocks / held_blocks);
  const bool cached = sector_bytes * static_cast<double>(launch.least_sectors) <= cache_bytes;
  const double waiting =
      waves * static_cast<double>(launch.longest_chain) * (cached ? wait_for_cache_us : wait_us);
  return launch_us + std::max(moving, waiting);
}

/// The launches of one kernel.
struct Line {
  std::int64_t launches = 0, sectors = 0, least = 0, longest_chain = 0;
  double us = 0;
  Traffic slowest;

  void add(const Traffic& launch) {
    if (launches++ == 0 || estimate(launch) > estimate(slowest)) slowest = launch;
    sectors += launch.sectors, least += launch.least_sectors;
    longest_chain = std::max(longest_chain, launch.longest_chain);
    us += estimate(launch);
  }
};

void print(const std::string& name, const Line& line) {
  std::cout << "| " << name << " | " << line.launches << " | ";
  if (line.slowest.blocks > 0) std::cout << line.slowest.blocks << " x " << line.slowest.threads;
  std::cout << " | " << line.sectors << " | " << std::fixed << std::setprecision(2)
            << static_cast<double>(line.sectors) / static_cast<double>(std::max<std::int64_t>(line.least, 1))
            << " | ";
  if (line.slowest.blocks > 0)
    std::cout << line.longest_chain << " | " << line.slowest.held_threads;
  else
    std::cout << "| ";
  std::cout << " | " << std::setprecision(1) << line.us << " |\n";
}

void print_table(const Network& network, std::int64_t batch, glia::cuda_double::Controls& controls) {
  const std::vector<Traffic> launches = glia::test::traffic_of_step(network, batch, controls);
  std::map<std::string, Line> kernels;
  Line all;
  for (const Traffic& launch : launches) kernels[launch.kernel].add(launch), all.add(launch);
  all.slowest = {};
  std::vector<std::pair<std::string, Line>> lines(kernels.begin(), kernels.end());
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
  std::cout << "\n### " << network.title << ", batch " << batch << "\n\n"
            << "| kernel | launches | blocks x threads | sectors | of the least | longest chain | threads "
               "held | estimate, us |\n"
            << "|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, line] : lines) print('`' + name + '`', line);
  print("all", all);
}

}  // namespace

int main(int argc, char** argv) {
  const auto named = [](const std::string& name) {
    return std::find_if(networks().begin(), networks().end(),
                        [&](const Network& n) { return name == n.name; });
  };
  if (argc < 3 || argc % 2 == 0) {
    std::cerr << "usage: kernel_traffic NETWORK BATCH ... (mlp, cnn or resnet)\n";
    return 2;
  }
  glia::cuda_double::Controls* const controls = glia::test::double_controls();
  if (!controls) {
    std::cerr << "kernel_traffic: $GLIA_CUDA_LIBRARY names no double of CUDA\n";
    return 1;
  }
  try {
    for (int i = 1; i < argc; i += 2) {
      const auto network = named(argv[i]);
      if (network == networks().end()) throw std::invalid_argument(std::string("no network ") + argv[i]);
      print_table(*network, std::stoll(argv[i + 1]), *controls);
    }
  } catch (const std::exception& error) {
    std::cerr << "kernel_traffic: " << error.what() << '\n';
    return 1;
  }
}
