// Devices, and what is known of the ones this machine has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <ostream>
#include <string>

namespace GLIA_API glia {

/// The CPU, or one CUDA GPU. A value; making one neither starts a device nor allocates.
///
///     glia::Device device = "auto";       // the first usable GPU, else the CPU
///     model.compile({.device = "cuda"});  // throws DeviceError, with the reason, where there is no GPU
class Device {
 public:
  enum class Kind { cpu, cuda };

  /// The CPU.
  Device() = default;
  /// "auto", "cpu", "cuda" or "cuda:N". Throws ValueError for another word; "auto" asks automatic().
  Device(const char* name);
  Device(const std::string& name);

  static Device cpu() { return Device(Kind::cpu, 0); }
  static Device cuda(int index = 0) { return Device(Kind::cuda, index); }
  /// The first CUDA device that can be used, else the CPU; device_report() says why. Opens the CUDA backend's
  /// library at its first call in a process.
  static Device automatic();

  Kind kind() const { return kind_; }
  bool is_cpu() const { return kind_ == Kind::cpu; }
  bool is_cuda() const { return kind_ == Kind::cuda; }
  /// Which of the machine's GPUs; 0 for the CPU.
  int index() const { return index_; }
  /// "cpu" or "cuda:0".
  std::string name() const;

  friend bool operator==(const Device& a, const Device& b) {
    return a.kind_ == b.kind_ && a.index_ == b.index_;
  }
  friend bool operator!=(const Device& a, const Device& b) { return !(a == b); }

 private:
  Device(Kind kind, int index) : kind_(kind), index_(index) {}

  Kind kind_ = Kind::cpu;
  int index_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Device& device);

/// What devices there are, in words: processor, instruction set, threads; then each GPU, or the reason for
/// having none.
///
///     std::cout << glia::device_report();
std::string device_report();

}  // namespace glia
