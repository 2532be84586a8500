# Which suites are built and run under sanitizers: with GLIA_SANITIZE_ALL every one, which takes hours (scripts/long.sh sanitizers).
# SPDX-License-Identifier: Apache-2.0
set(GLIA_SANITIZE_SOME FALSE)
if(GLIA_SANITIZE AND NOT GLIA_SANITIZE_ALL)
  set(GLIA_SANITIZE_SOME TRUE)
endif()

# Those in which threads meet: the pool's, those of feeders and writers, and the application's.
set(of_threads accuracy allocator atomic_file augmented_training callback_calls convolution custom_layer custom_loss datasets
  determinism embedded_memory extremes few_rows focal fork functional_data functional_steps golden_images golden_training
  gradient_images gradient_layers gradient_losses image_layers layers layers_determinism learner log long_products
  merge_descriptors metrics mixed_precision model_in_callbacks noise_layers predictor profiler program progress
  rough_handling search sequential signals tensorboard thread_pool two_threads updates)

# Those that look at numbers and words, by code that other suites walk too: kernels run on the double.
set(of_numbers accuracy augmented_training bfloat16 check_gradients cost custom_errors determinism extremes focal frozen_layers
  functional_errors functional_freezing functional_sharing golden golden_gradients golden_graphs golden_image_gradients
  golden_images golden_training gradient_check gradient_images gradient_layers gradient_losses graph_laws graph_plot
  image_errors image_layers initializers kernels kernels_augment kernels_few_rows kernels_images kernels_layers kernels_merge
  keras_names layers_determinism long_products long_sums math merge_descriptors metrics
  metrics_law mixed_precision named noise_layers optimizer_options plain_models plots preprocessing printed_numbers progress
  schedules search specification summary tensor_print)

# Those that run on the double of CUDA there, beside suites of CUDA alone.
set(sanitized_on_double allocator c_interface c_models c_streams convolution custom_layer custom_loss dlpack_devices embedded_memory
  few_rows layers learner model_file out_of_memory predictor profiler program sequential tensor_devices two_threads updates)

if(GLIA_SANITIZE_SOME AND GLIA_SANITIZE STREQUAL "thread")
  list(JOIN of_threads "|" of_threads)
  list(FILTER sources INCLUDE REGEX "/(${of_threads})_test.cpp$")
elseif(GLIA_SANITIZE_SOME)
  list(JOIN of_numbers "|" of_numbers)
  list(FILTER sources EXCLUDE REGEX "/(${of_numbers})_test.cpp$")
endif()
