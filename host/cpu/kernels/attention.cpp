// The CPU's kernels of attention. In float32 a head of keys is packed once, for the queries of all heads that share it; some queries at a
// time are multiplied with it, weighed, and multiplied with the values, while their scores are in the cache.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <host/cpu/kernels/panels.h>
#include <kernels/lower_attention.h>
#include <kernels/softmax.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

/// In float64: in float32 attention is no elementary kernel, but one of the functions below.
bool bind_attention(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::AttentionFamily::select(
      descriptor, [&](const auto& d) { kernels::lower_as<double>(d, bindings, Collector{bound}); });
}

namespace {

using Operands = kernels::AttentionOperands<float>;

constexpr std::int64_t tile = 48;  // of queries

/// Packs b (k, n), row-major or transposed, at `room`, and moves that behind it.
panels::Packed pack(const float* b, std::int64_t stride, bool transposed, std::int64_t k, std::int64_t n,
                    float*& room) {
  const panels::Packed packed{room, k};
  panels::pack(b, transposed ? 1 : stride, transposed ? stride : 1, k, n, 0,
               (n + panels::width - 1) / panels::width, room);
  room += panels::packed_size(k, n);
  return packed;
}

/// to = what dropout leaves of `n` weights, or of their gradients, from `place` on; `from` may be `to`.
void drop(const Operands& on, std::int64_t place, std::int64_t n, const float* from, float* to) {
  const Philox draws = on.draws();
  for (std::int64_t i = 0; i < n;) {
    const auto at = static_cast<std::uint64_t>(place + i);
    const PhiloxBlock random = draws.block(at / 4);
    for (std::uint64_t w = at % 4; w < 4 && i < n; ++w, ++i)
      to[i] = on.dropout.forward(from[i], &random.word[w]);
  }
}

/// f(key, seen) for the first `n` keys of a query, where there is a mask.
template <class F>
void each_masked(const Operands& on, std::int64_t row, std::int64_t head, std::int64_t query, std::int64_t n,
                 const F& f) {
  const float* const mask =
      on.mask + row * on.mask_strides[0] + head * on.mask_strides[1] + query * on.mask_strides[2];
  const std::int64_t stride = on.mask_strides[3];
  if (stride == 1)  // a vector's
    for (std::int64_t key = 0; key < n; ++key) f(key, mask[key]);
  else
    for (std::int64_t key = 0; key < n; ++key) f(key, mask[key * stride]);
}

void zero(float* from, float* to) {
  for (; from < to; ++from) *from = 0;
}

/// The scores of a query become its weights, those of keys that it does not look at 0.
void weigh(const Operands& on, std::int64_t row, std::int64_t head, std::int64_t query, float* scores) {
  const std::int64_t n = on.keys_of(query);
  for (std::int64_t key = 0; key < n; ++key) scores[key] *= on.scale;
  kernels::SerialBlock block(0, 1);
  if (on.mask)
    each_masked(on, row, head, query, n,
                [&](std::int64_t key, float seen) { scores[key] = on.masked(scores[key], seen); });
  kernels::softmax_row(block, scores, scores, n, false);
}

/// The gradients of a query's weights become those of its products with the keys.
void weigh_back(const Operands& on, std::int64_t row, std::int64_t head, std::int64_t query,
                const float* weights, float* gradient) {
  const std::int64_t n = on.keys_of(query);
  kernels::SerialBlock block(0, 1);
  const float dot =
      kernels::row_sum<float>(block, n, [&](std::int64_t key) { return weights[key] * gradient[key]; });
  for (std::int64_t key = 0; key < n; ++key) gradient[key] = weights[key] * (gradient[key] - dot) * on.scale;
  if (on.mask)
    each_masked(on, row, head, query, n, [&](std::int64_t key, float seen) {
      gradient[key] = on.masked_gradient(gradient[key], seen);
    });
  zero(gradient + n, gradient + on.keys);
}

bool needs_tile(const op::Attention& d) { return !d.weights || d.drops; }

}  // namespace

std::int64_t attention_room(const op::Attention& d) {
  const std::int64_t keys = d.keys.shape[2];
  return panels::packed_size(d.queries.shape[3], keys) + panels::packed_size(keys, d.values.shape[3]) +
         (needs_tile(d) ? tile * keys : 0);
}

void attend(const op::Attention& d, const Bindings& at, std::int64_t i, float* room) {
  const Operands on = kernels::attention_operands<float>(d, at);
  const kernels::HeadSteps<float> out = kernels::head_steps<float>(d.out, at);
  const std::int64_t of_keys = on.heads / on.shared, row = i / of_keys, shared = i % of_keys;
  const panels::Packed keys = pack(on.k.at(row, shared, 0), on.k.step, true, on.width, on.keys, room);
  const panels::Packed values =
      pack(on.v.at(row, shared, 0), on.v.step, false, on.keys, on.value_width, room);
  for (std::int64_t head = shared * on.shared; head < (shared + 1) * on.shared; ++head)
    for (std::int64_t first = 0; first < on.queries; first += tile) {
      const std::int64_t count = on.queries - first < tile ? on.queries - first : tile,
                         seen = on.keys_of(first + count - 1), place = on.place(row, head, first);
      float* const weights = on.weights ? on.weights + place : room;
      panels::multiply({on.q.at(row, head, first), on.q.step}, count, keys, on.width, seen, weights, on.keys);
      for (std::int64_t r = 0; r < count; ++r) {
        float* const of_query = weights + r * on.keys;
        weigh(on, row, head, first + r, of_query);
        zero(of_query + on.keys_of(first + r), of_query + (on.weights ? on.keys : seen));
        if (on.drops) drop(on, place + r * on.keys, seen, of_query, room + r * on.keys);
      }
      panels::multiply({on.drops ? room : weights, on.keys}, count, values, seen, on.value_width,
                       out.at(row, head, first), out.step);
    }
}

std::int64_t attention_gradient_room(const op::AttentionGradient& d) {
  const op::Attention& of = d.of;
  const std::int64_t keys = of.keys.shape[2], width = of.queries.shape[3], value_width = of.values.shape[3];
  return panels::packed_size(keys, width) + panels::packed_size(value_width, keys) +
         panels::packed_size(of.steps(), width) + panels::packed_size(of.steps(), value_width);
}

void attend_back(const op::AttentionGradient& d, const Bindings& at, std::int64_t i, float* room) {
  const Operands on = kernels::attention_operands<float>(d.of, at);
  const auto of_out = kernels::head_steps<const float>(d.out_gradient, at);
  const auto of_queries = kernels::head_steps<float>(d.queries_gradient, at),
             of_keys = kernels::head_steps<float>(d.keys_gradient, at),
             of_values = kernels::head_steps<float>(d.values_gradient, at);
  const float* const of_weights = at.address<float>(d.weights_gradient);
  float* const of_scores = at.address<float>(d.scores_gradient);
  const std::int64_t key_heads = on.heads / on.shared, row = i / key_heads, shared = i % key_heads;
  const panels::Packed keys = pack(on.k.at(row, shared, 0), on.k.step, false, on.keys, on.width, room);
  panels::Packed values{};
  if (of_out.data) values = pack(on.v.at(row, shared, 0), on.v.step, true, on.value_width, on.keys, room);
  for (std::int64_t head = shared * on.shared; head < (shared + 1) * on.shared; ++head) {
    const bool adds = head > shared * on.shared;
    const std::int64_t place = on.place(row, head, 0);
    const float* const weights = on.weights + place;
    float* const gradient = of_scores + place;
    float* rest = room;
    if (of_out.data) {
      if (on.drops) drop(on, place, on.queries * on.keys, weights, gradient);
      const panels::Packed packed =
          pack(of_out.at(row, head, 0), of_out.step, false, on.queries, on.value_width, rest);
      panels::multiply({on.drops ? gradient : weights, on.keys, true}, on.keys, packed, on.queries,
                       on.value_width, of_values.at(row, shared, 0), of_values.step, adds);
    }
    for (std::int64_t first = 0; first < on.queries; first += tile) {
      const std::int64_t count = on.queries - first < tile ? on.queries - first : tile,
                         seen = on.keys_of(first + count - 1);
      float* const some = gradient + first * on.keys;
      if (of_out.data)
        panels::multiply({of_out.at(row, head, first), of_out.step}, count, values, on.value_width, seen,
                         some, on.keys);
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t behind = (first + r) * on.keys;
        float* const of_query = some + r * on.keys;
        if (!of_out.data)
          zero(of_query, of_query + seen);
        else if (on.drops)
          drop(on, place + behind, seen, of_query, of_query);
        if (of_weights)
          for (std::int64_t key = 0; key < seen; ++key) of_query[key] += of_weights[place + behind + key];
        weigh_back(on, row, head, first + r, weights + behind, of_query);
      }
      panels::multiply({some, on.keys}, count, keys, seen, on.width, of_queries.at(row, head, first),
                       of_queries.step);
    }
    const panels::Packed queries = pack(on.q.at(row, head, 0), on.q.step, false, on.queries, on.width, rest);
    panels::multiply({gradient, on.keys, true}, on.keys, queries, on.queries, on.width,
                     of_keys.at(row, shared, 0), of_keys.step, adds);
  }
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu
