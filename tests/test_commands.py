"""Whether a command from the network is done: every reason why not, each at its threshold and one under it."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.desk.bucket import Bucket
from agent.desk.commands import (
    CORRELATION_BYTES_MAX,
    OFTEN,
    PAYLOAD_BYTES_MAX,
    REMEMBERED_MAX,
    TEXT_MAX,
    Memory,
    Moment,
    Often,
    Order,
    OrderError,
    decide,
    parse,
)
from agent.desk.desk import WORDS
from agent.errors import BundleError
from agent.ledger.key import make
from agent.trust.token import LIFE_S_MAX, Token
from agent.trust.trust import Trust
from tests.fleets import ANNA, BEN, EVE, NOON_US, SECOND_US, roster_form, signed_roster, trust_of
from tests.remotes import CHALLENGE, DEVICE, HOUR_US, NOW, TOPIC, TRUST, form, payload, token

BLIND = Moment(None, CHALLENGE)
NOTHING = Memory()


def order(told: Token | object, command: str = "ping") -> Order:
    return Order(command, told.told() if isinstance(told, Token) else told)


def reason(
    told: Token | object,
    moment: Moment = NOW,
    *,
    trust: Trust = TRUST,
    command: str = "ping",
    memory: Memory = NOTHING,
) -> str:
    return decide(order(told, command), DEVICE, trust, memory, moment)[0].reason


def altered(**said: Any) -> dict[str, Any]:
    """A good token with something else in it after it was signed."""
    return token().told() | said


@pytest.mark.parametrize(("told", "why"), [
    pytest.param(token(), "", id="a good one"),
    pytest.param(token(devices=None), "", id="for the whole fleet"),
    pytest.param(token(commands=("ping", "read")), "", id="one of several commands"),
    pytest.param(None, "unsigned", id="no token"),
    pytest.param({"some": "thing"}, "damaged", id="something else"),
    pytest.param([], "damaged", id="a list"),
    pytest.param(Token.made(form()), "unsigned", id="nobody signed it"),
    pytest.param(token(EVE), "key", id="somebody else signed it"),
    pytest.param(altered(args={"seconds": 5}), "altered", id="its numbers were changed"),
    pytest.param(altered(devices=None), "altered", id="its scope was widened"),
    pytest.param(altered(more=1), "damaged", id="something was put in"),
    pytest.param(altered(id="xyz"), "damaged", id="an id that is none"),
    pytest.param(token(commands=("read",)), "command", id="for another command"),
    pytest.param(token(args={"seconds": 1}), "command", id="with a number the command does not take"),
    pytest.param(token(devices=("00" * 8,)), "scope", id="for another terminal"),
    pytest.param(token(challenge=CHALLENGE), "", id="answers our challenge"),
    pytest.param(token(challenge="00" * 16), "challenge", id="answers another challenge"),
    pytest.param(token().told() | {"signatures": [{"key": "0" * 16, "signature": "0" * 128}] * 3000}, "too_big",
                 id="too long"),
])  # fmt: skip
def test_a_token_permits_what_it_says_to_whom_it_says(told: object, why: str) -> None:
    assert reason(told) == why


@pytest.mark.parametrize(("after_us", "why"), [
    pytest.param(-1, "early", id="just before"),
    pytest.param(0, "", id="at its beginning"),
    pytest.param(HOUR_US, "", id="at its end"),
    pytest.param(HOUR_US + 1, "expired", id="just after"),
])  # fmt: skip
def test_a_token_holds_from_its_beginning_to_its_end(after_us: int, why: str) -> None:
    assert reason(token(), Moment(NOON_US + after_us, CHALLENGE)) == why


@pytest.mark.parametrize(("told", "passed_us", "why"), [
    pytest.param(token(), 0, "no_clock", id="no challenge"),
    pytest.param(token(challenge=CHALLENGE), 0, "", id="the challenge of this run"),
    pytest.param(token(challenge="00" * 16), 0, "challenge", id="that of another"),
    pytest.param(token(challenge=CHALLENGE), NOON_US + HOUR_US, "", id="the account reached its end"),
    pytest.param(token(challenge=CHALLENGE), NOON_US + HOUR_US + 1, "expired", id="the account is past its end"),
])  # fmt: skip
def test_without_a_vouched_clock_only_an_answer_to_the_challenge_counts(told: Token, passed_us: int, why: str) -> None:
    trust = trust_of(*TRUST.rosters.values(), passed_us=passed_us)
    assert reason(told, BLIND, trust=trust) == why


def test_the_roles_of_the_trust_document_decide() -> None:
    both = trust_of(signed_roster(roster_form()))
    revoked = trust_of(signed_roster(roster_form(threshold=1, revoked=[ANNA]), [BEN]))
    assert reason(token(), trust=both) == "threshold"
    assert reason(token(ANNA, BEN), trust=both) == ""
    assert reason(token(), trust=revoked) == "revoked"
    assert reason(token(), trust=Trust()) == "untrusted"
    others = roster_form(threshold=1)
    del others["roles"]["command"]
    assert reason(token(), trust=trust_of(signed_roster(others))) == "key"


def test_a_token_is_taken_once() -> None:
    verdict, memory = decide(order(token()), DEVICE, TRUST, Memory(), NOW)
    assert (verdict.reason, verdict.token, verdict.signers) == ("", f"{1:032x}", ("Anna",))
    again, kept = decide(order(token()), DEVICE, TRUST, Memory.parse(memory.content()), NOW)
    assert (again.reason, again.token, kept) == ("replayed", f"{1:032x}", memory)
    assert reason(token(number=2), memory=memory) == ""


def test_a_refused_token_is_not_used_up() -> None:
    _, memory = decide(order(token(), "read"), DEVICE, TRUST, Memory(), NOW)
    assert memory == Memory()


def test_what_cannot_be_remembered_is_not_done() -> None:
    full = Memory({f"{number:032x}": (NOON_US + HOUR_US, "") for number in range(REMEMBERED_MAX)})
    one_less = Memory(dict(list(full.taken.items())[:-1]))
    assert reason(token(number=5000), memory=full) == "full"
    assert reason(token(number=5000), memory=one_less) == ""


@pytest.mark.parametrize(("row", "moment", "is_kept"), [
    pytest.param((NOON_US, ""), Moment(NOON_US, CHALLENGE), True, id="it still holds"),
    pytest.param((NOON_US, ""), Moment(NOON_US + 1, CHALLENGE), False, id="expired"),
    pytest.param((NOON_US, ""), BLIND, True, id="nobody knows the time"),
    pytest.param((NOON_US, CHALLENGE), BLIND, True, id="it answered our challenge"),
    pytest.param((NOON_US, "00" * 16), BLIND, False, id="no token that answers an earlier run's is taken again"),
])  # fmt: skip
def test_only_what_could_be_taken_again_is_remembered(row: tuple[int, str], moment: Moment, is_kept: bool) -> None:
    assert bool(Memory({"00" * 16: row}).kept(moment, 0).taken) == is_kept


@pytest.mark.parametrize("content", [None, b"", b"\xc1", b"\x91\x01", b"\x91\x93\x01\x02\x03"])
def test_a_memory_that_makes_no_sense_is_empty(content: bytes | None) -> None:
    assert Memory.parse(content) == Memory()


@pytest.mark.parametrize(("seconds", "is_good"), [(LIFE_S_MAX, True), (LIFE_S_MAX + 1, False), (0, False), (-1, False)])
def test_a_token_holds_a_week_at_most(seconds: int, is_good: bool) -> None:
    with nullcontext() if is_good else pytest.raises(BundleError, match="a week at most"):
        Token.made(form(seconds=seconds))


def test_a_token_comes_back_from_its_file() -> None:
    made = token(ANNA, BEN, args={"seconds": 5}, commands=("indicator",))
    assert Token.read(json.loads(made.text())) == made


# ---- the message ------------------------------------------------------------------------------------------------------


def test_an_order_says_where_its_answer_goes() -> None:
    plain = parse("read", payload({}, request="r", correlation="c"), TOPIC)
    assert plain == Order("read", {}, "r", "response", "c", b"")
    told = parse("read", payload({}, response=f"{TOPIC}/response/a/b"), TOPIC)
    assert told.response == "response/a/b"
    by_property = parse("read", payload({}, response=f"{TOPIC}/response/a"), TOPIC, f"{TOPIC}/response/p", b"\x00\xff")
    assert (by_property.response, by_property.property) == ("response/p", b"\x00\xff")


@pytest.mark.parametrize("topic", [
    "tbox/v1/car2/response", "tbox/v1/car1", "tbox/v1/car1/event", "tbox/v1/car1/responses", "tbox/v1/car1/response/+",
    "tbox/v1/car1/response/#", "tbox/v1/car1/response//x", "$SYS/x",  "",
    "tbox/v1/car1/response/" + "x" * 200,
])  # fmt: skip
def test_an_answer_goes_nowhere_but_to_the_terminals_own_response(topic: str) -> None:
    with pytest.raises(OrderError) as by_payload:
        parse("read", payload({}, response=topic), TOPIC)
    assert by_payload.value.reason == "response"
    if topic:
        with pytest.raises(OrderError):
            parse("read", payload({}), TOPIC, topic)


def at(size: int) -> bytes:
    """A payload of exactly so many bytes."""
    return b'{"token": {}}'.ljust(size)


@pytest.mark.parametrize("told", [
    b"", b"\xff", b"[]", b"1", b"{", b'{"token": {}, "more": 1}', payload({}, request="x" * (TEXT_MAX + 1)),
    payload({}, request=5), payload({}, request="\n"), payload({}, correlation="x" * (TEXT_MAX + 1)),
    at(PAYLOAD_BYTES_MAX + 1), b"[" * 10_000,
])  # fmt: skip
def test_what_is_no_command_is_malformed(told: bytes) -> None:
    with pytest.raises(OrderError) as why:
        parse("read", told, TOPIC)
    assert why.value.reason == "malformed"


def test_the_longest_that_may_be_is_taken() -> None:
    assert parse("read", at(PAYLOAD_BYTES_MAX), TOPIC).token == {}
    assert parse("read", payload({}, request="x" * TEXT_MAX), TOPIC).request == "x" * TEXT_MAX
    assert parse("read", payload({}), TOPIC, "", b"x" * CORRELATION_BYTES_MAX).property == b"x" * CORRELATION_BYTES_MAX
    with pytest.raises(OrderError):
        parse("read", payload({}), TOPIC, "", b"x" * (CORRELATION_BYTES_MAX + 1))


# ---- how often --------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_what_it_has_and_fills_slowly() -> None:
    bucket = Bucket(2, 10.0)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]
    assert [bucket.take(109.9), bucket.take(110.0), bucket.take(110.0)] == [False, True, False]
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_of_each_command_only_so_many_and_of_all() -> None:
    often, done = Often(), dict.fromkeys(WORDS, 0)
    assert OFTEN.keys() == WORDS.keys()
    for command in WORDS:
        while often.may(command, 0.0) and done[command] < 100:
            often.done(command, 0.0)
            done[command] += 1
    assert done["ping"] == OFTEN["ping"][0]
    assert sum(done.values()) == 30
    assert not often.may("nonsense", 0.0)


def test_the_fleet_signs_for_seconds_not_for_ever() -> None:
    assert token().not_after_us - token().not_before_us == 3600 * SECOND_US


@pytest.mark.parametrize(("words", "code"), [
    pytest.param(["ping", "--device", DEVICE.hex()], 0, id="for one terminal"),
    pytest.param(["indicator", "--number", "seconds=5", "--all"], 0, id="for all, with a number"),
    pytest.param(["ping"], 2, id="for nobody"),
    pytest.param(["ping", "--all", "--device", DEVICE.hex()], 2, id="for all and for one"),
    pytest.param(["ping", "--device", "xyz"], 2, id="for no terminal"),
    pytest.param(["indicator", "--all"], 2, id="a number is missing"),
    pytest.param(["indicator", "--number", "seconds=x", "--all"], 2, id="no number"),
    pytest.param(["rm", "--all"], 2, id="no command"),
    pytest.param(["ping", "--all", "--seconds", str(LIFE_S_MAX)], 66, id="longer than a week"),
    pytest.param(["ping", "--all", "--challenge", "c0"], 2, id="no challenge"),
])  # fmt: skip
def test_the_fleet_makes_tokens_that_a_terminal_takes(tmp_path: Path, words: list[str], code: int) -> None:
    key, output = tmp_path / "fleet.key", tmp_path / "token.json"
    fleet = make(key)
    assert cli.main(["key", "token", *words, "--fleet", str(key), "-o", str(output)]) == code
    if code == 0:
        told = json.loads(output.read_bytes())
        made = Token.read(told)
        roster = roster_form(holders={"Fleet": fleet}, threshold=1)
        trust = trust_of(signed_roster(roster, [fleet]))
        assert reason(told, Moment(made.not_before_us, CHALLENGE), trust=trust, command=words[0]) == ""
    else:
        assert not output.exists()
