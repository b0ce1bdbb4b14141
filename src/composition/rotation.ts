// What rotates certificates of amphorae, put together from settings, tables and the tree.
import type pg from 'pg';
import type { Logger } from 'pino';
import { certificateRotation, type Rotation } from '../actors/housekeeping/rotation.ts';
import type { Ownership } from '../actors/runtime/ownership.ts';
import type { Tree } from '../actors/tree.ts';
import type { Config } from '../config/schema.ts';
import { certificateState, dueCertificates } from '../db/repositories/certificates.ts';
import { maintenanceOf } from '../domain/cluster/orders.ts';

export interface RotationParts {
  readonly pool: pg.Pool;
  readonly ownership: () => Ownership;
  readonly tree: () => Tree;
  readonly log: Logger;
}

/** Looked at for those that may be replaced: others may be in zones under maintenance. */
const mostDue = 1_000;

export function rotationOf(
  { rotateAtOnce, rotateDays, serverDays }: Config['certificate'],
  { pool, ownership, tree, log }: RotationParts,
): Rotation {
  const ahead = rotateDays ?? serverDays / 3;
  return certificateRotation({
    atOnce: rotateAtOnce,
    state: () => certificateState(pool),
    due: () => dueCertificates(pool, ahead, mostDue),
    rotate: (amphoraId, fingerprint) =>
      tree().cluster.amphorae.command(amphoraId, { type: 'rotateCertificate', fingerprint }),
    isHeld: (zone) => maintenanceOf(ownership().view.orders, zone) !== undefined,
    log,
  });
}
