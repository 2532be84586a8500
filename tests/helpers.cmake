# Programs and libraries that single suites need beside themselves.
# SPDX-License-Identifier: Apache-2.0
if(TARGET resume_test)
  add_executable(files_program files_program.cpp)
  glia_target_defaults(files_program)
  glia_compiles_faster(files_program)
  target_link_libraries(files_program PRIVATE glia::glia)
  target_compile_definitions(resume_test PRIVATE GLIA_FILES_PROGRAM="$<TARGET_FILE:files_program>")
  add_dependencies(resume_test files_program)
  if(NOT GLIA_SANITIZE)  # whose own calls come before all others
    add_library(failing_calls MODULE failing_calls.cpp)
    glia_target_defaults(failing_calls)
    set_target_properties(failing_calls PROPERTIES CXX_VISIBILITY_PRESET default)
    target_link_libraries(failing_calls PRIVATE ${CMAKE_DL_LIBS})
    target_compile_definitions(resume_test PRIVATE GLIA_FAILING_CALLS="$<TARGET_FILE:failing_calls>")
    add_dependencies(resume_test failing_calls)
    add_test(NAME python/files_safetensors COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/python/run.sh" safetensors
      "${CMAKE_CURRENT_SOURCE_DIR}/python/files_safetensors.py" $<TARGET_FILE:files_program>)
    set_tests_properties(python/files_safetensors PROPERTIES LABELS python TIMEOUT 120 SKIP_RETURN_CODE 77)
  endif()
endif()

if(TARGET cuda_ranges_test)  # the tool that it has NVTX load
  add_library(nvtx_listener MODULE nvtx_listener.cpp)
  glia_target_defaults(nvtx_listener)
  target_include_directories(nvtx_listener SYSTEM PRIVATE "${GLIA_CUDA_INCLUDE_DIR}")
  target_compile_definitions(cuda_ranges_test PRIVATE GLIA_NVTX_LISTENER="$<TARGET_FILE:nvtx_listener>")
  add_dependencies(cuda_ranges_test nvtx_listener)
endif()
