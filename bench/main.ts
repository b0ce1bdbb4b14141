// `npm run bench -- NAME …`: each benchmark prints one line of JSON.
import { Command } from 'commander';
import { createCommand } from './create.ts';
import { takeoverCommand } from './takeover.ts';

await new Command('bench').addCommand(createCommand()).addCommand(takeoverCommand()).parseAsync();
