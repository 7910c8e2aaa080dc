"""weir_grpc_library(): C++ of a .proto with a gRPC service, the same way under Bazel 4.2.3 without network and Bazel 7+."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def weir_grpc_library(name, src, visibility = None):
    """Makes a cc_library of what protoc and gRPC's plugin generate for the .proto file `src` of this package.

    Include "PACKAGE/STEM.pb.h" and "PACKAGE/STEM.grpc.pb.h". The file may import nothing.
    """
    stem = src[:-len(".proto")]
    headers = [stem + ".pb.h", stem + ".grpc.pb.h"]
    sources = [stem + ".pb.cc", stem + ".grpc.pb.cc"]
    native.genrule(
        name = name + "_generated",
        srcs = [src],
        outs = headers + sources,
        cmd = "$(execpath //third_party:protoc) --proto_path=. --cpp_out=$(GENDIR) --grpc_out=$(GENDIR)" +
              " --plugin=protoc-gen-grpc=$(execpath @grpc//src/compiler:grpc_cpp_plugin) $<",
        tools = [
            "//third_party:protoc",
            "@grpc//src/compiler:grpc_cpp_plugin",
        ],
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-w"],
        linkstatic = True,
        visibility = visibility,
        deps = [
            "//third_party:protobuf",
            "@grpc//:grpc++",
        ],
    )
