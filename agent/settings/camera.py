"""Settings of a camera: what it films with, how much it may keep, and what of it may be sent."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.settings.ranges import span, text

_SOURCE = r"^$|^/dev/[^\n]+$(?!\n)|^rtsps?://[^\s']+$(?!\n)|^lavfi:[^\n]+$(?!\n)"
_SOURCE_WORDS = "/dev/video0, rtsp://host/path, or lavfi:testsrc2=rate=10"


class Camera(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera: off unless it has a source."""

    source: Annotated[str, text("where the pictures come from; empty: no camera", _SOURCE, _SOURCE_WORDS)] = ""
    login_file: Annotated[str, text("file that holds the user:password of an RTSP camera; empty: none")] = ""
    input_format: Annotated[
        Literal["", "h264", "hevc", "mjpeg", "yuyv422"],
        Meta(description="what a camera under /dev shall give; empty: as it is"),
    ] = ""
    width_px: Annotated[int, span(0, 7680, "px", "width asked of a camera under /dev; 0: as it is")] = 0
    height_px: Annotated[int, span(0, 4320, "px", "height asked of it; 0: as it is")] = 0
    rate_hz: Annotated[int, span(0, 120, "1/s", "pictures asked of it; 0: as it is")] = 0
    encoder: Annotated[
        str,
        text(
            "auto: none where the source is compressed, else libx264", r"^[a-z0-9_]+$(?!\n)", "a name such as libx264"
        ),
    ] = "auto"
    bitrate_kbps: Annotated[int, span(100, 50_000, "kbit/s", "of what is encoded here")] = 2000
    segment_s: Annotated[float, span(0.5, 10, "s", "length of a segment of the ring")] = 2.0
    stall_s: Annotated[float, span(2, 300, "s", "no new segment for so long: ffmpeg is started again")] = 15.0
    before_s: Annotated[float, span(0, 300, "s", "saved from before an event")] = 30.0
    after_s: Annotated[float, span(0, 300, "s", "and after it")] = 15.0
    events: Annotated[tuple[str, ...], Meta(description="events of which a clip is saved")] = (
        "crash", "rollover", "impact", "parked_impact",
    )  # fmt: skip
    is_on_parked: Annotated[bool, Meta(description="film while the car is parked, too")] = False
    folder: Annotated[str, text("where ring and clips are kept; empty: in device.state_dir")] = ""
    budget_mb: Annotated[int, span(4, 100_000, "MB", "size of the ring")] = 128
    clip_budget_mb: Annotated[int, span(4, 1_000_000, "MB", "size of all saved clips")] = 512
    keep_days: Annotated[int, span(0, 3650, "d", "a saved clip is deleted after; 0: when there is no room")] = 30
    upload: Annotated[
        Literal["never", "small"], Meta(description="send clips up to max_mb where uplink.day_mb is 0, or hashes only")
    ] = "never"
    max_mb: Annotated[float, span(0.1, 100, "MB", "a larger clip is not sent")] = 16.0
    upload_mb_per_day: Annotated[int, span(1, 10_000, "MB", "of clips sent in 24 hours")] = 64
