"""Rows of capacity, debug, smoke, container_info, metrics."""

import json
import uuid

import wire
from harness import check, has, poll, row, same


@row("capacity:15", "capacity:21", "capacity:27", "capacity:33")
def capacity_has_all_four(c):
    """Capacity reports memory, disk, schedulable disk and container count"""
    c.create()
    capacity = c.garden.capacity()
    for name in ("memory_in_bytes", "disk_in_bytes", "schedulable_disk_in_bytes", "max_containers"):
        check(capacity.get(name, 0) > 0, f"{name}: {capacity}")


@row("debug:35")
def debug_has_memory(c):
    """the debug server publishes runtime variables"""
    c.create()
    answer = wire.call(wire.Address(f"tcp://127.0.0.1:{c.server.debug_port}"), "GET", "/debug/vars")
    same(answer.status, 200)
    values = json.loads(answer.body)
    check(values["memstats"]["Alloc"] > 0, answer.body)


@row("debug:vars")
def debug_has_the_operators_figures(c):
    """/debug/vars has numCPUS, numGoRoutines, loopDevices, backingStores, depotDirs (E)"""
    c.create()
    values = json.loads(wire.call(wire.Address(f"tcp://127.0.0.1:{c.server.debug_port}"), "GET", "/debug/vars").body)
    for name in ("numCPUS", "numGoRoutines", "loopDevices", "backingStores", "depotDirs"):
        check(isinstance(values[name], int) and values[name] >= 0, f"{name}: {values}")
    check(values["numCPUS"] > 0 and values["numGoRoutines"] > 0 and values["depotDirs"] > 0, values)


@row("smoke:16")
def a_named_user_runs_a_program(c):
    """a named user can run a program"""
    same(c.run(c.container(), "whoami", user="alice").ok(), "alice\n")


@row("container_info:26")
def info_has_the_properties_of_create(c):
    """Info carries the create-time properties"""
    handle = c.create(properties={"foo": "bar", "a": "b"})
    info = c.garden.info(handle)
    same(info["Properties"]["foo"], "bar")
    same(info["Properties"]["a"], "b")


@row("container_info:36")
def metrics_without_info(c):
    """Metrics without a prior Info"""
    metrics = c.garden.metrics(c.create())
    check(metrics["Age"] > 0 and metrics["PidStat"]["Current"] > 0, metrics)


@row("container_info:47")
def set_property_adds(c):
    """SetProperty, then Properties has old and new keys"""
    handle = c.create(properties={"foo": "bar"})
    c.garden.set_property(handle, "new", "value")
    properties = c.garden.properties(handle)
    same((properties["foo"], properties["new"]), ("bar", "value"))


@row("container_info:58")
def properties_are_replaced_and_removed(c):
    """Property, SetProperty (replace), RemoveProperty, Info"""
    handle = c.create(properties={"foo": "bar", "gone": "soon"})
    same(c.garden.property(handle, "foo"), "bar")
    c.garden.set_property(handle, "foo", "baz")
    c.garden.remove_property(handle, "gone")
    c.garden.remove_property(handle, "never-there")
    properties = c.garden.info(handle)["Properties"]
    same(properties["foo"], "baz")
    check("gone" not in properties)


@row("container_info:109")
def list_by_properties(c):
    """a filter gives exactly the container that matches"""
    mark = uuid.uuid4().hex
    handles = [c.create(properties={"mark": mark, "name": name, "a b": "c&d"}) for name in ("one", "two", "three")]
    same(c.garden.list(mark=mark, name="two"), [handles[1]])
    same(c.garden.list(mark=mark, name="four"), [])
    same(sorted(c.garden.list_by({"mark": mark, "a b": "c&d"})), sorted(handles))


@row("container_info:140")
def list_without_a_filter(c):
    """List without a filter has all"""
    handles = [c.create(), c.create()]
    listed = c.garden.list()
    check(set(handles) <= set(listed), listed)


def busy(c, **members):
    """An endless printing loop with nobody who reads: the process must never block, no buffer may grow without bound."""
    handle = c.container(**members)
    c.start(handle, "sh", "-c", "while true; do echo -n the quick brown fox; done", user="alice", outputs=())
    return handle


@row("metrics:36")
def cpu_usage_grows(c):
    """CPU usage of a busy container"""
    handle = busy(c)
    poll("CPU usage", lambda: c.garden.metrics(handle)["CPUStat"]["Usage"])


@row("metrics:42")
def memory_is_used(c):
    """memory toward the limit of a busy container"""
    handle = busy(c)
    poll("memory", lambda: c.garden.metrics(handle)["MemoryStat"]["TotalUsageTowardLimit"])


@row("metrics:48", "metrics:54")
def pids_are_counted(c):
    """current pids of a busy container; without a limit Max is 0"""
    handle = busy(c)
    poll("pids", lambda: c.garden.metrics(handle)["PidStat"]["Current"] >= 2)
    same(c.garden.metrics(handle)["PidStat"]["Max"], 0)


@row("metrics:70")
def the_pid_limit_is_reported(c):
    """PidStat.Max is the pid limit"""
    same(c.garden.metrics(busy(c, limits={"pid": {"max": 128}}))["PidStat"]["Max"], 128)


@row("metrics:77")
def age_grows(c):
    """Age is not zero"""
    handle = busy(c)
    first = c.garden.metrics(handle)["Age"]
    check(0 < first < c.garden.metrics(handle)["Age"] < 600 * 10**9)


@row("metrics:83", "metrics:89")
def bulk_metrics(c):
    """BulkMetrics has the key, and memory in use"""
    handle = busy(c)

    def used():
        entry = c.garden.bulk_metrics(handle)[handle]
        same(entry["Err"], None)
        return entry["Metrics"]["MemoryStat"]["TotalUsageTowardLimit"]
    poll("memory", used)


@row("api:5.9")
def bulk_results_have_an_entry_for_every_handle(c):
    """bulk calls answer for unknown handles with Err, and for none with {}"""
    handle = c.create()
    for entries, what in ((c.garden.bulk_info(handle, "nobody"), "Info"), (c.garden.bulk_metrics(handle, "nobody"), "Metrics")):
        same(sorted(entries), sorted([handle, "nobody"]))
        same(entries[handle]["Err"], None)
        check(entries["nobody"]["Err"] is not None and what in entries["nobody"])
    same(c.garden.bulk_info(), {})
    same(wire.call(c.garden.address, "GET", "/containers/bulk_info?handles=").json(), {})
    has("".join(c.garden.bulk_info(handle)[handle]["Info"]["State"]), "active")
