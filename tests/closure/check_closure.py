"""check_closure.py CLOSURES GRAPH LIBRARY...: fails if a LIBRARY reaches in GRAPH what CLOSURES does not allow it.

GRAPH is what tools/closure.bzl writes; CLOSURES is a text in the language that closures.txt explains.
"""

import fnmatch
import re
import sys

# The build's own machinery, and what every library may use.
ALWAYS = ("@abseil-cpp", "@bazel_tools", "@local_config_cc", "@rules_cc", "@platforms", "@local_config_platform")


def normal(label):
    """Labels of all Bazel versions in one spelling: //pkg:name for ours, @repository for everything of another."""
    label = re.sub(r"^@+(?=//)", "", label)
    match = re.match(r"@+([A-Za-z0-9_.-]+?)(?:[~+][^/]*)?//", label)
    if match and match.group(1) != "weir":
        return "@" + match.group(1)
    label = re.sub(r"^@+weir(?=//)", "", label)
    if label.startswith(("//third_party/zlib:", "//third_party:zlib")):
        return "@zlib"
    if label.startswith(("//third_party/protobuf:", "//third_party:protobuf")):
        return "@protobuf"
    if ":" not in label:
        label = f"{label}:{label.rsplit('/', 1)[-1]}"
    return label


def read_graph(text):
    """Edges of a dot graph: label -> labels. Every node appears, also one without edges."""
    edges = {}
    for line in text.splitlines():
        names = re.findall(r'"([^"]*)"', line.split("[label=")[0] if "->" in line else line)
        if "->" in line and len(names) >= 2:
            edges.setdefault(names[0], set()).add(names[1])
            edges.setdefault(names[1], set())
        elif names and line.lstrip().startswith('"'):
            edges.setdefault(names[0], set())
    return edges


def read_closures(text):
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if line:
            left, arrow, right = line.partition("->")
            if not arrow or len(left.split()) != 1:
                raise ValueError(f"closures.txt:{number}: expected `PATTERN -> PATTERN...`, got `{line}`")
            rules.append((left.strip(), right.split()))
    return rules


def matches(label, pattern):
    if pattern.startswith("//") and ":" in pattern and label.startswith("//"):
        package, name = label.split(":", 1)
        wanted_package, wanted_name = pattern.split(":", 1)
        return fnmatch.fnmatchcase(package, wanted_package) and fnmatch.fnmatchcase(name, wanted_name)
    return fnmatch.fnmatchcase(label, pattern)


def allowed_for(library, rules):
    for left, right in rules:
        if matches(library, left):
            return right
    return None


def paths_from(library, edges):
    """label -> the label through which it is reached first."""
    came_from, waiting = {library: None}, [library]
    while waiting:
        label = waiting.pop(0)
        for next_label in sorted(edges.get(label, ())):
            if next_label not in came_from:
                came_from[next_label] = label
                waiting.append(next_label)
    return came_from


def check(library, edges, rules):
    """Returns the faults of one library as text."""
    if library not in edges:
        return [f"{library} is not in the graph"]
    allowed = allowed_for(normal(library), rules)
    if allowed is None:
        return [f"{library}: closures.txt has no line for it"]
    faults = []
    came_from = paths_from(library, edges)
    for label in sorted(came_from):
        # Files and conditions are no dependencies; what lies in other repositories counts as that repository.
        own = normal(label)
        if label == library or own in ALWAYS or re.search(r"\.(h|cc|bazel|bzl)$|:system_zlib$", own):
            continue
        if came_from[label] and normal(came_from[label]) == own:
            continue
        if not any(matches(own, pattern) for pattern in allowed):
            path, step = [], label
            while step is not None:
                path.append(normal(step))
                step = came_from[step]
            faults.append(f"{library} must not reach {own}: " + " -> ".join(reversed(path)))
    return faults


def main(arguments):
    closures, graph, *libraries = arguments
    with open(closures, encoding="utf-8") as file:
        rules = read_closures(file.read())
    with open(graph, encoding="utf-8") as file:
        edges = {}
        for label, targets in read_graph(file.read()).items():
            edges[re.sub(r"^@+(?=//)", "", label)] = {re.sub(r"^@+(?=//)", "", t) for t in targets}
    if not libraries:
        return ["no library named"]
    return [fault for library in libraries for fault in check(library, edges, rules)]


if __name__ == "__main__":
    found = main(sys.argv[1:])
    print("\n".join(found))
    sys.exit(1 if found else 0)
