// Bodies of the application's own: they launch where Ops do, so that a capture has them like any other work. Their calls go to a
// runtime of their own, whose errors are not seen here; what they do to a capture is.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/custom.h>

#include <utility>
#include <vector>

namespace glia::cuda {
namespace {

class CustomOp final : public Op {
 public:
  CustomOp(const Gpu& gpu, const op::Custom& d, const Bindings& at)
      : gpu_(gpu), descriptor_(d), body_(d.body->shared_from_this()) {
    body_->expect(d.part, Device::cuda(gpu.index()), d.dtype);
    for (int i = 0; i < d.count; ++i)
      memory_.push_back({at.address<>(d.list[i].view), d.list[i].view.shape, d.list[i].view.dtype});
  }

  void run() override {
    const cudaStreamCaptureStatus before = capture_status();
    body_->run(Device::cuda(gpu_.index()), {descriptor_, memory_.data(), gpu_.target(), nullptr});
    GLIA_CHECK(capture_status() == before, DeviceError, body_->words(),
               " broke the capture of the step in a CUDA graph: its body for CUDA may launch work on "
               "call.stream(), and must not synchronise, allocate, use another stream that it did not fork "
               "from that one, or end the capture");
  }
  std::string algorithm() const override { return "the application's"; }

 private:
  cudaStreamCaptureStatus capture_status() const {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    GLIA_CUDA(cudaStreamIsCapturing(gpu_.target(), &status));
    return status;
  }

  const Gpu& gpu_;
  op::Custom descriptor_;
  std::shared_ptr<const CustomBody> body_;
  std::vector<CustomMemory> memory_;
};

}  // namespace

std::unique_ptr<Op> prepare_custom(Gpu& gpu, const op::Custom& d, const Bindings& at) {
  return std::make_unique<CustomOp>(gpu, d, at);
}

}  // namespace glia::cuda
