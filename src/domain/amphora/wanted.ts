// What a load balancer wants an amphora to be.
import type { AmphoraKind, AntiAffinity } from './kind.ts';
import type { Sharing } from './sharing.ts';

export interface WantedAmphora {
  readonly kind: AmphoraKind;
  /** With nobody when absent. */
  readonly sharing?: Sharing;
  /** As the settings say when absent. */
  readonly antiAffinity?: AntiAffinity;
}
