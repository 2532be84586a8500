// DLPack by the layout of its specification: what comes in, hostile or not. NumPy and PyTorch are asked in python/.
// SPDX-License-Identifier: Apache-2.0
#include "tests/dlpack_application.h"
#include "tests/expect_error.h"

namespace {

using glia::DeviceError;
using glia::DType;
using glia::from_dlpack;
using glia::ImportedTensor;
using glia::Shape;
using glia::ShapeError;
using glia::Tensor;
using glia::TensorView;
using glia::ValueError;
using glia::test::expect_error;

constexpr std::int32_t cpu = 1, cuda = 2, cuda_host = 3, opencl = 4, rocm = 10, cuda_managed = 13;
constexpr DLDataType float32{2, 32, 1}, float64{2, 64, 1}, int32{0, 32, 1}, int64{0, 64, 1}, uint8{1, 8, 1},
    boolean{6, 8, 1};

/// Somebody's tensor, and how often it was given back.
template <class Struct>
struct Made {
  Struct managed = {};
  std::vector<std::int64_t> shape, strides;
  int deleted = 0;

  Made(void* data, std::vector<std::int64_t> shape_, DLDataType dtype = float32,
       std::vector<std::int64_t> strides_ = {})
      : shape(std::move(shape_)), strides(std::move(strides_)) {
    if constexpr (std::is_same_v<Struct, DLManagedTensorVersioned>) managed.version = {1, 0};
    managed.manager_ctx = this;
    managed.deleter = [](Struct* self) { ++static_cast<Made*>(self->manager_ctx)->deleted; };
    array() = {data,  {cpu, 0},     static_cast<std::int32_t>(shape.size()),
               dtype, shape.data(), strides.empty() ? nullptr : strides.data(),
               0};
  }
  Made(const Made&) = delete;
  DLTensor& array() { return managed.dl_tensor; }
};

template <class Struct>
class DlpackIn : public ::testing::Test {};
using Structs = ::testing::Types<DLManagedTensor, DLManagedTensorVersioned>;
TYPED_TEST_SUITE(DlpackIn, Structs);

TYPED_TEST(DlpackIn, Is_a_view_that_is_given_back_once) {
  float data[6] = {1, 2, 3, 4, 5, 6};
  Made<TypeParam> made(data, {2, 3});
  {
    const ImportedTensor tensor = from_dlpack(&made.managed);
    EXPECT_EQ(tensor.raw(), data);
    EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(tensor.dtype(), DType::float32);
    EXPECT_EQ(tensor.device(), glia::Device::cpu());
    EXPECT_FALSE(tensor.copied());
    EXPECT_EQ(made.deleted, 0);
  }
  EXPECT_EQ(made.deleted, 1);
}

TYPED_TEST(DlpackIn, Moves_and_is_given_back_by_who_has_it_last) {
  float data[2] = {1, 2}, others[2] = {3, 4};
  Made<TypeParam> made(data, {2}), other(others, {2});
  ImportedTensor first = from_dlpack(&made.managed);
  ImportedTensor second = std::move(first);
  EXPECT_EQ(first.size(), 0);
  EXPECT_EQ(first.raw(), nullptr);
  EXPECT_EQ(second.raw(), data);
  second = from_dlpack(&other.managed);
  EXPECT_EQ(made.deleted, 1) << "what was assigned over";
  EXPECT_EQ(other.deleted, 0);
  second = ImportedTensor();
  EXPECT_EQ(other.deleted, 1);
  EXPECT_EQ(made.deleted, 1);
}

TYPED_TEST(DlpackIn, May_have_no_deleter) {
  float data[2] = {1, 2};
  Made<TypeParam> made(data, {2});
  made.managed.deleter = nullptr;
  EXPECT_EQ(from_dlpack(&made.managed).raw(), data);
  made.array().dtype = {2, 16, 1};
  EXPECT_THROW(from_dlpack(&made.managed), ValueError);
}

TYPED_TEST(DlpackIn, Has_every_dtype) {
  std::int64_t data[2] = {1, 0};
  const std::pair<DLDataType, DType> all[] = {{float32, DType::float32}, {float64, DType::float64},
                                              {int32, DType::int32},     {int64, DType::int64},
                                              {uint8, DType::uint8},     {boolean, DType::uint8}};
  for (const auto& [given, wanted] : all) {
    Made<TypeParam> made(data, {2}, given);
    EXPECT_EQ(from_dlpack(&made.managed).dtype(), wanted);
    EXPECT_EQ(made.deleted, 1);
  }
}

TYPED_TEST(DlpackIn, Of_a_dtype_that_tensors_lack_is_refused) {
  double data[4] = {};
  const std::pair<DLDataType, const char*> all[] = {
      {{2, 16, 1}, "float16"},   {{0, 8, 1}, "int8"},    {{0, 16, 1}, "int16"},
      {{1, 32, 1}, "uint32"},    {{1, 64, 1}, "uint64"}, {{4, 16, 1}, "bfloat16"},
      {{5, 64, 1}, "complex64"}, {{6, 1, 1}, "bool1"},   {{10, 8, 1}, "code 10 of 8 bits"},
      {{2, 0, 1}, "float0"},     {{3, 64, 1}, "code 3"}};
  for (const auto& [given, word] : all)
    for (const bool copy : {false, true}) {
      Made<TypeParam> made(data, {2}, given);
      expect_error<ValueError>([&] { from_dlpack(&made.managed, {.copy = copy}); },
                               {word, "convert it first"});
      EXPECT_EQ(made.deleted, 1);
    }
  for (const std::uint16_t lanes : {0, 2, 4, 65535}) {
    Made<TypeParam> made(data, {2}, {2, 32, lanes});
    expect_error<ValueError>([&] { from_dlpack(&made.managed); }, {std::to_string(lanes) + " lanes"});
    EXPECT_EQ(made.deleted, 1);
  }
}

TYPED_TEST(DlpackIn, Of_page_locked_memory_is_on_the_CPU_and_of_managed_memory_on_its_device) {
  float data[2] = {1, 2};
  const std::tuple<std::int32_t, std::int32_t, glia::Device> all[] = {
      {cpu, 0, glia::Device::cpu()},       {cpu, 3, glia::Device::cpu()},
      {cuda_host, 0, glia::Device::cpu()}, {cuda_managed, 1, glia::Device::cuda(1)},
      {cuda, 0, glia::Device::cuda(0)},    {cuda, 5, glia::Device::cuda(5)}};
  for (const auto& [type, id, wanted] : all) {
    Made<TypeParam> made(data, {2});
    made.array().device = {type, id};
    EXPECT_EQ(from_dlpack(&made.managed).device(), wanted);
  }
}

TYPED_TEST(DlpackIn, Of_another_device_is_refused) {
  float data[2] = {1, 2};
  for (const std::int32_t type : {0, -1, opencl, rocm, 99}) {
    Made<TypeParam> made(data, {2});
    made.array().device.device_type = type;
    expect_error<DeviceError>([&] { from_dlpack(&made.managed); },
                              {"type " + std::to_string(type), "2 (CUDA)", "copy it to the CPU"});
    EXPECT_EQ(made.deleted, 1);
  }
  Made<TypeParam> made(data, {2});
  made.array().device = {cuda, -1};
  expect_error<DeviceError>([&] { from_dlpack(&made.managed); }, {"device -1"});
  EXPECT_EQ(made.deleted, 1);
}

TYPED_TEST(DlpackIn, Honours_its_byte_offset) {
  float data[6] = {1, 2, 3, 4, 5, 6};
  Made<TypeParam> made(data, {2, 2});
  made.array().byte_offset = 8;
  EXPECT_EQ(from_dlpack(&made.managed).raw(), data + 2);
}

TYPED_TEST(DlpackIn, Of_no_dimensions_or_no_elements) {
  double number = 7;
  Made<TypeParam> scalar(&number, {}, float64);
  scalar.array().shape = nullptr;
  const ImportedTensor one = from_dlpack(&scalar.managed);
  EXPECT_EQ(one.shape(), Shape{});
  EXPECT_EQ(one.template data<double>()[0], 7);
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{0}, {0, 4}, {3, 0, 2}}) {
    Made<TypeParam> made(nullptr, shape, float32, std::vector<std::int64_t>(shape.size(), 77));
    made.array().byte_offset = 1000;
    const ImportedTensor empty = from_dlpack(&made.managed);
    EXPECT_EQ(empty.size(), 0);
    EXPECT_EQ(empty.raw(), nullptr);
    EXPECT_EQ(empty.shape().rank(), static_cast<int>(shape.size()));
  }
}

TYPED_TEST(DlpackIn, Strides_of_dimensions_of_one_say_nothing) {
  float data[12] = {};
  const std::vector<std::int64_t> shapes[] = {{3, 4}, {1, 12}, {12, 1}, {3, 1, 4}, {1, 1}, {1}};
  const std::vector<std::int64_t> strides[] = {{4, 1}, {-99, 1}, {1, 7}, {4, 0, 1}, {5, 6}, {0}};
  for (std::size_t i = 0; i < std::size(shapes); ++i) {
    Made<TypeParam> made(data, shapes[i], float32, strides[i]);
    EXPECT_EQ(from_dlpack(&made.managed).raw(), data);
  }
}

/// Tensors of which not all elements lie behind one another in rows: (data, shape, strides, their elements).
struct Apart {
  int first;
  std::vector<std::int64_t> shape, strides;
};
const std::vector<Apart>& all_apart() {
  static const std::vector<Apart> all{
      {0, {4, 3}, {1, 4}},        // transposed
      {0, {3, 2}, {4, 2}},        // every second column
      {1, {3, 2}, {4, 1}},        // columns in the middle
      {11, {12}, {-1}},           // backwards
      {8, {3, 4}, {-4, 1}},       // the last row first
      {2, {5, 3}, {0, 1}},        // repeated
      {0, {2, 3, 2}, {2, 4, 1}},  // axes exchanged
      {5, {2}, {6}},
      {0, {1, 2, 1, 1, 1, 1, 2, 3}, {0, 1, 0, 0, 0, 0, 2, 4}},  // of eight dimensions
  };
  return all;
}
/// The elements of one, where element i of the memory is i.
std::vector<double> elements_of(const Apart& apart) {
  std::vector<double> elements{static_cast<double>(apart.first)};
  for (std::size_t axis = 0; axis < apart.shape.size(); ++axis) {
    std::vector<double> more;
    for (const double element : elements)
      for (std::int64_t i = 0; i < apart.shape[axis]; ++i)
        more.push_back(element + static_cast<double>(i * apart.strides[axis]));
    elements = more;
  }
  return elements;
}

TYPED_TEST(DlpackIn, That_is_not_contiguous_is_refused_or_copied) {
  for (const DType dtype : {DType::float32, DType::float64, DType::uint8, DType::int32, DType::int64}) {
    Tensor memory = Tensor::arange(12, dtype);
    const DLDataType type = dtype == DType::uint8     ? uint8
                            : dtype == DType::int32   ? int32
                            : dtype == DType::int64   ? int64
                            : dtype == DType::float32 ? float32
                                                      : float64;
    for (const Apart& apart : all_apart()) {
      Made<TypeParam> made(memory.raw(), apart.shape, type, apart.strides);
      made.array().byte_offset = static_cast<std::uint64_t>(apart.first * glia::size_of(dtype));
      expect_error<ValueError>([&] { from_dlpack(&made.managed); },
                               {"strides", "expected", "contiguous()", "{.copy = true}"});
      EXPECT_EQ(made.deleted, 1);
      expect_error<ValueError>([&] { glia::view_of_dlpack(made.managed); }, {"strides"});
      EXPECT_EQ(made.deleted, 1) << "a borrowed one is nobody's to give back";
      const ImportedTensor copy = from_dlpack(&made.managed, {.copy = true});
      EXPECT_EQ(made.deleted, 2) << "a copy needs its source no more";
      EXPECT_TRUE(copy.copied());
      ASSERT_EQ(copy.dtype(), dtype);
      const std::vector<double> wanted = elements_of(apart);
      ASSERT_EQ(copy.size(), static_cast<std::int64_t>(wanted.size()));
      glia::visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::size_t i = 0; i < wanted.size(); ++i)
          EXPECT_EQ(copy.template data<T>()[i], static_cast<T>(wanted[i])) << dtype << ' ' << i;
      });
    }
  }
}

TYPED_TEST(DlpackIn, Is_not_copied_where_it_need_not_be) {
  float data[2] = {1, 2};
  Made<TypeParam> made(data, {2});
  const ImportedTensor tensor = from_dlpack(&made.managed, {.copy = true});
  EXPECT_EQ(tensor.raw(), data);
  EXPECT_FALSE(tensor.copied());
}

TYPED_TEST(DlpackIn, That_is_misaligned_is_refused_or_copied) {
  alignas(8) std::byte memory[8 * 3 + 8] = {};
  for (const auto& [type, size] : {std::pair{float32, 4}, {float64, 8}, {int32, 4}, {int64, 8}})
    for (int offset = 1; offset < size; ++offset) {
      Made<TypeParam> made(memory, {3}, type);
      made.array().byte_offset = static_cast<std::uint64_t>(offset);
      expect_error<ValueError>([&] { from_dlpack(&made.managed); },
                               {"multiple of " + std::to_string(size), "{.copy = true}"});
      EXPECT_EQ(made.deleted, 1);
      memory[offset + 2] = std::byte{9};
      const ImportedTensor copy = from_dlpack(&made.managed, {.copy = true});
      EXPECT_TRUE(copy.copied());
      EXPECT_EQ(std::memcmp(copy.raw(), memory + offset, static_cast<std::size_t>(3 * size)), 0);
    }
  Made<TypeParam> bytes(memory + 1, {3}, uint8);
  EXPECT_EQ(from_dlpack(&bytes.managed).raw(), memory + 1);
}

TYPED_TEST(DlpackIn, That_cannot_be_is_refused) {
  float data[4] = {};
  constexpr std::int64_t huge = std::int64_t{1} << 40;
  const auto refused = [&](auto type, auto&& change, const std::vector<std::string>& parts) {
    using ErrorType = typename decltype(type)::type;
    for (const bool copy : {false, true}) {
      Made<TypeParam> made(data, {2, 2});
      change(made);
      expect_error<ErrorType>([&] { from_dlpack(&made.managed, {.copy = copy}); }, parts);
      EXPECT_EQ(made.deleted, 1);
    }
  };
  const glia::TypeTag<ShapeError> shape_error;
  const glia::TypeTag<ValueError> value_error;
  refused(shape_error, [](auto& m) { m.array().ndim = -1; }, {"-1 dimensions", "0 to 8"});
  refused(shape_error, [](auto& m) { m.array().ndim = 9; }, {"9 dimensions", "0 to 8"});
  refused(shape_error, [](auto& m) { m.array().ndim = 1 << 30; }, {"dimensions"});
  refused(value_error, [](auto& m) { m.array().shape = nullptr; }, {"null shape"});
  refused(value_error, [](auto& m) { m.array().data = nullptr; }, {"null data", "(2, 2)"});
  refused(shape_error, [](auto& m) { m.shape[0] = -1; }, {"(-1, 2)"});
  refused(shape_error,
          [](auto& m) {
            m.shape = {huge, huge}, m.array().shape = m.shape.data();
          },
          {"more bytes", "check"});
  refused(shape_error, [](auto& m) { m.shape[0] = 0, m.shape[1] = std::numeric_limits<std::int64_t>::max(); },
          {"address"});
  refused(shape_error,
          [](auto& m) {
            m.strides = {huge << 20, 1}, m.array().strides = m.strides.data();
            m.shape[0] = 1 << 20;
          },
          {"strides", "addresses"});
  refused(shape_error,
          [](auto& m) {
            m.strides = {std::numeric_limits<std::int64_t>::min(), 1};
            m.array().strides = m.strides.data();
          },
          {"addresses"});
  refused(shape_error, [](auto& m) { m.array().byte_offset = std::numeric_limits<std::uint64_t>::max() - 3; },
          {"byte_offset", "addresses"});
  expect_error<ValueError>([] { from_dlpack(static_cast<TypeParam*>(nullptr)); }, {"null pointer"});
}

TYPED_TEST(DlpackIn, Can_be_borrowed) {
  float data[6] = {1, 2, 3, 4, 5, 6};
  Made<TypeParam> made(data, {2, 3});
  const TensorView view = glia::view_of_dlpack(made.managed);
  EXPECT_EQ(view.raw(), data);
  EXPECT_EQ(view.shape(), (Shape{2, 3}));
  EXPECT_EQ(made.deleted, 0);
}

TYPED_TEST(DlpackIn, Is_trained_on_and_predicted) {
  std::vector<float> x(40 * 3), y(40);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[3 * i] - x[3 * i + 1];
  Made<TypeParam> inputs(x.data(), {40, 3}), targets(y.data(), {40});
  const auto trained = [](const glia::Tensors& a, const glia::Tensors& b) {
    glia::Sequential model{glia::Dense(4, "tanh"), glia::Dense(1)};
    model.compile({.loss = "mse", .device = "cpu"});
    model.fit(a, b, {.epochs = 2, .batch_size = 8, .verbose = 0});
    model.evaluate(a, b, {.verbose = 0});
    return model.predict(a, {.verbose = 0});
  };
  const ImportedTensor a = from_dlpack(&inputs.managed), b = from_dlpack(&targets.managed);
  EXPECT_TRUE(array_equal(trained(a, b), trained(Tensor(x, {40, 3}), Tensor(y))));
  EXPECT_EQ(inputs.deleted, 0);
}

TYPED_TEST(DlpackIn, That_is_given_away_lives_as_long_as_the_list_that_has_it) {
  float data[6] = {1, 2, 3, 4, 5, 6}, others[2] = {1, 2};
  Made<TypeParam> made(data, {2, 3}), named(others, {2});
  {
    const glia::Tensors one = from_dlpack(&made.managed);
    const glia::Tensors two{{"named", from_dlpack(&named.managed)}};
    EXPECT_EQ(made.deleted + named.deleted, 0);
    EXPECT_EQ(one[0].view.raw(), data);
    EXPECT_EQ(two[0].view.raw(), others);
    EXPECT_EQ(two[0].name, "named");
    const glia::Tensors copy = one;
    EXPECT_EQ(copy[0].view.raw(), data);
  }
  EXPECT_EQ(made.deleted, 1);
  EXPECT_EQ(named.deleted, 1);
  glia::Sequential model{glia::Dense(1)};
  EXPECT_EQ(model.predict(from_dlpack(&made.managed), {.verbose = 0}).shape(), (Shape{2, 1}));
  EXPECT_EQ(made.deleted, 2);
}

TEST(DlpackVersions, Of_1_are_read_whatever_the_minor_one) {
  float data[2] = {};
  for (const std::uint32_t minor : {0u, 1u, 3u, 99u}) {
    Made<DLManagedTensorVersioned> made(data, {2});
    made.managed.version.minor = minor;
    EXPECT_EQ(from_dlpack(&made.managed).raw(), data);
  }
}

TEST(DlpackVersions, Of_another_layout_are_given_back_unread) {
  float data[2] = {};
  for (const std::uint32_t major : {0u, 2u, 4000000000u}) {
    Made<DLManagedTensorVersioned> made(data, {2});
    made.managed.version = {major, 7};
    std::memset(&made.managed.flags, 0x5a, sizeof made.managed.flags + sizeof made.managed.dl_tensor);
    expect_error<ValueError>([&] { from_dlpack(&made.managed, {.copy = true}); },
                             {"version " + std::to_string(major) + ".7", "expected 1.x", "max_version"});
    EXPECT_EQ(made.deleted, 1);
    expect_error<ValueError>([&] { glia::view_of_dlpack(made.managed); }, {"version"});
    EXPECT_EQ(made.deleted, 1);
  }
}

TEST(DlpackReadOnly, Is_kept_and_refused_to_who_would_write) {
  float data[2] = {1, 2};
  Made<DLManagedTensorVersioned> made(data, {2});
  made.managed.flags = 1;
  const ImportedTensor tensor = from_dlpack(&made.managed);
  EXPECT_TRUE(tensor.read_only());
  expect_error<ValueError>([&] { tensor.writable(); }, {"read-only", "(2,)", "copy it"});
  made.managed.flags = 2 | 4;
  const ImportedTensor other = from_dlpack(&made.managed);
  EXPECT_FALSE(other.read_only());
  other.writable().data<float>()[1] = 5;
  EXPECT_EQ(data[1], 5);
}

TEST(DlpackReadOnly, Is_over_for_a_copy) {
  float data[4] = {1, 2, 3, 4};
  Made<DLManagedTensorVersioned> made(data, {2, 2}, float32, {1, 2});
  made.managed.flags = 1;
  const ImportedTensor copy = from_dlpack(&made.managed, {.copy = true});
  EXPECT_FALSE(copy.read_only());
  copy.writable().data<float>()[1] = 9;
  EXPECT_EQ(data[2], 3);
}

static_assert(!std::is_copy_constructible_v<ImportedTensor> && !std::is_copy_assignable_v<ImportedTensor>);

}  // namespace
