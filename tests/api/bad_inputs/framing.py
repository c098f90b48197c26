"""Requests that are no HTTP, or that programs could read in different ways, as bytes on a socket.

Each has what is sent and the status. `Connection: close` and the end of the head are added to those without an empty
line.
"""

from __future__ import annotations

LIVE = "GET /health/live HTTP/1.1\r\n"
POST = (
    "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-API-Key: your-secret-api-key-here\r\n"
    "Content-Type: application/json\r\n"
)
HOST = "Host: localhost\r\n"

FRAMING: dict[str, tuple[str, int]] = {
    # The first line
    "no HTTP": ("hello\r\n", 400),
    "TLS on a plain port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "SSH": ("SSH-2.0-OpenSSH_9.6\r\n\r\n", 400),
    "preface of HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/0.9": ("GET /\r\n\r\n", 505),
    "version 1.2": (f"GET /health/live HTTP/1.2\r\n{HOST}", 400),
    "version 2.0": (f"GET /health/live HTTP/2.0\r\n{HOST}", 505),
    "version of another protocol": (f"GET /health/live ICY/1.1\r\n{HOST}", 400),
    "version in small letters": (f"GET /health/live http/1.1\r\n{HOST}", 400),
    "no version": (f"GET /health/live\r\n{HOST}\r\n", 505),
    "method in small letters": (f"get /health/live HTTP/1.1\r\n{HOST}", 400),
    "unknown method": (f"FETCH /health/live HTTP/1.1\r\n{HOST}", 400),
    "method CONNECT": (f"CONNECT localhost:80 HTTP/1.1\r\n{HOST}", 400),
    "blank in the path": (f"GET /health/live x HTTP/1.1\r\n{HOST}", 400),
    "no path": (f"GET  HTTP/1.1\r\n{HOST}", 400),
    "NUL in the path": (f"GET /health\0 HTTP/1.1\r\n{HOST}", 400),
    # The host
    "no host": (LIVE, 400),
    "two hosts": (f"{LIVE}{HOST}{HOST}", 400),
    "text behind an address": (f"{LIVE}Host: [::1]x\r\n", 400),
    "user before a host": (f"{LIVE}Host: a@localhost\r\n", 400),
    "path behind a host": (f"{LIVE}Host: localhost/x\r\n", 400),
    "port of letters": (f"{LIVE}Host: localhost:http\r\n", 400),
    "port of six digits": (f"{LIVE}Host: localhost:800000\r\n", 400),
    "blank in a host": (f"{LIVE}Host: local host\r\n", 400),
    "two hosts in one line": (f"{LIVE}Host: localhost, evil.example\r\n", 400),
    # The headers
    "blank before a colon": (f"{LIVE}{HOST}X-A : b\r\n", 400),
    "folded header": (f"{LIVE}{HOST}X-A: b\r\n c\r\n", 400),
    "header without a colon": (f"{LIVE}{HOST}X-A\r\n", 400),
    "header without a name": (f"{LIVE}{HOST}: b\r\n", 400),
    "NUL in a header": (f"{LIVE}{HOST}X-A: b\0c\r\n", 400),
    "control character in a header": (f"{LIVE}{HOST}X-A: b\x01c\r\n", 400),
    "bare CR in a header": (f"{LIVE}{HOST}X-A: b\rX-B: c\r\n", 400),
    "name in other letters": (f"{LIVE}{HOST}X-\xe4: b\r\n", 400),
    "300 headers": (f"{LIVE}{HOST}" + "a:\r\n" * 300 + "\r\n", 431),
    # The length
    "two lengths": (f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n", 400),
    "two lengths in one line": (f"{POST}Content-Length: 1, 1\r\n", 400),
    "negative length": (f"{POST}Content-Length: -1\r\n", 400),
    "length with a sign": (f"{POST}Content-Length: +1\r\n", 400),
    "hexadecimal length": (f"{POST}Content-Length: 0x1\r\n", 400),
    "length of 30 digits": (f"{POST}Content-Length: {'9' * 30}\r\n", 400),
    "length of letters": (f"{POST}Content-Length: ten\r\n", 400),
    "empty length": (f"{POST}Content-Length: \r\n", 400),
    # The transfer coding
    "coding and length": (f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    "coding identity": (f"{POST}Transfer-Encoding: identity, chunked\r\n", 501),
    "coding gzip": (f"{POST}Transfer-Encoding: gzip, chunked\r\n", 501),
    "coding gzip on another line": (f"{POST}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
    "chunked twice": (f"{POST}Transfer-Encoding: chunked, chunked\r\n", 400),
    "chunked not last": (f"{POST}Transfer-Encoding: chunked, gzip\r\n", 400),
    "chunked with a remainder": (f"{POST}Transfer-Encoding: chunkedx\r\n", 400),
    "chunked in HTTP/1.0": (f"POST /api/v1/jobs HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n", 400),
    # The chunks
    "chunk of letters": (f"{POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", 400),
    "negative chunk": (f"{POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
    "chunk of 20 digits": (f"{POST}Transfer-Encoding: chunked\r\n\r\n{'f' * 20}\r\n\r\n", 400),
    "chunk longer than its length": (f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400),
}
