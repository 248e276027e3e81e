"""A recording with its own stamps: read as fast as it goes, whole, in order; the terminal's time is where it is."""

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.world import clock
from drivers.batch import INPUT_BYTES
from drivers.errors import RecordingError
from drivers.recordings.merge import times_us
from drivers.recordings.recorded import INPUTS_MIN, SPAN_US, Recorded, recorded
from drivers.recordings.recording import open_recordings


def log(folder: Path, times_s: list[float], name: str = "drive.log") -> Path:
    path = folder / name
    path.write_text("".join(f"({t:.6f}) can0 123#{i % 256:02X}\n" for i, t in enumerate(times_s)))
    return path


def reads(source: Recorded) -> Iterator[bytes]:
    """All that is read while there is something."""
    while select.select([source.fileno()], [], [], 0)[0]:
        if batch := source.read():
            yield batch


@pytest.fixture
def _own_time() -> Iterator[None]:
    yield
    clock.follow(None)


@pytest.mark.parametrize(
    "times_s",
    [
        pytest.param([100 + i * 0.0001 for i in range(30_000)], id="dense"),
        pytest.param([float(i) for i in range(2_000)], id="sparse"),
        pytest.param([5.0], id="one"),
        pytest.param([0.0, 1e5, 2e5], id="with holes of a day"),
    ],
)
def test_it_gives_the_recording_whole_and_time_is_where_it_is(tmp_path: Path, times_s: list[float]) -> None:
    path = log(tmp_path, times_s)
    source, got = recorded([path]), b""
    assert source.now_us() == source.start_us == round(times_s[0] * 1e6)
    for batch in reads(source):
        got += batch
        assert source.now_us() == times_us(batch)[-1]
    assert got == b"".join(open_recordings([path]).batches())
    assert source.read() == b""
    assert source.now_us() == round(times_s[-1] * 1e6)
    assert source.counters() == {
        "lines_read": len(times_s), "lines_bad": 0, "inputs": len(times_s), "dropped": 0
    }  # fmt: skip
    source.close()
    source.close()


@pytest.mark.parametrize(
    ("step_s", "count"),
    [
        pytest.param(0.001, 1001, id="a second of it, the last at the second"),
        pytest.param(0.5, INPUTS_MIN, id="rare inputs: so many of them"),
    ],
)
def test_so_much_is_handed_on_at_once(tmp_path: Path, step_s: float, count: int) -> None:
    source = recorded([log(tmp_path, [i * step_s for i in range(3000)])])
    batch = source.read()
    assert len(batch) == count * INPUT_BYTES
    assert (times_us(batch)[-1] - times_us(batch)[0] <= SPAN_US) == (count > INPUTS_MIN)
    source.close()


def test_several_are_one_in_order_of_time(tmp_path: Path) -> None:
    source = recorded([log(tmp_path, [1.0, 3.0], "a.log"), log(tmp_path, [2.0, 4.0], "b.log")])
    assert [t for batch in reads(source) for t in times_us(batch)] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]
    source.close()


class Torn:
    """A recording that cannot be read to its end."""

    start_us = 7
    is_utc = False
    counters: dict[str, int] = {}  # noqa: RUF012 (never changed)

    def batches(self, size: int = 4096) -> Iterator[bytes]:
        """One input, then no more."""
        yield (7).to_bytes(8, "little") + bytes(INPUT_BYTES - 8)
        raise RecordingError("the disk is gone")


def test_what_cannot_be_read_further_ends_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    source = Recorded(Torn())
    assert [len(batch) for batch in reads(source)] == [INPUT_BYTES]
    assert "cannot be read further: the disk is gone" in caplog.text
    source.close()


@pytest.mark.usefixtures("_own_time")
@pytest.mark.parametrize(("start_s", "is_utc"), [(1_750_000_000.0, True), (1000.0, False)])
def test_both_clocks_follow_it_together(tmp_path: Path, start_s: float, is_utc: bool) -> None:
    source = recorded([log(tmp_path, [start_s + i for i in range(2000)])])
    clock.follow(source)
    before = clock.read_clocks()
    for _ in reads(source):
        pass
    after = clock.read_clocks()
    assert (before.boot_us, after.boot_us) == (round(start_s * 1e6), round((start_s + 1999) * 1e6))
    assert before.utc_us - before.boot_us == after.utc_us - after.boot_us
    assert (after.utc_us == after.boot_us) == is_utc
    assert (after.u_us, after.source) == (None, "system")
    source.close()


@pytest.mark.parametrize(
    ("settings", "name", "code", "words"),
    [
        pytest.param('[[can]]\nchannel = "can0"\n', "drive.log", 78, "for a terminal without devices", id="a bus is named"),
        pytest.param('recording.paths = ["drive.log"]\n', "drive.log", 78, "for a terminal without devices", id="played too"),
        pytest.param("", "none.log", 66, "none.log: there is no such file", id="no such file"),
    ],
)  # fmt: skip
def test_where_it_cannot_stand_for_the_car_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, name: str, code: int, words: str
) -> None:
    config = tmp_path / "tbox.toml"
    config.write_text(f'device.state_dir = "{tmp_path / "state"}"\n{settings}')
    log(tmp_path, [1.0])
    assert main(["run", "--config", str(config), "--recorded", str(tmp_path / name)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "state").exists()
