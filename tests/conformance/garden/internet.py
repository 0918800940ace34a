#!/usr/bin/env python3
"""The rest of the world for containers of the suite: a network namespace of its own that answers as 8.8.8.8 and www.example.com.

Started by fixture.py inside that namespace with the name of its interface and its address; ends with its standard input.
TCP 53 and 8080 take connections and say "hello"; UDP 53 answers every A question with 8.8.8.8; ICMP is the kernel's.
"""

import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

PUBLIC = "8.8.8.8"
DENIED = "8.8.4.4"  # the fixture denies its network: rules of NetOut open it


class Hello(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.request.sendall(b"hello\n")
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(5)
            while self.request.recv(4096):
                pass
        except OSError:
            pass  # the client has seen enough


class Names(socketserver.BaseRequestHandler):
    def handle(self):
        question, sender = self.request
        end = 12
        while end < len(question) and question[end]:
            end += question[end] + 1
        end += 5
        if end > len(question):
            return
        kind = struct.unpack("!H", question[end - 4 : end - 2])[0]
        answers = 1 if kind == 1 else 0
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, answers, 0, 0)
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(PUBLIC) if answers else b""
        sender.sendto(head + question[12:end] + record, self.client_address)


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main():
    interface, address, *routes = sys.argv[1:]
    print("here", flush=True)  # in our namespace: the interface can be handed over
    while interface not in (name for _, name in socket.if_nameindex()):
        time.sleep(0.01)
    for words in (
        ["link", "set", "lo", "up"],
        *(["address", "add", each + "/32", "dev", "lo"] for each in (PUBLIC, DENIED)),
        ["address", "add", address, "dev", interface],
        ["link", "set", interface, "up"],
        *(["route", "add", route, "dev", interface] for route in routes),
    ):
        subprocess.run(["ip", *words], check=True)
    for port in (53, 8080):
        threading.Thread(target=TcpServer(("0.0.0.0", port), Hello).serve_forever, daemon=True).start()
    threading.Thread(target=socketserver.ThreadingUDPServer((PUBLIC, 53), Names).serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
