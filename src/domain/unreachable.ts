/** Ends a `switch` over a union: the compiler refuses to build when a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
