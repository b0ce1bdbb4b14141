// The scripts of newcomers on machines that lack something: a PATH with nothing but stand-ins, which write down how they
// were called.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder('scripts');
const start = processes();
let machines = 0;

interface Machine {
  /** Runs a script of ours there. */
  run(script: 'quickstart' | 'test'): Promise<{ readonly status: number | NodeJS.Signals; readonly output: string }>;
  /** What was called, a line each. */
  calls(): readonly string[];
}

/** `programs`: name → what it does, in the language of the shell. */
function machine(programs: Readonly<Record<string, string>>): Machine {
  const root = join(folder, `machine-${++machines}`);
  const [path, log, clone] = [join(root, 'path'), join(root, 'calls'), join(root, 'clone')];
  mkdirSync(path, { recursive: true });
  for (const name of ['bash', 'dirname', 'readlink', 'find', 'touch', 'env', 'sort', 'cat', 'true']) {
    const real = ['/usr/bin', '/bin'].map((place) => join(place, name)).find(existsSync) ?? '';
    symlinkSync(real, join(path, name));
  }
  for (const [name, does] of Object.entries(programs)) {
    writeFileSync(join(path, name), `#!/bin/bash\necho "${name} $*" >> ${log}\n${does}\n`);
    chmodSync(join(path, name), 0o755);
  }
  // As fresh clones are, but for what npm and the build would make.
  for (const inner of ['bin', 'src', 'dist', 'node_modules']) mkdirSync(join(clone, inner), { recursive: true });
  for (const script of ['quickstart', 'test', 'prepare.sh']) {
    copyFileSync(join(packageRoot, 'bin', script), join(clone, 'bin', script));
  }
  for (const file of ['package.json', 'tsconfig.json', 'dist/main.js', 'node_modules/.package-lock.json']) {
    writeFileSync(join(clone, file), '{}');
  }
  const later = new Date(Date.now() + 60_000);
  for (const file of ['dist/main.js', 'node_modules/.package-lock.json']) utimesSync(join(clone, file), later, later);
  return {
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
    async run(script) {
      const env = { PATH: path, AMPHI_LOCAL_HAPROXY: 'haproxy-of-this-test', AMPHI_DRIVER: '' };
      const program = start(join(path, 'bash'), [join(clone, 'bin', script)], { env, cwd: '/' });
      return { status: await program.ended, output: program.output() };
    },
  };
}

const newNode = { node: 'exit 0' };
const oldNode = { node: '[[ $1 == --version ]] && echo v18.19.0; [[ $1 != -e ]]' };
const root = { id: 'echo 0' };
const somebody = { id: 'echo 1000' };
const mayNot = { sudo: 'exit 1' };
const may = { sudo: 'shift; exec "$@"' };

describe.each(['quickstart', 'test'] as const)('bin/%s', (script) => {
  test('says that Node is missing', async () => {
    const { status, output } = await machine({}).run(script);
    expect({ status, output }).toMatchObject({ status: 1, output: expect.stringContaining('Node is not installed') });
  });

  test('says that Node is too old, and installs nothing', async () => {
    const there = machine({ ...oldNode, ...root, 'apt-get': 'exit 0' });
    expect(await there.run(script)).toMatchObject({
      status: 1,
      output: expect.stringContaining('Node 20.19 or newer is needed; this is v18.19.0'),
    });
    expect(there.calls().filter((call) => !call.startsWith('node '))).toEqual([]);
  });

  test.each([
    ['apt-get', 'apt-get install -y haproxy'],
    ['dnf', 'dnf install -y haproxy'],
    ['apk', 'apk add haproxy'],
  ])('says how to install haproxy with %s where it may not do so itself', async (manager, command) => {
    const there = machine({ ...newNode, ...somebody, ...mayNot, [manager]: 'exit 0' });
    expect(await there.run(script)).toMatchObject({
      status: 1,
      output: expect.stringContaining(`haproxy is missing. Install it, then run this again: sudo ${command}`),
    });
    expect(there.calls()).not.toContain(command);
  });

  test('says that haproxy is missing where it knows no package manager', async () => {
    const { status, output } = await machine({ ...newNode, ...somebody, ...mayNot }).run(script);
    expect({ status, output }).toMatchObject({
      status: 1,
      output: expect.stringContaining('package manager of this system'),
    });
  });

  test('says how to see why haproxy could not be installed', async () => {
    const there = machine({ ...newNode, ...root, 'apt-get': 'exit 100' });
    expect(await there.run(script)).toMatchObject({
      status: 1,
      output: expect.stringContaining('could not be installed; run it to see why: apt-get install -y haproxy'),
    });
    expect(there.calls()).toContain('apt-get update -q');
  });
});

describe('bin/quickstart', () => {
  test('installs haproxy as root, says so, and goes on', async () => {
    const there = machine({ ...newNode, ...root, 'apt-get': '[[ $1 == install ]]' });
    expect(await there.run('quickstart')).toEqual({
      status: 0,
      output: 'haproxy is missing. Installing it: apt-get install -y haproxy\n',
    });
    expect(there.calls().slice(-2)).toEqual(['apt-get install -y haproxy', 'node bin/amphi quickstart']);
  });

  test('installs haproxy with sudo where that asks nothing, after a look for newer lists', async () => {
    const once = '[[ $1 == update ]] && touch "$0.updated"; [[ $1 == update || -e "$0.updated" ]]';
    const there = machine({ ...newNode, ...somebody, ...may, 'apt-get': once });
    expect(await there.run('quickstart')).toMatchObject({
      status: 0,
      output: expect.stringContaining('Installing it: sudo -n apt-get install -y haproxy'),
    });
    expect(there.calls().filter((call) => call.startsWith('apt-get'))).toEqual([
      'apt-get install -y haproxy',
      'apt-get update -q',
      'apt-get install -y haproxy',
    ]);
  });
});
