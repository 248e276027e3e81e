"""SAE J1939: 29-bit identifiers are matched by parameter group, whatever the priority and the addresses."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from agent._core import ffi, lib
from agent.core import Core
from agent.errors import SettingsError
from agent.maps import dbc
from agent.maps.compile import compile_dbc
from agent.replay import decode
from agent.settings.file import load
from agent.vehicle import ANY_CHANNEL, BY_PGN, OBD_FILTERS, PGN, pgn_id
from drivers import batch
from drivers.batch import EXTENDED, SIGNAL_INDEX
from tests.maps import compiled
from tests.tables import ANSWERS, cut, found, plain, table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
THEIRS = DATA / "dbc" / "cantools" / "j1939.dbc"

TRUCK = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 2364540158 EEC1: 8 X
 SG_ EngineSpeed : 24|16@1+ (0.125,0) [0|8031.875] "rpm" X
BO_ 2566844926 CCVS1: 8 X
 SG_ WheelBasedVehicleSpeed : 8|16@1+ (0.00390625,0) [0|250.996] "km/h" X
 SG_ BrakeSwitch : 28|2@1+ (1,0) [0|3] "" X
BO_ 2348810494 TSC1: 8 X
 SG_ Requested : 8|16@1+ (0.125,0) [0|8031.875] "rpm" X
BO_ 256 PLAIN: 8 X
 SG_ Any : 0|8@1+ (1,0) [0|0] "" X
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_ "ProtocolType" STRING;
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
BA_DEF_DEF_ "ProtocolType" "";
"""
MAP = """[[source]]
channel = 0
dbc = "car.dbc"
[signal.speed]
message = "CCVS1"
signal = "WheelBasedVehicleSpeed"
[signal.brake]
message = "CCVS1"
signal = "BrakeSwitch"
[signal.rpm]
message = "EEC1"
signal = "EngineSpeed"
"""


@pytest.mark.parametrize(
    ("identifier", "group"),
    [
        pytest.param(0x18FEF100, 0x00FEF100, id="PDU2: priority and source"),
        pytest.param(0x0CF00400, 0x00F00400, id="PDU2: the lowest format, the extension stays"),
        pytest.param(0x0CEFFF00, 0x00EF0000, id="PDU1: the highest format, the destination too"),
        pytest.param(0x18EA00F9, 0x00EA0000, id="PDU1: a request"),
        pytest.param(0x19FEF100, 0x01FEF100, id="the data page stays"),
        pytest.param(0x1AFEF100, 0x02FEF100, id="the extended data page stays"),
    ],
)
def test_what_of_an_identifier_is_its_parameter_group(identifier: int, group: int) -> None:
    assert pgn_id(identifier | EXTENDED) == lib.tbox_table_pgn(identifier | EXTENDED) == group | EXTENDED | BY_PGN


SORTED = table(
    plain(identifier=0x18FEF121 | EXTENDED, channel=0),
    replace(plain(identifier=pgn_id(0x18DA0000), channel=0), kind=PGN),
    replace(plain(identifier=pgn_id(0x18FEF100), channel=0), kind=PGN),
    replace(plain(identifier=pgn_id(0x18F00400), channel=ANY_CHANNEL), kind=PGN),
    replace(ANSWERS, channel=ANY_CHANNEL),
)


@pytest.mark.parametrize(
    ("channel", "identifier", "index"),
    [
        pytest.param(0, 0x18FEF100 | EXTENDED, 2, id="a broadcast"),
        pytest.param(0, 0x00FEF1FF | EXTENDED, 2, id="another priority and source"),
        pytest.param(0, 0x18FEF121 | EXTENDED, 0, id="its own message goes before its group's"),
        pytest.param(0, 0x18FEF200 | EXTENDED, -1, id="the group beside it"),
        pytest.param(0, 0x19FEF100 | EXTENDED, -1, id="another data page"),
        pytest.param(1, 0x18FEF100 | EXTENDED, -1, id="another channel"),
        pytest.param(1, 0x0CF00427 | EXTENDED, 3, id="a group on any channel"),
        pytest.param(0, 0x18DAF110 | EXTENDED, 1, id="a group goes before OBD"),
        pytest.param(1, 0x18DAF110 | EXTENDED, 4, id="OBD where there is no such group"),
        pytest.param(0, 0x00FEF100, -1, id="not an extended identifier"),
    ],
)
def test_the_message_of_a_frame(channel: int, identifier: int, index: int) -> None:
    assert found(SORTED, channel, identifier) == index
    c_table = SORTED.as_c(ffi)
    assert lib.tbox_table_check(c_table.table)


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        pytest.param(0x18FEF100 | EXTENDED | BY_PGN, PGN, id="a priority"),
        pytest.param(0x00FEF101 | EXTENDED | BY_PGN, PGN, id="a source"),
        pytest.param(0x00EA0100 | EXTENDED | BY_PGN, PGN, id="a destination"),
        pytest.param(0x00FEF100 | EXTENDED, PGN, id="no mark"),
        pytest.param(0x00FEF100 | EXTENDED | BY_PGN, 0, id="a mark on a plain message"),
        pytest.param(0x00FEF100 | BY_PGN, PGN, id="not extended"),
    ],
)
def test_an_id_that_no_group_has_is_not_trusted(identifier: int, kind: int) -> None:
    c_table = table(replace(plain(cut(0, 8), identifier=identifier), kind=kind)).as_c(ffi)
    assert not lib.tbox_table_check(c_table.table)


def test_kernel_filters_let_every_sender_through() -> None:
    assert SORTED.filters(0) == [
        {"can_id": 0x18FEF121, "can_mask": 0x1FFFFFFF, "extended": True},
        {"can_id": 0x00DA0000, "can_mask": 0x03FF0000, "extended": True},
        {"can_id": 0x00FEF100, "can_mask": 0x03FFFF00, "extended": True},
        {"can_id": 0x00F00400, "can_mask": 0x03FFFF00, "extended": True},
        *OBD_FILTERS,
    ]


# ---- what the file says ---------------------------------------------------------------------------------------------


def read(folder: Path, text: str, j1939: bool | None = None) -> dict[str, bool]:
    (folder / "car.dbc").write_text(text)
    return {message.name: message.is_j1939 for message in dbc.read(folder / "car.dbc", j1939=j1939)}


NO_FORMAT = TRUCK.replace('BA_DEF_DEF_ "VFrameFormat" "J1939PG";\n', "").replace(
    'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n', ""
)
WHOLE = {"EEC1": True, "CCVS1": True, "TSC1": True, "PLAIN": False}
NOTHING = dict.fromkeys(WHOLE, False)


@pytest.mark.parametrize(
    ("text", "said", "told"),
    [
        pytest.param(TRUCK, None, WHOLE, id="the frame format says it"),
        pytest.param(TRUCK + 'BA_ "VFrameFormat" BO_ 2364540158 1;\n', None, WHOLE | {"EEC1": False}, id="all but one"),
        pytest.param(NO_FORMAT, None, NOTHING, id="nothing says it"),
        pytest.param(NO_FORMAT + 'BA_ "ProtocolType" "J1939";\n', None, WHOLE, id="the protocol of the file says it"),
        pytest.param(NO_FORMAT, True, WHOLE, id="the map says it"),
        pytest.param(TRUCK, False, NOTHING, id="the map says no"),
        pytest.param(TRUCK.replace("2566844926 CCVS1", "2364540159 CCVS1"), None,
                     WHOLE | {"EEC1": False, "CCVS1": False}, id="two senders of one group are told apart"),
    ],
)  # fmt: skip
def test_which_messages_are_matched_by_group(
    tmp_path: Path, text: str, said: bool | None, told: dict[str, bool]
) -> None:
    assert read(tmp_path, text, said) == told


@pytest.mark.skipif(not THEIRS.exists(), reason="the recordings are not beside the project")
def test_cantools_own_j1939_file_is_matched_from_any_sender() -> None:
    made = compile_dbc(THEIRS)
    c_table = made.as_c(ffi)
    names = [message.name for message in made.messages]
    for name, identifier in (("Message1", 0x15340201), ("Message2", 0x15F01002)):
        other = identifier & 0x03FFFFFF | 0x18000000
        for sent in (identifier, other & ~0xFF | 0x33, other & ~0xFFFF | 0x7701 if name == "Message1" else other):
            assert names[lib.tbox_table_find(c_table.table, 0, sent | EXTENDED)] == name
    assert lib.tbox_table_find(c_table.table, 0, 0x15F01102 | EXTENDED) == -1
    assert lib.tbox_table_find(c_table.table, 0, 0x15350201 | EXTENDED) == -1


def test_a_log_of_a_truck_is_decoded_from_every_sender(tmp_path: Path) -> None:
    (tmp_path / "truck.dbc").write_text(TRUCK)
    log = "(1.000000) can0 0CF00400#0000004038000000\n(2.000000) can0 18FEF131#0000320000000000\n(3.000000) can0 0C000327#0080250000000000\n"
    (tmp_path / "drive.log").write_text(log)
    assert decode.run(tmp_path / "drive.log", dbc=tmp_path / "truck.dbc", csv=str(tmp_path / "told.csv")) == 0
    assert list(csv.reader((tmp_path / "told.csv").open()))[1:] == [
        ["1.000000", "EEC1", "EngineSpeed", "1800"],
        ["2.000000", "CCVS1", "WheelBasedVehicleSpeed", "50"],
        ["2.000000", "CCVS1", "BrakeSwitch", "0"],
        ["3.000000", "TSC1", "Requested", "1200"],
    ]


# ---- in a map -------------------------------------------------------------------------------------------------------


def heard(folder: Path, *frames: str) -> tuple[list[float | None], int]:
    """Speed, brake and rpm after these frames of CCVS1 or EEC1, and how many values were invalid."""
    core = Core(load(None, []), compiled(folder, MAP, TRUCK))
    for at, frame in enumerate(frames):
        identifier, data = frame.split("#")
        core.feed(batch.frame(at, 0, int(identifier, 16) | EXTENDED, bytes.fromhex(data)))
    told = core.snapshot(len(frames))
    return [told.values[SIGNAL_INDEX[name]] for name in ("speed", "brake", "rpm")], core.counters()["values_rejected"][
        "invalid"
    ]


@pytest.mark.parametrize(
    ("frames", "values", "invalid"),
    [
        pytest.param(["18FEF121#FF00481FFFFFFFFF"], [pytest.approx(20), 1, None], 0, id="speed and brake"),
        pytest.param(["0CF00400#FFFFFF4038FFFFFF"], [None, None, 1800], 0, id="engine speed"),
        pytest.param(["18FEF100#FFFFFFFFFFFFFFFF"], [None, None, None], 2, id="not available"),
        pytest.param(["18FEF100#FFFFFE2FFFFFFFFF"], [None, None, None], 2, id="an error"),
        pytest.param(["18FEF100#FFFFFA0000000000"], [pytest.approx(0xFAFF / 256 / 3.6), 0, None], 0, id="the highest value"),
        pytest.param(["18FEF100#FF00FB0000000000"], [None, 0, None], 1, id="just over the highest value"),
    ],
)  # fmt: skip
def test_values_that_say_not_available_are_not_used(
    tmp_path: Path, frames: list[str], values: list[float | None], invalid: int
) -> None:
    assert heard(tmp_path, *frames) == (values, invalid)


def test_a_counter_of_a_group_is_refused(tmp_path: Path) -> None:
    text = MAP + '[check.CCVS1]\nkind = "counter"\ncounter = "BrakeSwitch"\n'
    with pytest.raises(SettingsError, match=r"check\.CCVS1\.counter: the message may have several senders"):
        compiled(tmp_path, text, TRUCK)
    made = compiled(tmp_path, text.replace("channel = 0\n", "channel = 0\nj1939 = false\n"), TRUCK)
    assert [message.check for message in made.messages] == [0, 1]
