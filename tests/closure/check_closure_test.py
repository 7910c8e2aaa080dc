"""check_closure.py finds what it is for."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import check_closure  # noqa: E402

RULES = check_closure.read_closures("""
//log:cleaner -> //log:* //base:* @lz4
//log:*       -> //log:* //base:*   # comment
""")
GRAPH = """digraph mygraph {
  node [shape=box];
  "//log:log"
  "//log:log" -> "//base:ids"
  "//log:log" -> "//log:log.h"
  "//log:log" -> "@abseil-cpp//absl/status:status"
  "//base:ids"
  "//log:cleaner"
  "//log:cleaner" -> "@lz4//:lz4"
  "//log:bad"
  "//log:bad" -> "//log:cleaner"
  "//log:bad" -> "//third_party:zlib"
  [label="conditional"];
}
"""


class CheckClosureTest(unittest.TestCase):

    def setUp(self):
        self.edges = check_closure.read_graph(GRAPH)

    def test_what_is_allowed_passes(self):
        self.assertEqual(check_closure.check("//log:log", self.edges, RULES), [])
        self.assertEqual(check_closure.check("//log:cleaner", self.edges, RULES), [])

    def test_a_forbidden_dependency_is_named_with_its_path(self):
        faults = check_closure.check("//log:bad", self.edges, RULES)
        self.assertEqual(faults, [
            "//log:bad must not reach @zlib: //log:bad -> @zlib",
            "//log:bad must not reach @lz4: //log:bad -> //log:cleaner -> @lz4",
        ])

    def test_no_line_and_no_node_are_faults(self):
        edges = {"//new:x": set()}
        self.assertIn("no line", check_closure.check("//new:x", edges, RULES)[0])
        self.assertIn("not in the graph", check_closure.check("//new:y", edges, RULES)[0])

    def test_labels_of_all_bazel_versions_read_alike(self):
        for label in ("@lz4//:lz4", "@@lz4~//:lz4", "@@lz4~override//lib:x", "@@lz4+//:lz4"):
            self.assertEqual(check_closure.normal(label), "@lz4")
        for label in ("//base:ids", "@//base:ids", "@@//base:ids", "@weir//base:ids"):
            self.assertEqual(check_closure.normal(label), "//base:ids")
        self.assertEqual(check_closure.normal("//log"), "//log:log")

    def test_what_stands_in_for_a_repository_counts_as_it(self):
        for name in ("protobuf", "zlib"):
            for label in (f"//third_party:{name}", f"//third_party/{name}:{name}", f"@@{name}+//:{name}"):
                self.assertEqual(check_closure.normal(label), f"@{name}")

    def test_a_line_without_arrow_is_refused(self):
        with self.assertRaises(ValueError):
            check_closure.read_closures("//log:*  //base:*")


if __name__ == "__main__":
    unittest.main()
