"""What endurance.py says of a run: of what its clients wrote down (endurance_client.py), and of the replicas' logs."""

import array
import bisect
import collections
import glob
import hashlib
import os
import statistics
import time

NOT_ACKED, NOWHERE = -2, -1


class Acked:
    """What one producer was told: per number the place and the offset; per place, when."""

    def __init__(self, path, count):
        self.place, self.offset, self.failed, self.unanswered = array.array("h"), array.array("q"), [], "?"
        self.times = [array.array("d") for _ in range(count)]
        self.count = 0
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("# end"):
                    self.unanswered = line[2:].strip()
                elif line.startswith("#"):
                    self.failed.append(line[2:].strip())
                else:
                    self.add(line)

    def add(self, line):
        place, number, offset, seconds = line.split()
        number = int(number)
        while len(self.place) <= number:
            self.place.append(NOWHERE)
            self.offset.append(NOT_ACKED)
        self.place[number], self.offset[number] = int(place), int(offset)
        self.times[int(place)].append(float(seconds))
        self.count += 1

    def wait(self, place, begin, end):
        """The longest time without an acknowledgement that is at least in part between these two."""
        times, longest, last = self.times[place], 0.0, begin
        for at in range(bisect.bisect(times, begin), len(times)):
            longest, last = max(longest, times[at] - last), times[at]
            if last > end:
                return longest
        return longest


def check_records(path, acked, count):
    """Every acknowledged record is there once, where it was said to be, and each producer's are in their order."""
    names = {name: at for at, name in enumerate(acked)}
    found = {name: array.array("q", [NOT_ACKED]) * len(acked[name].place) for name in names}
    logs, wrong = [array.array("q") for _ in range(count)], []
    last = collections.defaultdict(lambda: -1)
    with open(path, encoding="utf-8") as file:
        for line in file:
            place, offset, name, number = line.split()
            place, offset, number = int(place), int(offset), int(number)
            if offset != len(logs[place]):
                wrong.append(f"place {place}: offset {offset} where {len(logs[place])} was due")
                break
            logs[place].append(number * len(names) + names[name])
            if number <= last[(name, place)]:
                wrong.append(f"{name} {number} at {place}:{offset} comes after {last[(name, place)]}: twice or not in "
                             "order")
            last[(name, place)] = max(number, last[(name, place)])
            if number < len(found[name]):
                found[name][number] = offset
                if acked[name].place[number] not in (NOWHERE, place):
                    wrong.append(f"{name} {number} is in place {place}, acknowledged in {acked[name].place[number]}")
    for name, told in acked.items():
        lost = [n for n, offset in enumerate(told.offset) if offset != NOT_ACKED and found[name][n] == NOT_ACKED]
        moved = [n for n, offset in enumerate(told.offset) if offset >= 0 and found[name][n] not in (offset, NOT_ACKED)]
        if lost:
            wrong.append(f"{name}: {len(lost)} of {told.count} acknowledged records are lost, such as "
                         f"{[(n, told.place[n], told.offset[n]) for n in lost[:10]]} (number, place, offset)")
        if moved:
            wrong.append(f"{name}: {len(moved)} were acknowledged with another offset, such as "
                         f"{[(n, told.place[n], told.offset[n], found[name][n]) for n in moved[:10]]}")
    return logs, names, wrong


def check_consumed(paths, logs, names):
    """What consumers have read on the way is what is there now, and all of it. Returns the counts too."""
    wrong, counts = [], {}
    for library, path in paths.items():
        seen = [bytearray(len(log)) for log in logs]
        counts[library] = 0
        with open(path, encoding="utf-8") as file:
            for line in file:
                place, offset, name, number = line.split()
                place, offset, counts[library] = int(place), int(offset), counts[library] + 1
                if offset >= len(logs[place]) or logs[place][offset] != int(number) * len(names) + names[name]:
                    wrong.append(f"{library} has read {name} {number} at {place}:{offset}, which is not there now")
                else:
                    seen[place][offset] = 1
        missed = sum(each.count(0) for each in seen)
        if missed:
            wrong.append(f"{library} has never read {missed} records")
    return counts, wrong


def digest(node, topic, partition):
    """(bytes, hash) of all segments of a replica, in their order."""
    size, found = 0, hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(node.data, f"{topic}-{partition}", "*.log"))):
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
                size += len(piece)
    return size, found.hexdigest()[:16]


def check_copies(cluster, places, seconds=20):
    """The logs of all replicas are the same, byte for byte."""
    deadline = time.monotonic() + seconds
    while True:
        wrong, total = [], 0
        for topic, partition in places:
            found = {node.number: digest(node, topic, partition) for node in cluster.brokers}
            total += max(size for size, _ in found.values())
            if len(set(found.values())) != 1:
                wrong.append(f"the replicas of {topic}-{partition} differ: {found}")
        if not wrong or time.monotonic() > deadline:
            return total, wrong
        time.sleep(0.5)


def table(faults, acked, stall_max):
    """How long partitions waited, by kind of fault. Returns its lines and what is too long."""
    rows, wrong = collections.defaultdict(list), []
    for fault in faults:
        kind = fault.kind + ("" if fault.alone else ", and a controller killed")
        waits = {(name, place): told.wait(place, fault.struck, fault.over)
                 for name, told in acked.items() for place in fault.led}
        rows[kind].append((fault, waits))
        if fault.kind == "SIGKILL of a leader" and fault.alone and waits and max(waits.values()) > stall_max:
            wrong.append(f"{max(waits, key=waits.get)} waited {max(waits.values()):.2f} s after SIGKILL of "
                         f"{fault.words} at {fault.struck:.1f}")
    lines = ["| fault | times | its partitions' producers waited, s: median / most | in sync again, s: most |",
             "|---|---|---|---|"]
    for kind, row in sorted(rows.items()):
        waits = [wait for _, each in row for wait in each.values()]
        said = f"{statistics.median(waits):.2f} / {max(waits):.2f}" if waits else "(led none)"
        lines.append(f"| {kind} | {len(row)} | {said} | {max(fault.over - fault.healed for fault, _ in row):.1f} |")
    for name in acked:
        kills = [max(wait for (who, _), wait in waits.items() if who == name)
                 for kind, row in rows.items() for fault, waits in row
                 if fault.kind == "SIGKILL of a leader" and fault.alone and waits]
        if kills:
            lines.append(f"{name}: longest wait after each of {len(kills)} SIGKILLs of leaders: median "
                         f"{statistics.median(kills):.2f} s, most {max(kills):.2f} s")
    return lines, wrong
