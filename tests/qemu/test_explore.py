# SPDX-License-Identifier: MIT
"""The explorer in its two homes: it agrees with itself, finds what is known to break, tells the same in
both, and a token of one leads there in the other."""

import concurrent.futures
import html
import json
import os
import re
import subprocess
import sys

import hf_make
from hf_config import ROOT
from hf_machine import Result, split_commands
from run import run_commands
from test_selftest import Ktap

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explain  # noqa: E402
import explain_page  # noqa: E402
import explore_faults  # noqa: E402
import explore_table  # noqa: E402
import explore_three  # noqa: E402
import museum  # noqa: E402

LINE = re.compile(r"^explore (\S+) lifetime=(\S+) model=(\S+) strategy=(\S+): (complete|ended|bounded "
                  r"\(.*\)), (\d+) executions, (\d+) outcomes, depth (\d+), (safe|BROKEN \S+ .*)$", re.M)
TOKEN = re.compile(r"^token (\S+)$", re.M)
# In the home that is a process: every scenario, to a small bound, and the explorer against itself.
PUT_BACK = "explore * runs=40 check=4"
ALONE = ["explore * runs=60 mixed=1", PUT_BACK, "selftest explore.*", "explore wait.message strategy=brute",
         "explore wait.message", "museum half-backtrack on", "selftest explore.brute-equals-dpor",
         "museum half-backtrack off"]
# What says nothing, or twice, or what cannot be.
REFUSED = ["explore no.such", "explore wait.message strategy=magic", "explore wait.message model=pso",
           "explore wait.message bound=many", "replay nonsense", "explore -i more",
           "explore wait.message strategy=pct bound=0", "explore wait.message strategy=pct bound=17",
           "explore wait.message strategy=random bound=2", "explore wait.message seed=1",
           "explore wait.message order=reverse strategy=pct", "explore wait.message from=2",
           "explore wait.message shard=0/2 from=2 strategy=random", "explore wait.message runs=0",
           "explore wait.message time=0", "explore wait.message strategy=states shard=0/2",
           "explore wait.message strategy=states bound=15", "explore wait.message bound=1 bound=2",
           "explore wait.message lifetime=busy-extent", "explore wait.message shard=0/2 from=99999",
           "replay litmus.message:-:sc:a1b99"]
# As `make run` has them, without a file that another run may use.
DIMMS = ["-p", "-,size=1G", "-p", "-,size=16G,scratch"]
# In both: every strategy, both memories, interrupts, page tables, a file system, an unbinding.
BOTH = ["explore lit*", "explore litmus.* model=tso", "explore wait.message strategy=brute",
        "explore wait.interrupt", "explore peer.busy strategy=random runs=30 model=tso",
        "explore tlb.two-loads strategy=pct runs=30", "explore page.put-unbind strategy=sleep runs=60",
        "explore file.gup-truncate runs=60", "explore lease.truncate strategy=delay runs=30",
        "explore mutex.three bound=1 strategy=states", "explore file.gup-truncate strategy=states bound=1 model=tso",
        "explore mutex.three bound=1 runs=60", "explore wait.woken-too-early",
        "explore fork.* runs=60", "explore private.copy-* runs=60", "explore file.evict-evict"]


def test_whatever_can_meet_does():
    """Each two things meet in a scenario, or there is a reason; the page has the matrix as it is."""
    assert not list(explore_table.complaints())
    with open(explore_table.PAGE, encoding="utf-8") as page:
        assert "\n".join(explore_table.matrix()) in page.read()
    names = explore_table.names_in_sources()
    assert {name for name, _ in explore_table.expected()} <= names
    assert {lifetime for _, lifetime in explore_table.expected()} <= set(explore_table.LIFETIMES)


def test_the_page_names_every_event():
    """By the name that a counterexample shows."""
    with open(os.path.join(ROOT, "tests", "explore", "trail.c"), encoding="utf-8") as source, \
            open(explore_table.PAGE, encoding="utf-8") as page:
        names = re.findall(r'\[X_\w+\] = "([a-z-]+)"', source.read())
        table = re.search(r"^\| events \|.*?\n\n", page.read(), re.M | re.S)[0]
    told = re.findall(r"`([a-z-]+)`", " ".join(row.split("|")[1] for row in table.split("\n") if row))
    assert len(names) > 20 and sorted(told) == sorted(names)


def test_the_plain_kernel_has_nothing_of_it():
    """No object calls the explorer or its hooks; of its exhibits there is not even the name."""
    hf_make.make("all")
    kernel = os.path.join(ROOT, "build", "holdfast.elf")
    symbols = subprocess.run(["nm", kernel], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "spin_lock" in symbols and not re.findall(r" \w (?:__tsan_|__wrap_|explore_|x_live)\w*", symbols)
    with open(kernel, "rb") as image:
        text = image.read()
    assert b"skip-wake" in text and b"writes-counted-late" not in text


def in_process(commands):
    """The commands in the home that is a Linux process."""
    done = hf_make.home(*DIMMS, "-c", "; ".join(commands))
    return Result(done.returncode, done.returncode, done.stdout, done.stderr, 0, split_commands(done.stdout))


def told(result, commands):
    """All that is not about time or addresses: verdicts, and the orders that lead to a finding."""
    return {command: (LINE.findall(result.command(command).output), TOKEN.findall(result.command(command).output))
            for command in commands}


def events(result, token):
    """The steps of a replayed token, but for values and objects, which may be addresses; the verdict."""
    rows = [json.loads(line) for line in result.command(f"replay {token} json").output.splitlines()]
    keys = ("step", "thread", "cpu", "event", "function", "file", "line", "preempts")
    return [[row[key] for key in keys] for row in rows[:-1]], rows[-1]


def test_the_explorer_in_a_process():
    hf_make.make("host")
    run = in_process(ALONE + REFUSED)
    said = {command: run.command(command) for command in ALONE + REFUSED}
    every = LINE.findall(said["explore * runs=60 mixed=1"].output)
    assert len(every) >= 130 and len({name for name, *_ in every}) == len(every), run.text
    assert {name for name, *_, verdict in every if verdict != "safe"} == {
        "litmus.add-apart", "litmus.locks-crossed", "wait.woken-too-early"}, run.text
    # What races with an atomic access is marked as meant, but where a scenario itself looks, or races on purpose.
    raced = re.findall(r"race: .* in (.*)\n +and .* in (.*), in no order", said["explore * runs=60 mixed=1"].output)
    assert raced and all("tests/explore/scenarios/" in one + other for one, other in raced), raced
    assert said[PUT_BACK].status == 0 and "cannot" not in said[PUT_BACK].output, "memory is not as it was"
    assert [line[:3] for line in LINE.findall(said[PUT_BACK].output)] == [line[:3] for line in every]
    ktap = Ktap(said["selftest explore.*"].output)
    assert not ktap.failed and len(ktap.passed) >= 25, run.text
    brute = LINE.search(said["explore wait.message strategy=brute"].output)
    dpor = LINE.search(said["explore wait.message"].output)
    assert brute[5] == dpor[5] == "complete" and brute[7] == dpor[7] and int(dpor[6]) < int(brute[6])
    for refused in REFUSED:
        assert said[refused].status != 0 and said[refused].output, refused
    assert "nothing was run" in said["explore wait.message shard=0/2 from=99999"].output
    assert "the order is over behind event" in said["replay litmus.message:-:sc:a1b99"].output
    assert "scenario" in said["explore no.such"].output and "token" in said["replay nonsense"].output
    # With every second backtrack point lost, the check that compares with brute force notices.
    assert Ktap(said["selftest explore.brute-equals-dpor"].output).failed == ["explore.brute-equals-dpor"]


def test_progress_is_told():
    """From the first second on, with an estimate, by strategies that end and by those that do not."""
    hf_make.make("host")
    lines = ["explore rwsem.two-readers time=2", "explore rwsem.two-readers strategy=random runs=100000000 time=2"]
    run = in_process(lines)
    for line in lines:
        told = re.findall(r"^  \d+ executions, \d+/s, depth \d+, \d+ outcomes; done: about (\d+)\.(\d) %$",
                          run.command(line).output, re.M)
        assert told and all(int(whole) < 100 for whole, _ in told), run.command(line).output
        assert LINE.search(run.command(line).output)[5] == "bounded (time)"


def test_what_ran_before_makes_no_difference():
    """Each scenario tells alone, as the first of a machine, what it tells behind all the others, either way round;
    and on a smaller device, but for the entries that an unbinding looks through."""
    hf_make.make("host")
    listed = in_process(["explore -l"]).commands[0].output
    lines = [f"explore {name} runs=60" for name in re.findall(r"^(\S+) +\d\+\d ", listed, re.M)]
    there, back = in_process(lines), in_process(lines[::-1])
    small = hf_make.home("-p", "-,size=64M,scratch", "-c", "; ".join(lines)).stdout
    assert len(lines) >= 130
    with concurrent.futures.ThreadPoolExecutor(2) as two:
        runs = list(two.map(lambda line: in_process([line]), lines))
    for line, run in zip(lines, runs):
        alone = LINE.findall(run.text)
        assert len(alone) == 1 and alone == LINE.findall(there.command(line).output), line
        assert alone == LINE.findall(back.command(line).output), line
    assert [found[:7] + found[8:] for found in LINE.findall(small)] == [
        found[:7] + found[8:] for found in LINE.findall(there.text)]


def test_three_threads_end():
    """Each scenario of three threads and more ends with two preemptions, in seconds; `make explore-three` runs all with
    three."""
    hf_make.make("host")
    names = explore_three.scenarios("*")
    found = LINE.findall(in_process([f"explore {name} strategy=states bound=2" for name in names]).text)
    assert len(found) == len(names) > 40
    assert {line[4] for line in found} <= {"complete", "bounded (preemptions)"}
    assert {name for name, *_, verdict in found if verdict != "safe"} == set()
    assert explore_three.OPEN <= {(name, "tso") for name in explore_three.scenarios("*")}


# Scenarios with a rule of .step that sleep sets do not end in so many executions.
STEPPED = [f"explore {area}.* strategy=sleep runs=20000 short=0"
           for area in ("file", "dma", "gup", "entry", "ref", "peer", "records")]
NOT_IN_EVERY_STATE = {"file.fork-store-truncate", "file.store-gup-truncate", "file.gup-gup-punch", "file.gup-put-truncate",
                      "file.load-store", "dma.break", "gup.slow-fork", "entry.three-lock", "ref.kill-two", "peer.busy-mapped"}


def test_rules_of_step_are_asked_in_every_state():
    """DPOR leaves states out that lie between independent events; sleep sets do not."""
    hf_make.make("host")
    found = LINE.findall(in_process(STEPPED).text)
    assert len(found) > 110 and {name for name, *_, verdict in found if verdict != "safe"} == set()
    assert {line[0] for line in found if line[4] != "complete"} <= NOT_IN_EVERY_STATE


def test_every_scenario_can_fail():
    """Each notices a fault: those of the museum are played, edits of the sources by `make explore-faults`."""
    hf_make.make("host")
    assert not list(explore_faults.complaints(explore_faults.scenarios()))
    assert not list(explore_faults.missed_by_switches())


# Of a step, what may be another one behind other replays: the second in which it is, a statistic, and where the kernel's own
# tables lie, which no exploration makes.
PASSES = re.compile(r'"(value|object)":"0x[0-9a-f]*"(?=.*"file":"(?:dax/file/times|mm/tables/tlb|mm/tables/pagetable|mm/device/records)\.c")')


def replays(tokens):
    """{fault: what its token's replay tells with it, and without}, of one process that replays all, in this order."""
    run = in_process([line for name, token in tokens.items() for line in (
        f"museum {name} on", f"replay {token} json", f"museum {name} off", f"replay {token} json")])
    told_of = [PASSES.sub(r'"\1":""', said.output) for said in run.commands]
    return {name: (told_of[4 * i + 1], told_of[4 * i + 3]) for i, name in enumerate(tokens)}


# Brute force has ruled a shorter way out, or was stopped.
SURE = {"mark-in-two-steps": True, "woken-trusts": True, "direct-no-lock": False, "unlist-first": False}


def test_every_museum_token_is_replayed():
    """Each fault that is explored for is found, its token breaks the same rule; without the fault none does. A replay
    tells the same behind any others: all steps, the values of each, and the addresses where they take place."""
    hf_make.make("host")
    faults = {fault.name: fault.command for fault in museum.switches() if fault.build == "explore" and not fault.race}
    run = in_process([line for name, command in faults.items()
                      for line in (f"museum {name} on", command, f"museum {name} off")])
    tokens, rules = {}, {}
    for (name, command), said in zip(faults.items(), run.commands[1::3]):
        assert said.line == command and said.status and TOKEN.search(said.output), f"{name}: {said.output}"
        tokens[name] = TOKEN.search(said.output)[1]
        rules[name] = re.search(r"^ *broken: (\S+):", said.output, re.M)[1]
        assert name not in SURE or SURE[name] == ("may be a shorter way" not in said.output), name
    there, back = replays(tokens), replays(dict(reversed(tokens.items())))
    for name, (broken, without) in there.items():
        story = explain.read_story(broken.splitlines())
        assert story.verdict["broken"] == rules[name] and not re.search(r'"broken":"\w', without), f"{name}: {broken}{without}"
        assert all(0 < step["line"] <= len(explain.source(step["file"])) and step["function"] for step in story.steps), name
        assert story.verdict["text"] in html.unescape(explain_page.page(story))
        assert there[name] == back[name], name
    # A child that this takes for an entry loses a bit of its address: what lies there decides what breaks.
    before = ("notify-late", "record-shown-early", "revoke-unawaited", "run-looks-early")
    alone = replays({before[-1]: tokens[before[-1]]})
    assert alone[before[-1]] == replays({name: tokens[name] for name in before})[before[-1]] == there[before[-1]]


def story_of(fault, found, words=""):
    """The steps of what `explore` finds with a fault, as `replay` tells them of its token."""
    on = f"museum {fault} on"
    token = TOKEN.search(in_process([on, f"explore {found}{words}"]).text)[1]
    return explain.read_story(in_process([on, f"replay {token} json"]).commands[-1].output.splitlines())


def test_a_counterexample_shows_the_counts():
    """Behind each step, also the fatal one: what the scenario watches, or the pages whose state changes."""
    hf_make.make("host")
    fatal = story_of("reread-state", "peer.busy").steps[-1]
    assert fatal["watch"]["busy blocks"] == str(2 ** 64 - 1) == str(int(fatal["value"], 16)), fatal
    story = story_of("mark-in-two-steps", "busy.mark-put")
    page = story.steps[0]["object"].split()[1]
    shown = [[step["watch"].get(f"{page} {what}") for what in ("refs", "maps", "busy")] for step in story.steps]
    assert [row for row in shown if row[0]] == [["1", "0", "0"], ["1", "0", "0"], ["0", "0", "0"], ["1", "0", "1"]]
    assert shown[-1] == ["1", "0", "1"] and story.watched() == [f"{page} {what}" for what in ("refs", "maps", "busy")]
    # A word of the stack of who slept is what it was then.
    story = story_of("mutex-woken-trusts", "mutex.three", " strategy=random")
    assert {step["object"] for step in story.steps if step["event"] in ("sleep", "woken")} == {"mutex 'explored'"}


def test_a_counterexample_shows_what_was_there():
    """A load, plain or not, shows what the last store left: under both models, also of the fatal store."""
    hf_make.make("host")
    for model, made in (("sc", "store"), ("tso", "drain")):
        on, find = "museum link-offset-late on", f"explore entry.one-block-let-go model={model}"
        token = TOKEN.search(in_process([on, find]).text)[1]
        rows = [json.loads(line) for line in in_process([on, f"replay {token} json"]).text.splitlines()
                if line.startswith('{"step"')]
        now, seen = {}, []
        for row in rows:
            if not row["object"].startswith("page "):
                continue
            if row["event"] == "load":
                assert now.setdefault(row["object"], row["value"]) == row["value"], rows
            now[row["object"]] = row["value"]
            seen.append((row["object"].split()[-1], row["event"], row["value"]))
        assert {("index", "load", "0x3"), ("index", made, "0x7"), ("mapping", made, "0x0")} <= set(seen), seen
        assert seen[-1] == ("index", made, "0x0"), seen


def test_a_counterexample_has_a_column_for_each_thread():
    """A step stands below its thread's name, with a mark where it preempts; below it its place, whose line has what
    was accessed."""
    hf_make.make("host")
    for command in ("explore wait.woken-too-early", "explore litmus.store-buffer model=tso", "explore litmus.add-apart"):
        found = in_process([command])
        text = found.text[found.text.index("\nexplore "):].splitlines()[2:]
        story = explain.read_story(in_process([f"replay {TOKEN.search(found.text)[1]} json"]).commands[0].output.splitlines())
        assert [step["step"] for step in story.steps] == list(range(1, len(story.steps) + 1))
        names = text[0].split("  ")[1:]
        cpus = {name.strip(): int((re.search(r"\d+$", name.strip()) or [n])[0]) for n, name in enumerate(filter(str.strip, names))}
        for step, line, place in zip(story.steps, text[1::2], text[2::2]):
            at = text[0].index(step["thread"])
            assert step["cpu"] == cpus[step["thread"]], step
            mark = f"{step['step']:5}{'>' if step['preempts'] else ' '}"
            assert line[:6] == mark and line[6:at].isspace() and line[at:].split()[0] == step["event"], line
            assert place[:at].isspace() and place[at:] == f"{step['function']} {step['file']}:{step['line']}", place
            if "/scenarios/" in step["file"] and step["object"]:
                assert step["object"].split("+")[0] in explain.source(step["file"])[step["line"] - 1], step


def plain(text):
    """Without what changes with each build (addresses), with each line of a file, and with the width of a column."""
    return " ".join(re.sub(r"0x[0-9a-f]{6,}|(?<=\.c):\d+", "", text).split())


def test_the_page_shows_what_is_there():
    """The scenario that docs/explorer.md is worked from, and what the explorer prints of it."""
    hf_make.make("host")
    with open(explore_table.PAGE, encoding="utf-8") as page:
        worked = page.read().split("## A scenario in ten minutes\n")[1].split("\n## ")[0]
    with open(os.path.join(explore_table.SCENARIOS, "seed_s3_11.c"), encoding="utf-8") as file:
        source = plain(file.read())
    code = [part for block in re.findall(r"```c\n(.*?)```", worked, re.S) for part in block.split("\n\n")]
    assert len(code) >= 7 and [part for part in code if plain(part) not in source] == []
    said = re.findall(r"```text\n(.*?)```", worked, re.S)
    printed = plain(in_process(["explore seed.s3.11 model=tso", "explore seed.s3.11-lessor model=tso"]).text)
    assert len(said) == 2 and all(plain(block) in printed for block in said), printed


def test_both_homes_tell_the_same(tmp_path):
    """The same executions and outcomes for the same words; and the token of one, played in the other."""
    hf_make.make("host")
    hf_make.make("EXPLORE=1")
    one = in_process(BOTH)
    token = TOKEN.search(one.command("explore wait.woken-too-early").output)[1]
    replay = f"replay {token} json"
    nmi = "selftest explore.nmi-goes-by"
    two = run_commands("; ".join(BOTH + [replay, nmi]), tmp_path, EXPLORE=1)
    assert "# 1 passed, 0 failed, 0 skipped" in two.command(nmi).output, two.text
    assert told(one, BOTH) == told(two, BOTH)
    lines = [line for found, _ in told(two, BOTH).values() for line in found]
    assert len(lines) > 20 and any(line[4] == "complete" for line in lines), two.text
    steps, verdict = events(two, token)
    assert verdict["broken"] == "I4" and verdict["token"] == token
    assert [step[0] for step in steps] == list(range(1, len(steps) + 1))
    assert any(step[5] == "kernel/sync/wait.c" and step[3] == "sleep" for step in steps)
    assert (steps, verdict) == events(in_process([replay]), token)
