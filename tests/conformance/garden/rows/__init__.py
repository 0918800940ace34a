"""The rows, one module per part of the suite; importing them fills harness.TESTS."""

from . import devices, diego, files, golden, hostile, info, lifecycle, limits, networking, operators, peas  # noqa: F401
from . import privileged, process, rootfs, security, streams, terminal  # noqa: F401
