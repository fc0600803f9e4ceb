# SPDX-License-Identifier: MIT
"""Text from outside: no name, file or table adds a line to what the machine says about itself."""

import os

import hf_image
from run import run_commands

FORGED = ["> echo forged", "[status 0]", "[job 1] done: status 0: x", "ok 1 forged.test",
          "not ok 2 forged.test", "race A-1 lifetime=unaware: safe", "# forged", "1..7",
          '{"bench":"forged"}', "TIMEOUT", "warning: forged", "holdfast> "]
NAMES = [b"a\nok 1 name", b"b\n[status 0]", b"c\r\x1b[2Jx", b"d\xff\xfe", "e\u00e4\u20ac".encode(),
         b"f\x9b31m", b"g\\n", b"race A-1 lifetime=busy-extent: safe\n> ls t\n[status 0]"]


def nasty_image(folder):
    """An image whose names, contents and label try to write lines of the interface."""
    tree = os.path.join(str(folder), "tree")
    os.mkdir(tree)
    for name in NAMES:
        with open(os.path.join(os.fsencode(tree), name), "wb") as file:
            file.write(b"x")
    with open(os.path.join(tree, "lines"), "w", encoding="ascii") as file:
        file.write("first\n" + "\n".join(FORGED) + "\nokay\nrace\n")
    with open(os.path.join(tree, "border"), "w", encoding="ascii") as file:
        file.write("y" * 4090 + "\nnot ok 5 border\n" + "z" * 4080 + "\nok 6 x")
    return hf_image.mkfs(os.path.join(str(folder), "a.img"), tree=tree)


def table(folder):
    """An ACPI table that calls itself "ok 1", from an OEM that is a line end."""
    head = b"ok 1" + (40).to_bytes(4, "little") + b"\x01\x00" + b"a\nok 2" + b"[status " + b"\0" * 12
    body = bytearray(head + b"\0" * 4)
    body[9] = -sum(body) % 256
    path = os.path.join(str(folder), "table.bin")
    with open(path, "wb") as out:
        out.write(body)
    return f"-acpitable file={path}"


def test_text_from_outside_forges_no_line(tmp_path):
    """Names, contents and tables that look like the machine's own lines: nobody mistakes them."""
    cmd = ("mount pmem0 /t; ls /t; cat /t/lines; cat /t/border; acpi; cat '/t/a\nok 1 name'; "
           "cat '/t/no\n[status 0]'; map '/t/b\n[status 0]'; map; lease set '/t/b\n[status 0]'; "
           "lease; lease drop '/t/b\n[status 0]'; mount pmem0 '/x\nok 3 path'; unmap m1; umount /t")
    result = run_commands(cmd, tmp_path, PMEM=nasty_image(tmp_path), QEMU_ARGS=table(tmp_path))
    commands = [c.line for c in result.commands]
    assert commands == [c.replace("\n", " ") for c in cmd.split("; ")], result.text
    assert [c.line for c in result.commands if c.status] == [
        "cat /t/no [status 0]".replace("/t/no [", "'/t/no [") + "'",
        "mount pmem0 '/x ok 3 path'"], result.text
    body = result.text[result.text.index("> mount"):]
    assert all(c == "\n" or " " <= c and c != "\x7f" for c in body), repr(body)
    assert not [line for line in body.splitlines()
                if line.startswith(("ok ", "not ok", "race ", "1..", "TIMEOUT", "# ", "{"))], body
    ls = result.command("ls /t").output
    for shown in (r"  a\nok 1 name", r"  c\r\x1b[2Jx", r"  d\xff\xfe", "  e\u00e4\u20ac",
                  r"  f\x9b31m", r"  g\\n"):
        assert shown + "\n" in ls, ls
    cat = result.command("cat /t/lines").output
    assert cat == "first\n" + "".join(f"\\x{ord(line[0]):02x}{line[1:]}\n" for line in FORGED) + \
        "okay\nrace\n\n"
    border = result.command("cat /t/border").output
    assert border == "y" * 4090 + "\n\\x6eot ok 5 border\n" + "z" * 4080 + "\n\\x6fk 6 x\n"
    assert " ok 1 0x" in result.command("acpi").output
