# An overlay port: it builds the sources that it lies in.
set(VCPKG_BUILD_TYPE release)  # kernels at -O3 whatever the program is built with; one ABI for both
vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES cuda GLIA_CUDA)
cmake_path(SET source_path NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../..")
vcpkg_cmake_configure(
  SOURCE_PATH "${source_path}"
  OPTIONS
    ${features}
    -DGLIA_BUILD_BOTH=OFF
    -DGLIA_BUILD_TESTS=OFF
    -DGLIA_BUILD_SAMPLES=OFF
    -DGLIA_BUILD_BENCHMARKS=OFF
    -DGLIA_CUDA_DOUBLE=OFF
    -DGLIA_KERAS=OFF
    -DGLIA_ONNX=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/glia)
vcpkg_fixup_pkgconfig()
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${source_path}/LICENSE")
