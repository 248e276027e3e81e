"""The frames of a crash as a candump log: what other tools read of it is what came in."""

from pathlib import Path

import can
import pytest

from agent import cli
from agent.capture.ring import Entry
from agent.codec import Record
from agent.evidence import frames
from agent.evidence.dossier import Dossier
from agent.world.dating import Dating
from drivers.batch import ERROR, EXTENDED, FD, FRAME, IMU, REMOTE
from tests.accounts import framed
from tests.wrecks import BLOW_US, Terminal, came_in, struck

UTC_US = 1_760_000_000_000_000


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Records of a crash, dated, in a file."""
    terminal = Terminal()
    clock = {"boot": 1, "boot_us": 0, "utc_us": UTC_US, "u_us": 1000, "source": "ntp"}
    terminal.keep(terminal.book.number("clock", 0, clock))
    terminal.drive()
    path = tmp_path_factory.mktemp("account") / "crash.tbox"
    path.write_bytes(framed(terminal.records))
    return path, terminal.records


def test_python_can_reads_every_frame_of_a_crash_as_it_came(account: tuple[Path, list[Record]], tmp_path: Path) -> None:
    path, records = account
    (seq,) = [record.seq for record in records if record.kind == "event"]
    words = ["trips", "export", "--frames", str(seq), "--records", str(path), "-o", str(tmp_path / "crash.log")]
    assert cli.main(words) == 0
    with can.LogReader(tmp_path / "crash.log") as log:
        told = [(round(one.timestamp * 1e6) - UTC_US, one.channel, one.arbitration_id, bytes(one.data)) for one in log]
    came = came_in(struck, told[0][0], told[-1][0])
    assert told == [(one.t_us, f"can{one.channel}", one.id, one.payload) for one in came if one.kind == FRAME]
    assert told[0][0] < BLOW_US - 29_500_000
    assert told[-1][0] > BLOW_US + 14_900_000


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(Entry(1, 0x12, FRAME, 0, 2, 0, b"\x01\xab"), "can0 012#01AB", id="classic"),
        pytest.param(Entry(1, 0x12 | EXTENDED, FRAME, 3, 1, 0, b"\x01"), "can3 00000012#01", id="wide"),
        pytest.param(Entry(1, 0x12, FRAME, 0, 0, REMOTE, b""), "can0 012#R", id="remote"),
        pytest.param(Entry(1, 0x12, FRAME, 0, 1, FD, b"\x01"), "can0 012##001", id="FD"),
        pytest.param(Entry(1, 0x80, FRAME, 0, 8, ERROR, bytes(8)), "can0 20000080#0000000000000000", id="error"),
    ],
)
def test_each_kind_of_frame_has_its_form_and_is_read_again(entry: Entry, line: str, tmp_path: Path) -> None:
    event = Terminal().records[0]
    imu = Entry(1, 0, IMU, 0, 0, 63, bytes(48))
    told = list(frames.candump(Dossier(event, (), 1, None, (imu, entry), ()), Dating([])))
    assert told == [f"(0.000001) {line}"]
    (tmp_path / "one.log").write_text(told[0] + "\n")
    with can.LogReader(tmp_path / "one.log") as log:
        (read,) = list(log)
    assert (read.is_fd, read.is_error_frame, read.is_remote_frame) == tuple(
        bool(entry.flags & bit) for bit in (FD, ERROR, REMOTE)
    )
    assert read.is_error_frame or (read.arbitration_id, bytes(read.data)) == (entry.id & ~EXTENDED, entry.payload)


@pytest.mark.parametrize(("seq", "naming"), [(1, "no evidence of an event 1"), (10**6, "of these there is: ")])
def test_of_another_event_there_are_none(
    account: tuple[Path, list[Record]], tmp_path: Path, capsys: pytest.CaptureFixture[str], seq: int, naming: str
) -> None:
    words = ["trips", "export", "--frames", str(seq), "--records", str(account[0]), "-o", str(tmp_path / "x.log")]
    assert cli.main(words) == 66
    assert naming in capsys.readouterr().err
