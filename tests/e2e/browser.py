"""A real browser with JsSIP in its page: Chromium without a window, steered over the DevTools protocol.

JsSIP and what it needs come from the npm registry, pinned by hash, and are kept beside the virtual environment. A small
loader in the page stands for a bundler.
"""

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from bench.wire import Address

REGISTRY = "https://registry.npmjs.org"
KEPT = Path(sys.prefix) / "share" / "jssip"
# Package, version, main file in a browser, integrity as the registry has it.
PACKAGES = (
    ("jssip", "3.13.8", "lib/JsSIP.js",
     "ErxEdy13vXR5izGo42fpXOU64UmC2VF7Shg4oYG7R2NzZF0FTPeYikffkIIQa9w+/11YvTlgezG1nSaycWYXPA=="),
    ("debug", "4.4.3", "src/browser.js",
     "RGwwWnwQvkVfavKVt22FGLw+xYSdzARwm0ru6DhTVA3umU5hZc28V3kO4stgYryrTlLpuvgI9GiijltAjNbcqA=="),
    ("ms", "2.1.3", "index.js",
     "6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="),
    ("events", "3.3.0", "events.js",
     "mQw+2fkQbALzQ7V0MY0IqdnXNOeTtP4r0lN9z7AAawCXgqea7bDii20AYrIBrFd/Hx0M2Ocz6S111CaFkUcb0Q=="),
    ("sdp-transform", "2.15.0", "lib/index.js",
     "KrOH82c/W+GYQ0LHqtr3caRpM3ITglq3ljGUIb8LTki7ByacJZ9z+piSGiwZDsRyhQbYBOBJgr2k6X4BZXi3Kw=="),
)  # fmt: skip
LOADER = """
const loaded = {};
function load(path) {
  if (loaded[path]) return loaded[path].exports;
  const module = loaded[path] = {exports: {}};
  if (path.endsWith('.json')) return module.exports = JSON.parse(sources[path]);
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const run = new Function('module', 'exports', 'require', sources[path]);
  run(module, module.exports, name => load(found(folder, name)));
  return module.exports;
}
function found(folder, name) {
  if (!name.startsWith('.')) return name + '/' + mains[name];
  const path = new URL(name, 'http://x/' + folder).pathname.slice(1);
  return [path, path + '.js', path + '.json', path + '/index.js'].find(each => each in sources);
}
const JsSIP = load('jssip/' + mains.jssip);
"""
PAGE = "<!DOCTYPE html><title>phone</title><script src='/script.js'></script>"
WAIT_S = 10.0


def _tarball(name: str, version: str, integrity: str) -> bytes:
    kept = KEPT / f"{name}-{version}.tgz"
    if not kept.exists():
        with urllib.request.urlopen(f"{REGISTRY}/{name}/-/{kept.name}", timeout=30) as answer:
            data = answer.read()
        KEPT.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")  # others may fetch it at the same time
        fresh.write_bytes(data)
        fresh.replace(kept)
    data = kept.read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != integrity:
        kept.unlink()
        raise AssertionError(f"{kept.name} is not what it was")
    return data


@functools.cache
def script() -> str:
    """JsSIP for a page, as the global `JsSIP`."""
    sources: dict[str, str] = {}
    for name, version, _, integrity in PACKAGES:
        with tarfile.open(fileobj=io.BytesIO(_tarball(name, version, integrity))) as archive:
            for member in archive.getmembers():
                path = member.name.partition("/")[2]
                if path.endswith((".js", ".json")) and (file := archive.extractfile(member)) is not None:
                    sources[f"{name}/{path}"] = file.read().decode()
    mains = {name: main for name, _, main, _ in PACKAGES}
    return f"const sources = {json.dumps(sources)};\nconst mains = {json.dumps(mains)};\n{LOADER}"


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_script = self.path == "/script.js"
        body = (script() if is_script else PAGE).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def web_site() -> Iterator[int]:
    """The page on a port of this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class Tab:
    """One page that speaks SIP."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._count = connection, 0

    def call(self, method: str, **parameters: object) -> Any:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(WAIT_S))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, code: str) -> Any:
        """The value of an expression; promises are waited for."""
        done = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Until the expression is true; its value."""
        deadline = time.monotonic() + WAIT_S
        while not (value := self.run(condition)):
            assert time.monotonic() < deadline, f"not in time: {condition}; so far {self.run('window.seen')}"
            time.sleep(0.05)
        return value


@contextmanager
def tab(folder: Path, url: str) -> Iterator[Tab]:
    """A browser with one tab that shows the page."""
    flags = ["--remote-debugging-port=0", "--no-sandbox", "--ignore-certificate-errors", f"--user-data-dir={folder}"]
    flags += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--disable-gpu"]
    flags += ["--autoplay-policy=no-user-gesture-required"]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            ["chromium-headless-shell", *flags, url],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with connect(_page_url(_debugging_port(folder)), proxy=None, max_size=None) as connection:
            found = Tab(connection)
            found.wait("document.readyState === 'complete' && typeof JsSIP !== 'undefined' && !!(window.seen = [])")
            yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # it has helpers of its own
        process.wait(10)


def _debugging_port(folder: Path) -> int:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "DevToolsActivePort").read_text().split()[0])
        time.sleep(0.05)
    raise AssertionError(f"the browser did not start: {(folder / 'browser.log').read_text(errors='replace')}")


def _page_url(port: int) -> str:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
            pages = [each for each in json.load(answer) if each["type"] == "page" and "/phone" in each["url"]]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise AssertionError("the browser shows no page")


START = """
var socket = new JsSIP.WebSocketInterface('wss://%(host)s:%(port)d/ws');
var ua = new JsSIP.UA({sockets: [socket], uri: 'sip:%(number)s@%(host)s', password: '%(password)s'});
for (const name of ['connected', 'disconnected', 'registered', 'unregistered', 'registrationFailed'])
  ua.on(name, () => seen.push(name));
ua.on('newMessage', event => {
  if (event.originator === 'remote') seen.push('message ' + event.request.body);
});
ua.on('newRTCSession', event => {
  var session = window.session = event.session;
  seen.push('session ' + event.originator);
  for (const name of ['progress', 'accepted', 'confirmed']) session.on(name, () => seen.push(name));
  for (const name of ['ended', 'failed'])
    session.on(name, end => seen.push([name, end.cause, end.message && end.message.status_code,
      end.message && end.message.getHeader('Warning')].join('|')));
});
ua.start();
"""


def start_phone(page: Tab, server: Address, number: str, password: str) -> None:
    """JsSIP with that account; what happens is written to the list `seen`."""
    page.run(START % {"host": server[0], "port": server[1], "number": number, "password": password})
