# ONNX files against ONNX Runtime, and PyTorch where it can be imported; the cases of C++ are onnx_*_test.cpp.
# SPDX-License-Identifier: Apache-2.0
if(NOT TARGET glia_onnx OR GLIA_SANITIZE)  # Python's libraries are not compiled with sanitizers
  return()
endif()

add_executable(onnx_models python/onnx_models.cpp)
glia_target_defaults(onnx_models)
glia_compiles_faster(onnx_models)
target_include_directories(onnx_models PRIVATE "${PROJECT_SOURCE_DIR}")
target_link_libraries(onnx_models PRIVATE glia::onnx)
add_test(NAME python/onnx_models COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh" onnxruntime
  "${CMAKE_CURRENT_SOURCE_DIR}/python/onnx_models.py" $<TARGET_FILE:onnx_models>)
set_tests_properties(python/onnx_models PROPERTIES LABELS "python;thorough" TIMEOUT 600 SKIP_RETURN_CODE 77)
