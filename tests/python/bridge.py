# Glia at one end of DLPack, over ctypes, and capsules by Python's C interface, and of files. The other end is NumPy or PyTorch.
# SPDX-License-Identifier: Apache-2.0
import ctypes
import gc
import sys
import traceback

NAMES = {True: b"dltensor_versioned", False: b"dltensor"}
USED = {True: b"used_dltensor_versioned", False: b"used_dltensor"}  # kept here: a capsule keeps the address alone

glia = ctypes.CDLL(sys.argv[1])
for name, result, *arguments in [
    ("error", "c_char_p"), ("import", "c_void_p", "c_void_p", "c_int", "c_int"), ("close", None, "c_void_p"),
    ("data", "c_void_p", "c_void_p"), ("rank", "c_int", "c_void_p"), ("dimension", "c_int64", "c_void_p", "c_int"),
    ("dtype", "c_char_p", "c_void_p"), ("read_only", "c_int", "c_void_p"), ("copied", "c_int", "c_void_p"),
    ("write", "c_int", "c_void_p", "c_int64", "c_float"), ("sum", "c_double", "c_void_p"),
    ("arange", "c_void_p", "c_int64", "c_int64", "c_char_p", "c_int"), ("pass_on", "c_void_p", "c_void_p", "c_int"),
    ("predict", "c_void_p", "c_void_p", "c_int"), ("discard", None, "c_void_p", "c_int"),
    ("copy_npy", "c_int", "c_char_p", "c_char_p"), ("copy_npz", "c_int", "c_char_p", "c_char_p", "c_int"),
    ("predict_as_torch", "c_int", "c_char_p", "c_char_p", "c_char_p"),
]:
    function = getattr(glia, "bridge_" + name)
    function.restype = getattr(ctypes, result) if result else None
    function.argtypes = [getattr(ctypes, argument) for argument in arguments]

api = ctypes.pythonapi
api.PyCapsule_GetPointer.restype = ctypes.c_void_p
api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
api.PyCapsule_IsValid.argtypes = [ctypes.py_object, ctypes.c_char_p]
api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
DESTRUCTOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
api.PyCapsule_New.restype = ctypes.py_object
api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, DESTRUCTOR]
raw_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", api))
raw_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", api))


class GliaError(Exception):
    """What Glia threw: its type's name comes first in the message."""


def checked(result):
    if not result:
        raise GliaError(glia.bridge_error().decode())
    return result


def capsule_of(array, max_version=(1, 1), **arguments):
    """A capsule, versioned where the library speaks DLPack 1.x and it is wanted."""
    if max_version is not None:
        try:
            return array.__dlpack__(max_version=max_version, **arguments)
        except TypeError:  # from before 1.0
            pass
    return array.__dlpack__(**arguments)


class Imported:
    """An array of another library, in Glia's hands until close()."""

    def __init__(self, array, copy=False, **arguments):
        capsule = capsule_of(array, **arguments)
        self.versioned = bool(api.PyCapsule_IsValid(capsule, NAMES[True]))
        managed = api.PyCapsule_GetPointer(capsule, NAMES[self.versioned])
        api.PyCapsule_SetName(capsule, USED[self.versioned])  # taken over, whatever happens
        self.handle = checked(glia.bridge_import(managed, self.versioned, copy))

    def close(self):
        handle, self.handle = self.handle, None
        glia.bridge_close(handle)

    def pass_on(self, versioned=True):
        """Given on to another consumer."""
        handle, self.handle = self.handle, None
        return Exported(checked(glia.bridge_pass_on(handle, versioned)), versioned)

    data = property(lambda self: glia.bridge_data(self.handle))
    shape = property(lambda self: tuple(
        glia.bridge_dimension(self.handle, axis) for axis in range(glia.bridge_rank(self.handle))))
    dtype = property(lambda self: glia.bridge_dtype(self.handle).decode())
    read_only = property(lambda self: bool(glia.bridge_read_only(self.handle)))
    copied = property(lambda self: bool(glia.bridge_copied(self.handle)))
    sum = property(lambda self: glia.bridge_sum(self.handle))

    def write(self, i, value):
        checked(glia.bridge_write(self.handle, i, value))

    def predict(self, versioned=True):
        return Exported(checked(glia.bridge_predict(self.handle, versioned)), versioned)


@DESTRUCTOR
def destroy(capsule):
    for versioned, name in NAMES.items():
        if raw_is_valid(capsule, name):  # nobody took it
            glia.bridge_discard(raw_pointer(capsule, name), versioned)


class Exported:
    """A tensor of Glia's, for another library's from_dlpack."""

    def __init__(self, managed, versioned):
        self.managed, self.versioned = managed, versioned

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        managed, self.managed = self.managed, None
        return api.PyCapsule_New(managed, NAMES[self.versioned], destroy)

    def __dlpack_device__(self):
        return (1, 0)


def copy_npy(source, target):
    """A .npy file, read and written by Glia."""
    checked(glia.bridge_copy_npy(str(source).encode(), str(target).encode()))


def copy_npz(source, target, compressed):
    checked(glia.bridge_copy_npz(str(source).encode(), str(target).encode(), compressed))


def arange(rows, columns, dtype="float32", versioned=True):
    return Exported(checked(glia.bridge_arange(rows, columns, dtype.encode(), versioned)), versioned)


def run(cases):
    """Runs the functions named test_..., and ends the process with 1 where one fails."""
    failed = count = 0
    for name, case in sorted(cases.items()):
        if not name.startswith("test_"):
            continue
        gc.collect()
        count += 1
        try:
            case()
            print("ok     ", name)
        except Exception:
            failed += 1
            print("FAILED ", name)
            traceback.print_exc(file=sys.stdout)
    print(f"{count} cases, {failed} failed")
    sys.exit(1 if failed or count == 0 else 0)


def expect_error(part, call):
    try:
        call()
    except GliaError as error:
        assert part in str(error), f"no {part!r} in: {error}"
        return
    raise AssertionError("nothing was thrown")
