import { describe, expect, test } from '@jest/globals';
import { encodeMessage, parseMessage } from '../../../../src/domain/health/message.ts';

const amphora = '6be730e5-8034-44c2-b1e6-e38abf7dfe44';
const listener = '7fc251fb-aa48-5859-9939-c5ef1eece8a7';
const pool = '09208a18-38ec-569f-bb62-60baeabc193d';
const stats = { tx: 489, rx: 234, conns: 0, totconns: 3, ereq: 0 };
const report = { status: 'UP', members: { 'd1c133dd-a9d2-500c-bd70-4eff7c20a018': 'UP 1/2' } };

describe('a message as text', () => {
  test('is what OpenStack’s agent writes: this text must not change', () => {
    const empty = { ver: 3, pools: {}, listeners: {}, seq: 23, id: amphora };
    expect(encodeMessage(empty)).toBe(`{"id": "${amphora}", "seq": 23, "listeners": {}, "pools": {}, "ver": 3}`);
  });

  test('keeps listeners, pools and members', () => {
    const message = {
      id: amphora,
      seq: 24,
      listeners: { [listener]: { status: 'OPEN', stats } },
      pools: { [`${pool}:${listener}`]: report },
      ver: 3,
    };
    expect(encodeMessage(message)).toContain(`"stats": {"tx": 489, "rx": 234, "conns": 0, "totconns": 3, "ereq": 0}`);
    expect(parseMessage(JSON.parse(encodeMessage(message)))).toEqual(message);
  });
});

describe('a message read', () => {
  test('of version 1 has its pools moved out of the listeners', () => {
    const old = {
      id: amphora,
      seq: 1,
      listeners: { [listener]: { status: 'OPEN', stats, pools: { [pool]: report } } },
      ver: 1,
    };
    expect(parseMessage(old)?.pools).toEqual({ [`${pool}:${listener}`]: report });
  });

  test('without a version is of version 0', () => {
    expect(parseMessage({ id: amphora, seq: 1, listeners: {} })).toMatchObject({ ver: 0, pools: {} });
  });

  test.each([
    ['null', null],
    ['a list', []],
    ['no id', { seq: 1, listeners: {}, ver: 3 }],
    ['a negative sequence number', { id: amphora, seq: -1, listeners: {}, ver: 3 }],
    ['listeners that are a list', { id: amphora, seq: 1, listeners: [], ver: 3 }],
    ['a listener without statistics', { id: amphora, seq: 1, listeners: { [listener]: { status: 'OPEN' } }, ver: 3 }],
    [
      'a counter that is text',
      { id: amphora, seq: 1, listeners: { l: { status: 'OPEN', stats: { ...stats, tx: '1' } } } },
    ],
    [
      'a counter beyond exact numbers',
      { id: amphora, seq: 1, listeners: { l: { status: 'OPEN', stats: { ...stats, tx: 2 ** 60 } } } },
    ],
    ['a pool without members', { id: amphora, seq: 1, listeners: {}, pools: { [pool]: { status: 'UP' } }, ver: 3 }],
    [
      'a member that is a number',
      { id: amphora, seq: 1, listeners: {}, pools: { p: { status: 'UP', members: { m: 1 } } } },
    ],
    [
      'old pools that are text',
      { id: amphora, seq: 1, listeners: { l: { status: 'OPEN', stats, pools: 'x' } }, ver: 0 },
    ],
  ])('is refused when it is or has %s', (_what, value) => {
    expect(parseMessage(value)).toBeUndefined();
  });
});
