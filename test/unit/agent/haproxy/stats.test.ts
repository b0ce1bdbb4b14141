import { expect, test } from '@jest/globals';
import { readTable } from '../../../../src/agent/haproxy/stats.ts';

const listener = '7fc251fb-aa48-5859-9939-c5ef1eece8a7';
const columns =
  'pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight';
const row = (px: string, sv: string, status: string, weight = 1, scur = 0, slim = 100): string =>
  `${px},${sv},,,${scur},9,${slim},3,234,489,0,0,2,,,,,${status},${weight}`;
const table = (...rows: string[]): ReturnType<typeof readTable> =>
  readTable(`# ${columns},last\n${rows.join('\n')}\n\n`);

test('a frontend is a listener with its counters', () => {
  expect(table(row(listener, 'FRONTEND', 'OPEN', 0, 7)).listeners).toEqual({
    [listener]: { status: 'OPEN', stats: { tx: 489, rx: 234, conns: 7, totconns: 3, ereq: 2 } },
  });
});

test('a frontend at its limit is full', () => {
  expect(table(row(listener, 'FRONTEND', 'OPEN', 0, 100)).listeners[listener]?.status).toBe('FULL');
});

test('frontends that are no listeners are left out', () => {
  expect(table(row('prometheus-exporter', 'FRONTEND', 'OPEN'), row('stats', 'BACKEND', 'UP'))).toEqual({
    listeners: {},
    pools: {},
  });
});

test.each([
  ['UP', 1, 'UP'],
  ['UP', 0, 'DRAIN'],
  ['UP 1/2', 1, 'UP 1/2'],
  ['DOWN 1/2', 1, 'DOWN 1/2'],
  ['MAINT (via a/b)', 1, 'MAINT'],
  ['no check', 1, 'no check'],
])('a server that is %s with weight %i is told as %s', (status, weight, word) => {
  const pools = table(row('p:l', 'm', status, weight), row('p:l', 'BACKEND', 'UP')).pools;
  expect(pools).toEqual({ 'p:l': { status: 'UP', members: { m: word } } });
});
