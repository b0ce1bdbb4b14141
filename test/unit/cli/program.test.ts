import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { treeLines } from '../../../src/cli/actors.ts';
import { parseListener, parseMember, parseMonitor, treeOf } from '../../../src/cli/lb-tree.ts';
import { outputTo } from '../../../src/cli/output.ts';
import { buildProgram } from '../../../src/cli/program.ts';

const program = buildProgram({ startNode: () => Promise.reject(new Error('not here')), version: 'test' });

function all(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(all)];
}

test.each(all(program).map((command) => [pathOf(command), command] as const))(
  '%s --help shows examples',
  (_, command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help).toMatch(/\nExamples:\n {2}\$ /);
  },
);

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

describe('the short words of `lb create`', () => {
  test('listeners, members and monitors are read', () => {
    expect(parseListener('http:80')).toEqual({ protocol: 'HTTP', protocolPort: 80 });
    expect(parseListener('https:443')).toEqual({ protocol: 'TERMINATED_HTTPS', protocolPort: 443 });
    expect(parseMember('10.0.0.1:8080')).toEqual({ address: '10.0.0.1', protocolPort: 8080 });
    expect(parseMember('[::1]:1*0')).toEqual({ address: '::1', protocolPort: 1, weight: 0 });
    expect(parseMonitor('http:/health')).toEqual({ type: 'HTTP', urlPath: '/health' });
    expect(parseMonitor('tcp')).toEqual({ type: 'TCP' });
  });

  test('what they cannot mean is refused', () => {
    for (const text of ['80', 'sctp:80', 'http:', 'http:x'])
      expect(() => parseListener(text)).toThrow('expected http:');
    for (const text of ['10.0.0.1', '::1:80', ':80', '10.0.0.1:80*'])
      expect(() => parseMember(text)).toThrow('expected <');
    for (const text of ['tcp:/x', 'ping', 'http:x']) expect(() => parseMonitor(text)).toThrow('expected http:');
  });

  test('a pool speaks HTTP only when all its listeners do', () => {
    const wish = { member: [parseMember('10.0.0.1:1')], monitor: undefined, algorithm: 'SOURCE_IP' };
    expect(treeOf({ ...wish, listener: [parseListener('http:80')] })).toMatchObject({ pools: [{ protocol: 'HTTP' }] });
    expect(treeOf({ ...wish, listener: [parseListener('tcp:80')] })).toMatchObject({ pools: [{ protocol: 'TCP' }] });
    expect(treeOf({ ...wish, listener: [parseListener('udp:53')] })).toMatchObject({ pools: [{ protocol: 'UDP' }] });
    expect(treeOf({ ...wish, member: [], listener: [] })).toEqual({ listeners: [] });
  });

  test('nothing that was said is left out: what has no listener to belong to is refused', () => {
    const wish = { member: [], monitor: undefined, algorithm: 'SOURCE_IP', listener: [] };
    expect(() => treeOf({ ...wish, member: [parseMember('10.0.0.1:1')] })).toThrow('--member: expected a --listener');
    expect(() => treeOf({ ...wish, monitor: parseMonitor('tcp') })).toThrow('--monitor: expected a --listener');
    const plain = { ...wish, listener: [parseListener('http:80')], certificate: ['file:a'] };
    expect(() => treeOf(plain)).toThrow('--certificate: expected a --listener https:<port>');
  });

  test('a listener that ends TLS gets the certificates, the first as its default', () => {
    const wish = { member: [parseMember('10.0.0.1:1')], monitor: undefined, algorithm: 'SOURCE_IP' };
    const listener = [parseListener('http:80'), parseListener('https:443')];
    expect(treeOf({ ...wish, listener, certificate: ['file:a', 'file:b', 'file:c'] })).toMatchObject({
      listeners: [
        { protocol: 'HTTP', defaultPool: { name: 'members' } },
        { defaultTlsContainerRef: 'file:a', sniContainerRefs: ['file:b', 'file:c'] },
      ],
      pools: [{ protocol: 'HTTP' }],
    });
  });
});

test('the tree of actors shows children under their parents', () => {
  const quiet = {
    node: 'one',
    kind: 'x',
    startedAt: '',
    processed: 0,
    restarts: 0,
    pending: 0,
    lastError: null,
    handling: null,
    lastActiveAt: '',
  };
  const paths = ['amphorae', 'amphorae/a', 'amphorae/b', 'lbs', 'lbs/c', 'lbs/c/step-1'];
  const actors = paths.map((path) => ({ ...quiet, path, restarts: path === 'lbs/c' ? 2 : 0 }));
  expect(treeLines(actors)).toEqual([
    'system',
    '├── amphorae',
    '│   ├── a',
    '│   └── b',
    '└── lbs',
    '    └── c  (2 restarts)',
    '        └── step-1',
  ]);
});

test('control characters in names do not reach the terminal', () => {
  let written = '';
  outputTo((text) => (written += text), false).list(
    [{ name: '\u001b[2Jx' }],
    [{ title: 'NAME', of: (row) => row.name }],
  );
  expect(written).toContain('\uFFFD[2Jx');
});
