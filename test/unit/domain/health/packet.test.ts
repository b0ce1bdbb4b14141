import { describe, expect, test } from '@jest/globals';
import { openPacket, sealPacket } from '../../../../src/domain/health/packet.ts';

const stream = Buffer.from('789c000500faff68656c6c6f062c0215', 'hex');

describe('a sealed packet', () => {
  test('is the stream followed by its HMAC-SHA256 in hex: these bytes must not change', () => {
    const packet = sealPacket(stream, 'schlüssel');
    expect(packet.subarray(0, stream.length)).toEqual(stream);
    expect(packet.subarray(stream.length).toString('latin1')).toBe(
      '74ba2a0c2ffc9290f8b5c9578087e8993be3d59bb1cc10324980e9cb70d7ba98',
    );
  });

  test('is opened by any of the keys', () => {
    expect(openPacket(sealPacket(stream, 'new'), ['old', 'new'])).toEqual({ stream, keyIndex: 1 });
  });

  test('of an old amphora, signed with raw bytes, is opened too', () => {
    const raw = Buffer.from(sealPacket(stream, 'key').subarray(stream.length).toString('latin1'), 'hex');
    expect(openPacket(Buffer.concat([stream, raw]), ['key'])).toEqual({ stream, keyIndex: 0 });
  });

  test('stays shut for a wrong key, a changed byte, a cut end and no keys', () => {
    const packet = sealPacket(stream, 'key');
    const changed = Buffer.from(packet);
    changed[3] = (changed[3] ?? 0) ^ 1;
    expect(openPacket(packet, ['other'])).toBeUndefined();
    expect(openPacket(changed, ['key'])).toBeUndefined();
    expect(openPacket(packet.subarray(0, -1), ['key'])).toBeUndefined();
    expect(openPacket(packet, [])).toBeUndefined();
  });

  test('is never found in datagrams that are too short to hold one', () => {
    for (const length of [0, 1, 32, 64]) expect(openPacket(Buffer.alloc(length), ['key'])).toBeUndefined();
  });
});
