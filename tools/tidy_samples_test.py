"""tidy.py finds the faults it is for, and none in a sound tree."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import tidy  # noqa: E402

RULE = "// " + "-" * 77
HEADER = f"""{RULE}
// File: base/a.h
{RULE}
// The letter a. More about it.
#ifndef WEIR_BASE_A_H_
#define WEIR_BASE_A_H_

#include <vector>

#include "absl/strings/str_cat.h"

#endif  // WEIR_BASE_A_H_
"""
BUILD = """load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")
load("//tools:component.bzl", "component_tests")

package(default_visibility = ["//visibility:private"])

cc_library(
    name = "a",
    hdrs = ["a.h"],
    deps = ["@abseil-cpp//absl/strings"],
)

cc_test(
    name = "a_test",
    srcs = ["a_test.cc"],
    deps = [
        ":a",
        "@googletest//:gtest_main",
    ],
)

component_tests()
"""
SOUND = {
    "base/a.h": HEADER,
    "base/a_test.cc": '#include "base/a.h"\n\n#include "gtest/gtest.h"\n',
    "base/BUILD.bazel": BUILD,
    "docs/architecture.md": f"`base/`, `docs/` and `tools/`\n{tidy.MAP_BEGIN}\n**base/**\n\n- `a.h`: The letter a\n"
                            f"{tidy.MAP_END}\n",
    "tools/tidy.py": "pass\n",
    "tools/component.bzl": "def component_tests():\n    pass\n",
}


class TidyTest(unittest.TestCase):

    def faults(self, **changes):
        """The faults of the sound tree with `changes`: path, __ for / and _dot_ for . -> text, or None for no file."""
        files = dict(SOUND)
        for name, text in changes.items():
            files[name.replace("__", "/").replace("_dot_", ".")] = text
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                if text is not None:
                    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                        file.write(text)
            return [f"{path}:{line}: {what}" for path, line, what in tidy.check(root)]

    def assert_fault(self, expected, **changes):
        faults = self.faults(**changes)
        self.assertTrue(any(expected in fault for fault in faults), f"`{expected}` is not in {faults}")

    def test_a_sound_tree_has_none(self):
        self.assertEqual(self.faults(), [])

    def test_text(self):
        self.assert_fault("base/a_test.cc:1: blanks", base__a_test_dot_cc="int a; \n")
        self.assert_fault("101 columns", base__a_test_dot_cc="//" + "x" * 99 + "\n")
        self.assert_fault("the last line has no end", base__a_test_dot_cc="int a;")
        self.assert_fault("a tab", base__a_test_dot_cc="\tint a;\n")

    def test_todo(self):
        todo = "// TO" + "DO"
        self.assert_fault("a TODO names", base__a_test_dot_cc=f"{todo}: later\n")
        self.assert_fault("a TODO names", base__a_test_dot_cc=f"{todo}(ada): later\n")
        with_condition = f'#include "base/a.h"\n#include "gtest/gtest.h"\n{todo}(ada): drop this when g++ 12 is gone\n'
        self.assertEqual(self.faults(base__a_test_dot_cc=with_condition), [])

    def test_banner_and_guard(self):
        self.assert_fault("opens with no banner", base__a_dot_h=HEADER.split(RULE + "\n", 2)[2])
        self.assert_fault("the banner says `File: base/b.h`",
                          base__a_dot_h=HEADER.replace("File: base/a.h", "File: base/b.h"))
        self.assert_fault("the include guard is not WEIR_BASE_A_H_", base__a_dot_h=HEADER.replace("A_H_", "B_H_"))

    def test_length(self):
        long = HEADER.replace("#include <vector>\n", "#include <vector>\n" * 600)
        self.assert_fault("lines; at most 500", base__a_dot_h=long)
        defended = long.replace("// The letter a.", "// The letter a.\n// Length: one table.")
        self.assertFalse([f for f in self.faults(base__a_dot_h=defended) if "at most 500" in f])

    def test_includes_and_dependencies_agree(self):
        self.assert_fault("no dependency of //base:a_test has it",
                          base__BUILD_dot_bazel=BUILD.replace('        ":a",\n', ""))
        self.assert_fault("does not depend on @abseil-cpp//absl/status",
                          base__a_dot_h=HEADER.replace("strings/str_cat.h", "status/status.h"))
        self.assert_fault("depends on @abseil-cpp//absl/strings:strings and includes nothing",
                          base__a_dot_h=HEADER.replace('#include "absl/strings/str_cat.h"\n', ""))
        self.assert_fault("neither a file of ours", base__a_dot_h=HEADER.replace("absl/strings/str_cat.h", "base/b.h"))
        self.assert_fault("there is no //base:b",
                          base__BUILD_dot_bazel=BUILD.replace('        ":a",\n', '        ":a",\n        ":b",\n'))

    def test_build_files(self):
        self.assert_fault("base/b.h:1: is in no target", base__b_dot_h=HEADER)
        self.assert_fault("base/b.h does not exist", base__BUILD_dot_bazel=BUILD.replace('["a.h"]', '["a.h", "b.h"]'))
        self.assert_fault("does not end with component_tests", base__BUILD_dot_bazel=BUILD.replace(
            'load("//tools:component.bzl", "component_tests")\n', "").replace("component_tests()\n", ""))
        self.assert_fault("says no default_visibility", base__BUILD_dot_bazel=BUILD.replace(
            'package(default_visibility = ["//visibility:private"])\n', ""))
        self.assert_fault("loads cc_binary and does not use it", base__BUILD_dot_bazel=BUILD.replace(
            '"cc_library", "cc_test"', '"cc_binary", "cc_library", "cc_test"'))
        self.assert_fault("cannot be read", base__BUILD_dot_bazel=BUILD + "no_such_rule()\n")

    def test_headers_of_a_comprehension_count(self):
        plain = 'cc_library(\n    name = "a",\n    hdrs = ["a.h"],\n    deps = ["@abseil-cpp//absl/strings"],\n)'
        build = BUILD.replace(plain, '[cc_library(name = n, hdrs = [n + ".h"], deps = ["@abseil-cpp//absl/strings"]) '
                              'for n in ["a"]]')
        self.assertNotEqual(build, BUILD)
        self.assertEqual(self.faults(base__BUILD_dot_bazel=build), [])

    def test_documents(self):
        self.assert_fault("names base/gone.h, which does not exist", docs__x_dot_md="See base/gone.h.\n")
        self.assert_fault("names //base:gone, which is no target", docs__x_dot_md="Depend on `//base:gone`.\n")
        self.assert_fault("links to gone.md", docs__x_dot_md="[here](gone.md)\n")
        self.assert_fault("names docs/gone.md", base__a_dot_h=HEADER.replace("More about it.", "See docs/gone.md."))
        sound = "base/a.h, base/*, //base:a, //base/..., [m](architecture.md). So base/a.h.\n"
        self.assertEqual(self.faults(docs__x_dot_md=sound), [])

    def test_the_file_map_is_that_of_the_tree(self):
        self.assert_fault("the file map is not that of the tree", base__a_dot_h=HEADER.replace("letter a", "letter b"))
        self.assert_fault("is missing", docs__architecture_dot_md=None)
        self.assert_fault("does not mention `tests/`", tests__x_dot_txt="x\n")


if __name__ == "__main__":
    unittest.main()
