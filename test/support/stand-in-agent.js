// Stands in for an amphora's agent where only its process matters: listens where it was told, and has a child as the
// agent has haproxy.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const root = process.argv[process.argv.indexOf('--root') + 1];
const conf = readFileSync(`${root}/etc/octavia/amphora-agent.conf`, 'utf8');
const last = (key) => [...conf.matchAll(new RegExp(`^${key} = (.*)$`, 'gm'))].at(-1)[1];

spawn('sleep', ['600'], { stdio: 'ignore' });
createServer().listen(Number(last('bind_port')), last('bind_host'));
