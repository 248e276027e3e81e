"""One small bus, told four times: as a DBC, a KCD, a SYM and an ARXML file."""

DBC = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 256 MOTION: 8 X
 SG_ SPEED : 0|16@1+ (0.01,0) [0|300] "km/h" X
 SG_ YAW : 23|16@0- (0.5,-3) [0|0] "deg/s" X
BO_ 2566849022 ENGINE: 8 X
 SG_ RPM : 7|16@0+ (0.25,0) [0|8000] "rpm" X
"""

KCD = """<?xml version="1.0" encoding="UTF-8"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0">
  <Document name="a small bus"/>
  <Bus name="body">
    <Message id="0x100" name="MOTION" length="8">
      <Signal name="SPEED" offset="0" length="16"><Value slope="0.01" unit="km/h"/></Signal>
      <Signal name="YAW" offset="16" length="16" endianess="big">
        <Value type="signed" slope="0.5" intercept="-3" unit="deg/s"/>
      </Signal>
    </Message>
    <Message id="0x18FF01FE" name="ENGINE" length="8" format="extended">
      <Signal name="RPM" offset="0" length="16" endianess="big"><Value slope="0.25" unit="rpm"/></Signal>
    </Message>
  </Bus>
</NetworkDefinition>
"""

SYM = """FormatVersion=6.0 // Do not edit this line!
Title="a small bus"

{SIGNALS}
Sig=SPEED unsigned 16 /u:km/h /f:0.01
Sig=YAW signed 16 -m /u:deg/s /f:0.5 /o:-3
Sig=RPM unsigned 16 -m /u:rpm /f:0.25

{RECEIVE}
[MOTION]
ID=100h
Len=8
Sig=SPEED 0
Sig=YAW 16

[ENGINE]
ID=18FF01FEh
Type=Extended
Len=8
Sig=RPM 0
"""


def _frame(name: str, signals: str) -> str:
    return f"""<CAN-FRAME><SHORT-NAME>{name}</SHORT-NAME><FRAME-LENGTH>8</FRAME-LENGTH>
<PDU-TO-FRAME-MAPPINGS><PDU-TO-FRAME-MAPPING><SHORT-NAME>{name}_MAPPING</SHORT-NAME>
<PDU-REF DEST="I-SIGNAL-I-PDU">/BUS/{name}_PDU</PDU-REF><START-POSITION>0</START-POSITION>
</PDU-TO-FRAME-MAPPING></PDU-TO-FRAME-MAPPINGS></CAN-FRAME>
<I-SIGNAL-I-PDU><SHORT-NAME>{name}_PDU</SHORT-NAME><LENGTH>8</LENGTH>
<I-SIGNAL-TO-PDU-MAPPINGS>{signals}</I-SIGNAL-TO-PDU-MAPPINGS></I-SIGNAL-I-PDU>
"""


def _place(name: str, order: str, start_bit: int) -> str:
    return f"""<I-SIGNAL-TO-I-PDU-MAPPING><SHORT-NAME>{name}_PLACE</SHORT-NAME>
<I-SIGNAL-REF DEST="I-SIGNAL">/BUS/{name}</I-SIGNAL-REF>
<PACKING-BYTE-ORDER>MOST-SIGNIFICANT-BYTE-{order}</PACKING-BYTE-ORDER>
<START-POSITION>{start_bit}</START-POSITION></I-SIGNAL-TO-I-PDU-MAPPING>
"""


def _signal(name: str, encoding: str, offset: str, scale: str, unit: str) -> str:
    return f"""<I-SIGNAL><SHORT-NAME>{name}</SHORT-NAME><LENGTH>16</LENGTH>
<NETWORK-REPRESENTATION-PROPS><SW-DATA-DEF-PROPS-VARIANTS><SW-DATA-DEF-PROPS-CONDITIONAL>
<BASE-TYPE-REF DEST="SW-BASE-TYPE">/BUS/{encoding}</BASE-TYPE-REF>
</SW-DATA-DEF-PROPS-CONDITIONAL></SW-DATA-DEF-PROPS-VARIANTS></NETWORK-REPRESENTATION-PROPS>
<SYSTEM-SIGNAL-REF DEST="SYSTEM-SIGNAL">/BUS/{name}_SYSTEM</SYSTEM-SIGNAL-REF></I-SIGNAL>
<SYSTEM-SIGNAL><SHORT-NAME>{name}_SYSTEM</SHORT-NAME><PHYSICAL-PROPS><SW-DATA-DEF-PROPS-VARIANTS>
<SW-DATA-DEF-PROPS-CONDITIONAL><COMPU-METHOD-REF DEST="COMPU-METHOD">/BUS/{name}_METHOD</COMPU-METHOD-REF>
<UNIT-REF DEST="UNIT">/BUS/{name}_UNIT</UNIT-REF>
</SW-DATA-DEF-PROPS-CONDITIONAL></SW-DATA-DEF-PROPS-VARIANTS></PHYSICAL-PROPS></SYSTEM-SIGNAL>
<COMPU-METHOD><SHORT-NAME>{name}_METHOD</SHORT-NAME><CATEGORY>LINEAR</CATEGORY><COMPU-INTERNAL-TO-PHYS>
<COMPU-SCALES><COMPU-SCALE><COMPU-RATIONAL-COEFFS><COMPU-NUMERATOR><V>{offset}</V><V>{scale}</V></COMPU-NUMERATOR>
<COMPU-DENOMINATOR><V>1</V></COMPU-DENOMINATOR></COMPU-RATIONAL-COEFFS></COMPU-SCALE></COMPU-SCALES>
</COMPU-INTERNAL-TO-PHYS></COMPU-METHOD>
<UNIT><SHORT-NAME>{name}_UNIT</SHORT-NAME><DISPLAY-NAME>{unit}</DISPLAY-NAME></UNIT>
"""


def _type(name: str, encoding: str) -> str:
    return f"""<SW-BASE-TYPE><SHORT-NAME>{name}</SHORT-NAME><CATEGORY>FIXED_LENGTH</CATEGORY>
<BASE-TYPE-SIZE>16</BASE-TYPE-SIZE><BASE-TYPE-ENCODING>{encoding}</BASE-TYPE-ENCODING></SW-BASE-TYPE>
"""


def _triggering(name: str, mode: str, identifier: int) -> str:
    return f"""<CAN-FRAME-TRIGGERING><SHORT-NAME>{name}_TRIGGER</SHORT-NAME>
<FRAME-REF DEST="CAN-FRAME">/BUS/{name}</FRAME-REF><CAN-ADDRESSING-MODE>{mode}</CAN-ADDRESSING-MODE>
<IDENTIFIER>{identifier}</IDENTIFIER></CAN-FRAME-TRIGGERING>
"""


ARXML = f"""<?xml version="1.0" encoding="UTF-8"?>
<AUTOSAR xmlns="http://autosar.org/schema/r4.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://autosar.org/schema/r4.0 AUTOSAR_4-2-2.xsd"><AR-PACKAGES><AR-PACKAGE>
<SHORT-NAME>BUS</SHORT-NAME><ELEMENTS>
<CAN-CLUSTER><SHORT-NAME>BODY</SHORT-NAME><CAN-CLUSTER-VARIANTS><CAN-CLUSTER-CONDITIONAL><PHYSICAL-CHANNELS>
<CAN-PHYSICAL-CHANNEL><SHORT-NAME>CHANNEL</SHORT-NAME><FRAME-TRIGGERINGS>
{_triggering("MOTION", "STANDARD", 0x100)}{_triggering("ENGINE", "EXTENDED", 0x18FF01FE)}
</FRAME-TRIGGERINGS></CAN-PHYSICAL-CHANNEL></PHYSICAL-CHANNELS></CAN-CLUSTER-CONDITIONAL></CAN-CLUSTER-VARIANTS>
</CAN-CLUSTER>
{_frame("MOTION", _place("SPEED", "LAST", 0) + _place("YAW", "FIRST", 23))}
{_frame("ENGINE", _place("RPM", "FIRST", 7))}
{_signal("SPEED", "UNSIGNED", "0", "0.01", "km/h")}{_signal("YAW", "SIGNED", "-3", "0.5", "deg/s")}
{_signal("RPM", "UNSIGNED", "0", "0.25", "rpm")}{_type("UNSIGNED", "NONE")}{_type("SIGNED", "2C")}
</ELEMENTS></AR-PACKAGE></AR-PACKAGES></AUTOSAR>
"""

ALL = {"dbc": DBC, "kcd": KCD, "sym": SYM, "arxml": ARXML}
