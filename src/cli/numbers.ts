// Numbers among the options, read when the command line is: what is none ends the program with status 2.
import { InvalidArgumentError } from 'commander';

/** Which whole numbers will do is said by the controller. */
export function parseWholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number of at most nine digits.');
  return Number(text);
}

export function parseSeconds(text: string): number {
  return positive(text, Number.MAX_VALUE, 'expected a number of seconds above 0.');
}

/** Of something in a second. */
export function parsePace(text: string): number {
  return positive(text, mostPerSecond, `expected a number above 0, ${mostPerSecond} at most.`);
}

const mostPerSecond = 1_000;

function positive(text: string, most: number, expected: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number > 0 && number <= most)) throw new InvalidArgumentError(expected);
  return number;
}
