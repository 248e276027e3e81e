"""What is filmed, how, and within which limits; and how ffmpeg is told so.

A camera's name and password stand in no command line, which everybody on the machine may read: ffmpeg gets its address
through a pipe then, as a script for its concat demuxer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

FFMPEG = "ffmpeg"
LAVFI = "lavfi:"
RTSP = ("rtsp://", "rtsps://")
COMPRESSED = ("h264", "hevc")
"""Formats of a V4L2 camera that are kept as they are; Motion JPEG takes ten times the room and is encoded."""

QUIET = ["-hide_banner", "-nostdin", "-loglevel", "error"]
SCRIPT = ["-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,rtsp,rtsps,rtp,udp,tcp,tls,crypto", "-i", "pipe:0"]


class LoginError(Exception):
    """The file with name and password cannot be used; the text says why, and never what stands in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the camera's process must know. 0 in width_px, height_px, rate_hz: as the camera has it."""

    folder: str
    boot: int
    source: str
    input_format: str = ""
    login_file: str = ""
    width_px: int = 0
    height_px: int = 0
    rate_hz: int = 0
    encoder: str = "auto"
    bitrate_kbps: int = 2000
    segment_s: float = 2.0
    stall_s: float = 15.0
    ring_s: float = 150.0
    """What is older is not kept, even where there is room."""
    budget_bytes: int = 128_000_000
    clip_budget_bytes: int = 512_000_000
    keep_s: float = 0.0
    spare_bytes: int = 64_000_000
    """So much of the disk is left to others."""

    @property
    def is_network(self) -> bool:
        """Whether it is asked over the network."""
        return self.source.startswith(RTSP)

    @property
    def is_copied(self) -> bool:
        """Whether what the camera sends is kept as it is."""
        if self.encoder == "auto":
            return self.is_network or self.input_format in COMPRESSED
        return self.encoder == "copy"


def read_login(path: str) -> str:
    """What `user:password` a file holds, as a URL writes it; LoginError when others may read it."""
    try:
        mode, text = Path(path).stat().st_mode, Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as why:
        raise LoginError(f"{path} cannot be read: {why}") from None
    if mode & 0o077:
        raise LoginError(f"{path} may be read by others (mode {mode & 0o7777:04o}); type: chmod 600 {path}")
    user, colon, password = text.partition(":")
    if not colon or "\n" in text:
        raise LoginError(f"{path} must hold one line, user:password")
    return f"{quote(user, safe='')}:{quote(password, safe='')}"


def script(plan: Plan, login: str) -> bytes:
    """What ffmpeg reads on its input where there is a login."""
    scheme, _, rest = plan.source.partition("://")
    return f"ffconcat version 1.0\nfile '{scheme}://{login}@{rest}'\noption rtsp_transport tcp\n".encode()


def record_command(plan: Plan, pattern: str) -> list[str]:
    """Film without end into segments named by `pattern`; of each that is whole one line comes: name,start,end."""
    return [FFMPEG, *QUIET, "-threads", "1", *_input(plan), "-map", "0:v:0", *_codec(plan), *_segments(plan, pattern)]


def try_command(plan: Plan) -> list[str]:
    """Take one picture, and keep none."""
    return [FFMPEG, *QUIET, *_input(plan), "-map", "0:v:0", "-frames:v", "1", "-f", "null", "-"]


def join_command(listing: str, target: str) -> list[str]:
    """Put the segments of a listing together as they are; MP4, whose index stands in front."""
    head = [FFMPEG, *QUIET, "-y", "-f", "concat", "-safe", "0", "-i", listing, "-map", "0:v:0", "-c", "copy"]
    return [*head, "-movflags", "+faststart", "-f", "mp4", target]


def listing(parts: Iterable[tuple[str, float]]) -> str:
    """The segments (path, seconds) for ffmpeg's concat demuxer; without their lengths it would lose a frame of each."""
    lines = [f"file '{path}'\nduration {length_s:.6f}" for path, length_s in parts]
    return "\n".join(["ffconcat version 1.0", *lines, ""])


def _input(plan: Plan) -> list[str]:
    if plan.source.startswith(LAVFI):
        return ["-re", "-f", "lavfi", "-i", plan.source.removeprefix(LAVFI)]
    if plan.is_network:
        return SCRIPT if plan.login_file else ["-rtsp_transport", "tcp", "-i", plan.source]
    words = ["-f", "v4l2"]
    words += ["-input_format", plan.input_format] if plan.input_format else []
    words += ["-video_size", f"{plan.width_px}x{plan.height_px}"] if plan.width_px and plan.height_px else []
    words += ["-framerate", str(plan.rate_hz)] if plan.rate_hz else []
    return [*words, "-i", plan.source]


def _codec(plan: Plan) -> list[str]:
    if plan.is_copied:
        return ["-c:v", "copy"]
    encoder = "libx264" if plan.encoder == "auto" else plan.encoder
    words = ["-c:v", encoder, "-pix_fmt", "yuv420p", "-threads", "1", "-filter_threads", "1"]
    words += ["-preset", "ultrafast", "-tune", "zerolatency"] if encoder == "libx264" else []
    rate = f"{plan.bitrate_kbps}k"
    words += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate]
    return [*words, "-force_key_frames", f"expr:gte(t,n_forced*{plan.segment_s})"]


def _segments(plan: Plan, pattern: str) -> list[str]:
    """Matroska takes any codec, and what a kill leaves of it can be read; `live` writes it twice a second."""
    words = ["-f", "segment", "-segment_time", str(plan.segment_s), "-reset_timestamps", "1"]
    words += ["-segment_format", "matroska", "-segment_format_options", "live=1:cluster_time_limit=500"]
    return [*words, "-segment_list", "pipe:1", "-segment_list_type", "csv", pattern]
