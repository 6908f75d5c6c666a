"""The bytes of what members ask each other beside the election: cases of test_codec.py. docs/protocol.md 3.2."""

from kingd.core.wire.message import Body
from kingd.core.wire.past import Events, Evidence, Recall, Sign, Told
from kingd.core.wire.trial import Count, Echo, Trial, Way

LOST_OF = Evidence(silent_us=512_000, heartbeats=5, unanswered=4)
LOST = Told(number=0x6C, age_ms=0x6D, term=0x51, kind=3, reason=2, role=1, evidence=LOST_OF, previous="box1")
LED_OF = Evidence(sign=Sign.NOT_RENEWED, agreed=1, of=3, lasted_us=7_000)
LED = Told(
    number=0x6B, age_ms=0x6E, term=0x50, kind=10, reason=13, role=4, on=2, evidence=LED_OF, leader="a", member="b"
)

ASIDES: list[tuple[str, Body, str, str, str]] = [
    (
        "trial",
        Trial(run=0x81, token=0x82, number=0x83, lane=0x84, by=Way.MC4, back=Way.UC6, about=0x85),
        "4b67 10 12 0000 0130",
        "0000000000000081 0000000000000082 00000083 84 01 05 0000000000000085",
        "703ad3d9eda973c1d4772df5edfdd26d",
    ),
    (
        "echo",
        Echo(
            run=0x81,
            token=0x82,
            number=0x83,
            lane=0x84,
            by=Way.BC4,
            lag_ms=0x86,
            about=0x85,
            state=1,
            ways=0x8D,
            heard_ms=0x87,
            multicast_ms=0x88,
            contact_ms=0x89,
            port=5466,
            host="fe80::1",
            counts=(Count(way=Way.MC4, got=0x8A, sent=0), Count(way=Way.UC4, got=0x8B, sent=0x8C)),
        ),
        "4b67 10 13 0000 00cd",
        "0000000000000081 0000000000000082 00000083 84 03 00000086 0000000000000085 01 8d 00000087 00000088 00000089 155a 02"
        " 07 666538303a3a31 01 0000008a 00000000 04 0000008b 0000008c",
        "7158469260ae4abad006b90623645522",
    ),
    (
        "recall",
        Recall(nonce=0x6B, before=0x6C),
        "4b67 10 14 0000 04d0",
        "000000000000006b 0000006c",
        "878ef73195bf5f328df2c61ce9c25c1c",
    ),
    (
        "events",
        Events(echo=0x6B, told=(LOST, LED)),
        "4b67 10 15 0000 00eb",
        "000000000000006b 02"
        " 0000006c 000000000000006d 0000000000000051 03 02 01 00 00 00000200 0005 0000 0004 0000 0000 ffffffff"
        " 00 04 626f7831 00"
        " 0000006b 000000000000006e 0000000000000050 0a 0d 04 02 07 ffffffff 0000 0000 0000 0001 0003 00000007"
        " 01 61 00 01 62",
        "7fa23257a08d558eb1aa478b999251d9",
    ),
]
