"""Judge the branch coverage of the last run with --cov; `make coverage-check` runs it."""

from __future__ import annotations

import json
import subprocess
import sys

FEWEST_PERCENT = {"tradenb/": 92.0, "tradenb/core/": 99.0}
WORST = 10


def main() -> int:
    """Print the share of branches taken, and the files that miss most; return the exit code."""
    command = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    files = {name: each["summary"] for name, each in json.loads(ran.stdout)["files"].items()}
    failed = False
    for folder, fewest in FEWEST_PERCENT.items():
        found = [each for name, each in files.items() if name.startswith(folder)]
        branches = sum(each["num_branches"] for each in found)
        taken = sum(each["covered_branches"] for each in found)
        share = 100 * taken / branches if branches else 0.0
        sys.stdout.write(f"{folder}: {share:.2f} % of {branches:,} branches, at least {fewest} %\n")
        failed = failed or share < fewest
    missing = sorted(files, key=lambda name: files[name]["missing_branches"], reverse=True)
    for name in missing[:WORST] if failed else ():
        sys.stdout.write(f"{files[name]['missing_branches']:>6} missing in {name}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
