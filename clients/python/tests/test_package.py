"""The wheel and the source distribution are built; the wheel works in an environment that holds nothing but what it
asks for."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from conftest import ROOT

USER = """
import sluice, sys

missing = [name for name in sluice.__all__ if not hasattr(sluice, name)]
assert not missing, missing
assert "pandas" not in sys.modules and "pyarrow" not in sys.modules, "extras are imported at once"
with sluice.Client("http://127.0.0.1:1", retry=sluice.Retry(attempts=1)) as client:
    try:
        client.row("payments", "u1")
    except sluice.Unavailable as err:
        assert "sluice run" in err.hint, err
    try:
        next(client.batches("payments", ["u1"]))
    except sluice.Unavailable:
        pass
schema = sluice.Schema("v", {"user": "string"}, {"amount": "float64"})
about = sluice.Provenance()
row = sluice.Row({"user": "u"}, {"amount": 1.0}, {"amount": "PRESENT"}, {}, about, {})
rows = sluice.Rows.gather("v", (row,), schema)
for convert, extra in ((rows.to_pandas, "sluice[pandas]"), (rows.to_arrow, "sluice[arrow]")):
    try:
        convert()
    except ModuleNotFoundError as err:
        assert extra in str(err), err
    else:
        raise AssertionError("an extra that is not installed")
print(sluice.__file__)
"""


def closure(*names: str) -> set[str]:
    """Returns distributions of this environment with all that they need."""
    found: set[str] = set()
    todo = [*names]
    while todo:
        name = todo.pop().lower()
        if name in found:
            continue
        found.add(name)
        for need in importlib.metadata.requires(name) or ():
            if "extra ==" not in need and "python_version <" not in need:
                todo.append(re.split(r"[^A-Za-z0-9_.-]", need)[0])
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, package = tmp_path_factory.mktemp("dist"), ROOT / "clients" / "python"
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(package)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


def test_contents(wheel: Path) -> None:
    assert wheel.name == "sluice-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = Parser().parsestr(archive.read("sluice-0.1.0.dist-info/METADATA").decode())
    assert "sluice/py.typed" in names and "sluice-0.1.0.dist-info/licenses/LICENSE" in names
    assert not [n for n in names if "test" in n]
    assert about["License-Expression"] == "Apache-2.0" and about["Requires-Python"] == ">=3.11" and about["Summary"]
    needs = [n for n in about.get_all("Requires-Dist", []) if "extra" not in n]
    assert needs == ["httpx<1,>=0.27"], "one dependency"
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive_of_source:
        assert {"sluice-0.1.0/src/sluice/client.py", "sluice-0.1.0/LICENSE"} <= {*archive_of_source.getnames()}


def test_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    paths = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in closure("httpx"):
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts and not (site / file.parts[0]).exists():
                (site / file.parts[0]).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0])
    program = tmp_path / "user.py"
    program.write_text(USER)
    said = subprocess.run([str(python), "-W", "error", str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert said.returncode == 0 and said.stdout.startswith(str(site)), said.stderr
