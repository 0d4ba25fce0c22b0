"""Run every benchmark beside this file and write `var/bench/results.json`.

python tests/benchmarks/run.py [NAME_PREFIX …]
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))

from harness import Result  # noqa: E402


def main(prefixes: list[str]) -> int:
    warnings.simplefilter("ignore", ResourceWarning)
    results: list[Result] = []
    failures = 0
    for path in sorted(HERE.glob("bench_*.py")):
        for benchmark in importlib.import_module(path.stem).BENCHMARKS:
            if prefixes and not any(p in f"{path.stem}.{benchmark.__name__}" for p in prefixes):
                continue
            try:
                found = benchmark()
            except Exception as error:  # one broken benchmark must not hide the others
                failures += 1
                print(f"{path.stem}.{benchmark.__name__}: {error!r}", file=sys.stderr)
                continue
            for result in found:
                results.append(result)
                mark = ("met " if result.goal else "    ") if result.met else "MISS"
                goal = result.goal or "none"
                print(
                    f"{mark} {result.name:<34} ratio {result.ratio:8.3f} (goal {goal})  "
                    f"{result.value:.6g} against {result.baseline_value:.6g} {result.unit}: "
                    f"{result.baseline}",
                    flush=True,
                )
    target = HERE.parent.parent / "var" / "bench" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([r.as_json() for r in results], indent=2) + "\n")
    print(f"{len(results)} results in {target.relative_to(HERE.parent.parent)}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
