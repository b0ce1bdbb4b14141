// A wire to the database, or to another server, that a test can cut, freeze, or take away, while the server itself serves
// everybody else.
import { createServer, type AddressInfo, type Socket, connect } from 'node:net';

export interface DatabaseProxy {
  /** Leads to the same database, over the wire. */
  readonly url: string;
  /** Breaks every connection without a word; new ones are made as before. */
  cut(): void;
  /** While away, connections break and new ones are refused. */
  goAway(): void;
  comeBack(): void;
  /** New connections go to another database; those that are there stay where they are. */
  leadTo(database: string): void;
  /** Nothing travels in either direction, and nobody is told. */
  freeze(): void;
  thaw(): void;
  /** Holds back the next bytes with that text in that direction, and what follows them on their connection. */
  hold(direction: 'toServer' | 'toClient', text: string): Held;
  close(): Promise<void>;
}

export interface Held {
  /** Resolves once something is held back. */
  readonly caught: Promise<void>;
  /** Lets it go. */
  release(): void;
}

interface Trap {
  readonly direction: 'toServer' | 'toClient';
  readonly text: string;
  readonly onCaught: () => void;
  /** Whose bytes are held back; undefined until then. */
  from: Socket | undefined;
  readonly waiting: (() => void)[];
}

export async function startDatabaseProxy(database: string): Promise<DatabaseProxy> {
  let target = new URL(database);
  const pairs = new Set<readonly [Socket, Socket]>();
  let isAway = false;
  let isFrozen = false;
  let trap: Trap | undefined;
  const pass = (direction: Trap['direction'], from: Socket, to: Socket) => (bytes: Buffer) => {
    if (trap?.from === undefined && trap?.direction === direction && bytes.includes(trap.text)) {
      trap.from = from;
      trap.onCaught();
    }
    if (trap?.from === from) trap.waiting.push(() => to.write(bytes));
    else to.write(bytes);
  };
  const server = createServer((inner) => {
    if (isAway) return void inner.destroy();
    const outer = connect(Number(target.port), target.hostname);
    const pair = [inner, outer] as const;
    pairs.add(pair);
    inner.on('data', pass('toServer', inner, outer));
    outer.on('data', pass('toClient', outer, inner));
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const end of pair) end.destroy();
      });
      if (isFrozen) socket.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(database);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const each = (act: (socket: Socket) => void) => {
    for (const pair of pairs) pair.forEach(act);
  };
  const cut = () => each((socket) => socket.destroy());
  return {
    url: url.href,
    cut,
    goAway() {
      isAway = true;
      cut();
    },
    comeBack() {
      isAway = false;
    },
    leadTo(other) {
      target = new URL(other);
    },
    freeze() {
      isFrozen = true;
      each((socket) => socket.pause());
    },
    thaw() {
      isFrozen = false;
      each((socket) => socket.resume());
    },
    hold(direction, text) {
      const waiting: Trap['waiting'] = [];
      const caught = new Promise<void>((resolve) => {
        trap = { direction, text, onCaught: resolve, from: undefined, waiting };
      });
      return {
        caught,
        release() {
          trap = undefined;
          for (const send of waiting) send();
        },
      };
    },
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      return closed;
    },
  };
}
