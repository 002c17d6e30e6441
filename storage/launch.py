"""Writes the configuration of an OpenSearch node and starts its process.

Knows settings, JVM flags and the user as whom the node runs; must not know who owns the node.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from storage.jvm import Java
from storage.node_error import NodeError

UNPRIVILEGED_USER = "nobody"
"""OpenSearch refuses to run as root; as whom it runs when root starts it."""

SETTINGS: Mapping[str, str] = {
    "cluster.name": "outrider-embedded",
    "node.name": "embedded",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",  # the node writes the ports it got into its log folder
    # a laptop's disk is often fuller than the watermarks of a production cluster allow
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}

JVM_FLAGS = (
    # one small heap on few cores: starts in half the time of G1 and takes less memory
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-Xss1m",
    "-Xshare:auto",
    # what the launcher script of the distribution sets; calling Java without it saves three Java starts
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Dopensearch.networkaddress.cache.ttl=60",
    "-Dopensearch.networkaddress.cache.negative.ttl=10",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Djava.locale.providers=SPI,CLDR",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
    "-Dopensearch.distribution.type=zip",
    "-Dopensearch.bundled_jdk=true",  # silences a warning about the script that is not used
)

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True)
class Launch:
    """All that decides how a node's process is started.

    Attributes
    ----------
    folder
        The node's folder; configuration, data, log and scratch files are below it.
    home
        Home of the distribution.
    java
        The Java runtime.
    heap_mb
        Java heap in MiB.
    port
        HTTP port, 0 for any free one.
    token
        Word on the command line by which the process is known again, whatever becomes of its number.
    settings
        More lines for ``opensearch.yml``.
    jvm_flags
        More flags for Java.
    """

    folder: Path
    home: Path
    java: Java
    heap_mb: int
    port: int
    token: str
    settings: Mapping[str, str] = field(default_factory=dict)
    jvm_flags: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        """What the node prints, from its last start on."""
        return self.folder / "logs" / "node.log"

    @property
    def ports_file(self) -> Path:
        """Written by the node when it listens: one ``address:port`` a line."""
        return self.folder / "logs" / "http.ports"

    def write(self) -> None:
        """Write the node's folders and configuration, and give them to the user as whom it runs."""
        for name in ("config", "data", "logs", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.ports_file.unlink(missing_ok=True)
        settings = {
            **SETTINGS,
            "path.data": f"{self.folder}/data",
            "path.logs": f"{self.folder}/logs",
            "http.port": str(self.port),
            **self.settings,
        }
        config = self.folder / "config"
        (config / "opensearch.yml").write_text("".join(f"{key}: {text}\n" for key, text in settings.items()))
        (config / "log4j2.properties").write_text(LOGGING)
        if os.geteuid() == 0:
            _hand_over(self.folder)

    def spawn(self) -> psutil.Process:
        """Start the process in a session of its own, so that Ctrl-C in our terminal does not reach it."""
        with self.log.open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - every word is ours
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"LANG": "C.UTF-8", "PATH": os.defpath},  # JAVA_TOOL_OPTIONS and the like stay outside
                start_new_session=True,
                **_unprivileged(),
            )
        process.returncode = 0  # psutil waits for it; without this, Popen warns that nobody did
        return psutil.Process(process.pid)

    def _command(self) -> list[str]:
        return [
            str(self.java.executable),
            f"-Xms{self.heap_mb}m",
            f"-Xmx{self.heap_mb}m",
            f"-XX:MaxDirectMemorySize={self.heap_mb // 2}m",
            *JVM_FLAGS,
            *self.jvm_flags,
            f"-XX:ErrorFile={self.folder}/logs/hs_err_%p.log",
            f"-Djava.io.tmpdir={self.folder}/tmp",
            f"-Dopensearch.path.home={self.home}",
            f"-Dopensearch.path.conf={self.folder}/config",
            f"-Doutrider.node={self.token}",
            "-cp",
            class_path(self.home),
            "org.opensearch.bootstrap.OpenSearch",
        ]


def class_path(home: Path) -> str:
    """Return all jars of the distribution in a fixed order."""
    return ":".join(sorted(str(jar) for part in ("lib", "agent") for jar in (home / part).glob("*.jar")))


def _unprivileged() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _hand_over(folder: Path) -> None:
    """Give the node's own folders to its user, and see to it that this user can reach them."""
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    folder.chmod(folder.stat().st_mode | 0o111)
    for parent in folder.absolute().parents:
        if not parent.stat().st_mode & 0o001:
            msg = (
                f"OpenSearch does not run as root, and the user {UNPRIVILEGED_USER!r} cannot enter {parent}: "
                "name a data folder elsewhere, such as below /var/lib"
            )
            raise NodeError(msg)
    for name in ("config", "data", "logs", "tmp"):
        shutil.chown(folder / name, user.pw_uid, user.pw_gid)
        for path in (folder / name).rglob("*"):
            shutil.chown(path, user.pw_uid, user.pw_gid)
