/** What a load balancer of a benchmark holds: a listener, a pool, 3 members and a monitor. */
export const tree = {
  listeners: [{ name: 'web', protocol: 'HTTP', protocolPort: 80, defaultPool: { name: 'web' } }],
  pools: [
    {
      name: 'web',
      protocol: 'HTTP',
      lbAlgorithm: 'ROUND_ROBIN',
      members: [1, 2, 3].map((last) => ({ address: `10.0.0.${last}`, protocolPort: 8080 })),
      healthMonitor: { type: 'HTTP', delay: 5, timeout: 2, maxRetries: 2 },
    },
  ],
} as const;
