"""The faults of endurance.py: each is a function of the run, and of whether a controller is not down beside it."""

import contextlib
import time

NOTICE_SECONDS_MAX = 30  # until a node whose disk is broken has ended


@contextlib.contextmanager
def until_mended(run, least, most, mend):
    """What is done in it lasts so many seconds, and is mended whatever comes."""
    try:
        yield
        run.pause(least, most)
    finally:
        mend()


def kill(run, victim, kind, alone):
    fault = run.strike(kind, victim, alone=alone)
    victim.kill()
    fault.struck = time.monotonic()
    run.pause(0.2, 5)
    victim.start(wait=False)


def kill_leader(run, alone):
    kill(run, run.a_leader(), "SIGKILL of a leader", alone)


def kill_again(run, alone):
    """Killed, and killed again while it comes back."""
    victim = run.a_node()
    run.strike("SIGKILL, and again at its start", victim, alone=alone)
    victim.kill()
    for _ in range(run.chance.randint(1, 3)):
        victim.start(wait=False)
        run.pause(0.05, 0.8)
        victim.kill()
    victim.start(wait=False)


def kill_controller(run, alone):
    kill(run, run.active(), "SIGKILL of the active controller", alone)


def stop(run, alone):
    victim = run.a_node()
    run.strike("SIGSTOP", victim, alone=alone)
    with until_mended(run, 1, 14, victim.resume):
        victim.pause()


def cut_off(run, alone):
    victim = run.a_node()
    run.strike("cut off from all", victim, alone=alone)
    with until_mended(run, 1, 14, lambda: run.cluster.network.join(victim.number)):
        run.cluster.network.cut_off(victim.number)


def part(run, alone):
    one = run.a_broker()
    other = run.chance.choice([node for node in run.cluster.nodes.values() if node is not one])
    run.strike("two cut off from each other", one, f"nodes {one.number} and {other.number}", alone)
    with until_mended(run, 2, 16, lambda: run.cluster.network.reunite(one.number, other.number)):
        run.cluster.network.part(one.number, other.number)


def full_disk(run, alone):
    victim = run.a_node()
    disk = run.cluster.disks[victim.number]
    run.strike("full disk", victim, alone=alone)
    with until_mended(run, 2, 12, disk.empty):
        disk.fill()


def full_disk_restart(run, alone):
    """It is killed and started while its disk is full."""
    victim = run.a_broker()
    disk = run.cluster.disks[victim.number]
    run.strike("full disk and SIGKILL", victim, alone=alone)
    with until_mended(run, 2, 6, disk.empty):
        disk.fill()
        run.pause(1, 3)
        if victim.alive():
            victim.kill()
            victim.start(wait=False)
    if not victim.alive():  # it may refuse to start
        run.log(f"{run.clock()}node {victim.number} does not start: {victim.output().strip().splitlines()[-1:]}")
        victim.process = None
        victim.start(wait=False)


def broken_disk(run, alone):
    """It ends by itself, and says why."""
    victim = run.a_node()
    disk = run.cluster.disks[victim.number]
    run.strike("EIO", victim, alone=alone)
    disk.fail()
    deadline = time.monotonic() + NOTICE_SECONDS_MAX
    while victim.alive() and time.monotonic() < deadline:
        if victim.is_controller:
            run.change_metadata()  # for there is no other reason to write
        time.sleep(0.1)
    said = [line for line in victim.output().splitlines() if line.startswith("weir: ")][-1:]
    if victim.alive():
        run.violation(f"node {victim.number} runs {NOTICE_SECONDS_MAX} s after EIO: {said}")
    elif victim.process.returncode < 0 or not said:
        run.violation(f"node {victim.number} ended with {victim.process.returncode} after EIO: {said}")
    else:
        run.log(f"{run.clock()}node {victim.number} ended with {victim.process.returncode}: {said[0]}")
    victim.kill()
    run.pause(0, 3)
    disk.repair()
    victim.start(wait=False)


def power(run, alone):
    """Its disk keeps what is synced, and nothing else."""
    victim = run.a_node()
    disk = run.cluster.disks[victim.number]
    run.strike("power loss", victim, alone=alone)
    disk.fail()
    victim.kill()
    run.pause(0.2, 4)
    disk.repair()
    victim.start(wait=False)


def blackout(run, alone):
    """All disks keep what is synced, and nothing else."""
    run.strike("power loss of all", run.a_broker(), "all nodes", alone)
    for victim in run.chance.sample(list(run.cluster.nodes.values()), len(run.cluster.nodes)):
        run.cluster.disks[victim.number].fail()
        victim.kill()
    for victim in run.cluster.nodes.values():
        run.cluster.disks[victim.number].repair()
        victim.start(wait=False)


def rolling_restart(run, _):
    for node in (*run.cluster.brokers, *run.cluster.controllers):
        run.strike("SIGTERM, one after the other", node)
        fault = run.faults[-1]
        code = node.stop()
        if code != 0:
            run.violation(f"node {node.number} ended with {code} after SIGTERM: {node.output()[-1000:]}")
        node.start(wait=False)
        fault.healed = time.monotonic()
        run.wait_until_in_sync()
        fault.over = time.monotonic()


def wipe(run, alone):
    victim = run.a_broker()
    run.strike("folder wiped", victim, alone=alone)
    victim.wipe()
    run.pause(0.2, 3)
    victim.start(wait=False)


KINDS = {"kill": kill_leader, "again": kill_again, "controller": kill_controller, "stop": stop, "cut": cut_off,
         "part": part, "full": full_disk, "full-kill": full_disk_restart, "eio": broken_disk, "power": power,
         "blackout": blackout, "rolling": rolling_restart, "wipe": wipe}
WEIGHTS = {"kill": 4, "controller": 2, "stop": 2, "cut": 2, "part": 2}
ONCE = ("wipe",)
WITH_CONTROLLER = ("kill", "full", "full-kill", "power")  # sometimes a controller is killed with it
