"""Time and memory of `sitrep evaluate` on many rows, slices included.

    python benchmarks/evaluate.py MODEL [ROWS]

MODEL is a bundle folder, for example of the baseline. The rows are those of seeds/, over and over,
each time as texts of their own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEEDS = Path(__file__).parents[1] / "seeds"


def main(model: str, rows: int) -> None:
    """Write ``rows`` rows, judge ``model`` on them and print what it took."""
    records = [
        json.loads(line)
        for path in sorted(SEEDS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        with data.open("w", encoding="utf-8") as file:
            for n in range(rows):
                record = dict(records[n % len(records)])
                record["article_id"] = f"{record['article_id']}-{n // len(records)}"
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        started = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-m", "train", "evaluate", "--model", model, str(data)),
                *("--by", "register", "--json", str(Path(folder) / "report.json")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{rows:,} rows in {seconds:.1f} s, at most {kilobytes / 1000:,.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
