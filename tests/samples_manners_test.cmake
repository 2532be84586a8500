# How all samples behave: where stdout is full or closed, without an epoch, where results cannot be written, installed.
# SPDX-License-Identifier: Apache-2.0
include("${CMAKE_CURRENT_LIST_DIR}/samples_support.cmake")

# Each sample and, after its name, what makes it short.
set(samples
  "autoencoder --images 100 --epochs 0" "breast_cancer --epochs 0" "c_client --epochs 0" "char_rnn --epochs 0 --write 10"
  "custom_layer --epochs 0" "deep_belief --images 100 --epochs 0 --fine-epochs 0 --hidden 8 --steps 2"
  "device_report" "digits --epochs 0" "dqn --steps 0"
  "embed_inference --points 10 --ticks 2" "fashion_mnist --model softmax --images 100 --epochs 0" "forecast --epochs 0" "functional --images 100 --epochs 0" "gan --images 100 --epochs 0"
  "linear_regression" "logic_gates" "multi_label --epochs 0" "perceptron_iris --epochs 0" "pictures" "pima_diabetes --epochs 0"
  "regression --epochs 0" "reinforce --epochs 0" "sentiment --epochs 0" "sequence_classifier --images 100 --epochs 0" "serve_threads --requests 10" "siamese --images 100 --epochs 0" "thoracic_surgery --epochs 0"
  "transfer --images 100 --epochs 0 --transfer-epochs 0" "transformer --epochs 0" "visualize_cnn --images 100 --epochs 0")

# Sets `program` and `arguments` in the caller from one of `samples`.
macro(use_sample sample)
  separate_arguments(arguments UNIX_COMMAND "${sample}")
  list(POP_FRONT arguments name)
  set(program "${SAMPLES}/${name}")
  if(name STREQUAL "digits")
    list(APPEND arguments --data "${data}")
  endif()
endmacro()

# run_sample with the shell's `redirection` behind it.
macro(run_in_shell redirection)
  run_sample(sh -c "\"$@\" ${redirection}" sh ${ARGN})
endmacro()

function(case_every_sample_is_here)
  file(GLOB sources RELATIVE "${SOURCE}/samples" "${SOURCE}/samples/*.cpp" "${SOURCE}/samples/*.c")
  list(TRANSFORM sources REPLACE "\\.(cpp|c)$" "")
  list(TRANSFORM samples REPLACE " .*" "" OUTPUT_VARIABLE names)
  expect("${sources}, got ${names}" names STREQUAL sources)
endfunction()

function(case_full_stdout)
  find_fashion_mnist()
  foreach(sample IN LISTS samples)
    use_sample("${sample}")
    run_in_shell(">/dev/full" "${program}" --help)
    expect_refusal("^cannot write to stdout: [^\n]+\n$")
    run_in_shell(">/dev/full" "${program}" ${arguments})
    expect_refusal("^cannot write to stdout: [^\n]+\n$")
  endforeach()
  run_in_shell(">/dev/full" "${SAMPLES}/device_report" --device tpu)
  expect_refusal("tpu")  # the first thing that went wrong
  # Long before the last epoch.
  run_in_shell(">/dev/full" "${FASHION_MNIST}" --model softmax --images 100 --epochs 20000)
  expect_refusal("^cannot write to stdout: [^\n]+\n$")
endfunction()

# Who reads only the head of a long output sees that, and nothing on stderr; also where the signal was ignored.
function(case_closed_stdout)
  find_fashion_mnist()
  foreach(before "" "trap '' PIPE")
    run_sample(sh -c "{ ${before}\n\"$@\"\necho status $? >&2\n} | head -n 1" sh
      "${FASHION_MNIST}" --model softmax --images 100 --epochs 20000)
    expect("one line" out MATCHES "^[^\n]+\n$")
    expect("an end by SIGPIPE and no message" err STREQUAL "status 141\n")
  endforeach()
endfunction()

function(case_no_epochs)
  find_fashion_mnist()
  foreach(sample IN LISTS samples)
    use_sample("${sample}")
    if(NOT sample MATCHES "--epochs")
      continue()
    endif()
    run_sample("${program}" ${arguments})
    expect_success()
    expect("nothing on stderr" NOT err)
    expect("no number of an epoch that was not" NOT out MATCHES "nan|first epoch|the best")
    run_sample("${program}" ${arguments} --epochs -1)
    expect_refusal("--epochs")
    expect("nothing before the refusal" NOT out)
  endforeach()
  run_sample("${FASHION_MNIST}" --images 100 --epochs 0 --one-cycle 0.1 --save w --json curve.json --plot curve.svg)
  expect_success()
  expect("weights" EXISTS "${FOLDER}/w.safetensors")
  file(READ "${FOLDER}/curve.json" json)
  string(JSON epochs LENGTH "${json}" epochs)
  expect("no epoch in ${json}" epochs EQUAL 0)
  expect("a word on the curve" out MATCHES "no curve to draw" AND NOT EXISTS "${FOLDER}/curve.svg")
endfunction()

# expect_unwritable(PATTERN PROGRAM ARGUMENT...): a refusal on stderr before anything on stdout.
macro(expect_unwritable pattern)
  run_sample(${ARGN})
  expect_refusal("${pattern}")
  expect("nothing before the refusal" NOT out)
endmacro()

function(case_unwritable_output)
  file(WRITE "${FOLDER}/file" "kept")
  file(MAKE_DIRECTORY "${FOLDER}/folder.safetensors" "${FOLDER}/digits.safetensors" "${FOLDER}/features_3.svg"
    "${FOLDER}/local_minimum.svg" "${FOLDER}/functional.svg" "${FOLDER}/autoencoder_between.svg" "${FOLDER}/gan.svg"
    "${FOLDER}/deep_belief_dreams.svg")
  foreach(option --save --json --plot)
    expect_unwritable("${option}.*cannot write to the folder /proc:" "${FASHION_MNIST}" ${option} /proc/result.txt)
    expect_unwritable("${option}.*no folder .*/file" "${FASHION_MNIST}" ${option} "${FOLDER}/file/result.txt")
    expect_unwritable("${option}.*folder.safetensors is a folder" "${FASHION_MNIST}" ${option} folder.safetensors)
  endforeach()
  expect_unwritable("--save.*folder.safetensors is a folder" "${FASHION_MNIST}" --save folder)
  expect_unwritable("--json.*/dev/full is there, and no regular file" "${FASHION_MNIST}" --json /dev/full)
  foreach(name digits visualize_cnn pictures functional autoencoder deep_belief gan)
    expect_unwritable("--out.*cannot write to the folder /proc:" "${SAMPLES}/${name}" --out /proc)
    expect_unwritable("--out.*no folder .*/file" "${SAMPLES}/${name}" --out "${FOLDER}/file")
    expect_unwritable("--out.*(safetensors|svg) is a folder" "${SAMPLES}/${name}")
  endforeach()

  # Permissions, which root passes unless it gives that up.
  execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(as_user)
  if(user EQUAL 0)
    set(as_user setpriv --inh-caps=-dac_override --bounding-set=-dac_override)
  endif()
  file(MAKE_DIRECTORY "${FOLDER}/closed")
  file(CHMOD "${FOLDER}/closed" PERMISSIONS OWNER_READ OWNER_EXECUTE)
  file(CHMOD "${FOLDER}/file" PERMISSIONS OWNER_READ)
  expect_unwritable("--json.*file: Permission denied" ${as_user} "${FASHION_MNIST}" --json file)
  expect_unwritable("--out.*closed: Permission denied" ${as_user} "${SAMPLES}/digits" --out closed)
  file(READ "${FOLDER}/file" text)
  expect("the old file" text STREQUAL "kept")
  file(GLOB left "${FOLDER}/.glia*" "${FOLDER}/*.tmp")
  expect("nothing left behind, got ${left}" NOT left)
endfunction()

# What "cuda" answers to in a build without the CUDA backend, and in one with it.
function(case_device_report)
  run_sample("${SAMPLES}/device_report")
  expect_success()
  expect("the CPU" out MATCHES "\ncpu: .*\ncpu computes with glia")
  if(EXISTS "${SAMPLES}/libglia_cuda.so")
    expect("another reason" out MATCHES "cuda: not available: " AND NOT out MATCHES "GLIA_CUDA=ON")
  else()
    expect("the way to a backend" out MATCHES "\ncuda: not available: this build of Glia has no CUDA backend: [^\n]*GLIA_CUDA=ON[^\n]*docs/building.md")
    run_sample("${SAMPLES}/device_report" --device cuda)
    expect_refusal("\"cuda:0\" was asked for, but this build of Glia has no CUDA backend")
  endif()
  # A backend that is named, or lies beside the program, is tried first.
  run_sample("GLIA_CUDA_LIBRARY=${FOLDER}/none.so" "${SAMPLES}/device_report")
  expect("the file's name" out MATCHES "cannot be opened [^\n]*/none.so[^\n]*unset .GLIA_CUDA_LIBRARY")
  file(COPY "${SAMPLES}/device_report" DESTINATION "${FOLDER}/alone")
  file(WRITE "${FOLDER}/alone/libglia_cuda.so" "no library")
  run_sample("${FOLDER}/alone/device_report")
  expect("the file's name" out MATCHES "cannot be opened [^\n]*/alone/libglia_cuda.so")
endfunction()

# An installation that was moved, as packages are.
function(case_installed)
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${SAMPLES}/.." --prefix "${FOLDER}/staged" OUTPUT_QUIET
    COMMAND_ERROR_IS_FATAL ANY)
  file(RENAME "${FOLDER}/staged" "${FOLDER}/prefix")
  set(installed "${FOLDER}/prefix/libexec/glia")
  foreach(sample IN LISTS samples)
    separate_arguments(arguments UNIX_COMMAND "${sample}")
    list(GET arguments 0 name)
    expect("${name} to be installed" EXISTS "${installed}/${name}")
  endforeach()
  foreach(sample breast_cancer perceptron_iris pima_diabetes thoracic_surgery)
    run_sample(--unset=GLIA_DATA_DIR "${installed}/${sample}" --epochs 0)
    expect_success()
  endforeach()
  expect("sources and licences" EXISTS "${FOLDER}/prefix/share/glia/data/README.md")
  file(REMOVE "${FOLDER}/prefix/share/glia/data/iris.csv")
  run_sample(--unset=GLIA_DATA_DIR "${installed}/perceptron_iris")
  expect_refusal("cannot find iris.csv: tried [^,]*/prefix/libexec/glia/data/iris.csv, data/iris.csv")
endfunction()

run_case()
