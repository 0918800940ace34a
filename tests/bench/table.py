"""The table of a benchmark, its verdicts, and where they are written. Used by run and cells.py."""

import json
import os
import statistics


class Table:
    def __init__(self):
        self.rows = []

    def add(self, work, who, value, unit, note=""):
        self.rows.append({"work": work, "who": who, "value": value, "unit": unit, "note": note})

    def samples(self, work, who, values):
        values = sorted(values)
        p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
        self.add(work, who, statistics.median(values), "ms", f"p99 {p99:.2f}, {len(values)} rounds")

    def get(self, work, who):
        return next((row["value"] for row in self.rows if row["work"] == work and row["who"] == who), None)


def verdict(text, ours, reference, factor_must, factor_aim):
    """ours <= reference * factor; a factor below 1 asks us to be faster."""
    if ours is None or reference is None:
        return {"budget": text, "result": "not measured"}
    ratio = ours / reference
    good = "aim met" if ratio <= factor_aim else "must met" if ratio <= factor_must else "NOT met"
    return {"budget": text, "ratio": round(ratio, 4), "must": round(factor_must, 4), "aim": round(factor_aim, 4), "result": good}


def show_rows(table):
    print(f"{'work':54} {'who':8} {'median':>10}    note")
    for row in sorted(table.rows, key=lambda r: (r["work"], r["who"])):
        value = "-" if row["value"] is None else f"{row['value']:.2f}"
        print(f"{row['work']:54} {row['who']:8} {value:>10} {row['unit']:5} {row['note']}")


def show_verdicts(verdicts):
    for row in verdicts:
        ratio = f"ratio {row['ratio']:.3f} (must {row['must']:.3f}, aim {row['aim']:.3f})" if "ratio" in row else ""
        print(f"{row['result']:12} {row['budget']:52} {ratio}")


def store(path, table, verdicts, **more):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"rows": table.rows, "budgets": verdicts, "kernel": os.uname().release, "processors": os.cpu_count(), **more}, file, indent=1)
