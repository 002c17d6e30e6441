"""What a running sidecar shows to monitoring: its metrics and health, and the address that serves them."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version

import click

from detector.commands.connection import Failure
from detector.configuration.config import DetectorConfig
from detector.health import Health, Pulse
from detector.metrics import Metrics
from detector.monitor import Address, Monitor
from detector.outcome import Polled
from storage.transport import Request

LOOPBACK = "127.0.0.1"


class AddressType(click.ParamType[Address]):
    """HOST:PORT, or a port alone, which is on loopback."""

    name = "[HOST:]PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read an address; a wrong one ends the command with a hint."""
        if isinstance(value, Address):
            return value
        host, _, port = str(value).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not port.isdecimal() or int(port) > 65_535:
            self.fail(
                f"{str(value)!r} is not an address: write 9108 (loopback), 0.0.0.0:9108 or [::1]:9108",
                param,
                ctx,
            )
        return Address(host or LOOPBACK, int(port))


class Observed:
    """Metrics and health of this process, written by polls and requests."""

    def __init__(self, configs: Sequence[DetectorConfig]) -> None:
        self.metrics = Metrics(version("outrider"))
        self.health = Health(config.detector_id for config in configs)

    def note_request(self, request: Request) -> None:
        """Enter a request to the cluster."""
        self.metrics.note_request(request.operation, request.outcome, request.seconds)

    def note_poll(self, polled: Polled) -> None:
        """Enter a poll."""
        self.metrics.note_poll(polled, time.time())
        self.health.note(polled.detector_id, Pulse(polled.interval_s, polled.lag_s, polled.error))

    def served_at(self, address: Address | None) -> AbstractContextManager[Monitor | None]:
        """Serve the pages inside a `with` block; None serves nothing."""
        if address is None:
            return nullcontext()
        try:
            return Monitor(address, self.metrics, self.health)
        except (OSError, OverflowError) as error:
            msg = f"cannot listen at {address} (--monitor): {error}"
            raise Failure(msg) from error
