"""A pytest plugin: what tests of other packages get for a simulator, and how.

A conftest of ours does not reach tests that live in another package.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import nengo
import pytest

import nengo_dl
from nengo_dl import config as settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose how nengo_dl simulates."""
    group = parser.getgroup("nengo_dl")
    group.addoption(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="precision of the simulation (default %(default)s)",
    )
    group.addoption(
        "--unroll",
        type=int,
        default=1,
        metavar="N",
        help="time steps in one iteration of the loop (default %(default)s)",
    )
    group.addoption("--no-jit", action="store_true", help="simulate without XLA")
    # pytest-allclose reads it without telling pytest, which would warn
    parser.addini("allclose_tolerances", "tolerances of single tests")


def pytest_report_header(config: pytest.Config) -> str:
    """Return what is tested, for the head of the report."""
    if config.getini("nengo_simulator") == "nengo.Simulator":
        return f"nengo {nengo.__version__}, as the reference"
    option = config.option
    return (
        f"nengo_dl {nengo_dl.__version__} ({nengo_dl.__path__[0]}): {option.dtype}, "
        f"unroll {option.unroll}, {'without' if option.no_jit else 'with'} XLA"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what needs no simulator, and what is excluded.

    Nengo's own plugin skips excluded tests too, but only those that are Nengo's.
    """
    without = [item for item in items if "Simulator" not in item.fixturenames]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if "Simulator" in item.fixturenames]
    words = shlex.split(" ".join(config.getini("nengo_test_unsupported")))
    for pattern, reason in zip(words[::2], words[1::2], strict=True):
        literal = "".join(f"[{c}]" if c in "[]" else c for c in pattern)
        for item in items:
            if item.nodeid.startswith("nengo/") or not fnmatch(
                item.nodeid, f"*{literal}"
            ):
                continue
            if config.getoption("unsupported"):
                item.add_marker(pytest.mark.xfail(reason=reason))
            else:
                item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(autouse=True, scope="session")
def _other_defaults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give `nengo_dl.Simulator` the defaults that the command line asks for.

    The tests make simulators as they please, so the class itself is changed; a subclass
    would not be the class that the entry point names.
    """
    option = request.config.option
    resolve = settings.resolve

    def resolve_options(network: Any, dtype: Any = None) -> settings.Settings:
        if dtype is None:
            dtype = option.dtype
            if dtype == "float64":
                # 64 bits, unless a test sets another precision for all simulators
                dtype = nengo.rc.float_dtype
        # random spikes are held to tolerances that fit Nengo's own numbers: Nengo's
        # test_spiking_types fails in nengo.Simulator with 3 to 11 of 40 other seeds
        found = dataclasses.replace(resolve(network, dtype), nengo_random_draws=True)
        return dataclasses.replace(found, jit_compile=False) if option.no_jit else found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "resolve", resolve_options)
        patch.setattr(
            nengo_dl.Simulator,
            "__init__",
            functools.partialmethod(
                nengo_dl.Simulator.__init__, unroll_simulation=option.unroll
            ),
        )
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_decoder_cache() -> Iterator[None]:
    """Keep decoders of earlier runs and of other versions away from the tests."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setitem(nengo.rc["decoder_cache"], "path", folder)
        yield
