"""Builds the four C extensions; everything else about the package stands in pyproject.toml."""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class AbiWheel(bdist_wheel):
    """One wheel for every CPython from 3.11 on: its extensions keep to the stable ABI."""

    def finalize_options(self) -> None:
        """Tag the wheel cp311-abi3."""
        self.py_limited_api = "cp311"
        super().finalize_options()


setup(
    cffi_modules=[f"native/build.py:{name}" for name in ("core", "candump", "guard", "socketcan")],
    cmdclass={"bdist_wheel": AbiWheel},
)
