// The text of docs/command-channel.md, made from the methods: what is parsed and what is documented are one.
import { type ErrorCode, errorCodes } from '../rpc/errors.ts';
import type { AnyMethod } from '../rpc/method.ts';
import type { ParameterDoc, Parameters } from '../rpc/parameters.ts';
import { commandMethods } from './methods.ts';
import { alertChange, statusChange, viewFields } from './view-fields.ts';

const everywhere: readonly ErrorCode[] = ['invalid', 'busy', 'unavailable', 'internal'];

export function commandChannelPage(): string {
  const methods = Object.entries(commandMethods).map(([name, method]) => methodSection(name, method));
  return `${[introduction, ...methods, notifications(), views(), errors(), session].join('\n\n')}\n`;
}

const introduction = `# The command channel

<!-- Made by \`npm run docs\` from src/channels/command. Do not edit. -->

JSON-RPC 2.0 over WebSocket: \`ws://<control.host>:<control.port>/command\`, one JSON text a message, single requests or
batches of up to 100. Parameters are named. Clients show \`Authorization: Bearer <token>\` in the request that opens the
connection; \`amphi up\` makes the token at its first start, in \`control.token\` of the data folder.

**TLS.** With \`control.tls.certificate\` and \`control.tls.key\` the port speaks TLS 1.2 or newer, and the address begins with
\`wss:\`. With \`control.tls.clientCa\` too, a client certificate signed by that authority is as good as the token. Beyond
loopback the port wants TLS: a token never travels in clear text. \`amphi\` on the controller's host knows the certificate
from the data folder; elsewhere it is told by \`AMPHI_URL\` (\`wss://…\`), \`AMPHI_CA\` (the authority that signed the
controller's certificate; without it, those that Node knows) and \`AMPHI_TOKEN\`, or \`AMPHI_CERT\` and \`AMPHI_KEY\`;
\`AMPHI_CA\`, \`AMPHI_CERT\` and \`AMPHI_KEY\` are paths of PEM files.

**Changes happen once.** Every method marked *changes* takes \`commandId\`, a string of 1 to 255 characters. Sent again
with the same \`commandId\` and parameters, the command has one effect and gets the same answer, refusals by the load
balancer too, for \`commands.retentionHours\`; the object in the answer is shown as it is now. A call whose parameters are
wrong in themselves is not remembered. Without a \`commandId\`, the server makes one; the answer of a change holds it. An answer means that the change is durable; that it has reached amphorae is said by
\`provisioningStatus\`.

**Bounds.** Messages of \`command.maxMessageBytes\` at most (close code 1009 beyond). \`command.maxInFlight\` calls of a
connection may wait for their answer; further ones are answered \`busy\`. A call that has no answer after 30 s is answered
\`unavailable\`. A client that does not read is read from no further; notifications for it are left out and reported by
\`status.gap\`; after two pings without an answer it is disconnected (close code 1013).

Ids are UUIDs in lower case, times ISO 8601 in UTC. Attributes that are not named here are refused. In a create, null is
the same as leaving an attribute out; in an update, null resets it to its default.`;

function methodSection(name: string, method: AnyMethod): string {
  const { summary, params, changes, result, errors: own } = method;
  const commandId: Documented = changes ? { commandId: commandIdParameter } : {};
  const all: Documented = { ...params, ...commandId };
  const codes = [...own, ...everywhere].filter((code, index, list) => list.indexOf(code) === index);
  return [
    `## ${name}`,
    `${summary}${changes ? ' *Changes.*' : ''}`,
    Object.keys(all).length === 0 ? 'No parameters.' : table(all, name.endsWith('.update')),
    ...nestedTables(params),
    `Answers: ${result.text}${changes ? ' And `commandId`.' : ''}`,
    `Errors: ${codes.join(', ')}${changes ? ', commandIdReused, faulted' : ''}.`,
  ].join('\n\n');
}

const commandIdParameter: Documented[string] = {
  doc: { expects: 'A string of 1 to 255 characters.', meaning: 'Makes repeats harmless.', isRequired: false },
};

type Documented = Readonly<Record<string, Pick<Parameters[string], 'doc'>>>;

function table(parameters: Documented, isUpdate = false): string {
  const rows = Object.entries(parameters).map(([name, { doc }]) => {
    const remark = doc.isImmutable === true ? 'immutable' : initialOf(doc, isUpdate);
    return `| \`${name}\`${doc.isRequired ? ' *' : ''} | ${escaped(doc.expects)} | ${remark} | ${escaped(doc.meaning)} |`;
  });
  return ['| parameter | takes | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function initialOf({ isRequired, initial }: ParameterDoc, isUpdate: boolean): string {
  if (isRequired) return 'needed';
  if (initial === undefined) return isUpdate ? 'unchanged' : 'none';
  return `\`${JSON.stringify(initial)}\``;
}

/** Objects within objects, each kind once. */
function nestedTables(parameters: Parameters, prefix = ''): readonly string[] {
  return Object.entries(parameters).flatMap(([name, { doc }]) => {
    if (doc.nested === undefined) return [];
    const path = `${prefix}${name}`;
    // The same pool is described at `pool.create`.
    if (name === 'defaultPool' || name === 'redirectPool') return [];
    return [`In \`${path}\`:`, table(doc.nested), ...nestedTables(doc.nested, `${path}.`)];
  });
}

function notifications(): string {
  return `## Notifications

After \`status.subscribe\`, the server sends \`status.changed\`:

${fieldTable(statusChange)}

After \`alerts.subscribe\`, it sends \`alerts.changed\`:

${fieldTable(alertChange)}

\`status.gap\` has \`dropped\`: the number of notifications that were left out because the client did not keep up. Read the
statuses again then.`;
}

function views(): string {
  const sections = Object.entries(viewFields).map(([name, fields]) => `### ${name}\n\n${fieldTable(fields)}`);
  return ['## Answers', ...sections].join('\n\n');
}

function fieldTable(fields: Readonly<Record<string, string>>): string {
  const rows = Object.entries(fields).map(
    ([name, meaning]) => `| ${name === '…' ? name : `\`${name}\``} | ${escaped(meaning)} |`,
  );
  return ['| field | meaning |', '| --- | --- |', ...rows].join('\n');
}

function errors(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { number, meaning }]) => `| \`${code}\` | ${number} | ${escaped(meaning)} |`,
  );
  return `## Errors

\`error.code\` is a number of JSON-RPC, \`error.message\` a sentence, and \`error.data\` has \`code\` (a word), and where it applies
\`field\` (the parameter at fault, such as \`listeners[0].protocolPort\`), \`retryAfterMs\` and \`commandId\`.

${['| code | number | meaning |', '| --- | --- | --- |', ...rows].join('\n')}`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}

const session = `## An example

\`\`\`
→ {"jsonrpc":"2.0","id":1,"method":"status.subscribe","params":{}}
← {"jsonrpc":"2.0","id":1,"result":{"subscribed":true}}
→ {"jsonrpc":"2.0","id":2,"method":"loadBalancer.create","params":{"commandId":"order-17","projectId":"demo","name":"web",
   "vipSubnetId":"944449c5-1c57-5aec-82d9-5219b872e4f1","listeners":[{"protocol":"HTTP","protocolPort":80,"defaultPool":
   {"protocol":"HTTP","lbAlgorithm":"ROUND_ROBIN","members":[{"address":"10.0.0.1","protocolPort":8080}]}}]}}
← {"jsonrpc":"2.0","id":2,"result":{"commandId":"order-17","loadBalancer":{"id":"…","provisioningStatus":"PENDING_CREATE", …}}}
← {"jsonrpc":"2.0","method":"status.changed","params":{"objectId":"…","kind":"loadBalancer","loadBalancerId":"…",
   "provisioningStatus":"ACTIVE","operatingStatus":"OFFLINE","at":"2026-08-01T10:00:00.412Z"}}
→ {"jsonrpc":"2.0","id":3,"method":"loadBalancer.create","params":{"projectId":"demo","vipSubnetId":"944449c5-1c57-5aec-82d9-5219b872e4f1","port":80}}
← {"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Unknown attribute port","data":{"code":"invalid","field":"port"}}}
\`\`\`

\`src/channels/command/client.ts\` is a client in TypeScript.`;
