// Sends commands to load balancers and turns what becomes of them into answers or errors. A command that was answered
// before gets the same answer again, also when the object it was about is gone.
import type { CommandAnswer, LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import { kindNames } from '../../domain/load-balancer/rules.ts';
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import { RpcError } from '../rpc/errors.ts';
import type { CallContext, CommandKey } from '../rpc/method.ts';
import type { AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { CommandPorts, Reply, Replied } from './ports.ts';

export type ChangeContext = CallContext<CommandKey>;

export interface Dispatch {
  /** @throws RpcError */
  toLoadBalancer(id: string, command: LoadBalancerCommand, context: ChangeContext): Promise<CommandAnswer>;
  /**
   * The same for a command about an object inside, whose load balancer is looked up.
   *
   * @throws RpcError
   */
  toOwnerOf(
    kind: Exclude<ObjectKind, 'loadBalancer'>,
    id: string,
    commandOf: (place: { readonly poolId: string | null }) => LoadBalancerCommand,
    context: ChangeContext,
  ): Promise<CommandAnswer>;
  /** @throws RpcError */
  toAmphora(id: string, command: AmphoraCommand, context: ChangeContext): Promise<void>;
  /** The first answer to a command that would be refused now. @throws the refusal when there was none, RpcError */
  answeredBefore(context: ChangeContext, refusal: unknown): Promise<CommandAnswer>;
}

export function dispatchTo({ loadBalancers, amphorae, reads }: CommandPorts): Dispatch {
  const answeredBefore: Dispatch['answeredBefore'] = async ({ command }, refusal) => {
    const before = await reads.findAnswer(command.id);
    if (before === undefined) throw refusal;
    if (before.digest !== command.digest) {
      const message = `commandId ${command.id} was used before with other parameters`;
      throw new RpcError('commandIdReused', message, { field: 'commandId' });
    }
    return answerOf(before.answer as Reply);
  };
  const toLoadBalancer: Dispatch['toLoadBalancer'] = async (id, command, context) => {
    const reply = await loadBalancers.ask(id, command, context.signal, context.command);
    const isNotFound = reply.type === 'refused' && reply.refusal.code === 'notFound';
    return isNotFound ? answeredBefore(context, errorOf(reply)) : answerOf(reply);
  };
  return {
    answeredBefore,
    toLoadBalancer,
    async toAmphora(id, command, context) {
      const reply = await amphorae.ask(id, command, context.signal, context.command);
      if (reply.type === 'ok') return;
      if (reply.type === 'refused' && reply.refusal.code === 'notFound') {
        await answeredBefore(context, notFound('amphora', id));
        return;
      }
      throw errorOf(reply, 'amphora');
    },
    async toOwnerOf(kind, id, commandOf, context) {
      const place = await reads.loadBalancerOf(kind, id);
      if (place === undefined) return answeredBefore(context, notFound(kind, id));
      return toLoadBalancer(place.loadBalancerId, commandOf(place), context);
    },
  };
}

export function notFound(kind: ObjectKind | 'amphora', id: string): RpcError {
  return new RpcError('notFound', `${kind === 'amphora' ? 'Amphora' : kindNames[kind]} ${id} not found.`, {
    field: 'id',
  });
}

function answerOf(reply: Reply): CommandAnswer {
  if (reply.type === 'ok') return reply.answer;
  throw errorOf(reply);
}

/** An operator has to act first. */
const observingRetryMs = 5_000;

function errorOf(reply: Exclude<Replied<unknown>, { type: 'ok' }>, who = 'load balancer'): RpcError {
  switch (reply.type) {
    case 'refused': {
      const { code, message, field } = reply.refusal;
      return new RpcError(code, message, { field });
    }
    case 'busy':
      return new RpcError(
        'busy',
        `The ${who} cannot take the command just now: too many are waiting, or its owner is changing`,
        {
          retryAfterMs: reply.retryAfterMs,
        },
      );
    case 'unavailable': {
      const message = `Nothing is changed for now: ${reply.reason}`;
      return new RpcError('unavailable', message, { retryAfterMs: observingRetryMs });
    }
    case 'faulted':
      return new RpcError('faulted', `The ${who} waits for an operator: ${reply.reason}`);
  }
}
