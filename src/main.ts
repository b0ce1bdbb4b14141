// The program: the command line, given the one way to make a node. Started by bin/amphi.
import { runCli } from './cli/program.ts';

// Whoever reads the output may have seen enough: `amphi lb ls | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  // Loaded when it is wanted: most commands only talk to a controller that runs.
  startNode: async (options) => (await import('./node.ts')).startNode(options),
  version: '0.1.0',
});
