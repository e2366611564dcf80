"""Distribution packages, unpacked into the cache.

Nothing is installed system-wide, no package script runs, no root is needed.
"""
import os
import platform
import shutil
from pathlib import Path

from .config import CACHE, say
from .install import log_of, need, once
from .process import environment, fetch, must_run, run
from .state import locked


def unpack(name: str, packages: list[str]) -> Path:
    """Return a root folder with the packages and those of their dependencies that this machine lacks."""
    def build(target: Path) -> None:
        with locked(CACHE / ".locks" / "apt"):
            _download(name, packages, target / "debs")
        for deb in sorted((target / "debs").glob("*.deb")):
            must_run([need("dpkg-deb", "dpkg"), "-x", str(deb), str(target / "root")], log_of(name))
        shutil.rmtree(target / "debs")
    return once(name, _release(), build) / "root"


def _release() -> str:
    """Return the distribution and its version: packages of one do not run on another."""
    release = platform.freedesktop_os_release()
    return f"{release['ID']}-{release.get('VERSION_ID', 'testing')}"


def _download(name: str, packages: list[str], archives: Path) -> None:
    """Download with the machine's package lists, or, where these are missing or old, with fresh ones of our own."""
    (archives / "partial").mkdir(parents=True)
    options = ["-q", "-y", "-o", "Debug::NoLocking=1", "-o", "Acquire::Retries=3", "-o", f"Dir::Cache::archives={archives}",
               "-o", f"Dir::Cache::pkgcache={archives}/pkg.bin", "-o", f"Dir::Cache::srcpkgcache={archives}/src.bin"]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]
    apt = [need("apt-get", "apt"), *options]
    install = ["--no-install-recommends", "--reinstall", "--download-only", "install", *packages]
    if run([*apt, *install], log_of(name)) == 0:
        return
    say(f"{name}: package lists are missing or old, updating a copy of them in the cache")
    lists = CACHE / "apt" / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    apt += ["-o", f"Dir::State::lists={lists}"]
    fetch([*apt, "update"], log_of(name))
    fetch([*apt, *install], log_of(name))


def libraries(root: Path) -> dict[str, str]:
    """Return an environment in which programs below root find their shared libraries."""
    paths = [str(p) for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu") for p in root.glob(pattern)]
    return environment(LD_LIBRARY_PATH=":".join(filter(None, [*paths, os.environ.get("LD_LIBRARY_PATH", "")])))
