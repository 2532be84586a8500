// Vocabularies and texts give what Keras gives (golden/make_keras_text.py), and say what is wrong with what they are given.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/text_vectorization.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/expect_error.h"
#include "tests/golden_text.h"  // defines: golden_text, expect_result

namespace glia::test {
namespace {

template <class T>
void read(const Json& options, const char* name, T& option) {
  if (options.contains(name)) option = options[name].get<T>();
}

TextVectorizationOptions text_options(const Json& json) {
  TextVectorizationOptions options;
  read(json, "max_tokens", options.max_tokens);
  read(json, "output_mode", options.output_mode);
  read(json, "output_sequence_length", options.output_sequence_length);
  read(json, "pad_to_max_tokens", options.pad_to_max_tokens);
  read(json, "vocabulary", options.vocabulary);
  read(json, "idf_weights", options.idf_weights);
  if (json.contains("standardize"))
    options.standardize = json["standardize"].is_null() ? "none" : json["standardize"].get<std::string>();
  if (json.contains("split")) options.split = json["split"].get<std::string>();
  if (json.contains("ngrams")) {
    if (json["ngrams"].is_array())
      options.ngrams.widths = json["ngrams"].get<std::vector<int>>();
    else
      options.ngrams = json["ngrams"].get<int>();
  }
  return options;
}

template <class Token>
LookupOptions<Token> lookup_options(const Json& json) {
  LookupOptions<Token> options;
  read(json, "max_tokens", options.max_tokens);
  read(json, "num_oov_indices", options.num_oov_indices);
  read(json, "vocabulary", options.vocabulary);
  read(json, "output_mode", options.output_mode);
  read(json, "pad_to_max_tokens", options.pad_to_max_tokens);
  if (json.contains("mask_token")) options.mask_token = json["mask_token"].get<Token>();
  return options;
}

TEST(TextVectorization, Gives_what_Keras_gives) {
  const Json golden = golden_text();
  const std::vector<std::string> texts = golden["texts"], fresh = golden["new"];
  int cases = 0;
  for (const Json& one : golden["vectorized"]) {
    SCOPED_TRACE(one["options"].dump());
    TextVectorization vectorize(text_options(one["options"]));
    if (!one["options"].contains("vocabulary")) vectorize.adapt(texts);
    EXPECT_EQ(vectorize.get_vocabulary(), one["vocabulary"].get<std::vector<std::string>>());
    EXPECT_EQ(vectorize.get_vocabulary(false), one["plain_vocabulary"].get<std::vector<std::string>>());
    EXPECT_EQ(vectorize.vocabulary_size(), static_cast<std::int64_t>(one["vocabulary"].size()));
    expect_result(vectorize(texts), one["of_seen"]);
    expect_result(vectorize(fresh), one["of_new"]);
    ++cases;
  }
  EXPECT_EQ(cases, 23);
}

template <class Token>
void expect_lookup(const Json& one) {
  using Rows = std::vector<std::vector<Token>>;
  Lookup<Token> lookup(lookup_options<Token>(one["options"]));
  if (!one["options"].contains("vocabulary")) lookup.adapt(one["adapt"].get<Rows>());
  const auto vocabulary = one["vocabulary"].get<std::vector<Token>>();
  EXPECT_EQ(lookup.get_vocabulary(), vocabulary);
  const auto rows = one["given"].get<Rows>();
  expect_result(lookup(rows), one["of_rows"]);
  if (one.contains("of_one")) expect_result(lookup(rows[0]), one["of_one"]);
  if (lookup_options<Token>(one["options"]).output_mode == "int") {
    EXPECT_EQ(lookup.inverse(Tensor::arange(lookup.vocabulary_size(), DType::int32)), vocabulary);
    Lookup<Token> same(lookup_options<Token>(one["options"]));  // from the vocabulary with special tokens
    if (!one["options"].contains("vocabulary")) same.set_vocabulary(vocabulary);
    expect_result(same(rows), one["of_rows"]);
  }
}

TEST(Lookup, Gives_what_Keras_gives) {
  int cases = 0;
  const Json golden = golden_text();
  for (const Json& one : golden["looked_up"]) {
    SCOPED_TRACE(one["class"].get<std::string>() + one["options"].dump());
    if (one["class"] == "StringLookup")
      expect_lookup<std::string>(one);
    else
      expect_lookup<std::int64_t>(one);
    ++cases;
  }
  EXPECT_EQ(cases, 22);
}

TEST(Lookup, Gives_places_back_as_tokens) {
  StringLookup lookup({.vocabulary = {"a", "b"}});
  EXPECT_EQ(lookup.inverse(lookup({"b", "z", "a"})), (std::vector<std::string>{"b", "[UNK]", "a"}));
  EXPECT_EQ(lookup.inverse(Tensor{-1, 7, 1}), (std::vector<std::string>{"[UNK]", "[UNK]", "a"}));
  EXPECT_EQ(StringLookup({.oov_token = "?", .vocabulary = {"a"}}).get_vocabulary(),
            (std::vector<std::string>{"?", "a"}));
}

TEST(Lookup, Fills_up_short_rows_with_the_mask_and_wants_one_length_without) {
  const std::vector<std::vector<std::string>> rows = {{"a"}, {}, {"b", "a"}};
  const Tensor places = StringLookup({.mask_token = "", .vocabulary = {"a", "b"}})(rows);
  EXPECT_EQ(places.shape(), Shape({3, 2}));
  EXPECT_EQ(whole(places), (Whole{2, 0, 0, 0, 3, 2}));
  expect_error<ShapeError>(
      [&] {
        StringLookup({.vocabulary = {"a", "b"}})(rows);
      },
      {"rows of 1 and of 2", "mask_token"});
  EXPECT_EQ(StringLookup({.vocabulary = {"a"}})(std::vector<std::string>()).shape(), Shape({0}));
  EXPECT_EQ(TextVectorization({.vocabulary = {"a"}})({"", " "}).shape(), Shape({2, 0}));
}

TEST(Lookup, Says_what_is_wrong) {
  expect_error<StateError>([] { StringLookup()({"a"}); }, {"StringLookup", "adapt()"});
  expect_error<StateError>([] { TextVectorization()({"a"}); }, {"adapt()"});
  StringLookup strict({.num_oov_indices = 0, .vocabulary = {"a"}});
  expect_error<ValueError>([&] { strict({"a", "b\n"}); }, {"\"b\\n\"", "num_oov_indices"});
  expect_error<ValueError>([&] { strict.adapt({"b"}); }, {"the vocabulary was given"});
  expect_error<ValueError>([] { StringLookup({.vocabulary = {"a", "b", "a"}}); }, {"\"a\" twice"});
  expect_error<ValueError>([] { StringLookup({.vocabulary = {"a", "[UNK]"}}); }, {"special token \"[UNK]\""});
  expect_error<ValueError>(
      [] {
        IntegerLookup({.max_tokens = 2, .vocabulary = {1, 2}});
      },
      {"IntegerLookup", "3 tokens", "max_tokens, 2"});
  expect_error<ValueError>([] { IntegerLookup({.max_tokens = 1}); }, {"max_tokens 1"});
  expect_error<ValueError>([] { IntegerLookup({.max_tokens = -1}); }, {"max_tokens -1"});
  expect_error<ValueError>(
      [] {
        StringLookup({.mask_token = "", .vocabulary = {"[UNK]", "", "a"}});  // in another order
      },
      {"special token \"[UNK]\""});
  expect_error<ValueError>([] { IntegerLookup({.mask_token = -1}); }, {"-1 as mask_token and as oov_token"});
  expect_error<ValueError>([] { IntegerLookup({.num_oov_indices = 2}); }, {"num_oov_indices 2"});
  expect_error<ValueError>([] { IntegerLookup({.output_mode = "onehot"}); }, {"did you mean \"one_hot\"?"});
  expect_error<ValueError>([] { IntegerLookup({.pad_to_max_tokens = true}); }, {"pad_to_max_tokens"});
  expect_error<ValueError>([] { IntegerLookup({.idf_weights = {1}}); }, {"idf_weights without a vocabulary"});
  expect_error<ValueError>(
      [] {
        IntegerLookup({.vocabulary = {1, 2}, .idf_weights = {1}, .output_mode = "tf_idf"});
      },
      {"1 idf_weights", "2 tokens"});
  expect_error<ValueError>([] { TextVectorization({.standardize = "lowr"}); }, {"did you mean \"lower\"?"});
  expect_error<ValueError>([] { TextVectorization({.split = "char"}); }, {"unknown split \"char\""});
  expect_error<ValueError>([] { TextVectorization({.output_mode = "one_hot"}); },
                           {"output_mode \"one_hot\""});
  expect_error<ValueError>([] { TextVectorization({.ngrams = 0}); }, {"ngrams got 0"});
  expect_error<ValueError>([] { TextVectorization({.ngrams = {2, 0}}); }, {"n-gram of 0"});
  expect_error<ValueError>([] { TextVectorization({.output_mode = "count", .output_sequence_length = 3}); },
                           {"output_sequence_length 3", "\"count\""});
}

TEST(Lookup, Is_what_it_was_after_a_vocabulary_that_was_refused) {
  StringLookup lookup({.vocabulary = {"a", "b"}});
  expect_error<ValueError>([&] { lookup.set_vocabulary({"c", "c"}); }, {"twice"});
  EXPECT_EQ(lookup.get_vocabulary(false), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(whole(lookup({"b"})), (Whole{2}));
}

TEST(TextVectorization, Takes_functions_of_the_applications_own) {
  TextVectorization vectorize({.standardize = [](const std::string& text) { return text + ";END"; },
                               .split =
                                   [](const std::string& text) {
                                     std::vector<std::string> parts = {""};
                                     for (const char c : text)
                                       if (c == ';')
                                         parts.emplace_back();
                                       else
                                         parts.back() += c;
                                     return parts;
                                   }});
  EXPECT_EQ(vectorize.tokens("a b;C"), (std::vector<std::string>{"a b", "C", "END"}));
  vectorize.adapt({"a b;C", "C"});
  EXPECT_EQ(vectorize.get_vocabulary(false), (std::vector<std::string>{"END", "C", "a b"}));
}

/// Of UTF-8 by its definition (RFC 3629): a decoder that collects bits and looks at the number.
std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    std::size_t bytes = 0;
    for (const std::size_t n : {1, 2, 3, 4}) {
      const unsigned lead = n == 1 ? 0 : 0xFFu << (8 - n) & 0xFF,
                     mask = n == 1 ? 0x80 : 0xFFu << (7 - n) & 0xFF;
      if ((byte(i) & mask) != lead || i + n > text.size()) continue;
      std::uint32_t number = byte(i) & ~mask & 0xFF;
      bool fits = true;
      for (std::size_t k = 1; k < n; ++k)
        fits &= (byte(i + k) >> 6) == 2, number = number << 6 | (byte(i + k) & 63);
      const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
      if (fits && number >= least[n] && number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF)) bytes = n;
    }
    all.push_back(bytes > 0 ? text.substr(i, bytes) : "\xEF\xBF\xBD");
    i += std::max<std::size_t>(bytes, 1);
  }
  return all;
}

TEST(TextVectorization, Splits_any_bytes_into_characters) {
  const TextVectorization vectorize({.standardize = "none", .split = "character"});
  std::mt19937 random(5);
  const unsigned char bytes[] = {'a',  0,    0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2,
                                 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (unsigned i = random() % 8; i > 0; --i) text += static_cast<char>(bytes[random() % sizeof bytes]);
    ASSERT_EQ(vectorize.tokens(text), characters(text));
  }
}

}  // namespace
}  // namespace glia::test
