"""The C extension `hrnn._core`; everything else about the package is in pyproject.toml.

Switches, read from the environment:

HRNN_BLAS=system    link the OpenBLAS that `pkg-config openblas` finds; without it, the one of the
                    build requirement scipy-openblas32 is linked and shipped beside the extension
HRNN_SANITIZE=1     address and undefined-behaviour sanitizers, assertions on
HRNN_COVERAGE=1     gcov counters, assertions on; build with `python setup.py build_ext --inplace`,
                    which keeps gcov's notes in build/
"""

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CFLAGS = [
    "-std=c11",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
]
OPTIMIZE = ["-O3", "-g0", "-DNDEBUG"]
SANITIZE = [
    "-g",
    "-O1",
    "-UNDEBUG",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
]
COVERAGE = ["-g", "-O0", "-UNDEBUG", "--coverage", "-fprofile-update=atomic"]

# Files compiled for one x86-64 level; on other machines they are empty and get no flags.
ISA_FLAGS = {
    "kernel_v3.c": ["-mavx2", "-mfma"],
    "kernel_v4.c": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512vl"],
}


def switch(name):
    """Whether the environment variable `name` is set to anything but nothing or 0."""
    return os.environ.get(name, "") not in ("", "0")


def build_flags():
    """Compiler flags and linker flags of the chosen kind of build."""
    if switch("HRNN_SANITIZE"):
        return CFLAGS + SANITIZE, ["-fsanitize=address,undefined"]
    if switch("HRNN_COVERAGE"):
        return CFLAGS + COVERAGE, ["--coverage"]
    return CFLAGS + OPTIMIZE, []


def system_blas():
    """The system's OpenBLAS: its symbols carry no prefix, and nothing has to travel along."""
    command = ["pkg-config", "--libs", "openblas"]
    libraries = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return "", shlex.split(libraries), None


def bundled_blas():
    """scipy-openblas32: linked from its package, found at run time beside the extension."""
    import scipy_openblas32

    library = Path(scipy_openblas32.get_lib_dir(), scipy_openblas32.get_library(fullname=True))
    origin = "@loader_path" if sys.platform == "darwin" else "$ORIGIN"
    return "scipy_", [str(library), f"-Wl,-rpath,{origin}"], library


def blas():
    """Symbol prefix, linker flags and library to ship (or None) of the OpenBLAS asked for."""
    choices = {"": bundled_blas, "system": system_blas}
    name = os.environ.get("HRNN_BLAS", "")
    if name not in choices:
        raise SystemExit(f"HRNN_BLAS must be unset or 'system', got {name!r}")
    return choices[name]()


class BuildExt(build_ext):
    """`build_ext` with flags for single files, parallel sources, and OpenBLAS beside the result."""

    shipped = None

    def finalize_options(self):
        """Build everything anew."""
        super().finalize_options()
        self.force = True  # time stamps do not tell that a switch or a compiler flag has changed

    def build_extensions(self):
        """Build with a compiler that says what it was called with."""
        (extension,) = self.extensions
        command = shlex.join([*self.compiler.compiler_so, *extension.extra_compile_args])
        # Two string literals side by side: the command, and the version that the compiler knows.
        flags = f'{json.dumps(command)} ", version " __VERSION__'
        extension.define_macros.append(("HRNN_BUILD_FLAGS", flags))
        self.compile_all = self.compiler.compile
        self.compiler.compile = self.compile_each
        super().build_extensions()

    def compile_each(self, sources, *, extra_postargs, **options):
        """Compile as `CCompiler.compile` does, but each file by itself and with its own flags."""
        x86 = platform.machine() in ("x86_64", "AMD64")

        def compile_one(source):
            own = ISA_FLAGS.get(Path(source).name, []) if x86 else []
            return self.compile_all([source], extra_postargs=extra_postargs + own, **options)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(pool.map(compile_one, sources), [])

    def run(self):
        """Build, and put the copy of OpenBLAS beside the result."""
        super().run()
        if self.shipped is not None:
            # The directory in build/, or beside the sources when the build is editable or in place.
            destination = Path(self.get_ext_fullpath("hrnn._core")).parent
            shutil.copy2(self.shipped, destination)


blas_prefix, blas_link_args, BuildExt.shipped = blas()
compile_args, link_args = build_flags()

setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=[
        Extension(
            "hrnn._core",
            sources=sorted(glob("csrc/core/*.c")) + sorted(glob("csrc/binding/*.c")),
            depends=sorted(glob("csrc/*/*.h")),
            include_dirs=["csrc/core", "csrc/binding", numpy.get_include()],
            define_macros=[("HRNN_BLAS_PREFIX", blas_prefix)],
            libraries=["m"],
            extra_compile_args=compile_args,
            extra_link_args=link_args + blas_link_args,
        )
    ],
)
