# Runs the tests of TEST that FILTER lets through with one mistake planted in the backend, under several seeds: some must fail.
# FAULT=none...: none may.
# SPDX-License-Identifier: Apache-2.0
set(seen FALSE)
foreach(seed 1 2 3 4 5 6 7 8)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env "GLIA_CUDA_LIBRARY=${LIBRARY}" GLIA_CUDA_FAULT=${FAULT} GLIA_CUDA_DOUBLE_SEED=${seed}
      "${TEST}" "--gtest_filter=${FILTER}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT output MATCHES "\\[ RUN      \\]" OR output MATCHES "\\[  SKIPPED \\]")
    message(FATAL_ERROR "the tests did not run:\n${output}")
  endif()
  if(FAULT MATCHES "^none" AND NOT result EQUAL 0)
    message(FATAL_ERROR "failed without any fault, seed ${seed}:\n${output}")
  endif()
  if(NOT FAULT MATCHES "^none" AND NOT result EQUAL 0)
    message(STATUS "seen under seed ${seed}")
    set(seen TRUE)
    break()
  endif()
endforeach()
if(NOT FAULT MATCHES "^none" AND NOT seen)
  message(FATAL_ERROR "the planted fault ${FAULT} was not seen under any seed")
endif()
