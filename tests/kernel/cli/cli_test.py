#!/usr/bin/env python3
"""The program `cloche` against a real gardend: every command, codes, streams, terminals.

cli_test.py --programs DIR [TestName…]; DIR holds gardend, its helpers and cloche. Needs root and a
static busybox; without them it prints SKIP and ends with 77 (1 when CLOCHE_NO_SKIP is set).
"""

import sys
import unittest

import case
from audit_tests import Audit  # noqa: F401  unittest finds them here
from evidence_tests import AuditLog, Evidence  # noqa: F401
from host_tests import Codes, Copy, Reads  # noqa: F401
from machine import Machine, busybox_or_skip
from process_tests import Exec, Pull, Run, Terminals  # noqa: F401


def main():
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--programs":
        sys.exit(__doc__)
    busybox = busybox_or_skip()
    case.machine = Machine(words[1], busybox)
    try:
        case.machine.start()
        result = unittest.main(module=__name__, argv=[sys.argv[0], *words[2:]], exit=False, verbosity=2).result
        left = case.machine.cloche("container", "list", "-a", "-q").stdout.split()
    finally:
        cleaned = case.machine.stop()
    if left or cleaned != 0:
        sys.exit(f"containers are left: {left}; cleanup ended with {cleaned}")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
