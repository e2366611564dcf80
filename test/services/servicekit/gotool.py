"""Programs built from Go modules."""
from pathlib import Path

from .install import log_of, need, once
from .process import environment, fetch

_PACKAGES = {
    "versitygw": ("github.com/versity/versitygw/cmd/versitygw", "v1.8.0", []),
    # Most service discovery is left out: one of its modules is not obtainable everywhere.
    "prometheus": ("github.com/prometheus/prometheus/cmd/prometheus", "v0.316.0", ["-tags", "remove_all_sd"]),
    "promtool": ("github.com/prometheus/prometheus/cmd/promtool", "v0.316.0", ["-tags", "remove_all_sd"]),
    "alertmanager": ("github.com/prometheus/alertmanager/cmd/alertmanager", "v0.28.1", []),  # later ones lack their web assets
    "amtool": ("github.com/prometheus/alertmanager/cmd/amtool", "v0.28.1", []),
    "toxiproxy": ("github.com/Shopify/toxiproxy/v2/cmd/server", "v2.5.0", []),
}


def build(program: str) -> Path:
    """Return the program, built from its module."""
    package, version, flags = _PACKAGES[program]

    def install(target: Path) -> None:
        env = environment(GOBIN=str(target), GOFLAGS="-buildvcs=false", CGO_ENABLED="0", GOTOOLCHAIN="local", GOWORK="off")
        fetch([need("go", "the Go toolchain"), "install", "-ldflags=-s -w", *flags, f"{package}@{version}"], log_of(program), env)
        next(p for p in target.iterdir() if p.is_file()).rename(target / program)
    return once(f"go-{program}", version, install) / program
