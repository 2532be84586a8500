"""Glia as a Conan 2 package, of the sources that this file lies in: conan create packaging/conan

oneDNN comes from the system: Conan Center's recipe (2.4.4, for Conan 1) is older than what Glia needs. With
-o "&:system_deps=True" so do zlib, OpenSSL, nlohmann/json, libzip and libpng.
SPDX-License-Identifier: Apache-2.0
"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load
from conan.tools.system.package_manager import Apt, Dnf

required_conan_version = ">=2.0"


class GliaConan(ConanFile):
    name = "glia"
    description = "A neural-network engine in C++20 and CUDA"
    license = "Apache-2.0"
    topics = ("neural-networks", "deep-learning", "machine-learning", "cuda")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "cuda": [True, False],  # the backend for NVIDIA GPUs; needs a CUDA toolkit of version 12.4 or later
        "system_deps": [True, False],
    }
    default_options = {"shared": False, "fPIC": True, "cuda": False, "system_deps": False}
    implements = ["auto_shared_fpic"]

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        self.version = re.search(r'version = "([0-9.]+)"', load(self, os.path.join(self._root, "include/glia/version.h"))).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "kernels/*", "host/*", "cuda/*", "packaging/debian/*",
                        "scripts/sizes.sh"):
            copy(self, pattern, src=self._root, dst=self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        if not self.options.system_deps:
            self.requires("zlib/[>=1.2.11 <2]")
            self.requires("openssl/[>=1.1 <4]")
            self.requires("nlohmann_json/[>=3.7 <4]")
            self.requires("libzip/[>=1.7 <2]")
            self.requires("libpng/[>=1.6 <2]")

    def system_requirements(self):
        apt, dnf = ["libdnnl-dev"], ["oneapi-dnnl-devel"]
        if self.options.system_deps:
            apt += ["zlib1g-dev", "libssl-dev", "nlohmann-json3-dev", "libzip-dev", "libpng-dev"]
            dnf += ["zlib-devel", "openssl-devel", "json-devel", "libzip-devel", "libpng-devel"]
        Apt(self).install(apt, check=True)
        Dnf(self).install(dnf, check=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({
            "GLIA_BUILD_BOTH": False,
            "GLIA_BUILD_TESTS": False,
            "GLIA_BUILD_SAMPLES": False,
            "GLIA_BUILD_BENCHMARKS": False,
            "GLIA_CUDA_DOUBLE": False,
            "GLIA_KERAS": "OFF",
            "GLIA_ONNX": "OFF",
            "GLIA_CUDA": "ON" if self.options.cuda else "OFF",
        })
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # Glia's own package file knows what a static library needs; Conan's is not made beside it.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "glia")]
        self.cpp_info.libs = ["glia"]
        if not self.options.shared:
            self.cpp_info.system_libs = ["dnnl", "gomp", "dl", "pthread", "m"]
