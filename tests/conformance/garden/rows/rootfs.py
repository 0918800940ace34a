"""Rows of rootfs."""

from harness import Skip, fails, need, row, same

GR = "docker:///cloudfoundry/garden-rootfs"


@row("rootfs:30")
def private_azure(c):
    """a private image on Azure"""
    raise Skip("AZURE_REGISTRY_USERNAME is never set: the registry of rootfs:75 stands for all private ones")


@row("rootfs:42", "rootfs:52")
def environment_of_the_image(c):
    """PATH and other variables of the image"""
    handle = c.create(image=GR)
    same(c.sh(handle, "echo $PATH").ok(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/bin:/from-dockerfile\n")
    same(c.sh(handle, "echo $TEST").ok(), "second-test-from-dockerfile:test-from-dockerfile\n")


@row("rootfs:75", "rootfs:85")
def private_images(c):
    """a private image needs its user"""
    need(c.host.private_registry, "no registry with accounts")
    uri = f"docker://{c.host.private_registry}/private/box#1"
    c.create(image={"uri": uri, "username": "alice", "password": "secret"})
    fails("", c.garden.create, image={"uri": uri})
    fails("", c.garden.create, image={"uri": uri, "username": "alice", "password": "wrong"})


@row("rootfs:97")
def whiteouts(c):
    """whiteouts: what upper layers removed is gone"""
    handle = c.create(image=GR)
    same(c.run(handle, "ls", "/test/foo").ok(), "")
    same(c.run(handle, "ls", "/var").ok(), "istillexist\n")
    same(c.sh(handle, "test ! -L /etc/replaced && cat /etc/replaced").ok(), "new\n")


@row("api:5.1-rootfs")
def the_deprecated_member(c):
    """rootfs is image.uri; both are refused; an image that is not there fails"""
    c.create(rootfs=c.host.images["DEF"])
    fails("Cannot provide both Image.URI and RootFSPath", c.garden.create, rootfs=c.host.images["DEF"], image=c.host.images["DEF"])
    fails("", c.garden.create, image="docker:///no/such-image")
    fails("", c.garden.create, image="/no/such/rootfs.tar")
