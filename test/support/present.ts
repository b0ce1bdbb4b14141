// Things that a test file names at its top and that are there in its tests and hooks only.

/** Stands for what `get` gives: tests use it as the thing itself. `get` throws where there is none yet. */
export function present<T extends object>(get: () => T): T {
  return new Proxy({} as T, {
    get: (_, key) => {
      const real = get();
      const value: unknown = Reflect.get(real, key, real);
      return typeof value === 'function' ? (value.bind(real) as unknown) : value;
    },
  });
}
