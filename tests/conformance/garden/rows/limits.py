"""Rows of limits, and the one of cpu_throttling."""

from harness import Skip, check, fails, has, need, need_program, poll, row, same

from .lifecycle import cgroup2

MIB = 1 << 20
TOTAL, EXCLUSIVE = 0, 1


def disk(mib, scope=TOTAL):
    return {"disk": {"byte_hard": mib * MIB, **({"scope": scope} if scope else {})}}


def write(c, handle, path, mib, user="root"):
    return c.run(handle, "dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={mib}", user=user)


def need_quota(c):
    features = c.server.features() if hasattr(c.server, "features") else {}
    need(features.get("quota_driver", "") != "none", "no disk quota on this host's --store")


@row("limits:31")
def cpu_on_v1(c):
    """cgroup v1: 100 shares are 100"""
    need(not cgroup2(), "cgroup v2 here")
    same(c.garden.limits(c.create(limits={"cpu": {"limit_in_shares": 100}}), "cpu"), {"limit_in_shares": 100})


@row("limits:48")
def cpu_on_v2(c):
    """cgroup v2: weight 280 comes back as 37"""
    need(cgroup2(), "cgroup v1 here")
    same(c.garden.limits(c.create(limits={"cpu": {"weight": 280}}), "cpu"), {"limit_in_shares": 37})


@row("limits:105", "limits:115", "limits:133")
def memory(c):
    """64 MiB: reported, exceeded by 65, not exceeded by 58"""
    handle = c.container(limits={"memory": {"limit_in_bytes": 64 * MIB}})
    same(c.garden.limits(handle, "memory"), {"limit_in_bytes": 67108864})
    write(c, handle, "/dev/shm/too-big", 58).ok()
    c.run(handle, "rm", "/dev/shm/too-big").ok()
    check(write(c, handle, "/dev/shm/too-big", 65).code != 0)


def grows_by(c, which):
    handle = c.container(limits=disk(500))

    def used():
        return c.garden.metrics(handle)["DiskStat"][which]
    before = used()
    for more, total in ((3, 3), (10, 13)):
        write(c, handle, f"/home/alice/file-{more}", more, "alice").ok()
        poll(f"{total} MiB more", lambda total=total: abs(used() - before - total * MIB) <= MIB)


@row("limits:197")
def exclusive_usage(c):
    """exclusive bytes grow with what is written"""
    grows_by(c, "ExclusiveBytesUsed")


@row("limits:203")
def total_usage(c):
    """total bytes grow with what is written"""
    grows_by(c, "TotalBytesUsed")


@row("limits:225")
def total_counts_the_image(c):
    """total is more than exclusive, and the size of the image"""
    handle = c.create(image=c.host.images["LIM"], limits=disk(20))
    stat = c.garden.metrics(handle)["DiskStat"]
    check(stat["TotalBytesUsed"] > stat["ExclusiveBytesUsed"], stat)
    check(abs(stat["TotalBytesUsed"] - 4 * MIB) <= MIB, stat)


@row("limits:239", "limits:265")
def total_quota(c):
    """20 MiB in all: 7 more fit, 20 more do not, as the image counts"""
    handle = c.create(image=c.host.images["LIM"], limits=disk(20))
    c.add_user(handle, "alice")
    write(c, handle, "/home/alice/some-file", 7, "alice").ok()
    check(write(c, handle, "/home/alice/more", 20, "alice").code != 0)


@row("limits:295")
def an_image_beyond_the_quota(c):
    """an image larger than the total quota: Create fails"""
    error = fails("", c.garden.create, image="docker:///ubuntu#trusty-20160323", limits=disk(20))
    check("no such image" not in str(error), str(error))
    c.create(image="docker:///ubuntu#trusty-20160323", limits=disk(40))


@row("limits:315", "limits:336", "limits:372", "limits:383")
def exclusive_quota(c):
    """10 MiB of its own: 9 fit; 11 do not, as root, bob and alice"""
    handle = c.container(limits=disk(10, EXCLUSIVE))
    c.add_user(handle, "bob")
    write(c, handle, "/root/test", 9).ok()
    c.run(handle, "rm", "/root/test").ok()
    for user, place in (("root", "/root/test"), ("bob", "/home/bob/test"), ("alice", "/home/alice/test")):
        check(write(c, handle, place, 11, user).code != 0, user)
        c.run(handle, "rm", "-f", place).ok()


@row("limits:403")
def quota_is_of_the_container(c):
    """the quota is the container's, not a user's"""
    handle = c.container(limits=disk(10, EXCLUSIVE))
    c.add_user(handle, "bob")
    write(c, handle, "/home/alice/test", 8, "alice").ok()
    check(write(c, handle, "/home/bob/test", 3, "bob").code != 0)


@row("limits:440")
def quotas_of_two_containers(c):
    """two containers, one user id, 50 MiB each: 40 fit in both"""
    for _ in range(2):
        write(c, c.container(limits=disk(50, EXCLUSIVE)), "/tmp/some-file", 40, "alice").ok()


@row("limits:471", "limits:482")
def quota_of_a_privileged_container(c):
    """privileged, root and a new user: 11 MiB do not fit into 10"""
    handle = c.container(privileged=True, limits=disk(10, EXCLUSIVE))
    c.add_user(handle, "bob")
    for user, place in (("root", "/root/test"), ("bob", "/home/bob/test")):
        check(write(c, handle, place, 11, user).code != 0, user)
        c.run(handle, "rm", "-f", place).ok()


@row("limits:513")
def pid_limit(c):
    """50 pids: the shell cannot fork"""
    handle = c.create(image=c.host.images["LIM"], limits={"pid": {"max": 50}})
    done = c.sh(handle, "for i in $(seq 1 50); do sleep 10 & done")
    same(done.code, 2)
    has(done.err, "can't fork")


@row("limits:530")
def no_pid_limit(c):
    """pid limit 0 is none"""
    c.run(c.create(limits={"pid": {"max": 0}}), "ps").ok()


@row("limits:602")
def descriptor_limit(c):
    """nofile 30; credentials of a local image are ignored"""
    handle = c.create(image={"uri": c.host.images["LIM"], "username": "nobody", "password": "none"})
    done = c.sh(handle, "exec 3<>/dev/null 30<>/dev/null; echo not limited", rlimits={"nofile": 30})
    same((done.code, done.out), (1, ""))
    has(done.err, "Bad file descriptor")  # newer shells name the call before it
    same(c.sh(handle, "ulimit -n", rlimits={"nofile": 30}).ok(), "30\n")


@row("cpu_throttling:74")
def throttling(c):
    """a container over its entitlement is throttled"""
    need_program("ip")
    raise Skip("CPU throttling is not a feature of this server")
