"""What a release needs: one version, a list of changes, files that are there."""

import re
from pathlib import Path

import nengo_dl

ROOT = Path(__file__).parents[1]
CHANGES = (ROOT / "CHANGES.rst").read_text(encoding="utf-8")


def test_version_is_that_of_the_latest_changes():
    version, state = re.search(r"^(\d+\.\d+\.\d+) \((.+)\)$", CHANGES, re.M).groups()
    released, _, development = nengo_dl.__version__.partition(".dev")
    assert released == version
    assert (development == "0") == (state == "unreleased")


def test_those_who_cite_name_this_version():
    released = nengo_dl.__version__.partition(".dev")[0]
    assert f"version: {released}\n" in (ROOT / "CITATION.cff").read_text()
    page = (ROOT / "docs" / "citing.rst").read_text(encoding="utf-8")
    assert f"version = {{{released}}}" in page


def test_versions_go_down_in_the_list_of_changes():
    versions = re.findall(r"^(\d+)\.(\d+)\.(\d+) \(", CHANGES, re.M)
    numbers = [tuple(map(int, version)) for version in versions]
    assert numbers
    assert numbers == sorted(set(numbers), reverse=True)


def test_page_about_releases_names_environments_that_there_are():
    page = (ROOT / "docs" / "developer" / "releasing.rst").read_text(encoding="utf-8")
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    named = re.findall(r"``tox -e ([\w,-]+)``", page)
    assert len(named) >= 3
    for name in ",".join(named).split(","):
        assert f"[testenv:{name}]" in tox
    for path in ("nengo_dl/version.py", "CHANGES.rst", ".ci/run", "setup.py"):
        assert f"``{path}``" in page
        assert (ROOT / path).exists()


def test_no_hint_installs_an_earlier_release_from_pypi():
    kinds = {".py", ".rst", ".ipynb", ".inc", ".toml"}
    folders = ("nengo_dl", "docs", "examples", "benchmarks")
    files = [*ROOT.glob("*.*"), *(f for d in folders for f in (ROOT / d).rglob("*.*"))]
    hints = 0
    for path in files:
        if path.suffix in kinds:
            text = " ".join(path.read_text(encoding="utf-8").split())
            for hint in re.finditer(r"pip install [\"'`]*nengo[-_]dl\b.{0,40}", text):
                hints += 1
                assert "earlier release" in hint[0], f"{path}: {hint[0]}"
    assert hints >= 2  # README and the page about installation warn of it
