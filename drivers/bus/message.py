"""A python-can message as an input."""

import logging

from can import Message

from drivers.batch import ERROR, EXTENDED, FD, REMOTE, frame

STANDARD_MAX = 0x7FF

logging.getLogger("can").addHandler(logging.NullHandler())  # what it would print we count, or say as an error of ours


def pack(message: Message, t_us: int, channel: int) -> bytes:
    """A message's frame at a time on a channel. ValueError when there can be no such frame.

    A remote frame has no data and the length 0, as from every driver.
    """
    identifier = message.arbitration_id
    if message.is_extended_id or identifier > STANDARD_MAX:
        identifier |= EXTENDED
    flags = message.is_fd * FD | message.is_error_frame * ERROR | message.is_remote_frame * REMOTE
    data = b"" if message.is_remote_frame else bytes(message.data)
    if len(data) > 64 or not 0 <= channel <= 255 or identifier >> 32:
        raise ValueError("length, channel or identifier")
    return frame(t_us, channel, identifier, data, flags)
