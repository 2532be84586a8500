# How Glia's own code is compiled: build type, ccache, warnings, sanitizers.
# SPDX-License-Identifier: Apache-2.0

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(PROJECT_IS_TOP_LEVEL AND NOT multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(GLIA_CCACHE ccache)
  if(GLIA_CCACHE)  # as precompiled headers need it; they hold absolute paths, so no other folder may get them
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR= "${GLIA_CCACHE}")
  endif()
endif()

# Tests call what users cannot. Sanitized they are linked with a shared library that hides nothing, as each of them would hold 200 MB
# of a static one.
set(GLIA_VISIBILITY hidden)
if(GLIA_EXPORT_ALL)
  set(GLIA_VISIBILITY default)
endif()

# Sanitized programs are large, and there are many: GNU's older linker takes three times as long for one.
set(GLIA_SANITIZED_LINKS)
if(GLIA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  find_program(GLIA_GOLD ld.gold)
  mark_as_advanced(GLIA_GOLD)
  if(GLIA_GOLD)
    set(GLIA_SANITIZED_LINKS -fuse-ld=gold)
  endif()
endif()

# Every target of this project goes through here; nothing of it reaches the code of a project that embeds Glia, except
# the sanitizers, without which its programs would not link.
function(glia_target_defaults target)
  if(GLIA_EXPORT_ALL)
    target_compile_definitions(${target} PRIVATE GLIA_EXPORT_ALL)
  endif()
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra $<$<BOOL:${GLIA_WERROR}>:-Werror>>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra $<$<BOOL:${GLIA_WERROR}>:-Werror=all-warnings>>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 sees overlaps and overflows in `"text" + std::string` that are not there (gcc.gnu.org/PR105651), and through a
    # precompiled header takes the library's code for ours.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # At -O1 g++ does not see that two loops have the same bound, and takes an array that the first fills for one that may be
    # unset. Code at -O3 keeps the warning.
    target_compile_options(${target} PRIVATE
      $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Release>>>:-Wno-maybe-uninitialized>)
  endif()
  if(GLIA_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(GLIA_SANITIZE)
    set(flags -fsanitize=${GLIA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if(GLIA_SANITIZE MATCHES "address.*undefined|undefined.*address")  # AddressSanitizer tells of these too, where they are used
      list(APPEND flags -fno-sanitize=null,vptr,returns-nonnull-attribute)
    endif()
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Clang tells of loops that it cannot vectorise, as no sanitized one can be; and not by these names what it sanitizes.
      target_compile_options(${target} PRIVATE -Wno-pass-failed)
      string(REGEX MATCH "address|thread" sanitizer "${GLIA_SANITIZE}")
      string(TOUPPER "${sanitizer}" sanitizer)
      target_compile_definitions(${target} PRIVATE __SANITIZE_${sanitizer}__=1)
    endif()
    target_compile_options(${target} PRIVATE ${flags})
    target_link_options(${target} PRIVATE ${flags} ${GLIA_SANITIZED_LINKS} INTERFACE "$<BUILD_INTERFACE:-fsanitize=${GLIA_SANITIZE}>")
  endif()
endfunction()

# For what is installed: its errors name files of Glia's, not where they lay when it was built.
function(glia_names_files_alone target)
  set(flag "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${flag}>" "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${flag}>")
endfunction()

# The build tells how large this library is.
function(glia_tell_size target)
  if(PROJECT_IS_TOP_LEVEL)
    add_custom_command(TARGET ${target} POST_BUILD COMMAND "${PROJECT_SOURCE_DIR}/scripts/sizes.sh" "$<TARGET_FILE:${target}>")
  endif()
endfunction()

# For code that is compiled more often than it runs: samples (-O3 takes twice as long as -O1) and, with NOT_AT_ALL, tests. Under
# sanitizers nothing of either is optimised, and what UndefinedBehaviorSanitizer looks at is the library.
function(glia_compiles_faster target)
  cmake_parse_arguments(arg "NOT_AT_ALL" "" "" ${ARGN})
  set(level -O1)
  if(arg_NOT_AT_ALL)
    set(level -O0)
  endif()
  target_compile_options(${target} PRIVATE $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CONFIG:Release>>:${level};-Wno-maybe-uninitialized>)
  if(GLIA_SANITIZE)
    target_compile_options(${target} PRIVATE -O0 -g0 -fno-sanitize=undefined)
  endif()
endfunction()
