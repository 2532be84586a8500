# Tests of glia/c.h: programs in C99, what a foreign-function interface takes from it, Python, and docs/c.md.
# SPDX-License-Identifier: Apache-2.0

# A program as a C user compiles it.
function(glia_add_c_program target source)
  add_executable(${target} "${source}")
  glia_target_defaults(${target})
  set_target_properties(${target} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -pedantic -Wall -Wextra -Wconversion -Werror)
  target_link_libraries(${target} PRIVATE glia::glia)
endfunction()

foreach(name c_interface c_models c_streams)
  glia_add_c_program(${name}_test ${name}_test.c)
  target_link_libraries(${name}_test PRIVATE ${CMAKE_DL_LIBS} m)
  add_test(NAME ${name} COMMAND ${name}_test cpu)
  add_test(NAME gpu/${name} COMMAND ${name}_test cuda)
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
  set_tests_properties(gpu/${name} PROPERTIES LABELS gpu TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${on_gpu}")
  if(GLIA_CUDA_DOUBLE)
    add_test(NAME double/${name} COMMAND ${name}_test cuda)
    set_tests_properties(double/${name} PROPERTIES LABELS cuda_double TIMEOUT 300 ENVIRONMENT "${on_double}")
  endif()
  if(GLIA_CUDA_DOUBLE_WATCHED)
    add_test(NAME double/${name}.watched COMMAND ${name}_test cuda)
    set_tests_properties(double/${name}.watched PROPERTIES LABELS "cuda_double;thorough" TIMEOUT 600
      FAIL_REGULAR_EXPRESSION "memory that was never written"
      ENVIRONMENT "GLIA_CUDA_LIBRARY=$<TARGET_FILE:glia_cuda_double_watched>;GLIA_CUDA_DOUBLE_SEED=2")
  endif()
endforeach()

# The rest is of libraries and headers, about which sanitizers have nothing to say.
if(GLIA_SANITIZE)
  return()
endif()

# The library as what loads it at run time sees it.
set(glia_shared)
get_target_property(library_type glia TYPE)
if(library_type STREQUAL "SHARED_LIBRARY")
  set(glia_shared glia)
elseif(TARGET glia_shared)
  set(glia_shared glia_shared)
endif()

find_package(Python3 QUIET COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND AND glia_shared)
  add_test(NAME c_interface.symbols
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/c_symbols.py" "${PROJECT_SOURCE_DIR}/include"
      "$<TARGET_FILE:${glia_shared}>" "${CMAKE_NM}" "${CMAKE_C_COMPILER}")
  set_tests_properties(c_interface.symbols PROPERTIES LABELS headers TIMEOUT 60)
  add_test(NAME samples.ctypes_client
    COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/samples/ctypes_client.py" --library "$<TARGET_FILE:${glia_shared}>"
      --device cpu)
  set_tests_properties(samples.ctypes_client PROPERTIES LABELS samples TIMEOUT 120
    PASS_REGULAR_EXPRESSION "150 flowers.*accuracy: (0\\.9[5-9]|1\\.0).*5\\.8 +2\\.1 +Iris-virginica")
  if(GLIA_CUDA_DOUBLE)
    add_test(NAME samples.ctypes_client_on_the_double
      COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/samples/ctypes_client.py" --library "$<TARGET_FILE:${glia_shared}>"
        --device cuda --epochs 10)
    set_tests_properties(samples.ctypes_client_on_the_double PROPERTIES LABELS cuda_double TIMEOUT 300
      ENVIRONMENT "${on_double}" PASS_REGULAR_EXPRESSION "on cuda,.*accuracy: [01]\\.[0-9]+.*5\\.8 +2\\.1 +Iris-")
  endif()
else()
  message(STATUS "Glia: the tests c_interface.symbols and samples.ctypes_client are left out, because python3 is not found, or "
    "there is no shared library (GLIA_BUILD_BOTH)")
endif()

# The program of docs/c.md, as it stands there.
file(READ "${PROJECT_SOURCE_DIR}/docs/c.md" page)
string(FIND "${page}" "```c\n" begin)
string(SUBSTRING "${page}" ${begin} -1 program)
string(REPLACE "```c\n" "" program "${program}")
string(FIND "${program}" "```" end)
string(SUBSTRING "${program}" 0 ${end} program)
file(CONFIGURE OUTPUT c_page.c CONTENT "${program}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/c.md")
glia_add_c_program(c_page "${CMAKE_CURRENT_BINARY_DIR}/c_page.c")
add_test(NAME docs.c COMMAND c_page)
set_tests_properties(docs.c PROPERTIES LABELS docs TIMEOUT 120 PASS_REGULAR_EXPRESSION
  "0 xor 1 = 1.*1 xor 1 = 0" FAIL_REGULAR_EXPRESSION "GLIA_ERROR")
