import { describe, expect, test } from '@jest/globals';
import { gist, whyNotActive } from '../../../../src/domain/load-balancer/why.ts';
import type { ExplainedStep, ExplanationView, HistoryEntry } from '../../../../src/domain/operator-views.ts';

type Explained = Omit<ExplanationView, 'why'>;

const settled: Explained = {
  id: 'b460a051-c33a-514f-9bfe-290c4d8ef3d6',
  name: 'web',
  provisioningStatus: 'ACTIVE',
  operatingStatus: 'ONLINE',
  errorReason: null,
  fault: null,
  owner: { nodeId: 'node', epoch: 1 },
  steps: [],
  commands: [],
  wakeAt: null,
  unsettled: [],
  amphorae: [],
  history: [],
};

function step(key: string, more: Partial<ExplainedStep> = {}): ExplainedStep {
  const nothing = { startedAt: null, deadlineAt: null, failures: 0, retryAt: null, lastError: null, call: null };
  return { key, state: 'waiting', ...nothing, requestId: null, ...more };
}

function entry(seq: number, ...events: readonly object[]): HistoryEntry {
  return { seq, at: 'then', node: 'node', epoch: 1, commandId: null, events: events as HistoryEntry['events'] };
}

const why = (more: Partial<Explained>) => whyNotActive({ ...settled, ...more });

describe('a load balancer', () => {
  test('that is ACTIVE has nothing left to do', () => {
    expect(why({})).toEqual(['it is ACTIVE, and nothing is left to do']);
  });

  test('that is ACTIVE and not well says where its members are shown, and the reasons', () => {
    expect(why({ operatingStatus: 'DEGRADED' })).toEqual([
      'it is ACTIVE, and nothing is left to do',
      `its operating status DEGRADED is what amphorae report of its members: see \`amphi lb show ${settled.id}\`, and why \`amphi alerts --lb ${settled.id}\``,
    ]);
  });

  test('that waits for a spare says so, and why no amphora boots', () => {
    const lastError = 'no spare amphora, and booting one failed: no host has room';
    const waiting = step('claim:STANDALONE', { failures: 2, retryAt: 'soon', lastError });
    expect(why({ provisioningStatus: 'PENDING_CREATE', steps: [waiting] })).toEqual([
      'it waits for an amphora (STANDALONE): next try at soon; failed 2 times; last error: no spare amphora, and booting one failed: no host has room',
    ]);
  });

  test('with a refused change names the object and the alert of haproxy', () => {
    const errorReason =
      '[NOTICE]   (1) : haproxy version is 2.6.12\n[ALERT]    (1) : config : timer overflow in argument';
    const refused = { kind: 'healthMonitor', id: 'm', name: '', provisioningStatus: 'ERROR', errorReason } as const;
    expect(why({ unsettled: [refused] })).toEqual([
      'Health Monitor m was refused and is left as it was before: config : timer overflow in argument; changed again, it is tried again',
    ]);
  });

  test('that has lost an amphora says which and why, until it is gone', () => {
    const leaving = { type: 'amphoraLeaving', amphoraId: 'a', why: 'lost', reason: 'no heartbeat for 3.1 s' };
    const steps = [step('retire:a', { state: 'running', startedAt: 'then' })];
    expect(why({ provisioningStatus: 'PENDING_UPDATE', history: [entry(2, leaving), entry(1)], steps })).toEqual([
      'amphora a is lost: no heartbeat for 3.1 s',
      'it removes amphora a since then',
    ]);
    const history = [entry(3, { type: 'amphoraRetired', amphoraId: 'a' }), entry(2, leaving)];
    expect(why({ history })).toEqual([
      'it is ACTIVE, and nothing is left to do',
      'amphora a was lost and is replaced since then: no heartbeat for 3.1 s',
    ]);
  });

  test('that waits for the end of a push that was interrupted says until when', () => {
    const waits = 'it waits until soon: a call that was interrupted may still have an effect before';
    expect(why({ provisioningStatus: 'PENDING_DELETE', wakeAt: 'soon' })).toEqual([waits]);
    const leaving = { type: 'amphoraLeaving', amphoraId: 'a', why: 'replaced', reason: 'failover was asked for' };
    expect(why({ provisioningStatus: 'PENDING_UPDATE', wakeAt: 'soon', history: [entry(2, leaving)] })).toEqual([
      'amphora a is being replaced: failover was asked for',
      waits,
    ]);
  });

  test('whose pair is replaced one after the other names both, until they are gone', () => {
    const due = (amphoraId: string) => ({ type: 'replacementDue', amphoraId, reason: 'failover was asked for' });
    const steps = [step('plug:b', { state: 'running', startedAt: 'then' })];
    const history = [entry(3, { type: 'amphoraRetired', amphoraId: 'b' }), entry(2, due('a'), due('b')), entry(1)];
    expect(why({ provisioningStatus: 'PENDING_UPDATE', history: history.slice(1), steps })).toEqual([
      'amphora a is being replaced: failover was asked for',
      'amphora b is being replaced: failover was asked for',
      'it gives amphora b a port beside the VIP since then',
    ]);
    expect(why({ provisioningStatus: 'PENDING_UPDATE', history })[0]).toBe(
      'amphora a is being replaced: failover was asked for',
    );
  });

  test('that is ACTIVE while its members do not answer says whose word that is', () => {
    expect(why({ operatingStatus: 'ERROR' })[1]).toContain('operating status ERROR is what amphorae report');
  });

  test('with an actor that was given up says how to go on', () => {
    expect(why({ provisioningStatus: 'ERROR', fault: 'journal cannot be replayed', errorReason: 'x' })).toEqual([
      `its actor was given up: journal cannot be replayed; go on with \`amphi actors restart load-balancers/lb-${settled.id}\``,
    ]);
  });

  test('that nobody owns says so', () => {
    expect(why({ owner: null })[0]).toContain('no node owns it');
  });
});

test('the gist of what haproxy says is its first alert; of everything else the first line', () => {
  expect(gist('[WARNING] (7) : a\n[ALERT]    (7) : b\n[ALERT] (7) : c')).toBe('b');
  expect(gist('one\ntwo')).toBe('one');
  expect(gist('')).toBe('');
});
