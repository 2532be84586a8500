// Sentences that praise or complain, in which the order of words counts: "good, not bad" has those of "bad, not good".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace samples {

using Words = std::vector<std::string>;

inline const Words things = {"the film",    "the book", "the food",  "the soup", "the room", "the hotel",
                             "the service", "the play", "the music", "the tour", "the beach"};
inline const Words praise = {"good",     "great",      "wonderful", "lovely",    "excellent", "pleasant",
                             "charming", "delightful", "superb",    "brilliant", "splendid"};
inline const Words complaint = {"bad",    "terrible",      "awful", "dreadful",  "poor",  "boring",
                                "dismal", "disappointing", "dull",  "miserable", "horrid"};

/// $ is a thing, + a word for what the sentence says, and - one for its opposite.
inline const Words patterns = {"$ was +",
                               "I found $ really +",
                               "I think that $ was +",
                               "$ was not - at all",
                               "$ was hardly -",
                               "$ was anything but -",
                               "nobody would call $ -",
                               "I do not think that $ was -",
                               "$ was +, not -",
                               "$ was not -, it was +",
                               "I was told that $ was -, but it was +",
                               "$ was +, although I was told that it was -"};

inline const std::string& one_of(const Words& words, std::mt19937_64& random) {
  return words[random() % words.size()];
}

inline std::string sentence(const std::string& pattern, bool praises, std::mt19937_64& random) {
  std::string text;
  for (const char character : pattern) {
    if (character == '$')
      text += one_of(things, random);
    else if (character == '+')
      text += one_of(praises ? praise : complaint, random);
    else if (character == '-')
      text += one_of(praises ? complaint : praise, random);
    else
      text += character;
  }
  return text;
}

struct Sentences {
  std::vector<std::string> texts;
  std::vector<float> praises;  // 1 or 0
};

/// No sentence is there twice: those that are tested were never seen.
inline Sentences generate_sentences(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Sentences result;
  std::set<std::string> known;
  while (static_cast<std::int64_t>(result.texts.size()) < count) {
    const bool praises = random() % 2 == 0;
    const std::string text = sentence(one_of(patterns, random), praises, random);
    if (!known.insert(text).second) continue;
    result.texts.push_back(text);
    result.praises.push_back(praises ? 1 : 0);
  }
  return result;
}

}  // namespace samples
