"""The shapes of what a Garden server answers, member by member (garden-api 5). Used by client.py on every answer.

Names are exact, integers are integers in their range; a member that Go never omits must be there, one the shape does not
know must not.
"""

from wire import Rejected


def u64(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def u32(value):
    return u64(value) and value < 1 << 32


def i64(value):
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def text(value):
    return isinstance(value, str)


def texts(value):
    return value is None or isinstance(value, list) and all(map(text, value))


def text_map(value):
    return value is None or isinstance(value, dict) and all(map(text, value.values()))


def nothing(value):
    return value == {}


class Object:
    """`required` are there always; `omitted` only when not zero, as Go's omitempty has it."""

    def __init__(self, required, omitted=None):
        self.required, self.omitted = required, omitted or {}

    def __call__(self, value):
        if not isinstance(value, dict):
            raise Rejected(f"not an object: {value!r}")
        for name, shape in self.required.items():
            if name not in value:
                raise Rejected(f"member {name} is missing: {value}")
            check(value[name], shape, name)
        for name, shape in self.omitted.items():
            if name in value:
                check(value[name], shape, name)
                if value[name] in (0, "", [], {}):
                    raise Rejected(f"member {name} has its zero, which Go omits: {value}")
        unknown = set(value) - set(self.required) - set(self.omitted)
        if unknown:
            raise Rejected(f"unknown members {sorted(unknown)}")
        return True


class Maybe:
    def __init__(self, shape):
        self.shape = shape

    def __call__(self, value):
        return value is None or check(value, self.shape, "value")


class ListOf(Maybe):
    def __call__(self, value):
        return value is None or isinstance(value, list) and all(check(each, self.shape, "element") for each in value)


class MapOf(Maybe):
    def __call__(self, value):
        return isinstance(value, dict) and all(check(each, self.shape, name) for name, each in value.items())


def check(value, shape, name="answer"):
    if not shape(value):
        raise Rejected(f"{name}: {value!r} is not {getattr(shape, '__name__', type(shape).__name__)}")
    return True


ERROR = Object({"Type": text, "Message": text, "Handle": text, "ProcessID": text, "Binary": text})
CAPACITY = Object({}, {"memory_in_bytes": u64, "disk_in_bytes": u64, "schedulable_disk_in_bytes": u64, "max_containers": u64})
HANDLES = Object({"Handles": texts})
HANDLE = Object({"Handle": text})
INFO = Object({
    "State": text, "Events": texts, "HostIP": text, "ContainerIP": text, "ContainerIPv6": text, "ExternalIP": text,
    "ContainerPath": text, "ProcessIDs": texts, "Properties": text_map,
    "MappedPorts": ListOf(Object({"HostPort": u32, "ContainerPort": u32})),
})
MEMORY_STAT = Object({name: u64 for name in (
    "active_anon active_file cache hierarchical_memory_limit inactive_anon inactive_file mapped_file pgfault pgmajfault pgpgin "
    "pgpgout rss total_active_anon total_active_file total_cache total_inactive_anon total_inactive_file total_mapped_file "
    "total_pgfault total_pgmajfault total_pgpgin total_pgpgout total_rss total_unevictable unevictable swap "
    "hierarchical_memsw_limit total_swap TotalUsageTowardLimit anon file swapcached").split()})
METRICS = Object({
    "MemoryStat": MEMORY_STAT,
    "CPUStat": Object({"Usage": u64, "User": u64, "System": u64}),
    "DiskStat": Object(dict.fromkeys(("TotalBytesUsed", "TotalInodesUsed", "ExclusiveBytesUsed", "ExclusiveInodesUsed"), u64)),
    "NetworkStat": Maybe(Object({"RxBytes": u64, "TxBytes": u64})),
    "PidStat": Object({"Current": u64, "Max": u64}),
    "Age": i64, "CPUEntitlement": u64,
})
BULK_INFO = MapOf(Object({"Info": INFO, "Err": Maybe(ERROR)}))
BULK_METRICS = MapOf(Object({"Metrics": METRICS, "Err": Maybe(ERROR)}))
BANDWIDTH = Object({}, {"rate": u64, "burst": u64})
CPU = Object({}, {"weight": u64, "limit_in_shares": u64})
DISK = Object({}, {"inode_soft": u64, "inode_hard": u64, "byte_soft": u64, "byte_hard": u64, "scope": u64})
MEMORY = Object({}, {"limit_in_bytes": u64})
NET_IN = Object({}, {"host_port": u32, "container_port": u32})
VALUE = Object({"value": text})
