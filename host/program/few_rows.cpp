// Few rows: from a product to op::FewRows, and what goes into it.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/dataflow.h>
#include <host/program/few_rows.h>

#include <algorithm>

namespace glia {

using namespace dataflow;

namespace {

using RowFunction = op::FewRows::RowFunction;

// Of more rows a library's blocks, which use each weight for many, are ahead; the weights of one launch are at most 4 MB, which
// a GPU's multiprocessors read in a microsecond or two; and those of a launch of one block 128 KB, which one of them reads
// in less time than another launch takes.
constexpr std::int64_t most_rows = 8;
constexpr std::int64_t most_weights = 1 << 20;
constexpr std::int64_t most_weights_alone = 1 << 15;

bool is_for_few_rows(const op::Matmul& d) {
  return d.out.shape.rank() == 2 && d.out.shape[0] >= 1 && d.out.shape[0] <= most_rows && d.k() >= 1 &&
         d.k() <= op::longest_plain_k && d.b.elements() >= 1 && d.b.elements() <= most_weights && !d.saved &&
         !d.bias_gradient && !std::holds_alternative<MixedBFloat16>(d.precision) &&
         d.a.dtype == DType::float32 && d.b.dtype == DType::float32 && d.out.dtype == DType::float32 &&
         d.a.is_contiguous() && d.b.is_contiguous() && d.out.is_contiguous() &&
         (!d.bias || d.bias.is_contiguous());
}

bool may_be_alone(const op::FewRows& d) { return d.weights.elements() <= most_weights_alone; }

void take_products(Descriptors& list) {
  for (Descriptor& descriptor : list) {
    const auto* product = std::get_if<op::Matmul>(&descriptor);
    if (!product || !is_for_few_rows(*product)) continue;
    op::FewRows d{product->a, product->b, product->out, product->bias, product->activation};
    d.rows = product->out.shape[0];
    descriptor = d;
  }
}

/// softmax of the rows of what a FewRows makes for it alone.
bool take_row_function(Descriptors& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto* softmax = find<op::SoftmaxRows>(list, i);
    if (!softmax) continue;
    const std::size_t maker = producer(list, softmax->in);
    auto* d = find<op::FewRows>(list, maker);
    if (!d || !d->out || d->out.shape != softmax->in.shape || d->row_function != RowFunction::none ||
        !may_be_alone(*d) || consumers(list, d->out).size() != 1 ||
        !writes_alike(list, maker, i, softmax->out))
      continue;
    d->row_function = softmax->logarithm ? RowFunction::log_softmax : RowFunction::softmax;
    d->out = softmax->out;
    erase(list, i);
    return true;
  }
  return false;
}

/// Rows of a source that none but FewRows read, as they are.
bool take_gather(Descriptors& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto* gather = find<op::Gather>(list, i);
    if (!gather || !gather->x || gather->y || gather->weights || gather->augmentation ||
        gather->advance_iteration || gather->updates || producer(list, gather->x) != i)
      continue;
    const View x = gather->x;
    const std::vector<std::size_t> readers = consumers(list, x);
    if (readers.empty() || !std::all_of(readers.begin(), readers.end(), [&](std::size_t reader) {
          const auto* d = find<op::FewRows>(list, reader);
          return d && d->x.same_elements(x) && d->rows == x.shape[0];
        }))
      continue;
    for (const std::size_t reader : readers) {
      auto& d = std::get<op::FewRows>(list[reader]);
      d.x = {}, d.x_source = gather->x_source, d.x_from = gather->x_from;
    }
    erase(list, i);
    return true;
  }
  return false;
}

/// What is stored and read by nobody else is made where it is to be.
bool take_scatter(Descriptors& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto* scatter = find<op::Scatter>(list, i);
    if (!scatter) continue;
    const std::size_t maker = producer(list, scatter->in);
    auto* d = find<op::FewRows>(list, maker);
    if (!d || d->rows != scatter->in.shape[0] || consumers(list, scatter->in).size() != 1) continue;
    d->out = {}, d->out_source = scatter->source;
    erase(list, i);
    return true;
  }
  return false;
}

/// The end of the step, where it is only the cursor's, by the last of it.
void take_advance(Descriptors& list) {
  if (list.size() < 2) return;
  const auto* advance = find<op::Advance>(list, list.size() - 1);
  auto* d = find<op::FewRows>(list, list.size() - 2);
  if (!advance || advance->partials || advance->penalties || !d || !may_be_alone(*d)) return;
  d->advance = *advance;
  list.pop_back();
}

}  // namespace

void fuse_few_rows(Descriptors& inference) {
  take_products(inference);
  while (take_row_function(inference) || take_gather(inference) || take_scatter(inference)) {
  }
  take_advance(inference);
}

}  // namespace glia
