from typing import Any

class Channel:
    name: Any
    length: int
    number: int

class State:
    channels: list[Channel]
    count: int

class _Bytes: ...

class _Lib:
    CANDUMP_CHANNELS: int
    CANDUMP_NAME_BYTES: int
    def tbox_candump_read(
        self, state: State, text: _Bytes, size: int, at: list[int], inputs: _Bytes, room: int
    ) -> int: ...

class _Ffi:
    def new(self, ctype: str) -> Any: ...
    def from_buffer(self, ctype: str, buffer: Any, *, require_writable: bool = ...) -> _Bytes: ...

lib: _Lib
ffi: _Ffi
