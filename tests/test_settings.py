"""Settings: layers, ranges, and errors that say where, what, the range and the nearest key."""

from pathlib import Path

import msgspec
import pytest

from agent.errors import SettingsError, UsageError
from agent.settings import Settings, defaults, rules_id, to_json_schema
from agent.settings import file as settings_file
from agent.settings.error import allowed, known_keys
from agent.settings.file import PATHS, lines_of, load, read

BRAKING = ("detect", "harsh_braking", "threshold_mps2")


def written(folder: Path, text: str) -> Path:
    path = folder / "tbox.toml"
    path.write_text(text)
    return path


def complaint(path: Path | None, *sets: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path, sets)
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None) == defaults() == Settings()


def test_each_layer_beats_the_one_before(tmp_path: Path) -> None:
    path = written(tmp_path, "[trip]\nend_s = 200\nmin_distance_m = 9\n")
    trip = load(path, ["trip.end_s=100", "trip.end_s=50"]).trip
    assert (trip.end_s, trip.min_distance_m, trip.start_mps) == (50.0, 9.0, 1.39)


def test_each_value_knows_who_says_it(tmp_path: Path) -> None:
    text = '# one\n\n[trip]\n# why\nend_s = 200\n\n[samples]\nsignals = [\n  "speed",\n]\n[[can]]\nchannel = "vcan0"\n'
    loaded = read(written(tmp_path, text), ["trip.start_mps=2"])
    said = {
        ("trip", "end_s"): "tbox.toml:5",
        ("trip", "start_mps"): "--set",
        ("trip", "min_distance_m"): "default",
        ("samples", "signals"): "tbox.toml:8",
        ("can", 0, "channel"): "tbox.toml:12",
        ("can", 0, "number"): "default",
    }
    assert {key: loaded.origin(key).removeprefix(f"{tmp_path}/") for key in said} == said


def test_a_rule_that_is_set_in_part_keeps_its_other_defaults() -> None:
    defaults = load(None)
    for name in defaults.detect.__struct_fields__:
        enabled = str(getattr(defaults.detect, name).enabled).lower()
        assert load(None, [f"detect.{name}.enabled={enabled}"]) == defaults


def test_a_later_list_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    loaded = read(written(tmp_path, '[[can]]\nchannel = "a"\nfd = true\n'), ["can=[{channel='b'}]"])
    assert [(bus.channel, bus.fd) for bus in loaded.settings.can] == [("b", False)]
    assert loaded.origin(("can", 0, "fd")) == "default"


def test_keys_are_found_on_their_lines_in_any_toml_spelling() -> None:
    text = 'a.b = 1\n"c" = """\n[x]\ny = 1\n"""\nd = { e = 1 }\n[[f]]\n[[f]]\ng = [\n  1,\n]\n'
    lines = lines_of(text)
    wanted = {("a", "b"): 1, ("c",): 2, ("d", "e"): 6, ("f", 0): 7, ("f", 1): 8, ("f", 1, "g"): 9}
    assert {key: lines[key] for key in wanted} == wanted
    assert ("x",) not in lines


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param("detect.harsh_breaking.threshold_mps2=3", ["detect.harsh_braking"], id="misspelt table"),
        pytest.param("detect.harsh_braking.treshold_mps2=3", ["harsh_braking.threshold_mps2"], id="misspelt key"),
        pytest.param("keepalive_s=3", ["nearest known is mqtt.keepalive_s"], id="key without its table"),
        pytest.param("zzz=3", ["known here: device can elm obd recording"], id="nothing like it"),
        pytest.param("detect.harsh_braking.threshold_mps2=fast", ["threshold_mps2", "0.1 to 200 m/s²"], id="bare word"),
        pytest.param("detect.harsh_braking.hold_s=-1", ["hold_s = -1", "0 to 60 s"], id="under its range"),
        pytest.param("detect.harsh_braking.hold_s=60.001", ["hold_s = 60.001", "0 to 60 s"], id="over its range"),
        pytest.param("trip.end_s=nan", ["trip.end_s", "1 to 7200 s"], id="not a number"),
        pytest.param("trip.end_s=inf", ["trip.end_s", "1 to 7200 s"], id="infinite"),
        pytest.param("detect.harsh_braking.threshold_mps2=1" + 400 * "0", ["0.1 to 200 m/s²"], id="beyond any float"),
        pytest.param("detect.harsh_braking.threshold_mps2=true", ["threshold_mps2 = true", "m/s²"], id="bool as number"),
        pytest.param("detect.harsh_braking.enabled=7.5", ["enabled = 7.5", "true or false"], id="number as bool"),
        pytest.param("detect.harsh_braking.enabled=1", ["enabled = 1", "true or false"], id="one as bool"),
        pytest.param("store.budget_mb=64.0", ["a whole number from 4 to 1000000 MB"], id="float as whole number"),
        pytest.param("mqtt.version=4", ['"3.1.1" "5" "auto"'], id="not one of the words"),
        pytest.param("device.name=a/b", ["A-Z a-z 0-9"], id="a slash in a topic"),
        pytest.param('device.name="a\\n"', ["A-Z a-z 0-9"], id="a line end in a topic"),
        pytest.param("trip=5", ["trip = 5: must be a table"], id="a value for a table"),
        pytest.param("trip.end_s.x=5", ["trip.end_s", "1 to 7200 s"], id="a table for a value"),
        pytest.param("can.0.channel=x", ["can", "must be a list of tables"], id="a table for a list"),
        pytest.param("can=[{channel=5}]", ["can[0].channel = 5", "text in quotes"], id="inside a list"),
        pytest.param("can=[{channle='x'}]", ["nearest known is can[0].channel"], id="unknown inside a list"),
        pytest.param("can=[{options={a={}}}]", ["can[0].options", "a table of texts"], id="too deep inside options"),
        pytest.param("can=[{},{channel='b'}]", ["can[1].number = 0 is taken"], id="two buses, one number"),
        pytest.param("can=[{},{number=1}]", ['can[1].channel = "can0" stands above'], id="one bus twice"),
        pytest.param("can=[{bitrate=500000}]", ["can[0].bitrate", "ip link set can0 up"], id="rate for socketcan"),
        pytest.param("samples.signals=['sped']", ['unknown signal "sped"', "speed rpm"], id="unknown signal"),
        pytest.param("samples.signals=['rpm','rpm']", ['"rpm" stands twice'], id="signal twice"),
        pytest.param("detect.harsh_braking.release_mps2=3.44", ["release_mps2 = 3.44", "threshold_mps2 = 3.43"], id="release"),
        pytest.param("detect.crash.medium_mps=7", ["medium_mps = 7.0", "high_mps = 6.94"], id="severity upside down"),
        pytest.param("uplink.backoff_s_min=61", ["backoff_s_min = 61.0", "backoff_s_max = 60.0"], id="back-off"),
        pytest.param("store.evidence_mb_per_day=65", ["evidence_mb_per_day = 65", "budget_mb = 64"], id="evidence"),
        pytest.param("mqtt.cert_file=a.pem", ["mqtt.cert_file", "mqtt.key_file"], id="half a pair"),
        pytest.param("mqtt.password_file=a", ["mqtt.password_file", "mqtt.username"], id="password for nobody"),
        pytest.param("=5", ["table.key"], id="no key"),
        pytest.param("trip..end_s=5", ["table.key"], id="empty part"),
        pytest.param(".".join(5000 * ["a"]) + "=1", ["unknown key"], id="endless key"),
    ],
)  # fmt: skip
def test_a_bad_set_names_the_key_and_the_way_out(words: str, names: list[str]) -> None:
    said = complaint(None, words)
    assert said.startswith("--set")
    assert [name for name in names if name not in said] == []


def test_a_set_without_equals_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"trip\.end_s") as caught:
        load(None, ["trip.end_s"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("words", "value"),
    [
        pytest.param("device.name=truck-7", "truck-7", id="bare string"),
        pytest.param('device.name="truck-7"', "truck-7", id="TOML string"),
        pytest.param("device.name=", "", id="nothing"),
        pytest.param("device.name=a=b", None, id="only the first = counts"),
    ],
)
def test_the_value_of_a_set_is_toml_else_a_bare_string(words: str, value: str | None) -> None:
    if value is None:
        assert 'device.name = "a=b"' in complaint(None, words)
    else:
        assert load(None, [words]).device.name == value


def test_the_value_of_a_set_cannot_bring_further_keys() -> None:
    assert 'trip.end_s = "5\\nx = 1"' in complaint(None, "trip.end_s=5\nx = 1")


def test_a_set_never_repeats_what_may_be_a_secret() -> None:
    assert "hunter2" not in complaint(None, "mqtt.password=hunter2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[detect\n", ":1: not TOML: ", id="torn"),
        pytest.param("a = 1\na = 2", ":2: not TOML: ", id="a key twice, at the very end"),
        pytest.param("# x\n\n[trip]\nend_s = 0\n", ":4: trip.end_s = 0: must be a number from 1 to 7200 s", id="out of range"),
        pytest.param("[trip]\r\n\r\nend = 0\r\n", ":3: trip.end: unknown key; the nearest known is trip.end_s", id="CRLF"),
        pytest.param("[[can]]\n[[can]]\nnumber = 1\nfd = 1", ":4: can[1].fd = 1: must be true or false", id="second of a list"),
        pytest.param("[mqtt]\ntls = false\nca_file = 'x'", ":2: mqtt.tls = false, but mqtt.ca_file is set", id="open door"),
        pytest.param("a = " + 5000 * "[", ": nested too deep", id="nested lists"),
        pytest.param(".".join(3000 * "a") + " = 1", ": nested too deep", id="nested tables"),
        pytest.param(300_000 * "#", ": too big", id="too big"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    assert complaint(path).startswith(f"{path}{said}")


def test_a_file_that_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tbox.toml"
    path.write_bytes(b"# good\n\xff\xfe")
    assert complaint(path) == f"{path}:2: not TOML: not UTF-8 text"


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff[trip]\nend_s = 5\n")
    assert load(path).trip.end_s == 5.0


def test_a_missing_file_is_named_with_the_fix(tmp_path: Path) -> None:
    assert complaint(tmp_path / "gone.toml").startswith(f"{tmp_path}/gone.toml: cannot be read: No such file")
    assert complaint(tmp_path).startswith(f"{tmp_path}: cannot be read: Is a directory")


def test_without_the_machines_file_its_error_says_how_to_install_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_file, "MACHINE_FILE", tmp_path / "tbox.toml")
    said = complaint(tmp_path / "tbox.toml")
    assert "install -D -m 644" in said
    assert Path(said.partition("-m 644 ")[2].split()[0]).is_file()


def test_relative_paths_start_from_the_folder_of_the_file_that_says_them(tmp_path: Path) -> None:
    text = '[mqtt]\nca_file = "ca.pem"\n[recording]\npaths = ["a.log", "/b.log"]\n[vehicle]\nmap = "maps/car.toml"\n'
    settings = load(written(tmp_path, text), ["device.state_dir=here"])
    assert settings.mqtt.ca_file == f"{tmp_path}/ca.pem"
    assert settings.recording.paths == (f"{tmp_path}/a.log", "/b.log")
    assert settings.vehicle.map == f"{tmp_path}/maps/car.toml"
    assert settings.device.state_dir == "here"


def test_the_bare_name_of_a_map_stays() -> None:
    assert load(None, ["vehicle.map=rav4.toml"]).vehicle.map == "rav4.toml"


def test_every_key_that_is_a_path_exists() -> None:
    assert set(PATHS) <= set(known_keys())


@pytest.mark.parametrize(
    ("sets", "release"),
    [
        pytest.param([], 2.85, id="default"),
        pytest.param(["threshold_mps2=5.5"], 4.56, id="threshold alone, higher"),
        pytest.param(["threshold_mps2=2"], 1.66, id="threshold alone, under the default release"),
        pytest.param(["threshold_mps2=0.1"], 0.08, id="lowest threshold"),
        pytest.param(["threshold_mps2=5.5", "release_mps2=5", "medium_mps2=6", "high_mps2=7"], 5.0, id="all four"),
        pytest.param(["threshold_mps2=3.43133", "release_mps2=3.43033"], 3.43033, id="just under"),
        pytest.param(["threshold_mps2=3", "release_mps2=3.0"], 3.0, id="at the threshold"),
    ],
)
def test_release_follows_a_threshold_that_is_set_alone(sets: list[str], release: float) -> None:
    settings = load(None, [f"detect.harsh_cornering.{words}" for words in sets])
    assert settings.detect.harsh_cornering.release_mps2 == release
    assert settings.detect.harsh_braking.release_mps2 == 2.85


def test_a_release_that_follows_says_so() -> None:
    assert read(None, ["detect.harsh_braking.threshold_mps2=3"]).origin((*BRAKING[:2], "release_mps2")) == (
        "0.83 of threshold_mps2"
    )


def test_a_threshold_over_the_default_medium_is_no_error() -> None:
    rule = load(None, ["detect.harsh_braking.threshold_mps2=5.5"]).detect.harsh_braking
    assert (rule.threshold_mps2, rule.medium_mps2) == (5.5, 4.41)


@pytest.mark.parametrize("name", ["harsh_braking", "harsh_acceleration", "harsh_cornering"])
@pytest.mark.parametrize("value", ["0", "0.0"])
def test_hold_gate_and_refractory_time_may_be_zero(name: str, value: str) -> None:
    keys = ("hold_s", "min_speed_mps", "refractory_s")
    rule = getattr(load(None, [f"detect.{name}.{key}={value}" for key in keys]).detect, name)
    assert [getattr(rule, key) for key in keys] == [0.0, 0.0, 0.0]


def test_every_range_is_taken_at_both_ends_and_refused_just_outside() -> None:
    ends = 0
    for key in known_keys():
        words = allowed(key).split()
        if "from" not in words or key[0] in ("can", "elm"):
            continue
        low, high = (words[words.index(word) + 1] for word in ("from", "to"))
        for inside, outside in ((low, float(low) - 0.001), (high, float(high) + 0.001)):
            dotted = ".".join(map(str, key))
            assert " must be " in complaint(None, f"{dotted}={outside}")
            try:
                load(None, [f"{dotted}={inside}"])
            except SettingsError as why:  # a neighbour may object: a minimum over its maximum
                assert " is above " in str(why)  # noqa: PT017  (most rows raise nothing)
            ends += 1
    assert ends > 80


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        defaults().trip.end_s = 1.0  # type: ignore[misc]


def test_the_identity_of_the_rules_changes_with_any_number_in_them() -> None:
    moved = load(None, ["detect.crash.confirm_s=9.999"])
    assert rules_id(moved.detect) != rules_id(defaults().detect) == rules_id(load(None, ["trip.end_s=5"]).detect)
    assert len(rules_id(defaults().detect)) == 16


def test_the_schema_refuses_unknown_keys_and_knows_every_range() -> None:
    tables = to_json_schema()["$defs"]
    assert all(table["additionalProperties"] is False for table in tables.values())
    hold = tables["Harsh"]["properties"]["hold_s"]
    assert (hold["minimum"], hold["maximum"], hold["default"]) == (0, 60, 0.5)
    assert msgspec.convert(msgspec.to_builtins(defaults()), Settings) == defaults()
