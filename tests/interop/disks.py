"""Disks that can be full, broken or without power: each a file system in a file, on a loop device. Needs root."""

import fcntl
import os
import struct
import subprocess

import support

LOOP_SET_STATUS64, LOOP_GET_STATUS64 = 0x4C04, 0x4C05
LIMIT_AT = struct.calcsize("=QQQQ")  # of lo_sizelimit in struct loop_info64, which has 232 bytes
FULL_BYTES = 4096


class Disk:
    """ext4 on a loop device over a file, mounted at `folder`."""

    def __init__(self, folder, size):
        self.folder, self.image, self.size, self.device, self.mounted = folder, folder + ".image", size, None, False
        self.ballast = os.path.join(folder, "ballast")

    def make(self):
        """A new and empty file system, mounted."""
        for name in ("losetup", "mkfs.ext4", "e2fsck"):
            support.program(name)
        try:
            os.makedirs(self.folder, exist_ok=True)
            with open(self.image, "wb") as file:
                file.truncate(self.size)
            # Without space that only root may use: root is who fills it.
            support.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image])
            self.device = support.run(["losetup", "-f", "--show", self.image]).decode().strip()
            self.mount()
        except (AssertionError, OSError) as error:
            self.close()
            support.loud_skip(f"loop devices are not permitted here: {str(error)[-200:]}")

    def mount(self):
        support.run(["mount", "-t", "ext4", self.device, self.folder])
        self.mounted = True

    def unmount(self):
        if self.mounted:
            support.run(["umount", self.folder])
            self.mounted = False

    def fill(self):
        """Not one block is free, but for what files have that are there already."""
        with open(self.ballast, "wb") as file:
            at, step = 0, self.size
            while step >= FULL_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), at, step)
                    at += step
                except OSError:
                    step //= 2

    def empty(self):
        if os.path.exists(self.ballast):
            os.remove(self.ballast)
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)  # or it is there again when the power is lost
            os.close(folder)

    def limit(self, size):
        """How many bytes the device has; what is behind them gives EIO. 0: all."""
        with open(self.device, "rb") as device:
            status = bytearray(232)
            fcntl.ioctl(device, LOOP_GET_STATUS64, status)
            struct.pack_into("=Q", status, LIMIT_AT, size)
            fcntl.ioctl(device, LOOP_SET_STATUS64, status)

    def fail(self):
        """Every read that is not in the page cache and every write gives EIO. What is not synced yet is lost."""
        self.limit(FULL_BYTES)

    def repair(self):
        """After fail(), when nobody has files there: it is as it was when it failed, without what was not synced."""
        self.unmount()
        self.limit(0)
        done = subprocess.run(["e2fsck", "-fy", self.device], capture_output=True, timeout=60)
        if done.returncode & ~3:  # 1 and 2: it was not in order, and is now
            raise AssertionError(f"e2fsck: {done.returncode}: {done.stdout.decode()[-500:]}")
        self.mount()

    def close(self):
        subprocess.run(["umount", "-l", self.folder] if self.mounted else ["true"], capture_output=True)
        if self.device:
            subprocess.run(["losetup", "-d", self.device], capture_output=True)
        self.device, self.mounted = None, False
