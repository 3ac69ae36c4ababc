"""Drives the vendor of vendor.json with Python's own clients: drive.py URL [CA]."""
import gzip
import http.client
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

url = sys.argv[1]
context = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None
parts = urllib.parse.urlsplit(url)


def ask(path):
    try:
        with urllib.request.urlopen(url + path, timeout=30, context=context) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def connect():
    if context:
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=30, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)


def failure(path):
    try:
        connection = connect()
        connection.request("GET", path)
        connection.getresponse().read()
        return "answered"
    except Exception as error:
        return type(error).__name__


print("flaky", *(ask("/flaky")[0] for _ in range(3)))
begin = time.monotonic()
body = ask("/slow")[1].decode()
print("slow", body, 0.15 <= time.monotonic() - begin < 5)
begin = time.monotonic()
size = len(ask("/drip")[1])
print("drip", size, 0.15 <= time.monotonic() - begin < 5)
answers = [ask("/limited") for _ in range(3)]
print("limited", *(code for code, _, _ in answers),
      *(headers["x-ratelimit-remaining"] for _, _, headers in answers),
      abs(int(answers[2][2]["x-ratelimit-reset"]) - time.time()) <= 3601)
_, body, headers = ask("/gzip")
try:
    gzip.decompress(body)
    print("gzip", "good")
except Exception as error:
    print("gzip", headers["Content-Encoding"], "bad")
for path in ("/reset", "/half", "/cut"):
    print(path, failure(path))
connection = connect()
sockets = set()
for n in range(3):
    connection.request("GET", "/v1/orders/o%d" % n)
    connection.getresponse().read()
    sockets.add(connection.sock.getsockname() if connection.sock else None)
print("kept alive", len(sockets) == 1 and None not in sockets)
if context:
    try:
        urllib.request.urlopen(url + "/v1/orders/o1", timeout=30)
        print("trusted by anybody")
    except urllib.error.URLError as error:
        print("without the CA", type(error.reason).__name__)
