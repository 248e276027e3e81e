"""What follows from what units tell: texts, trouble codes, lamp, freeze frames, data identifiers."""

import pytest

from agent.asking.wants import WantData
from agent.obd.findings import Codes, Data, FramePart, Freeze, Identity, Monitors
from agent.obd.freeze import FreezeReader, values
from tests.garage import RPM, SPEED, VIN, FakeEcu, Ride, S, bits, engine, gearbox, poller

# Texts, codes, lamp, freeze frames, data identifiers


def test_texts_are_read_once_an_ignition() -> None:
    ride = Ride(poller(), engine(), gearbox(texts={0x0A: b"TCM\0-Gearbox\0\0\0\0\0\0\0\0\0"})).run(100)
    told = [(0x7E8, "0902", VIN.decode()), (0x7E8, "0904", "CAL-1"), (0x7E9, "090A", "TCM-Gearbox")]
    assert sorted((found.ecu, found.what, found.text) for found in ride.finds(Identity)) == told
    ride.poller.renew(ride.now_us)
    assert len(ride.run(100).finds(Identity)) == 6
    assert {at[1].data for at in ride.asked if at[1].service == 9} == {b"\0", b"\2", b"\4", b"\x0a"}


def test_a_car_that_does_not_say_which_texts_it_has_is_asked_for_them_a_few_times() -> None:
    ride = Ride(poller(), engine(texts={}, negative={b"\x09\x02": 0x12})).run(600)
    assert [len(ride.asks(9, bytes([info]))) for info in (0, 2, 4, 0x0A)] == [3, 1, 3, 3]


def test_codes_are_read_at_the_start_again_after_10_s_and_then_every_period() -> None:
    ride = Ride(poller(codes_s=100.0), engine()).run(399)
    for service in (0x03, 0x07, 0x0A):
        assert all(
            abs(at / S - want_s) < 3 for at, want_s in zip(ride.asks(service), (1, 11, 111, 211, 311), strict=True)
        )


def test_a_new_ignition_has_bitmaps_and_codes_read_anew() -> None:
    ride = Ride(poller(), engine()).run(100)
    ride.poller.renew(ride.now_us)
    ride.run(20)
    since_us = 100 * S
    for bitmap in (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0):
        assert len([at for at in ride.asks(1, bytes([bitmap])) if at >= since_us]) == 1, f"{bitmap:02X}"
    for service in (0x03, 0x07, 0x0A):
        assert len([at for at in ride.asks(service) if at >= since_us]) == 2


def test_bitmaps_beyond_the_first_are_read_once_an_ignition() -> None:
    ride = Ride(poller(), engine()).run(300)
    assert len(ride.asks(1, b"\0")) == 10
    assert len(ride.asks(1, b"\x20")) == len(ride.asks(1, b"\xa0")) == 1


def test_a_lamp_that_comes_on_has_the_codes_read_at_once_and_confirmed_10_s_later() -> None:
    car = engine()
    ride = Ride(poller(), car).run(100)
    car.is_lamp_on, car.codes[0x03] = True, [b"\x01\x33"]
    since_us = ride.now_us
    ride.run(40)
    reads = [at for at in ride.asks(0x03) if at > since_us]
    assert len(reads) == 2
    assert reads[0] - since_us < 12 * S
    assert 9 * S < reads[1] - reads[0] < 12 * S
    assert [found.codes for found in ride.finds(Codes) if found.service == "03" and found.t_us > since_us] == [
        ("P0133",),
        ("P0133",),
    ]
    lamp = ride.finds(Monitors)[-1]
    assert (lamp.is_lamp_on, lamp.count) == (True, 1)


def test_a_new_stored_code_brings_the_freeze_frame_of_its_unit_along() -> None:
    frame = {0x05: b"\x5a", RPM: b"\x1a\xf8", SPEED: b"\x32", 0x42: b"\x36\xb0", 0x7F: b"\1"}
    car = engine(codes={3: [b"\x01\x33", b"\x03\0"], 7: []}, frame=frame)
    ride = Ride(poller(), car, gearbox(codes={3: [b"\x07\x00"]})).run(60)
    [found] = ride.finds(Freeze)
    assert (found.ecu, found.code) == (0x7E8, "P0133")
    assert values(found.parts) == {"0105": 50.0, "010C": 1726.0, "010D": 50.0, "0142": 14.0}
    assert len(ride.asks(0x02, b"\x0c\0")) == 1
    assert {asked.to for _, asked in ride.asked if asked.service == 2} == {0x7E0, 0x7E1}


def test_the_code_of_a_freeze_frame_is_read_once_though_its_bitmap_names_it() -> None:
    car = engine(codes={3: [b"\x01\x33"]}, frame={0x01: b"", 0x02: b"", SPEED: b"\x32"})
    ride = Ride(poller(), car).run(60)
    assert [found.parts for found in ride.finds(Freeze)] == [((SPEED, b"\x32"),)]
    assert sorted(asked.data for _, asked in ride.asked if asked.service == 2) == [b"\0\0", b"\2\0", b"\x0d\0"]


def test_a_pid_of_a_freeze_frame_that_stays_unanswered_is_left_out() -> None:
    reader = FreezeReader(0x7E8)
    assert reader.take(FramePart(1, 0x7E8, 0x02, b"\x01\x33")) == [0]
    assert reader.take(FramePart(2, 0x7E8, 0x00, bits(0, [0x05, SPEED]))) == [0x05, SPEED]
    assert reader.take(FramePart(3, 0x7E8, SPEED, b"\x32")) == []
    assert reader.frame() is None
    reader.leave(0x05)
    assert reader.frame() == Freeze(3, 0x7E8, "P0133", ((SPEED, b"\x32"),))


@pytest.mark.parametrize("code", [b"\0\0", b"\1", b"\0\0\1"])
def test_without_a_code_there_is_no_freeze_frame(code: bytes) -> None:
    reader = FreezeReader(0x7E8)
    assert reader.take(FramePart(1, 0x7E8, 0x02, code)) == []
    assert (reader.open, reader.frame()) == (set(), None)


def test_a_unit_without_a_freeze_frame_has_none() -> None:
    ride = Ride(poller(), engine(codes={3: [b"\x01\x33"]}, negative={b"\x02\x02\0": 0x12})).run(60)
    assert ride.finds(Freeze) == []
    assert len(ride.asks(2)) == 1


def test_numbers_of_a_freeze_frame_are_those_of_the_pids() -> None:
    parts = ((0x06, b"\x40"), (0x14, b"\x5a\x80"), (0x54, b"\xff\xfe"), (0x24, b"\x80\0\x40\0"), (0x0C, b"\1"))
    assert values(parts) == {
        "0106": -50.0,
        "0114": 0.45,
        "0114.trim": 0.0,
        "0154": -2.0,
        "0124": 1.0,
        "0124.voltage": 2.0,
    }


def test_data_identifiers_are_read_as_often_as_the_map_says() -> None:
    car = FakeEcu(0x7BB, {}, data={0x1234: b"\x11\x22"})
    car_to = WantData(car.asked_on, 0x1234, 2 * S)
    ride = Ride(poller(car_to), engine(), car).run(100)
    assert 48 <= len(ride.asks(0x22)) <= 52
    assert ride.finds(Data)[0] == Data(ride.finds(Data)[0].t_us, 0x7BB, 0x1234, b"\x11\x22")


def test_a_data_identifier_that_the_unit_does_not_have_is_asked_twice() -> None:
    car = FakeEcu(0x7BB, {})
    assert len(Ride(poller(WantData(car.asked_on, 0x1234, 2 * S)), engine(), car).run(100).asks(0x22)) == 2
