// `npm run docs`: writes the pages that are made from the code. A test checks that the committed ones are up to date.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandChannelPage } from '../channels/command/documentation.ts';
import { settingsPage } from '../config/documentation.ts';

const folder = process.argv[2] ?? 'docs';
writeFileSync(join(folder, 'command-channel.md'), commandChannelPage());
writeFileSync(join(folder, 'settings.md'), settingsPage());
