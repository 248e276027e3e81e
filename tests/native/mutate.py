"""C text, changed in one place at a time: the mutants of a file, always the same and in the same order.

Some changes would tell nothing, whatever the tests, and are made so that they may tell something, or not made:
a tolerance that is a tenth wider and a bound beyond all numbers a tenth farther off (both move by six powers of ten); memory
set to ones, which as doubles are next to nothing (set to 255, which are NaN); room for one more (room for one less); and < for <=
where the smaller or larger of two is taken, which are the same where they are equal (`a < b ? a : b`, `if (a < b) { b = a; }`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUIET = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|^[ \t]*#[ \t]*(?!define)[^\n]*|\b_?[sS]tatic_?assert\([^;]*;|\bassert\([^;]*;',
    re.DOTALL | re.MULTILINE,
)
TOKEN = re.compile(
    r"(?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?)(?:[uUlLfF]*)\b)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<operator><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|%=|&=|\|=|[-+*/%<>=!&|^~?:;,.(){}\[\]])"
)
TYPES = re.compile(r"^(?:\w+_t|const|return|sizeof|void|char|int|double|float|bool|struct|unsigned|else|case)$")
BINARY = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",),
    "&": ("|",), "|": ("&",), "<<": (">>",), ">>": ("<<",), "+=": ("-=",), "-=": ("+=",), "*=": ("/=",),
    "|=": ("&=",), "&=": ("|=",), "++": ("--",), "--": ("++",),
}  # fmt: skip
TOLERANCE, BEYOND = 1e-6, 1e9
STATEMENT = re.compile(
    r"^[ ]{4,}(?!return\b|const\b|static\b|case\b|typedef\b|struct\b|\w+_t\b|double\b|bool\b|uint)[^{}#]*?;$",
    re.MULTILINE,
)
TERM = r"[\w.>\[\]()-]+(?: [-+*/] [\w.>\[\]()-]+)*"
CHOSEN = re.compile(
    rf"(?P<a>{TERM}) (?P<sign>[<>]=?) (?P<b>{TERM}) \? (?:(?P=a) : (?P=b)|(?P=b) : (?P=a))(?![\w.(\[])"
    rf"|if \((?P<c>{TERM}) (?P<mark>[<>]=?) (?P<d>{TERM})\) \{{\s*(?P=d) = (?P=c);\s*\}}"
)
"""The smaller or larger of two."""

SET = re.compile(r"\bmemset\([^;]*?, (?P<byte>0),")
ROOM = re.compile(r"^\s+(?:static )?(?:const )?\w+ \w+\[(?P<room>[^\]]*)\](?:;| =)", re.MULTILINE)

CONDITION = re.compile(r"\b(if|while) \(")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: `old` at this place becomes `new`."""

    file: str
    start: int
    old: str
    new: str
    line: int
    text: str

    def applied(self, source: str) -> str:
        """The changed file, with as many lines."""
        return source[: self.start] + self.new + source[self.start + len(self.old) :]

    def __str__(self) -> str:
        """As the list of survivors names it: by the line's text, so that lines may move."""
        return f"{self.file}: `{self.text}`: `{' '.join(self.old.split())}` -> `{self.new}`"


def masked(source: str) -> str:
    """The text with what is no code blanked out, lengths and lines kept."""
    return QUIET.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)


def number(text: str) -> str:
    """Another number: a tenth more, or one more where that is next to nothing; a tolerance or a bound beyond all: far off."""
    digits = re.match(r"0[xX][0-9a-fA-F]+|[0-9.]+(?:[eE][+-]?\d+)?", text)
    assert digits
    suffix = text[digits.end() :]
    if "." in digits.group() or ("e" in digits.group().lower() and not digits.group().lower().startswith("0x")):
        told = float(digits.group())
        times = 1e6 if told <= TOLERANCE else 1e-6 if told >= BEYOND else 1.1
        return f"{told * times if told else 1.0!r}{suffix}"
    told = int(digits.group(), 0)
    return f"{told + (told // 10 if told >= 1000 else 1)}{suffix}"


def changes(code: str) -> Iterator[tuple[int, str, str]]:
    """(where, old, new) of every change of a token."""
    before = ""
    chosen = {found.start(name) for found in CHOSEN.finditer(code) for name in ("sign", "mark")}
    bytes_set = {found.start("byte") for found in SET.finditer(code)}
    rooms = [found.span("room") for found in ROOM.finditer(code)]
    for found in TOKEN.finditer(code):
        text, kind = found.group(), found.lastgroup
        is_value = bool(re.match(r"[\w)\]]", before)) and not TYPES.match(before)
        if found.start() in bytes_set:
            yield found.start(), text, "255"
        elif any(start <= found.start() < end for start, end in rooms):
            if kind == "number":
                yield found.start(), text, str(int(text.rstrip("uUlL"), 0) - 1)
        elif kind == "number":
            yield found.start(), text, number(text)
        elif text in ("true", "false"):
            yield found.start(), text, "false" if text == "true" else "true"
        elif text in ("++", "--") or (text in BINARY and is_value):
            signs = [new for new in BINARY[text] if found.start() not in chosen or new[0] != text[0]]
            yield from ((found.start(), text, new) for new in signs)
        elif text in ("!", "-", "~") and not is_value:
            yield found.start(), text, " "
        before = text


def conditions(code: str) -> Iterator[tuple[int, str, str]]:
    """Every condition, denied."""
    for found in CONDITION.finditer(code):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        inside = code[found.end() : end - 1]
        yield found.end(), inside, f"!({inside})"


def statements(code: str) -> Iterator[tuple[int, str, str]]:
    """Every statement that is no declaration, left out."""
    for found in STATEMENT.finditer(code):
        text = found.group().lstrip()
        yield found.end() - len(text), text, "\n" * text.count("\n") + ";"


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file."""
    source = path.read_text()
    code, made = masked(source), []
    for start, old, new in sorted({*changes(code), *conditions(code), *statements(code)}):
        line = source.count("\n", 0, start)
        made.append(
            Mutant(path.name, start, source[start : start + len(old)], new, line + 1, source.split("\n")[line].strip())
        )
    return made
