import { describe, expect, test } from '@jest/globals';
import { openAdvert, sealAdvert } from '../../../../src/agent/vrrp/advert.ts';

const keys = { routerId: 1, password: 'of-both' };

describe('what one of a pair says', () => {
  test('is heard by the other one', () => {
    expect(openAdvert(sealAdvert(100, keys), keys)).toBe(100);
  });

  test.each([
    ['of another pair', sealAdvert(100, { ...keys, password: 'of-others' })],
    ['of another router', sealAdvert(100, { ...keys, routerId: 2 })],
    ['that is not such a thing', Buffer.from('hello')],
    ['that is empty', Buffer.alloc(0)],
  ])('%s is not heard', (_, datagram) => {
    expect(openAdvert(datagram, keys)).toBeUndefined();
  });
});
