#!/usr/bin/env python3
"""Checks the habits of the house that no compiler checks (docs/architecture.md, CONTRIBUTING.md).

Usage: tools/tidy.py [--root FOLDER]   prints one line for each fault, `path:line: what`; exits 1 if any
       tools/tidy.py --write-map       rewrites the file map in docs/architecture.md from the headers' banners

BUILD files are a subset of Python: they are run with stand-ins for Bazel's functions that note what each rule says, so
macros and list comprehensions need no special care.
"""

import argparse
import fnmatch
import os
import re
import sys

COMPONENTS = ("base", "bench", "client", "coordination", "log", "protocol", "replication", "server", "tests")
TOP = COMPONENTS + ("docs", "examples", "third_party", "tools")
CPP = (".h", ".cc")
SCRIPTS = (".py", ".sh", ".go", ".js")
COLUMNS = {"cpp": 100, "script": 120}
HEADER_LINES_MAX = 500
MAP_BEGIN, MAP_END = "<!-- file map: tools/tidy.py --write-map -->", "<!-- end of the file map -->"
SKIP_FOLDERS = {".git", "node_modules", "__pycache__", "venv", ".venv"}
FOREIGN = ("third_party/system",)  # stand-ins for other projects: their layout is not ours
NESTED_WORKSPACE = "examples/downstream"

# Headers of other projects -> labels of which one must be a dependency. Longest prefix wins.
ABSL = "@abseil-cpp//absl/"
EXTERNAL = {
    "absl/algorithm/container.h": [ABSL + "algorithm:container"],
    "absl/base/": [ABSL + "base:core_headers", ABSL + "base"],
    "absl/container/inlined_vector.h": [ABSL + "container:inlined_vector"],
    "absl/base/config.h": [ABSL + "base:config"],
    "absl/hash/": [ABSL + "hash"],
    "absl/cleanup/": [ABSL + "cleanup"],
    "absl/memory/": [ABSL + "memory"],
    "absl/status/status.h": [ABSL + "status"],
    "absl/strings/": [ABSL + "strings"],
    "absl/strings/cord.h": [ABSL + "strings:cord"],
    "absl/strings/str_format.h": [ABSL + "strings:str_format"],
    "absl/strings/string_view.h": [ABSL + "strings:string_view", ABSL + "strings"],
    "absl/time/": [ABSL + "time"],
    "benchmark/": ["@google_benchmark//:benchmark", "@google_benchmark//:benchmark_main"],
    "grpcpp/": ["@grpc//:grpc++"],
    "gmock/": ["@googletest//:gtest_main", "@googletest//:gtest"],
    "gtest/": ["@googletest//:gtest_main", "@googletest//:gtest"],
    "openssl/": ["@boringssl//:crypto"],
    "liburing.h": ["@liburing//:liburing"],
    "lz4": ["@lz4//:lz4"],
    "snappy": ["@snappy//:snappy"],
    "zlib.h": ["//third_party:zlib"],
    "zstd": ["@zstd//:zstd"],
}


class Faults(list):
    def add(self, path, line, what):
        self.append((path, line, what))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def list_files(root):
    """Every file of the tree as a path relative to `root`, without build output and what git ignores by habit."""
    found = []
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        relative = "" if relative == "." else relative + "/"
        folders[:] = sorted(
            f for f in folders
            if f not in SKIP_FOLDERS and not (f.startswith("bazel-") and os.path.islink(os.path.join(folder, f)))
            and relative + f not in FOREIGN and not (relative == "" and f == "data"))
        found += [relative + n for n in sorted(names) if not n.endswith(".pyc")
                  and not os.path.islink(os.path.join(folder, n))]
    return found


def is_build_file(path):
    return os.path.basename(path) in ("BUILD.bazel", "BUILD")


# ---------------------------------------------------------------------------------------------------------- text


def check_text(root, files, faults):
    for path in files:
        extension = os.path.splitext(path)[1]
        kind = "cpp" if extension in CPP else "script" if extension in SCRIPTS or path == "bazelw" else None
        readable = kind or is_build_file(path) or extension in (".bzl", ".md", ".bazel", ".txt", ".properties")
        if not readable or path.startswith("tests/golden/"):
            continue
        text = read(root, path)
        if text and not text.endswith("\n"):
            faults.add(path, text.count("\n") + 1, "the last line has no end")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                faults.add(path, number, "blanks at the end of the line")
            if kind and len(line) > COLUMNS[kind] and "http" not in line and not line.startswith("#include"):
                faults.add(path, number, f"{len(line)} columns; at most {COLUMNS[kind]}")
            if extension in CPP and "\t" in line:
                faults.add(path, number, "a tab")
            if kind and re.search(r"\b(TODO|FIXME|XXX)\b", line) and not os.path.basename(path).startswith("tidy"):
                if not re.search(r"TODO\(\w[\w-]*\): .*\b(when|once|until|after|if)\b", line):
                    faults.add(path, number, "a TODO names its owner and its condition: TODO(owner): what, when ...")


def check_header(root, path, faults):
    lines = read(root, path).split("\n")
    rule = "// " + "-" * 77
    if len(lines) < 4 or lines[0] != rule or lines[2] != rule or not lines[3].startswith("// "):
        faults.add(path, 1, "opens with no banner (a rule, `// File: path`, a rule, what it is)")
    elif lines[1] != f"// File: {path}":
        faults.add(path, 2, f"the banner says `{lines[1][3:]}`, not `File: {path}`")
    guard = "WEIR_" + re.sub(r"[^A-Za-z0-9]", "_", path).upper() + "_"
    directives = [line for line in lines if re.match(r"#\s*(if|ifdef|ifndef|define|include|pragma)\b", line)]
    if directives[:2] != [f"#ifndef {guard}", f"#define {guard}"]:
        faults.add(path, 1, f"the include guard is not {guard}")
    banner = "\n".join(lines[:lines.index(f"#ifndef {guard}")] if f"#ifndef {guard}" in lines else lines[:20])
    count = len(lines) - 1
    if count > HEADER_LINES_MAX and "Length:" not in banner:
        faults.add(path, count, f"{count} lines; at most {HEADER_LINES_MAX} unless the banner says why (`Length: ...`)")


# ---------------------------------------------------------------------------------------------------- BUILD files


class Rule:
    def __init__(self, kind, package, attributes, line):
        self.kind, self.package, self.attributes, self.line = kind, package, attributes, line
        self.name = attributes.get("name", "")

    def labels(self, attribute):
        return [absolute(self.package, str(v)) for v in flatten(self.attributes.get(attribute) or [])]

    def files(self, *attributes):
        result = []
        for attribute in attributes:
            for label in self.labels(attribute):
                package, _, name = label[2:].partition(":")
                if label.startswith("//"):
                    result.append(f"{package}/{name}" if package else name)
        return result


class Select(list):
    """What select() gave: the sum of its branches."""


def flatten(value):
    return list(value) if isinstance(value, (list, tuple, Select)) else [value]


def absolute(package, label):
    """//a/b -> //a/b:b, :x -> //package:x, x.h -> //package:x.h; other repositories alike."""
    label = re.sub(r"^@weir//", "//", label)
    if label.startswith(":"):
        return f"//{package}{label}"
    if not label.startswith(("//", "@")):
        return f"//{package}:{label}"
    if ":" not in label:
        head, _, tail = label.partition("//")
        return f"{label}:{tail.rsplit('/', 1)[-1] or head[1:]}"
    return label


class BuildReader:
    """Runs BUILD and .bzl files and notes the rules that they make."""

    def __init__(self, root, files):
        self.root, self.files = root, files
        self.rules, self.loads, self.packages, self.modules = [], {}, {}, {}

    def read_package(self, path, faults):
        package = os.path.dirname(path)
        self.package, self.path = package, path
        self.loads[path], self.packages[path] = {}, {}
        scope = self.functions()
        try:
            exec(compile(read(self.root, path), path, "exec"), scope)  # our own BUILD file
        except Exception as error:  # whatever it is, it is a fault of that file
            faults.add(path, getattr(error, "lineno", 1) or 1, f"cannot be read: {error!r}")

    def functions(self, build_file=True):

        def rule(kind):
            def make(*unused, **attributes):
                line = self.line()
                self.rules.append(Rule(kind, self.package, attributes, line))
            make.weir_rule = kind
            return make

        def load(source, *names, **renamed):
            for new, old in [(n, n) for n in names] + list(renamed.items()):
                if build_file:
                    self.loads[self.path][new] = source
                if absolute(self.package, source).startswith("//") and source.endswith(".bzl"):
                    scope[new] = self.module(source)[old]
                else:
                    scope[new] = rule(old)

        scope = {n: rule(n) for n in (
            "alias", "config_setting", "filegroup", "genquery", "genrule", "sh_binary", "sh_library", "sh_test",
            "test_suite", "py_binary", "py_library", "py_test", "cc_library_native", "label_flag", "bool_flag")}
        scope.update(
            load=load, glob=self.glob, select=lambda branches, **_: Select(
                v for branch in branches.values() for v in flatten(branch)),
            package=lambda **a: self.packages[self.path].update(a), exports_files=lambda *a, **k: None,
            licenses=lambda *a: None, package_group=rule("package_group"), package_name=lambda: self.package,
            repository_name=lambda: "@", existing_rules=self.existing_rules, fail=self.fail,
            struct=lambda **k: type("struct", (), k), Label=str)
        scope["native"] = type("native", (), {**{k: staticmethod(v) for k, v in scope.items() if callable(v)},
                                              **{k: staticmethod(rule(k)) for k in (
                                                  "cc_library", "cc_test", "cc_binary")}})
        return scope

    def module(self, source):
        path = absolute("", source)[2:].replace(":", "/").lstrip("/")
        package = self.package
        if source.startswith(":"):
            path = f"{package}/{source[1:]}"
        scope = self.functions(build_file=False)
        scope.update(rule=lambda **_: lambda **a: self.rules.append(Rule("custom", self.package, a, self.line())),
                     repository_rule=lambda **_: lambda **a: None, provider=lambda *a, **k: None,
                     aspect=lambda *a, **k: None,
                     attr=type("attr", (), {"__getattr__": lambda s, n: lambda *a, **k: None})(),
                     depset=list, DefaultInfo=None, CcInfo=None)
        exec(compile(read(self.root, path), path, "exec"), scope)
        return scope

    def line(self):
        frame = sys._getframe(1)
        while frame:
            if frame.f_code.co_filename == self.path:
                return frame.f_lineno
            frame = frame.f_back
        return 1

    def fail(self, message):
        raise ValueError(message)

    def existing_rules(self):
        return {r.name: {"kind": r.kind, **r.attributes} for r in self.rules if r.package == self.package}

    def glob(self, include, exclude=(), **_):
        prefix = self.package + "/" if self.package else ""
        names = [f[len(prefix):] for f in self.files if f.startswith(prefix)]

        def matches(name, pattern):
            if "**/" in pattern and fnmatch.fnmatchcase(name, pattern.replace("**/", "")):
                return True
            return fnmatch.fnmatchcase(name, pattern) and ("**" in pattern or name.count("/") == pattern.count("/"))

        return [n for n in names if any(matches(n, p) for p in include) and not any(matches(n, p) for p in exclude)]


def includes_of(root, path):
    for number, line in enumerate(read(root, path).split("\n"), 1):
        match = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def external_labels(include):
    best = max((p for p in EXTERNAL if include.startswith(p)), key=len, default=None)
    if best:
        return EXTERNAL[best]
    match = re.match(r"absl/([\w/]+)/(\w+)\.h$", include)
    return [f"{ABSL}{match.group(1)}:{match.group(2)}"] if match else None


def check_build(root, files, faults):
    reader = BuildReader(root, files)
    for path in files:
        if is_build_file(path) and not path.startswith(NESTED_WORKSPACE):
            reader.read_package(path, faults)
    rules = {f"//{r.package}:{r.name}": r for r in reader.rules}
    cc = [r for r in reader.rules if r.kind.startswith("cc_") and "generated_header_test" not in flatten(
        r.attributes.get("tags") or [])]
    check_loads(root, reader, cc, faults)

    owner = {}
    for rule in cc:
        for file in rule.files("hdrs", "textual_hdrs", "srcs"):
            owner.setdefault(file, []).append(rule)
    for path in files:
        if path.endswith(CPP) and path.startswith(COMPONENTS) and path not in owner:
            faults.add(path, 1, "is in no target")
    for path, owners in owner.items():
        if path.endswith(".h") and len({r.name for r in owners}) > 1:
            faults.add(path, 1, "is in several targets: " + ", ".join(r.name for r in owners))
    for rule in cc:
        check_dependencies(root, files, rules, rule, faults)
    check_component_tests(reader, cc, faults)
    return rules


def check_loads(root, reader, cc, faults):
    for path, loads in reader.loads.items():
        text = read(root, path)
        body = re.sub(r"^load\(.*?\)$", "", text, flags=re.M | re.S)
        for name, source in loads.items():
            if not re.search(rf"\b{name}\b", body):
                faults.add(path, 1, f"loads {name} and does not use it")
            if name.startswith("cc_") and source != "@rules_cc//cc:defs.bzl":
                faults.add(path, 1, f"loads {name} from {source}, not from @rules_cc//cc:defs.bzl")
        for name in set(re.findall(r"^(cc_\w+)\(", body, flags=re.M)) - set(loads):
            faults.add(path, 1, f"uses {name} without loading it")
    for rule in cc:
        path = f"{rule.package}/BUILD.bazel"
        if rule.kind == "cc_library" and path in reader.packages and "default_visibility" not in reader.packages[path]:
            faults.add(path, 1, "says no default_visibility (private unless all of it is supported API)")
            reader.packages[path]["default_visibility"] = []


def provided(rules, label, seen=None):
    """The headers that a dependency on `label` gives: its own, or those below it if it only gathers others."""
    seen = seen if seen is not None else set()
    rule = rules.get(label)
    if rule is None or label in seen:
        return set()
    seen.add(label)
    if rule.kind == "alias":
        return set().union(*[provided(rules, a, seen) for a in rule.labels("actual")])
    own = set(rule.files("hdrs", "textual_hdrs"))
    if own:
        return own
    return set().union(*[provided(rules, d, seen) for d in rule.labels("deps")])


def check_dependencies(root, files, rules, rule, faults):
    build = f"{rule.package}/BUILD.bazel"
    own = rule.files("hdrs", "textual_hdrs", "srcs")
    deps, me = rule.labels("deps"), f"//{rule.package}:{rule.name}"
    used, known = set(), set(files)
    given = {d: provided(rules, d) for d in deps}
    for file in own:
        if not file.endswith(CPP):
            continue
        if file not in known:
            generated = any(file in r.files("outs") for r in rules.values() if r.kind == "genrule")
            if not generated and f"//{os.path.dirname(file)}:{os.path.basename(file)}" not in rules:
                faults.add(build, rule.line, f"{rule.name}: {file} does not exist")
            continue
        for number, include, quoted in includes_of(root, file):
            if include in own:
                continue
            if include in known:
                givers = [d for d in deps if include in given[d]]
                if not givers:
                    faults.add(file, number, f"includes {include}; no dependency of {me} has it")
                used.update(givers)
                continue
            labels = external_labels(include)
            if labels is None:
                if quoted and not include.endswith((".pb.h",)):
                    faults.add(file, number, f"includes {include}, neither a file of ours nor of a known package")
                continue
            givers = [d for d in deps if d in {absolute("", label) for label in labels}]
            if not givers:
                faults.add(file, number, f"includes {include}; {me} does not depend on {labels[0]}")
            used.update(givers)
    if not any(f.endswith(CPP) and f in known for f in own):
        return  # a target that only gathers others
    for label in deps:
        if label in used or label.endswith((":gtest_main", ":benchmark_main", "_cc_proto", "_cc_grpc")):
            continue
        if label.startswith("//") and label in rules and not given[label]:
            continue  # something to link, with no headers
        if label.startswith("//") and label not in rules:
            faults.add(build, rule.line, f"{rule.name}: there is no {label}")
        else:
            faults.add(build, rule.line, f"{rule.name}: depends on {label} and includes nothing of it")


def check_component_tests(reader, cc, faults):
    """Every package with headers ends with component_tests(): each header alone, all in two units, the closure."""
    for package in sorted({r.package for r in cc if r.kind == "cc_library" and r.files("hdrs")}):
        path = f"{package}/BUILD.bazel"
        if package.startswith(COMPONENTS) and "component_tests" not in reader.loads.get(path, {}):
            faults.add(path, 1, "does not end with component_tests() (//tools:component.bzl)")


# ----------------------------------------------------------------------------------------------------------- docs


def check_docs(root, files, rules, faults):
    known = set(files)
    folders = {os.path.dirname(f) for f in files}
    for folder in list(folders):
        while folder:
            folders.add(folder)
            folder = os.path.dirname(folder)

    def exists(path):
        path = path.rstrip("/.")
        if any(c in path for c in "*<>{}…") or "NNNN" in path:
            return True
        return path in known or path in folders or os.path.exists(os.path.join(root, path))

    for path in files:
        if path == "CHANGELOG.md" or path.startswith(NESTED_WORKSPACE):
            continue
        text_kind = path.endswith(".md")
        if not text_kind and not path.endswith(CPP):
            continue
        for number, line in enumerate(read(root, path).split("\n"), 1):
            if text_kind:
                for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                    if not re.match(r"\w+:", target) and not exists(
                            os.path.normpath(os.path.join(os.path.dirname(path), target))):
                        faults.add(path, number, f"links to {target}, which does not exist")
                candidates = re.findall(rf"(?<![\w/.@~-])((?:{'|'.join(TOP)})/[\w./*<>{{}}…-]+)", line)
                for label in re.findall(r"(?<![\w@:])(//[\w./-]*(?::[\w./-]+)?)", line):
                    if not label_exists(label, rules, folders):
                        faults.add(path, number, f"names {label}, which is no target")
            else:
                comment = line.partition("//")[2]
                candidates = re.findall(rf"(?<![\w/.])((?:{'|'.join(TOP)})/[\w./-]+\.(?:h|md|cc))\b", comment)
            for candidate in (c.rstrip(".") for c in candidates):
                if not exists(candidate):
                    faults.add(path, number, f"names {candidate}, which does not exist")


def label_exists(label, rules, folders):
    if label == "//" or "..." in label:
        return label == "//..." or label == "//" or label[2:].split("/...")[0].split(":")[0] in folders
    return absolute("", label) in rules


def file_map(root, files):
    """The headers of each folder with the first sentence of their banners, as Markdown."""
    lines, folder = [], None
    for path in files:
        if not path.endswith(".h") or not path.startswith(COMPONENTS):
            continue
        if os.path.dirname(path) != folder:
            folder = os.path.dirname(path)
            lines += ["", f"**{folder}/**", ""]
        what = []
        for line in read(root, path).split("\n")[3:]:
            if not line.startswith("// ") or re.match(r"// (Format|Decision|Threading|Errors|Limits|Length):", line):
                break
            what.append(line[3:].strip())
        sentence = re.split(r"(?<=[.:;]) ", " ".join(what) + " ")[0].strip().rstrip(":;.")
        lines.append(f"- `{os.path.basename(path)}`: {sentence}")
    return "\n".join(lines).strip("\n")


def check_map(root, files, faults):
    path = "docs/architecture.md"
    if path not in files:
        faults.add(path, 1, "is missing")
        return
    text = read(root, path)
    if MAP_BEGIN not in text or MAP_END not in text:
        faults.add(path, 1, "has no file map")
        return
    if text.split(MAP_BEGIN)[1].split(MAP_END)[0].strip("\n") != file_map(root, files):
        faults.add(path, text[:text.index(MAP_BEGIN)].count("\n") + 1,
                   "the file map is not that of the tree: run tools/tidy.py --write-map")
    for folder in sorted({f.split("/")[0] for f in files if "/" in f and not f.startswith(".")}):
        if not re.search(rf"`{folder}/", text):
            faults.add(path, 1, f"does not mention `{folder}/`")


def write_map(root, files):
    path = os.path.join(root, "docs/architecture.md")
    text = read(root, "docs/architecture.md")
    head, rest = text.split(MAP_BEGIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{MAP_BEGIN}\n{file_map(root, files)}\n{MAP_END}{rest.split(MAP_END)[1]}")


def check(root):
    faults = Faults()
    files = list_files(root)
    check_text(root, files, faults)
    for path in files:
        if path.endswith(".h") and path.startswith(COMPONENTS):
            check_header(root, path, faults)
    rules = check_build(root, files, faults)
    check_docs(root, files, rules, faults)
    check_map(root, files, faults)
    return sorted(set(faults))


def main():
    parser = argparse.ArgumentParser(description="Checks the habits of the house.")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    parser.add_argument("--write-map", action="store_true")
    arguments = parser.parse_args()
    if arguments.write_map:
        write_map(arguments.root, list_files(arguments.root))
    faults = check(arguments.root)
    for path, line, what in faults:
        print(f"{path}:{line}: {what}")
    print(f"tidy: {len(faults)} faults", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
