// OpenStack's acceptance tests for load balancers (Debian's octavia-tempest-plugin), run by stestr in a folder of their own
// against a Keystone and a REST API. What the plugin makes in both is gone when it has ended.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const packages = '/usr/lib/python3/dist-packages';
const stestr = '/usr/bin/stestr';

export function hasTempest(): boolean {
  return existsSync(stestr) && existsSync(join(packages, 'octavia_tempest_plugin'));
}

/** Roles that the plugin's users get, beside those of a new Keystone; `bystander` means nothing to a load balancer. */
export const tempestRoles = [
  'bystander',
  'load-balancer_admin',
  'load-balancer_member',
  'load-balancer_observer',
  'load-balancer_global_observer',
] as const;

export interface TempestRun {
  readonly folder: string;
  /** Without `/v3`. */
  readonly keystoneUrl: string;
  readonly adminPassword: string;
  readonly region: string;
  /** Whose rights the tests look at: the plugin's `RBAC_test_type`. */
  readonly policy: 'advanced' | 'owner_or_admin';
  /** Regular expressions; tests whose name matches one of them run. */
  readonly only: readonly string[];
  readonly timeoutMs: number;
}

export interface TempestResult {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: number;
  /** What was printed, tracebacks of failures and reasons of skips included. */
  readonly output: string;
}

/** Of providers, as this service describes them. */
const providers = [
  'amphora:Amphitheatre: haproxy in amphorae that supervised actors keep.',
  'octavia:Another name of the provider amphora.',
];

/** @throws Error with the output when the tests could not be run, or took too long */
export async function runTempest(run: TempestRun): Promise<TempestResult> {
  const { folder, only, timeoutMs } = run;
  mkdirSync(join(folder, 'locks'), { recursive: true });
  const configuration = join(folder, 'tempest.conf');
  writeFileSync(configuration, tempestConfiguration(run), { mode: 0o600 });
  const discovery = `test_path=${packages}/tempest/test_discover\ntop_dir=${packages}\ngroup_regex=([^\\.]*\\.)*\n`;
  writeFileSync(join(folder, '.stestr.conf'), `[DEFAULT]\n${discovery}`);
  const env = { PATH: '/usr/bin:/bin', HOME: folder, TEMPEST_CONFIG: configuration, PYTHON: '/usr/bin/python3' };
  const options = { cwd: folder, env, timeout: timeoutMs, maxBuffer: 256 * 2 ** 20 };
  if (!existsSync(join(folder, '.stestr'))) await promisify(execFile)(stestr, ['init'], options);
  const output = await new Promise<string>((resolve, reject) => {
    execFile(stestr, ['run', '--concurrency', '3', only.join('|')], options, (error, stdout, stderr) => {
      // It ends with 1 when a test fails.
      if (error !== null && error.code !== 1) reject(new Error(`${error.message}\n${stdout}${stderr}`));
      else resolve(`${stdout}${stderr}`);
    });
  });
  const count = (what: string) => {
    const found = new RegExp(`^ - ${what}: (\\d+)$`, 'm').exec(output)?.[1];
    if (found === undefined) throw new Error(`stestr did not come to an end:\n${output}`);
    return Number(found);
  };
  return { passed: count('Passed'), skipped: count('Skipped'), failed: count('Failed'), output };
}

/** Nothing but Keystone and load balancers is there, and statuses are looked at often: the plugin waits for whole intervals. */
function tempestConfiguration({ folder, keystoneUrl, adminPassword, region, policy }: TempestRun): string {
  const absent = ['neutron', 'nova', 'glance', 'cinder', 'swift', 'horizon'];
  const waits = ['build', 'check', 'lb_build'].flatMap((what) => [`${what}_interval = 0.2`, `${what}_timeout = 60`]);
  // A user that has no role of load balancers would be a `member`, who may use them here.
  const roles = policy === 'advanced' ? ['tempest_roles = bystander'] : [];
  const sections: Readonly<Record<string, readonly string[]>> = {
    DEFAULT: [`log_file = ${join(folder, 'tempest.log')}`],
    oslo_concurrency: [`lock_path = ${join(folder, 'locks')}`],
    auth: [
      'admin_username = admin',
      `admin_password = ${adminPassword}`,
      'admin_project_name = admin',
      'admin_domain_name = Default',
      'create_isolated_networks = false',
      ...roles,
    ],
    identity: [`uri_v3 = ${keystoneUrl}/v3`, 'auth_version = v3', `region = ${region}`],
    service_available: [...absent.map((service) => `${service} = false`), 'load_balancer = true'],
    network: ['project_networks_reachable = true'],
    validation: ['run_validation = false'],
    load_balancer: [
      'test_with_noop = true',
      `RBAC_test_type = ${policy}`,
      `enabled_provider_drivers = ${providers.join(',')}`,
      // Of zones of Nova, in profiles of availability zones.
      'availability_zone = zone-1',
      'availability_zone2 = zone-2',
      'availability_zone3 = zone-3',
      ...waits,
    ],
  };
  return Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.join('\n')}\n`)
    .join('\n');
}
