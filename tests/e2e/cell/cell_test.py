#!/usr/bin/env python3
"""celld above a real gardend: the acceptance list of the executor, restarts, transfers, the rep.

cell_test.py --programs DIR [--apart LETTER OCTET] [TestName…]; DIR holds celld, gardend and its helpers. Needs root, a
static busybox, nginx and openssl; without them it prints SKIP and ends with 77 (1 when CLOCHE_NO_SKIP is set).
A second run beside the first one needs tags and pools of its own: --apart k 183 has k… and 10.183….
"""

import os
import shutil
import sys
import unittest

import case
from brain_tests import Brains  # noqa: F401
from cell import Cell, busybox_or_skip, skip
from cli_tests import CommandLine, Evacuation  # noqa: F401
from executor_tests import Backend, Health, Lives, Logs, Recipes, Reservations  # noqa: F401  unittest finds them here
from identity_tests import Identity, IdentityRotation, authority_flags  # noqa: F401
from owner_tests import Tags  # noqa: F401
from registry_tests import PrivateImages  # noqa: F401
from restart_tests import Restarts  # noqa: F401
from rootfs_tests import ExtraStacks, LayersOnTop  # noqa: F401
from trace_tests import Traces, UnknownServers  # noqa: F401
from transfer_tests import Transfers  # noqa: F401

FLAGS = ["--unhealthy-interval", "300ms", "--healthy-interval", "300ms", "--reap-interval", "2s",
         "--container-environment", "FROM_CELL=yes", "--garden-check-interval", "5s", "--rep-listen", "tcp://127.0.0.1:0"]


def main():
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--programs":
        sys.exit(__doc__)
    if words[2:3] == ["--apart"]:
        Cell.letter, Cell.octet = words[3], int(words[4])
        del words[2:5]
    busybox = busybox_or_skip()
    if not shutil.which("openssl"):
        skip("openssl is needed")
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        skip("nginx is needed")
    case.cell = Cell(words[1], busybox)
    case.cell.words = [*FLAGS, "--volumes", os.path.join(case.cell.home, "volumes"),
                       "--transfer-ca", os.path.join(case.cell.home, "known.pem"), *authority_flags(case.cell.home)]
    left, orphans = [], []
    try:
        case.cell.start_nginx()
        case.cell.start()
        result = unittest.main(module=__name__, argv=[sys.argv[0], *words[2:]], exit=False, verbosity=2).result
        left = [h for h in case.cell.handles() if not h.startswith("check-")]
        orphans = case.cell.doctor()
    finally:
        case.cell.stop()
    if left or orphans or case.cell.cleaned != 0:
        sys.exit(f"left: containers {left}, orphans {orphans}; cleanup ended with {case.cell.cleaned}")
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
