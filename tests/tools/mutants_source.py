# SPDX-License-Identifier: MIT
"""Small changes to C source, one at a time: what `make mutants` tries.

The source is read as tokens and its functions as statements, no more of C than that needs. A change
replaces one stretch of text and keeps every line where it is. The kinds:

    remove   a statement goes
    negate   a condition means its opposite
    bound    a comparison is off by one: < and <=, > and >=, == and !=, "+ 1" and "- 1" go
    recheck  an if whose condition never holds; a condition that forgets one of its terms
    barrier  a fence, a TLB flush or a cross call goes; a memory order becomes relaxed
    swap     two neighbouring statements change places

What only a museum switch reaches, assertions, step points and printing are left alone: they are the
tests' own, or words.

The name of a mutant is file:function:kind:hash, the hash being of the text that changes, of what
becomes of it, and of how many like it come before in the function; the file's name lacks the folder
within mm/ or dax/ that it lies in. So names survive changes elsewhere and a move of the file, and a
table of results stays good.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Dict, List, Tuple

SEED = "holdfast-1"
KINDS = ("remove", "negate", "bound", "recheck", "barrier", "swap")

TOKEN = re.compile(r"""
    (?P<skip>\s+|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<word>[A-Za-z_]\w*|\.?\d(?:\w|\.)*)
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\w\s])
""", re.X | re.S | re.M)

TYPES = re.compile(r"(const|static|struct|enum|union|unsigned|int|long|char|bool|void|volatile|"
                   r"extern|\w+_t|va_list)$")
# Statements that are not the code's business: checks, tests, words.
QUIET = re.compile(r"(ASSERT|STEP_POINT|_Static_assert|warn|kprintf|snprintf|describe|"
                   r"holders_describe|assert_\w+|panic)$")
FENCES = re.compile(r"(smp_mb|smp_rmb|smp_wmb|cpu_call|tlb_flush\w*|cache_\w+|__atomic_thread_fence)$")
BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")": "(", "]": "[", "}": "{"}


@dataclass
class Mutant:
    file: str
    function: str
    kind: str
    line: int
    start: int  # the stretch of text that is replaced
    end: int
    old: str
    new: str
    name: str = ""

    def show(self) -> str:
        """The change in one line, for the table."""
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{old} → {new.strip() or 'nothing'}"


@dataclass
class Token:
    text: str
    start: int
    end: int


def tokens_of(text: str) -> List[Token]:
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup != "skip":
            found.append(Token(match.group(), match.start(), match.end()))
    return found


class Function:
    """The mutants of one function: its statements, walked once."""

    def __init__(self, file: str, source: str, tokens: List[Token], body: int):
        self.file, self.source, self.tokens, self.found = file, source, tokens, []
        self.pair = {}
        at = self.match_back(body - 1)
        self.name = tokens[at - 1].text
        head = at - 1
        while head and tokens[head - 1].text not in (";", "}"):
            head -= 1
        self.is_bool = "bool" in [t.text for t in tokens[head:at]]
        self.end = self.block(body)

    def match_back(self, i: int) -> int:
        depth = 0
        while True:
            depth += (self.tokens[i].text in CLOSE) - (self.tokens[i].text in OPEN)
            if not depth:
                return i
            i -= 1

    def match(self, i: int) -> int:
        """The closing bracket of the one at i."""
        if i not in self.pair:
            depth, k = 0, i
            while True:
                depth += (self.tokens[k].text in OPEN) - (self.tokens[k].text in CLOSE)
                if not depth:
                    break
                k += 1
            self.pair[i] = k
        return self.pair[i]

    def text(self, i: int, k: int) -> str:
        """Source of the tokens i … k, k not included."""
        return self.source[self.tokens[i].start:self.tokens[k - 1].end] if i < k else ""

    def add(self, kind: str, i: int, k: int, new: str) -> None:
        old = self.text(i, k)
        start = self.tokens[i].start
        new += "\n" * (old.count("\n") - new.count("\n"))
        self.found.append(Mutant(self.file, self.name, kind, self.source.count("\n", 0, start) + 1,
                                 start, start + len(old), old, new))

    # ---- statements: each returns the index behind it, and the span if it may be moved ----

    def block(self, i: int) -> int:
        end, i, before, kept = self.match(i), i + 1, None, None
        while i < end:
            first = i
            i, simple = self.statement(i)
            if re.match(r"if \(!museum_on.*return", self.text(first, i), re.S):
                kept = len(self.found)  # only a switch leads behind it
            span = (first, i) if simple else None
            if before and span:
                self.swap(before, span)
            before = span
        if kept is not None:
            del self.found[kept:]
        return end + 1

    def swap(self, a: Tuple[int, int], b: Tuple[int, int]) -> None:
        between = self.source[self.tokens[a[1] - 1].end:self.tokens[b[0]].start]
        if "#" not in between:
            gap = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), between, flags=re.S)
            self.add("swap", a[0], b[1], self.text(*b) + gap + self.text(*a))

    def statement(self, i: int) -> Tuple[int, bool]:
        word = self.tokens[i].text
        if word == "{":
            return self.block(i), False
        if word in ("if", "while", "switch"):
            return self.conditional(i, word), False
        if word == "for":
            return self.for_loop(i), False
        if word == "do":
            return self.do_loop(i), False
        if word in ("case", "default") or (self.tokens[i + 1].text == ":" and word.isidentifier()):
            while self.tokens[i].text != ":":
                i += 1
            return self.statement(i + 1)
        if self.tokens[i + 1].text == "(" and self.tokens[self.match(i + 1) + 1].text == "{" or \
                word.endswith("_FOREACH"):
            return self.statement(self.match(i + 1) + 1)[0], False
        end = i
        while self.tokens[end].text != ";":
            end = self.match(end) + 1 if self.tokens[end].text in OPEN else end + 1
        return end + 1, self.plain(i, end)

    def plain(self, i: int, end: int) -> bool:
        """A statement without a body. True: it may change places with its neighbour."""
        word, text = self.tokens[i].text, self.text(i, end)
        if i == end or QUIET.match(word) or "museum_on" in text or word in ("goto", "(void)"):
            return False
        if word == "return":
            self.value(i + 1, end, self.is_bool)
            return False
        if word in ("break", "continue"):
            self.add("remove", i, end, "")
            return False
        if TYPES.match(word) or (self.tokens[i + 1].text == "*" and "=" not in text[:len(word) + 2]):
            self.value(i, end, False)
            return False
        if word == "(" and self.tokens[i + 1].text == "void":
            return False
        self.add("barrier" if FENCES.match(word) else "remove", i, end, "")
        self.value(i, end, False)
        return True

    def conditional(self, i: int, word: str) -> int:
        close = self.match(i + 1)
        cond = self.text(i + 2, close)
        quiet = "museum_on" in cond
        if word == "switch":
            return self.statement(close + 1)[0]
        if not quiet:
            self.add("negate", i + 2, close, f"!({cond})")
            if word == "if":
                self.add("recheck", i + 2, close, "false")
        self.value(i + 2, close, False)
        kept = len(self.found)
        after = self.statement(close + 1)[0] if self.tokens[close + 1].text != ";" else close + 2
        if quiet and not re.search(r"!\s*museum_on", cond):
            del self.found[kept:]  # only a switch leads there
        if word == "if" and self.tokens[after].text == "else":
            after = self.statement(after + 1)[0]
        return after

    def for_loop(self, i: int) -> int:
        close = self.match(i + 1)
        parts, k = [i + 2], i + 2
        while k < close:
            if self.tokens[k].text == ";":
                parts.append(k + 1)
            k = self.match(k) + 1 if self.tokens[k].text in OPEN else k + 1
        if len(parts) == 3 and parts[1] + 1 < parts[2]:
            self.value(parts[1], parts[2] - 1, False)
        kept = len(self.found)
        after = close + 2 if self.tokens[close + 1].text == ";" else self.statement(close + 1)[0]
        if "museum_on" in self.text(i, close):
            del self.found[kept:]
        return after

    def do_loop(self, i: int) -> int:
        after = self.statement(i + 1)[0]  # at "while"
        close = self.match(after + 1)
        cond = self.text(after + 2, close)
        if "museum_on" not in cond and "__atomic_compare_exchange" not in cond:
            self.add("negate", after + 2, close, f"!({cond})")
        self.value(after + 2, close, False)
        return close + 2

    # ---- expressions ----

    def value(self, i: int, k: int, negate: bool) -> None:
        """Comparisons, terms and memory orders of the expression i … k."""
        if "museum_on" in self.text(i, k):
            return
        if negate and k - i > 1:
            self.add("negate", i, k, f"!({self.text(i, k)})")
        for at in range(i, k):
            word = self.tokens[at].text
            if word in BOUNDS:
                self.add("bound", at, at + 1, BOUNDS[word])
            elif word in "+-" and self.tokens[at + 1].text == "1" and at > i and \
                    re.match(r"[\w)\]]", self.tokens[at - 1].text):
                self.add("bound", at, at + 2, "")
            elif word in ("&&", "||"):
                self.terms(at, i, k)
            elif word.startswith("__ATOMIC_") and word != "__ATOMIC_RELAXED":
                self.add("barrier", at, at + 1, "__ATOMIC_RELAXED")
            elif FENCES.match(word) and self.tokens[at + 1].text == "(" and at > i:
                pass

    def terms(self, at: int, low: int, high: int) -> None:
        """The term on each side of && or ||, as if it were not asked."""
        word = self.tokens[at].text
        for step, limit in ((-1, low), (1, high)):
            k = at
            while True:
                following = k + step
                if following < low or following >= high:
                    break
                text = self.tokens[following].text
                if text in ("&&", "||", "?", ":", ";", ",", "=", "return") or \
                        text in (OPEN if step < 0 else CLOSE):
                    break
                if text in (CLOSE if step < 0 else OPEN):
                    k = self.match_back(following) if step < 0 else self.match(following)
                else:
                    k = following
            first, last = (k, at) if step < 0 else (at + 1, k + 1)
            if first < last:
                self.add("recheck", first, last, "true" if word == "&&" else "false")


def short(file: str) -> str:
    """The name that a file keeps when it moves within its top folder: mm/gup.c, and the designs'
    dax/lifetime/table.c."""
    match = re.match(r"(\w+/)(?:.*?/)??((?:lifetime/)?[^/]+)$", file)
    return match.group(1) + match.group(2)


def mutants_of(file: str, source: str) -> List[Mutant]:
    """All mutants of a file, named."""
    tokens, found, i = tokens_of(source), [], 0
    while i < len(tokens):
        start = tokens[i].start
        if tokens[i].text == "{" and i and tokens[i - 1].text == ")" and \
                (not start or source[start - 1] == "\n"):
            function = Function(file, source, tokens, i)
            found += function.found
            i = function.end
        else:
            i += 1
    counts: Dict[str, int] = {}
    for m in found:
        same = f"{short(m.file)}|{m.function}|{m.kind}|{' '.join(m.old.split())}|{' '.join(m.new.split())}"
        line = source.split("\n")[m.line - 1].strip()
        same += f"|{line}"
        counts[same] = counts.get(same, 0) + 1
        digest = hashlib.sha1(f"{same}|{counts[same]}".encode()).hexdigest()[:8]
        m.name = f"{short(m.file)}:{m.function}:{m.kind}:{digest}"
    return found


def choose(sources: Dict[str, str], total: int) -> List[Mutant]:
    """About `total` mutants of these files: in proportion to what there is, at least six a file, and
    the kinds in turn. The same ones always: rank is a hash of seed and name."""
    pools = {file: mutants_of(file, text) for file, text in sources.items()}
    everything = sum(len(pool) for pool in pools.values())
    chosen: List[Mutant] = []
    for pool in pools.values():
        quota = max(6, round(total * len(pool) / max(everything, 1)))
        kinds = {kind: sorted((m for m in pool if m.kind == kind), key=rank) for kind in KINDS}
        taken = 0
        while taken < quota and any(kinds.values()):
            for kind in KINDS:
                if kinds[kind] and taken < quota:
                    chosen.append(kinds[kind].pop(0))
                    taken += 1
    return chosen


def rank(m: Mutant) -> str:
    return hashlib.sha1(f"{SEED}{m.name}".encode()).hexdigest()


def functions_of(source: str) -> List[Tuple[str, str]]:
    """Name and text of each function."""
    tokens, found, i = tokens_of(source), [], 0
    while i < len(tokens):
        start = tokens[i].start
        if tokens[i].text == "{" and i and tokens[i - 1].text == ")" and \
                (not start or source[start - 1] == "\n"):
            function = Function("", source, tokens, i)
            found.append((function.name, source[start:tokens[function.end - 1].end]))
            i = function.end
        else:
            i += 1
    return found


def mentions(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None

