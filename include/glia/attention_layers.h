// Attention layers, and what positions and Transformers want beside them. Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>

#include <string>

namespace GLIA_API glia {

/// What MultiHeadAttention and GroupQueryAttention have in common; the first three are arguments of the call in Keras.
struct MultiHeadAttentionOptions {
  bool use_causal_mask = false;  ///< a query sees no keys behind its own place
  bool use_attention_mask =
      false;  ///< the last input says which keys each query sees, (queries, keys), as 1 and 0
  bool return_attention_scores = false;  ///< the second output: (heads, queries, keys)
  int value_dim = 0;                     ///< of a head; 0: key_dim
  int output_dim = 0;                    ///< Keras's output_shape; 0: the width of the query
  double dropout = 0;                    ///< of the scores
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName kernel_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";
  ConstraintName bias_constraint = "none";
  bool trainable = true;  ///< as set_trainable
  std::string name = {};
};

/// Attention of several heads (Vaswani et al. 2017): softmax(q k^T / sqrt(key_dim)) v of each, projected to the width of the query.
/// Applied to {query, value} or {query, value, key}, rows of shape (steps, width): attention of x to itself is layer({x, x}). The key is
/// the value unless it is given. Steps that are masked of the value or the key are not seen. (queries, width) ->
/// (queries, output_dim). Weights: query/kernel (width, heads, key_dim), query/bias (heads, key_dim), those of key and value likewise, and
/// attention_output/kernel (heads, value_dim, output_dim), attention_output/bias. Throws ValueError for sizes below 1 and a
/// rate outside [0, 1), when applied ShapeError.
///
///     glia::Symbol attended = glia::MultiHeadAttention(4, 32)({x, x});
///     glia::Symbol y = glia::LayerNormalization()(x + attended);
class MultiHeadAttention : public Layer {
 public:
  MultiHeadAttention(int num_heads, int key_dim, const MultiHeadAttentionOptions& options = {});
};

/// The same, where several query heads share one of keys and values (Ainslie et al. 2023). num_query_heads must be a multiple of
/// num_key_value_heads; value_dim is head_dim. Throws as MultiHeadAttention does, and ValueError where it is no multiple.
class GroupQueryAttention : public Layer {
 public:
  GroupQueryAttention(int head_dim, int num_query_heads, int num_key_value_heads,
                      const MultiHeadAttentionOptions& options = {});
};

struct AttentionOptions {
  bool use_scale = false;                ///< learn a factor of the scores
  std::string score_mode = "dot";        ///< or "concat": of tanh(scale (q + k)), summed, in place of q k^T
  bool use_causal_mask = false;          ///< an argument of the call in Keras
  bool return_attention_scores = false;  ///< likewise: the second output, (queries, keys)
  double dropout = 0;                    ///< of the scores
  bool trainable = true;                 ///< as set_trainable
  std::string name = {};
};

/// softmax(scale q k^T) v (Luong et al. 2015), of {query, value} or {query, value, key}: (queries, width), (keys, width) ->
/// (queries, width of the value). Masked keys are not seen; masked queries give 0. Weights: scale (1,), where it is learned,
/// and concat_score_weight (1,), the factor of the sums of score_mode "concat". Throws ValueError for a rate outside [0, 1) and another
/// score_mode, when applied ShapeError for inputs that do not go together.
class Attention : public Layer {
 public:
  explicit Attention(const AttentionOptions& options = {});
};

struct AdditiveAttentionOptions {
  bool use_scale = true;         ///< learn a factor of each feature
  bool use_causal_mask = false;  ///< as of AttentionOptions, and so the others
  bool return_attention_scores = false;
  double dropout = 0;
  bool trainable = true;
  std::string name = {};
};

/// The same with the scores sum(scale tanh(q + k)) (Bahdanau et al. 2015). Weight: scale (width,), where it is learned.
class AdditiveAttention : public Layer {
 public:
  explicit AdditiveAttention(const AdditiveAttentionOptions& options = {});
};

struct PositionEmbeddingOptions {
  InitializerName initializer = "glorot_uniform";
  RegularizerName regularizer = "none";
  ConstraintName constraint = "none";
  bool trainable = true;  ///< as set_trainable
  std::string name = {};
};

/// A learned vector for each place, the same for all rows: (steps, width) -> the same, whatever the input is; x + PositionEmbedding(n)(x)
/// tells places apart. Up to sequence_length steps. KerasHub's layer of that name. Weight: position_embeddings
/// (sequence_length, width). Throws ValueError for a length below 1, ShapeError for longer sequences.
class PositionEmbedding : public Layer {
 public:
  explicit PositionEmbedding(int sequence_length, const PositionEmbeddingOptions& options = {});
};

}  // namespace glia
