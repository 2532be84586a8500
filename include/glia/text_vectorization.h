// Texts as numbers: vocabularies of tokens, and texts that are split into tokens. Names, defaults and results are Keras's.
// SPDX-License-Identifier: Apache-2.0
//
// Everything here works on the CPU and allocates its results.
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace GLIA_API glia {

/// How tokens become numbers. `output_mode` is one of
///   "int"        the token's place in the vocabulary
///   "one_hot"    for each token a row as long as the vocabulary, with a 1 at its place
///   "multi_hot"  for each row of tokens a row as long as the vocabulary, with a 1 at the place of each token that it has
///   "count"      how often it has each token
///   "tf_idf"     that number times log(1 + documents / (1 + documents that have the token)), of the documents adapt() saw
template <class Token>
struct LookupOptions {
  std::int64_t max_tokens = 0;  ///< size of the vocabulary at most, special tokens among them; 0: all tokens
  int num_oov_indices = 1;      ///< places of tokens out of the vocabulary; 0: they are refused
  std::optional<Token> mask_token = {};  ///< of mode "int" place 0; in other modes it is passed over
  std::optional<Token> oov_token =
      {};  ///< what place of tokens out of the vocabulary stands for; default: "[UNK]", or -1
  std::vector<Token> vocabulary = {};    ///< in place of adapt(), with or without the special tokens
  std::vector<double> idf_weights = {};  ///< of `vocabulary` without special tokens, for "tf_idf"
  std::string output_mode = "int";
  bool pad_to_max_tokens =
      false;  ///< rows are max_tokens long, also where the vocabulary is shorter; not for "int"
};

/// Tokens as places in a vocabulary: StringLookup of texts, IntegerLookup of whole numbers.
///
///     glia::StringLookup lookup;
///     lookup.adapt({"b", "a", "b"});
///     lookup({"a", "b", "c"});        // int32 (3,): 2, 1, 0
///     lookup.get_vocabulary();        // {"[UNK]", "b", "a"}
///
/// Places are counted from 0: the mask token, where there is one and the mode is "int", then tokens out of the vocabulary, then the
/// vocabulary, the most frequent token first, of equally frequent ones the greatest (by bytes).
template <class Token>
class Lookup {
 public:
  /// Throws ValueError for options that are none, or that contradict each other.
  explicit Lookup(const LookupOptions<Token>& options = {});

  /// Learns the vocabulary, forgetting an earlier one; each token, or row of tokens, is a document. Throws ValueError where the
  /// vocabulary was given.
  Lookup& adapt(const std::vector<Token>& tokens);
  Lookup& adapt(const std::vector<std::vector<Token>>& rows);
  /// Of documents that are made one after the other, document(0) to document(count - 1).
  Lookup& adapt(std::size_t count, const std::function<std::vector<Token>(std::size_t)>& document);
  Lookup& adapt(std::initializer_list<Token> tokens) { return adapt(std::vector<Token>(tokens)); }
  Lookup& adapt(std::initializer_list<std::vector<Token>> rows) {
    return adapt(std::vector<std::vector<Token>>(rows));
  }
  /// Mode "int": int32 (n,). "one_hot": float32 (n, size). Other modes: float32 (size,), of all tokens as one row.
  /// Throws StateError without a vocabulary, ValueError for a token out of it where num_oov_indices is 0.
  Tensor operator()(const std::vector<Token>& tokens) const;
  /// Mode "int": int32 (rows, longest), short rows filled up with the mask token's place. "one_hot": float32 (rows, n, size), of rows of
  /// one length. Other modes: float32 (rows, size). Throws likewise, and ShapeError for rows of several lengths that nothing fills up.
  Tensor operator()(const std::vector<std::vector<Token>>& rows) const;
  Tensor operator()(std::initializer_list<Token> tokens) const { return (*this)(std::vector<Token>(tokens)); }
  Tensor operator()(std::initializer_list<std::vector<Token>> rows) const {
    return (*this)(std::vector<std::vector<Token>>(rows));
  }
  /// The tokens of places, row by row; a place that is none gives the token of those out of the vocabulary.
  std::vector<Token> inverse(const TensorView& places) const;

  /// As adapt() would have learnt it. Throws ValueError for a token that is there twice, or more than max_tokens.
  void set_vocabulary(const std::vector<Token>& vocabulary, const std::vector<double>& idf_weights = {});
  /// By place.
  std::vector<Token> get_vocabulary(bool include_special_tokens = true) const;
  std::int64_t vocabulary_size() const { return first_ + static_cast<std::int64_t>(vocabulary_.size()); }
  /// How long the rows of modes other than "int" are.
  std::int64_t output_size() const;

 private:
  std::int64_t place_of(const Token& token) const;  // below 0: it is passed over
  std::vector<Token> special_tokens() const;
  bool is_special(const Token& token) const;
  void add_row(const std::vector<Token>& row, float* to) const;
  void expect_vocabulary() const;

  LookupOptions<Token> options_;
  Token oov_;
  std::int64_t oov_place_ = 0, first_ = 0;  // the first place of the vocabulary
  bool has_vocabulary_ = false;
  std::vector<Token> vocabulary_;
  std::vector<double> idf_;  // by place, with that of tokens out of the vocabulary
  std::unordered_map<Token, std::int64_t> places_;
};

using StringLookup = Lookup<std::string>;
using IntegerLookup = Lookup<std::int64_t>;
extern template class Lookup<std::string>;
extern template class Lookup<std::int64_t>;

/// How many words stand together in an n-gram: 2 means words and pairs of them, {2} pairs alone.
struct Ngrams {
  std::vector<int> widths;
  Ngrams() = default;
  Ngrams(int up_to);
  Ngrams(std::initializer_list<int> these) : widths(these) {}
};

struct TextVectorizationOptions {
  std::int64_t max_tokens =
      0;  ///< As LookupOptions::max_tokens; in mode "int" "" and "[UNK]" are among them.
  /// "lower_and_strip_punctuation", "lower", "strip_punctuation", "none", or a function of the application's own. Lower are made the
  /// letters of ASCII, and punctuation are the characters of ASCII that are neither letters, digits nor blanks.
  std::variant<std::string, std::function<std::string(const std::string&)>> standardize =
      "lower_and_strip_punctuation";
  /// "whitespace", "character" (of UTF-8; what is none becomes U+FFFD), "none", or a function of the application's own.
  std::variant<std::string, std::function<std::vector<std::string>(const std::string&)>> split = "whitespace";
  Ngrams ngrams = {};
  std::string output_mode = "int";  ///< or "multi_hot", "count", "tf_idf": as LookupOptions say
  std::int64_t output_sequence_length =
      0;  ///< of mode "int": rows are cut off, or filled up with 0, behind; 0: the longest
  bool pad_to_max_tokens = false;
  std::vector<std::string> vocabulary = {};
  std::vector<double> idf_weights = {};
};

/// Texts as rows of numbers: each text is standardised, split into tokens, these perhaps joined to n-grams, and looked up.
///
///     glia::TextVectorization vectorize({.max_tokens = 20'000, .output_sequence_length = 200});
///     vectorize.adapt(texts);
///     glia::Tensor x = vectorize({"The film was good.", "Bad!"});  // int32 (2, 200)
///
/// In mode "int" 0 is padding, which Embedding's mask_zero means, and 1 what is out of the vocabulary.
class TextVectorization {
 public:
  /// Throws ValueError for options that are none.
  explicit TextVectorization(const TextVectorizationOptions& options = {});

  /// Learns the vocabulary, forgetting an earlier one. Throws ValueError where the vocabulary was given.
  TextVectorization& adapt(const std::vector<std::string>& texts);
  /// Mode "int": int32 (texts, output_sequence_length or the longest). Other modes: float32 (texts, size of the vocabulary).
  /// Throws StateError without a vocabulary.
  Tensor operator()(const std::vector<std::string>& texts) const;
  /// What a text is looked up as.
  std::vector<std::string> tokens(const std::string& text) const;

  /// As Lookup's, with the same errors.
  void set_vocabulary(const std::vector<std::string>& vocabulary,
                      const std::vector<double>& idf_weights = {}) {
    lookup_.set_vocabulary(vocabulary, idf_weights);
  }
  std::vector<std::string> get_vocabulary(bool include_special_tokens = true) const {
    return lookup_.get_vocabulary(include_special_tokens);
  }
  std::int64_t vocabulary_size() const { return lookup_.vocabulary_size(); }

 private:
  std::vector<std::vector<std::string>> rows_of(const std::vector<std::string>& texts) const;

  TextVectorizationOptions options_;
  StringLookup lookup_;
};

}  // namespace glia
