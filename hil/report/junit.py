"""Verdicts as JUnit XML, which every CI reads: one suite a scenario, one case an expectation. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hil.report.verdict import Finding


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario, judged; `skipped` says why it did not run."""

    name: str
    place: str
    took_s: float = 0.0
    findings: Sequence[Finding] = ()
    again: str = ""
    """The command that reproduces it."""
    skipped: str = ""

    @property
    def is_good(self) -> bool:
        """Whether everything holds that was judged."""
        return all(finding.holds for finding in self.findings)


def junit(results: Sequence[Result]) -> str:
    """The whole file."""
    suites = Element("testsuites", _counts([finding for result in results for finding in result.findings]))
    for result in results:
        name = f"hil.{result.name}"
        suite = SubElement(suites, "testsuite", {"name": name, "time": f"{result.took_s:.3f}"})
        suite.attrib |= _counts(result.findings, skipped=1 if result.skipped else 0)
        if result.skipped:
            SubElement(SubElement(suite, "testcase", {"classname": name, "name": "runs"}), "skipped").set(
                "message", result.skipped
            )
        for finding in result.findings:
            case = SubElement(suite, "testcase", {"classname": name, "name": finding.name})
            if not finding.holds:
                SubElement(case, "failure", {"message": finding.words}).text = result.again
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _counts(findings: Sequence[Finding], skipped: int = 0) -> dict[str, str]:
    bad = sum(not finding.holds for finding in findings)
    return {"tests": str(len(findings) + skipped), "failures": str(bad), "skipped": str(skipped), "errors": "0"}
