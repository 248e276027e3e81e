"""The list of planted defects: one for each fault, each where the text it changes still stands."""

from typing import get_args

import pytest

from hil import ROOT
from hil.scenes import scenario_table
from hil.scenes.scenario_file import find, read
from tests.hil_defects import BESIDES, DEFECTS, Defect, try_one

FAULTS = {fault for kind in ("CarFault", "BusFault", "LiveFault") for fault in get_args(getattr(scenario_table, kind))}


def test_every_fault_has_a_defect() -> None:
    assert set(DEFECTS) == FAULTS


@pytest.mark.parametrize("name", [*DEFECTS, *BESIDES])
def test_a_defect_can_be_planted_and_its_scenario_has_the_fault(name: str) -> None:
    defect = {**DEFECTS, **BESIDES}[name]
    assert (ROOT / defect.file).read_text().count(defect.right) >= 1
    scenario = read(find(defect.scenario))
    assert defect.place in scenario.places
    assert name in BESIDES or name in {fault.name for fault in scenario.fault}


def test_a_defect_that_is_planted_is_seen_and_what_is_right_is_not() -> None:
    planted = DEFECTS["gnss_jam"]
    assert try_one(planted).startswith("1 x gnss_loss")
    harmless = Defect("nothing", planted.scenario, planted.place, planted.file, planted.right, planted.right)
    assert try_one(harmless) == ""
