// The devices that the tests run on, and the fixture that starts one or skips the test visibly.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/device.h>
#include <glia/error.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace glia::test {

/// Every suite of a device runs on these. A value only: nothing is started, and a machine may lack the
/// second.
inline std::vector<Device> test_devices() { return {Device::cpu(), Device::cuda()}; }

/// "cpu" or "cuda": a part of a test's name, where a colon must not be.
inline std::string label(const Device& device) { return device.is_cpu() ? "cpu" : "cuda"; }

/// The device of the test that runs: what models of a device suite are compiled for.
inline Device& current_device() {
  static Device device;
  return device;
}

/// One context a device for all suites of a process: a GPU takes long to start. main() ends them.
inline std::map<std::string, Context>& shared_contexts() {
  static std::map<std::string, Context> contexts;
  return contexts;
}

enum class Start { shared, fresh };

/// A base for fixtures: SetUp calls start(device), and the test is skipped, with the reason, where the GPU
/// cannot be had. Without a CPU there is no skip: that is a failure.
class OnDevice : public ::testing::Test {
 protected:
  void start(const Device& device, Start how = Start::shared) {
    current_device() = device;
    try {
      if (how == Start::fresh)
        context_.emplace(ContextOptions{.device = device});
      else
        context_ =
            shared_contexts().try_emplace(label(device), ContextOptions{.device = device}).first->second;
    } catch (const DeviceError& error) {
      if (device.is_cpu()) throw;
      GTEST_SKIP() << error.what();
    }
  }

  void TearDown() override { current_device() = Device::cpu(); }

  Context& context() { return *context_; }

 private:
  std::optional<Context> context_;
};

/// A suite over the devices alone:
///
///     class Predict : public glia::test::DeviceTest {};
///     TEST_P(Predict, Gives_what_it_gave_before) { ... context() ... }
///     INSTANTIATE_TEST_SUITE_P(Devices, Predict, ::testing::ValuesIn(test_devices()), device_name);
class DeviceTest : public OnDevice, public ::testing::WithParamInterface<Device> {
 protected:
  void SetUp() override { start(GetParam()); }
};

inline std::string device_name(const ::testing::TestParamInfo<Device>& info) { return label(info.param); }

/// A device and the dtype a model has on it.
struct Run {
  Device device;
  DType dtype;

  friend std::ostream& operator<<(std::ostream& out, const Run& run) {
    return out << label(run.device) << '_' << run.dtype;
  }
};

/// float32 on every device, and float64 on the CPU.
inline std::vector<Run> test_runs() {
  std::vector<Run> runs;
  for (const Device& device : test_devices()) runs.push_back({device, DType::float32});
  runs.push_back({Device::cpu(), DType::float64});
  return runs;
}

}  // namespace glia::test
