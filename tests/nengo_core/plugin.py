"""A pytest plugin: the simulator that Nengo's suite gets, and its command line options.

A conftest of ours does not reach tests that live in another package.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from typing import Any, ClassVar

import nengo
import pytest

import nengo_dl
import nengo_dl.config


class Simulator(nengo_dl.Simulator):
    """A `nengo_dl.Simulator` that has other defaults.

    A module-level class, so that a simulator can be pickled.
    """

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**self.defaults, **kwargs})


def load_simulator(request: pytest.FixtureRequest) -> type[Simulator]:
    """Return the class behind the ``Simulator`` fixture of Nengo's tests."""
    option = request.config.option
    Simulator.defaults = {"dtype": option.dtype, "unroll_simulation": option.unroll}
    return Simulator


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
    group.addoption(
        "--no-jit",
        action="store_true",
        help="simulate without XLA",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Return what is tested, for the head of the report."""
    option = config.option
    return (
        f"nengo_dl {nengo_dl.__version__} ({nengo_dl.__path__[0]}): {option.dtype}, "
        f"unroll {option.unroll}, {'without' if option.no_jit else 'with'} XLA"
    )


@pytest.fixture(autouse=True, scope="session")
def _own_decoder_cache() -> Iterator[None]:
    """Keep decoders of earlier runs and of other versions away from the tests."""
    with tempfile.TemporaryDirectory() as folder:
        before = nengo.rc["decoder_cache"]["path"]
        nengo.rc["decoder_cache"]["path"] = folder
        yield
        nengo.rc["decoder_cache"]["path"] = before


@pytest.fixture(autouse=True, scope="session")
def _compiler(request: pytest.FixtureRequest) -> Iterator[None]:
    """Switch XLA off if asked to: for networks that nobody can configure from here."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.option.no_jit:
            resolve = nengo_dl.config.resolve

            def without_xla(*args: Any, **kwargs: Any) -> nengo_dl.config.Settings:
                settings = resolve(*args, **kwargs)
                return dataclasses.replace(settings, jit_compile=False)

            patch.setattr(nengo_dl.config, "resolve", without_xla)
        yield
