// Device: names, the automatic choice, and the report.
// SPDX-License-Identifier: Apache-2.0
#include <glia/device.h>
#include <glia/error.h>
#include <glia/log.h>
#include <glia/version.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/onednn.h>
#include <host/device/cuda_library.h>

#include <fstream>
#include <thread>

namespace glia {

Device::Device(const char* name) : Device(std::string(name)) {}

Device::Device(const std::string& name) {
  if (name == "auto") {
    *this = automatic();
  } else if (name == "cuda") {
    kind_ = Kind::cuda;
  } else if (name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() <= 8 &&
             name.find_first_not_of("0123456789", 5) == std::string::npos) {
    kind_ = Kind::cuda;
    index_ = std::stoi(name.substr(5));
  } else {
    GLIA_CHECK(name == "cpu", ValueError, "unknown device \"", name,
               "\", expected \"auto\", \"cpu\", \"cuda\" or \"cuda:N\"");
  }
}

Device Device::automatic() {
  const cuda_library::Availability found = cuda_library::first_device();
  if (found.devices == 0) {
    detail::tell(LogLevel::info, "device \"auto\" is the CPU: ", found.reason);
    return cpu();
  }
  detail::tell(LogLevel::info, "device \"auto\" is cuda:0 of ", found.description);
  return cuda(0);
}

std::string Device::name() const { return is_cpu() ? "cpu" : "cuda:" + std::to_string(index_); }

std::ostream& operator<<(std::ostream& out, const Device& device) { return out << device.name(); }

namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "processor";
}

}  // namespace

std::string device_report() {
  detail::TextStream out;
  out << "glia " << version << '\n'
      << "cpu: " << processor_name() << ", " << std::thread::hardware_concurrency()
      << " threads, kernels for " << cpu::choose_kernels().instruction_set << ", oneDNN "
      << cpu::onednn_version() << '\n';
  const cuda_library::Availability cuda = cuda_library::first_device();
  out << "cuda: " << (cuda.devices > 0 ? cuda.description : "not available: " + cuda.reason) << '\n';
  return out.str();
}

}  // namespace glia
