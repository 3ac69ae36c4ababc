"""Drives the API as Toxiproxy's Python client does: the same requests in the same order, over http.client.

Usage: toxiproxy_client.py API_PORT UPSTREAM_PORT. Prints "ok" and exits with 0, or says what differs.
"""
import http.client
import json
import socket
import sys

API_PORT, UPSTREAM_PORT = int(sys.argv[1]), int(sys.argv[2])


class NotFound(Exception):
    pass


class ProxyExists(Exception):
    pass


class InvalidToxic(Exception):
    pass


def call(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", API_PORT, timeout=60)
    headers = {"User-Agent": "python-requests/2.31.0", "Accept": "*/*"}
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    connection.request(method, path, body=data, headers=headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    errors = {409: ProxyExists, 404: NotFound, 400: InvalidToxic}
    if response.status in errors:
        assert json.loads(content)["status"] == response.status, content
        raise errors[response.status](json.loads(content)["error"])
    return response.status, content


def expect(actual, wanted):
    assert actual == wanted, "%r instead of %r" % (actual, wanted)


def refuses(kind, text, method, path, body=None):
    try:
        call(method, path, body)
    except kind as error:
        expect(str(error), text)
    else:
        raise AssertionError("%s %s was accepted" % (method, path))


def connects(listen):
    host, port = listen.rsplit(":", 1)
    with socket.socket() as attempt:
        return attempt.connect_ex((host, int(port))) == 0


upstream = "127.0.0.1:%d" % UPSTREAM_PORT
status, content = call("GET", "/version")
expect(json.loads(content)["version"].split(".")[0], "2")
expect(call("GET", "/proxies"), (200, b"{}"))

status, content = call("POST", "/proxies", {"upstream": upstream, "name": "redis", "enabled": True})
expect(status, 201)
proxy = json.loads(content)
expect(list(proxy), ["name", "listen", "upstream", "enabled", "toxics"])
expect((proxy["name"], proxy["upstream"], proxy["enabled"], proxy["toxics"]), ("redis", upstream, True, []))
assert connects(proxy["listen"])
refuses(ProxyExists, "proxy already exists", "POST", "/proxies", {"upstream": upstream, "name": "redis"})
refuses(InvalidToxic, "missing required field: upstream", "POST", "/proxies", {"name": "x"})

status, content = call("POST", "/proxies/redis/toxics", {
    "name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0, "attributes": {"latency": 1000, "jitter": 10}})
expect(status, 200)
toxic = json.loads(content)
expect(list(toxic), ["attributes", "name", "type", "stream", "toxicity"])
expect(toxic["attributes"], {"latency": 1000, "jitter": 10})
expect(json.loads(call("GET", "/proxies/redis/toxics")[1]), [toxic])
expect(json.loads(call("GET", "/proxies")[1])["redis"]["toxics"], [toxic])
status, content = call("POST", "/proxies/redis/toxics/slow", {"attributes": {"latency": 5}})
expect((status, json.loads(content)["attributes"]), (200, {"latency": 5, "jitter": 10}))
refuses(InvalidToxic, "invalid toxic type", "POST", "/proxies/redis/toxics", {"type": "nonsense"})
refuses(NotFound, "toxic not found", "DELETE", "/proxies/redis/toxics/other")
expect(call("DELETE", "/proxies/redis/toxics/slow"), (204, b""))

status, content = call("POST", "/proxies/redis", {"enabled": False})
expect((status, json.loads(content)["enabled"]), (200, False))
assert not connects(proxy["listen"])
status, content = call("POST", "/proxies/redis", {"enabled": True})
expect(json.loads(content)["listen"], proxy["listen"])
assert connects(proxy["listen"])

expect(call("POST", "/reset"), (204, b""))
expect(call("DELETE", "/proxies/redis"), (204, b""))
assert not connects(proxy["listen"])
refuses(NotFound, "proxy not found", "GET", "/proxies/redis")
print("ok")
