"""Prometheus and Alertmanager, with their checkers promtool and amtool."""
from pathlib import Path

from . import apt, gotool, state
from .config import HOST, setting
from .probe import http_ok, wait

_PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{folder}/rules/*.yml']
scrape_configs:
- job_name: prometheus
  static_configs: [{{targets: ['{host}:{port}']}}]
- job_name: files
  file_sd_configs: [{{files: ['{folder}/targets/*.json'], refresh_interval: 1s}}]
"""
_ALERTING = "alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{host}:{port}']}}]}}]}}\n"
_ALERTMANAGER = """\
route: {receiver: none, group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: none}]
"""


def install_prometheus() -> tuple[Path, Path]:
    """Return prometheus and promtool: the distribution's, or, if SERVICES_PROMETHEUS=go, newer ones built from source."""
    if setting("PROMETHEUS", "apt") == "go":
        return gotool.build("prometheus"), gotool.build("promtool")
    programs = apt.unpack("prometheus", ["prometheus"]) / "usr/bin"
    return programs / "prometheus", programs / "promtool"


def up_prometheus() -> None:
    """Start Prometheus; it scrapes itself and what stands in the targets folder, and alerts to a running alertmanager."""
    name, (program, _) = "prometheus", install_prometheus()
    port, folder = state.port_for(name), state.folder(name)
    for sub in ("rules", "targets", "data"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    conf = _PROMETHEUS.format(folder=folder, host=HOST, port=port)
    if (alertmanager := state.load("alertmanager")).nodes:
        conf += _ALERTING.format(host=HOST, port=alertmanager.ports["main"])
    state.write(folder / "prometheus.yml", conf)
    state.spawn(name, name, [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                             f"--web.listen-address={HOST}:{port}", "--web.enable-lifecycle", "--web.enable-remote-write-receiver"], port)
    wait(name, "answer to /-/ready", lambda: http_ok(f"http://{HOST}:{port}/-/ready"))


def env_prometheus() -> dict[str, str]:
    """Return PROMETHEUS_URL, its folders for target and rule files, and PROMTOOL."""
    folder, port = state.folder("prometheus"), state.load("prometheus").ports["main"]
    return {"PROMETHEUS_URL": f"http://{HOST}:{port}", "PROMETHEUS_TARGETS_DIR": f"{folder}/targets",
            "PROMETHEUS_RULES_DIR": f"{folder}/rules", "PROMTOOL": str(install_prometheus()[1])}


def install_alertmanager() -> tuple[Path, Path]:
    """Return alertmanager and amtool, built from source: the distribution's opens files of an installed package."""
    return gotool.build("alertmanager"), gotool.build("amtool")


def up_alertmanager() -> None:
    """Start Alertmanager, alone, with a route to nobody."""
    name, (program, _) = "alertmanager", install_alertmanager()
    port, folder = state.port_for(name), state.folder(name)
    if not (conf := folder / "alertmanager.yml").exists():
        state.write(conf, _ALERTMANAGER)
    state.spawn(name, name, [program, f"--config.file={conf}", f"--storage.path={folder}/data",
                             f"--web.listen-address={HOST}:{port}", "--cluster.listen-address="], port)
    wait(name, "answer to /-/ready", lambda: http_ok(f"http://{HOST}:{port}/-/ready"))


def env_alertmanager() -> dict[str, str]:
    """Return ALERTMANAGER_URL, its configuration file and AMTOOL."""
    return {"ALERTMANAGER_URL": f"http://{HOST}:{state.load('alertmanager').ports['main']}",
            "ALERTMANAGER_CONFIG": f"{state.folder('alertmanager')}/alertmanager.yml", "AMTOOL": str(install_alertmanager()[1])}
