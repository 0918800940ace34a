"""Every row of the acceptance suite's checklist (garden-behaviours B), and which test of ours covers it. Used by conformance.py --list."""

# Part: lines; a trailing N means that the suite needs the real internet there, S that it skips itself by default.
SUITE = {
    "capacity": "15 21 27 33",
    "debug": "35",
    "smoke": "16",
    "container_info": "26 36 47 58 109 140",
    "cpu_throttling": "74S",
    "devices": "32 33 34 35 36 37 38 46 55S 102 103 104 105 108",
    "lifecycle": "61 73S 86 94 104 128 156 160 165 169 192 204 223 234 240 253 267 277 301 331 345 360 389 410 452 481 537 574 629 "
                 "641 667 689 723 772 810 839 873 898 954 1007 1032 1067 1116 1130 1221 1256 1300 1320 1330 1348 1369 1387 1415 1429 "
                 "1490 1533 1554 1562",
    "limits": "31S 48 105 115 133 197 203 225 239 265 295 315 336 372 383 403 440 471 482 513 530 602",
    "maskedpaths": "20 47 66 82",
    "metrics": "36 42 48 54 70 77 83 89",
    "networking": "27 52 62 77 87 135 139 148N 158N 162 174N 214N",
    "peas": "38 55 69 86 96 109 124 134 151 171 199 215 232 245 290 309 320 336 356 387 421",
    "process": "22 47 67 108 128 165 201 259 279 290 310 333 354 386 400 414",
    "rootfs": "30S 42 52 75S 85S 97",
    "security": "33 57 70 79 93 109S 152 161 170 188S 208 231 242 253 262 272 286 300 308 327 336 345 353 367 378 395 404 415 430 453 "
                "482 494 506 517 527 536 553 572 587 596 631 641",
    "user": "19 32 64 80 90",
}
# Tests that only say why the row does not apply.
NOT_HERE = {
    "cpu_throttling:74": "CPU throttling is not a feature of this server",
    "devices:55": "NESTED is never set: a container's devices group stays as it is",
    "rootfs:30": "an Azure account; rootfs:75 stands for private registries",
}
MARKS = {"N": "stands on the internet of the fixture", "S": "skipped by the suite's defaults"}


def rows_of_suite():
    for part, lines in SUITE.items():
        for line in lines.split():
            yield f"{part}:{line.rstrip('NS')}", line[-1] if line[-1] in MARKS else ""


def report(tests):
    """Markdown: what README.md shows between its markers."""
    covered = {name for test in tests for name in test.rows}
    suite = dict(rows_of_suite())
    missing = [name for name in suite if name not in covered]
    out = ["| Part | Covered | Not covered |", "|---|---|---|"]
    for part in SUITE:
        names = [name for name in suite if name.startswith(part + ":")]
        lines = " ".join(name.partition(":")[2] + suite[name] for name in names if name in covered and name not in NOT_HERE)
        absent = " ".join(name.partition(":")[2] for name in names if name not in covered or name in NOT_HERE)
        out.append(f"| {part} | {lines} | {absent} |")
    out.append("")
    out += [f"`{mark}`: {text}." for mark, text in MARKS.items()]
    out += [f"{name}: {reason}." for name, reason in NOT_HERE.items()] + [f"{name}: no test." for name in missing]
    ours = {}
    for test in tests:
        for name in test.rows:
            if name not in suite:
                ours.setdefault(name.partition(":")[0], []).append(name.partition(":")[2])
    out += ["", "Rows of our own:", ""]
    out += [f"* `{part}`: {', '.join(names)}" for part, names in sorted(ours.items())]
    number = len(suite) - len(missing) - len(NOT_HERE)
    out += ["", f"{number} of {len(suite)} lines of the suite (226 specs), {sum(map(len, ours.values()))} rows of our own, {len(tests)} tests."]
    return "\n".join(out)


BEGIN, END = "<!-- rows -->\n", "<!-- end of rows -->\n"


def compare(tests, readme):
    """0 when the README has the table of today."""
    with open(readme) as text:
        _, _, rest = text.read().partition(BEGIN)
    if rest.partition(END)[0].strip() == report(tests).strip():
        return 0
    print(f"{readme}: the rows are not those of --list; hint: conformance.py --list, between the markers")
    return 1
