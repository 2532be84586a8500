# What the tests of samples share: running a program as a user does, and looking at what it says.
# SPDX-License-Identifier: Apache-2.0
#
# A file of cases, case_NAME functions, includes it and ends with run_case(). Usage of such a file:
#   cmake -DCASE=NAME -DFASHION_MNIST=PROGRAM -DLOGIC_GATES=PROGRAM -DSAMPLES=FOLDER_OF_PROGRAMS -DSOURCE=REPOSITORY
#   -DFOLDER=SCRATCH -P FILE
cmake_minimum_required(VERSION 3.25)

# Runs PROGRAM ARGUMENT...; sets status, out and err in the caller. The program sees no GPU.
macro(run_sample)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env --unset=GLIA_CUDA_LIBRARY CUDA_VISIBLE_DEVICES=-1 ${ARGN}
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err WORKING_DIRECTORY "${FOLDER}")
endmacro()

function(expect what)
  if(NOT (${ARGN}))
    message(FATAL_ERROR "Expected ${what}. Exit status ${status}, output:\n${out}\nand on stderr:\n${err}")
  endif()
endfunction()

function(expect_success)
  expect("exit status 0" status STREQUAL 0)
endfunction()

# Exit status 2 and one message on stderr, with `pattern` in it.
function(expect_refusal pattern)
  expect("exit status 2" status STREQUAL 2)
  expect("a message on stderr that matches ${pattern}" err MATCHES "${pattern}")
  expect("a message, not an abort" NOT err MATCHES "terminate called|Sanitizer")
  expect("one message, ending with its line" err MATCHES "[^\n]\n$" AND NOT err MATCHES "\n\n")
endfunction()

# Sets `section` in the caller to the lines of `out` from the one that says `title` to the next empty one.
function(find_section title)
  string(REGEX MATCH "(^|\n)${title}\n([^\n]+\n)+" section "${out}")
  expect("a section \"${title}\"" section)
  set(section "${section}" PARENT_SCOPE)
endfunction()

# The number that the first group of `pattern` finds in `text` must lie from `low` to `high`.
function(expect_number what text pattern low high)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "Expected ${what}, text that matches ${pattern}, in:\n${text}")
  endif()
  set(number "${CMAKE_MATCH_1}")
  if(NOT number GREATER_EQUAL low OR NOT number LESS_EQUAL high)
    message(FATAL_ERROR "Expected ${what} from ${low} to ${high}, got ${number}, in:\n${text}")
  endif()
endfunction()

# Sets `data` in the caller to the folder with the files of Fashion-MNIST, or ends the test as skipped.
macro(find_fashion_mnist)
  find_file(images NAMES train-images-idx3-ubyte.gz train-images-idx3-ubyte
    PATHS "$ENV{GLIA_DATA_DIR}/fashion-mnist" /usr/share/datasets/fashion-mnist NO_DEFAULT_PATH NO_CACHE)
  if(NOT images)
    message("SKIPPED: Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)")
    return()
  endif()
  cmake_path(GET images PARENT_PATH data)
endmacro()

# run_sample on the device that GLIA_CUDA_LIBRARY, as the caller of the test has set it, stands for.
macro(run_sample_on_cuda)
  run_sample("GLIA_CUDA_LIBRARY=$ENV{GLIA_CUDA_LIBRARY}" ${ARGN} --device cuda)
endmacro()

# What every sample on samples/common.h says to --help, a bad option and data that are not there.
function(check_manners program data)
  run_sample("${program}" --help)
  expect_success()
  expect("the options" out MATCHES "--device.*--seed.*--data")
  run_sample("${program}" --no-such-option)
  expect_refusal("--no-such-option")
  run_sample("${program}" --seed -1)
  expect_refusal("seed")
  run_sample("${program}" --data "${FOLDER}/no-such-data")
  expect_refusal("no-such-data.* It is .*--data")
  run_sample("${program}" --data "${data}" --device tpu)
  expect_refusal("tpu")
endfunction()

macro(run_case)
  file(REMOVE_RECURSE "${FOLDER}")
  file(MAKE_DIRECTORY "${FOLDER}")
  cmake_language(CALL case_${CASE})
  file(REMOVE_RECURSE "${FOLDER}")
endmacro()
