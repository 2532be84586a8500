// What Python's ctypes calls to put Glia at one end of DLPack: managed tensors in and out, as addresses; and of NumPy's files. Each
// function catches what it calls throws, and then gives null, 0 or a negative number; the message is bridge_error's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace {

thread_local std::string error;

template <class Call>
auto guarded(Call&& call) -> decltype(call()) {
  try {
    error.clear();
    return call();
  } catch (const glia::DeviceError& failure) {
    error = std::string("DeviceError: ") + failure.what();
  } catch (const glia::ShapeError& failure) {
    error = std::string("ShapeError: ") + failure.what();
  } catch (const glia::ValueError& failure) {
    error = std::string("ValueError: ") + failure.what();
  } catch (const glia::FileError& failure) {
    error = std::string("FileError: ") + failure.what();
  } catch (const std::exception& failure) {
    error = std::string("another: ") + failure.what();
  }
  return {};
}

const glia::ImportedTensor& at(const void* imported) {
  return *static_cast<const glia::ImportedTensor*>(imported);
}

glia::Sequential& model() {
  static glia::Sequential& one = *new glia::Sequential{glia::Dense(3, "tanh")};
  return one;
}

}  // namespace

extern "C" {

const char* bridge_error() { return error.c_str(); }

/// Takes over what a capsule holds: an ImportedTensor, to be closed.
void* bridge_import(void* managed, int versioned, int copy) {
  return guarded([&]() -> void* {
    const glia::DlpackOptions options{.copy = copy != 0};
    return new glia::ImportedTensor(
        versioned ? from_dlpack(static_cast<DLManagedTensorVersioned*>(managed), options)
                  : from_dlpack(static_cast<DLManagedTensor*>(managed), options));
  });
}
void bridge_close(void* imported) { delete static_cast<glia::ImportedTensor*>(imported); }

const void* bridge_data(const void* imported) { return at(imported).raw(); }
int bridge_rank(const void* imported) { return at(imported).shape().rank(); }
std::int64_t bridge_dimension(const void* imported, int axis) { return at(imported).shape()[axis]; }
const char* bridge_dtype(const void* imported) { return glia::name_of(at(imported).dtype()); }
int bridge_read_only(const void* imported) { return at(imported).read_only(); }
int bridge_copied(const void* imported) { return at(imported).copied(); }
/// Writes an element of float32; 0 where it may not.
int bridge_write(const void* imported, std::int64_t i, float value) {
  return guarded([&] {
    at(imported).writable().data<float>()[i] = value;
    return 1;
  });
}
double bridge_sum(const void* imported) {
  const auto& tensor = at(imported);
  double sum = 0;
  glia::visit_dtype(tensor.dtype(), [&](auto type) {
    const auto* data = tensor.data<typename decltype(type)::type>();
    for (std::int64_t i = 0; i < tensor.size(); ++i) sum += static_cast<double>(data[i]);
  });
  return sum;
}

/// 0, 1, ... in a shape, given away.
void* bridge_arange(std::int64_t rows, std::int64_t columns, const char* dtype, int versioned) {
  return guarded([&]() -> void* {
    for (const glia::DType one : {glia::DType::float32, glia::DType::float64, glia::DType::uint8,
                                  glia::DType::int32, glia::DType::int64}) {
      if (std::string(glia::name_of(one)) != dtype) continue;
      glia::Tensor tensor = glia::Tensor::arange(rows * columns, one).reshape({rows, columns});
      if (versioned) return to_dlpack(std::move(tensor));
      return to_dlpack_legacy(std::move(tensor));
    }
    return nullptr;
  });
}
/// What was imported, given on: it is kept until the second one lets go, too. Read-only where it is.
void* bridge_pass_on(void* imported, int versioned) {
  return guarded([&]() -> void* {
    std::shared_ptr<glia::ImportedTensor> kept(static_cast<glia::ImportedTensor*>(imported));
    if (!versioned) return to_dlpack_legacy(kept->writable(), kept);
    if (kept->read_only()) return to_dlpack(*kept, kept);
    return to_dlpack(kept->writable(), kept);
  });
}
/// model.predict of what was imported, given away; its rows have four columns.
void* bridge_predict(const void* imported, int versioned) {
  return guarded([&]() -> void* {
    glia::Tensor predicted = model().predict(at(imported), {.verbose = 0});
    if (!versioned) return to_dlpack_legacy(std::move(predicted));
    return to_dlpack(std::move(predicted));
  });
}

/// Files of NumPy's, read and written again; 0 where that fails.
int bridge_copy_npy(const char* from, const char* to) {
  return guarded([&] {
    glia::save_npy(to, glia::load_npy(from));
    return 1;
  });
}
int bridge_copy_npz(const char* from, const char* to, int compressed) {
  return guarded([&] {
    glia::save_npz(to, glia::load_npz(from), {.compressed = compressed != 0});
    return 1;
  });
}

/// What a network of images (6, 5, 2) predicts with weights of PyTorch's, from one .npy file into another.
int bridge_predict_as_torch(const char* weights, const char* from, const char* to) {
  return guarded([&] {
    glia::Sequential network{
        glia::Conv2D(4, 3, "relu", {.groups = 2, .input_shape = {6, 5, 2}, .name = "conv"}),
        glia::BatchNormalization({.epsilon = 1e-5, .name = "norm"}),
        glia::PReLU({.name = "slopes"}),
        glia::Flatten(),
        glia::Dense(7, "tanh", {.name = "hidden"}),
        glia::LayerNormalization({.epsilon = 1e-5, .name = "rows"}),
        glia::Dense(3, {.use_bias = false, .name = "last"})};
    network.load_weights(weights, {.layout = "pytorch"});
    glia::save_npy(to, network.predict(glia::load_npy(from), {.verbose = 0}));
    return 1;
  });
}

/// Calls the deleter of what nobody took.
void bridge_discard(void* managed, int versioned) {
  if (versioned)
    glia::from_dlpack(static_cast<DLManagedTensorVersioned*>(managed));
  else
    glia::from_dlpack(static_cast<DLManagedTensor*>(managed));
}

}  // extern "C"
