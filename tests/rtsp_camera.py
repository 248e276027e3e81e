"""A camera on the network, small: RTSP (RFC 2326) over TCP with interleaved RTP, pictures from ffmpeg's test source."""

import base64
import os
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ENCODER = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "5"]


class RtspCamera:
    """Serves one client after the other at `url`; with `login` ("user:password") only who knows it (RFC 7617)."""

    def __init__(self, folder: Path, login: str = "") -> None:
        self._login = base64.b64encode(login.encode()).decode() if login else ""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind(("127.0.0.1", 0))
        self._media.settimeout(0.2)
        self._is_closing = False
        self._sdp = folder / "camera.sdp"
        self.url = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/road"
        self.refused = 0
        port = self._media.getsockname()[1]
        source = ["-re", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=10", *ENCODER, "-threads", "1"]
        target = ["-f", "rtp", "-sdp_file", str(self._sdp), f"rtp://127.0.0.1:{port}?pkt_size=1200"]
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", *source, *target]
        self._ffmpeg = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the network."""
        self._is_closing = True
        self._ffmpeg.kill()
        self._ffmpeg.wait()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self._media.close()

    def _serve(self) -> None:
        while not self._is_closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        """Requests until PLAY, then pictures until either end goes."""
        heard = b""
        while b"\r\n\r\n" not in heard or not self._answer(client, heard.decode()):
            heard = b"" if b"\r\n\r\n" in heard else heard
            data = client.recv(4096)
            if not data:
                return
            heard += data
        while not self._is_closing:
            with suppress(TimeoutError):
                packet = self._media.recv(65536)
                client.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)

    def _answer(self, client: socket.socket, request: str) -> bool:
        """Say what the client asked for; whether it was PLAY."""
        method = request.split(" ", 1)[0]
        lines = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
        head, body = [f"CSeq: {lines['CSeq']}", "Session: 1"], ""
        status = "200 OK"
        if self._login and lines.get("Authorization") != f"Basic {self._login}":
            status, self.refused = "401 Unauthorized", self.refused + 1
            head.append('WWW-Authenticate: Basic realm="camera"')
        elif method == "OPTIONS":
            head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = self._description()
            head += ["Content-Type: application/sdp", f"Content-Base: {self.url}/", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        client.sendall("\r\n".join([f"RTSP/1.0 {status}", *head, "", body]).encode())
        return method == "PLAY" and status == "200 OK"

    def _description(self) -> str:
        """What ffmpeg says of the stream, with a control address for it."""
        while not self._sdp.exists() or not self._sdp.read_text().strip():
            if self._is_closing or self._ffmpeg.poll() is not None:
                raise OSError(os.strerror(5))
        lines = [line for line in self._sdp.read_text().splitlines() if not line.startswith("SDP:")]
        lines = ["m=video 0 RTP/AVP 96" if line.startswith("m=video") else line for line in lines]
        return "\r\n".join([*lines, "a=control:track1", ""])
