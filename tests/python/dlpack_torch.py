# PyTorch's tensors in Glia's hands, and Glia's in PyTorch's, on the CPU.
# SPDX-License-Identifier: Apache-2.0
import gc
import weakref

import torch
from torch.utils.dlpack import from_dlpack

from bridge import Imported, arange, expect_error, run

DTYPES = {"float32": torch.float32, "float64": torch.float64, "uint8": torch.uint8, "int32": torch.int32,
          "int64": torch.int64}


def test_tensors_are_viewed_where_they_lie():
    for max_version in [None, (1, 1)]:
        for name, dtype in DTYPES.items():
            tensor = torch.arange(24).reshape(2, 3, 4).to(dtype)
            imported = Imported(tensor, max_version=max_version)
            assert imported.data == tensor.data_ptr() and not imported.copied
            assert imported.shape == (2, 3, 4) and imported.dtype == name and imported.sum == 276
            imported.close()


def test_bool_is_uint8():
    tensor = torch.tensor([True, False, True])
    imported = Imported(tensor)
    assert imported.dtype == "uint8" and imported.sum == 2 and imported.data == tensor.data_ptr()
    imported.close()


def test_scalars_and_empty_tensors():
    scalar = Imported(torch.tensor(7.0))
    assert scalar.shape == () and scalar.sum == 7
    scalar.close()
    empty = Imported(torch.zeros(0, 4))
    assert empty.shape == (0, 4)
    empty.close()


def test_offsets_count():
    tensor = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    imported = Imported(tensor[1:])
    assert imported.data == tensor.data_ptr() + 16 and imported.sum == 60
    imported.close()


def test_what_is_written_is_seen():
    tensor = torch.zeros(4)
    imported = Imported(tensor)
    imported.write(2, 5)
    assert tensor.tolist() == [0, 0, 5, 0]
    imported.close()


def test_the_storage_lives_as_long_as_glia_has_it():
    tensor = torch.arange(1000, dtype=torch.float64)
    gone = weakref.ref(tensor)
    imported = Imported(tensor)
    del tensor
    gc.collect()
    assert imported.sum == 499500
    imported.close()
    gc.collect()
    assert gone() is None


def test_tensors_that_are_not_contiguous_are_refused_or_copied():
    tensor = torch.arange(24).reshape(4, 6)
    for view in [tensor.T, tensor[:, ::2], tensor[1:3, 2:5], tensor[0].expand(3, 6)]:
        expect_error("contiguous()", lambda: Imported(view))
        copy = Imported(view, copy=True)
        assert copy.copied and copy.shape == tuple(view.shape)
        assert torch.equal(from_dlpack(copy.pass_on()), view)


def test_other_dtypes_are_refused():
    for dtype in [torch.float16, torch.bfloat16, torch.complex64, torch.int8, torch.int16]:
        expect_error("ValueError", lambda: Imported(torch.zeros(3, dtype=dtype)))


def test_tensors_of_glia_are_torch_tensors_without_a_copy():
    for name, dtype in DTYPES.items():
        for versioned in [True, False]:
            tensor = from_dlpack(arange(5, 7, name, versioned))
            assert tensor.dtype == dtype and torch.equal(tensor, torch.arange(35).reshape(5, 7).to(dtype))
            assert tensor.data_ptr() % 256 == 0  # as Glia allocates
            tensor[2, 3] = 100
            assert tensor.sum() == 595 - 17 + 100


def test_what_torch_lends_comes_back_at_the_same_address():
    tensor = torch.arange(8, dtype=torch.float64)
    again = from_dlpack(Imported(tensor).pass_on())
    assert again.data_ptr() == tensor.data_ptr()
    again[0] = 9
    assert tensor[0] == 9


def test_models_take_and_give_tensors():
    imported = Imported(torch.linspace(-1, 1, 20).reshape(5, 4))
    once, twice = from_dlpack(imported.predict()), from_dlpack(imported.predict())
    assert once.shape == (5, 3) and torch.equal(once, twice) and 0 < once.abs().max() < 1
    imported.close()


run(globals())
