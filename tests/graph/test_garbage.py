import gc

import pytest

from nengo_dl.graph.garbage import no_garbage_collection


def test_collector_rests_and_goes_on_even_after_an_error():
    assert gc.isenabled()
    with pytest.raises(ValueError, match="within"), no_garbage_collection():
        assert not gc.isenabled()
        raise ValueError("within")
    assert gc.isenabled()


def test_collector_that_rested_before_still_does():
    gc.disable()
    try:
        with no_garbage_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
