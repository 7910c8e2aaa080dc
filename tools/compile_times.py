#!/usr/bin/env python3
"""Measures what our translation units cost to compile, in seconds of CPU, and writes docs/compile-times.md.

Usage: tools/compile_times.py [--jobs N] [--print] [--binary | --headers] [PATTERN...]
  --jobs N  compile N at once (default 1; more than one per core makes the figures larger)
  --print   print the tables only, and leave docs/compile-times.md as it is
  --binary  measure the binary alone, and keep what docs/compile-times.md says of the other units
  --headers  measure the headers of protocol alone, each in a unit of its own, and keep all the rest
  PATTERN   whose units are measured unoptimised (default //...)

Bazel says how each unit is compiled (aquery); this runs the same commands again outside Bazel, one after another, and
asks the kernel what each used. Exits 1 if an unoptimised unit or the binary is over its budget.
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BAZELW = os.path.join(ROOT, "bazelw")
PAGE = os.path.join(ROOT, "docs/compile-times.md")
BROKER = "//server:weir"
COMMANDS = "server/cli/"
UNIT_BUDGET_SECONDS, BROKER_BUDGET_SECONDS = 25, 120
ROWS = 25
HEADERS_TITLE = "## The headers of protocol, each alone"
HEADER_ROUNDS = 3

Unit = collections.namedtuple("Unit", "source arguments")


def bazel(*arguments):
    done = subprocess.run([BAZELW, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"compile_times.py: bazel {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def units_of(expression, flags):
    """The compile commands of our own sources that `expression` reaches, each source once.

    Without those that are generated: they include one header each, to test that it stands alone.
    """
    graph = json.loads(bazel("aquery", *flags, "--output=jsonproto", f'mnemonic("CppCompile", {expression})'))
    units = {}
    for action in graph.get("actions", []):
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        if source.startswith(("external/", "bazel-out/")) or "-o" not in arguments:
            continue
        units.setdefault(source, arguments)
    return [Unit(source, arguments) for source, arguments in sorted(units.items())]


def link_tree(folder):
    """Makes `folder` look as the folder does in which Bazel compiles."""
    for name in os.listdir(ROOT):
        if not name.startswith("bazel-"):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.symlink(bazel("info", "output_path").strip(), os.path.join(folder, "bazel-out"))
    os.symlink(os.path.join(bazel("info", "output_base").strip(), "external"), os.path.join(folder, "external"))


def without_output(arguments):
    """The same command, but it leaves no object and no dependency file."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument == "-MD":
            skip = False
        elif argument in ("-MF", "-o"):
            skip = True
        else:
            kept.append(argument)
    return kept + ["-o", "/dev/null"]


def cpu_seconds(unit, folder):
    """User and system time of the compiler and all that it starts."""
    process = subprocess.Popen(without_output(unit.arguments), cwd=folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env={"PATH": os.environ["PATH"], "PWD": "/proc/self/cwd"})
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"compile_times.py: {unit.source} does not compile:\n{errors}")
    return usage.ru_utime + usage.ru_stime


def measure(units, folder, jobs):
    """Pairs of seconds and source, the dearest first."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return sorted(zip(pool.map(lambda unit: cpu_seconds(unit, folder), units), [u.source for u in units]),
                      reverse=True)


def table(rows):
    lines = ["| unit | CPU seconds |", "|---|---:|"]
    return "\n".join(lines + [f"| {source} | {seconds:.1f} |" for seconds, source in rows])


def plain_part(rows):
    """What the page says of all units, unoptimised: a paragraph and a table."""
    seconds, source = rows[0]
    return (f"""- All {len(rows)} units, unoptimised: {sum(seconds for seconds, _ in rows):.0f} s.
  The dearest takes {seconds:.1f} s; at most {UNIT_BUDGET_SECONDS} s are allowed.
""", f"""## The {min(ROWS, len(rows))} dearest units, unoptimised

{table(rows[:ROWS])}
""")


def plain_part_of_page():
    """The same, as the page has it."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    of_binary = page.index("- The ")
    tables = page.index("## The ")
    return page[page.index("- All "):of_binary], page[tables:page.index("\n## The broker with")]


def header_unit(header, messages):
    """A unit that includes a header, and one that writes, reads and prints its messages as a program does."""
    alone = f'#include "{header}"\n'
    uses = "".join(
        f"  {m} m{n}; Encode(m{n}, v, out); bytes = ToString(m{n});\n  (void)DecodeInto(bytes, v, &m{n});\n"
        for n, m in enumerate(messages))
    used = (alone + '#include <string>\n#include "protocol/message.h"\nnamespace weir::protocol {\n'
            f"void Use(int16_t v, std::string bytes, std::string* out) {{\n{uses}}}\n}}\n")
    return alone, used if messages else None


def headers_part():
    """Each header of protocol: what including it costs, and what its messages cost a program that uses them."""
    headers = sorted(os.path.relpath(path, ROOT) for pattern in ("*.h", "api/*.h", "sniff/*.h")
                     for path in glob.glob(os.path.join(ROOT, "protocol", pattern)))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        def seconds(text, flags, rounds):
            source = os.path.join(folder, "unit.cc")
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            command = ["c++", "-std=c++20", *flags, "-I", ROOT, "-c", source, "-o", "/dev/null"]
            return min(cpu_seconds(Unit(text, command), folder) for _ in range(rounds))

        bare = seconds("", [], HEADER_ROUNDS)
        for header in headers:
            with open(os.path.join(ROOT, header), encoding="utf-8") as file:
                messages = re.findall(r"^struct (\w+(?:Request|Response)) \{", file.read(), re.MULTILINE)
            alone, used = header_unit(header, messages if header.startswith("protocol/api/") else [])
            rows.append((header, seconds(alone, [], HEADER_ROUNDS) - bare,
                         seconds(used, ["-O2"], 1) if used else None))
    lines = "\n".join(f"| {header} | {alone:.2f} | {'' if used is None else f'{used:.1f}'} |"
                      for header, alone, used in rows)
    return f"""{HEADERS_TITLE}

What including it adds to an empty unit, unoptimised, and, for messages, a unit with `-O2` that encodes, decodes and
prints its request and response. All {len(rows)}: {sum(row[1] for row in rows):.1f} s and
{sum(row[2] or 0 for row in rows):.0f} s. By `tools/compile_times.py --headers`.

| header | included | used |
|---|---:|---:|
{lines}
"""


def headers_part_of_page():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    at = page.find(HEADERS_TITLE)
    return "" if at < 0 else page[at:]


def renew_headers(print_only):
    part = headers_part()
    print(part)
    if not print_only:
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        at = page.find(HEADERS_TITLE)
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write((page if at < 0 else page[:at]).rstrip("\n") + "\n\n" + part)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--binary", action="store_true")
    parser.add_argument("patterns", nargs="*", default=["//..."])
    parser.add_argument("--headers", action="store_true")
    arguments = parser.parse_args()
    if arguments.headers:
        return renew_headers(arguments.print)

    pattern = " + ".join(arguments.patterns)
    with tempfile.TemporaryDirectory() as folder:
        link_tree(folder)
        plain = [] if arguments.binary else measure(units_of(pattern, []), folder, arguments.jobs)
        binary = measure(units_of(f"deps({BROKER})", ["-c", "opt"]), folder, arguments.jobs)
    commands = [row for row in binary if row[1].startswith(COMMANDS)]
    broker = [row for row in binary if not row[1].startswith(COMMANDS)]
    if not broker or not (plain or arguments.binary):
        sys.exit(f"compile_times.py: {pattern} or {BROKER} has no unit of ours")

    compiler = subprocess.run(["c++", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]
    summary, dearest = plain_part(plain) if plain else plain_part_of_page()
    total, broker_total = (sum(seconds for seconds, _ in rows) for rows in (binary, broker))
    page = f"""# What compiling costs

Written by `tools/compile_times.py`: CPU seconds of the compiler for each translation unit of ours, {compiler}.
The figures belong to the machine that they were measured on; their ratios travel.
Beside other work they come out larger: the load was {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores in the end.

{summary}- The {len(binary)} units of `{BROKER}` with `-c opt`: {total:.0f} s of at most {BROKER_BUDGET_SECONDS} s.
  The broker itself, {len(broker)} of them: {broker_total:.0f} s; the command line: {total - broker_total:.0f} s.

{dearest}
## The broker with `-c opt`

{table(broker)}

## The command line with `-c opt`

{table(commands)}

{headers_part_of_page()}"""
    print(page)
    if not arguments.print:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(page.rstrip("\n") + "\n")
    dearest_seconds = max((seconds for seconds, _ in plain), default=0)
    return 1 if dearest_seconds > UNIT_BUDGET_SECONDS or total > BROKER_BUDGET_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
