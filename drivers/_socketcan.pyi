from typing import Any

class Can:
    frames: int
    dropped: int
    errors: int
    unstamped: int
    hardware_stamped: int
    hardware_ns: int
    floor_ns: int
    hardware_known: bool
    sent: int
    unsent: int

class _Bytes: ...

class _Lib:
    def tbox_can_init(self, state: Can, fd: int, channel: int) -> None: ...
    def tbox_can_read(self, state: Can, inputs: _Bytes, room: int) -> int: ...
    def tbox_can_send(self, state: Can, guard: Any, t_us: int, identifier: int, data: bytes, length: int) -> int: ...
    def tbox_can_boot_ns(self, stamp_ns: int, wall_now_ns: int, boot_now_ns: int, floor_ns: int) -> int: ...
    def tbox_can_hardware_ns(self, state: Can, hardware_ns: int, kernel_boot_ns: int) -> int: ...

class _Ffi:
    def new(self, ctype: str) -> Can: ...
    def cast(self, ctype: str, what: Any) -> Any: ...
    def from_buffer(self, ctype: str, buffer: Any, *, require_writable: bool = ...) -> _Bytes: ...

lib: _Lib
ffi: _Ffi
