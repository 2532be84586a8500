// Lookup: tokens as places in a vocabulary.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/named.h>  // defines: unknown_name
#include <glia/text_vectorization.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/base/escaped.h"
#include "host/base/memory.h"      // defines: checked_elements
#include "host/tensor/elements.h"  // defines: whole_numbers

namespace glia {
namespace {

template <class Token>
constexpr bool of_texts = std::is_same_v<Token, std::string>;
template <class Token>
constexpr auto class_of = of_texts<Token> ? "StringLookup" : "IntegerLookup";

std::string shown(const std::string& token) { return detail::concat('"', detail::escaped(token), '"'); }
std::string shown(std::int64_t token) { return std::to_string(token); }

template <class Token>
Token default_oov() {
  if constexpr (of_texts<Token>)
    return "[UNK]";
  else
    return -1;
}

template <class Token>
std::vector<std::vector<Token>> each_alone(const std::vector<Token>& tokens) {
  std::vector<std::vector<Token>> rows;
  for (const Token& token : tokens) rows.push_back({token});
  return rows;
}

template <class Rows>
std::int64_t longest_of(const Rows& rows) {
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  return static_cast<std::int64_t>(longest);
}

}  // namespace

template <class Token>
Lookup<Token>::Lookup(const LookupOptions<Token>& options)
    : options_(options), oov_(options.oov_token.value_or(default_oov<Token>())) {
  const std::vector<std::string> modes = {"int", "one_hot", "multi_hot", "count", "tf_idf"};
  const std::string& mode = options_.output_mode;
  GLIA_CHECK(std::find(modes.begin(), modes.end(), mode) != modes.end(), ValueError, class_of<Token>, ": ",
             detail::unknown_name("output_mode", mode, modes));
  GLIA_CHECK(options_.num_oov_indices == 0 || options_.num_oov_indices == 1, ValueError, class_of<Token>,
             " got num_oov_indices ", options_.num_oov_indices,
             ", expected 1, or 0, with which unknown tokens are refused");
  GLIA_CHECK(options_.mask_token != oov_, ValueError, class_of<Token>, " got ", shown(oov_),
             " as mask_token and as oov_token, expected two tokens; give another oov_token");
  first_ = options_.num_oov_indices;
  if (mode == "int" && options_.mask_token) oov_place_ = 1, ++first_;
  GLIA_CHECK(options_.max_tokens == 0 || options_.max_tokens > first_, ValueError, class_of<Token>,
             " got max_tokens ", options_.max_tokens, ", expected 0, for no limit, or more than the ", first_,
             " special tokens");
  GLIA_CHECK(!options_.pad_to_max_tokens || (options_.max_tokens > 0 && mode != "int"), ValueError,
             class_of<Token>,
             " got pad_to_max_tokens, which wants max_tokens and an output_mode other than \"int\"");
  GLIA_CHECK(options_.idf_weights.empty() || !options_.vocabulary.empty(), ValueError, class_of<Token>,
             " got idf_weights without a vocabulary");
  if (!options_.vocabulary.empty()) set_vocabulary(options_.vocabulary, options_.idf_weights);
}

/// Those that have places, by place.
template <class Token>
std::vector<Token> Lookup<Token>::special_tokens() const {
  std::vector<Token> all;
  if (options_.mask_token && options_.output_mode == "int") all.push_back(*options_.mask_token);
  if (options_.num_oov_indices > 0) all.push_back(oov_);
  return all;
}

template <class Token>
bool Lookup<Token>::is_special(const Token& token) const {
  return token == oov_ || (options_.mask_token && token == *options_.mask_token);
}

template <class Token>
void Lookup<Token>::set_vocabulary(const std::vector<Token>& vocabulary,
                                   const std::vector<double>& idf_weights) {
  // As get_vocabulary() gives it, special tokens first, or without them.
  const std::vector<Token> special = special_tokens();
  const bool has_special =
      vocabulary.size() >= special.size() && std::equal(special.begin(), special.end(), vocabulary.begin());
  const std::vector<Token> tokens(
      vocabulary.begin() + static_cast<std::ptrdiff_t>(has_special ? special.size() : 0), vocabulary.end());
  std::unordered_map<Token, std::int64_t> places;
  for (const Token& token : tokens) {
    GLIA_CHECK(!is_special(token), ValueError, class_of<Token>, " got the special token ", shown(token),
               " within the vocabulary; leave special tokens out, or put all ", first_, " of them first");
    GLIA_CHECK(places.emplace(token, first_ + static_cast<std::int64_t>(places.size())).second, ValueError,
               class_of<Token>, " got the token ", shown(token), " twice in the vocabulary");
  }
  const std::int64_t size = first_ + static_cast<std::int64_t>(tokens.size());
  GLIA_CHECK(options_.max_tokens == 0 || size <= options_.max_tokens, ValueError, class_of<Token>,
             " got a vocabulary of ", size, " tokens, special ones among them, expected at most max_tokens, ",
             options_.max_tokens);
  std::vector<double> idf;
  if (options_.output_mode == "tf_idf") {
    GLIA_CHECK(idf_weights.size() == tokens.size(), ValueError, class_of<Token>, " got ", idf_weights.size(),
               " idf_weights for a vocabulary of ", tokens.size(),
               " tokens without special ones; output_mode \"tf_idf\" wants one for each");
    if (first_ > 0)  // of tokens out of the vocabulary: the mean
      idf.push_back(std::accumulate(idf_weights.begin(), idf_weights.end(), 0.0) /
                    static_cast<double>(std::max<std::size_t>(idf_weights.size(), 1)));
    idf.insert(idf.end(), idf_weights.begin(), idf_weights.end());
  }
  vocabulary_ = tokens, places_ = std::move(places), idf_ = std::move(idf);
  has_vocabulary_ = true;
}

template <class Token>
Lookup<Token>& Lookup<Token>::adapt(std::size_t count,
                                    const std::function<std::vector<Token>(std::size_t)>& document) {
  GLIA_CHECK(options_.vocabulary.empty(), ValueError, class_of<Token>,
             "::adapt() got texts, but the vocabulary was given; leave one of the two out");
  struct Seen {
    std::int64_t times = 0, documents = 0;
    std::size_t last = 0;  // the document behind the one that had it last
  };
  std::unordered_map<Token, Seen> counts;
  for (std::size_t d = 0; d < count; ++d)
    for (const Token& token : document(d)) {
      if (is_special(token)) continue;
      Seen& seen = counts[token];
      ++seen.times;
      if (seen.last != d + 1) ++seen.documents, seen.last = d + 1;
    }
  std::vector<std::pair<Token, Seen>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.times != b.second.times ? a.second.times > b.second.times : b.first < a.first;
  });
  if (options_.max_tokens > 0)
    sorted.resize(std::min(sorted.size(), static_cast<std::size_t>(options_.max_tokens - first_)));
  std::vector<Token> tokens;
  std::vector<double> idf;
  for (const auto& [token, seen] : sorted) {
    tokens.push_back(token);
    idf.push_back(std::log(1 + static_cast<double>(count) / (1 + static_cast<double>(seen.documents))));
  }
  set_vocabulary(tokens, idf);
  return *this;
}

template <class Token>
Lookup<Token>& Lookup<Token>::adapt(const std::vector<Token>& tokens) {
  return adapt(tokens.size(), [&](std::size_t i) { return std::vector<Token>{tokens[i]}; });
}

template <class Token>
Lookup<Token>& Lookup<Token>::adapt(const std::vector<std::vector<Token>>& rows) {
  return adapt(rows.size(), [&](std::size_t i) { return rows[i]; });
}

template <class Token>
void Lookup<Token>::expect_vocabulary() const {
  GLIA_CHECK(has_vocabulary_, StateError, class_of<Token>,
             " has no vocabulary; call adapt() first, or give one");
}

template <class Token>
std::int64_t Lookup<Token>::place_of(const Token& token) const {
  if (options_.mask_token && token == *options_.mask_token) return options_.output_mode == "int" ? 0 : -1;
  const auto found = places_.find(token);
  if (found != places_.end()) return found->second;
  GLIA_CHECK(options_.num_oov_indices > 0, ValueError, class_of<Token>, " got the token ", shown(token),
             ", which is not in the vocabulary of ", vocabulary_.size(),
             " tokens; adapt() to it, or give num_oov_indices = 1");
  return oov_place_;
}

template <class Token>
std::int64_t Lookup<Token>::output_size() const {
  return options_.pad_to_max_tokens ? options_.max_tokens : vocabulary_size();
}

/// What modes other than "int" and "one_hot" make of a row.
template <class Token>
void Lookup<Token>::add_row(const std::vector<Token>& row, float* to) const {
  for (const Token& token : row) {
    const std::int64_t place = place_of(token);
    if (place < 0) continue;
    if (options_.output_mode == "multi_hot")
      to[place] = 1;
    else
      to[place] += 1;
  }
  if (options_.output_mode == "tf_idf")
    for (std::size_t i = 0; i < idf_.size(); ++i)
      to[i] = static_cast<float>(static_cast<double>(to[i]) * idf_[i]);
}

template <class Token>
Tensor Lookup<Token>::operator()(const std::vector<Token>& tokens) const {
  const std::string& mode = options_.output_mode;
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (mode == "int") return (*this)(each_alone(tokens)).reshape({count});
  if (mode == "one_hot") return (*this)(each_alone(tokens)).reshape({count, output_size()});
  return (*this)(std::vector<std::vector<Token>>{tokens}).reshape({output_size()});
}

template <class Token>
Tensor Lookup<Token>::operator()(const std::vector<std::vector<Token>>& rows) const {
  expect_vocabulary();
  const std::string& mode = options_.output_mode;
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t longest = longest_of(rows), size = output_size();
  if (mode == "int" || mode == "one_hot")
    for (const std::vector<Token>& row : rows)
      GLIA_CHECK((mode == "int" && options_.mask_token) || static_cast<std::int64_t>(row.size()) == longest,
                 ShapeError, class_of<Token>, " got rows of ", row.size(), " and of ", longest,
                 " tokens, expected one length; a mask_token fills up short rows in output_mode \"int\"");
  if (mode == "int") {
    Tensor places = Tensor::zeros({count, longest}, DType::int32);
    std::int32_t* to = places.data<std::int32_t>();
    for (const std::vector<Token>& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) to[i] = static_cast<std::int32_t>(place_of(row[i]));
      to += longest;
    }
    return places;
  }
  const Shape shape = mode == "one_hot" ? Shape{count, longest, size} : Shape{count, size};
  checked_elements(shape);
  Tensor result = Tensor::zeros(shape);
  float* to = result.data<float>();
  for (const std::vector<Token>& row : rows) {
    if (mode != "one_hot") {
      add_row(row, to);
      to += size;
      continue;
    }
    for (const Token& token : row) {
      const std::int64_t place = place_of(token);
      if (place >= 0) to[place] = 1;
      to += size;
    }
  }
  return result;
}

template <class Token>
std::vector<Token> Lookup<Token>::inverse(const TensorView& places) const {
  expect_vocabulary();
  const std::vector<Token> tokens = get_vocabulary();
  std::vector<Token> result;
  for (const std::int64_t place : detail::whole_numbers(places, class_of<Token>))
    result.push_back(place >= 0 && place < static_cast<std::int64_t>(tokens.size())
                         ? tokens[static_cast<std::size_t>(place)]
                         : oov_);
  return result;
}

template <class Token>
std::vector<Token> Lookup<Token>::get_vocabulary(bool include_special_tokens) const {
  std::vector<Token> all = include_special_tokens ? special_tokens() : std::vector<Token>();
  all.insert(all.end(), vocabulary_.begin(), vocabulary_.end());
  return all;
}

template class Lookup<std::string>;
template class Lookup<std::int64_t>;

}  // namespace glia
