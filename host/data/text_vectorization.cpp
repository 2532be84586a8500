// TextVectorization: texts standardised, split, and joined to n-grams.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/named.h>  // defines: unknown_name
#include <glia/text.h>   // defines: is_digit, to_lower, ...
#include <glia/text_vectorization.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace glia {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_punctuation(char c) {
  return c > ' ' && c < '\x7f' && !detail::is_digit(c) && !detail::is_lower(c) && !detail::is_upper(c);
}

std::string standardised(const std::string& text, const std::string& how) {
  const bool lower = how.starts_with("lower"), strip = how.ends_with("strip_punctuation");
  std::string result;
  for (const char c : text)
    if (!strip || !is_punctuation(c)) result += lower ? detail::to_lower(c) : c;
  return result;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  auto end = text.begin();
  for (;;) {
    const auto begin = std::find_if_not(end, text.end(), is_blank);
    if (begin == text.end()) return words;
    end = std::find_if(begin, text.end(), is_blank);
    words.emplace_back(begin, end);
  }
}

/// How many bytes of `text` are the character it begins with; 0: they are none of UTF-8 (RFC 3629).
std::size_t character_in(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  // No longer than need be, no surrogate, none beyond U+10FFFF.
  if ((first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) > 0x9F) || (first == 0xF0 && at(1) < 0x90) ||
      (first == 0xF4 && at(1) > 0x8F))
    return 0;
  return bytes;
}

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  while (!text.empty()) {
    const std::size_t bytes = character_in(text);
    characters.emplace_back(bytes > 0 ? text.substr(0, bytes) : "\xEF\xBF\xBD");
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return characters;
}

std::vector<std::string> joined(const std::vector<std::string>& words, const std::vector<int>& widths) {
  std::vector<std::string> all;
  for (const int width : widths)
    for (std::size_t i = 0; i + static_cast<std::size_t>(width) <= words.size(); ++i) {
      std::string gram = words[i];
      for (int k = 1; k < width; ++k) gram += ' ' + words[i + static_cast<std::size_t>(k)];
      all.push_back(std::move(gram));
    }
  return all;
}

void expect_one_of(const char* option, const std::string* name, const std::vector<std::string>& known) {
  GLIA_CHECK(!name || std::find(known.begin(), known.end(), *name) != known.end(), ValueError,
             "TextVectorization: ", detail::unknown_name(option, *name, known));
}

LookupOptions<std::string> lookup_options(const TextVectorizationOptions& options) {
  expect_one_of("output_mode", &options.output_mode, {"int", "multi_hot", "count", "tf_idf"});
  return {.max_tokens = options.max_tokens,
          .mask_token = std::string(),
          .vocabulary = options.vocabulary,
          .idf_weights = options.idf_weights,
          .output_mode = options.output_mode,
          .pad_to_max_tokens = options.pad_to_max_tokens};
}

}  // namespace

Ngrams::Ngrams(int up_to) {
  GLIA_CHECK(up_to > 0, ValueError, "ngrams got ", up_to, ", expected 1 or more words that stand together");
  for (int width = 1; width <= up_to; ++width) widths.push_back(width);
}

TextVectorization::TextVectorization(const TextVectorizationOptions& options)
    : options_(options), lookup_(lookup_options(options)) {
  expect_one_of("standardize", std::get_if<std::string>(&options_.standardize),
                {"lower_and_strip_punctuation", "lower", "strip_punctuation", "none"});
  expect_one_of("split", std::get_if<std::string>(&options_.split), {"whitespace", "character", "none"});
  for (const int width : options_.ngrams.widths)
    GLIA_CHECK(width > 0, ValueError, "TextVectorization got an n-gram of ", width,
               " words, expected 1 or more");
  GLIA_CHECK(options_.output_sequence_length >= 0 &&
                 (options_.output_sequence_length == 0 || options_.output_mode == "int"),
             ValueError, "TextVectorization got output_sequence_length ", options_.output_sequence_length,
             " with output_mode \"", options_.output_mode,
             "\", expected 0, or 1 or more with \"int\", whose rows alone have a length");
}

std::vector<std::string> TextVectorization::tokens(const std::string& text) const {
  const std::string* const standard = std::get_if<std::string>(&options_.standardize);
  const std::string plain =
      standard ? standardised(text, *standard) : std::get<1>(options_.standardize)(text);
  const std::string* const split = std::get_if<std::string>(&options_.split);
  std::vector<std::string> tokens = !split                  ? std::get<1>(options_.split)(plain)
                                    : *split == "none"      ? std::vector<std::string>{plain}
                                    : *split == "character" ? characters_of(plain)
                                                            : words_of(plain);
  return options_.ngrams.widths.empty() ? tokens : joined(tokens, options_.ngrams.widths);
}

std::vector<std::vector<std::string>> TextVectorization::rows_of(
    const std::vector<std::string>& texts) const {
  std::vector<std::vector<std::string>> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(tokens(text));
  return rows;
}

TextVectorization& TextVectorization::adapt(const std::vector<std::string>& texts) {
  lookup_.adapt(texts.size(), [&](std::size_t i) { return tokens(texts[i]); });
  return *this;
}

Tensor TextVectorization::operator()(const std::vector<std::string>& texts) const {
  std::vector<std::vector<std::string>> rows = rows_of(texts);
  if (options_.output_sequence_length > 0)
    for (std::vector<std::string>& row : rows)
      row.resize(static_cast<std::size_t>(options_.output_sequence_length));  // "" is the mask
  return lookup_(rows);
}

}  // namespace glia
