"""The store after power cuts at the level of blocks, a sample: `make powercut-block` tries thousands."""

from pathlib import Path
from random import Random

import pytest

from hil import kernel
from tests.power_cuts import plan, tell, try_all

if not kernel.is_inside():
    pytest.skip("root's work: in a kernel that comes along only", allow_module_level=True)


@pytest.mark.parametrize(("seed", "block_bytes"), [(1, 4096), (2, 1024)])
def test_after_any_power_cut_the_store_has_all_that_it_reported_as_synced(
    seed: int, block_bytes: int, tmp_path: Path
) -> None:
    luck = Random(seed)
    story = tell(tmp_path, luck, 120, block_bytes)
    cuts = plan(story.log, 30, luck)
    assert len(cuts) == 30
    assert [words for words in try_all(story, cuts, tmp_path) if words] == []
