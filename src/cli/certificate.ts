// `amphi certificate`: certificates in files, and load balancers that are to serve what is behind a reference now.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { tlsFolderOf } from '../config/tls-folder.ts';
import { secretsIn } from '../domain/load-balancer/tls.ts';
import type { ListenerView, PoolView } from '../domain/views.ts';
import { listSecrets, putSecret, removeSecret, type StoredSecret } from '../drivers/certificate-manager/folder.ts';
import { UnfitSecretError } from '../drivers/certificate-manager/pem.ts';
import type { Act } from './act.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { allPages } from './find.ts';
import { examples } from './help.ts';

export function certificateCommand(program: Command, act: Act): void {
  const certificate = program
    .command('certificate')
    .description('Certificates of users in files on this machine (file:<name>), and their renewal.');
  const add = certificate
    .command('add <name> <files...>')
    .description(
      'Put a certificate with its key and chain, authorities, or a CRL (PEM) where file:<name> finds it, or renew it.',
    )
    .option('--project <id>', 'project whose load balancers may use it; api.project without it')
    .action(act(addCertificate));
  examples(
    add,
    'amphi certificate add web server.pem server.key chain.pem --project demo',
    'amphi certificate add clients client-ca.pem',
  );
  const list = certificate
    .command('ls')
    .description('List certificates in files.')
    .action(
      act(async ({ settings, output }) => {
        output.list(await listSecrets(tlsFolderOf(settings().config)), [
          { title: 'REFERENCE', of: (secret) => secret.ref },
          { title: 'PROJECT', of: (secret) => secret.projectId },
          { title: 'KIND', of: (secret) => secret.kind },
          { title: 'SUBJECT', of: (secret) => secret.subject },
          { title: 'EXPIRES', of: (secret) => secret.expiresAt },
        ]);
      }),
    );
  examples(list, 'amphi certificate ls', 'amphi certificate ls -o json');
  const remove = certificate
    .command('rm <name>')
    .description('Remove a file. Load balancers that use it go on with what they have, and cannot be changed.')
    .option('--project <id>', 'its project; api.project without it')
    .action(act(removeCertificate));
  examples(remove, 'amphi certificate rm web --project demo');
  const push = certificate
    .command('push <reference>')
    .description('Have the load balancers that use a reference serve what is behind it now.')
    .option('--project <id>', 'only those of this project; for file:<name>, api.project without it')
    .action(act(pushReference));
  examples(push, 'amphi certificate push file:web --project demo', 'amphi certificate push https://…/v1/secrets/<id>');
}

type Options = Readonly<Record<string, unknown>>;

function projectOf({ settings }: Context, { project }: Options): string {
  return typeof project === 'string' ? project : settings().config.api.project;
}

async function addCertificate(context: Context, [name = '', ...files]: readonly unknown[], options: Options) {
  const { settings, output } = context;
  const paths = files.flat().map(String);
  const projectId = projectOf(context, options);
  const place = { folder: tlsFolderOf(settings().config), projectId, name: String(name) };
  let stored: StoredSecret;
  try {
    stored = await putSecret(place, paths.map(readPem).join('\n'));
  } catch (error) {
    if (error instanceof UnfitSecretError) throw new CliFailure(`${paths.join(', ')} ${error.message}`);
    throw error;
  }
  if (output.isJson) return output.show(stored);
  output.show(stored);
  output.say(`\nLoad balancers that use it already: amphi certificate push ${stored.ref} --project ${projectId}`);
}

function readPem(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new CliFailure(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

async function removeCertificate(context: Context, [name = '']: readonly string[], options: Options) {
  const { settings, output } = context;
  const projectId = projectOf(context, options);
  const isRemoved = await removeSecret({ folder: tlsFolderOf(settings().config), projectId, name });
  if (!isRemoved) throw new CliFailure(`project ${projectId} has no file:${name}`);
  if (output.isJson) output.show({ ref: `file:${name}`, projectId });
  else output.say(`file:${name} of project ${projectId} is removed`);
}

async function pushReference(context: Context, [ref = '']: readonly string[], options: Options): Promise<void> {
  const isFile = ref.startsWith('file:');
  const within = isFile || typeof options['project'] === 'string' ? { projectId: projectOf(context, options) } : {};
  await context.withCommand(async (client) => {
    const pushed: object[] = [];
    const balancers = await allPages<{ id: string }>((marker) =>
      client.call('loadBalancer.list', { ...within, ...marker }),
    );
    for (const { id } of balancers) pushed.push(...(await renew(client, id, ref)));
    context.output.list(pushed as { loadBalancerId: string; kind: string; id: string; name: string }[], [
      { title: 'LOAD BALANCER', of: (row) => row.loadBalancerId },
      { title: 'KIND', of: (row) => row.kind },
      { title: 'ID', of: (row) => row.id },
      { title: 'NAME', of: (row) => row.name },
    ]);
  });
}

/** Names the reference again wherever it stands in the load balancer. One push carries all of it. */
async function renew(client: CommandClient, loadBalancerId: string, ref: string): Promise<readonly object[]> {
  const found: object[] = [];
  const listeners = (marker: object) => client.call('listener.list', { loadBalancerId, ...marker });
  const pools = (marker: object) => client.call('pool.list', { loadBalancerId, ...marker });
  for (const view of await allPages<ListenerView>(listeners)) {
    const again = patchWith(view, ref);
    if (again === undefined) continue;
    await client.call('listener.update', { id: view.id, ...again });
    found.push({ loadBalancerId, kind: 'listener', id: view.id, name: view.name });
  }
  for (const view of await allPages<PoolView>(pools)) {
    const again = patchWith(view, ref);
    if (again === undefined) continue;
    await client.call('pool.update', { id: view.id, ...again });
    found.push({ loadBalancerId, kind: 'pool', id: view.id, name: view.name });
  }
  return found;
}

/** The attribute that has the reference, as it is; undefined when none has. */
function patchWith(view: ListenerView | PoolView, ref: string): Readonly<Record<string, unknown>> | undefined {
  const use = secretsIn(view).find((candidate) => candidate.ref === ref);
  return use && { [use.field]: (view as unknown as Readonly<Record<string, unknown>>)[use.field] };
}
