// Runs a fuzzer's target without libFuzzer: each seed, and what damage makes of it, in an order that is always the same. A few seconds
// of every test run, under whichever sanitizers the build has; scripts/fuzz.sh looks farther.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: NAME_fuzz FOLDER EXECUTIONS [SEED]
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<Bytes> seeds_of(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }

  /// One change, of what files suffer and of what liars would try.
  void change(Bytes& bytes, const Bytes& other) {
    const std::size_t at = below(bytes.size()), count = std::min(bytes.size() - at, 1 + below(16));
    const auto here = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0:
        if (!bytes.empty()) *here ^= static_cast<std::uint8_t>(1u << below(8));
        break;
      case 1:
        std::generate_n(here, count, [&] { return static_cast<std::uint8_t>(random_()); });
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(here, here + static_cast<std::ptrdiff_t>(count));
        break;
      case 4: {  // once more
        const Bytes piece(here, here + static_cast<std::ptrdiff_t>(count));
        bytes.insert(here, piece.begin(), piece.end());
        break;
      }
      case 5: {  // a number of four or eight bytes that is great, small, or below 0, in either order
        static constexpr std::uint64_t numbers[] = {
            0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, ~0ull, ~0ull >> 1};
        const std::uint64_t number = numbers[below(std::size(numbers))];
        const std::size_t width = below(2) == 0 ? 4 : 8;
        const bool backwards = below(2) == 0;
        for (std::size_t i = 0; i < width && at + i < bytes.size(); ++i)
          bytes[at + i] = static_cast<std::uint8_t>(number >> 8 * (backwards ? width - 1 - i : i));
        break;
      }
      case 6: {  // digits, where sizes are text
        static constexpr char digits[] = "0123456789-.e";
        std::generate_n(here, std::min<std::size_t>(count, 4),
                        [&] { return static_cast<std::uint8_t>(digits[below(13)]); });
        break;
      }
      default: {  // the middle of another file
        const std::size_t from = below(other.size()), taken = std::min(other.size() - from, 1 + below(64));
        const auto first = other.begin() + static_cast<std::ptrdiff_t>(from);
        bytes.insert(here, first, first + static_cast<std::ptrdiff_t>(taken));
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: " << argv[0] << " FOLDER EXECUTIONS [SEED]\n";
    return 2;
  }
  const std::vector<Bytes> seeds = seeds_of(argv[1]);
  if (seeds.empty()) {
    std::cerr << argv[1] << " has no seeds\n";
    return 2;
  }
  const std::size_t executions = std::stoull(argv[2]);
  Damage damage(argc > 3 ? std::stoull(argv[3]) : 1);
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  for (std::size_t i = seeds.size(); i < executions; ++i) {
    Bytes bytes = seeds[damage.below(seeds.size())];
    const Bytes& other = seeds[damage.below(seeds.size())];
    for (std::size_t changes = 1 + damage.below(4); changes > 0; --changes) damage.change(bytes, other);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::cout << std::max(executions, seeds.size()) << " executions\n";
  return 0;
}
