"""Turns the wish for an OpenSearch node into folders, a configuration and a command line.

Knows settings and JVM flags; must not know who owns the node or how it is watched.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storage.embedded.class_archive import archive_flags
from storage.embedded.jvm import Java
from storage.embedded.node_user import ensure_owned, ensure_reachable, give_to_node, make_folder

SETTINGS: Mapping[str, str] = {
    "cluster.name": "outrider-embedded",
    "node.name": "embedded",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",  # the node writes the ports that it got into its log folder
    # the disk of a laptop is often fuller than the watermarks of a production cluster allow
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    # Counted by what requests reserve: the serial collector lets garbage lie until the heap is full, and the breaker
    # that looks at the heap would refuse requests for minutes because of it.
    "indices.breaker.total.use_real_memory": "false",
}

JVM_FLAGS = (
    # A node for minutes: on 2 cores the first compiler alone takes half the time of both, for the start as for
    # the first 240,000 documents, and the serial collector takes less than G1.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    # What the launcher script of the distribution sets; doing without the script saves three starts of Java.
    # Not taken over: the agent that fences in plugins (there are none, and it takes 4 s of processor time),
    # touching the heap before use, and the vector module, which the packaged runtime lacks.
    "-XX:-OmitStackTraceInFastThrow",
    "-Xss1m",
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
    "-Dopensearch.bundled_jdk=true",  # false prints a warning meant for packagers
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
    """All that decides how the process of a node is started.

    Attributes
    ----------
    folder
        The node's folder; configuration, data, logs and scratch files are below it.
    home
        Home of the distribution.
    java
        The Java runtime.
    archive
        Where the archive of loaded classes is, or will be (see `storage.embedded.class_archive`).
    heap_mb
        Java heap in MiB.
    port
        HTTP port, 0 for any free one.
    token
        Word on the command line by which the process is known again, whatever becomes of its number.
    settings
        More settings for ``opensearch.yml``.
    jvm_flags
        More flags for Java; they win over ours.
    """

    folder: Path
    home: Path
    java: Java
    archive: Path
    heap_mb: int
    port: int
    token: str
    settings: Mapping[str, str] = field(default_factory=dict)
    jvm_flags: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        """What the node prints, from its last start on."""
        return self.folder / "node.log"

    @property
    def ports_file(self) -> Path:
        """Written by the node when it listens: one ``address:port`` a line."""
        return self.folder / "logs" / "http.ports"

    @property
    def fresh_archive(self) -> Path:
        """Where the node writes its archive of classes when there was none."""
        return fresh_archive(self.folder)

    def prepare(self) -> None:
        """Write the node's folders and configuration, and give them to the user as whom it runs.

        Raises
        ------
        NodeError
            That user cannot reach or write what it needs.
        """
        for path in (self.folder, self.home, self.java.home):
            ensure_reachable(path)
        for name in ("data", "logs"):
            if not (self.folder / name).is_dir():
                give_to_node(make_folder(self.folder / name))
            ensure_owned(self.folder / name)
        for name in ("config", "tmp"):
            # made anew each time: root must not write into a folder that another user can change
            shutil.rmtree(self.folder / name, ignore_errors=True)
            make_folder(self.folder / name)
        self.ports_file.unlink(missing_ok=True)
        self._write_config(self.folder / "config")
        for path in (*(self.folder / "config").iterdir(), self.folder / "config", self.folder / "tmp"):
            give_to_node(path)

    def _write_config(self, folder: Path) -> None:
        settings = {
            **SETTINGS,
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "http.port": str(self.port),
            **self.settings,
        }
        text = "".join(f"{key}: {value}\n" for key, value in settings.items())
        (folder / "opensearch.yml").write_text(text)
        (folder / "log4j2.properties").write_text(LOGGING)

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            str(self.java.executable),
            f"-Xms{self.heap_mb}m",
            f"-Xmx{self.heap_mb}m",
            f"-XX:MaxDirectMemorySize={self.heap_mb // 2}m",
            *JVM_FLAGS,
            *archive_flags(self.archive, self.fresh_archive),
            *self.jvm_flags,
            f"-XX:ErrorFile={self.folder}/logs/hs_err_%p.log",
            f"-Djava.io.tmpdir={self.folder}/tmp",  # noqa: S108 - below our own folder
            f"-Duser.home={self.folder}/tmp",  # noqa: S108 - the user may have none
            f"-Dopensearch.path.home={self.home}",
            f"-Dopensearch.path.conf={self.folder}/config",
            f"-Doutrider.node={self.token}",
            "-cp",
            _class_path(self.home),
            "org.opensearch.bootstrap.OpenSearch",
        ]


def fresh_archive(folder: Path) -> Path:
    """Return where the node of a data folder writes its archive of classes."""
    return folder / "tmp" / "classes.jsa"


def _class_path(home: Path) -> str:
    """Return all jars in a fixed order, which an archive of classes depends on."""
    return ":".join(sorted(str(jar) for part in ("lib", "agent") for jar in (home / part).glob("*.jar")))
