"""Rows of process, and of users of processes."""

from harness import check, fails, has, need, poll, row, same
from process import TERMINATE

from .rootfs import GR


@row("process:22")
def terminate_at_once(c):
    """a signal right after Run is not lost"""
    process = c.start(c.container(), "sh", "-c", "sleep 10; exit 12", user="alice", outputs=())
    process.signal(TERMINATE)
    check(process.wait() != 12)


@row("process:47")
def bind_mounts_need_an_image(c):
    """bind mounts without an image are refused"""
    fails("Running a process with bind mounts and no image provided is not allowed", c.garden.start, c.create(), "true",
          bind_mounts=[{"src_path": "/tmp", "dst_path": "/mnt"}])


@row("process:67")
def chosen_id(c):
    """a chosen process id"""
    process = c.start(c.create(), "true", id="some-id")
    same(process.id, "some-id")
    same(process.wait(), 0)


@row("process:108")
def an_id_in_use(c):
    """an id in use is refused"""
    handle = c.create()
    c.start(handle, "sleep", "1000", id="same-id")
    error = fails("already", c.garden.start, handle, "true", id="same-id")
    check("already in use" in str(error) or "already exists" in str(error), str(error))


@row("process:128")
def environment(c):
    """the environment of the process"""
    has(c.run(c.container(), "env", user="alice", env=["TEST=hello", "FRUIT=banana"]).ok(), "TEST=hello\nFRUIT=banana")


@row("process:165")
def environment_merges(c):
    """the container's environment comes first"""
    handle = c.container(env=["CONTAINER_ENV=1", "TEST=hi"])
    has(c.run(handle, "env", user="alice", env=["TEST=hello", "FRUIT=banana"]).ok(), "CONTAINER_ENV=1\nTEST=hello\nFRUIT=banana")


@row("process:201")
def wait_for_children(c):
    """Wait returns when the process and its children are gone"""
    handle = c.container()
    # A forked shell swallows a TERM until it has become the sleep: it still has its parent's handler.
    script = (
        "cleanup() { ps -a >&2; kill $child; wait $child; exit 42; }; trap cleanup TERM; sleep 1000 & child=$!; "
        "until grep -q '^sleep' /proc/$child/cmdline; do sleep 0.01; done; echo trapping >&2; wait"
    )
    process = c.start(handle, "sh", "-c", script, user="alice", outputs=("stderr",))
    process.stderr.expect("trapping")
    process.signal(TERMINATE)
    same(process.wait(), 42)
    poll("the child gone", lambda: "sleep 1000" not in c.run(handle, "ps", "-o", "args").ok())


@row("process:259")
def numeric_user_and_group(c):
    """uid:gid"""
    same(c.sh(c.create(), "echo $(id -u):$(id -g)", user="1001:1002").ok(), "1001:1002\n")


@row("process:279")
def named_user_and_group(c):
    """username:groupname"""
    same(c.sh(c.create(image=GR), "echo $(id -u):$(id -g)", user="testuser:staff").ok(), "1000:50\n")


@row("process:290")
def no_user_is_root(c):
    """no user is root"""
    same(c.run(c.create(), "whoami").ok(), "root\n")


@row("process:310", "process:333", "process:354", "process:414")
def directories(c):
    """directories: existing, made, owned by the process user, home by default"""
    handle = c.container()
    same(c.run(handle, "pwd", user="alice", dir="/home/alice").ok(), "/home/alice\n")
    same(c.run(handle, "pwd", user="alice", dir="/home/alice/nonexistent").ok(), "/home/alice/nonexistent\n")
    has(c.run(handle, "ls", "-la", ".", user="root", dir="/root/nonexistent").ok(), "root")
    same(c.run(handle, "stat", "-c", "%U", "/home/alice/nonexistent").ok(), "alice\n")
    same(c.run(handle, "stat", "-c", "%U %a", "/root/nonexistent").ok(), "root 755\n")
    same(c.run(handle, "pwd", user="alice").ok(), "/home/alice\n")


@row("process:386")
def a_directory_without_permission(c):
    """a process runs in a directory it cannot write"""
    handle = c.container()
    done = c.run(handle, "touch", "foo.txt", user="alice", dir="/etc")
    check(done.code != 0)
    has(done.err, "Permission denied")


@row("process:400")
def a_directory_below_a_closed_one(c):
    """a missing directory below a 0555 one is made and writable"""
    handle = c.container()
    c.sh(handle, "mkdir /closed && chmod 0555 /closed").ok()
    c.run(handle, "touch", "foo.txt", user="alice", dir="/closed/made").ok()


@row("user:19", server="compat")
def large_ids(c):
    """user 1000000000:1000000000"""
    need("--compat-garden-id-mapping" in c.host.known_flags, "waiting: compat.garden_id_mapping")
    same(c.run(c.create(), "id", user="1000000000:1000000000").ok(), "uid=1000000000 gid=1000000000\n")


@row("user:32")
def a_new_user_with_a_number(c):
    """a user 50000:50000 made inside can run"""
    handle = c.create(image=GR)
    c.sh(handle, "addgroup -g 50000 large && adduser -D -u 50000 large").ok()
    same(c.sh(handle, "echo $(id -u):$(id -g)", user="large").ok(), "50000:50000\n")


@row("user:64")
def supplementary_groups(c):
    """supplementary groups are those of the image, none of the server's"""
    text = c.sh(c.create(image=GR), "grep Groups /proc/self/status", user="alice").ok()
    same(text.split(), ["Groups:", "1010", "1011"])


@row("user:80", "user:90")
def known_and_unknown_users(c):
    """root runs; an unknown user is refused with this text"""
    handle = c.create(image=GR)
    same(c.run(handle, "whoami", user="root").ok(), "root\n")
    fails("unable to find user invalid-user: no matching entries in passwd file", c.garden.start, handle, "true", user="invalid-user")


@row("api:3-ids")
def ids_out_of_range(c):
    """ids out of range, unknown groups: texts that consumers compare"""
    handle = c.create()
    fails("uids and gids must be in range 0-2147483647", c.garden.start, handle, "true", user="2147483648")
    fails("unable to find group nogroup-here: no matching entries in group file", c.garden.start, handle, "true", user="root:nogroup-here")


@row("api:3-executables")
def missing_executables(c):
    """a missing program is typed, by PATH, by name and with a terminal"""
    handle = c.create()
    for path, text in (("no-such-program", "executable file not found in $PATH"),
                       ("/no/such/program", "stat /no/such/program: no such file or directory")):
        for tty in (None, {}):
            error = fails(text, c.garden.start, handle, path, tty=tty, kind="ExecutableNotFoundError")
            has(str(error), "unable to start container process: exec: \"" + path + "\": ")
