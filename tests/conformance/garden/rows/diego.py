"""What the suite never uses and a Diego cell does with every container (garden-behaviours A.3): ports, rules, bulk calls, bind mounts."""

import os
import socket
import time

from harness import check, fails, has, poll, row, same
from internet import DENIED

from .networking import reaches


@row("diego:ping")
def ping(c):
    """Ping, on both listeners"""
    c.garden.ping()
    type(c.garden)(c.server.unix).ping()


@row("diego:bulk-info")
def bulk_info(c):
    """BulkInfo of several containers is what Info says"""
    handles = [c.create(properties={"executor:owner": "me"}) for _ in range(3)]
    entries = c.garden.bulk_info(*handles)
    same(sorted(entries), sorted(handles))
    for handle in handles:
        same(entries[handle]["Err"], None)
        same(entries[handle]["Info"], c.garden.info(handle))


def outside(c, handle, address=DENIED):
    return reaches(c, handle, address, 8080)


@row("diego:net-out")
def net_out(c):
    """a rule opens a denied network at once, for its container alone"""
    first, second = c.create(), c.create()
    check(not outside(c, first), "the denied network is open")
    c.garden.net_out(first, {"protocol": 1, "networks": [{"start": DENIED}], "ports": [{"start": 8080, "end": 8080}]})
    poll("TCP through the rule", lambda: outside(c, first))
    check(not outside(c, second))


@row("diego:bulk-net-out")
def bulk_net_out(c):
    """many rules at once; none is a no-op, as [] and as null; a wrong one takes all back"""
    handle = c.create()
    c.garden.bulk_net_out(handle, [])
    c.garden.bulk_net_out(handle, None)
    rules = [{"protocol": 1, "networks": [{"start": f"192.0.2.{n % 250 + 1}"}], "ports": [{"start": n + 1, "end": n + 1}]} for n in range(500)]
    fails("Ports cannot be specified for Protocol ICMP", c.garden.bulk_net_out, handle, [
        {"protocol": 1, "networks": [{"start": DENIED}]}, {"protocol": 3, "ports": [{"start": 1, "end": 2}]}])
    check(not outside(c, handle))
    c.garden.bulk_net_out(handle, [*rules, {"networks": [{"start": DENIED, "end": DENIED}]}])
    poll("TCP through the last rule", lambda: outside(c, handle))


@row("diego:net-out-at-create")
def net_out_at_create(c):
    """rules of the spec are in force when Create answers"""
    handle = c.create(netout_rules=[
        {"protocol": 3, "networks": [{"start": DENIED}], "icmps": {"type": 255, "code": 255}},
        {"protocol": 1, "networks": [{"start": DENIED}], "ports": [{"start": 8080, "end": 8080}], "log": True}])
    check(outside(c, handle), "the rule of the spec is not in force")
    has(c.run(handle, "ping", "-c", "1", "-W", "5", DENIED).out, "1 packets received")


@row("diego:net-out-errors")
def net_out_errors(c):
    """texts of rules that cannot be"""
    handle = c.create()
    fails("Ports cannot be specified for Protocol ALL", c.garden.net_out, handle, {"ports": [{"start": 1, "end": 2}]})
    fails("invalid protocol: 9", c.garden.net_out, handle, {"protocol": 9})


def mapped_port(c, handle, port, text, address=None):
    address = address or c.garden.info(handle)["ExternalIP"]

    def answered():
        try:
            with socket.create_connection((address, port), 2) as connection:
                connection.settimeout(2)
                return text in connection.recv(100)
        except OSError:
            return False
    return answered


@row("diego:net-in-at-create")
def net_in_at_create(c):
    """ports of the spec are mapped when Create answers; Info and the property tell them"""
    handle = c.create(netin=[{"host_port": 0, "container_port": 8080}, {"host_port": 0, "container_port": 2222}])
    ports = c.garden.info(handle)["MappedPorts"]
    same([each["ContainerPort"] for each in ports], [8080, 2222])
    check(all(each["HostPort"] for each in ports) and ports[0]["HostPort"] != ports[1]["HostPort"], ports)
    has(c.garden.property(handle, "garden.network.mapped-ports"), str(ports[0]["HostPort"]))
    c.start(handle, "sh", "-c", "while true; do echo diego-app | nc -l -p 8080; done")
    poll("an answer through the mapped port", mapped_port(c, handle, ports[0]["HostPort"], b"diego-app"))


@row("diego:net-in")
def net_in_numbers(c):
    """a given host port, and the same port inside when none is named; a port in use is refused"""
    handle = c.create()
    host_port, container_port = c.garden.net_in(handle, 0, 0)
    same(host_port, container_port)
    same(c.garden.net_in(handle, 50123, 7070), (50123, 7070))
    same(len(c.garden.info(handle)["MappedPorts"]), 2)


@row("diego:bind-mounts")
def bind_mounts(c):
    """bind mounts of Create: read-only by default, writable when asked for, files too; a missing source fails"""
    source = os.path.join(c.server.home, f"mounts-{os.getpid()}-{time.monotonic_ns()}")
    os.makedirs(source)
    os.chmod(source, 0o777)
    with open(os.path.join(source, "file"), "w") as out:
        out.write("from the host\n")
    handle = c.create(bind_mounts=[
        {"src_path": source, "dst_path": "/mnt/made/ro"},
        {"src_path": source, "dst_path": "/mnt/rw", "mode": 1, "origin": 0},
        {"src_path": os.path.join(source, "file"), "dst_path": "/etc/one-file"}])
    same(c.run(handle, "cat", "/mnt/made/ro/file", "/etc/one-file").ok(), "from the host\n" * 2)
    check(c.run(handle, "touch", "/mnt/made/ro/new").code != 0)
    c.sh(handle, "echo back > /mnt/rw/new").ok()
    with open(os.path.join(source, "new")) as text:
        same(text.read(), "back\n")
    fails("", c.garden.create, bind_mounts=[{"src_path": source + "/none", "dst_path": "/mnt"}])


@row("diego:create")
def create_as_the_executor_does(c):
    """the spec of an executor: owner, limits, environment; Info right after; lists by owner and with garden.state=all"""
    owner = f"executor-{time.monotonic_ns()}"
    handle = c.create(
        properties={"executor:owner": owner, "log_config": "{}", "network.app_id": "a"}, env=["A=1"],
        limits={"memory": {"limit_in_bytes": 256 << 20}, "disk": {"byte_hard": 1 << 30}, "pid": {"max": 1024},
                "cpu": {"limit_in_shares": 256, "weight": 256}})
    info = c.garden.info(handle)
    check(info["ExternalIP"] and info["ContainerIP"] and info["HostIP"], info)
    same(info["MappedPorts"], [])
    same(c.garden.list_by({"executor:owner": owner}), [handle])
    check(handle in c.garden.list_by({"garden.state": "all"}))
    same(c.garden.property(handle, "garden.state"), "created")
    same(c.garden.property(handle, "garden.network.container-ip"), info["ContainerIP"])
    stat = c.garden.bulk_metrics(handle)[handle]["Metrics"]["DiskStat"]
    check(stat["TotalBytesUsed"] > stat["ExclusiveBytesUsed"] >= 0, stat)


@row("diego:kill")
def term_then_kill(c):
    """TERM, then KILL: the exit comes within a second of KILL"""
    process = c.start(c.create(), "sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.2; done")
    process.stdout.expect("up")
    process.signal(0)
    time.sleep(0.3)
    start = time.monotonic()
    process.signal(1)
    same(process.wait(), 137)
    check(time.monotonic() - start < 10, "the exit took too long")


@row("diego:oom")
def out_of_memory(c):
    """an OOM kill is an event of Info, in a spelling the executor takes"""
    handle = c.create(limits={"memory": {"limit_in_bytes": 32 << 20}})
    check(c.run(handle, "dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=64").code != 0)
    poll("the event", lambda: "Out of memory" in (c.garden.info(handle)["Events"] or []))


@row("diego:destroy-twice")
def destroy_beside_destroy(c):
    """two destroys at once: one does it, the other hears the text the executor compares"""
    import threading

    from client import GardenError
    handle = c.create()
    c.start(handle, "sleep", "1000")
    heard = []

    def destroy():
        try:
            c.garden.destroy(handle)
            heard.append("")
        except GardenError as error:
            heard.append(str(error))
    threads = [threading.Thread(target=destroy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("" in heard, heard)
    check(set(heard) <= {"", "container already being destroyed", f"unknown handle: {handle}"}, heard)


@row("diego:unknown-handle")
def unknown_handles_everywhere(c):
    """every call about an unknown handle is ContainerNotFoundError"""
    garden = c.garden
    for call in (garden.info, garden.metrics, garden.properties, garden.stop, garden.destroy,
                 lambda h: garden.property(h, "k"), lambda h: garden.set_property(h, "k", "v"),
                 lambda h: garden.remove_property(h, "k"), lambda h: garden.set_grace_time(h, 1), lambda h: garden.net_out(h, {}),
                 lambda h: garden.bulk_net_out(h, []), lambda h: garden.limits(h, "cpu"), lambda h: garden.stream_out(h, "/"),
                 lambda h: garden.stream_in(h, b"\0" * 1024), lambda h: garden.start(h, "true"), lambda h: garden.attach(h, "p")):
        same(str(fails("", call, "no-such-handle", kind="ContainerNotFoundError")), "unknown handle: no-such-handle")
