# Tests of the libraries of interchange/: files of other programs.
# SPDX-License-Identifier: Apache-2.0
if(GLIA_HAS_KERAS AND TARGET glia_test_main)
  foreach(name keras_files_test keras_hostile_test)
    add_executable(${name} interchange/${name}.cpp)
    glia_target_defaults(${name})
    glia_compiles_faster(${name} NOT_AT_ALL)
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
    target_compile_definitions(${name} PRIVATE GLIA_GOLDEN_DIR="${CMAKE_CURRENT_SOURCE_DIR}/golden")
    target_precompile_headers(${name} REUSE_FROM glia_test_main)
    target_link_libraries(${name} PRIVATE glia_test_main glia::keras GTest::gtest GTest::gmock SerialHDF5::SerialHDF5 ZLIB::ZLIB)
    string(REGEX REPLACE "_test$" "" topic ${name})
    # HDF5's library asks for what damaged files say, is refused, and forgets to give back what it had.
    glia_run(${name} ${topic} "*" unit "ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0")
  endforeach()
endif()

# Keras itself, ONNX Runtime, and PyTorch at the other end; Python's libraries are not compiled with sanitizers.
if(GLIA_HAS_KERAS AND NOT GLIA_SANITIZE)
  add_executable(keras_bridge python/keras_bridge.cpp)
  glia_target_defaults(keras_bridge)
  glia_compiles_faster(keras_bridge)
  target_link_libraries(keras_bridge PRIVATE glia::keras)
  foreach(name files_keras files_keras_sequences)
    add_test(NAME python/${name} COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh" keras
      "${CMAKE_CURRENT_SOURCE_DIR}/python/${name}.py" $<TARGET_FILE:keras_bridge>)
    set_tests_properties(python/${name} PROPERTIES LABELS "python;thorough" TIMEOUT 900 SKIP_RETURN_CODE 77
      ENVIRONMENT "KERAS_BACKEND=jax")  # of Keras's numerics the one that trains and is small
  endforeach()
endif()
if(GLIA_HAS_ONNX AND NOT GLIA_SANITIZE)
  add_executable(onnx_models python/onnx_models.cpp)
  glia_target_defaults(onnx_models)
  glia_compiles_faster(onnx_models)
  target_include_directories(onnx_models PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(onnx_models PRIVATE glia::onnx)
  add_test(NAME python/onnx_models COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh" onnxruntime
    "${CMAKE_CURRENT_SOURCE_DIR}/python/onnx_models.py" $<TARGET_FILE:onnx_models>)
  set_tests_properties(python/onnx_models PROPERTIES LABELS "python;thorough" TIMEOUT 1200 SKIP_RETURN_CODE 77)
endif()

# `glia`, which reads and writes all of them.
if(TARGET glia_cli)
  add_test(NAME cli COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/cli_test.sh" $<TARGET_FILE:glia_cli> "${PROJECT_SOURCE_DIR}"
    "${CMAKE_CURRENT_BINARY_DIR}/cli" $<BOOL:${GLIA_HAS_KERAS}> $<BOOL:${GLIA_HAS_ONNX}>)
  set_tests_properties(cli PROPERTIES LABELS samples TIMEOUT 120)
  add_test(NAME cli.report_in_browser COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh" zipfile
    "${CMAKE_CURRENT_SOURCE_DIR}/report_in_browser.py" $<TARGET_FILE:glia_cli> "${CMAKE_CURRENT_BINARY_DIR}/report_in_browser")
  set_tests_properties(cli.report_in_browser PROPERTIES LABELS "samples;thorough" TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
