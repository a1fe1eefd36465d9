"""What is installed, what is shipped, and what was copied in."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
STATIC = ROOT / "web" / "static"
VENDORED = (STATIC / "VENDORED.md").read_text()
HASHES = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", VENDORED, re.MULTILINE))


def pins(name: str) -> dict[str, str]:
    """Package to version, as locked."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """Normalised package names of requirement lines."""
    found = [re.match(r"[A-Za-z0-9._-]+", line) for line in requirements]
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


@pytest.mark.parametrize("name", [*(entry.removesuffix(".py") for entry in SHIPPED), "tests"])
def test_no_other_distribution_claims_our_name(name: str) -> None:
    assert set(packages_distributions().get(name, ())) <= {"harken"}


def test_whatever_is_imported_is_shipped() -> None:
    there = {p.name for p in ROOT.glob("*.py")} | {p.parent.name for p in ROOT.glob("*/__init__.py")}

    assert there <= set(SHIPPED)


def test_it_cannot_be_uploaded_by_accident() -> None:
    assert "Private :: Do Not Upload" in PYPROJECT["project"]["classifiers"]


@pytest.mark.parametrize("name", ["base", "dev"])
def test_a_lock_names_no_host_and_no_machine(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()

    odd = [
        line for line in text.splitlines() if re.search(r"://|^\s*--(?!hash=sha256:[0-9a-f]{64})|(?<!\w)/\w+/", line)
    ]

    assert not odd


@pytest.mark.parametrize("name", ["base", "dev"])
def test_every_pin_has_a_hash(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()

    bare = [pin for pin, after in itertools.pairwise(lines) if "==" in pin and "--hash=sha256:" not in after]

    assert not bare


def test_the_locks_hold_what_the_project_asks_for() -> None:
    base, dev = pins("base"), pins("dev")

    assert names(PYPROJECT["project"]["dependencies"]) <= base.keys()
    assert names(PYPROJECT["project"]["optional-dependencies"]["dev"]) <= dev.keys()
    assert base.items() <= dev.items(), "what is tested is what is run"
    assert "torch" not in dev, "training is an extra; a city's machine needs no torch"


@pytest.mark.parametrize("file", sorted(HASHES))
def test_a_vendored_file_is_unchanged(file: str) -> None:
    assert hashlib.sha256((STATIC / file).read_bytes()).hexdigest() == HASHES[file]


def test_nothing_vendored_is_unlisted() -> None:
    folders = {file.partition("/")[0] for file in HASHES}

    there = {str(p.relative_to(STATIC)) for folder in folders for p in (STATIC / folder).rglob("*") if p.is_file()}

    assert there == set(HASHES)


@pytest.mark.parametrize("sheet", sorted(file for file in HASHES if file.endswith(".css")))
def test_a_style_sheet_finds_what_it_refers_to(sheet: str) -> None:
    path = STATIC / sheet
    wanted = [(path.parent / url).resolve() for url in re.findall(r"url\((\.\./[^)]+)\)", path.read_text())]

    missing = {str(p.relative_to(STATIC)) for p in wanted if not p.exists()}

    assert all(f"`{file}`" in VENDORED for file in missing), f"missing, and not said to be left out: {missing}"


def test_the_front_end_stays_light() -> None:
    assert sum((STATIC / file).stat().st_size for file in HASHES) < 3_000_000


def tracked() -> set[str]:
    """What git knows of the folders and files that are shipped, and that is still there."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to know what belongs to it")
    listed = subprocess.run(["git", "ls-files", "-z", *SHIPPED], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


@pytest.mark.slow
def test_the_wheel_holds_all_but_the_tests(tmp_path: Path) -> None:
    ours = tracked()

    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())

    assert ours <= held, f"not in the wheel: {sorted(ours - held)}"
    assert {name.partition("/")[0] for name in held if ".dist-info/" not in name} <= set(SHIPPED)
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in held if ".dist-info/licenses/" in name}
