"""The page ``docs/settings.rst`` has every setting, with its default."""

import re
import textwrap
from dataclasses import fields
from pathlib import Path

import nengo
import pytest
from nengo.exceptions import ConfigError

import nengo_dl
from nengo_dl.config import Settings, resolve

PAGE = Path(__file__).parents[1] / "docs" / "settings.rst"

TEXT = PAGE.read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^   \* - ``(\w+)``\n     - (.*)\n", TEXT, re.MULTILINE))


def test_every_setting_is_there():
    with nengo.Network(), pytest.raises(ConfigError) as caught:
        nengo_dl.configure_settings(nothing=1)
    known = str(caught.value).partition("known are ")[2].split(", ")
    assert sorted(ROWS) == known


def test_defaults():
    defaults = {field.name: field.default for field in fields(Settings)}
    for name in set(ROWS) - {"trainable", "keep_history"}:
        default = defaults[name]
        if name == "simplifications":
            words = "default_simplifications"
        else:
            words = getattr(default, "__name__", None) or repr(default)
        assert ROWS[name].replace('"', "'") == f"``{words}``", name
    assert Settings().keeps_history(None) is (ROWS["keep_history"] == "``True``")


def test_code_of_the_page():
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", TEXT)
    assert len(blocks) == TEXT.count("code-block") == 1
    found = {}
    exec(textwrap.dedent(blocks[0]), found)
    settings = resolve(found["net"])
    assert settings.dtype == "float64"
    assert not settings.keeps_history(found["probe"])
    with found["net"]:
        assert settings.keeps_history(nengo.Probe(found["ensemble"]))


def test_settings_apply_to_the_outermost_network():
    with nengo.Network() as net, nengo.Network() as inner:
        nengo_dl.configure_settings(dtype="float64", keep_history=False)
        nengo_dl.configure_settings(trainable=False)
    assert resolve(net).dtype == "float64"
    assert net.config[nengo.Probe].keep_history is False
    assert inner.config[nengo.Ensemble].trainable is False
    assert nengo.Ensemble not in net.config.params or not hasattr(
        net.config[nengo.Ensemble], "trainable"
    )
