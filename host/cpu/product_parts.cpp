// How a product is cut: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/product_parts.h>

#include <algorithm>
#include <cstdint>

namespace glia::cpu {
namespace {

// A product is cut where a slice has at least this much work, two operations for each multiply-add, into a few slices, and into more
// where those are large: small enough to share out, large enough that oneDNN packs its operands once for many uses, and its
// registers have columns enough.
constexpr std::int64_t slice_operations = 1'000'000, large_slice_operations = 8'000'000;
constexpr std::int64_t few_slices = 16, max_slices = 64;

std::int64_t slices_of(std::int64_t operations, std::int64_t most) {
  const std::int64_t few = std::min(operations / slice_operations, few_slices);
  return std::clamp<std::int64_t>(std::max(few, operations / large_slice_operations), 1, most);
}

// The gradient of weights is a product of a transposed matrix over k that is the batch. oneDNN packs that matrix anew in each call,
// which over many k takes as long as multiplying by a narrow slice: there it is cut into blocks of so many rows, and of twice as many
// columns where that leaves enough blocks to share out.
constexpr std::int64_t least_k_of_blocks = 512, side_of_block = 64, enough_blocks = 8;

std::vector<Region> blocks_of(std::int64_t m, std::int64_t n, std::int64_t most) {
  const auto count = [](std::int64_t length, std::int64_t piece) { return (length + piece - 1) / piece; };
  std::int64_t rows = side_of_block, columns = 2 * side_of_block;
  if (count(m, rows) * count(n, columns) < enough_blocks) columns = side_of_block;
  while (count(m, rows) * count(n, columns) > most) (m / rows > n / columns ? rows : columns) *= 2;
  std::vector<Region> regions;
  for (std::int64_t row = 0; row < m; row += rows)
    for (std::int64_t column = 0; column < n; column += columns)
      regions.push_back({row, std::min(rows, m - row), column, std::min(columns, n - column)});
  return regions;
}

/// Cuts rows of out, or columns where there are more of them: the longer side, in multiples of 16.
std::vector<Region> regions_of(const op::Matmul& d, std::int64_t most) {
  const std::int64_t m = d.out.shape[0], n = d.out.shape[1], k = d.k();
  if (d.a.strides[0] == 1 && m > 1 && k >= least_k_of_blocks) return blocks_of(m, n, most);
  const bool by_rows = m >= n;
  const std::int64_t length = by_rows ? m : n;
  const std::int64_t wanted = slices_of(2 * m * n * k, most);
  const std::int64_t piece = ((length + wanted - 1) / wanted + 15) / 16 * 16;
  std::vector<Region> regions;
  for (std::int64_t first = 0; first < length; first += piece) {
    const std::int64_t count = std::min(piece, length - first);
    regions.push_back(by_rows ? Region{first, count, 0, n} : Region{0, m, first, count});
  }
  return regions;
}

}  // namespace

std::vector<PartOfProduct> parts_of(const op::Matmul& d) {
  std::vector<PartOfProduct> parts;
  if (d.out.shape.rank() == 2) {
    for (const Region& region : regions_of(d, max_slices)) parts.push_back({d, region});
    return parts;
  }
  const op::Matmul one = d.matrix_at(0);
  const std::int64_t m = one.out.shape[0], n = one.out.shape[1], batch = d.batch();
  const std::vector<Region> regions = regions_of(one, std::max<std::int64_t>(max_slices / batch, 1));
  const std::int64_t wanted = slices_of(2 * batch * m * n * d.k(), max_slices);
  const std::int64_t together = regions.size() > 1 ? 1 : (batch + wanted - 1) / wanted;
  for (std::int64_t first = 0; first < batch; first += together) {
    const std::int64_t count = std::min(together, batch - first);
    op::Matmul some = d;
    some.a = d.a.part(0, first, count), some.b = d.b.part(0, first, count);
    some.out = d.out.part(0, first, count);
    for (const Region& region : regions) parts.push_back({some, region});
  }
  return parts;
}

}  // namespace glia::cpu
