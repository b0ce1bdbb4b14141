// What must hold of the TLS attributes of listeners and pools. Fault strings are Octavia's.
import { type Decision, refuse } from '../decision.ts';
import type { ListenerAttributes, PoolAttributes } from './attributes.ts';
import { isDatagram } from './datagram-rules.ts';

type Broken = Decision<never, never> | undefined;

function invalid(what: string, field: string): Broken {
  return refuse('invalid', `Validation failure: ${what}`, field);
}

export function brokenListenerTlsRule(form: ListenerAttributes): Broken {
  const { protocol, defaultTlsContainerRef, sniContainerRefs, clientCaTlsContainerRef } = form;
  const hasCertificate = defaultTlsContainerRef !== null || sniContainerRefs.length > 0;
  if (protocol !== 'TERMINATED_HTTPS' && protocol !== 'PROMETHEUS') return brokenPlainRule(form);
  if (protocol === 'TERMINATED_HTTPS' && !hasCertificate) {
    return invalid(
      `An SNI or default certificate container reference must be provided for ${protocol} protocol listeners.`,
      'defaultTlsContainerRef',
    );
  }
  if (clientCaTlsContainerRef !== null && !hasCertificate) {
    return invalid(
      'An SNI or default certificate container reference must be provided with a client CA container reference.',
      'clientCaTlsContainerRef',
    );
  }
  return brokenClientRule(form) ?? brokenHstsRule(form);
}

function brokenPlainRule(form: ListenerAttributes): Broken {
  const { protocol } = form;
  const refs = ['defaultTlsContainerRef', 'clientCaTlsContainerRef', 'clientCrlContainerRef'] as const;
  const named = form.sniContainerRefs.length > 0 ? 'sniContainerRefs' : refs.find((name) => form[name] !== null);
  if (named !== undefined) {
    return invalid(`Certificate container references are not allowed on ${protocol} protocol listeners.`, named);
  }
  const terms = [
    ['clientAuthentication', form.clientAuthentication !== 'NONE'],
    ['tlsCiphers', form.tlsCiphers !== null],
    ['tlsVersions', form.tlsVersions.length > 0],
    ['alpnProtocols', form.alpnProtocols.length > 0],
  ] as const;
  const [meaningless] = terms.find(([, isGiven]) => isGiven) ?? [];
  if (meaningless !== undefined) {
    return invalid(`${meaningless} is for listeners of protocol TERMINATED_HTTPS, given ${protocol}`, meaningless);
  }
  return brokenHstsRule(form);
}

function brokenClientRule(form: ListenerAttributes): Broken {
  const { clientAuthentication, clientCaTlsContainerRef, clientCrlContainerRef } = form;
  if (clientCaTlsContainerRef !== null) return undefined;
  if (clientAuthentication !== 'NONE') {
    return invalid(
      `Client authentication setting ${clientAuthentication} requires a client CA container reference.`,
      'clientCaTlsContainerRef',
    );
  }
  if (clientCrlContainerRef === null) return undefined;
  return invalid(
    'A client authentication CA reference is required to specify a client authentication revocation list.',
    'clientCrlContainerRef',
  );
}

function brokenHstsRule(form: ListenerAttributes): Broken {
  const { protocol, hstsMaxAge, hstsIncludeSubdomains, hstsPreload } = form;
  if ((hstsIncludeSubdomains || hstsPreload) && hstsMaxAge === null) {
    return invalid(
      'HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.',
      'hstsMaxAge',
    );
  }
  if (hstsMaxAge === null || protocol === 'TERMINATED_HTTPS') return undefined;
  return invalid('The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.', 'hstsMaxAge');
}

export function brokenPoolTlsRule({
  protocol,
  tlsEnabled,
  crlContainerRef,
  caTlsContainerRef,
}: PoolAttributes): Broken {
  if (tlsEnabled && isDatagram(protocol)) {
    return invalid(`TLS to members is not for pools of protocol ${protocol}`, 'tlsEnabled');
  }
  if (crlContainerRef === null || caTlsContainerRef !== null) return undefined;
  return invalid('A CA certificate reference is required to specify a revocation list.', 'crlContainerRef');
}
