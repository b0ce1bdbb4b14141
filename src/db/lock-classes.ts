/** Advisory lock keys. Must not change: nodes of all versions agree on them. */
export const lockClasses = { migration: 1_095_585_872, node: 1_095_585_873, quota: 1_095_585_874 };
