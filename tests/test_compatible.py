"""Which terminals a bundle is for, and what is said where this is not one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BundleError
from agent.ledger.key import DeviceKey
from agent.settings import Device, Settings
from agent.sources.hardware import name
from agent.trust.compatible import Box, Compatible, faults, is_in_range, parts_of
from agent.trust.permit import Permit, check_version
from tests.accounts import KEY
from tests.fleets import ANNA, BEN, EVE, NOON_US, SECOND_US, bundle_of, roster_form, signed_roster, trust_of

VIN = "WDB9066331S123456"
HERE = Box("rpi-4", "1.2.3", "car", VIN)
WHOM = trust_of(signed_roster(roster_form()))


def reasons(box: Box = HERE, **wanted: Any) -> list[str]:
    return [fault.reason for fault in faults(Compatible(**wanted), box)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, [], id="anything"),
        pytest.param({"hardware": ("a", "rpi-4")}, [], id="this hardware"),
        pytest.param({"hardware": ("rpi-3",)}, ["hardware"], id="other hardware"),
        pytest.param({"agent": ">=1.2.3,<1.2.4"}, [], id="this version"),
        pytest.param({"agent": ">1.2.3"}, ["agent"], id="a later version"),
        pytest.param({"vehicle_class": ("truck", "car")}, [], id="this class"),
        pytest.param({"vehicle_class": ("truck",)}, ["class"], id="another class"),
        pytest.param({"vin": ("WDB*",)}, [], id="this maker"),
        pytest.param({"vin": ("WVW*", "WDB906633?S123456")}, [], id="this car"),
        pytest.param({"vin": ("WDB906633?S12345",)}, ["vin"], id="a character fewer"),
        pytest.param({"hardware": ("x",), "agent": "<1", "vehicle_class": ("bus",), "vin": ("X*",)},
                     ["hardware", "agent", "class", "vin"], id="nothing fits, and everything is said"),
    ],
)  # fmt: skip
def test_every_reason_is_told(wanted: dict[str, Any], expected: list[str]) -> None:
    assert reasons(**wanted) == expected


def test_what_is_unknown_does_not_fit_and_says_how_to_learn_it() -> None:
    assert reasons(Box("", "1.2.3"), hardware=("a",), vehicle_class=("car",), vin=("*",)) == ["hardware", "class"]
    (fault,) = faults(Compatible(vin=("W*",)), Box("", "1"))
    assert (
        fault.words == "is for the VIN W*, this car's is not known yet; switch the ignition on, or give it with --vin"
    )


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.0", ">=1.0,<2", True),
        ("1", ">=1.0.0", True),
        ("0.9.9", ">=1.0,<2", False),
        ("1.999", ">=1.0,<2", True),
        ("2.0", ">=1.0,<2", False),
        ("1.10", ">1.9", True),
        ("1.9", "<=1.9", True),
        ("1.9", "==1.9.0", True),
        ("1.9", "!=1.9", False),
        ("0.1.0rc1", ">=0.1", True),
        ("1.0", "", True),
    ],
)
def test_ranges_compare_numbers(version: str, wanted: str, fits: bool) -> None:
    assert is_in_range(version, wanted) is fits


@pytest.mark.parametrize("wanted", ["1.0", ">=", ">=1.0,", "~=1.0", ">=1.0 <2", ">=1.x", "=1", ">=1.2.3.4.5"])
def test_what_is_no_range_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="is no range of versions"):
        parts_of(wanted)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param({"tree": b"ACME Box 2\n"}, "acme-box-2", id="a name with spaces"),
        pytest.param({"tree": b"raspberrypi,4-model-b\0brcm,bcm2711\0"}, "raspberrypi,4-model-b", id="device tree"),
        pytest.param({"tree": b"\n", "dmi": b"Virtual (Box)\n"}, "virtual-box", id="the first that says something"),
        pytest.param({"dmi": b"x" * 300}, "x" * 64, id="at most 64"),
        pytest.param({}, "", id="nobody says"),
    ],
)
def test_the_hardware_is_one_word(tmp_path: Path, contents: dict[str, bytes], expected: str) -> None:
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    assert name(Settings(), (tmp_path / "tree", tmp_path / "dmi")) == expected
    own = Settings(device=Device(hardware="box-7"))
    assert name(own, (tmp_path / "tree",)) == "box-7"


def permit(
    device: bytes = KEY.device, id_: str = "acme-vans", version: int = 11, signers: Sequence[DeviceKey] = (ANNA, BEN)
) -> Permit:
    made = Permit.new(device, id_, version, NOON_US)
    for key in signers:
        made = made.signed(key)
    return Permit.parse(made.text(), "permit.json")


@pytest.mark.parametrize(
    ("version", "highest", "is_taken"),
    [(12, 0, True), (12, 11, True), (12, 12, True), (12, 13, False)],
)
def test_an_older_version_is_refused_without_a_permission(version: int, highest: int, is_taken: bool) -> None:
    bundle = bundle_of(version=version)
    if is_taken:
        check_version(bundle, highest, KEY.device, None, WHOM, NOON_US)
        return
    with pytest.raises(BundleError, match=f"--device {KEY.device.hex()} --id acme-vans --version 12") as caught:
        check_version(bundle, highest, KEY.device, None, WHOM, NOON_US)
    assert caught.value.reason == "older"


@pytest.mark.parametrize(
    ("said", "now_us", "reason"),
    [
        pytest.param({}, NOON_US, None, id="the last second"),
        pytest.param({}, None, None, id="no clock"),
        pytest.param({}, NOON_US + SECOND_US, "expired", id="a second later"),
        pytest.param({"device": EVE.device}, NOON_US, "permit", id="another device's"),
        pytest.param({"version": 10}, NOON_US, "permit", id="for another version"),
        pytest.param({"id_": "acme-cars"}, NOON_US, "permit", id="for another bundle"),
        pytest.param({"signers": (ANNA,)}, NOON_US, "threshold", id="too few"),
        pytest.param({"signers": (EVE,)}, NOON_US, "key", id="a stranger's"),
        pytest.param({"signers": ()}, NOON_US, "unsigned", id="nobody's"),
    ],
)
def test_a_permission_is_for_one_device_one_version_and_a_time(
    said: dict[str, Any], now_us: int | None, reason: str | None
) -> None:
    given, bundle = permit(**said), bundle_of(version=11)
    if reason is None:
        check_version(bundle, 12, KEY.device, given, WHOM, now_us)
        return
    with pytest.raises(BundleError) as caught:
        check_version(bundle, 12, KEY.device, given, WHOM, now_us)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"tbox_permit": 1}', permit().text().replace(b'"version": 11', b'"version": 0')]
)
def test_what_is_no_permission_is_refused(raw: bytes) -> None:
    with pytest.raises(BundleError, match=r"permit\.json: "):
        Permit.parse(raw, "permit.json")
