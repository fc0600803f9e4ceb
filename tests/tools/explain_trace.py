# SPDX-License-Identifier: MIT
"""A counterexample as a trace, in the trace-event JSON format (Chrome's), which Perfetto reads.

The order is all that is known, so the time is the number of the step: step n is the microsecond
n … n + 1. One process, the scenario; one track a thread, in which every step is a slice and a sleep
is one from its step to the thread's next; a counter for each watched number; an arrow from the last
step of one thread to the next one's where the scheduler went over without need (a preemption); the
verdict is an instant across all tracks.
"""

from typing import Any, Dict, List

from explain import Story

PID = 1


def label(step: Dict[str, Any]) -> str:
    return " ".join(filter(None, (step["event"], step["object"])))


def number(value: str) -> Any:
    """The number that a watched value is, or None."""
    try:
        return int(value, 0)
    except ValueError:
        return None


def names(story: Story, tracks: Dict[str, int]) -> List[Dict[str, Any]]:
    """Metadata: the process is the scenario, its tracks come in the order of the columns."""
    verdict = story.verdict
    title = " ".join(filter(None, (verdict["scenario"], verdict["lifetime"], verdict["model"])))
    rows = [{"ph": "M", "pid": PID, "tid": 0, "name": "process_name", "args": {"name": title}}]
    for thread, tid in tracks.items():
        rows.append({"ph": "M", "pid": PID, "tid": tid, "name": "thread_name",
                     "args": {"name": thread}})
        rows.append({"ph": "M", "pid": PID, "tid": tid, "name": "thread_sort_index",
                     "args": {"sort_index": tid}})
    return rows


def slices(story: Story, tracks: Dict[str, int]) -> List[Dict[str, Any]]:
    """A slice for each step, and one for each sleep: up to the thread's next step, or the end."""
    rows = []
    for at, step in enumerate(story.steps):
        tid, now = tracks[step["thread"]], step["step"]
        args = {key: step[key] for key in ("value", "function", "cpu") if step[key] != ""}
        if step["file"]:
            args["source"] = f"{step['file']}:{step['line']}"
        rows.append({"ph": "X", "pid": PID, "tid": tid, "ts": now, "dur": 1, "name": label(step),
                     "cat": step["event"], "args": args})
        if step["event"] == "sleep":
            later = [s["step"] for s in story.steps[at + 1:] if s["thread"] == step["thread"]]
            end = later[0] if later else story.steps[-1]["step"] + 1
            if end > now + 1:
                rows.append({"ph": "X", "pid": PID, "tid": tid, "ts": now + 1, "dur": end - now - 1,
                             "name": "asleep", "cat": "asleep", "args": {}})
    return rows


def counters(story: Story) -> List[Dict[str, Any]]:
    """A point wherever a watched number changes; what is no number is in the page alone."""
    rows, last = [], {}
    for step in story.steps:
        for name, value in step["watch"].items():
            if number(value) is not None and last.get(name) != value:
                rows.append({"ph": "C", "pid": PID, "tid": 0, "ts": step["step"], "name": name,
                             "args": {"value": number(value)}})
            last[name] = value
    return rows


def arrows(story: Story, tracks: Dict[str, int]) -> List[Dict[str, Any]]:
    """A flow for each preemption, from the step before it."""
    rows = []
    for before, step in zip(story.steps, story.steps[1:]):
        if not step["preempts"]:
            continue
        flow = {"pid": PID, "name": "preempts", "cat": "preempts", "id": step["step"]}
        rows.append({**flow, "ph": "s", "tid": tracks[before["thread"]], "ts": before["step"]})
        rows.append({**flow, "ph": "f", "bp": "e", "tid": tracks[step["thread"]],
                     "ts": step["step"]})
    return rows


def trace(story: Story) -> Dict[str, Any]:
    """The whole file."""
    tracks = {thread: tid for tid, thread in enumerate(story.threads(), 1)}
    last, verdict = story.steps[-1], story.verdict
    rows = names(story, tracks) + slices(story, tracks) + counters(story) + arrows(story, tracks)
    if verdict["broken"]:
        rows.append({"ph": "i", "s": "p", "pid": PID, "tid": tracks[last["thread"]],
                     "ts": last["step"] + 1, "name": f"{verdict['broken']} is broken",
                     "args": {"text": verdict["text"], "token": verdict["token"]}})
    return {"traceEvents": rows, "displayTimeUnit": "ns", "otherData": verdict}
