import os

# the tests are about numbers, not speed, and a GPU would round differently
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import nengo

pytest_plugins = ["tests.suites.workers"]

# tests leave nothing behind in the home directory
nengo.rc.set("decoder_cache", "enabled", "False")


def pytest_addoption(parser):
    parser.addoption(
        "--everything",
        action="store_true",
        help="compile more of the comparisons with Nengo by XLA, too",
    )


def pytest_configure(config):
    if config.getoption("--everything"):
        from tests import helpers

        helpers.JIT[:] = [True, False, True]
