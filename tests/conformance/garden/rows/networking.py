"""Rows of networking. The internet of the fixture stands in for the real one: 8.8.8.8 answers, names resolve."""

import socket

from harness import check, has, poll, row, same

RECEIVED = "1 packets transmitted, 1 packets received"


def pings(c, handle, name):
    def answered():
        return RECEIVED in c.run(handle, "ping", "-c", "1", "-W", "2", name).out
    poll(f"an echo from {name}", answered, every=0.2)


def reaches(c, handle, address="8.8.8.8", port=53):
    return "hello" in c.sh(handle, f"echo | nc -w3 {address} {port}").out


@row("networking:27")
def net_in(c):
    """a mapped port reaches a listener in the container"""
    handle = c.create()
    host_port, container_port = c.garden.net_in(handle, 0, 8080)
    same(container_port, 8080)
    check(host_port > 0)
    c.start(handle, "sh", "-c", "while true; do echo from-inside | nc -l -p 8080; done")
    address = c.garden.info(handle)["ExternalIP"]

    def answered():
        try:
            with socket.create_connection((address, host_port), 2) as connection:
                connection.settimeout(2)
                return b"from-inside" in connection.recv(100)
        except OSError:
            return False
    poll("an answer through the mapped port", answered)


@row("networking:52", "networking:62")
def root_may_write_hosts(c):
    """the container's root may overwrite /etc/hosts and /etc/resolv.conf"""
    handle = c.create()
    for path in ("/etc/hosts", "/etc/resolv.conf"):
        c.sh(handle, f"echo NONSENSE > {path}").ok()
        same(c.run(handle, "cat", path).ok(), "NONSENSE\n")


@row("networking:77", "networking:87")
def others_may_not_write_hosts(c):
    """another user may not"""
    handle = c.create(image="docker:///cloudfoundry/garden-rootfs")
    for path in ("/etc/hosts", "/etc/resolv.conf"):
        done = c.sh(handle, f"echo NONSENSE > {path}", user="alice")
        same(done.code, 1)
        has(done.err, "Permission denied")


@row("networking:135", "networking:139")
def localhost_and_own_name(c):
    """localhost and the own name answer pings"""
    handle = c.create()
    pings(c, handle, "localhost")
    pings(c, handle, handle[-49:])


@row("networking:148")
def names_although_the_image_has_a_resolver(c):
    """names resolve although the image brings its own resolv.conf"""
    pings(c, c.create(image="docker:///debian#jessie-20180312"), "www.example.com")


@row("networking:158", "networking:162")
def names_although_the_image_has_nothing(c):
    """names, and the own name, resolve although the image has no resolv.conf and no hosts"""
    handle = c.create(image="docker:///busybox#1.37.0")
    pings(c, handle, "www.example.com")
    pings(c, handle, handle[-49:])


@row("networking:174")
def a_subnet_of_several(c):
    """containers come and go on a subnet, the first one keeps its connections"""
    network = "192.168.13.0/24"
    first = c.create(network=network)
    for _ in range(5):
        other = c.create(network=network)
        poll("TCP from the other", lambda other=other: reaches(c, other))
        c.garden.destroy(other)
        check(reaches(c, first), "TCP from the first")


@row("networking:214")
def a_subnet_again(c):
    """a subnet is usable again after its last container"""
    for _ in range(3):
        handle = c.create(network="192.168.14.0/24")
        poll("TCP out", lambda handle=handle: reaches(c, handle))
        c.garden.destroy(handle)
