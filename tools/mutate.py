#!/usr/bin/env python3
"""Shows the simulators' teeth: builds those of //tests/sim once with every fault of
tests/sim/mutations.txt, each behind a switch, and runs them with each fault until a seed fails.

  tools/mutate.py [--seeds N] [--steps K] [--only PREFIX] [--sim NAME] [--bazel COMMAND]

Works on a copy of the last commit. Prints a table; exits 1 when a fault was not caught."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SWITCH = '''#include <cstdlib>
#ifndef WEIR_MUTANT
#define WEIR_MUTANT(n) \\
  (std::getenv("WEIR_MUTANT") != nullptr && std::atoi(std::getenv("WEIR_MUTANT")) == (n))
#endif
'''
ENTRY = re.compile(r'mutation (\S+)\nwhat ([^\n]+)\n(?:sim ([^\n]+)\n)?file (\S+)\n(statement|expression) old\n'
                   r'(.*?)\nnew\n(.*?)\nend\n', re.S)


def read_mutations():
    with open(os.path.join(ROOT, 'tests/sim/mutations.txt')) as f:
        text = f.read()
    found = ENTRY.findall(text)
    if len(found) != text.count('\nmutation '):
        sys.exit('mutations.txt: an entry that cannot be read')
    return found


def sims_of(mutation):
    return (mutation[2] or 'node_sim').split()


def weave(tree, number, mutation):
    """Puts one mutation into its file."""
    name, _, _, path, kind, old, new = mutation
    path = os.path.join(tree, path)
    with open(path) as f:
        text = f.read()
    if text.count(old) != 1:
        sys.exit(f'{name}: expected what it replaces once in {path}, came {text.count(old)} times')
    condition = f'WEIR_MUTANT({number})'
    if kind == 'statement':
        woven = f'if ({condition}) {{\n{new}\n}} else {{\n{old}\n}}'
    else:
        woven = f'({condition} ? ({new}) : ({old}))'
    text = text.replace(old, woven)
    if not text.startswith(SWITCH):
        text = SWITCH + text
    with open(path, 'w') as f:
        f.write(text)


def run(binary, number, seeds, steps):
    """The number of seeds until one failed and why; none of both when none did."""
    env = dict(os.environ, WEIR_MUTANT=str(number))
    done = 0
    while done < seeds:
        some = min(50, seeds - done)
        try:
            process = subprocess.run([binary, f'--first_seed={done + 1}', f'--seeds={some}',
                                      f'--steps={steps}'], env=env, text=True, timeout=120,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except subprocess.TimeoutExpired:
            return done + 1, 'does not end'
        failed = re.search(r'^seed (\d+) FAILED after event \d+: (.*)$', process.stdout, re.M)
        if failed:
            return int(failed.group(1)), failed.group(2)
        if process.returncode != 0:
            seed = re.search(r'first_seed=(\d+)', process.stdout)
            return int(seed.group(1)) if seed else done + 1, 'a check failed'
        done += some
    return None, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', type=int, default=1000)
    parser.add_argument('--steps', type=int, default=4000)
    parser.add_argument('--only', default='')
    parser.add_argument('--sim')
    parser.add_argument('--bazel', default='./bazelw')
    options = parser.parse_args()
    mutations = read_mutations()
    with tempfile.TemporaryDirectory() as scratch:
        tree = os.path.join(scratch, 'weir')
        subprocess.run(['git', 'worktree', 'add', '--quiet', '--detach', tree], cwd=ROOT, check=True)
        try:
            for i, mutation in enumerate(mutations):
                weave(tree, i + 1, mutation)
            wanted = [(i + 1, mutation, sim) for i, mutation in enumerate(mutations) for sim in sims_of(mutation)
                      if mutation[0].startswith(options.only) and options.sim in (None, sim)]
            if not wanted:
                sys.exit(f'no mutation of {options.sim or "any simulator"} begins with "{options.only}"')
            targets = sorted({'//tests/sim:' + sim for _, _, sim in wanted})
            subprocess.run([options.bazel, 'build', '-c', 'opt', *targets], cwd=tree, check=True)
            missed = report(os.path.join(tree, 'bazel-bin/tests/sim'), wanted, options)
        finally:
            subprocess.run(['git', 'worktree', 'remove', '--force', tree], cwd=ROOT, check=True)
    sys.exit(1 if missed else 0)


def report(folder, wanted, options):
    missed = 0
    print('| mutation | what it does | seeds until caught | named by |\n|---|---|---|---|')
    for number, mutation, sim in wanted:
        seed, why = run(os.path.join(folder, sim), number, options.seeds, options.steps)
        missed += seed is None
        told = f'{seed} | {why}' if seed else f'not in {options.seeds} | '
        print(f'| {mutation[0]} | {mutation[1]} | {told} |', flush=True)
    return missed


if __name__ == '__main__':
    main()
