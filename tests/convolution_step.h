// A convolution with its gradients, as a training step has them, of many geometries: prepared on a device, and by the CPU's plain
// loops, which say what is right.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/context.h>
#include <glia/descriptors.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace glia::test {

/// A convolution's geometry: images of one size, a window, and what comes out.
struct Geometry {
  std::string name;
  std::int64_t images, height, width, channels, filters;
  Window window;
  std::int64_t groups = 1;
  bool same = true;  // padding, as TensorFlow's, else none

  /// Sets what padding the window has, and gives the windows of an axis.
  static std::int64_t windows(std::int64_t n, std::int64_t span, std::int64_t stride, bool same,
                              std::int64_t& before) {
    const std::int64_t count = same ? (n + stride - 1) / stride : (n - span) / stride + 1;
    before = same ? std::max<std::int64_t>((count - 1) * stride + span - n, 0) / 2 : 0;
    return count;
  }
  Geometry placed() const {
    Geometry g = *this;
    g.out_height = windows(height, window.span_height(), window.stride_height, same, g.window.top);
    g.out_width = windows(width, window.span_width(), window.stride_width, same, g.window.left);
    return g;
  }
  std::int64_t out_height = 0, out_width = 0;
};

inline std::vector<Geometry> geometries() {
  std::vector<Geometry> all{
      {"one pixel", 1, 1, 1, 1, 1, {}},
      {"1 x 1", 3, 5, 4, 3, 2, {}},
      {"3 x 3 same", 2, 7, 5, 3, 4, {3, 3}},
      {"3 x 3 valid", 2, 7, 5, 3, 4, {3, 3}, 1, false},
      {"stride 2, same, even image", 2, 8, 6, 2, 3, {3, 3, 2, 2}},
      {"stride 2, same, odd image", 2, 7, 9, 2, 3, {3, 3, 2, 2}},
      {"stride 2, same, one axis", 1, 8, 7, 2, 3, {3, 3, 2, 1}},
      {"even window, same", 2, 6, 6, 2, 3, {2, 4}},
      {"stride 3, valid, rows left over", 1, 12, 11, 1, 2, {2, 3, 3, 3}, 1, false},
      {"stride over the window", 1, 9, 9, 2, 2, {1, 1, 2, 2}, 1, false},
      {"dilated", 1, 9, 8, 2, 3, {3, 3, 1, 1, 2, 3}},
      {"dilated valid", 2, 9, 8, 2, 3, {2, 3, 1, 1, 3, 2}, 1, false},
      {"groups", 2, 6, 5, 6, 9, {3, 3}, 3},
      {"groups, stride 2", 1, 6, 5, 4, 2, {3, 3, 2, 2}, 2},
      {"depthwise", 2, 6, 7, 5, 5, {3, 3}, 5},
      {"depthwise, two of each", 1, 6, 8, 3, 6, {3, 3, 2, 2}, 3},
      {"along one axis", 2, 31, 1, 4, 3, {5, 1}},
      {"window larger than the image", 1, 2, 3, 2, 2, {5, 5}},
      {"37 channels", 1, 4, 5, 37, 33, {3, 3}},
  };
  for (Geometry& g : all) g = g.placed();
  return all;
}

/// Descriptors with their operands in one buffer of a device.
class Arena {
 public:
  Arena(Backend& backend, DType dtype) : backend_(backend), dtype_(dtype) {}

  View add(const Shape& shape) {
    const View view = View::contiguous(Buffer::arena, dtype_, shape, bytes_);
    bytes_ += align_up(view.bytes());
    return view;
  }
  /// After the last add().
  void start() { memory_ = backend_.allocate(static_cast<std::size_t>(bytes_)); }
  Bindings bindings() const {
    Bindings at;
    at.base[static_cast<int>(Buffer::arena)] = memory_->data();
    return at;
  }
  void set(const View& view, const std::function<double(std::int64_t)>& value) {
    dtype_ == DType::float64 ? set_as<double>(view, value) : set_as<float>(view, value);
  }
  std::vector<double> get(const View& view) const {
    return dtype_ == DType::float64 ? get_as<double>(view) : get_as<float>(view);
  }

 private:
  template <class T>
  void set_as(const View& view, const std::function<double(std::int64_t)>& value) {
    std::vector<T> values(static_cast<std::size_t>(view.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(value(static_cast<int>(i)));
    backend_.upload(bindings().address<>(view), values.data(), values.size() * sizeof(T));
  }
  template <class T>
  std::vector<double> get_as(const View& view) const {
    std::vector<T> values(static_cast<std::size_t>(view.elements()));
    backend_.download(values.data(), bindings().address<>(view), values.size() * sizeof(T));
    return {values.begin(), values.end()};
  }

  Backend& backend_;
  DType dtype_;
  std::int64_t bytes_ = 0;
  std::unique_ptr<Memory> memory_;
};

inline double small_integer(std::int64_t i) { return static_cast<double>((i * 7 + i / 5) % 7) - 3; }
inline double uneven(std::int64_t i) { return std::sin(static_cast<double>(i) * 0.7) * 1.3; }

/// A convolution with its gradients, as a training step has them, prepared on a device.
class Step {
 public:
  Step(Backend& backend, DType dtype, const Geometry& g, double value(std::int64_t),
       const Precisions& precision = Float32{})
      : backend_(backend),
        arena_(backend, dtype),
        x_(arena_.add({g.images, g.height, g.width, g.channels})),
        w_(arena_.add({g.window.height, g.window.width, g.channels / g.groups, g.filters})),
        b_(arena_.add({g.filters})),
        dy_(arena_.add({g.images, g.out_height, g.out_width, g.filters})),
        results_{arena_.add(dy_.shape), arena_.add(x_.shape), arena_.add(w_.shape), arena_.add(b_.shape)} {
    arena_.start();
    std::int64_t first = 0;  // other values for each
    for (const View& view : {x_, w_, b_, dy_}) {
      arena_.set(view, [&](std::int64_t i) { return value(i + first); });
      first += 11;
    }
    const auto& [y, dx, dw, db] = results_;
    sequence_ = backend.prepare(
        {op::Convolution{x_, w_, y, g.window, g.groups, b_, Relu{}, {}, Linear{}, precision},
         op::ConvolutionTranspose{dy_, w_, dx, g.window, g.groups, {}, Linear{}, x_, Relu{}, precision},
         op::ConvolutionWeights{x_, dy_, dw, g.window, g.groups, db, precision}},
        arena_.bindings());
  }

  Sequence& sequence() { return *sequence_; }
  Step& run(std::int64_t times = 1) {
    sequence_->run(times);
    return *this;
  }
  /// Output and the gradients of input, weights and bias; each is forgotten on the device.
  std::vector<std::vector<double>> take() {
    std::vector<std::vector<double>> all;
    for (const View& view : results_) {
      all.push_back(arena_.get(view));
      arena_.set(view, [](std::int64_t) { return std::numeric_limits<double>::quiet_NaN(); });
    }
    return all;
  }
  std::vector<std::string> algorithms() const {
    std::vector<std::string> all;
    for (const auto& op : sequence_->ops()) all.push_back(op->algorithm());
    return all;
  }
  void set_x(const std::function<double(std::int64_t)>& value) { arena_.set(x_, value); }
  void set_weights(const std::function<double(std::int64_t)>& value) { arena_.set(w_, value); }

 private:
  Backend& backend_;
  Arena arena_;
  View x_, w_, b_, dy_;
  std::array<View, 4> results_;
  std::unique_ptr<Sequence> sequence_;
};

/// By the CPU's plain loops in float64.
inline std::vector<std::vector<double>> expected(const Geometry& g, double value(std::int64_t)) {
  const Context cpu({.device = "cpu"});
  return Step(cpu.backend(), DType::float64, g, value).run().take();
}

}  // namespace glia::test
