# ruff: noqa: INP001  # a script of the build, in no package
"""The licence of each package in a folder, as its metadata says it, one a line: licences.py SITE_PACKAGES."""

import sys
from importlib.metadata import Distribution, distributions

UNKNOWN = "not told"


def licence_of(package: Distribution) -> str:
    """SPDX where it is told, else the classifiers, else the first line of the old field."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return expression
    kinds = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or [] if one.startswith("License ::")]
    return ", ".join(kinds) or (told.get("License") or UNKNOWN).splitlines()[0]


for name, version, licence in sorted(
    (one.metadata["Name"], one.version, licence_of(one)) for one in distributions(path=[sys.argv[1]])
):
    print(f"{name} {version}: {licence}")
