# NumPy's files in Glia's hands, and Glia's in NumPy's: what NumPy saves, Glia reads and saves again, and NumPy reads that.
# SPDX-License-Identifier: Apache-2.0
import pathlib
import tempfile

import numpy as np

from bridge import copy_npy, copy_npz, expect_error, run

# What the dtypes that Glia has not become.
WIDER = {"bool": "uint8", "int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64", "float16": "float32"}
DTYPES = ["float32", "float64", "uint8", "int32", "int64", *WIDER]
SHAPES = [(), (1,), (0,), (7,), (3, 0, 2), (2, 3), (5, 1, 4), (2, 3, 4, 5), (1, 2, 1, 2, 1, 2, 1, 2), (60, 301)]
folder = pathlib.Path(tempfile.mkdtemp())
without_zip = False
try:
    np.savez(folder / "x.npz", np.zeros(1))
    copy_npz(folder / "x.npz", folder / "y.npz", False)
except Exception as error:
    if "built without libzip" not in str(error):
        raise
    without_zip = True


def drawn(dtype, shape):
    """Any bits at all, of floats NaN and infinity too."""
    kind = np.dtype(dtype)
    count = int(np.prod(shape))
    if kind == np.bool_:
        return np.random.randint(0, 2, shape).astype(bool)
    return np.frombuffer(np.random.bytes(count * kind.itemsize), kind).reshape(shape)


def arrays():
    for dtype in DTYPES:
        for shape in SHAPES:
            for order in "CF":
                for sign in "<>":
                    values = drawn(dtype, shape)
                    yield np.array(values.astype(values.dtype.newbyteorder(sign)), order=order)


def assert_same(got, array):
    name = array.dtype.newbyteorder("=").name
    expected = array.astype(WIDER.get(name, name))
    assert got.dtype == expected.dtype and got.shape == array.shape, (got.dtype, array.dtype, got.shape, array.shape)
    assert got.flags.c_contiguous
    assert np.array_equal(got, expected, equal_nan=got.dtype.kind == "f"), array.dtype
    if name == got.dtype.name:
        assert got.tobytes() == expected.tobytes()


def test_every_dtype_shape_order_and_byte_order():
    count = 0
    for array in arrays():
        np.save(folder / "x.npy", array)
        copy_npy(folder / "x.npy", folder / "y.npy")
        assert_same(np.load(folder / "y.npy"), array)
        count += 1
    assert count == len(DTYPES) * len(SHAPES) * 4


def test_every_version_of_the_format():
    array = drawn("float32", (3, 5))
    for version in [(1, 0), (2, 0), (3, 0)]:
        with open(folder / "x.npy", "wb") as file:
            np.lib.format.write_array(file, array, version=version)
        copy_npy(folder / "x.npy", folder / "y.npy")
        assert_same(np.load(folder / "y.npy"), array)


def test_what_glia_writes_is_mapped_too():
    array = drawn("int64", (40, 3))
    np.save(folder / "x.npy", array)
    copy_npy(folder / "x.npy", folder / "y.npy")
    assert (folder / "y.npy").stat().st_size % 64 == 0
    assert_same(np.load(folder / "y.npy", mmap_mode="r"), array)


def test_archives_stored_and_deflated():
    if without_zip:
        return
    named = {f"a/{i} größe": array for i, array in enumerate(arrays())}
    for save in [np.savez, np.savez_compressed]:
        save(folder / "x.npz", **named)
        for compressed in [False, True]:
            copy_npz(folder / "x.npz", folder / "y.npz", compressed)
            with np.load(folder / "y.npz") as back:
                assert back.files == list(named)
                for name, array in named.items():
                    assert_same(back[name], array)


def test_arrays_without_names_are_called_alike():
    if without_zip:
        return
    np.savez(folder / "x.npz", np.zeros(1), np.ones(2))
    copy_npz(folder / "x.npz", folder / "y.npz", False)
    with np.load(folder / "y.npz") as back:
        assert back.files == ["arr_0", "arr_1"] and back["arr_1"].tolist() == [1, 1]


def test_what_no_tensor_holds_is_refused_by_name():
    for array, says in [
        (np.array([None, "x"], dtype=object), "pickles"),
        (np.zeros(3, "u8"), "uint64"),
        (np.zeros(3, "c8"), "complex numbers"),
        (np.zeros(3, "c16"), "complex numbers"),
        (np.array(["a", "bc"]), "text"),
        (np.array([b"a", b"bc"]), "text"),
        (np.zeros(3, "M8[s]"), "dates or times"),
        (np.zeros(3, "m8[s]"), "dates or times"),
        (np.zeros(3, [("a", "f4"), ("b", "i4")]), "records"),
        (np.zeros(3, "V5"), "raw bytes"),
        (np.zeros(3, np.longdouble), "elements of dtype"),
        (np.zeros((1,) * 9), "more than 8 dimensions"),
    ]:
        np.save(folder / "x.npy", array, allow_pickle=True)
        expect_error("FileError", lambda: copy_npy(folder / "x.npy", folder / "y.npy"))
        expect_error(says, lambda: copy_npy(folder / "x.npy", folder / "y.npy"))


run(globals())
