// libFuzzer target: whatever bytes a CSV file has, reading gives a whole table or a glia::Error. The first byte chooses
// the options.
// SPDX-License-Identifier: Apache-2.0
#include <glia/csv.h>
#include <glia/error.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  glia::CsvOptions options;
  options.header = data[0] & 1;
  options.delimiter = data[0] & 2 ? ';' : ',';
  if (data[0] & 4) options.categorical = {"0"};
  if (data[0] & 8) options.comment = '#';
  options.missing = static_cast<glia::Missing>((data[0] >> 4) % 3);
  options.skip_rows = data[0] >> 6;
  try {
    const glia::Table table =
        glia::parse_csv({reinterpret_cast<const char*>(data) + 1, size - 1}, "fuzz.csv", options);
    if (table.tensor().size() != table.rows() * table.columns() || table.head().empty()) std::abort();
  } catch (const glia::Error&) {
  }
  return 0;
}
