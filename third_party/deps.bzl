"""The packages of the distribution as the repositories that Weir's BUILD files name (WORKSPACE mode)."""

def _folder_repository_impl(ctx):
    root = ctx.path(ctx.attr.folder) if ctx.attr.folder else ctx.path(Label("//third_party:deps.bzl")).dirname.get_child("system").get_child(ctx.attr.stand_in)
    if not root.exists:
        fail("%s is missing: run ./bazelw once, it installs what the build needs" % root)
    for entry in root.readdir():
        if entry.basename != "WORKSPACE":
            ctx.symlink(entry, entry.basename)
    ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % ctx.name)

_folder_repository = repository_rule(
    implementation = _folder_repository_impl,
    attrs = {
        "folder": attr.string(doc = "an absolute folder, or nothing"),
        "stand_in": attr.string(doc = "a folder below third_party/system"),
    },
    local = True,
    doc = "A repository whose content is a folder of this machine or of third_party/system.",
)

_STAND_INS = [
    "abseil-cpp",
    "boringssl",
    "google_benchmark",
    "googletest",
    "grpc",
    "liburing",
    "lz4",
    "protobuf",
    "remote_coverage_tools",
    "rules_cc",
    "snappy",
    "zlib",
    "zstd",
]

_FOLDERS = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def weir_system_deps():
    """Defines every repository that Weir needs, each unless the caller's WORKSPACE defined it already."""
    for name in _STAND_INS:
        if not native.existing_rule(name):
            _folder_repository(name = name, stand_in = name)
    for name, folder in _FOLDERS.items():
        if not native.existing_rule(name):
            _folder_repository(name = name, folder = folder)
