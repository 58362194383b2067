"""baresip as a person's phone: no sound card, plays a WAV file, writes what it hears to another."""

import json
import socket
import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.wire import Address
from pbx.addressing import bracketed
from tests.e2e.audio import Samples, read_wav, write_wav
from tests.e2e.harness import free_port

CONFIG = """\
poll_method epoll
sip_listen {host}:{sip}
call_local_timeout 60
call_max_calls 4
audio_source aufile,{folder}/says.wav
audio_player aubridge,ear
audio_alert aubridge,bell
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
jitter_buffer_delay 1-5
net_interface {interface}
module_path {modules}
module g711.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}/heard
"""


def _module_path() -> Path:
    for path in (Path("/usr/lib/baresip/modules"), *Path("/usr/lib").glob("*/baresip/modules")):
        if path.is_dir():
            return path
    raise AssertionError("baresip's modules are not installed (package baresip-core)")


class Softphone:
    """One baresip with one account, steered over its control socket."""

    def __init__(
        self,
        folder: Path,
        server: Address,
        number: str,
        password: str,
        says: Samples,
        transport: str = "",
        watches: str = "",
        mwi: bool = False,
        publishes: bool = False,
        host: str = "",
        encryption: str = "",
        sees: bool = False,
    ) -> None:
        self.folder, self.number, self.encrypts = folder, number, bool(encryption)
        self._events: list[dict[str, Any]] = []
        self._buffer = b""
        (folder / "heard").mkdir(parents=True)
        write_wav(folder / "says.wav", says)
        control = free_port()
        host = host or ("[::1]" if ":" in server[0] else "127.0.0.1")
        config = CONFIG.format(
            sip=free_port(),
            control=control,
            folder=folder,
            modules=_module_path(),
            host=host,
            interface=host.strip("[]"),
        )
        if watches:  # the presence of that number
            config += "module_app contact.so\nmodule_app presence.so\n"
            (folder / "contacts").write_text(f'"Friend" <sip:{watches}@{server[0]}:{server[1]}>;presence=p2p\n')
        if publishes:
            config += "module_app presence.so\n"
        if encryption:  # a module of baresip and how it is used: "srtp", "srtp-mand", "dtls_srtp"
            config += f"module {'dtls_srtp' if encryption == 'dtls_srtp' else 'srtp'}.so\n"
        if sees:  # a camera that shows a moving pattern
            config += "module fakevideo.so\nmodule vp8.so\nvideo_source fakevideo,nil\nvideo_display fakevideo,nil\n"
            config += "video_size 320x240\nvideo_bitrate 300000\nvideo_fps 15\n"
        if mwi:
            config += "module_app mwi.so\n"
        (folder / "config").write_text(config)
        uri = f"sip:{number}@{bracketed(server[0])}:{server[1]}" + (f";transport={transport}" if transport else "")
        account = f"<{uri}>;auth_pass={password};regint=60;audio_codecs=pcma,pcmu" + ";pubint=60" * publishes
        account += f";mediaenc={encryption}" * bool(encryption)
        (folder / "accounts").write_text(f"{account}\n")
        command = ["baresip", "-f", str(folder), "-v", *(["-6"] if ":" in host else [])]
        with (folder / "baresip.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self._control = self._connect(control)

    def _connect(self, port: int) -> socket.socket:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1)
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"baresip did not start:\n{self.log}")

    @property
    def log(self) -> str:
        return (self.folder / "baresip.log").read_text(errors="replace")

    def command(self, name: str, parameters: str = "") -> None:
        """One command, as a netstring of JSON."""
        message = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._control.sendall(b"%d:%s," % (len(message), message))

    def wait_for(self, event: str, timeout_s: float = 6.0) -> dict[str, Any]:
        """The next event of that type, also one that has already come."""
        deadline = time.monotonic() + timeout_s
        while True:
            for index, seen in enumerate(self._events):
                if seen.get("type") == event:
                    del self._events[index]
                    return seen
            assert time.monotonic() < deadline, f"{self.number}: no {event} within {timeout_s} s\n{self.log}"
            self._read(deadline - time.monotonic())

    def _read(self, timeout_s: float) -> None:
        self._control.settimeout(max(timeout_s, 0.01))
        try:
            self._buffer += self._control.recv(65535)
        except TimeoutError:
            return
        while (separator := self._buffer.find(b":")) > 0:
            end = separator + 1 + int(self._buffer[:separator])
            if len(self._buffer) <= end:
                return
            message = json.loads(self._buffer[separator + 1 : end])
            self._buffer = self._buffer[end + 1 :]
            if message.get("event"):
                self._events.append(message)

    def wait_until_registered(self) -> None:
        """The event may have come before anyone was there to hear it."""
        self._wait_for_log(" 200 OK ")

    def wait_until_secure(self) -> None:
        """Both sides have keys for its first call."""
        self._wait_for_log("Secure")

    def _wait_for_log(self, words: str, timeout_s: float = 6.0) -> None:
        deadline = time.monotonic() + timeout_s
        while words not in self.log:
            assert time.monotonic() < deadline, f"{self.number}: no {words!r} within {timeout_s} s\n{self.log}"
            time.sleep(0.05)

    def dial(self, number: str) -> None:
        self.command("dial", number)

    def accept(self) -> None:
        self.command("accept")

    def hang_up(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def transfer(self, number: str) -> None:
        """Hand the current call over to another number."""
        self.command("transfer", number)

    def heard(self) -> Samples:
        """What it heard in its last call; the file is complete a moment after the call is closed."""
        deadline = time.monotonic() + 3
        while True:
            try:
                return read_wav(max((self.folder / "heard").glob("*-dec.wav")))
            except (ValueError, wave.Error):
                assert time.monotonic() < deadline, f"{self.number} recorded nothing\n{self.log}"
                time.sleep(0.05)

    def end(self) -> None:
        self._control.close()
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def softphone(
    folder: Path,
    server: Address,
    number: str,
    password: str,
    says: Samples,
    transport: str = "",
    watches: str = "",
    *,
    mwi: bool = False,
    publishes: bool = False,
    host: str = "",
    encryption: str = "",
    sees: bool = False,
) -> Iterator[Softphone]:
    phone = Softphone(
        folder, server, number, password, says, transport, watches, mwi, publishes, host, encryption, sees
    )
    try:
        yield phone
    finally:
        phone.end()
