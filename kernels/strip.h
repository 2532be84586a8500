// Strips: neighbouring elements that a thread takes together. A GPU's thread loads sixteen bytes at once into registers, and
// several of these before it uses the first; a processor's takes as many as there are, where they lie, and makes vectors of
// its loops. A kernel says once what is loaded and what is done with it:
//
//     each_element<T>(block, n, packed,
//                     [&](const auto& strip, std::int64_t i) { return strip.load(in + i); },
//                     [&](const auto& strip, std::int64_t i, const auto& x) {
//                       strip.store(out + i, [&](auto j) { return function.forward(x[j]); });
//                     });
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// n neighbouring elements, which a thread moves at once.
template <class T, int n>
struct alignas(n * sizeof(T)) Pack {
  T at[n];
  GLIA_HD T& operator[](int j) { return at[j]; }
  GLIA_HD const T& operator[](int j) const { return at[j]; }
};

constexpr int pack_bytes = 16;
/// Elements of a pack.
template <class T>
constexpr int pack_size = pack_bytes / static_cast<int>(sizeof(T));

/// Whether packs can be loaded from there; null is no operand.
template <class... Pointers>
bool are_aligned(const Pointers*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % pack_bytes == 0) && ...);
}

/// A processor's strips: what is loaded is where it lies, and what is written there needs no put().
struct StripInPlace {
  static constexpr bool is_packed = false;

  template <class T>
  GLIA_HD T* load(T* at) const {
    return at;
  }
  template <class T>
  GLIA_HD void put(T*, T*) const {}
};

/// A kernel that keeps something of each column has at most `most_columns` at a time; 0: it keeps nothing.
template <int most_columns>
struct WideStrip : StripInPlace {
  static constexpr int most = most_columns;
  std::int64_t width;

  template <class F>
  GLIA_HD void for_each(const F& f) const {
    GLIA_INDEPENDENT
    for (std::int64_t j = 0; j < width; ++j) f(j);
  }
  /// at[j] = f(j)
  template <class T, class F>
  GLIA_HD void store(T* at, const F& f) const {
    GLIA_INDEPENDENT
    for (std::int64_t j = 0; j < width; ++j) at[j] = f(j);
  }
};

/// A processor's of a width that the compiler knows, so that sums stay in registers.
template <int n>
struct FullStrip : StripInPlace {
  static constexpr int most = n;
  static constexpr std::int64_t width = n;

  template <class F>
  GLIA_HD void for_each(const F& f) const {
    for (int j = 0; j < n; ++j) f(j);
  }
  template <class T, class F>
  GLIA_HD void store(T* at, const F& f) const {
    GLIA_INDEPENDENT
    for (int j = 0; j < n; ++j) at[j] = f(j);
  }
};
/// f(strip) with a processor's strip of up to `most` of so many columns: of widths that most have, the compiler is told.
template <int most, class F>
GLIA_HD void visit_width(std::int64_t columns, const F& f) {
  if (columns >= most)
    f(FullStrip<most>{});
  else if (columns == most / 2)
    f(FullStrip<most / 2>{});
  else if (columns == most / 4)
    f(FullStrip<most / 4>{});
  else
    f(WideStrip<most>{{}, columns});
}
/// f(strip), the strip as a FullStrip where it is one.
template <class Strip, class F>
GLIA_HD void with_full_strip(const Strip& strip, const F& f) {
  if constexpr (!Strip::is_packed)
    if (strip.width == Strip::most) return f(FullStrip<Strip::most>{});
  f(strip);
}

/// A GPU's strip: a pack, or one element where packs do not fit.
template <int n>
struct PackStrip {
  static constexpr bool is_packed = true;
  static constexpr int most = n;
  static constexpr std::int64_t width = n;

  template <class F>
  GLIA_HD void for_each(const F& f) const {
    GLIA_UNROLL
    for (int j = 0; j < n; ++j) f(j);
  }
  template <class T>
  GLIA_HD Pack<T, n> load(const T* at) const {
    return *reinterpret_cast<const Pack<T, n>*>(at);
  }
  template <class T>
  GLIA_HD void put(T* at, const Pack<T, n>& pack) const {
    *reinterpret_cast<Pack<T, n>*>(at) = pack;
  }
  template <class T, class F>
  GLIA_HD void store(T* at, const F& f) const {
    Pack<T, n> pack;
    GLIA_UNROLL
    for (int j = 0; j < n; ++j) pack.at[j] = f(j);
    put(at, pack);
  }
};

/// What is loaded of two operands.
template <class A, class B>
struct Both {
  A first;
  B second;
};
template <class A, class B>
Both(A, B) -> Both<A, B>;

/// use(i, load(i)) for i = begin, begin + step, ... below end; the loads of `flight` of them before the first is used.
template <int flight, class Load, class Use>
GLIA_HD void stream(std::int64_t begin, std::int64_t end, std::int64_t step, const Load& load,
                    const Use& use) {
  std::int64_t i = begin;
  if constexpr (flight > 1) {
    for (; i + (flight - 1) * step < end; i += flight * step) {
      decltype(load(i)) loaded[flight];
      GLIA_UNROLL
      for (int k = 0; k < flight; ++k) loaded[k] = load(i + k * step);
      GLIA_UNROLL
      for (int k = 0; k < flight; ++k) use(i + k * step, loaded[k]);
    }
  }
  for (; i < end; i += step) {
    auto loaded = load(i);
    use(i, loaded);
  }
}

/// use(strip, i, load(strip, i)) for strips, from element i on each, that together are the n elements; `packed` where the
/// operands are aligned.
template <class T, int flight = 2, class Block, class Load, class Use>
GLIA_HD void each_element(Block& block, std::int64_t n, bool packed, const Load& load, const Use& use) {
  if constexpr (Block::tile > 1) {
    const auto range = block.elements(n);
    const WideStrip<0> strip{{}, range.end - range.begin};
    auto loaded = load(strip, range.begin);
    use(strip, range.begin, loaded);
  } else {
    constexpr std::int64_t width = pack_size<T>;
    const std::int64_t packs = packed ? n / width : 0, first = packs * width;
    const auto whole = block.elements(packs);
    const PackStrip<width> strip;
    stream<flight>(
        whole.begin, whole.end, whole.stride, [&](std::int64_t i) { return load(strip, i * width); },
        [&](std::int64_t i, auto& loaded) { use(strip, i * width, loaded); });
    const auto rest = block.elements(n - first);
    const PackStrip<1> one;
    stream<flight>(
        rest.begin, rest.end, rest.stride, [&](std::int64_t i) { return load(one, first + i); },
        [&](std::int64_t i, auto& loaded) { use(one, first + i, loaded); });
  }
}

/// out[i] = f(a[i]) of n elements; out may be a.
template <class T, class Block, class In, class Out, class F>
GLIA_HD void map_elements(Block& block, std::int64_t n, bool packed, const In* a, Out* out, const F& f) {
  each_element<T, 4>(
      block, n, packed, [&](const auto& strip, std::int64_t i) { return strip.load(a + i); },
      [&](const auto& strip, std::int64_t i, const auto& x) {
        strip.store(out + i, [&](auto j) { return f(x[j]); });
      });
}
/// out[i] = f(a[i], b[i]) of n elements; out may be either.
template <class T, class Block, class F>
GLIA_HD void map_pairs(Block& block, std::int64_t n, bool packed, const T* a, const T* b, T* out,
                       const F& f) {
  each_element<T>(
      block, n, packed,
      [&](const auto& strip, std::int64_t i) {
        return Both{strip.load(a + i), strip.load(b + i)};
      },
      [&](const auto& strip, std::int64_t i, const auto& v) {
        strip.store(out + i, [&](auto j) { return f(v.first[j], v.second[j]); });
      });
}

/// The work of each_element().
template <class T>
Work elements_work(std::int64_t n, bool packed) {
  Work work{Work::elements, n};
  work.elements_of_thread = packed ? pack_size<T> : 1;
  return work;
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
