"""Lines to an adapter: those on the list pass, and whatever passes puts nothing on the bus that is not on the list."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers._guard import lib
from drivers.batch import EXTENDED
from drivers.guard import Guard
from tests.native.guard_adapter import Adapter, Forbidden
from tests.native.guard_words import is_allowed

SECOND_US = 1_000_000
UDS_IDS = (0x6F1, 0x7E4, EXTENDED | 0x18DA44F1, EXTENDED | 0x17FC0076)
READY_11, READY_29 = ["ATZ", "ATSP6"], ["ATZ", "ATTP7"]


class Spoken:
    """A guard to which lines are told a second apart."""

    def __init__(self, *lines: str) -> None:
        self.guard = Guard(UDS_IDS, 20)
        self.t_us = 0
        for line in lines:
            assert self.say(line) == "", line

    def say(self, line: str) -> str:
        """What the guard says to it."""
        self.t_us += SECOND_US
        return self.guard.line(self.t_us, line)


@pytest.mark.parametrize(
    "line",
    [
        "ATZ", "ATWS", "ATD", "ATI", "AT@1", "AT@2", "STI", "STDI", "ATRV", "ATIGN", "ATDP", "ATDPN", "ATCS",
        "ATE0", "ATE1", "ATL0", "ATL1", "ATH0", "ATH1", "ATS0", "ATS1", "ATM0", "ATAT0", "ATAT1", "ATAT2", "ATST00", "ATSTFF",
        "ATCAF1", "ATCSM1", "ATPC", "ATLP", "ATSP6", "ATSP7", "ATSP8", "ATSP9", "ATTP6", "ATTP7", "ATTP8", "ATTP9",
        "STP33", "STP34", "STP35", "STP36", "ATSH7DF", "ATSH7E0", "ATSH7E7", "ATSH6F1", "ATSHDB33F1", "ATSHDA10F1",
        "ATSH18DB33F1", "ATSH18DAFFF1", "ATSH17FC0076", "ATCP18", "ATCRA", "ATAR", "ATCRA7E8", "ATCRA18DAF110", "ATCRA123",
        "ATCF7E8", "ATCF18DAF110", "ATCM7F8", "ATCM1FFFFF00", "STFAP7E8,7F8", "STFAP18DAF110,1FFFFF00", "STFCP",
        "atz", "at sh 7 e 0", "A T Z", "ATZ\r", "ATRV  \r",
    ],
)  # fmt: skip
def test_commands_that_set_up_ask_the_chip_or_listen_pass(line: str) -> None:
    assert Spoken().say(line) == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *((line, "command") for line in (
            "AT", "ST", "ATZZ", "ATZ1", "XATZ", "ATSP", "ATSP0", "ATSP5", "ATSPA", "ATSPA6", "ATSP66", "ATTP0", "ATTPA6", "ATSS",
            "STP31", "STP32", "STP37", "STP3", "STPBR250000", "STPO", "ATCAF0", "ATCSM0", "ATCFC0", "ATFCSM1", "ATFCSH7E0",
            "ATFCSD300000", "ATRTR", "ATSW00", "ATWM013E", "ATKW0", "ATIIA33", "ATSI", "ATFI", "ATBI", "ATM1", "ATPP0CON",
            "ATPPS", "ATBRD10", "ATCP10", "ATCEA55", "ATAL", "ATV1", "ATR0", "ATTA12", "ATSR10", "ATRA10", "ATIFR0", "ATSD12",
            "AT@3ABCDEFGHIJKL", "ATCV1234", "ATMR10", "ATMT10", "ATDM1", "ATMPFECA", "ATJE", "ATST1", "ATST123", "ATSTG0", "ATAT3",
            "ATE2", "ATSH", "ATSH7E", "ATSH7E00", "ATSHG00", "ATSH7E0,", "ATCRA7E", "ATCRA7EX", "ATCF1", "STFAP7E8", "STFAP7E8,7",
            "STFAC", "STFAFC7E8,7F8", "STM1", "STSBR115200", "STCMM1", "STCSEGT1", "STSLEEP", "STPX", "STPXH7E0,D:0100",
            "STPX D", "STPX H:7E0", "STPX D:0100,", "STPX ,D:0100", "STPX D:0100,D:0100", "STPX L:8,H:7E0", "STPX D:0100,X:1",
            "STPX D:0100,R:", "STPX D:0100,R:100", "STPX D:0100,R:A", "STPX D:0100,R:/", "STPX D:0100,T:", "STPX D:0100,T:100000", "STPX D:0100,T:1F",
            "STPX D:01G0", "STPX D:0100,H:7E0,H:7E1", "STPX D:010:", "01G0", "010C0", "0100GET", "01 0C;", "0",
            "0100\x7e", "~",
        )),
        *((line, "line") for line in (
            "", "\r", "  ", " \r", "   \r", "ATZ\rATZ", "ATZ\n", "ATZ\r\n", "ATZ\r\r", "\rATZ", "\x7f\x7f", "0100\x00", "AT\tZ", "ATZ\x1f", "ATÄ",
            "ATZ" + " " * 61, "ATZ" + " " * 200,
        )),
        ("9", "length"),
        *((line, "identifier") for line in (
            "ATSH7E8", "ATSH7DE", "ATSH123", "ATSH000", "ATSHFDF", "ATSHDAF110", "ATSHDB33F2", "ATSH0007E0", "ATSH00000000",
            "ATSH000007E0", "ATSH18DAF110", "ATSH98DB33F1", "ATSH38DB33F1", "STPX H:7E8,D:0100", "STPX H:DB33F1,D:0100", "STPX H:,D:0100",
            "STPX H:7E,D:0100", "STPX H:98DB33F1,D:0100", "STPX H:7EG,D:0100",
        )),
    ],
)  # fmt: skip
def test_no_other_line_passes_whatever_was_said_before(line: str, reason: str) -> None:
    assert Spoken(*READY_11).say(line) == reason
    assert Spoken(*READY_29, "ATSHDB33F1").say(line) == reason


def test_digits_that_are_no_identifier_are_not_taken_for_one_that_is_named() -> None:
    guard = Guard((1, 0x700), 20)
    lines = ("ATSH98DB33F1", "STPX H:98DB33F1,D:22F190", "STPX H:700700,D:22F190", "STPX H:7GG,D:22F190", "ATSH800")
    assert [guard.line(0, line) for line in (*READY_11, *lines)] == ["", "", *["identifier"] * 5]


def test_a_line_may_be_63_characters_long_spaces_counted_and_the_carriage_return_not() -> None:
    assert Spoken().say("ATZ" + " " * 60) == ""
    assert Spoken().say("ATZ" + " " * 60 + "\r") == ""
    assert Spoken().say("ATZ" + " " * 61 + "\r") == "line"


STORIES = [
    pytest.param([("0100", "adapter")], id="nothing is known of an adapter that was not reset"),
    pytest.param([("ATSP6", ""), ("ATSH7E0", ""), ("0100", "adapter")], id="nor by what it is told before that"),
    pytest.param([("ATZ", ""), ("0100", "adapter"), ("STPXH:7E0,D:0100", "adapter")], id="no protocol: it would search"),
    pytest.param([("ATZ", ""), ("ATMA", "adapter"), ("STM", "adapter"), ("STMA", "adapter")], id="listening would search"),
    pytest.param([("ATWS", ""), ("STP33", ""), ("ATMA", ""), ("STM", ""), ("STMA", "")], id="listening with a protocol"),
    pytest.param([("ATSP6", ""), ("ATMA", "adapter")], id="listening to an unknown adapter"),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("0100", ""), ("010C0D1", ""), ("04", "service")], id="11 bits"),
    pytest.param([("ATD", ""), ("ATTP9", ""), ("0100", ""), ("ATSHDA10F1", ""), ("0902", "")], id="29 bits"),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATSHDB33F1", ""), ("0100", "adapter")], id="29 bits to an 11-bit protocol"),
    pytest.param([("ATZ", ""), ("ATSP7", ""), ("ATSH7DF", ""), ("0100", "adapter")], id="11 bits to a 29-bit protocol"),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("ATSH7E0", ""), ("ATSP7", ""), ("0100", "adapter"), ("ATZ", ""), ("ATSP7", ""), ("0100", "")],
        id="a header outlives a change of protocol, not a reset",
    ),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATZ", ""), ("0100", "adapter")], id="a reset forgets the protocol"),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATLP", ""), ("0100", "adapter")], id="who slept is not known"),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("ATCRA123", ""), ("0100", "adapter"), ("ATCRA7E8", ""), ("0100", "")],
        id="asking while others come through",
    ),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATCF7E8", ""), ("0100", "adapter"), ("ATCRA", ""), ("0100", "")], id="a filter"),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATCM7F8", ""), ("0100", "adapter"), ("ATAR", ""), ("0100", "")], id="a mask"),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("STFAP7E8,7FF", ""), ("ATCRA", ""), ("0100", "adapter"), ("STFCP", ""), ("0100", "")],
        id="a pass filter",
    ),
    pytest.param([("ATZ", ""), ("ATSP7", ""), ("ATCRA18DAF1FF", ""), ("0100", "")], id="only from one, 29 bits"),
    pytest.param([("ATZ", ""), ("ATSP7", ""), ("ATCRA18DAF210", ""), ("0100", "adapter")], id="from no unit"),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("ATSH7E8", "identifier"), ("0100", "")], id="what is refused changes nothing"),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("22F190", "identifier"), ("ATSH7E0", ""), ("22F190", "identifier"), ("ATSH7E4", ""), ("22F190", "")],
        id="service 22 to who is named",
    ),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("ATSH6F1", ""), ("22F190", ""), ("010C", "identifier"), ("22F190F191", "length")],
        id="only service 22 outside of OBD",
    ),
    pytest.param(
        [
            ("ATZ", ""), ("STP34", ""), ("STPX H:18DA10F1, D:0100", ""), ("STPX H:7E0,D:0100", "adapter"), ("STPX D:0902,R:1,T:100", ""),
            ("STPX T:99999,R:99,D:03,H:18DB33F1", ""), ("STPX H:18DA10F1,D:04", "service"), ("stpx h:18da44f1,d:22f190", ""),
        ],
        id="a header of its own",
    ),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("ATSH7E4", ""), ("STPX D:22F190", ""), ("STPX H:7E0,D:22F190", "identifier"), ("22F190", "")],
        id="its own header is for once",
    ),
    pytest.param(
        [("ATZ", ""), ("ATSP6", ""), ("01010203040506", ""), ("0101020304050607", "length"), ("010102030405061", ""),
         ("STPX D:0101020304050607", "length"), ("STPX D:010", "length"), ("STPX D:0A0", "length"), ("STPX D:", "length"), ("01", "length"), ("011", "length")],
        id="as long as one frame",
    ),
    pytest.param([("ATZ", ""), ("ATSP6", ""), ("030", "command"), ("031", ""), ("03F", ""), ("0C1", "service")], id="how many answers"),
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_a_request_is_judged_by_what_the_adapter_was_told(story: list[tuple[str, str]]) -> None:
    spoken = Spoken()
    assert [(line, spoken.say(line)) for line, _ in story] == story


def test_an_adapter_that_did_not_confirm_is_asked_nothing_until_it_is_reset() -> None:
    spoken = Spoken(*READY_11, "0100")
    spoken.guard.forget()
    assert [spoken.say(line) for line in ("0100", "ATSP6", "0100", "ATMA", "ATZ", "ATSP6", "0100")] == [
        "adapter", "", "adapter", "adapter", "", "", "",
    ]  # fmt: skip


def test_a_space_that_ends_a_monitor_costs_a_request_when_it_could_repeat_one() -> None:
    guard = Guard((), 8)
    said = [guard.line(0, line) for line in (" ", "ATZ", " ", "ATSP6", "ATMA", " ", "0100", " ", " ", "ATI", " ")]
    assert said == ["adapter", "", "", "", "", "", "", "", "rate", "", ""]
    assert guard.counters()["requests"] == 2
    guard.forget()
    assert guard.line(0, " ") == "adapter"


def test_requests_by_line_and_by_frame_share_one_budget_and_commands_cost_nothing() -> None:
    guard = Guard((), 8)
    said = [guard.line(0, line) for line in (*READY_11, "0100", "ATI", "STPXD:0100", "0100", "STPXD:0100", "ATI")]
    assert said == ["", "", "", "", "", "rate", "rate", ""]
    assert guard.frame(0, 0x7DF, b"\x01\x03") == "rate"
    assert {name: n for name, n in guard.counters().items() if n} == {"requests": 2, "commands": 4, "refused_rate": 3}


def test_what_is_only_asked_about_changes_nothing() -> None:
    guard = Guard()
    for line in (b"ATZ", b"ATSP6"):
        assert lib.tbox_guard_line(guard._self, line, len(line)) == 0
    assert guard.line(0, "0100") == "adapter"


HEX = "0123456789ABCDEF"
HEADERS = [
    "7DF",
    "7E0",
    "7E4",
    "7E8",
    "6F1",
    "123",
    "DB33F1",
    "DA10F1",
    "DAF110",
    "18DB33F1",
    "18DA44F1",
    "17FC0076",
    "1007E0",
    "0007E0",
]
PAYLOADS = [
    "0100",
    "010C0D",
    "03",
    "04",
    "0902",
    "0A",
    "07",
    "020C00",
    "22F190",
    "2EF190",
    "1003",
    "1101",
    "3E00",
    "31",
    "010C1",
    "041",
]
LINES = st.one_of(
    st.sampled_from([*READY_11, "ATTP7", "ATWS", "STP33", "STP34", "ATCRA", "ATCRA7E8", "ATCRA123", "ATMA", "STFCP", "ATSP0", "ATCAF0"]),
    st.sampled_from(HEADERS).map("ATSH{}".format),
    st.sampled_from(PAYLOADS),
    st.builds("STPX H:{},D:{}".format, st.sampled_from(HEADERS), st.sampled_from(PAYLOADS)),
    st.builds("STPX D:{}{}".format, st.sampled_from(PAYLOADS), st.sampled_from(["", ",R:1", ",T:10", ",R:1,T:1", ",L:2", ",D:04"])),
    st.text(HEX, min_size=1, max_size=17),
    st.text(HEX + " ", min_size=1, max_size=10).map("AT{}".format),
    st.builds("{}{}".format, st.sampled_from(["ATSH", "ATCRA", "ATCF", "ATCM", "STFAP", "ATST", "ATSP", "STP"]), st.text(HEX + ",", max_size=9)),
    st.text(max_size=70),
)  # fmt: skip
READY = st.sampled_from([[], READY_11, READY_29, ["ATZ", "STP36"]])


@settings(max_examples=400, deadline=None, database=None)
@example(READY_11, ["ATSH7E0", "ATTP7", "0100"])
@example(READY_29, ["ATSHDA10F1", "ATSP6", "0100"])
@example([], [" ", "ATZ", " "])
@given(READY, st.lists(LINES, max_size=12))
def test_whatever_passes_makes_an_adapter_send_only_what_is_on_the_list(ready: list[str], lines: list[str]) -> None:
    spoken, adapter = Spoken(), Adapter()
    for line in ready + lines:
        if line == "ATLP":
            adapter = Adapter()
        if spoken.say(line) == "":
            sent = adapter.hear(line)
            assert sent is None or is_allowed(*sent, frozenset(UDS_IDS)), line


@pytest.mark.parametrize("seed", range(3))
def test_what_the_model_adapter_would_only_read_with_is_not_refused_for_nothing(seed: int) -> None:
    luck = random.Random(seed)
    for _ in range(300):
        width, header = luck.choice([("ATSP6", "7E4"), ("ATSP7", "18DA44F1"), ("STP35", "7DF"), ("ATTP9", "DB33F1")])
        lines = ["ATZ", width, f"ATSH{header}", luck.choice(PAYLOADS), luck.choice(PAYLOADS)]
        spoken, adapter = Spoken(), Adapter()
        for line in lines:
            sent = adapter.hear(line)
            assert (spoken.say(line) == "") == (sent is None or is_allowed(*sent, frozenset(UDS_IDS))), line


@pytest.mark.parametrize("seed", range(3))
def test_neither_case_nor_spaces_change_a_verdict(seed: int) -> None:
    luck = random.Random(seed)
    plain, spaced = Spoken(*READY_11), Spoken(*READY_11)
    for _ in range(400):
        line = luck.choice(
            [*PAYLOADS, "ATSH7E0", "ATSH7E4", "ATSH7E8", "STPXH:7E0,D:0100", "ATSP6", "ATSP0", "ATST1A", "ATCRA7EF"]
        )
        loose = "".join(luck.choice([letter.lower(), letter, f" {letter}"]) for letter in line)
        assert plain.say(line) == spaced.say(loose), loose


@settings(max_examples=200, deadline=None, database=None)
@example(" ")
@given(st.text(max_size=90))
def test_the_model_forbids_what_the_guard_must_not_let_pass(text: str) -> None:
    spoken = Spoken(*READY_11)
    adapter = Adapter(width=11, header="", is_raw=False, is_wide_open=False, has_pass_filter=False)
    try:
        sent = adapter.hear(text)
    except (Forbidden, ValueError):
        assert spoken.say(text) != ""
    else:
        assert sent is None or is_allowed(*sent, frozenset(UDS_IDS)) or spoken.say(text) != ""
