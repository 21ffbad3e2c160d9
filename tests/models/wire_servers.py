"""A plain policy server and client, written from the description of openpi's protocol alone: websockets and msgpack, nothing of ours."""

import threading
import time

import msgpack
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve


def encode(value):
    if isinstance(value, np.ndarray):
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": list(value.shape)}
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(type(value))


def decode(found):
    if b"__ndarray__" in found:
        return np.frombuffer(found[b"data"], found[b"dtype"]).reshape(found[b"shape"])
    if b"__npgeneric__" in found:
        return np.dtype(found[b"dtype"]).type(found[b"data"])
    return found


def dumps(message):
    return msgpack.packb(message, default=encode)


def loads(data):
    return msgpack.unpackb(data, object_hook=decode)


class PlainServer:
    """Answers as a test tells it: ``answer(request, count)`` returns a reply, or raises, or closes the connection itself."""

    def __init__(self, answer, *, metadata=None, first_frame=None, port=0, key=None):
        self.requests, self.keys, self.num_connections = [], [], 0
        self._answer, self._first = answer, dumps(metadata or {}) if first_frame is None else first_frame
        self._key = key
        self._server = serve(self._handle, "127.0.0.1", port, compression=None, max_size=None, process_request=self._admit)
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._open = set()

    def _admit(self, connection, request):
        if self._key and request.headers.get("Authorization") != f"Api-Key {self._key}":
            return connection.respond(401, "no\n")
        return None

    def _handle(self, connection):
        self.num_connections += 1
        self._open.add(connection)
        try:
            connection.send(self._first)
            while True:
                request = loads(connection.recv())
                self.requests.append(request)
                try:
                    reply = self._answer(request, len(self.requests))
                except ConnectionClosed:
                    raise
                except ConnectionError:
                    connection.close_socket()
                    return
                except Exception as error:
                    connection.send(f"Traceback (most recent call last):\n  File x\n{type(error).__name__}: {error}")
                    connection.close(1011, "Internal server error.")
                    return
                connection.send(reply if isinstance(reply, bytes | str) else dumps(reply))
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)

    def kill(self):
        """Die at once: no closing handshake, nothing listens any more."""
        self._server.socket.close()
        for connection in list(self._open):
            connection.close_socket()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._server.shutdown()
        self._thread.join(5)


class PlainClient:
    """Connects as openpi's client does: reads the metadata, then alternates."""

    def __init__(self, url, key=None):
        headers = {"Authorization": f"Api-Key {key}"} if key else None
        self.connection = connect(url, compression=None, max_size=None, additional_headers=headers, proxy=None)
        self.metadata = loads(self.connection.recv())

    def infer(self, request):
        self.connection.send(dumps(request))
        reply = self.connection.recv(timeout=20)
        if isinstance(reply, str):
            raise RuntimeError(reply)
        return loads(reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def wait_until(condition, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
