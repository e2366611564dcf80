"""Java programs by their Maven coordinates."""
import os
import shutil
from pathlib import Path

from .config import CACHE, Fail
from .install import log_of, need, once
from .process import fetch, must_run
from .state import locked, write

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
_POM = ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        '<groupId>local</groupId><artifactId>{}</artifactId><version>1</version><packaging>pom</packaging>'
        '<dependencies>{}</dependencies></project>')
_LOG4J = ('<Configuration status="ERROR"><Appenders><Console name="C"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console>'
          '</Appenders><Loggers><Root level="INFO"><AppenderRef ref="C"/></Root></Loggers></Configuration>')


def classpath(name: str, version: str, coordinates: list[str]) -> Path:
    """Return a folder with the jars that the coordinates (group:artifact:version) need at run time."""
    def build(target: Path) -> None:
        dependencies = "".join(_DEPENDENCY.format(*c.split(":")) for c in coordinates)
        pom = write(target / "pom.xml", _POM.format(name, dependencies))
        _maven(name, ["-f", str(pom), f"{_PLUGIN}:copy-dependencies", f"-DoutputDirectory={target}/libs", "-DincludeScope=runtime"])
    return once(name, version, build) / "libs"


def archive(name: str, coordinate: str) -> Path:
    """Return the folder with an unpacked archive (group:artifact:version:tar.gz:classifier)."""
    def build(target: Path) -> None:
        _maven(name, [f"{_PLUGIN}:copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={target}/download"])
        packed = next((target / "download").glob("*.tar.gz"))
        (target / "app").mkdir()
        must_run(["tar", "xzf", str(packed), "-C", str(target / "app")], log_of(name))
        shutil.rmtree(target / "download")
    return once(name, coordinate.split(":")[2], build) / "app"


def _maven(name: str, arguments: list[str]) -> None:
    """Run Maven alone: two of them spoil the local repository that they share."""
    program = need("mvn", "maven and a Java 17 runtime, for example default-jre-headless")
    with locked(CACHE / ".locks" / "maven"):
        fetch([program, "-B", "-q", "-ntp", *arguments], log_of(name))


def java() -> str:
    """Return the Java program: JAVA_HOME's, else the one on PATH."""
    if home := os.environ.get("JAVA_HOME"):
        if (program := Path(home, "bin", "java")).exists():
            return str(program)
        raise Fail(f"JAVA_HOME={home} has no bin/java")
    return need("java", "a Java 17 runtime, for example default-jre-headless")


def log4j(path: Path) -> str:
    """Write a logging configuration (to standard output) and return the Java option for it."""
    return f"-Dlog4j2.configurationFile={write(path, _LOG4J)}"
