"""The wheel and the source distribution are built, and the wheel works by itself."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from conftest import ROOT


def test_build(tmp_path: Path) -> None:
    package = ROOT / "clients" / "python"
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(package)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    assert wheel.name == "sluice-0.1.0-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert "sluice/py.typed" in names and not [n for n in names if "test" in n]
    with tarfile.open(source) as archive:
        assert "sluice-0.1.0/src/sluice/client.py" in archive.getnames()

    lines = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sluice; print(sluice.__file__, len(sluice.__all__));"
        " assert 'pandas' not in sys.modules and 'pyarrow' not in sys.modules, 'extras are imported at once'"
    )
    said = subprocess.run([sys.executable, "-c", lines, str(wheel)], check=True, capture_output=True, text=True)
    assert said.stdout.startswith(str(wheel))
