"""Arrays become tensors quickly, and as they are at that moment."""

import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.inputs import memory, threads


@pytest.fixture(params=["one thread", "threads"])
def large(request, monkeypatch):
    """Treat everything as large, or nothing."""
    for module in (memory, threads):
        monkeypatch.setattr(module, "LARGE", 0 if request.param == "threads" else 2**40)
    return request.param == "threads"


@pytest.mark.parametrize("shape", [(1, 3), (2, 5, 4), (7, 1), (0, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_copies_every_part(shape, dtype, large):
    source = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    target = np.full(shape, -1.0, np.float32)
    memory.copy_into(target, source)
    assert np.array_equal(target, source)
    memory.copy_into(target, (source + 1).swapaxes(0, 1).copy().swapaxes(0, 1))
    assert np.array_equal(target, source + 1)
    memory.copy_into(target, np.broadcast_to(source[:1], shape))
    assert np.array_equal(target, np.broadcast_to(source[:1], shape))


def test_tensors_do_not_change_with_the_array(large):
    array = np.arange(12.0).reshape(4, 3)
    tensor = memory.as_tensor(array, tf.float32)
    array[:] = 0
    assert tensor.dtype == tf.float32
    assert np.array_equal(tensor, np.arange(12.0).reshape(4, 3))


def test_an_error_in_a_thread_is_raised(large):
    with pytest.raises(ValueError, match="could not"):
        memory.copy_into(np.zeros((4, 2)), np.array([["1", "x"]] * 4))
