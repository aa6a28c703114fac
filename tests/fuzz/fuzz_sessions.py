"""Plays with sessions at random under a virtual clock, and looks whether all holds that must.

    .venv/bin/python tests/fuzz/fuzz_sessions.py 10000 --seed 1
    .venv/bin/python tests/fuzz/fuzz_sessions.py 1 --seed 4711      # that round again

Each seed is a round; see session_round.py for what must hold. The exit code is 1 if something did
not; the seeds are told.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import logging

from fuzz.session_round import Round

SHOWN = 5  # failures of one kind


def fuzz(rounds: int, seed: int, drawn: Counter[str] | None = None) -> dict[int, BaseException]:
    """Play; gives what went wrong, by seed."""
    drawn = drawn if drawn is not None else Counter()
    wrong: dict[int, BaseException] = {}
    for number in range(seed, seed + rounds):
        try:
            played = Round(number, drawn)
            played.run()
        except Exception as error:
            error.add_note(f"It ended by: {played.end}")
            wrong[number] = error
    return wrong


def say(line: str) -> None:
    """Tell."""
    sys.stdout.write(line + "\n")


def main() -> int:
    """Fuzz; exit code 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # nodes fail on purpose
    drawn: Counter[str] = Counter()
    then = time.perf_counter()
    wrong = fuzz(options.rounds, options.seed, drawn)
    elapsed = time.perf_counter() - then
    kinds: dict[str, list[int]] = {}
    for seed, error in wrong.items():
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__} {str(error).splitlines()[0][:100] if str(error) else ''}"
        where = f"{Path(last.filename).name}:{last.lineno}"
        kinds.setdefault(f"{text} {error.__notes__[-1]} ({where})", []).append(seed)
    for what, seeds in sorted(kinds.items(), key=lambda item: -len(item[1])):
        say(f"WRONG {len(seeds)} × {what}: seeds {seeds[:SHOWN]}")
    if options.rounds == 1:
        for error in wrong.values():
            traceback.print_exception(error)
    say(f"rounds: {options.rounds}, seeds {options.seed} to {options.seed + options.rounds - 1}")
    say(f"in {elapsed:.1f} s; wrong: {len(wrong)}")
    say("drawn: " + ", ".join(f"{what} {count}" for what, count in sorted(drawn.items())))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
