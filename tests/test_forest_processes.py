"""The same bits in another process: with other threads, from a checkpoint, and without the JIT."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from detector.forest.forest import RandomCutForest
from detector.forest.state import ForestShape

TESTS = Path(__file__).parent

CONTINUE = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from detector.forest.forest import RandomCutForest
forest = RandomCutForest.load(Path(sys.argv[1]).read_bytes())
points = np.random.default_rng(5).normal(size=(600, 3)).round(1)
slots = np.arange(600) % 6
scores = np.empty(600)
def go(part):
    mine = slots % int(sys.argv[2]) == part
    scores[mine] = forest.score_and_update(slots[mine], points[mine])
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(go, range(int(sys.argv[2]))))
print(hashlib.blake2b(scores.tobytes()).hexdigest(), hashlib.blake2b(forest.save()).hexdigest())
"""

INVARIANTS = """
import sys
sys.path.insert(0, sys.argv[1])
import naive, numpy as np
from numba import config
from test_forest_structure import fresh
from test_forest_twin import KINDS
from trees import check_model, decoded, decoded_trees_of
from detector.forest.inspection import InspectedForest
from detector.forest.kernels.update import score, score_and_update
from detector.forest.state import ForestShape
assert config.DISABLE_JIT
for seed, make in enumerate(KINDS.values()):
    for n_columns in (1, 9, 40):
        points = np.asarray(make(np.random.default_rng(seed), (30, n_columns)), dtype=np.float32)
        state = fresh(n_columns, 1, 16, seed)
        for point in points:
            score_and_update(state, 0, point, 0.02)
            check_model(state, 0)
        trees, query = decoded_trees_of(state, 0), points[3] + np.float32(0.5)
        assert abs(score(state, 0, query) - naive.score(trees, decoded(state, query))) < 1e-9
        print(n_columns, score(state, 0, query).hex())
forest = InspectedForest(ForestShape(3, 4, 16), 1, [3])
points = np.random.default_rng(0).normal(size=(40, 3)).round(1)
forest.update(np.zeros(40, dtype=np.int64), points)
slots = np.zeros(8, dtype=np.int64)
asked = [forest.masked_score(slots, points[:8] + 0.2).scores, *forest.density(slots, points[:8])]
asked += [*forest.depth(slots, points[:8]), *forest.approximate_score(slots, points[:8])]
asked += [*forest.neighbours(0, points[0], 2.0)]
print(*(array.tobytes().hex() for array in asked))
"""


def output(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_saved_forest_goes_on_in_processes_with_other_threads(tmp_path: Path) -> None:
    """One, two and three threads, and other settings of numba's own: the same scores, the same models."""
    forest = RandomCutForest(ForestShape(3, 6, 32), 6, np.arange(6))
    points = np.random.default_rng(4).normal(size=(1200, 3)).round(1)
    forest.update(np.arange(1200) % 6, points)
    path = tmp_path / "forest"
    path.write_bytes(forest.save())
    answers = [
        output(CONTINUE, str(path), str(threads), NUMBA_NUM_THREADS=str(own))
        for threads, own in ((1, 1), (2, 2), (3, 1))
    ]
    assert answers[0] == answers[1] == answers[2]
    rest = np.random.default_rng(5).normal(size=(600, 3)).round(1)
    scores = forest.score_and_update(np.arange(600) % 6, rest)
    digests = [hashlib.blake2b(block).hexdigest() for block in (scores.tobytes(), forest.save())]
    assert answers[0].split() == digests


def test_invariants_and_answers_hold_without_the_jit() -> None:
    """Plain Python passes the checks that compiled code passes, and gives its very bits."""
    plain = output(INVARIANTS, str(TESTS), NUMBA_DISABLE_JIT="1")
    compiled = output(INVARIANTS.replace("assert config.DISABLE_JIT", ""), str(TESTS), NUMBA_DISABLE_JIT="0")
    assert plain == compiled
    assert len(plain.split()) > 50
