"""What is printed: the plan, how far it is, and at the end the table of both sides and of every fault."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import quantiles

from tests.chaos.monkey import Given
from tests.chaos.plan import PROCESSES, Kind, Plan
from tests.chaos.reader import Findings, Sides

WIDTH = 52
SHOWN = 20


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell_plan(plan: Plan, platform: str, divisor: int) -> None:
    say(f"{len(plan.orders)} invoices to {platform}, seed {plan.seed}, all clocks divided by {divisor}.")
    say(f"{len(plan.faults)} faults, each after so many invoices were sent with a click:")
    for fault in plan.faults:
        say(f"  {fault}")


def tell_faults(given: Sequence[Given], on_the_line: dict[Kind, int], times: dict[Kind, list[float]]) -> None:
    say(f"\n{'fault':<{WIDTH}}{'given':>6}   first document after, s (median, longest)")
    for kind in Kind:
        count = sum(each.kind is kind for each in given) or on_the_line.get(kind, 0)
        took = sorted(times.get(kind, []))
        shown = f"{took[len(took) // 2]:>8.1f}{took[-1]:>8.1f}" if took and kind in PROCESSES else ""
        say(f"{kind.value:<{WIDTH}}{count:>6}   {shown}".rstrip())


def recoveries(given: Sequence[Given], sides: Sides) -> dict[Kind, list[float]]:
    """From each fault to the first creating call after it that made its document."""
    made = sorted(datetime.fromisoformat(call.at) for call in sides.calls if call.status and call.status < 300)
    times: dict[Kind, list[float]] = {}
    for each in given:
        after = next((moment for moment in made if moment > each.at), None)
        if after is not None:
            times.setdefault(each.kind, []).append((after - each.at).total_seconds())
    return times


def tell_times(sides: Sides) -> None:
    took = [(row["sent_at"] - row["requested_at"]).total_seconds() for row in sides.invoices if row["sent_at"]]
    say("")
    for what, times in (("From Send to Sent", took), ("Unknown outcomes settled after", sides.unknown)):
        if len(times) > 1:
            cuts = quantiles(times, n=100, method="inclusive")
            say(f"{what}: p50 {cuts[49]:.1f} s, p99 {cuts[98]:.1f} s, longest {max(times):.1f} s ({len(times)}).")


def tell_findings(found: Findings, sides: Sides) -> None:
    columns = found.columns()
    say(f"\n{len(sides.invoices)} invoices, {len(sides.documents)} documents, {len(sides.calls)} creating calls.")
    say("  ".join(f"{name:>10}" for name in columns))
    say("  ".join(f"{len(words):>10}" for words in columns.values()))
    for line in _words(columns):
        say(line)


def _words(columns: dict[str, list[str]]) -> Iterator[str]:
    for name, words in columns.items():
        yield from (f"  {name}: {each}" for each in words[:SHOWN])
        if len(words) > SHOWN:
            yield f"  {name}: and {len(words) - SHOWN} more"
