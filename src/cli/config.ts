// `amphi config`: the settings, checked and explained.
import type { Command } from 'commander';
import { describeConfig } from '../config/describe.ts';
import type { Act } from './act.ts';
import { examples } from './help.ts';

export function configCommand(program: Command, act: Act): void {
  const config = program.command('config').description('The settings: file, environment and defaults together.');
  examples(config, 'amphi config check', 'amphi config show --describe');
  const check = config
    .command('check')
    .description('Say what is wrong with the settings, if anything.')
    .action(
      act(async ({ settings, output }) => {
        settings();
        if (output.isJson) output.show({ ok: true });
        else output.say('the settings are in order');
      }),
    );
  examples(check, 'amphi config check', 'amphi --config /etc/amphi.yaml config check');
  const show = config
    .command('show')
    .description('Every setting with its value and where the value came from. Secrets are stars.')
    .option('--describe', 'with what each setting means')
    .action(
      act(async ({ settings, output }, _, { describe }) => {
        const described = describeConfig(settings());
        output.list(described, [
          { title: 'SETTING', of: (setting) => setting.path },
          { title: 'VALUE', of: (setting) => setting.value },
          { title: 'FROM', of: (setting) => setting.source },
          ...(describe === true
            ? [{ title: 'MEANING', of: (setting: (typeof described)[number]) => setting.description }]
            : [{ title: 'VARIABLE', of: (setting: (typeof described)[number]) => setting.variable }]),
        ]);
      }),
    );
  examples(show, 'amphi config show', 'amphi config show --describe', 'amphi config show -o json');
}
