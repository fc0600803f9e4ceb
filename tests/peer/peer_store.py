# SPDX-License-Identifier: MIT
"""What was measured, kept below build/peer/results: the page is made of what is there, so that one
column can be measured again without the others."""

import dataclasses
import json
import os
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from peer_machine import PEER
from peer_text import Column

HOLDFAST = "Holdfast"


@dataclass
class Measured:
    """One column: the same rows twice."""

    name: str  # "Holdfast", "Linux 6.1"
    when: str  # the day
    about: List[Tuple[str, str]] = field(default_factory=list)  # versions
    commands: List[Tuple[str, str]] = field(default_factory=list)
    runs: List[Column] = field(default_factory=list)
    # Where the instructions of rows that miss their target go.
    functions: Dict[str, List[Tuple[str, float]]] = field(default_factory=dict)

    @property
    def rows(self) -> Column:
        return self.runs[0] if self.runs else {}


def path_of(name: str, folder: str) -> str:
    return os.path.join(folder, name.lower().replace(" ", "-") + ".json")


def save(measured: Measured, folder: str = "") -> None:
    folder = folder or os.path.join(PEER, "results")
    os.makedirs(folder, exist_ok=True)
    new = path_of(measured.name, folder) + ".new"
    with open(new, "w", encoding="utf-8") as out:
        json.dump(dataclasses.asdict(measured), out, indent=1)
    os.rename(new, path_of(measured.name, folder))


def version(measured: Measured) -> Tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", measured.name))


def load(folder: str = "") -> Tuple[List[Measured], Optional[Measured]]:
    """The Linux columns, the oldest first, and Holdfast's (None: not measured here)."""
    folder = folder or os.path.join(PEER, "results")
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as text:
                found.append(Measured(**json.load(text)))
    linux = [one for one in found if one.name != HOLDFAST]
    return (sorted(linux, key=version),
            next((one for one in found if one.name == HOLDFAST), None))
