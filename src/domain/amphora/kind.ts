// What an amphora is made as. A spare fits only those who want its kind; others have one booted for them.
import type { AmphoraId } from '../ids.ts';
import type { Topology } from '../statuses.ts';

/** Null: what the compute driver takes unless told. */
export interface InstanceKind {
  readonly computeFlavor: string | null;
  /** Of the image; the newest that has it is taken. */
  readonly imageTag: string | null;
  readonly computeZone: string | null;
  readonly volumeZone: string | null;
  readonly managementNetwork: string | null;
}

export interface AmphoraKind extends InstanceKind {
  /** An agent is told at its start whether it is one of a pair: then the VIP is not its own. */
  readonly topology: Topology;
}

export const plainInstance: InstanceKind = {
  computeFlavor: null,
  imageTag: null,
  computeZone: null,
  volumeZone: null,
  managementNetwork: null,
};

/** What is meant where no kind is told. */
export const plainKind: AmphoraKind = { topology: 'SINGLE', ...plainInstance };

/** Equal for equal kinds. */
export function kindKey({ topology, ...kind }: AmphoraKind): string {
  const { computeFlavor, imageTag, computeZone, volumeZone, managementNetwork } = kind;
  return JSON.stringify([topology, computeFlavor, imageTag, computeZone, volumeZone, managementNetwork]);
}

export function isPlain(kind: AmphoraKind): boolean {
  return kindKey(kind) === kindKey(plainKind);
}

/** Whether the amphorae of a load balancer must, or should, be on different machines. */
export const antiAffinities = ['off', 'soft', 'hard'] as const;
export type AntiAffinity = (typeof antiAffinities)[number];

/** Amphorae whose machine another one must not share, or should not where there is another. */
export interface Apart {
  readonly amphorae: readonly AmphoraId[];
  readonly isHard: boolean;
}

/** Where compute has put an instance, as far as it tells. */
export interface InstancePlace {
  readonly host: string | null;
  readonly zone: string | null;
  readonly imageId: string | null;
}
