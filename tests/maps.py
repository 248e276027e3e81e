"""A small car: its DBC, and vehicle maps of it to compile."""

from pathlib import Path

from agent._core import ffi, lib
from agent.maps import compile as compiler
from agent.vehicle import Table

DBC = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 180 SPEED: 8 X
 SG_ SPEED : 47|16@0+ (0.01,0) [0|250] "km/h" X
 SG_ SPEED_OK : 0|1@1+ (1,0) [0|1] "" X
 SG_ TEMP : 8|8@1+ (1,-40) [0|0] "degF" X
 SG_ BARE : 16|8@1+ (0.5,0) [0|0] "" X
 SG_ ODD : 24|8@1+ (1,0) [0|0] "furlongs" X
BO_ 2566849022 WIDE: 8 X
 SG_ MUX M : 0|4@1+ (1,0) [0|0] "" X
 SG_ INNER m2M : 4|4@1+ (1,0) [0|0] "" X
 SG_ OK m3 : 8|1@1+ (1,0) [0|0] "" X
 SG_ RPM m3 : 16|16@1+ (1,0) [0|0] "rpm" X
 SG_ FUEL m4 : 16|8@1+ (1,0) [0|0] "%" X
BO_ 300 OTHER: 8 X
 SG_ X : 0|8@1+ (1,0) [0|0] "" X
BO_ 500 LONG: 64 X
 SG_ TEXT : 0|400@1+ (1,0) [0|0] "" X
SG_MUL_VAL_ 2566849022 INNER MUX 2-2;
SG_MUL_VAL_ 2566849022 OK INNER 3-3, 5-6;
SG_MUL_VAL_ 2566849022 RPM INNER 3-3, 5-6;
SG_MUL_VAL_ 2566849022 FUEL MUX 4-4;
"""

HEAD = '[vehicle]\nname = "Car"\n[[source]]\nchannel = 0\ndbc = "car.dbc"\n'
SPEED = '[signal.speed]\nmessage = "SPEED"\nsignal = "SPEED"\n'


def compiled(folder: Path, text: str, dbc: str = DBC) -> Table:
    (folder / "car.dbc").write_text(dbc)
    (folder / "map.toml").write_text(text)
    table = compiler.compile_map(folder / "map.toml")
    c_table = table.as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table)
    return table
