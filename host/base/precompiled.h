// What most sources of the library include, compiled once for all of them. Only a saving: every source includes what it needs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/context.h>
#include <glia/error.h>
#include <glia/layers.h>
#include <glia/sequential.h>
#include <glia/tensor.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
