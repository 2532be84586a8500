// The memory layout that DLPack's specification gives its structs (1.x, and that before it), under names of our own: the
// official ones are the application's to define. https://dmlc.github.io/dlpack/latest/c_api.html
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dlpack.h>  // defines: DLManagedTensor, DLManagedTensorVersioned, declared

#include <cstddef>
#include <cstdint>

namespace glia::dlpack {

/// What is kept across minor versions; another major one lays out differently all but Versioned's first three members.
inline constexpr std::uint32_t major_version = 1, minor_version = 1;

enum DeviceType : std::int32_t { cpu = 1, cuda = 2, cuda_host = 3, cuda_managed = 13 };
enum TypeCode : std::uint8_t {
  integer = 0,
  unsigned_integer = 1,
  floating = 2,
  bfloat = 4,
  complex = 5,
  boolean = 6
};
enum Flags : std::uint64_t { read_only = 1, is_copied = 2 };

struct Version {
  std::uint32_t major, minor;
};
struct Place {
  std::int32_t type, id;  ///< DeviceType; which of them
};
struct Type {
  std::uint8_t code, bits;  ///< TypeCode
  std::uint16_t lanes;
};
/// Shape and strides have `rank` numbers each, strides in elements; null strides are those of a contiguous tensor.
struct Array {
  void* data;
  Place place;
  std::int32_t rank;
  Type type;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;  ///< from data to the first element
};

// Whoever reads them as the application's types must see what was written as these: hence may_alias.
struct [[gnu::may_alias]] Managed {
  Array array;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct [[gnu::may_alias]] Versioned {
  Version version;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  Array array;
};

static_assert(sizeof(void*) == 8, "offsets below are those of 64-bit systems");
static_assert(sizeof(Version) == 8 && sizeof(Place) == 8 && sizeof(Type) == 4);
static_assert(offsetof(Type, bits) == 1 && offsetof(Type, lanes) == 2 && offsetof(Place, id) == 4);
static_assert(offsetof(Array, data) == 0 && offsetof(Array, place) == 8 && offsetof(Array, rank) == 16);
static_assert(offsetof(Array, type) == 20 && offsetof(Array, shape) == 24 && offsetof(Array, strides) == 32);
static_assert(offsetof(Array, byte_offset) == 40 && sizeof(Array) == 48);
static_assert(offsetof(Managed, array) == 0 && offsetof(Managed, context) == 48);
static_assert(offsetof(Managed, deleter) == 56 && sizeof(Managed) == 64);
static_assert(offsetof(Versioned, version) == 0 && offsetof(Versioned, context) == 8);
static_assert(offsetof(Versioned, deleter) == 16 && offsetof(Versioned, flags) == 24);
static_assert(offsetof(Versioned, array) == 32 && sizeof(Versioned) == 80);

}  // namespace glia::dlpack
