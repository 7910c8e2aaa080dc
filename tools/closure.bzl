"""closure_graph(): a text of what libraries reach through their dependencies, as configured for this build.

An aspect, not genquery: a query follows every branch of a select(), also to targets that this build does not have.
"""

_Edges = provider(fields = ["lines"], doc = "Lines of a dot graph, as a depset.")

def _aspect_impl(target, ctx):
    label = str(target.label)
    lines = ["\"%s\"" % label]
    below = []
    for attribute in ["deps", "implementation_deps"]:
        for dependency in getattr(ctx.rule.attr, attribute, None) or []:
            lines.append("\"%s\" -> \"%s\"" % (label, dependency.label))
            if _Edges in dependency:
                below.append(dependency[_Edges].lines)
    return [_Edges(lines = depset(lines, transitive = below))]

_aspect = aspect(
    implementation = _aspect_impl,
    attr_aspects = [
        "deps",
        "implementation_deps",
    ],
)

def _closure_graph_impl(ctx):
    graph = ctx.actions.declare_file(ctx.label.name + ".dot")
    lines = depset(transitive = [library[_Edges].lines for library in ctx.attr.libraries])
    ctx.actions.write(graph, "digraph closure {\n" + "\n".join(lines.to_list()) + "\n}\n")
    return [DefaultInfo(files = depset([graph]), runfiles = ctx.runfiles([graph]))]

closure_graph = rule(
    implementation = _closure_graph_impl,
    attrs = {"libraries": attr.label_list(aspects = [_aspect])},
    doc = "Writes NAME.dot: every library that `libraries` reach, and an edge for each dependency.",
)
