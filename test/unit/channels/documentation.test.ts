import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { commandChannelPage } from '../../../src/channels/command/documentation.ts';
import { settingsPage } from '../../../src/config/documentation.ts';
import { packageRoot } from '../../support/built.ts';

const page = (name: string) => readFileSync(join(packageRoot, 'docs', name), 'utf8');

test('docs/command-channel.md is what the methods say; `npm run docs` writes it', () => {
  expect(page('command-channel.md')).toBe(commandChannelPage());
});

test('docs/settings.md is what the schema says; `npm run docs` writes it', () => {
  expect(page('settings.md')).toBe(settingsPage());
});
