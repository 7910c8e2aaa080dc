"""Real lines with keys: this machine's package descriptions and other texts, and stock orders as JSON."""

import json
import os
import random
import shutil
import subprocess


def package_lines():
    """(package, line) for every line that the package manager knows about installed and available packages."""
    sources = []
    if shutil.which("apt-cache"):
        sources.append(subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=False).stdout)
    for path in ("/var/lib/dpkg/status", "/usr/share/dict/words"):
        if os.path.exists(path):
            with open(path, "rb") as file:
                sources.append(file.read())
    for source in sources:
        package = b"none"
        for line in source.split(b"\n"):
            if line.startswith(b"Package: "):
                package = line[9:].strip()
            line = line.replace(b"\t", b" ").replace(b"\r", b" ")
            if line.strip() and package:
                yield package, line


def stock_orders(seed=1):
    """Endless orders, keyed by asset: order_id, investor_id, asset_id, shares, price, BUY or SELL."""
    chance = random.Random(seed)
    order_id = 0
    while True:
        order_id += 1
        asset = f"ASSET{chance.randrange(500):03d}"
        order = {"order_id": order_id, "investor_id": chance.randrange(100_000), "asset_id": asset,
                 "shares": chance.randrange(1, 1000), "price": round(chance.uniform(1, 900), 2),
                 "side": chance.choice(("BUY", "SELL"))}
        yield asset.encode(), json.dumps(order).encode()


def records(count):
    """`count` (key, value) pairs: seven lines of packages to three orders while there are lines, then orders."""
    lines, orders = package_lines(), stock_orders()
    for number in range(count):
        record = next(lines, None) if number % 10 < 7 else None
        yield record or next(orders)


def write(path, count):
    """Writes key, tab, value lines for kcat's -K. Returns the records."""
    kept = list(records(count))
    with open(path, "wb") as file:
        file.write(b"".join(key + b"\t" + value + b"\n" for key, value in kept))
    return kept
