# SPDX-License-Identifier: MIT
"""What holds for every test here: an ext4 image that a test leaves behind is one e2fsck accepts.

A test that breaks an image on purpose, or leaves it mounted, says so and why:
`@pytest.mark.unclean("the power was cut while it was mounted")`.
"""

import pytest

import hf_image
import hf_order
import test_dimms


def pytest_configure(config):
    config.addinivalue_line("markers", "unclean(why): this test's images need not pass e2fsck")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Long tests first; what one host program reports is read by one worker. With ONLY=quick some."""
    if hf_order.QUICK:
        config.hook.pytest_deselected(items=[i for i in items if not hf_order.quick(i.nodeid)])
        items[:] = [item for item in items if hf_order.quick(item.nodeid)]
    items[:] = [items[n] for n in hf_order.work_order([item.nodeid for item in items])]
    for item in items:
        program = hf_order.host_program(item.nodeid)
        if program:
            item.add_marker(pytest.mark.xdist_group(program))


@pytest.fixture(autouse=True)
def images_are_clean(request):
    """After the test: e2fsck -fn on every *.img with an ext4 in the test's folder.

    Images that passed go: pytest keeps the folders of three runs, and that would be 50 GiB."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder and not request.node.get_closest_marker("unclean"):
        hf_image.fsck_all(folder)
    if folder:
        for image in folder.rglob("*.img"):
            image.unlink()


@pytest.fixture(scope="session", name="old_and_shifted")
def run_old_and_shifted(tmp_path_factory):
    """The machine of test_boot.py::test_an_old_cpu_is_enough and of test_dimms.py's three DIMMs."""
    return test_dimms.old_and_shifted(tmp_path_factory.mktemp("old"))
