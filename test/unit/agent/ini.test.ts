import { describe, expect, test } from '@jest/globals';
import { parseIni } from '../../../src/agent/ini.ts';

describe('an ini file', () => {
  test('has sections, keys and comments, and the last of two values', () => {
    const ini = parseIni('top = 1\n# c\n[a]\n key = x = y \n; c\n[b]\r\nkey=1\r\n[a]\nkey = 2\nempty =\n');
    expect(ini.get('DEFAULT')?.get('top')).toBe('1');
    expect(ini.get('a')).toEqual(
      new Map([
        ['key', '2'],
        ['empty', ''],
      ]),
    );
    expect(ini.get('b')?.get('key')).toBe('1');
  });

  test('that can’t be read is refused by line number, without the line', () => {
    expect(() => parseIni('[a]\nsecret words\n')).toThrow(/^line 2: expected \[section\], key = value or a comment$/);
  });
});
