// Suites of the CUDA backend alone: on a GPU and on the CUDA double, or on the double alone, whose controls they ask.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tests/devices.h>
#include <tests/double_library.h>  // defines: backend_library, double_controls

namespace glia::test {

/// A suite of the CUDA backend alone, of what holds on every GPU: each case has a context of its own, and is skipped where no
/// GPU can be had. What only the double can tell or promise is asked
///     if (cuda_double::Controls* controls = on_the_double()) ...
/// A parameter that holds a device makes "cuda" a part of the tests' names.
template <class Parameter>
class CudaTestOver : public OnDevice, public ::testing::WithParamInterface<Parameter> {
 protected:
  void SetUp() override {
    if (controls_) controls_->reset();
    start(Device::cuda(), Start::fresh);
    if (controls_) controls_->clear_calls();
  }
  void TearDown() override {
    OnDevice::TearDown();
    if (controls_) controls_->reset();
  }
  /// Null on a GPU.
  cuda_double::Controls* on_the_double() const { return controls_; }

 private:
  cuda_double::Controls* const controls_ = double_controls();
};

using CudaTest = CudaTestOver<Device>;

/// A suite whose every case sets or reads the double's controls, as its name says: ...OnTheDouble. Skipped on a GPU.
class DoubleTest : public CudaTest {
 protected:
  void SetUp() override {
    if (!on_the_double()) GTEST_SKIP() << "needs the CUDA double";
    CudaTest::SetUp();
  }
  cuda_double::Controls& controls() const { return *on_the_double(); }
};

inline auto only_cuda() { return ::testing::Values(Device::cuda()); }

}  // namespace glia::test
