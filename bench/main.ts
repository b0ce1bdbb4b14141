// `npm run bench -- NAME …`: each benchmark prints one line of JSON.
import { Command } from 'commander';
import { apiCommand } from './api.ts';
import { createCommand } from './create.ts';
import { failoverCommand } from './failover.ts';
import { heartbeatsCommand } from './heartbeats.ts';
import { journalCommand } from './journal.ts';
import { takeoverCommand } from './takeover.ts';

await new Command('bench')
  .addCommand(apiCommand())
  .addCommand(createCommand())
  .addCommand(failoverCommand())
  .addCommand(heartbeatsCommand())
  .addCommand(journalCommand())
  .addCommand(takeoverCommand())
  .parseAsync();
