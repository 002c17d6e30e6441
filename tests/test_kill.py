"""`kill -9` at random moments: the result index ends up as if nothing had happened."""

import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime

from streams import MINUTE_MS, START_MS, detector, index_stream, written

N_KILLS = 40
WINDOWS_PER_RUN = 2
N_WINDOWS = (N_KILLS + 1) * WINDOWS_PER_RUN
LONGEST_LIFE_S = 1.0
"""After its first line a run takes about this long, so kills fall on all of its steps."""


class Sidecar:
    """Runs `outrider run` as a process of its own."""

    def __init__(self, folder, url, prefix):
        self._command = [sys.executable, "-m", "detector", "run", "-c", str(folder), "--log-format", "json"]
        self._command += ["--start", moment(START_MS)]
        self._environment = os.environ | {
            "OPENSEARCH_URL": url,
            "OUTRIDER_INDEX_PREFIX": prefix,
            # A killed run leaves a lease behind, which the next one waits for.
            "OUTRIDER_LEASE": "1",
        }

    def start(self, n_windows):
        """Start a run over the first windows; return it once it has begun to work."""
        until = moment(START_MS + n_windows * MINUTE_MS)
        process = subprocess.Popen(
            [*self._command, "--until", until], env=self._environment, stderr=subprocess.PIPE, text=True
        )
        first = process.stderr.readline()
        assert json.loads(first)["event"] == "replaying", first + process.stderr.read()
        return process

    def finish(self, n_windows):
        """Run over the first windows to the end."""
        process = self.start(n_windows)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def moment(time_ms):
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_forty_kills_at_random_moments_change_nothing(client, node_url, index_prefix, tmp_path):
    """Document by document, field by field, execution times aside."""
    source = f"{index_prefix}-source"
    index_stream(client, source, n_hosts=5, n_windows=N_WINDOWS)
    config = detector(source).model_dump(mode="json", exclude_none=True)
    (tmp_path / "load.json").write_text(json.dumps(config))
    Sidecar(tmp_path, node_url, f"{index_prefix}-calm").finish(N_WINDOWS)
    calm = written(client, f"{index_prefix}-calm")
    assert len(calm) > 5 * N_WINDOWS * 0.8

    draw = random.Random(20)
    torn = Sidecar(tmp_path, node_url, f"{index_prefix}-torn")
    n_in_flight = 0
    for run in range(1, N_KILLS + 1):
        process = torn.start(run * WINDOWS_PER_RUN)
        time.sleep(draw.uniform(0, LONGEST_LIFE_S))
        n_in_flight += process.poll() is None
        process.kill()
        process.communicate()
    torn.finish(N_WINDOWS)
    assert n_in_flight >= N_KILLS // 2, "most kills must hit a run that is still at work"
    assert written(client, f"{index_prefix}-torn") == calm
