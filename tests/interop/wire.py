"""Kafka's messages as Python dicts, after the definitions in tests/golden/schema.txt, which come from Kafka's jar."""

import os
import socket
import struct

HERE = os.path.dirname(os.path.realpath(__file__))
INTEGERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "int64": ">q", "bool": ">?"}
DEFAULTS = {"bool": False, "string": "", "uuid": bytes(16), "records": None, "bytes": b""}


class Field:
    """One line of schema.txt: NAME TYPE SINCE-UNTIL [nullable N] [tag T since N] [default V] [ignorable]."""

    def __init__(self, words):
        self.name, self.type = words[0], words[1]
        self.since, self.until = (int(word) for word in words[2].split("-"))
        option = {word: words[at + 1] for at, word in enumerate(words[:-1])
                  if at > 2 and word in ("nullable", "tag", "default")}
        self.nullable = int(option.get("nullable", 1000))
        self.tag = int(option["tag"]) if "tag" in option else None
        self.standard = option.get("default")
        self.fields = []

    def in_version(self, version):
        return self.since <= version <= self.until

    def default(self):
        if self.type.startswith("[]"):
            return []
        if self.type == "struct":
            return {}
        if self.standard == "null":
            return None
        if self.type in INTEGERS and self.type != "bool":
            return int(self.standard or 0)
        if self.type == "bool":
            return self.standard == "true"
        return DEFAULTS[self.type]


class Message:
    def __init__(self, words):
        self.key = None if words[1] == "-" else int(words[1])  # headers and records have none
        self.min, self.max = (int(word) for word in words[2].split("-"))
        self.flexible = int(words[4]) if len(words) > 4 else 1000
        self.fields = []


def definitions(path=os.path.join(HERE, "../golden/schema.txt")):
    messages, open_fields = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                continue
            words = line.split()
            depth = (len(line) - len(line.lstrip(" "))) // 2
            if depth == 0:
                messages[words[0]] = Message(words)
                open_fields = [messages[words[0]]]
                continue
            del open_fields[depth:]
            field = Field(words)
            open_fields[-1].fields.append(field)
            open_fields.append(field)
    return messages


def uvarint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


class Writer:
    def __init__(self, version, flexible):
        self.version, self.flexible = version, flexible

    def length(self, count, narrow):
        """`count` is None for null."""
        if self.flexible:
            return uvarint(0 if count is None else count + 1)
        return struct.pack(">h" if narrow else ">i", -1 if count is None else count)

    def value(self, kind, field, value):
        if kind in INTEGERS:
            return struct.pack(INTEGERS[kind], value)
        if kind == "uuid":
            return value
        if kind == "struct":
            return self.struct(field.fields, value)
        if value is None:
            return self.length(None, kind == "string")
        if kind == "string":
            return self.length(len(value.encode()), True) + value.encode()
        if kind in ("records", "bytes"):
            return self.length(len(value), False) + value
        return self.length(len(value), False) + b"".join(self.value(kind[2:], field, each) for each in value)

    def struct(self, fields, values):
        unknown = set(values) - {field.name for field in fields}
        if unknown:
            raise KeyError(f"no such fields: {unknown}")
        out, tagged = b"", []
        for field in fields:
            if not field.in_version(self.version):
                continue
            value = values.get(field.name, field.default())
            if field.tag is None:
                out += self.value(field.type, field, value)
            elif field.name in values:
                data = self.value(field.type, field, value)
                tagged.append(uvarint(field.tag) + uvarint(len(data)) + data)
        if self.flexible:
            out += uvarint(len(tagged)) + b"".join(tagged)
        return out


class Reader:
    def __init__(self, data, version, flexible):
        self.data, self.at, self.version, self.flexible = data, 0, version, flexible

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f"expected {count} bytes at {self.at}, there are {len(self.data) - self.at}")
        self.at += count
        return self.data[self.at - count:self.at]

    def uvarint(self):
        number, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def length(self, narrow):
        if self.flexible:
            return self.uvarint() - 1
        return struct.unpack(">h", self.take(2))[0] if narrow else struct.unpack(">i", self.take(4))[0]

    def value(self, kind, field):
        if kind in INTEGERS:
            return struct.unpack(INTEGERS[kind], self.take(struct.calcsize(INTEGERS[kind])))[0]
        if kind == "uuid":
            return self.take(16)
        if kind == "struct":
            return self.struct(field.fields)
        length = self.length(kind == "string")
        if length < 0:
            return None
        if kind == "string":
            return self.take(length).decode()
        if kind in ("records", "bytes"):
            return self.take(length)
        return [self.value(kind[2:], field) for _ in range(length)]

    def struct(self, fields):
        values, tags = {}, {}
        for field in fields:
            if not field.in_version(self.version):
                continue
            if field.tag is None:
                values[field.name] = self.value(field.type, field)
            else:
                tags[field.tag] = field
        if self.flexible:
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                end = self.at + size
                if tag in tags:
                    values[tags[tag].name] = self.value(tags[tag].type, tags[tag])
                    if self.at != end:
                        raise ValueError(f"tag {tag} ends at {self.at}, not at {end}")
                self.at = end
        return values


class Peer:
    """One connection. Every `ask` is one request; None comes back when the broker closes it."""

    messages = definitions()

    def __init__(self, port, host="127.0.0.1", timeout=30):
        self.host, self.port, self.timeout = host, port, timeout
        self.socket, self.correlation = None, 0

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return data

    def ask(self, api, version, **values):
        request, response = self.messages[api + "Request"], self.messages[api + "Response"]
        self.correlation += 1
        flexible = version >= request.flexible
        header = struct.pack(">hhih", request.key, version, self.correlation, 4) + b"side"
        header += b"\0" if flexible else b""
        frame = header + Writer(version, flexible).struct(request.fields, values)
        if self.socket is None:
            self.socket = socket.create_connection((self.host, self.port), timeout=self.timeout)
        try:
            self.socket.sendall(struct.pack(">i", len(frame)) + frame)
            data = self.read(struct.unpack(">i", self.read(4))[0])
        except (ConnectionResetError, BrokenPipeError):
            self.close()
            return None
        flexible = version >= response.flexible
        reader = Reader(data, version, flexible)
        correlation = struct.unpack(">i", reader.take(4))[0]
        if correlation != self.correlation:
            raise ValueError(f"expected correlation {self.correlation}, came {correlation}")
        if flexible and api != "ApiVersions":
            reader.take(1)
        values = reader.struct(response.fields)
        if reader.at != len(data):
            raise ValueError(f"{len(data) - reader.at} bytes behind the response")
        return values
