// `amphi certificate`: certificates in files, and load balancers that are to serve what is behind a reference now.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { tlsFolderOf } from '../config/tls-folder.ts';
import {
  hasSecret,
  listSecrets,
  putSecret,
  removeSecret,
  type SecretPlace,
  type StoredSecret,
} from '../drivers/certificate-manager/folder.ts';
import { UnfitSecretError } from '../drivers/certificate-manager/pem.ts';
import type { Act } from './act.ts';
import { type CertificateUse, usesOf } from './certificate-uses.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';

export function certificateCommand(program: Command, act: Act): void {
  const certificate = program
    .command('certificate')
    .description('Certificates of users in files on this machine (file:<name>), and their renewal.');
  examples(certificate, 'amphi certificate add web server.pem server.key --project demo', 'amphi certificate ls');
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
        const folder = tlsFolderOf(settings().config);
        output.list(
          await listSecrets(folder),
          [
            { title: 'REFERENCE', of: (secret) => secret.ref },
            { title: 'PROJECT', of: (secret) => secret.projectId },
            { title: 'KIND', of: (secret) => secret.kind },
            { title: 'SUBJECT', of: (secret) => secret.subject },
            { title: 'EXPIRES', of: (secret) => secret.expiresAt },
          ],
          `none in ${folder}`,
        );
      }),
    );
  examples(list, 'amphi certificate ls', 'amphi certificate ls -o json');
  const remove = certificate
    .command('rm <name>')
    .alias('delete')
    .description('Remove a file that no load balancer uses.')
    .option('--project <id>', 'its project; api.project without it')
    .option(
      '--force',
      'also when it is used, or nobody can say so: those go on with what they have, and cannot be changed',
    )
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
  const place = { folder: tlsFolderOf(settings().config), projectId, name: nameIn(name) };
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

async function removeCertificate(context: Context, [given = '']: readonly string[], options: Options) {
  const { settings, output } = context;
  const projectId = projectOf(context, options);
  const name = nameIn(given);
  const place = { folder: tlsFolderOf(settings().config), projectId, name };
  if (!(await hasSecret(place))) throw nothingBehind(place);
  if (options['force'] !== true) await refuseUsed(context, `file:${name}`, projectId);
  await removeSecret(place);
  if (output.isJson) output.show({ ref: `file:${name}`, projectId });
  else output.say(`file:${name} of project ${projectId} is removed`);
}

function nothingBehind({ folder, projectId, name }: SecretPlace): CliFailure {
  return new CliFailure(`there is no file:${name} of project ${projectId} in ${folder}: see \`amphi certificate ls\``);
}

/** Uses that a refusal names; the rest is counted. */
const mostNamed = 10;

/** @throws CliFailure naming those who use it, or saying why that is not known */
async function refuseUsed({ withCommand }: Context, ref: string, projectId: string): Promise<void> {
  const uses = await withCommand((client) => usesOf(client, ref, projectId)).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      `nobody can say whether ${ref} of project ${projectId} is used (--force removes it all the same): ${reason}`,
      error,
    );
  });
  if (uses.length === 0) return;
  const named = uses.slice(0, mostNamed).map(useSentence);
  const more = uses.length > mostNamed ? [`and ${uses.length - mostNamed} more`] : [];
  throw new CliFailure(
    [
      `${ref} of project ${projectId} is used. Without it these go on with what they have, and cannot be changed or replaced. --force removes it all the same:`,
      ...named,
      ...more,
    ].join('\n  '),
  );
}

function useSentence({ loadBalancerId, loadBalancerName, kind, id, name }: CertificateUse): string {
  const of = loadBalancerName === '' ? loadBalancerId : `${loadBalancerName} (${loadBalancerId})`;
  return `${kind} ${name === '' ? id : `${name} (${id})`} of load balancer ${of}`;
}

async function pushReference(context: Context, [ref = '']: readonly string[], options: Options): Promise<void> {
  const isFile = ref.startsWith('file:');
  if (!isFile && !/^https?:\/\//.test(ref)) {
    throw new CliFailure(`expected file:<name> or the URL of a secret or container, given ${ref}`);
  }
  const projectId = isFile || typeof options['project'] === 'string' ? projectOf(context, options) : undefined;
  await context.withCommand(async (client) => {
    const uses = await usesOf(client, ref, projectId);
    if (uses.length === 0 && isFile) await refuseUnknown(context, ref, projectId ?? '');
    for (const { kind, id, attribute } of uses) await client.call(`${kind}.update`, { id, ...attribute });
    const pushed = uses.map(({ loadBalancerId, loadBalancerName, kind, id, name }) => ({
      loadBalancerId,
      loadBalancerName,
      kind,
      id,
      name,
    }));
    const ofProject = projectId === undefined ? '' : ` of project ${projectId}`;
    context.output.list(
      pushed,
      [
        { title: 'LOAD BALANCER', of: (row) => row.loadBalancerId },
        { title: 'ITS NAME', of: (row) => row.loadBalancerName },
        { title: 'KIND', of: (row) => row.kind },
        { title: 'ID', of: (row) => row.id },
        { title: 'NAME', of: (row) => row.name },
      ],
      `no load balancer${ofProject} uses ${ref}: there is nothing to do`,
    );
  });
}

/** @throws CliFailure when there is no such file; of a controller elsewhere the files are not known here */
async function refuseUnknown({ settings, isElsewhere }: Context, ref: string, projectId: string): Promise<void> {
  const place = { folder: tlsFolderOf(settings().config), projectId, name: nameIn(ref) };
  if (!isElsewhere && !(await hasSecret(place))) throw nothingBehind(place);
}

/** A name, also where the whole reference was given. */
function nameIn(given: unknown): string {
  return String(given).replace(/^file:/, '');
}
