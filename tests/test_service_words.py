"""What the service page says: every text in both languages, every name a text, every sentence of the checks known to it."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from agent.doctor import beside, checkup, checkup_terminal, doctor
from agent.flash import contents, flash, flash_check, flash_verify
from agent.service import house as service_house
from agent.service import state as service_state
from agent.service import web as service_web
from agent.service.files import files
from agent.trust import archive, bundle, compatible, document, permit, roster, trust

FILES = {name: content.decode() for name, (_, content) in files().items()}
TABLE = json.loads(FILES["words.json"])
WORDS, PHRASES = TABLE["words"], TABLE["phrases"]
CODE = "\n".join(text for name, text in FILES.items() if name.endswith(".js"))
HOLE = re.compile(r"\{\d\}")
HAN = re.compile("[一-鿿]")


def test_every_text_is_there_in_both_languages() -> None:
    assert [name for name, told in WORDS.items() if set(told) != {"en", "zh"} or not all(told.values())] == []


def test_the_chinese_is_chinese() -> None:
    names = {"box.gnss"}
    assert [name for name, told in WORDS.items() if not HAN.search(told["zh"]) and name not in names] == []


def test_both_languages_fill_in_the_same() -> None:
    pairs = [*((told["en"], told["zh"]) for told in WORDS.values()), *PHRASES]
    assert [pair for pair in pairs if sorted(HOLE.findall(pair[0])) != sorted(HOLE.findall(pair[1]))] == []


def test_no_text_stands_twice() -> None:
    names = re.findall(r'^ "([^"]+)": \{', FILES["words.json"], re.MULTILINE)
    assert len(names) == len(set(names)) == len(WORDS)


def test_every_text_that_is_asked_for_is_there_and_each_is_asked_for() -> None:
    asked = set(re.findall(r'\bt\("([^"]+)"', CODE)) | set(
        re.findall(r'"((?:check|flash|situation|install|trips|top)\.[a-z_.]+)"', CODE)
    )
    assert asked - WORDS.keys() == set()
    made = tuple(re.findall(r"`([a-z]+\.)\$\{", CODE))
    assert [
        name for name in WORDS if name not in asked and not name.startswith((*made, "error.", "install.", "end."))
    ] == []


def test_each_situation_has_its_words_and_something_to_do() -> None:
    for name in service_state.COLOURS:
        for part in ("short", "title", "line", "step1"):
            assert f"situation.{name}.{part}" in WORDS


def test_each_refusal_has_its_sentence() -> None:
    source = inspect.getsource(service_house) + inspect.getsource(service_web)
    words = set(re.findall(r'RefusedError\(\d+, "([a-z_]+)"', source)) | {
        "pin_wrong",
        "pin_wait",
        "pin_void",
        "ours",
        "too_big",
    }
    words |= {f"bad_{field}" for field in ("technician", "plate", "vin", "odometer_km", "photo")}
    assert {f"error.{word}" for word in words} - WORDS.keys() == set()


def test_each_reason_against_a_bundle_has_its_sentence() -> None:
    rooms = (archive, bundle, compatible, contents, document, flash, flash_verify, permit, roster, trust)
    source = "".join(map(inspect.getsource, rooms))
    reasons = set(re.findall(r'(?:BundleError|RefusedError|Fault)\(\s*"([a-z_]+)"', source))
    reasons |= {*flash_verify.REASONS.values(), *flash_verify.DEMANDS}
    assert {f"reason.{word}" for word in reasons} - WORDS.keys() == set()


def test_each_step_of_the_way_has_its_name_and_place() -> None:
    for name, place in service_state.WAY:
        assert f"way.{name}" in WORDS
        assert f"{place}.js" in FILES


def sentences(module: ModuleType) -> Iterator[str]:
    """What the checks of a module say, with a 7 where a value goes."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
            "passed",
            "failed",
            "skipped",
        ):
            told: list[ast.expr] = node.args[1:]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("words", "fix", "sky"):
            told = [node.value]
        else:
            continue
        for one in told:
            if isinstance(one, ast.Constant):
                yield str(one.value)
            elif isinstance(one, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in one.values)


def translated(sentence: str) -> bool:
    """As words.js does it."""
    known = [re.compile("(.+?)".join(map(re.escape, HOLE.split(english)))) for english, _ in PHRASES]

    def is_known(words: str) -> bool:
        return any(pattern.fullmatch(words) for pattern in known)

    parts = [sentence] if is_known(sentence) else sentence.split("; ")
    ones = [one for part in parts for one in ([part] if is_known(part) else part.split(", "))]
    return all(is_known(one) or not re.search("[a-z]{4}", one) for one in ones)


@pytest.mark.parametrize("module", [beside, checkup, checkup_terminal, doctor, flash_check])
def test_what_the_checks_say_is_said_in_chinese_too(module: ModuleType) -> None:
    assert [sentence for sentence in sentences(module) if not translated(sentence)] == []
