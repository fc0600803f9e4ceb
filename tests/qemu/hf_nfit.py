# SPDX-License-Identifier: MIT
"""NFITs made by hand, for -acpitable: the structures of ACPI 6.x, 5.2.25, and their frame.

QEMU sets a table's length and checksum itself, so those two cannot be wrong here; the host tests
(tests/host/test_nfit_tables.c) have them.
"""

import struct
import uuid

PERSISTENT = "66f0d379-b4f3-4074-ac43-0d3318b78cdb"
VOLATILE = "7305944f-fdda-44e3-b16c-3f22d252e5d0"
CONTROL = "92f701f6-13b4-405d-910b-299367e8234c"
UNKNOWN = "12345678-1234-1234-1234-123456789abc"


def table(*structures: bytes, signature: bytes = b"NFIT", revision: int = 1) -> bytes:
    """The whole table: header, four reserved bytes, structures."""
    body = bytes(4) + b"".join(structures)
    return struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"HFTEST",
                       b"HANDMADE", 1, b"TEST", 1) + body


def structure(kind: int, body: bytes, length=None) -> bytes:
    """Any structure; `length`: what its length field says, when that is to be a lie."""
    return struct.pack("<HH", kind, 4 + len(body) if length is None else length) + body


def spa(index: int, base: int, size: int, kind: str = PERSISTENT, flags: int = 0,
        length=None) -> bytes:
    """A system physical address range."""
    return structure(0, struct.pack("<HHII16sQQQ", index, flags, 0, 0, uuid.UUID(kind).bytes_le,
                                    base, size, 0x8008), length)


def dimm(handle: int, spa_index: int, dcr_index: int, size: int, flags: int = 0, ways: int = 1,
         interleave: int = 0, length=None) -> bytes:
    """A DIMM's part of a range."""
    return structure(1, struct.pack("<IHHHHQQQHHHH", handle, 0, 0, spa_index, dcr_index, size, 0, 0,
                                    interleave, ways, flags, 0), length)


def dcr(index: int, serial: int = 0x777, windows: int = 0, length=None) -> bytes:
    """A control region, 80 bytes."""
    return structure(4, struct.pack("<HHHHHHHBBHHIHH", index, 0x8086, 1, 1, 0, 0, 0, 0, 0, 0, 0,
                                    serial, 0x301, windows) + bytes(48), length)


def interleave(index: int, lines: int, offsets: int) -> bytes:
    """An interleave table that claims `lines` and has `offsets` line offsets."""
    return structure(2, struct.pack("<HHII", index, 0, lines, 256)
                     + b"".join(struct.pack("<I", n) for n in range(offsets)))


def flush_hint(handle: int, count: int, addresses: int) -> bytes:
    """A flush hint that claims `count` and has `addresses` addresses."""
    return structure(6, struct.pack("<IHHI", handle, count, 0, 0)
                     + b"".join(struct.pack("<Q", 0xfee00000 + 8 * n) for n in range(addresses)))


def capabilities(highest: int, bits: int) -> bytes:
    """Platform capabilities."""
    return structure(7, struct.pack("<BBHII", highest, 0, 0, bits, 0))
