# SPDX-License-Identifier: MIT
"""The power fails between two fences of truncate, punch and evict, while a device holds the blocks.

Under busy-extent a block leaves its file and the bitmap while its page is held. Nothing of that is
on the medium, so a cut at any fence must leave what it leaves of idle blocks: no block with two
owners, no freed block that a file reaches. The next mount repairs the rest and says what it did;
e2fsck then finds nothing, and each file is as it was, as it was to be, or in between.
"""

import re
import shutil

import pytest

import hf_image
from run import run_commands
from test_powercut import after, after_all

# Pages of three files by turns, so that each has many extents and freeing them takes many fences.
PAGES = 24
FILES = ("t", "p", "e")  # truncated, punched, evicted
MAKE = "; ".join(["mount pmem0 /t", "write /t/keep 0 kept"]
                 + [f"write /t/{name} {page * 4096} {name}{page:02}"
                    for page in range(PAGES) for name in FILES])
# All are pinned; e has no name and no mapping any more, so the last unmap evicts it.
HOLD = "; ".join(f"map /t/{name}; pin m{n}" for n, name in enumerate(FILES, 1))
CHANGE = f"rm /t/e; truncate /t/t 4096; punch /t/p 4096 {(PAGES - 2) * 4096}; unmap m3"
# A file's time goes back only when its second is another than before: each operation may have a fence
# more or less than in the run that was counted.
STAMPS = 4
CUTS = 12  # spread over all fences; behind the third one the file system is marked as mounted


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An image with the files, which each test copies."""
    folder = tmp_path_factory.mktemp("made")
    image = hf_image.mkfs(folder / "a.img", "16M")
    result = run_commands(f"{MAKE}; umount /t", folder, PMEM=image)
    assert result.status == 0, result.text
    return image


def held(folder, made, lines):
    """A machine in which every page of the files is pinned, and then these lines: its Result."""
    image = folder / "a.img"
    shutil.copyfile(made, image)
    return run_commands(f"mount pmem0 /t; {HOLD}; shadow; {lines}", folder,
                        PMEM=f"{image},shadow")


def fences_of(text):
    """How many fences CHANGE has: the difference of two counts that `shadow` printed."""
    first, second = (int(n) for n in re.findall(r"(\d+) fence\(s\) made lines durable", text)[:2])
    return second - first


@pytest.mark.unclean("the power was cut while it was mounted")
def test_the_change_is_made_of_fences(tmp_path, made):
    """Truncate, punch and evict of held pages make more states durable than there are cuts."""
    result = held(tmp_path, made, f"{CHANGE}; shadow; pmem pmem0; powercut")
    assert fences_of(result.text) > CUTS + STAMPS, result.text
    busy = re.search(r"busy: (\d+) block\(s\)", result.command("pmem pmem0").output)
    assert int(busy.group(1)) == 3 * PAGES - 3, "every freed block is held"


@pytest.fixture(scope="module")
def cuts(tmp_path_factory, made):
    """CHANGE has its fences counted, then is cut at CUTS of them, each in a machine of its own; one
    machine looks at all images: for each the run that was cut, what was said afterwards, the image."""
    folder = tmp_path_factory.mktemp("cuts")
    fences = fences_of(held(folder, made, f"{CHANGE}; shadow; powercut").text)
    runs, images = [], [folder / f"{part}.img" for part in range(CUTS)]
    for part, image in enumerate(images):
        where = 3 + part * (fences - STAMPS - 3) // (CUTS - 1)
        runs.append(held(folder, made, f"powercut after={where}; {CHANGE}; powercut"))
        (folder / "a.img").rename(image)
    yield list(zip(runs, after_all(["cat /t/keep; ls /t"] * CUTS, images), images))
    for image in images:
        image.unlink()


@pytest.mark.xdist_group("cuts at fences")
@pytest.mark.parametrize("part", range(CUTS))
def test_a_cut_between_two_fences(cuts, part):
    """Repaired and told, clean for e2fsck, and the files' bytes are old or new, page by page."""
    result, said, image = cuts[part]
    assert all(c.status == 0 for c in result.commands[:-1]), result.text
    assert "the power failed behind fence" in result.text, result.text
    mount = said[0].output
    assert "not unmounted" in mount and re.search(r"repaired: .*\d+ files", mount), mount
    assert hf_image.contents(image, "/keep") == b"kept"
    old = {name: b"".join(b"%s%02d" % (name.encode(), page) + bytes(4093)
                          for page in range(PAGES))[:(PAGES - 1) * 4096 + 3] for name in FILES}
    names = hf_image.names(image, "/")
    assert set(names) - {"e"} == {"keep", "lost+found", "p", "t"}, names
    t, p = hf_image.contents(image, "/t"), hf_image.contents(image, "/p")
    assert len(t) in (4096, len(old["t"])) and old["t"].startswith(t), "t is whole, or cut short"
    assert len(p) == len(old["p"])
    for at in range(0, len(p), 4096):
        page, was = p[at:at + 4096], old["p"][at:at + 4096]
        assert page == was or (not any(page) and 0 < at < (PAGES - 1) * 4096), at
    if "e" in names:
        assert hf_image.contents(image, "/e") == old["e"]


@pytest.mark.unclean("the power was cut while it was mounted")
def test_when_the_power_fails(tmp_path, made):
    """`powercut after=N` may be changed until it failed; `shadow` says so; nonsense is refused."""
    result = held(tmp_path, made, "powercut after=x; powercut after=; powercut after=-1; "
                  "powercut after=1000000; powercut after=1; write /t/keep 0 lost; shadow; "
                  "powercut after=2; powercut")
    wrong = [c for c in result.commands if c.status not in (0, None)]
    assert [c.line for c in wrong] == ["powercut after=x", "powercut after=",
                                       "powercut after=-1", "powercut after=2"], result.text
    assert all("after" in c.output or "failed" in c.output for c in wrong), result.text
    assert "then the power failed" in [c for c in result.commands if c.line == "shadow"][1].output
    result = after("cat /t/keep", tmp_path, f"{tmp_path / 'a.img'},shadow")
    assert result.command("cat /t/keep").output == "kept\n"
