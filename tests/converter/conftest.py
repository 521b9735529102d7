from dataclasses import replace

import keras
import pytest

from nengo_dl import config


@pytest.fixture(autouse=True)
def without_xla(monkeypatch):
    """XLA is not what these tests are about."""
    resolve = config.resolve
    monkeypatch.setattr(
        config, "resolve", lambda *a, **k: replace(resolve(*a, **k), jit_compile=False)
    )


@pytest.fixture(autouse=True)
def fixed_weights():
    keras.utils.set_random_seed(0)
