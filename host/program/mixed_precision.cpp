// Mixed precision: Round descriptors before the products that read what they write.
// SPDX-License-Identifier: Apache-2.0
#include <glia/log.h>
#include <host/program/mixed_precision.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>

namespace glia {
namespace {

template <class D>
constexpr bool is_product = requires(D& d) {
  d.factors([](View&) {});
};

std::int32_t temporaries_in(const std::vector<Descriptor>& descriptors) {
  std::int32_t count = 0;
  for (const Descriptor& descriptor : descriptors)
    for_each_operand(descriptor,
                     [&](const View& view, Access) { count = std::max(count, view.temporary + 1); });
  return count;
}

class Rounding {
 public:
  Rounding(const std::vector<Descriptor>& descriptors, Backend& backend)
      : backend_(backend), temporaries_(temporaries_in(descriptors)) {}

  void add(Descriptor descriptor) {
    const std::size_t first = result_.size();
    std::visit(
        [&](auto& d) {
          if constexpr (is_product<std::decay_t<decltype(d)>>)
            if (std::holds_alternative<MixedBFloat16>(d.precision)) round_factors_of(d);
        },
        descriptor);
    for (std::size_t i = first; i < result_.size(); ++i) result_[i].layer = descriptor.layer;
    for_each_operand(descriptor, [&](const View& view, Access access) {
      if (access != Access::read) forget(view);
    });
    result_.push_back(std::move(descriptor));
  }
  std::vector<Descriptor> take() { return std::move(result_); }

 private:
  /// A contiguous vector, and what it was rounded to.
  struct Copy {
    View of, rounded;
  };

  template <class Product>
  void round_factors_of(Product& d) {
    if constexpr (requires { d.bias_gradient; }) {
      View summed;
      d.factors([&](View& factor) { summed = factor; });  // the second
      if (d.bias_gradient)
        result_.push_back(
            op::Reduce::of_rows(summed.matrix(), std::exchange(d.bias_gradient, {}),
                                [&](const Shape& room) { return temporary(room, DType::float64); }));
    }
    Product asked = d;
    asked.factors([](View& factor) { factor.dtype = DType::bfloat16; });
    const DType to = backend_.multiplies_bfloat16(asked) ? DType::bfloat16 : DType::float32;
    if (to == DType::float32)
      detail::tell(LogLevel::info, backend_.device(), " has no ", d.name,
                   " of bfloat16: rounded factors are multiplied in float32");
    d.factors([&](View& factor) { factor = rounded(factor, to); });
  }

  /// `view`, of memory that has its elements rounded.
  View rounded(const View& view, DType to) {
    View once = view;  // without repetitions
    for (int axis = 0; axis < view.shape.rank(); ++axis)
      if (view.strides[axis] == 0) once.shape[axis] = 1;
    GLIA_CHECK(once.is_contiguous() || once.transposed().is_contiguous(), ShapeError, "a factor of shape ",
               view.shape, " has gaps between its elements: it cannot be rounded");
    View of = View::contiguous(view.buffer, view.dtype, {once.elements()}, view.offset);
    of.temporary = view.temporary, of.block = view.block;
    auto copy = std::find_if(copies_.begin(), copies_.end(), [&](const Copy& c) {
      return c.of.same_place(of) && c.of.shape == of.shape && c.rounded.dtype == to;
    });
    if (copy == copies_.end()) {
      const View out = temporary(of.shape, to);
      result_.push_back(op::Round{of, out});
      copy = copies_.insert(copies_.end(), {of, out});
    }
    View result = view;
    result.buffer = Buffer::arena, result.dtype = to, result.offset = 0;
    result.temporary = copy->rounded.temporary, result.block = 0;
    return result;
  }

  View temporary(const Shape& shape, DType dtype) {
    View view = View::contiguous(Buffer::arena, dtype, shape);
    view.temporary = temporaries_++;
    return view;
  }

  /// Drops copies of what is written, be it in part.
  void forget(const View& written) {
    copies_.erase(std::remove_if(copies_.begin(), copies_.end(),
                                 [&](const Copy& copy) { return copy.of.overlaps(written); }),
                  copies_.end());
  }

  Backend& backend_;
  std::int32_t temporaries_;
  std::vector<Copy> copies_;
  std::vector<Descriptor> result_;
};

}  // namespace

void round_factors(std::vector<Descriptor>& descriptors, Backend& backend) {
  Rounding rounding(descriptors, backend);
  for (const Descriptor& descriptor : descriptors) rounding.add(descriptor);
  descriptors = rounding.take();
}

}  // namespace glia
