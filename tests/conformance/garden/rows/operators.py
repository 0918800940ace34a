"""What operators of Garden's own server know (garden-behaviours E): flags, commands, the ini file, an inherited socket."""

import os
import signal
import socket
import subprocess

import wire
from client import Garden
from harness import check, has, poll, row, same

# Every key of the table, with a value of the right kind; "" = a switch.
FLAGS = {
    "bind-ip": "127.0.0.1", "bind-port": "7777", "bind-socket": "/tmp/x.sock", "debug-bind-ip": "127.0.0.1", "debug-bind-port": "17013",
    "log-level": "info", "tag": "zz", "skip-setup": "", "read-header-timeout": "30s", "depot": "/tmp/depot",
    "properties-path": "/tmp/properties.json", "console-sockets-path": "/tmp/consoles", "cleanup-process-dirs-on-wait": "",
    "disable-privileged-containers": "", "device-cgroup-rule": "c 10:200 rwm", "uid-map-start": "1", "uid-map-length": "65535",
    "gid-map-start": "1", "gid-map-length": "65535", "default-rootfs": "/tmp/rootfs.tar", "default-grace-time": "0",
    "destroy-containers-on-startup": "", "apparmor": "profile", "no-new-privileges": "", "assets-dir": "/tmp/assets",
    "dadoo-bin": "/bin/true", "nstar-bin": "/bin/true", "tar-bin": "/bin/tar", "init-bin": "/bin/true",
    "iptables-bin": "/sbin/iptables", "iptables-restore-bin": "/sbin/iptables-restore", "runtime-plugin": "runc",
    "runtime-plugin-extra-arg": "--debug", "no-image-plugin": "", "docker-registry": "registry-1.docker.io",
    "insecure-docker-registry": "10.0.0.1:5000", "network-pool": "10.254.0.0/22", "allow-host-access": "",
    "deny-network": "10.0.0.0/8", "dns-server": "8.8.8.8", "additional-dns-server": "1.1.1.1",
    "additional-host-entry": "1.2.3.4 somewhere", "external-ip": "1.2.3.4", "port-pool-start": "61001", "port-pool-size": "4534",
    "port-pool-properties-path": "/tmp/ports.json", "mtu": "1400", "enable-container-network-metrics": "",
    "cpu-quota-per-share": "10", "default-container-blockio-weight": "0", "container-io-max-read-bps": "0",
    "container-io-max-write-bps": "0", "container-io-max-read-iops": "0", "container-io-max-write-iops": "0", "max-containers": "250",
    "disable-swap-limit": "", "metrics-emission-interval": "1m", "dropsonde-origin": "garden-linux",
    "dropsonde-destination": "127.0.0.1:3457", "cpu-entitlement-per-share": "0.5", "containerd-socket": "/run/containerd/containerd.sock",
    "use-containerd-for-processes": "", "enable-cpu-throttling": "", "cpu-throttling-check-interval": "15s", "tcp-keepalive-time": "0",
    "tcp-keepalive-interval": "0", "tcp-keepalive-probes": "0", "tcp-retries1": "0", "tcp-retries2": "0", "time-format": "rfc3339",
}
# A plugin is a program that is asked: what is given here must be one that exists.
PLUGINS = {name: "/bin/true" for name in ("image-plugin", "privileged-image-plugin", "network-plugin")}
PLUGINS.update({name: "-x" for name in ("image-plugin-extra-arg", "privileged-image-plugin-extra-arg", "network-plugin-extra-arg")})
LISTS = ("device-cgroup-rule", "insecure-docker-registry", "deny-network", "dns-server", "additional-dns-server", "additional-host-entry")


def gardend(c, *words, **more):
    return subprocess.run([os.path.join(c.host.programs, "gardend"), *words], capture_output=True, text=True, timeout=60, **more)


@row("operators:flags")
def every_flag_is_taken(c):
    """every flag of Garden's server is taken, all at once, lists twice; plugins one by one"""
    words = []
    for name, value in FLAGS.items():
        words += ([f"--{name}", value] if value else [f"--{name}"]) * (2 if name in LISTS else 1)
    done = gardend(c, "server", "--check-config", *words)
    check(done.returncode == 0 and "good" in done.stdout, done.stderr)
    for name, value in PLUGINS.items():
        whole = ["--image-plugin", "/bin/true", f"--{name.removesuffix('-extra-arg')}", "/bin/true"]
        done = gardend(c, "server", "--check-config", *whole, f"--{name}={value}")
        check(done.returncode == 0 or "/bin/true" in done.stderr, done.stderr)
    done = gardend(c, "server", "--no-such-flag")
    same(done.returncode, 2)


def ini(c, text):
    path = os.path.join(c.server.home, f"config-{os.getpid()}.ini")
    with open(path, "w") as out:
        out.write(text)
    return path


@row("operators:ini")
def the_ini_file(c):
    """--config takes the file of Garden's server: every key of the table, lists by repetition"""
    lines = ["; made by a BOSH template", "", "[server]"]
    for name, value in FLAGS.items():
        value = value or "true"
        lines += [f"  {name} = {value}"] * (2 if name in LISTS else 1)
    path = ini(c, "\n".join(lines) + "\n")
    done = gardend(c, "server", "--check-config", "--config", path)
    check(done.returncode == 0, done.stderr)
    printed = gardend(c, "server", "--print-config", "--config", path).stdout
    has(printed, 'deny = ["10.0.0.0/8", "10.0.0.0/8"]', "allow_host_access = true", "max_containers = 250", 'tag = "zz"')
    for text in ("[server]\n  no-such-key = 1\n", "[elsewhere]\n", "[server\n", "[server]\n = 7\n", "[server]\n mtu = \"14\n"):
        done = gardend(c, "server", "--check-config", "--config", ini(c, text))
        same(done.returncode, 2)
        has(done.stderr, " line ")


@row("operators:version")
def version(c):
    """-v prints the version"""
    for flag in ("-v", "--version"):
        done = gardend(c, flag)
        same(done.returncode, 0)
        has(done.stdout, "gardend ")


@row("operators:commands", alone=True)
def commands(c):
    """setup, server with an ini file and a socket that the parent opened, SIGTERM, containers that stay, cleanup"""
    server = c.host.extra_server("operators")
    try:
        same(subprocess.run([*server.words("setup"), "--enable-cpu-throttling"], timeout=60, check=False).returncode, 0)
        listener = socket.create_server(("127.0.0.1", 0))
        address = wire.Address(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        number = listener.fileno()
        path = ini(c, "[server]\n  allow-host-access = true\n  time-format = unix-epoch\n")
        log = open(os.path.join(server.home, "log"), "ab")  # noqa: SIM115  the daemon's
        server.log = log
        server.daemon = subprocess.Popen(server.words("server", "--config", path), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                         env={**os.environ, "SOCKET2ME_FD": str(number)}, pass_fds=[number])
        listener.close()
        server.garden = Garden(address)
        server.wait()
        check(not os.path.exists(server.socket), "SOCKET2ME_FD stands for the socket")
        handle = server.garden.create()
        process = server.garden.start(handle, "sh", "-c", "ls /proc/self/fd; sleep 1000", outputs=("stdout",))
        process.stdout.expect("0\n1\n2\n3\n")  # the inherited socket is not inherited further
        process.close()
        has(server.log_text(), "time-format")
        same(server.end(signal.SIGTERM), 0)
        server.garden = Garden(server.tcp)
        server.start()
        poll("the container of before", lambda: handle in server.garden.list())
        same(server.garden.info(handle)["State"], "active")
        same(server.end(signal.SIGINT), 0)
        done = subprocess.run(server.words("cleanup"), capture_output=True, text=True, timeout=120, check=False)
        check(done.returncode == 0, done.stderr)
        server.start()
        same(server.garden.list_by({"garden.state": "all"}), [])
    finally:
        faults = server.stop()
    same(faults, [])
