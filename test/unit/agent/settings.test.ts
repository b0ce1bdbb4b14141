import { describe, expect, test } from '@jest/globals';
import { keepPlace, readSettings } from '../../../src/agent/settings.ts';
import { configDriveFiles } from '../../../src/domain/amphora/config-drive.ts';
import { type AmphoraId, deriveId } from '../../../src/domain/ids.ts';

const amphoraId = deriveId<AmphoraId>('settings');
const least = `[health_manager]\nheartbeat_key = k\n[amphora_agent]\namphora_id = ${amphoraId}\n`;

describe('the agent’s settings', () => {
  test('have defaults below the root', () => {
    expect(readSettings(least, '/amphora')).toEqual({
      amphoraId,
      bindHost: '127.0.0.1',
      bindPort: 9443,
      basePath: '/amphora/lib/octavia',
      haproxyCommand: '/usr/sbin/haproxy',
      serverCertificate: '/amphora/etc/octavia/certs/server.pem',
      clientCa: '/amphora/etc/octavia/certs/client_ca.pem',
      tlsProtocol: undefined,
      controllers: [],
      heartbeatIntervalMs: 10_000,
      heartbeatKey: 'k',
    });
  });

  test('are read from the file that controllers write', () => {
    const files = configDriveFiles({
      amphoraId,
      controllers: ['192.0.2.1:5555', '[2001:db8::1]:5556'],
      heartbeatKey: 'hush',
      heartbeatInterval: 0.5,
      topology: 'SINGLE',
      serverPem: '',
      clientCaPem: '',
    });
    expect(readSettings(files['amphora-agent.conf'] ?? '', '/amphora')).toMatchObject({
      controllers: [
        { host: '192.0.2.1', port: 5555 },
        { host: '2001:db8::1', port: 5556 },
      ],
      heartbeatIntervalMs: 500,
      heartbeatKey: 'hush',
      tlsProtocol: 'TLSv1.2',
    });
  });

  test('keep what only this place knows when a controller sends a new file', () => {
    const here = readSettings(`${least}[haproxy_amphora]\nbind_port = 1234\nbase_path = ../../here\n`, '/amphora');
    const next = keepPlace('[haproxy_amphora]\nbind_port = 9443\n[health_manager]\nheartbeat_key = new\n', here);
    expect(readSettings(next, '/amphora')).toEqual({ ...here, heartbeatKey: 'new' });
  });

  test.each([
    ['[amphora_agent]\namphora_id = x\n', '[amphora_agent] amphora_id: expected a UUID in lower case, given "x"'],
    [
      '[haproxy_amphora]\nbind_port = 70000\n',
      '[haproxy_amphora] bind_port: expected a port from 0 to 65535, given "70000"',
    ],
    ['[health_manager]\nheartbeat_interval = 0\n', '[health_manager] heartbeat_interval: expected seconds above 0'],
    ['[health_manager]\ncontroller_ip_port_list = ::1:5555\n', 'controller_ip_port_list: expected address:port'],
    ['[amphora_agent]\nagent_tls_protocol = SSLv3\n', 'agent_tls_protocol: expected TLSv1.2 or TLSv1.3, given "SSLv3"'],
  ])('refuse %j', (text, message) => {
    expect(() => readSettings(least + text, '/amphora')).toThrow(message);
  });

  test('that lack the heartbeat key are refused', () => {
    const text = `[amphora_agent]\namphora_id = ${amphoraId}\n`;
    expect(() => readSettings(text, '/')).toThrow('heartbeat_key: expected a text that is not empty, given nothing');
  });
});
