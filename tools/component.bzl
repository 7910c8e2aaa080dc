"""component_tests(): what every package with headers is tested for, whatever it does."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//tools:closure.bzl", "closure_graph")

def _name_of(header):
    return header.replace("/", "_").replace(".", "_").replace("-", "_")

def component_tests():
    """Call it last in a BUILD file. It makes two tests from the cc_library rules above it.

    headers_test: every public header compiles alone, is guarded against a second include, and appears in two translation
    units of one program without a doubly defined symbol.

    closure_test: each library that is not testonly reaches only what tests/closure/closures.txt allows it.
    """
    package = native.package_name()
    libraries = []
    shipped = []  # of which no test code is part
    headers = []
    for name, rule in native.existing_rules().items():
        if rule["kind"] != "cc_library":
            continue
        libraries.append(":" + name)
        headers += [label.split(":")[-1] for label in rule.get("hdrs", []) if label.endswith(".h")]
        if not rule.get("testonly"):
            shipped.append(":" + name)
    libraries = sorted(libraries)
    shipped = sorted(shipped)
    headers = sorted(headers)

    sources = []
    for header in headers:
        source = "headers_alone/" + _name_of(header) + ".cc"
        path = package + "/" + header
        native.genrule(
            name = "headers_test_" + _name_of(header),
            outs = [source],
            cmd = "printf '#include \"%s\"\\n#include \"%s\"\\n' " + path + " " + path + " > $@",
            testonly = True,
            tags = ["generated_header_test"],
            visibility = ["//visibility:private"],
        )
        sources.append(":" + source)
    includes = " ".join(["'#include \"" + package + "/" + header + "\"'" for header in headers])
    for unit, rest in [("first", "int main() { return 0; }"), ("second", "")]:
        native.genrule(
            name = "headers_test_" + unit,
            outs = ["headers_alone/all_" + unit + ".cc"],
            cmd = "printf '%s\\n' " + includes + " '" + rest + "' > $@",
            testonly = True,
            tags = ["generated_header_test"],
            visibility = ["//visibility:private"],
        )
        sources.append(":headers_alone/all_" + unit + ".cc")
    cc_test(
        name = "headers_test",
        size = "small",
        srcs = sources,
        tags = ["generated_header_test"],
        deps = libraries,
    )
    if not shipped:
        return

    closure_graph(
        name = "closure_graph",
        testonly = True,
        libraries = shipped,
        visibility = ["//visibility:private"],
    )
    native.sh_test(
        name = "closure_test",
        size = "small",
        srcs = ["//tests/closure:check_closure.sh"],
        args = [
            "$(rootpath //tests/closure:check_closure.py)",
            "$(rootpath //tests/closure:closures.txt)",
            "$(rootpath :closure_graph)",
        ] + ["//" + package + library for library in shipped],
        data = [
            ":closure_graph",
            "//tests/closure:check_closure.py",
            "//tests/closure:closures.txt",
        ],
    )
