# Compiles the CPU kernels once for each instruction set; the library chooses among them at run time.
# SPDX-License-Identifier: Apache-2.0

file(GLOB GLIA_KERNEL_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/host/cpu/kernels/*.cpp")

# One build of the kernels, in the inline namespace `isa`. Always optimised: other kernels make every other build too slow to
# test with, and vectors must be what users run. No kernel reads errno or the floating-point flags.
function(glia_add_kernels_for target isa)
  set(objects ${target}_kernels_${isa})
  add_library(${objects} OBJECT ${GLIA_KERNEL_SOURCES})
  glia_target_defaults(${objects})
  set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET ${GLIA_VISIBILITY})
  target_compile_definitions(${objects} PRIVATE GLIA_ISA=${isa})
  target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}")
  target_compile_options(${objects} PRIVATE ${ARGN} -fno-math-errno -fno-trapping-math)
  target_sources(${target} PRIVATE "$<TARGET_OBJECTS:${objects}>")
  set_property(TARGET ${target} APPEND PROPERTY GLIA_KERNEL_LIBRARIES ${objects})
endfunction()

# Vectors, but neither unrolled loops nor copies of them for special cases: half the code, for what waits for memory.
set(glia_vectors_without_copies -O2 -ftree-vectorize $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=dynamic>)
set_property(SOURCE "${PROJECT_SOURCE_DIR}/host/cpu/kernels/merge.cpp" APPEND PROPERTY COMPILE_OPTIONS ${glia_vectors_without_copies})

set(GLIA_X86_64_LEVELS "v2;v3;v4" CACHE STRING "Levels of x86-64 that the CPU kernels are compiled for")
set(glia_fast -O3)
if(GLIA_SANITIZE)  # -O3 of instrumented code takes twice as long to compile, and is hardly faster
  set(glia_fast ${glia_vectors_without_copies})
endif()
set(glia_flags_v2 -march=x86-64-v2 ${glia_vectors_without_copies})  # for processors of before 2013
set(glia_flags_v3 -march=x86-64-v3 ${glia_fast})
set(glia_flags_v4 -march=x86-64-v4 -mprefer-vector-width=512 ${glia_fast})

function(glia_add_kernels target)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    if(NOT GLIA_X86_64_LEVELS)
      message(FATAL_ERROR "GLIA_X86_64_LEVELS is empty, expected some of v2, v3 and v4, divided by semicolons")
    endif()
    foreach(level IN LISTS GLIA_X86_64_LEVELS)
      if(NOT DEFINED glia_flags_${level})
        message(FATAL_ERROR "GLIA_X86_64_LEVELS has ${level}, expected some of v2, v3 and v4, divided by semicolons")
      endif()
      string(TOUPPER ${level} upper)
      set_property(SOURCE host/cpu/dispatch.cpp APPEND PROPERTY COMPILE_DEFINITIONS GLIA_KERNELS_X86_64_${upper}=1)
      glia_add_kernels_for(${target} x86_64_${level} ${glia_flags_${level}})
    endforeach()
  else()
    glia_add_kernels_for(${target} baseline -O3)
  endif()
endfunction()
