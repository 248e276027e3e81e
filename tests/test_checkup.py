"""Each check of `tbox doctor`, by itself: a row where it passes, one where it fails with its fix, at the edge."""

import math
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from agent.core import Sample
from agent.doctor import checkup, checkup_terminal
from agent.doctor.certificate import CertificateError, ends_in, not_after
from agent.doctor.checkup import Check
from agent.doctor.fitting import Fit, Heard
from agent.sources.hearing import Bus, Fix, Ident, Text
from agent.uplink.broker import explain_failure, explain_refusal
from agent.uplink.roundtrip import Trip
from agent.world.clock import Reading
from drivers.batch import SIGNALS
from tests.brokers import Certificates

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def bus(frames: int = 1000, errors: int = 0, ids: int = 37, bits: float = 100_000.0) -> Bus:
    return Bus(frames=frames, errors=errors, bits=bits, ids={number: Ident() for number in range(ids)})


def sample(second: int, **values: float) -> Sample:
    told = tuple(values.get(signal) for signal in SIGNALS)
    nothing: dict[str, Any] = dict.fromkeys(("forward_mps2", "left_mps2", "motion_last_us", "engine_last_us"))
    zeros: dict[str, Any] = dict.fromkeys(("over_limit_us", "limit_known_us", "moving_us", "idle_us", "judged_us"), 0)
    return Sample(
        at_us=second * 1_000_000, values=told, distance_m=0.0, over_limit_m=0.0, max_speed_mps=None, engine="on",
        **nothing, **zeros,
    )  # fmt: skip


def drive(own_mps: float, gnss_mps: float | None, seconds: int = 10) -> list[Sample]:
    more = {} if gnss_mps is None else {"gnss_speed": gnss_mps}
    return [sample(second, speed=own_mps, **more) for second in range(seconds)]


def fit(*, share: float = 1.0, doubt: str = "", rejected: int = 0) -> Fit:
    good = Heard("speed", values=10, valid=10, last=1.0)
    poor = Heard("rpm", values=10, valid=0)
    count = round(share * 100)
    signals = tuple([good] * count + [poor] * (100 - count))
    return Fit("Car", 1, 1, signals, {"checksum": rejected} if rejected else {}, 1000, doubt)


def shaking(
    gravity: float = 9.81, noise: float = 0.05, count: int = 100
) -> list[tuple[int, tuple[float, float, float]]]:
    wave = noise * math.sqrt(2)
    return [(second * 10_000, (0.0, wave * (-1) ** second / math.sqrt(2), gravity)) for second in range(count)]


def fix(age_s: float = 0.5, *, is_valid: bool = True, sats: float | None = 9, hdop: float | None = 1.0) -> list[Fix]:
    return [Fix(round((100 - age_s) * 1e6), is_valid, 0.0, hdop, sats)]


ROWS: list[Any] = [
    # ---- bus
    pytest.param(checkup.check_bus("can0", bus(), 10), "PASS", "100 frames/s, 37 identifiers", id="a bus"),
    pytest.param(checkup.check_bus("can0", bus(), 10, bitrate=500_000), "PASS", "2 % of 500000", id="a bus and its load"),
    pytest.param(checkup.check_bus("can0", None, 10), "FAIL", "no frame in 10 s", id="a silent bus"),
    pytest.param(checkup.check_bus("can0", bus(frames=0, errors=9), 10), "FAIL", "9 error frames", id="only errors"),
    pytest.param(checkup.check_bus("can0", bus(frames=990, errors=10), 10), "PASS", "99 frames/s", id="a few errors"),
    pytest.param(checkup.check_bus("can0", bus(frames=989, errors=11), 10), "FAIL", "11 error frames", id="more"),
    pytest.param(checkup.check_bus("can0", bus(bits=9.6e5), 10, bitrate=100_000), "FAIL", "96 %", id="too full"),
    pytest.param(checkup.check_bus("can0", None, 10, missing="no /dev/x"), "FAIL", "no /dev/x", id="no adapter"),
    # ---- adapter
    pytest.param(checkup.check_adapter("/dev/x", "car"), "PASS", "a car answers", id="an adapter with a car"),
    pytest.param(checkup.check_adapter("/dev/x", ""), "FAIL", "not there", id="no adapter at all"),
    pytest.param(checkup.check_adapter("/dev/x", "mute"), "FAIL", "nobody answers", id="something else at the port"),
    pytest.param(checkup.check_adapter("/dev/x", "silent"), "FAIL", "no car answered", id="an adapter without a car"),
    pytest.param(checkup.check_adapter("/dev/x", "waiting"), "SKIP", "running engine", id="the engine is off"),
    pytest.param(checkup.check_adapter("/dev/x", "searching"), "SKIP", "(searching)", id="an adapter that searches"),
    # ---- vehicle map
    pytest.param(checkup.check_map(fit(), 10, ""), "PASS", "Car: 100 of 100 signals", id="the map fits"),
    pytest.param(checkup.check_map(fit(rejected=5), 10, ""), "PASS", "5 frames rejected", id="it rejects some"),
    pytest.param(checkup.check_map(fit(share=0.5), 10, ""), "PASS", "50 of 100 signals", id="half of the map"),
    pytest.param(checkup.check_map(fit(share=0.49), 10, ""), "FAIL", "only 49 % of it fits", id="less than half"),
    pytest.param(checkup.check_map(fit(doubt="no speed"), 10, "b.toml"), "FAIL", "no speed", id="another map fits"),
    pytest.param(checkup.check_map(fit(), 0, ""), "SKIP", "nothing was heard", id="no frame for the map"),
    # ---- VIN
    pytest.param(
        checkup.check_vin([Text("0902", "1HGCM82633A004352")], may_ask=True), "PASS", "1HGCM82633A004352", id="a VIN"
    ),
    pytest.param(checkup.check_vin([Text("0902", "1HGCM82633A00435")], may_ask=True), "FAIL", "is none", id="too short"),
    pytest.param(checkup.check_vin([Text("0902", "1HGCM82633I004352")], may_ask=True), "FAIL", "is none", id="with an I"),
    pytest.param(
        checkup.check_vin([Text("0902", "1HGCM82633A004352"), Text("0902", "1HGCM82633A004353")], may_ask=True),
        "FAIL", "1HGCM82633A004352 and 1HGCM82633A004353", id="two VINs",
    ),
    pytest.param(checkup.check_vin([Text("0904", "CAL")], may_ask=False), "SKIP", "listen-only", id="not asked"),
    pytest.param(checkup.check_vin([], may_ask=True), "SKIP", "does not tell", id="asked, and silent"),
    # ---- speed
    pytest.param(checkup.check_speed(drive(20.0, 19.0)), "PASS", "+3.6 km/h against the receiver over 10 s", id="speeds"),
    pytest.param(checkup.check_speed(drive(23.5, 20.0)), "PASS", "+12.6 km/h", id="a speedometer at its limit"),
    pytest.param(checkup.check_speed(drive(23.51, 20.0)), "FAIL", "+12.6 km/h", id="just over it"),
    pytest.param(checkup.check_speed(drive(12.4, 20.0)), "FAIL", "-27.4 km/h", id="miles for kilometres"),
    pytest.param(checkup.check_speed(drive(0.0, 0.2)), "PASS", "drive to compare", id="at rest"),
    pytest.param(checkup.check_speed(drive(20.0, None)), "PASS", "72 km/h; no receiver", id="without a receiver"),
    pytest.param(checkup.check_speed([sample(0, rpm=800)]), "FAIL", "was not heard", id="no speed"),
    # ---- motion sensor
    pytest.param(checkup.check_imu(shaking(), is_fitted=True, moves=False), "PASS", "gravity 9.81 m/s2", id="a sensor"),
    pytest.param(checkup.check_imu(shaking(10.3), is_fitted=True, moves=False), "PASS", "10.30", id="5 % too much"),
    pytest.param(checkup.check_imu(shaking(10.31), is_fitted=True, moves=False), "FAIL", "10.31", id="more"),
    pytest.param(checkup.check_imu(shaking(1.0), is_fitted=True, moves=False), "FAIL", "gravity 1.00", id="g for m/s2"),
    pytest.param(
        checkup.check_imu(shaking(noise=0.49), is_fitted=True, moves=False), "PASS", "noise 0.490", id="a rough engine"
    ),
    pytest.param(checkup.check_imu(shaking(noise=0.51), is_fitted=True, moves=False), "FAIL", "noise 0.51", id="loose"),
    pytest.param(checkup.check_imu(shaking(noise=2), is_fitted=True, moves=True), "SKIP", "stand still", id="driving"),
    pytest.param(checkup.check_imu(shaking(count=19), is_fitted=True, moves=False), "FAIL", "19 readings", id="hardly any"),
    pytest.param(checkup.check_imu([], is_fitted=True, moves=False), "FAIL", "0 readings", id="a dead sensor"),
    pytest.param(checkup.check_imu([], is_fitted=False, moves=False), "SKIP", "none is set", id="no sensor"),
    # ---- GNSS
    pytest.param(
        checkup.check_gnss(fix(), 100_000_000, is_fitted=True), "PASS", "0.5 s old, 9 satellites, HDOP 1.0", id="a fix"
    ),
    pytest.param(checkup.check_gnss(fix(3.0), 100_000_000, is_fitted=True), "PASS", "3.0 s old", id="three seconds old"),
    pytest.param(checkup.check_gnss(fix(3.1), 100_000_000, is_fitted=True), "FAIL", "3.1 s old", id="older"),
    pytest.param(checkup.check_gnss(fix(sats=4), 100_000_000, is_fitted=True), "PASS", "4 satellites", id="four"),
    pytest.param(checkup.check_gnss(fix(sats=3), 100_000_000, is_fitted=True), "FAIL", "3 satellites", id="three"),
    pytest.param(checkup.check_gnss(fix(hdop=5.1), 100_000_000, is_fitted=True), "FAIL", "HDOP 5.1", id="a weak fix"),
    pytest.param(checkup.check_gnss(fix(sats=None, hdop=None), 100_000_000, is_fitted=True), "PASS", "old", id="terse"),
    pytest.param(checkup.check_gnss(fix(is_valid=False), 100_000_000, is_fitted=True), "FAIL", "no fix in 1", id="void"),
    pytest.param(checkup.check_gnss([], 0, is_fitted=True), "FAIL", "no word", id="a dead receiver"),
    pytest.param(checkup.check_gnss([], 0, is_fitted=False), "SKIP", "no receiver is set", id="no receiver"),
    # ---- voltage
    pytest.param(checkup.check_voltage([12.6, 12.5, 9.0], 11.8), "PASS", "12.5 V", id="a battery, and a dip"),
    pytest.param(checkup.check_voltage([11.8], 11.0), "PASS", "11.8 V", id="the least of a car's"),
    pytest.param(checkup.check_voltage([15.5], 11.0), "PASS", "15.5 V", id="the most of a car's"),
    pytest.param(checkup.check_voltage([15.6], 11.0), "FAIL", "15.6 V", id="more than a car's"),
    pytest.param(checkup.check_voltage([12.1], 12.1), "PASS", "12.1 V", id="at the floor"),
    pytest.param(checkup.check_voltage([25.2], 11.8), "PASS", "25.2 V", id="a truck's"),
    pytest.param(checkup.check_voltage([12.0], 12.1), "FAIL", "under the floor of 12.1 V", id="under the floor"),
    pytest.param(checkup.check_voltage([24.0], 12.1), "FAIL", "under the floor", id="a truck's under it"),
    pytest.param(checkup.check_voltage([11.79], 11.0), "FAIL", "11.8 V", id="an empty battery"),
    pytest.param(checkup.check_voltage([18.0], 11.8), "FAIL", "18.0 V", id="no system has it"),
    pytest.param(checkup.check_voltage([], 11.8), "SKIP", "nothing tells it", id="no voltage"),
    # ---- terminal
    pytest.param(checkup_terminal.check_clock(Reading(0, 0, 1_000_000, "ntp"), has_gnss=False), "PASS", "1000 ms by ntp", id="ntp"),
    pytest.param(checkup_terminal.check_clock(Reading(0, 0, 1_000_001, "ntp"), has_gnss=False), "FAIL", "1000 ms", id="too rough"),
    pytest.param(checkup_terminal.check_clock(Reading(0, 0, None, "system"), has_gnss=True), "FAIL", "vouches", id="no clock"),
    pytest.param(checkup_terminal.check_store("/x", 500.0, ""), "PASS", "/x: written and synced in 500 ms", id="a slow card"),
    pytest.param(checkup_terminal.check_store("/x", 501.0, ""), "FAIL", "501 ms", id="a worn card"),
    pytest.param(checkup_terminal.check_store("/x", None, "read-only"), "FAIL", "/x: read-only", id="read-only"),
    pytest.param(checkup_terminal.check_disk(4_000_000, 60_000_000, 64_000_000), "PASS", "4 MB free", id="just room"),
    pytest.param(checkup_terminal.check_disk(3_999_999, 60_000_000, 64_000_000), "FAIL", "4 MB more", id="no room"),
    pytest.param(
        checkup_terminal.check_certificate("c", [NOW + timedelta(90), NOW + timedelta(14)], NOW), "PASS", "14 days", id="valid"
    ),
    pytest.param(checkup_terminal.check_certificate("c", [NOW + timedelta(13.9)], NOW), "FAIL", "14 days left", id="ends soon"),
    pytest.param(checkup_terminal.check_certificate("c", [NOW - timedelta(2)], NOW), "FAIL", "expired 2 days ago", id="expired"),
    pytest.param(checkup_terminal.check_certificate("c", [], NOW, "no file"), "FAIL", "no file", id="no certificate"),
    # ---- broker
    pytest.param(checkup_terminal.check_broker(Trip("b:1", "5", 12.4)), "PASS", "b:1, MQTT 5, there and back in 12 ms", id="broker"),
    pytest.param(checkup_terminal.check_broker(Trip("b:1", failure="b:1 is busy; wait")), "FAIL", "b:1 is busy", id="no broker"),
    pytest.param(
        checkup_terminal.check_broker(Trip("b:1", failure="mqtt.ca_file: /x cannot be read")),
        "FAIL",
        "mqtt.ca_file: /x cannot be read",
        id="a file that is missing",
    ),
    pytest.param(
        checkup_terminal.check_receipt(b'{"upto": 4, "also": [[6, 7]], "epoch": 2}', confirm="receipt", made=8),
        "PASS", "up to record 7, epoch 2", id="a receipt",
    ),
    pytest.param(
        checkup_terminal.check_receipt(b'{"upto": 8, "epoch": 2}', confirm="receipt", made=8), "FAIL", "claims", id="for another"
    ),
    pytest.param(checkup_terminal.check_receipt(b"hm", confirm="receipt", made=8), "FAIL", "not JSON", id="no receipt at all"),
    pytest.param(checkup_terminal.check_receipt(None, confirm="receipt", made=8), "FAIL", "says nothing", id="no platform"),
    pytest.param(checkup_terminal.check_receipt(None, confirm="receipt", made=0), "SKIP", "ever recorded", id="a new terminal"),
    pytest.param(checkup_terminal.check_receipt(None, confirm="puback", made=8), "SKIP", "enough", id="no receipt wanted"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "verdict", "words"), ROWS)
def test_a_check_says_verdict_value_and_fix(check: Check, verdict: str, words: str) -> None:
    assert (check.verdict, words in check.words) == (verdict, True), check
    assert bool(check.fix) is (verdict == "FAIL")


def test_every_check_has_a_row_that_passes_and_one_that_fails() -> None:
    names = {row.values[0].name for row in ROWS}
    for verdict in ("PASS", "FAIL"):
        assert names == {row.values[0].name for row in ROWS if row.values[1] == verdict}


def test_the_map_that_fits_better_is_named_in_the_fix() -> None:
    assert 'vehicle.map = "rav4.toml"' in checkup.check_map(fit(doubt="no speed"), 10, "rav4.toml").fix


# ---- certificates ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(("name", "days"), [("client", 2), ("server", 2), ("ca", 2), ("expired", -1)])
def test_the_end_of_a_certificate_is_read(certificates: Certificates, name: str, days: int) -> None:
    (end,) = ends_in(Path(certificates.cert(name)))
    assert abs(end - datetime.now(UTC) - timedelta(days)) < timedelta(hours=1)


def test_all_certificates_of_a_chain_are_read(certificates: Certificates, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text("a chain\n" + "".join(Path(certificates.cert(name)).read_text() for name in ("client", "expired")))
    assert len(ends_in(chain)) == 2


def test_a_key_is_no_certificate(certificates: Certificates) -> None:
    with pytest.raises(CertificateError, match="no certificate in PEM"):
        ends_in(Path(certificates.key("client")))


def certificate(moment: bytes, tag: int = 0x17) -> bytes:
    """The least that has its dates where a certificate has them."""

    def der(tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return bytes([tag, 0x82, *len(content).to_bytes(2, "big")]) + content

    dates = der(0x30, der(0x17, b"200101000000Z"), der(tag, moment))
    body = der(0x30, der(0xA0, b"\2\1\2"), der(2, b"\1"), der(0x30), der(0x30), dates)
    return der(0x30, body)


@pytest.mark.parametrize(
    ("moment", "tag", "year"),
    [(b"491231235959Z", 0x17, 2049), (b"500101000000Z", 0x17, 1950), (b"20500101000000Z", 0x18, 2050)],
)
def test_both_ways_to_write_a_date_are_known(moment: bytes, tag: int, year: int) -> None:
    assert not_after(certificate(moment, tag)).year == year


def test_a_damaged_certificate_is_told_whatever_is_cut_off() -> None:
    whole = certificate(b"491231235959Z")
    for length in range(len(whole)):
        with pytest.raises(CertificateError):
            not_after(whole[:length])
    with pytest.raises(CertificateError):
        not_after(certificate(b"no date at all"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-3, "Temporary failure in name resolution"), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (OSError(101, "Network is unreachable"), True),
        (ConnectionResetError(), False),
    ],
)
def test_a_broker_that_is_not_reached_waits_for_a_signal_and_one_that_refuses_does_not(
    error: OSError, expected: bool
) -> None:
    check = checkup_terminal.check_broker(Trip("b:8883", failure=explain_failure("b:8883", error).reason))
    assert checkup.waits(check.name, check.words) == expected


@pytest.mark.parametrize("code", [0x86, 0x87, 0x8A])
def test_a_refusal_of_the_broker_is_none_of_the_signal(code: int) -> None:
    refusal = explain_refusal("b:8883", ReasonCode(PacketTypes.CONNACK, identifier=code))
    assert not checkup.waits("broker", refusal.reason)
    assert [checkup.waits(name, "anything") for name in ("clock", "receipt", "store")] == [True, True, False]
