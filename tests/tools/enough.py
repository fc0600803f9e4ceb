# SPDX-License-Identifier: MIT
"""Who reads what a tool prints may have enough, as `head` has: the tool ends then, without a word."""

import os
import sys
from typing import Callable, Optional

SIGPIPE = 141  # the status of a program that this signal ends


def until_enough(main: Callable[..., Optional[int]], *args: object) -> Optional[int]:
    """The status of main()."""
    try:
        status = main(*args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it
        return SIGPIPE
