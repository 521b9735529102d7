"""Data that stay the same in all steps are found, whatever their form."""

import numpy as np
import pytest

from nengo_dl.inputs import threads
from nengo_dl.inputs.held import held, is_held


@pytest.fixture(autouse=True, params=["one thread", "threads"])
def large(request, monkeypatch):
    """Treat everything as large, or nothing."""
    monkeypatch.setattr(threads, "LARGE", 0 if request.param == "threads" else 2**40)


@pytest.mark.parametrize(
    "shape",
    # few numbers an item; more than are compared at once, with and without a rest
    [(3, 7, 2), (7, 2), (2, 701, 50), (300, 100), (1, 3, 20_000)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_what_stays_is_one_row(shape: tuple, dtype: type) -> None:
    first = np.random.RandomState(0).uniform(-9, 9, (*shape[:-2], 1, shape[-1]))
    values = np.repeat(first.astype(dtype), shape[-2], axis=-2)
    found = held(values)
    assert is_held(found)
    assert np.array_equal(found, values)
    assert is_held(held(np.asfortranarray(values)))


@pytest.mark.parametrize("shape", [(3, 7, 2), (2, 701, 50), (300, 100), (9, 200, 60)])
def test_one_number_that_changes_is_seen(shape: tuple) -> None:
    # the last row is as the first, so that all others have to be looked at
    for step in range(1, shape[-2] - 1, max(shape[-2] // 50, 1)):
        values: np.ndarray = np.ones(shape, np.float32)
        values[..., step, -1] += 1e-6
        assert not is_held(held(values))
        if len(shape) == 3:
            values[1:] = 1  # the first item alone changes
            values[0, step, 0] = 2
            assert not is_held(held(values))
