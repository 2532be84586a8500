// Attributes of HDF5 objects that are texts, read from the file's bytes (HDF5 File Format Specification 3.0): HDF5's own library, as of
// 1.10.8, reads beyond its memory where texts of a damaged file have lengths of their own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glia::keras {

/// The texts of an attribute of the object whose header lies at `header`: one, or a list of them; an empty list for an array of no elements.
/// Nothing where the object has no such attribute. Throws ValueError, which says what is wrong, for what is damaged, is no text, or lies in a
/// form that Keras's files do not have.
std::optional<std::vector<std::string>> text_attribute(std::string_view file, std::uint64_t header,
                                                       std::string_view name);

}  // namespace glia::keras
