// What is done to a batch of images as it is gathered, or after.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/augmentation.h>  // defines: AugmentStep
#include <glia/view.h>

namespace GLIA_API glia {

/// Steps, the first first. Images are (n, height, width, channels); where all steps are of numbers, (n, ...,
/// channels).
struct Augmentation {
  static constexpr int most_steps = 6;
  int count = 0;
  AugmentStep steps[most_steps];
  View mean = {}, variance = {};  ///< (channels,) of the one step that standardises

  explicit operator bool() const { return count > 0; }
  template <class F>
  void operands(F&& f) {
    f(mean, Access::read), f(variance, Access::read);
  }
};

namespace op {

/// out = in after the steps, which draw by state.iteration.
struct Augment {
  static constexpr auto name = "Augment";
  View in, out;
  Augmentation augmentation;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write), augmentation.operands(f);
  }
};

}  // namespace op
}  // namespace glia
