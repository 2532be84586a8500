#!/usr/bin/env bash
# The packages that cpack makes of a build: what is in them, what they ask for, that nothing in them knows where they were built,
# and that a program can be built and run with what they hold.
# SPDX-License-Identifier: Apache-2.0
#
# Usage: packages.sh CPACK COMPILER SOURCE_ROOT BUILD_DIR WORK_DIR PROGRAM|cuda
#   PROGRAM: a source, README's first program; cuda: only the package of the CUDA backend
set -euo pipefail

cpack=$1 compiler=$2 source_root=$3 build_dir=$4 work_dir=$5 program=$6
failed=0
wrong() { echo "packages: $*" >&2 && failed=1; }
rm -rf "$work_dir"
mkdir -p "$work_dir"
what=(-G "DEB;TGZ") least=2
if [[ $program == cuda ]]; then what=(-G DEB -D CPACK_COMPONENTS_ALL=cuda) least=1; fi
"$cpack" --config "$build_dir/CPackConfig.cmake" "${what[@]}" -B "$work_dir" >"$work_dir/cpack.log" 2>&1 || {
  tail -n 40 "$work_dir/cpack.log" >&2
  exit 1
}

# Debian packages: their names, and of each what it holds and asks for.
mapfile -t debs < <(find "$work_dir" -maxdepth 1 -name '*.deb' | LC_ALL=C sort)
((${#debs[@]} >= least)) || { wrong "expected libglia0 and libglia-dev, or libglia-cuda0, got: ${debs[*]}"; exit 1; }
root=$work_dir/root
version=
for deb in "${debs[@]}"; do
  name=$(dpkg-deb -f "$deb" Package) version=$(dpkg-deb -f "$deb" Version)
  depends=$(dpkg-deb -f "$deb" Depends) contents=$(dpkg-deb -c "$deb")
  [[ $(basename "$deb") == "${name}_${version}_$(dpkg --print-architecture).deb" ]] || wrong "the name of $deb"
  grep -v ' root/root ' <<<"$contents" && wrong "$name: these are not root's"
  grep -E '^.{5}w|^.{8}w' <<<"$contents" | grep -v '^l' && wrong "$name: others may write these"
  grep -qF " ./usr/share/doc/$name/copyright" <<<"$contents" || wrong "$name: no copyright file"
  grep -vE ' \./(usr/((lib|include|share|bin)/.*)?)?$|/$' <<<"$contents" && wrong "$name: outside of /usr/lib, include, share and bin"
  files=$(awk '{ print $6 }' <<<"$contents" | grep -v '/$' | sed -E 's|^\./usr/lib/([a-z0-9_]+-linux-gnu/)?|lib/|; s|^\./usr/||' |
    grep -v '^share/doc/' | LC_ALL=C sort)
  case $name in
    libglia0)
      short=${version%%-*}
      [[ $files == "lib/libglia.so.${short%.*}"$'\n'"lib/libglia.so.$short" ]] || wrong "$name holds $files"
      for needed in libc6 libstdc++6 libdnnl zlib1g libssl libzip libpng16 libgomp1; do
        [[ ", $depends" == *", $needed"* ]] || wrong "$name does not depend on $needed: $depends"
      done
      [[ $depends == *-dev* ]] && wrong "$name depends on a development package: $depends"
      grep -qE '^libglia [0-9.]+ libglia0 \(>= [0-9.]+\), libglia0 \(<< [0-9.]+~\)$' <(dpkg-deb -I "$deb" shlibs) ||
        wrong "$name: shlibs are $(dpkg-deb -I "$deb" shlibs)"
      ;;
    libglia-dev)
      headers=$(cd "$source_root" && find include -name '*.h' | LC_ALL=C sort)
      [[ $(grep '^include/' <<<"$files") == "$headers" ]] || wrong "$name: headers differ from those of include/"
      for file in lib/libglia.a lib/libglia.so lib/pkgconfig/glia.pc lib/cmake/glia/gliaConfig.cmake lib/cmake/glia/FindOneDNN.cmake \
        lib/cmake/glia/FindLibZip.cmake; do
        grep -qx "$file" <<<"$files" || wrong "$name lacks $file"
      done
      [[ $depends == "libglia0 (= $version), libdnnl-dev (>= 2.6), zlib1g-dev, libssl-dev, libzip-dev, libpng-dev" ]] || wrong "$name depends on $depends"
      ;;
    libglia-cuda0)
      [[ $files == lib/libglia_cuda.so ]] || wrong "$name holds $files"
      [[ $depends =~ libglia0\ \(=\ $version\) ]] || wrong "$name depends on $depends"
      [[ $depends =~ nvidia|libcuda1|cublas|cudart ]] && wrong "$name depends on a driver or on what is not Debian's: $depends"
      ;;
    libglia-keras0 | libglia-onnx0)
      kind=${name#libglia-} kind=${kind%0} short=${version%%-*}
      [[ $files == "lib/libglia_$kind.so.${short%.*}"$'\n'"lib/libglia_$kind.so.$short" ]] || wrong "$name holds $files"
      [[ $depends == *"libglia0 (= $version)"* && $depends != *-dev* ]] || wrong "$name depends on $depends"
      ;;
    libglia-keras-dev | libglia-onnx-dev)
      kind=${name#libglia-} kind=${kind%-dev}
      grep -qx "lib/cmake/glia/gliaExtension-$kind.cmake" <<<"$files" || wrong "$name holds $files"
      grep -vE "^lib/(libglia_$kind\.(a|so)|cmake/glia/)" <<<"$files" && wrong "$name: these are not its own"
      [[ $depends == "libglia-dev (= $version)"* ]] || wrong "$name depends on $depends"
      ;;
    glia)
      [[ $files == bin/glia ]] || wrong "$name holds $files"
      [[ $depends == *libstdc++6* && $depends != *-dev* ]] || wrong "$name depends on $depends"
      ;;
    *) wrong "an unknown package: $name" ;;
  esac
  dpkg-deb -x "$deb" "$root"
  echo "$name $version: $(stat -c %s "$deb") bytes; depends on $depends"
done

# Nothing knows where it was built, nor looks for libraries where the loader does not.
mkdir "$work_dir/archive"
[[ $program == cuda ]] || tar -xzf "$work_dir"/glia-*.tar.gz -C "$work_dir/archive" --strip-components=1
for path in "$source_root" "$build_dir"; do
  grep -rlaF "$path" "$root" "$work_dir/archive" && wrong "these hold the path $path"
done
while IFS= read -r library; do
  # But for the CUDA toolkit's, which the preset `package` leaves out too.
  [[ $program != cuda ]] && readelf -d "$library" | grep -E 'R(UN)?PATH' && wrong "$library has a path of its own for libraries"
  readelf -S "$library" | grep '\.symtab' >/dev/null && wrong "$library is not stripped"
done < <(find "$root" "$work_dir/archive" -type f -name '*.so*')
if [[ $program == cuda ]]; then exit "$failed"; fi
for file in share/doc/glia/LICENSE include/glia/glia.h; do
  [[ -e $work_dir/archive/$file ]] || wrong "the archive lacks $file"
done

if [[ -e $root/usr/bin/glia ]]; then
  LD_LIBRARY_PATH=$(dirname "$(find "$root/usr" -name 'libglia.a')") "$root/usr/bin/glia" devices >/dev/null || wrong "glia does not run"
fi

# README's first program compiles and links against the packages, and the consumer runs with them and with the archive.
for prefix in "$root/usr" "$work_dir/archive"; do
  library=$(dirname "$(find "$prefix" -name 'libglia.a')")
  export PKG_CONFIG_PATH=$library/pkgconfig
  read -r -a flags < <(pkg-config --cflags --libs glia)
  "$compiler" -std=c++20 "$source_root/tests/consumer/main.cpp" -o "$work_dir/consumer" "${flags[@]}"
  LD_LIBRARY_PATH=$library "$work_dir/consumer" || wrong "the consumer fails with $prefix"
  ldd "$work_dir/consumer" | grep 'libglia\.so\.[0-9]*\.[0-9]* => not found' >/dev/null || wrong "the consumer is not linked to libglia.so"
  [[ $prefix != "$root/usr" ]] || "$compiler" -std=c++20 "$program" -o "$work_dir/first_program" "${flags[@]}" ||
    wrong "README's first program does not compile with $prefix"
done
exit "$failed"
