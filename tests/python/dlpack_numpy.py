# NumPy's arrays in Glia's hands, and Glia's tensors in NumPy's. Versions before 2.1 speak DLPack before 1.0 alone.
# SPDX-License-Identifier: Apache-2.0
import gc
import resource
import weakref

import numpy as np

from bridge import Imported, arange, expect_error, run

DTYPES = ["float32", "float64", "uint8", "int32", "int64"]
IS_VERSIONED = "max_version" in (np.ndarray.__dlpack__.__doc__ or "")


def address(array):
    return array.__array_interface__["data"][0]


class Watched(np.ndarray):
    """An array of which one can tell when it goes."""


def test_arrays_are_viewed_where_they_lie():
    for dtype in DTYPES:
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        tensor = Imported(array)
        assert tensor.versioned == IS_VERSIONED
        assert tensor.data == address(array) and not tensor.copied
        assert tensor.shape == (2, 3, 4) and tensor.dtype == dtype and tensor.sum == 276
        tensor.close()


def test_version_0_is_read_too():
    array = np.arange(6, dtype="float32")
    tensor = Imported(array, max_version=None)
    assert not tensor.versioned and tensor.data == address(array) and tensor.sum == 15
    tensor.close()


def test_bool_is_uint8():
    array = np.array([True, False, True])
    try:
        tensor = Imported(array)
    except (TypeError, BufferError):  # NumPy before 2.0 exports none
        return
    assert tensor.dtype == "uint8" and tensor.sum == 2 and tensor.data == address(array)
    tensor.close()


def test_scalars_and_empty_arrays():
    scalar = Imported(np.array(7.0))
    assert scalar.shape == () and scalar.sum == 7
    scalar.close()
    for shape in [(0,), (0, 4), (3, 0)]:
        empty = Imported(np.zeros(shape, "int32"))
        assert empty.shape == shape and empty.sum == 0
        empty.close()


def test_dimensions_of_one_do_not_matter():
    array = np.arange(12, dtype="float32").reshape(3, 4)
    for view in [array[:, np.newaxis], array[:1], np.asfortranarray(array[:, :1].copy()), array[1:2].T.reshape(4, 1)]:
        tensor = Imported(view)
        assert tensor.data == address(view) and not tensor.copied
        tensor.close()


def test_what_is_written_is_seen():
    array = np.zeros(4, "float32")
    tensor = Imported(array)
    tensor.write(2, 5)
    assert array.tolist() == [0, 0, 5, 0]
    tensor.close()


def test_the_array_lives_as_long_as_the_tensor():
    array = np.arange(1000, dtype="float64").view(Watched)
    gone = weakref.ref(array)
    tensor = Imported(array)
    del array
    gc.collect()
    assert gone() is not None and tensor.sum == 499500
    tensor.close()
    gc.collect()
    assert gone() is None


def test_the_array_is_given_back_where_it_is_refused():
    array = np.arange(12, dtype="float32").reshape(3, 4).view(Watched)
    gone = weakref.ref(array)
    view = array.T
    expect_error("strides (1, 4)", lambda: Imported(view))
    del view, array
    gc.collect()
    assert gone() is None


def test_arrays_that_are_not_contiguous_are_refused_or_copied():
    array = np.arange(24, dtype="int64").reshape(4, 6)
    for view in [array.T, array[:, ::2], array[::-1], array[1:3, 2:5], np.broadcast_to(array[0], (3, 6)),
                 np.asfortranarray(array)]:
        if view.flags.writeable or IS_VERSIONED:
            expect_error("ValueError", lambda: Imported(view))
            expect_error(".copy = true", lambda: Imported(view))
            copy = Imported(view, copy=True)
            assert copy.copied and copy.sum == view.sum() and copy.shape == view.shape
            again = np.from_dlpack(copy.pass_on(IS_VERSIONED))
            assert np.array_equal(again, view) and again.flags.c_contiguous


def test_read_only_arrays_stay_so():
    array = np.arange(4, dtype="float32")
    array.flags.writeable = False
    if not IS_VERSIONED:
        return  # NumPy refuses them
    tensor = Imported(array)
    assert tensor.read_only and tensor.data == address(array)
    expect_error("read-only", lambda: tensor.write(0, 1))
    assert array[0] == 0
    again = np.from_dlpack(tensor.pass_on())
    assert not again.flags.writeable and address(again) == address(array)


def test_other_dtypes_are_refused():
    for dtype in ["float16", "complex64", "int8", "int16", "uint16", "uint32", "uint64"]:
        expect_error("ValueError", lambda: Imported(np.zeros(3, dtype)))
        expect_error("astype", lambda: Imported(np.zeros(3, dtype), copy=True))


def test_tensors_are_arrays_without_a_copy():
    for dtype in DTYPES:
        for versioned in [True, False]:
            if versioned and not IS_VERSIONED:
                continue
            array = np.from_dlpack(arange(5, 7, dtype, versioned))
            assert array.dtype == dtype and np.array_equal(array, np.arange(35).reshape(5, 7))
            assert address(array) % 256 == 0  # as Glia allocates
            if versioned:
                assert array.flags.writeable
                array[2, 3] = 100
                assert array.sum() == 595 - 17 + 100


def test_what_numpy_lends_comes_back_at_the_same_address():
    array = np.arange(8, dtype="float64")
    again = np.from_dlpack(Imported(array).pass_on(IS_VERSIONED))
    assert address(again) == address(array) and np.shares_memory(again, array)
    array[0] = 9
    assert again[0] == 9


def test_models_take_and_give_arrays():
    array = np.linspace(-1, 1, 20, dtype="float32").reshape(5, 4)
    tensor = Imported(array)
    once, twice = np.from_dlpack(tensor.predict(IS_VERSIONED)), np.from_dlpack(tensor.predict(IS_VERSIONED))
    assert once.shape == (5, 3) and np.array_equal(once, twice) and 0 < np.abs(once).max() < 1
    tensor.close()


def test_capsules_that_nobody_takes_free_their_tensor():
    for versioned in [True, False]:
        for _ in range(200):  # of 4 MB each: it would show
            capsule = arange(1000, 1000, "float32", versioned).__dlpack__()
            del capsule
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 700_000


run(globals())
