"""What every peer's script shares: copies of its rows, and its turn, taken when the bench says so."""

import sys
import time


def copies(columns, table, fresh, count):
    """SQL that copies each row of a table so many times; `fresh` has the SQL of the columns that must differ, of n."""
    listed = ", ".join(f'"{column}"' for column in columns)
    chosen = ", ".join(fresh.get(column, f'was."{column}"') for column in columns)
    rows = f'FROM "{table}" was, generate_series(1, {count}) n'
    return f'INSERT INTO "{table}" ({listed}) SELECT {chosen} {rows}'


def take(works):
    """Answers each line `name times` with the nanoseconds that so many runs of that work took."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for told in sys.stdin:
        name, times = told.split()
        began = time.perf_counter_ns()
        for _ in range(int(times)):
            works[name]()
        sys.stdout.write(f"{time.perf_counter_ns() - began}\n")
        sys.stdout.flush()
