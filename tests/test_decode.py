"""`tbox decode`: a CAN log as rows of time, message, signal and value, to the last digit."""

import csv
import gzip
import io
import struct
from pathlib import Path

import pytest

from agent.errors import InputError, SettingsError, StorageError
from agent.replay import decode

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RAV4 = DATA / "comma2k19" / "rav4_60s_bus0.log.gz"

DBC = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 291 Mixed: 8 X
 SG_ Whole : 0|16@1+ (1,0) [0|0] "" X
 SG_ Signed : 16|8@1- (0.5,-3) [0|0] "" X
 SG_ Motorola : 31|16@0+ (0.01,0) [0|0] "" X
 SG_ MotorolaSigned : 47|12@0- (0.25,1) [0|0] "" X
BO_ 2566849022 Wide: 2 X
 SG_ Half : 4|8@1+ (1,0) [0|0] "" X
BO_ 5 Floats: 8 X
 SG_ F : 0|32@1- (1,0) [0|0] "" X
SIG_VALTYPE_ 5 F : 1;
"""


def rows(folder: Path, log: str, *, dbc: str | None = None) -> list[tuple[str, ...]]:
    (folder / "drive.log").write_text(log)
    (folder / "made.dbc").write_text(dbc or "")
    out = folder / "told.csv"
    assert decode.run(folder / "drive.log", dbc=folder / "made.dbc" if dbc else None, csv=str(out)) == 0
    head, *told = csv.reader(io.StringIO(out.read_text()))
    assert head == ["time_s", "message", "signal", "value"]
    return [tuple(row) for row in told]


def test_every_signal_of_every_frame_of_a_dbc(tmp_path: Path) -> None:
    log = "(12.500000) can0 123#3412F60102804000\n(12.625000) can0 18FF01FE#A005\n(12.750000) can0 456#00\n"
    assert rows(tmp_path, log, dbc=DBC) == [
        ("12.500000", "Mixed", "Whole", "4660"),
        ("12.500000", "Mixed", "Signed", "-8"),
        ("12.500000", "Mixed", "Motorola", "2.58"),
        ("12.500000", "Mixed", "MotorolaSigned", "-510"),
        ("12.625000", "Wide", "Half", "90"),
    ]  # fmt: skip


def test_a_short_frame_tells_nothing(tmp_path: Path) -> None:
    assert rows(tmp_path, "(1.000000) can0 123#34\n", dbc=DBC) == []


@pytest.mark.parametrize(
    ("number", "cell"),
    [(1.5, "1.5"), (-0.0, "0"), (3.0, "3"), (0.1, "0.10000000149011612"), (1e30, "1.0000000150474662e+30"),
     (float("nan"), ""), (float("inf"), "")],
)  # fmt: skip
def test_a_value_is_the_shortest_decimal_or_nothing(tmp_path: Path, number: float, cell: str) -> None:
    log = f"(1.000000) can0 005#{struct.pack('<f', number).hex().upper()}00000000\n"
    assert rows(tmp_path, log, dbc=DBC) == [("1.000000", "Floats", "F", cell)]


def test_obd_answers_are_told_with_their_pid(tmp_path: Path) -> None:
    log = (
        "(5.000000) can0 7E8#04410C1AF8000000\n(6.000000) can0 7DF#02010D0000000000\n"
        "(7.000000) can0 18DAF110#03410D3200000000\n(8.000000) can0 7E8#0341050000000000\n"
        "(9.000000) can1 7E9#06410C1AF80D3200\n"
    )
    assert rows(tmp_path, log) == [
        ("5.000000", "OBD", "010C", "1726"),
        ("7.000000", "OBD", "010D", "50"),
        ("8.000000", "OBD", "0105", "-40"),
        ("9.000000", "OBD", "010C", "1726"),
        ("9.000000", "OBD", "010D", "50"),
    ]


def test_a_text_has_the_time_of_its_last_frame(tmp_path: Path) -> None:
    log = (
        "(1.000000) can0 7E8#1014490201314847\n(1.010000) can0 7E8#21434D3832363333\n"
        "(1.020000) can0 7E8#2241303034333532\n(2.000000) can0 7E8#0643020133C3000A\n"
    )
    assert rows(tmp_path, log) == [
        ("1.020000", "OBD", "0902", "1HGCM82633A004352"),
        ("2.000000", "OBD", "03", "P0133 U0300"),
    ]


def test_values_of_a_long_answer_are_told_together(tmp_path: Path) -> None:
    log = "(1.000000) can0 7E8#100A4104FF057B0C\n(1.020000) can0 7E8#211AF80D32AAAAAA\n"
    assert rows(tmp_path, log) == [
        ("1.020000", "OBD", "0104", "100"),
        ("1.020000", "OBD", "0105", "83"),
        ("1.020000", "OBD", "010C", "1726"),
        ("1.020000", "OBD", "010D", "50"),
    ]


def test_messages_of_two_buses_are_not_mixed(tmp_path: Path) -> None:
    log = "(1.000000) can0 7E8#1014490201314847\n(1.010000) can1 7E8#21434D3832363333\n(1.020000) can0 7E8#2241303034333532\n"
    assert rows(tmp_path, log) == []


def test_stdout_and_a_file_are_told_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "(5.000000) can0 7E8#04410C1AF8000000\n"
    rows(tmp_path, log)
    decode.run(tmp_path / "drive.log", dbc=None, csv="-")
    assert (
        capsys.readouterr().out
        == (tmp_path / "told.csv").read_text()
        == "time_s,message,signal,value\n5.000000,OBD,010C,1726\n"
    )


def test_a_partly_read_log_is_told_with_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "(5.000000) can0 7E8#04410C1AF8000000\nnot a frame\n(6.000000) can0 7E8#04410C1AF8000000\n"
    assert len(rows(tmp_path, log)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(None, "there is no such file", id="gone"),
        pytest.param("", "nothing recognised", id="empty"),
        pytest.param("time_s,speed_mps\n0,1\n", "holds no CAN frame to decode", id="a CSV"),
    ],
)
def test_a_log_that_cannot_be_decoded_is_named(tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "x.log").write_text(content)
    with pytest.raises(InputError, match=f"x\\.log: .*{told}"):
        decode.run(tmp_path / "x.log", dbc=None, csv=str(tmp_path / "told.csv"))
    assert not (tmp_path / "told.csv").exists()


def test_a_dbc_with_an_error_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.dbc").write_text(DBC.replace("SG_ Signed :", "SG_ Signed "))
    with pytest.raises(SettingsError, match=r"bad\.dbc:7: not a sound DBC: "):
        decode.run(tmp_path / "x.log", dbc=tmp_path / "bad.dbc", csv="-")


def test_a_csv_that_cannot_be_written_is_a_fault_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text("(5.000000) can0 7E8#04410C1AF8000000\n")
    with pytest.raises(StorageError, match="gone/told"):
        decode.run(tmp_path / "drive.log", dbc=None, csv=str(tmp_path / "gone" / "told.csv"))


@pytest.mark.skipif(not RAV4.exists(), reason="the recordings are not beside the project")
def test_a_minute_of_a_rav4_is_what_cantools_says(tmp_path: Path) -> None:
    decode.run(RAV4, dbc=DATA / "dbc" / "toyota_new_mc_pt_generated.dbc", csv=str(tmp_path / "told.csv"))
    with (tmp_path / "told.csv").open() as told, gzip.open(RAV4.with_name("rav4.csv.gz"), "rt") as wanted:
        have = sorted((r["time_s"], r["message"], r["signal"], float(r["value"])) for r in csv.DictReader(told))
        want = sorted((r["t"], r["msg"], r["signal"], float(r["value"])) for r in csv.DictReader(wanted))
    assert len(have) == 205_612
    assert have == want
