import { describe, expect, test } from '@jest/globals';
import { logTo, readable } from '../../../src/cli/log.ts';

function logged(level = 'info') {
  const lines: string[] = [];
  const log = logTo({ write: (line) => void lines.push(line) }, level);
  return { log, text: () => lines.join('') };
}

const key = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----';

describe('the log', () => {
  test('shows no secret that is in a field, at the top or further down', () => {
    const { log, text } = logged();
    const secrets = { token: 'hush-1', password: 'hush-2', privateKeyPem: 'hush-3', heartbeatKey: 'hush-4' };
    log.info({ ...secrets, settings: { ...secrets, heartbeat: { key: 'hush-5' } } }, 'settings');
    log.info({ heartbeat: { key: 'hush-6' }, request: { headers: { authorization: 'hush-7' } } });
    expect(text()).toContain('settings');
    expect(text()).not.toContain('hush');
  });

  test('shows no secret that is in the text of a message or an error', () => {
    const { log, text } = logged();
    const error = new Error(`cannot use ${key}`, { cause: new Error('postgresql://me:hush@host/db refuses') });
    log.error({ err: error, url: 'postgresql://me:hush@host/db' }, `given ${key} and Authorization: Bearer hush.hush`);
    expect(text()).not.toMatch(/hush|MIGH/);
    expect(text()).toContain('postgresql://me:***@host/db');
    expect(JSON.parse(text())).toMatchObject({ err: { type: 'Error', cause: { message: expect.any(String) } } });
  });

  test('shows of an error what helps, and not what a library hangs on it', () => {
    const { log, text } = logged();
    const error = Object.assign(new Error('broke'), { code: '57P01', client: { user: 'me', secretKey: 4711 } });
    log.warn({ err: error }, 'an idle connection broke');
    expect(JSON.parse(text())).toMatchObject({ level: 40, err: { message: 'broke', code: '57P01' } });
    expect(text()).not.toContain('4711');
  });
});

describe('a line for people', () => {
  test('has time, level, message, reason and fields', () => {
    const { log, text } = logged();
    log.warn({ err: new Error('time-out'), actor: 'load-balancers/lb-1', held: 3 }, 'it does not answer');
    expect(readable(text())).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}it does not answer: time-out {2}actor=load-balancers\/lb-1 {2}held=3\n$/,
    );
  });

  test('of an error says where; nothing in it commands the terminal', () => {
    const { log, text } = logged();
    log.error({ err: new Error('bad \u001b[2Jname') }, 'mistake');
    expect(readable(text())).toMatch(/ERROR mistake: bad name\n {4}at /);
    expect(readable('no JSON')).toBe('no JSON');
  });
});
