"""A pytest plugin: worker processes of pytest-xdist that end before they grow large.

TensorFlow keeps what it has compiled, some MB for each simulator, until its process
ends. A worker that has grown beyond ``worker_memory`` finishes the tests that it has
been given, and another takes its place.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

try:
    import resource
except ImportError:  # Windows
    resource = None


#: Tests that a worker is given at once. Tests of one module share fixtures and what has
#: been traced and compiled, which one by one each of the workers would make for itself;
#: with many more, a worker that shall end would go on growing for long
NEIGHBOURS = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the size from which on a worker is replaced."""
    parser.addini(
        "worker_memory",
        "MB of memory from which on a worker process of pytest-xdist is replaced",
        default="2600",
    )


def used_memory() -> float:
    """Return the largest memory that this process has had so far, in MB."""
    if resource is None:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add to a report how large the process of the test is."""
    report = yield
    report.used_memory = used_memory()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Watch the workers, in the process that starts them."""
    config = session.config
    distribution = config.pluginmanager.getplugin("dsession")
    if distribution is not None and config.option.dist == "load":
        config.option.maxschedchunk = config.option.maxschedchunk or NEIGHBOURS
        config.pluginmanager.register(Replacement(config, distribution))


class Replacement:
    """Replaces large workers.

    Parameters
    ----------
    config : pytest.Config
        The options.
    session : xdist.dsession.DSession
        What gives tests to the workers.
    """

    def __init__(self, config: pytest.Config, session: Any) -> None:
        self._limit = float(config.getini("worker_memory"))
        self._session = session
        self._ending: set[Any] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Give no more tests to a worker that has grown too large."""
        if report.when != "teardown" or report.used_memory < self._limit:
            return
        worker = report.node
        if not worker.shutting_down:
            self._ending.add(worker)
            worker.shutdown()

    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Start a worker in the place of one that has ended, if tests are left."""
        if node not in self._ending or error is not None:
            return
        # xdist would keep the process until the end of all tests
        node.gateway.exit()
        session = self._session
        if session.sched.pending and not (session.shuttingdown or session.shouldstop):
            # as xdist does after a crash; there is no public way
            session._clone_node(node)
