import gc
import os
import random
import sys
import zlib

# the tests are about numbers, not speed, and a GPU would round differently
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import hypothesis
import nengo
import numpy as np
import pytest

pytest_plugins = ["tests.suites.workers"]

# tests leave nothing behind in the home directory
nengo.rc.set("decoder_cache", "enabled", "False")

# how long an example takes decides nothing
hypothesis.settings.register_profile("without deadline", deadline=None)
hypothesis.settings.load_profile("without deadline")


def pytest_addoption(parser):
    parser.addoption(
        "--everything",
        action="store_true",
        help="run the tests marked `everything`, too, and in more ways each",
    )


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "everything: a further case of what other cases of its test show, for "
        "`--everything` only",
    )
    if config.getoption("--everything"):
        from tests import helpers

        helpers.RUNS.update(helpers.MORE_RUNS)


def pytest_collection_finish():
    # What has been imported stays, half a million objects. To look through them takes
    # 0.4 s, in a twentieth of the time that networks take to be built and traced
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let what a test draws without a seed be the same in each run.

    The same for all tests of a module, whichever is first to make its fixtures.
    """
    seed = zlib.crc32(item.path.name.encode())
    random.seed(seed)
    np.random.seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)


@pytest.fixture(autouse=True, scope="module")
def cores_as_before():
    """Leave the process its cores: XLA compiles other programs for one of them."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    yield
    assert os.sched_getaffinity(0) == before


def pytest_collection_modifyitems(config, items):
    # in another process they would be other names, and workers compare what they have
    addresses = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addresses:
        raise pytest.UsageError(f"tests are named for addresses: {addresses}")
    if config.getoption("--everything"):
        return
    rare = {item for item in items if item.get_closest_marker("everything")}
    if rare:
        config.hook.pytest_deselected(items=[item for item in items if item in rare])
        items[:] = [item for item in items if item not in rare]
