"""What it costs to begin: ``import hutch``, and the newest run of a catalog, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks import documents, hutch_side
from benchmarks.measuring import Figure, Plan, Row, Target, side_by_side

__all__ = ["measure"]

_CLOCK = "import sys, time; begin = time.process_time()"
_SAY = "print(1e3 * (time.process_time() - begin))"
_RUNS = 20


def measure(plan: Plan) -> Iterator[Row]:
    """Measure hutch beside the clients of Tiled."""
    with plan.scratch() as folder:
        with hutch_side.catalog(folder) as cat:
            hutch_side.record_runs(cat, [documents.run(10, number + 1) for number in range(_RUNS)])
        first_look = f"import hutch; {_CLOCK}; hutch.open_catalog({str(folder)!r})[-1]; {_SAY}"
        found = side_by_side(
            {
                "import": lambda: _fresh(f"{_CLOCK}; import hutch; {_SAY}"),
                "look": lambda: _fresh(first_look),
                "Tiled": lambda: _fresh(f"{_CLOCK}; import tiled.client, bluesky_tiled_plugins; {_SAY}"),
            },
            plan.repetitions,
        )
    peer = "tiled.client, plug-ins"
    ours, look, theirs = (Figure.of(values, "ms CPU") for values in found.values())
    yield Row("import hutch", ours, Target.below(100, "ms CPU"), peer, theirs)
    yield Row("open_catalog(), cat[-1]", look, Target.below(300, "ms CPU"))


def _fresh(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])
