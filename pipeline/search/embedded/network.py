"""A network of the server's own: Milvus opens a dozen ports on every interface, and those within ask for no password.

The supervisor enters a new network namespace, in which there is only a loopback, and starts Milvus there: nobody
outside reaches any of its ports. One socket, opened on 127.0.0.1 before, stays outside; relay.py joins it to the port
that asks for the password. Linux allows this to any user where user namespaces are not switched off.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

from pipeline.core.project import PROJECT

NETWORK_VARIABLE = "CLICK_ROAD_MILVUS_NETWORK"  # 'shared': do without, as where the kernel does not allow it
_NEWUSER, _NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
OPEN_PORTS = (
    "Milvus's inner ports are open to whoever reaches this machine, and they ask for no password: "
    "this kernel gives the server no network of its own; see SECURITY.md."
)


def enter() -> bool:
    """Move this process into a network of its own; False where that is refused.

    Raises RuntimeError where the process has more than one thread.
    """
    _check_alone()
    if os.environ.get(NETWORK_VARIABLE) == "shared":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEWNET) != 0:  # whoever may not do it at once may in a user namespace, as its root
        if libc.unshare(_NEWUSER | _NEWNET) != 0:
            return False
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _raise_loopback()
    return True


def join(pid: int) -> bool:
    """Move this process into the network of process `pid`; False where refused.

    Raises RuntimeError where the process has more than one thread.
    """
    _check_alone()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with open(f"/proc/{pid}/ns/user") as users, open(f"/proc/{pid}/ns/net") as network:
            libc.setns(users.fileno(), _NEWUSER)  # refused where it is in ours, and then it is not needed
            return libc.setns(network.fileno(), _NEWNET) == 0
    except OSError:
        return False


def _check_alone() -> None:
    """Refuse a process of several threads: the kernel moves one of them, or none (unshare(2), setns(2))."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"a process enters a network before it starts threads, and this one has {threads} already")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(probe, _GET_FLAGS, request))[1]
        fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def may_enter() -> bool:
    """Try in a process of its own whether the kernel allows a network of one's own."""
    code = "import sys; from pipeline.search.embedded.network import enter; sys.exit(not enter())"
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False).returncode == 0


def listen() -> socket.socket:
    """Open the one socket that others reach, on a free port of 127.0.0.1."""
    public = socket.socket()
    public.bind(("127.0.0.1", 0))
    public.listen(256)
    return public
