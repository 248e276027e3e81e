"""On a claims page: what the driver contests, and what the camera saved. Pure."""

import datetime as dt
from html import escape

from agent.evidence.claim import Claim
from agent.evidence.exhibits import DIFFERS, SENT_WRONG, Film
from agent.world.dating import Moment
from agent.world.hours import zone

WRONG = (DIFFERS, SENT_WRONG)


def contested(claim: Claim, timezone: str) -> str:
    """Each note in the driver's own words; empty: there is none."""
    if not claim.notes:
        return ""
    notes = "".join(
        f'<li><p class="said">{escape(note.text)}</p>'
        f"<small>Noted {escape(_when(note.moment, timezone))}, record {note.seq}, "
        f"{_sealed(claim, note.seq)}.</small></li>"
        for note in claim.notes
    )
    return f'<section><h2>Contested by the driver</h2><ul class="facts panel">{notes}</ul></section>\n'


def camera(claim: Claim) -> str:
    """Each file with its hash, and whether the one at hand is that."""
    films = "".join(_film(claim, film) for film in claim.films)
    said = films or "<li>No clip is told of in these records.</li>"
    return f'<section><h2>The camera</h2><ul class="facts panel">{said}</ul></section>\n'


def _film(claim: Claim, film: Film) -> str:
    span = f"{film.start_s:+.1f} s to {film.end_s:+.1f} s from the blow"
    if not film.file:
        return f"<li>No clip of {span}: {escape(film.why)} (record {film.seq}).</li>"
    part = "" if film.is_whole else "; not all of it was filmed"
    rows = (
        ("Clip", f"{film.file}, {film.bytes / 1e6:.1f} MB"),
        ("Filmed", f"{span}, give or take {film.u_s:.1f} s{part}"),
        ("Told by", f"record {film.seq}, {_sealed(claim, film.seq)}"),
    )
    facts = "".join(f"<li><b>{name}</b>{escape(words)}</li>" for name, words in rows)
    style = ' class="wrong"' if film.verdict in WRONG else ""
    return (
        f"{facts}<li><b>SHA-256</b><code>{film.sha256}</code></li>"
        f"<li><b>The file</b><span{style}>{escape(film.verdict)}</span></li>"
    )


def _sealed(claim: Claim, seq: int) -> str:
    """Whether a seal vouches for a record."""
    return "sealed" if seq <= claim.proof.sealed_upto else "not sealed yet"


def _when(moment: Moment | None, timezone: str) -> str:
    if moment is None:
        return "at a time that no clock record tells"
    local = dt.datetime.fromtimestamp(moment.utc_us / 1e6, dt.UTC).astimezone(zone(timezone))
    return f"{local:%-d %B %Y, %H:%M:%S} ({timezone})"
