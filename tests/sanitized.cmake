# Which suites are built and run under sanitizers: with GLIA_SANITIZE_ALL every one, which takes hours (scripts/long.sh sanitizers).
# SPDX-License-Identifier: Apache-2.0
set(GLIA_SANITIZE_SOME FALSE)
if(GLIA_SANITIZE AND NOT GLIA_SANITIZE_ALL)
  set(GLIA_SANITIZE_SOME TRUE)
endif()

# Those in which threads meet: the pool's, those of feeders and writers, and the application's.
set(of_threads allocator augmented_training callback_calls convolution custom_layer datasets determinism embedded_memory few_rows layers
  learner log predictor profiler program recurrent_layers sequential signals tensorboard thread_pool two_threads updates)

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # these are nothing where news are not counted (counted_new.h)
  list(REMOVE_ITEM of_threads allocator program)
endif()

# Those that look at numbers and words, by code that other suites walk too: kernels run on the double, and the double itself.
set(of_numbers accuracy added_loss augmented_training bfloat16 callback_calls callback_files callback_hooks callbacks
  check_gradients clone cost cuda_double[a-z_]* custom_errors custom_loss determinism errors extremes focal frozen_layers
  functional_data functional_errors functional_freezing functional_sharing functional_steps golden golden_gradients
  golden_graphs golden_image_gradients golden_images golden_sequences golden_stateful golden_training gradient_check gradient_images
  gradient_layers gradient_losses graph_laws graph_plot history image_errors image_layers initializers interrupt kernels
  kernels_attention kernels_augment kernels_few_rows kernels_images kernels_layers kernels_merge keras_names layer_errors
  layer_handles layers_determinism locale log long_products long_sums masked_layers math merge_descriptors metrics metrics_law
  mixed_precision model_in_callbacks named noise_layers onnx_memory optimizer_options plain_models plots preprocessing
  printed_numbers profiler progress schedules search signals specification summary tensor_order tensor_print tensor_reduce
  tensorboard thrust)

# Those that run on the double of CUDA there, beside suites of CUDA alone.
set(sanitized_on_double allocator c_interface c_models c_streams custom_layer dlpack_devices embedded_memory layers learner model_file
  predictor program recurrent_layers sequential tensor_devices)

if(GLIA_SANITIZE_SOME AND GLIA_SANITIZE STREQUAL "thread")
  list(JOIN of_threads "|" of_threads)
  list(FILTER sources INCLUDE REGEX "/(${of_threads})_test.cpp$")
elseif(GLIA_SANITIZE_SOME)
  list(JOIN of_numbers "|" of_numbers)
  list(FILTER sources EXCLUDE REGEX "/(${of_numbers})_test.cpp$")
endif()
