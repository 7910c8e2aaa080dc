#!/bin/sh
exec grpc_cpp_plugin "$@"
