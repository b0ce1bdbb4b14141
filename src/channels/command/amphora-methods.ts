// Methods that have agents of amphorae renewed: their certificate, their configuration.
import type { AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { AmphoraId } from '../../domain/ids.ts';
import type { AmphoraView } from '../../domain/views.ts';
import { changes, type HandlersOf, result } from '../rpc/method.ts';
import { needed } from '../rpc/parameters.ts';
import { objectId } from '../rpc/values.ts';
import type { ChangeContext, Dispatch } from './dispatch.ts';

const id = needed(objectId<AmphoraId>(), 'The amphora.');

export const agentMethods = {
  'amphora.configure': changes({
    summary:
      'Gives the agent of an amphora its configuration again, as it is now: after a change of the heartbeat key.',
    params: { id },
    result: result<{ readonly amphora: AmphoraView | null }>('`amphora`: Amphora.'),
    errors: ['notFound', 'conflict'],
  }),
  'amphora.rotateCertificate': changes({
    summary: 'Gives the agent of an amphora another certificate. Traffic does not notice.',
    params: { id },
    result: result<{ readonly amphora: AmphoraView | null }>(
      '`amphora`: Amphora; `certificateBusy` until its agent shows the other one.',
    ),
    errors: ['notFound', 'conflict'],
  }),
} as const;

export function agentHandlers(
  reads: { findAmphora(id: string): Promise<AmphoraView | undefined> },
  dispatch: Pick<Dispatch, 'toAmphora'>,
): HandlersOf<typeof agentMethods> {
  const command = async (amphoraId: string, what: AmphoraCommand, context: ChangeContext) => {
    await dispatch.toAmphora(amphoraId, what, context);
    return { amphora: (await reads.findAmphora(amphoraId)) ?? null };
  };
  return {
    'amphora.configure': (params, context) => command(params.id, { type: 'configureAgent' }, context),
    'amphora.rotateCertificate': (params, context) =>
      command(params.id, { type: 'rotateCertificate', fingerprint: null }, context),
  };
}
