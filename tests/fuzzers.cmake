# The fuzzers.
# SPDX-License-Identifier: Apache-2.0

# The fuzzers' sources are compiled always, so that they keep up; they become programs where libFuzzer is (clang).
file(GLOB sources CONFIGURE_DEPENDS fuzz/*_fuzz.cpp)
if(NOT TARGET glia_onnx)
  list(FILTER sources EXCLUDE REGEX "/onnx_fuzz.cpp$")
endif()
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  if(GLIA_BUILD_FUZZERS)
    add_executable(${name} ${source})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_library(${name} OBJECT ${source})
  endif()
  glia_target_defaults(${name})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE glia::glia $<TARGET_NAME_IF_EXISTS:glia_onnx>)
endforeach()
