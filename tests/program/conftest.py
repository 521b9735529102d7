import pytest

from nengo_dl.program import traces


@pytest.fixture(autouse=True)
def nothing_shared():
    """Let each test trace its programs itself."""
    traces.shared.forget()
    yield
    traces.shared.forget()
