"""Descriptions of a bus other than DBC, and spoilt ones of every kind: a table, or one line that says why not."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.maps.compile import compile_dbc
from agent.maps.compile import run as compile_to
from agent.replay import decode
from tests import mutations
from tests.descriptions import ALL, ARXML, DBC, KCD, SYM
from tests.maps import HEAD, compiled

KINDS = sorted(ALL)
LOG = "(1.000000) can0 100#1027000200000000\n(2.000000) can0 18FF01FE#0D48000000000000\n"


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_the_same_table(tmp_path: Path, kind: str) -> None:
    wanted = compile_dbc(written(tmp_path, "bus.dbc", DBC))
    assert compile_dbc(written(tmp_path, f"bus.{kind}", ALL[kind])).messages == wanted.messages
    assert [cut.name for message in wanted.messages for cut in message.cuts] == ["SPEED", "YAW", "RPM"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_says_the_kind_and_not_the_name(tmp_path: Path, kind: str) -> None:
    assert len(compile_dbc(written(tmp_path, "bus", ALL[kind])).messages) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [lambda raw: b"\xef\xbb\xbf" + raw, lambda raw: raw.replace(b"\n", b"\r\n")],
                         ids=["a byte-order mark", "CRLF"])  # fmt: skip
def test_marks_and_line_ends_make_no_difference(tmp_path: Path, kind: str, change: Callable[[bytes], bytes]) -> None:
    (tmp_path / "bus").write_bytes(change(ALL[kind].encode()))
    assert len(compile_dbc(tmp_path / "bus").messages) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_is_decoded_with_any_kind(tmp_path: Path, kind: str) -> None:
    log, out = written(tmp_path, "drive.log", LOG), tmp_path / "told.csv"
    assert decode.run(log, dbc=written(tmp_path, f"bus.{kind}", ALL[kind]), csv=str(out)) == 0
    assert list(csv.reader(out.open()))[1:] == [
        ["1.000000", "MOTION", "SPEED", "100"],
        ["1.000000", "MOTION", "YAW", "-2"],
        ["2.000000", "ENGINE", "RPM", "850"],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_may_name_any_kind(tmp_path: Path, kind: str) -> None:
    written(tmp_path, f"bus.{kind}", ALL[kind])
    text = HEAD.replace("car.dbc", f"bus.{kind}") + '[signal.speed]\nmessage = "MOTION"\nsignal = "SPEED"\n'
    (message,) = compiled(tmp_path, text).messages
    assert message.cuts[0].scale == pytest.approx(0.01 / 3.6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_compile_command_takes_any_kind(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_to(written(tmp_path, f"bus.{kind}", ALL[kind]), tmp_path / "bus.tbl") == 0
    assert "2 messages, 0 catalogue signals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(KCD.replace("</Bus>", ""), "x:15: not a sound KCD: mismatched tag", id="a KCD with a tag open"),
        pytest.param(KCD.replace('id="0x100" ', ""), "x: not a sound KCD: something is missing or does not belong there (AttributeError: ", id="a KCD message without id"),
        pytest.param(KCD.replace("0x100", "speed"), "x: not a sound KCD: invalid literal", id="a KCD id that is none"),
        pytest.param(SYM.replace("unsigned 16 /u", "unsigned 16 u"), "x:5: not a sound SYM: Invalid syntax",
                     id="a SYM signal with a slash missing"),
        pytest.param(SYM.replace("6.0", "5.0"), "x: not a sound SYM: Only SYM version 6.0 is supported", id="an old SYM"),
        pytest.param(SYM.replace("ID=100h", "ID=100h-FFFFFFFh"), "x:11: the range 100-FFFFFFF is too long",
                     id="a SYM with millions of messages"),
        pytest.param(DBC + "SG_MUL_VAL_ 256 YAW SPEED 0-99999999;\n", "x:10: the range 0-99999999 is too long",
                     id="a DBC with millions of multiplexer values"),
        pytest.param(ARXML.replace("<IDENTIFIER>256", "<IDENTIFIER>"), "x: not a sound ARXML: ", id="an ARXML without id"),
        pytest.param(ARXML[:-30], "x:90: not a sound ARXML: unclosed token", id="a torn ARXML"),
        pytest.param("<html></html>", "x:1: not a sound DBC: Invalid syntax", id="another XML"),
        pytest.param(DBC.replace("(0.01,0)", "(1e999,0)"), "x: MOTION.SPEED has a factor or an offset that is no number",
                     id="an endless factor"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_line_and_reason(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compile_dbc(written(tmp_path, "x", text))
    assert str(caught.value).startswith(f"{tmp_path}/{told}")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_description(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        compile_dbc(tmp_path)


def test_a_spoilt_description_loads_or_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    results = mutations.tried(250, seed=7)
    assert capsys.readouterr().out == ""
    assert results["loaded"] > 50
    assert results["refused"] > 50
    assert results.total() == 250
