#!/usr/bin/env bash
# What takes too long for every change: both of README's commands in fresh systems, and the tests that are repeated often.
# Writes a dated result as Markdown, which is kept in docs/long/.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: scripts/long.sh [--out FILE] [STEP...]        (as root; needs debootstrap; default: every step)
#   systems     Debian 12 and 13, Ubuntu 24.04, made by debootstrap: scripts/train.sh and scripts/test.sh in a clone of HEAD,
#               as root and as a user with sudo; or one of them: bookworm, trixie, noble
#   debian      Debian's packages: made in a fresh Debian 13, installed in another, and README's first program built and run there;
#               of another suite: $GLIA_DEBIAN_SUITE; without making them: $GLIA_DEBS, a folder of packages that fit the suite
#   conan       packaging/conan: static and shared, with Conan from PyPI, and every library that Glia calls from the system
#   cuda12      cuda/ with CUDA 12.4, the first that is supported: its host sources with the headers (wheels of PyPI), its
#               kernels with nvcc (Debian 13's package), for the first and the last architecture that this nvcc knows
#   architectures  the build with CUDA for every architecture, and the tests that look at its code
#   subproject  Glia's sources within another project (ctest's label `long`)
#   gpu         the folder of scripts/gpu_report.sh for sm_90, and the whole rehearsal of its report
#   seeds       the suites on the double of CUDA in eight more orders of all that may happen in any order
#   sanitizers  every suite under AddressSanitizer and ThreadSanitizer, also those of numbers alone that .ci/run leaves out
#   fuzz        10 million executions over all fuzzers (scripts/fuzz.sh)
#   signals     fits under a timer of 1 kHz, 200 times (GLIA_LONG_TESTS=1)
#   dqn         the sample dqn on CartPole with the seeds 1 to 10, of which eight must solve it: a mean return of 475 within
#               100,000 steps and three minutes, by the final agent
# $DEBIAN_MIRROR and $UBUNTU_MIRROR: where packages come from. $GLIA_X86_64_LEVELS, in debian and conan: as in docs/building.md.
set -uo pipefail

glia_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$glia_root" || exit 1
say() { printf '==> %s\n' "$*"; }
debian=${DEBIAN_MIRROR:-http://deb.debian.org/debian} ubuntu=${UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}
out='' wanted=() failed=0
while (($#)); do
  case $1 in
    --out) out=${2:?--out wants a file} && shift 2 ;;
    systems | bookworm | trixie | noble | debian | conan | cuda12 | architectures | subproject | gpu | seeds | sanitizers | fuzz | signals | dqn) wanted+=("$1") && shift ;;
    *)
      sed -n 's/^# \{0,1\}//; /^Usage/,/^\$DEBIAN/p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
done
if ((${#wanted[@]} == 0)); then wanted=(systems debian conan cuda12 architectures subproject gpu seeds sanitizers fuzz signals dqn); fi
out=${out:-docs/long/$(date -u +%F).md}
work=$glia_root/build/long
mkdir -p "$work" "$(dirname "$out")"

wants() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

# row WHAT STATUS SECONDS REMARK
row() {
  if (($2 == 0)); then set -- "$1" passed "$3" "$4"; else set -- "$1" "**failed** ($2)" "$3" "$4" && failed=1; fi
  printf '| %s | %s | %d s | %s |\n' "$@" | tee -a "$out"
}

# Never beyond its own file system, lest a mount that stayed be emptied.
remove_system() {
  umount "$work/$1/proc" "$work/$1/dev" 2>/dev/null
  rm -rf --one-file-system "${work:?}/$1"
}

# A fresh system in $work/SUITE, with a user of the name glia who may use sudo.
make_system() {
  local suite=$1 mirror=$2 system=$work/$1 as=()
  remove_system "$suite"
  # A debootstrap that does not know the suite does it as the last that it knows.
  [[ -e /usr/share/debootstrap/scripts/$suite ]] || as=(/usr/share/debootstrap/scripts/gutsy)
  local keys=()
  [[ $mirror == "$ubuntu" && ! -e /usr/share/keyrings/ubuntu-archive-keyring.gpg ]] && keys=(--no-check-gpg)
  debootstrap --variant=minbase "${keys[@]}" --include=ca-certificates,sudo "$suite" "$system" "$mirror" "${as[@]}" || return
  if [[ $mirror == "$ubuntu" ]]; then echo "deb $mirror $suite main universe" >"$system/etc/apt/sources.list"; fi
  cp /etc/resolv.conf "$system/etc/resolv.conf"
  mount --bind /proc "$system/proc" && mount --bind /dev "$system/dev" || return
  chroot "$system" useradd --create-home glia
  echo 'glia ALL=(ALL) NOPASSWD: ALL' >"$system/etc/sudoers.d/glia"
}

# run_in SUITE USER SCRIPT [OPTION...]: a row of the result. The user's own clone, as git would make it.
run_in() {
  local suite=$1 user=$2 script=$3 start=$SECONDS status=0 log=$work/$1.$2.$3.log home found
  shift 3
  # The second user finds what the first compiled.
  local environment='LC_ALL=C.UTF-8 CCACHE_DIR=/var/tmp/ccache CCACHE_UMASK=000'
  home=$([[ $user == root ]] && echo /root || echo "/home/$user")
  if [[ ! -d $work/$suite$home/glia ]]; then
    mkdir "$work/$suite$home/glia" && git archive HEAD | tar -x -C "$work/$suite$home/glia" || return
    chroot "$work/$suite" chown -R "$user" "$home/glia"
  fi
  chroot "$work/$suite" su - "$user" -c "cd glia && $environment scripts/$script.sh $*" >"$log" 2>&1 || status=$?
  found=$(grep -aE 'GoogleTest cases|^Test: ' "$log" | tail -n1 | tr -d '|')
  row "$suite, $user, \`scripts/$script.sh\`" "$status" $((SECONDS - start)) "$found"
  if ((status != 0)); then tail -n 40 "$log"; fi
}

{
  echo "# scripts/long.sh, $(date -u +%F)"
  echo
  echo "Commit $(git rev-parse --short HEAD), $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n1); the first user of a system begins with an empty compiler cache."
  echo
  echo "| what | | | |"
  echo "|---|---|---|---|"
} >"$out"

for suite in bookworm trixie noble; do
  wants systems || wants "$suite" || continue
  mirror=$([[ $suite == noble ]] && echo "$ubuntu" || echo "$debian")
  say "A fresh $suite"
  start=$SECONDS
  if ! make_system "$suite" "$mirror" >"$work/$suite.log" 2>&1; then
    tail -n 5 "$work/$suite.log"
    row "$suite, made by debootstrap" 1 $((SECONDS - start)) "see $work/$suite.log"
    continue
  fi
  versions=
  for user in glia root; do  # the user first: nothing is installed yet
    run_in "$suite" "$user" train --verbose 2
    versions=$(chroot "$work/$suite" sh -c 'g++ -dumpfullversion; dpkg-query -W -f "\${Version}" libdnnl-dev' | tr '\n' ' ')
    run_in "$suite" "$user" test
    rm -rf "$work/$suite/home/glia/glia/build"
  done
  echo "| $suite: g++ and oneDNN | $versions | | |" >>"$out"
  remove_system "$suite"
done

# Packages of HEAD, made in a fresh system and used in another, which has never seen the sources.
make_packages() {
  make_system "$suite" "$debian" || return
  mkdir "$work/$suite/root/glia" && git archive HEAD | tar -x -C "$work/$suite/root/glia" || return
  chroot "$work/$suite" sh -exc "export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q install -y --no-install-recommends g++ cmake ninja-build dpkg-dev file libdnnl-dev zlib1g-dev libssl-dev libzip-dev libpng-dev nlohmann-json3-dev
    cd /root/glia
    cmake --preset package -DGLIA_CUDA=OFF ${GLIA_X86_64_LEVELS:+'-DGLIA_X86_64_LEVELS=$GLIA_X86_64_LEVELS'}
    cmake --build --preset package
    cpack --preset package" || return
  mkdir "$work/debs" && cp "$work/$suite"/root/glia/build/package/*.deb "$work/debs"
}
use_packages() {
  make_system "$suite" "$debian" && cp -r "$work/debs" "$work/$suite/root/debs" || return
  awk '/^```cpp$/ && !seen { seen = on = 1; next } /^```$/ { on = 0 } on' README.md >"$work/$suite/root/first.cpp"
  chroot "$work/$suite" sh -exc "export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    cd /root
    apt-get -q update
    apt-get -q install -y --no-install-recommends ./debs/*.deb g++ pkg-config dataset-fashion-mnist
    g++ -std=c++20 first.cpp -o first \$(pkg-config --cflags --libs glia)
    apt-get -q purge -y libglia-dev
    ldd ./first | grep 'libglia.so.* => /'
    ./first"
}

if wants debian; then
  suite=${GLIA_DEBIAN_SUITE:-trixie} status=0 start=$SECONDS
  say "Debian's packages"
  rm -rf "$work/debs"
  if [[ -n ${GLIA_DEBS:-} ]]; then
    mkdir "$work/debs" && cp "$GLIA_DEBS"/*.deb "$work/debs" || status=$?
  else
    make_packages >"$work/debian.log" 2>&1 || status=$?
    if ((status != 0)); then tail -n 40 "$work/debian.log"; fi
  fi
  row "$suite: Debian's packages${GLIA_DEBS:+, as given}" "$status" $((SECONDS - start)) "$(cd "$work/debs" && stat -c '%n %s bytes' -- *.deb | paste -sd, | sed 's/,/, /g')"
  start=$SECONDS status=0
  use_packages >"$work/debian_use.log" 2>&1 || status=$?
  row "a fresh $suite: README's first program with them" "$status" $((SECONDS - start)) "$(grep -aoE 'accuracy: [0-9.]+ - loss: [0-9.]+' "$work/debian_use.log" | tail -n1)"
  if ((status != 0)); then tail -n 40 "$work/debian_use.log"; fi
  remove_system "$suite"
fi

# conan_package SHARED: the recipe, with a client of its own; its test_package is tests/consumer.
conan_package() {
  local venv=$work/conan levels=()
  export CONAN_HOME=$venv/home
  if [[ ! -e $CONAN_HOME ]]; then
    rm -rf "$venv" && python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'conan>=2' && "$venv/bin/conan" profile detect || return
  fi
  if [[ -n ${GLIA_X86_64_LEVELS:-} ]]; then
    levels=(-c "tools.cmake.cmaketoolchain:extra_variables={'GLIA_X86_64_LEVELS': '$GLIA_X86_64_LEVELS'}")
  fi
  "$venv/bin/conan" create packaging/conan -s compiler.cppstd=20 -o '&:system_deps=True' -o "&:shared=$1" "${levels[@]}" &&
    "$venv/bin/conan" remove --confirm 'glia/*'
}

if wants conan; then
  say "Conan"
  rm -rf "$work/conan"
  for shared in False True; do
    start=$SECONDS status=0
    (conan_package "$shared") >"$work/conan_$shared.log" 2>&1 || status=$?
    row "\`conan create packaging/conan\`, shared=$shared" "$status" $((SECONDS - start)) "$(grep -aoE '^glia [0-9.]+: .*accuracy.*' "$work/conan_$shared.log" | tail -n1)"
    if ((status != 0)); then tail -n 40 "$work/conan_$shared.log"; fi
  done
fi

# Every source of cuda/ with the first CUDA that is supported; cuDNN's headers are this machine's.
compile_with_cuda12() {
  local wheels=$work/cuda12 source cudnn includes=() nvcc package
  rm -rf "$wheels" && mkdir -p "$wheels" || return
  python3 -m pip download --quiet --no-deps --dest "$wheels" \
    nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131 nvidia-cublas-cu12==12.4.5.8 || return
  python3 -c 'import glob, sys, zipfile
for wheel in glob.glob(sys.argv[1] + "/*.whl"): zipfile.ZipFile(wheel).extractall(sys.argv[1])' "$wheels" || return
  cmake --preset cpu >/dev/null || return
  cudnn=$(sed -n 's/^GLIA_CUDNN_INCLUDE_DIR:PATH=//p' build/cpu/CMakeCache.txt)
  for include in "$wheels"/nvidia/*/include "$cudnn"; do includes+=(-isystem "$include"); done
  for source in cuda/*.cpp; do
    c++ -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Iinclude -I. "${includes[@]}" "$source" || return
  done
  package=nvidia-cuda-toolkit_12.4.131~12.4.1-2_amd64.deb
  curl --fail --silent --output "$wheels/$package" "$debian/pool/non-free/n/nvidia-cuda-toolkit/$package" &&
    dpkg-deb -x "$wheels/$package" "$wheels" || return
  nvcc=$wheels/usr/lib/nvidia-cuda-toolkit/bin
  for source in cuda/kernels/*.cu; do
    PATH="$nvcc:$wheels/usr/bin:$PATH" nvcc -ccbin c++ -std=c++20 -gencode arch=compute_75,code=sm_75 \
      -gencode arch=compute_90,code=sm_90 -Werror all-warnings -Xptxas=--warn-on-spills -Iinclude -I. "${includes[@]}" \
      -c "$source" -o "$wheels/kernels.o" || return
  done
}

if wants cuda12; then
  say "CUDA 12.4"
  start=$SECONDS status=0
  compile_with_cuda12 >"$work/cuda12.log" 2>&1 || status=$?
  row "cuda/ with the headers and the nvcc of CUDA 12.4" "$status" $((SECONDS - start)) ""
fi

if wants architectures; then
  say "Every architecture"
  start=$SECONDS status=0
  cmake --preset cuda -UCMAKE_CUDA_ARCHITECTURES -DGLIA_WERROR=ON >"$work/architectures.log" 2>&1 &&
    cmake --build --preset cuda >>"$work/architectures.log" 2>&1 && ! grep -iE 'warning([: #(]|$)' "$work/architectures.log" &&
    ctest --preset cuda -L '^cuda$' >>"$work/architectures.log" 2>&1 || status=$?
  row "the build with CUDA for every architecture" "$status" $((SECONDS - start)) "$(stat -c '%n %s bytes' build/cuda/libglia_cuda.so | sed 's/.*lib/lib/')"
fi

if wants subproject; then
  say "A project with Glia's sources in it"
  start=$SECONDS status=0
  cmake --preset cpu >"$work/subproject.log" 2>&1 && cmake --build --preset cpu >>"$work/subproject.log" 2>&1 &&
    ctest --preset cpu -L '^long$' --output-on-failure >>"$work/subproject.log" 2>&1 || status=$?
  row "Glia as a subproject" "$status" $((SECONDS - start)) "$(grep -c 'Passed ' "$work/subproject.log") tests passed"
fi

if wants gpu; then
  say "A report from a GPU"
  start=$SECONDS status=0
  scripts/gpu_report.sh --build "$work/gpu_report" >"$work/gpu_build.log" 2>&1 || status=$?
  row "\`scripts/gpu_report.sh --build\`" "$status" $((SECONDS - start)) "$(sed -n 's/.*: \([0-9]* bytes\).*/\1/p' "$work/gpu_build.log")"
  start=$SECONDS status=0
  cmake --preset cpu >"$work/rehearsal.log" 2>&1 && cmake --build --preset cpu >>"$work/rehearsal.log" 2>&1 &&
    scripts/gpu_report.sh --rehearse --out "$work/rehearsal" >>"$work/rehearsal.log" 2>&1 || status=$?
  row "\`scripts/gpu_report.sh --rehearse\`" "$status" $((SECONDS - start)) "$(grep -c '| passed |' "$work/rehearsal/report.md") steps passed"
fi

if wants seeds; then
  say "Other orders on the double"
  start=$SECONDS status=0
  cmake --preset cpu >"$work/seeds.log" 2>&1 && cmake --build --preset cpu >>"$work/seeds.log" 2>&1 || status=$?
  for seed in 3 4 5 6 7 8 9 10; do
    GLIA_CUDA_DOUBLE_SEED=$seed ctest --preset cpu -L '^cuda_double$' -LE '^thorough$' --parallel "$(nproc)" >>"$work/seeds.log" 2>&1 || status=$?
  done
  row "the double in eight other orders" "$status" $((SECONDS - start)) "$(grep -c 'Passed ' "$work/seeds.log") programs passed"
fi

if wants sanitizers; then
  for preset in asan tsan; do
    say "Every suite with preset $preset"
    start=$SECONDS status=0
    cmake --preset "$preset" -DGLIA_SANITIZE_ALL=ON >"$work/$preset.log" 2>&1 && cmake --build --preset "$preset" >>"$work/$preset.log" 2>&1 &&
      setarch -R ctest --preset "$preset" --parallel "$(nproc)" >>"$work/$preset.log" 2>&1 || status=$?
    cmake --preset "$preset" -DGLIA_SANITIZE_ALL=OFF >>"$work/$preset.log" 2>&1
    row "every suite with preset \`$preset\`" "$status" $((SECONDS - start)) "$(grep -c 'Passed ' "$work/$preset.log") programs passed"
  done
fi

if wants fuzz; then
  say "Fuzzers"
  start=$SECONDS status=0 figures=$work/fuzz.md
  rm -f "$figures"
  scripts/fuzz.sh --total 10000000 --out "$figures" >"$work/fuzz.log" 2>&1 || status=$?
  row "\`scripts/fuzz.sh\`" "$status" $((SECONDS - start)) "$(awk -F'|' '{sum += $3} END {print sum}' "$figures") executions"
fi

if wants signals; then
  say "Signals"
  start=$SECONDS status=0
  cmake --preset cpu >"$work/signals.log" 2>&1 && cmake --build --preset cpu --target signals_test >>"$work/signals.log" 2>&1 &&
    GLIA_LONG_TESTS=1 build/cpu/tests/signals_test >>"$work/signals.log" 2>&1 || status=$?
  row "fits under a timer of 1 kHz" "$status" $((SECONDS - start)) "$(grep -c '\[       OK \]' "$work/signals.log") cases"
fi

if wants dqn; then
  say "CartPole by ten seeds"
  start=$SECONDS status=0 solved=0
  cmake --preset cpu >"$work/dqn.log" 2>&1 && cmake --build --preset cpu --target sample_dqn >>"$work/dqn.log" 2>&1 || status=$?
  for seed in 1 2 3 4 5 6 7 8 9 10; do
    ((status == 0)) || break
    json=$work/dqn.$seed.json begun=$SECONDS fails=0
    build/cpu/samples/dqn --environment cartpole --seed "$seed" --steps 100000 --verbose 0 --json "$json" >>"$work/dqn.log" 2>&1 || status=$?
    figures=$(tr -d '\n {}"' <"$json" | tr ',' '\n' | grep -E '^(mean_return|best_mean_return|best_steps|seconds):')
    number() { sed -n "s/^$1://p" <<<"$figures"; }
    awk "BEGIN { exit !($(number mean_return) >= 475 && $(number seconds) <= 180) }" && solved=$((solved + 1)) || fails=1
    echo "| CartPole, seed $seed | $( ((fails)) && echo 'not solved' || echo solved) | $((SECONDS - begun)) s | final agent $(number mean_return), best $(number best_mean_return) after $(number best_steps) steps; trained in $(number seconds) s |" |
      tee -a "$out"
  done
  ((solved >= 8)) || status=1
  row "CartPole by deep Q-learning, ten seeds" "$status" $((SECONDS - start)) "$solved of 10 solved by the final agent"
fi
say "$out"
exit "$failed"
