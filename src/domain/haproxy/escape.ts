// How a text that a user wrote becomes one word of a haproxy configuration and nothing more. haproxy reads line by
// line and word by word, so a line break, a blank, a quote or a `#` in a value would otherwise begin a directive.

const notPrintable = /[^\x21-\x7e]/gu;
const meaningful = /[\\"'#]/g;

/**
 * One word that haproxy reads back as `text`. Characters that no URL or host name may hold (blanks, control
 * characters, everything beyond ASCII) are percent-encoded as UTF-8, since haproxy has no way to write a line break.
 * An empty text becomes `''`: left out, it would let the next word slip into its place.
 */
export function word(text: string): string {
  if (text === '') return "''";
  return text.replace(notPrintable, percentEncode).replace(meaningful, '\\$&');
}

/** As `word`, for the places that haproxy reads as a log format, where `%` begins a variable. */
export function formatWord(text: string): string {
  return word(text).replaceAll('%', '%%');
}

function percentEncode(character: string): string {
  // A lone surrogate has no UTF-8 form; Buffer writes U+FFFD for it where encodeURIComponent would throw.
  return Array.from(
    Buffer.from(character, 'utf8'),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

const plain = /[A-Za-z0-9._\-/:=@]/;

/**
 * One word that haproxy reads back as exactly the bytes of `text` in UTF-8: for what requests are compared with, where
 * a blank or an accent counts. Only NUL, which no request can hold, becomes `%00`.
 */
export function exactWord(text: string): string {
  if (text === '') return "''";
  return Array.from(Buffer.from(text, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    if (plain.test(character)) return character;
    return byte === 0 ? '%00' : `\\x${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}

/** The name of a header or a cookie as the argument of a sample fetch: `req.hdr(…)`. */
export function argument(name: string): string {
  return `\\"${name.replace(/[^A-Za-z0-9!#$%&*+.^_`|~'-]/gu, percentEncode).replace(meaningful, '\\$&')}\\"`;
}
