"""Changes of security groups and packets through them, with few and with many containers (bench-rules). Used by run --rules."""

import json
import os
import subprocess

COLUMNS = (("append_us", "one rule more, ms", 1000), ("replace_us", "same rules anew, ms", 1000),
           ("exchange_us", "other rules, ms", 1000), ("connect_us", "connect, ms", 1000),
           ("allow_us", "first rules, ms", 1000), ("disconnect_us", "disconnect, ms", 1000),
           ("established_per_second", "of a flow, 1000/s", 1000), ("new_per_second", "new flows, 1000/s", 1000))


def show(build, rules=50, containers=(1, 100, 500)):
    program = f"{build}/bin/bench-rules"
    if not os.path.exists(program):
        print(f"absent       {program}: ninja bench")
        return
    print(f"security groups of {rules} rules")
    print(f"{'who':10}{'containers':>12}" + "".join(f"{title:>21}" for _, title, _ in COLUMNS))
    for who in ("ours", "iptables"):
        done = subprocess.run([program, who, str(rules), *map(str, containers)], stdout=subprocess.PIPE, check=True)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            if "absent" in row:
                print(f"absent       {who}: {row['absent']}")
                continue
            assert 0.99 < row["arrived"] < 1.01, row  # otherwise nothing was measured
            print(f"{who:10}{row['containers']:>12}" + "".join(f"{row[name] / scale:>21.2f}" for name, _, scale in COLUMNS))
